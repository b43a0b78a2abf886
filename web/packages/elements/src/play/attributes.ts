/** The attributes of `<live-player>`, those of the mini-program's. */

import { flag, number, type Table, text, type Values, word } from '../attributes';

export const PLAYER = {
  src: text(),
  mode: word(['live', 'RTC']),
  autoplay: flag(false),
  muted: flag(false),
  orientation: word(['vertical', 'horizontal']),
  'object-fit': word(['contain', 'fillCrop']),
  'background-mute': flag(false, {
    unable: 'in the background it is silent always, unless requestBackgroundPlayback() was called',
  }),
  'min-cache': number(1, [0, 30]),
  'max-cache': number(3, [0, 30]),
  'sound-mode': word(['speaker', 'ear'], {
    unable: 'the system decides where it is heard',
  }),
  'auto-pause-if-navigate': flag(true),
  'auto-pause-if-open-native': flag(true, {
    unable: 'a page is not told what covers it',
  }),
  'picture-in-picture-mode': text({
    unable: 'a browser opens a window at a click only: call requestPictureInPicture()',
  }),
  'picture-in-picture-init-position': text({ unable: 'the browser places it' }),
  'enable-auto-rotation': flag(false),
  'referrer-policy': word(['no-referrer', 'origin']),
  'enable-casting': flag(false, { unable: 'what is cast would be another player' }),
  debug: flag(false),
  'http-origin': text(),
} satisfies Table;

export type PlayerValues = Values<typeof PLAYER>;
