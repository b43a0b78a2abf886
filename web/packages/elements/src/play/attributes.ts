/** The attributes of `<live-player>`, those of the mini-program's. */

import { flag, number, type Table, text, type Values, word } from '../attributes';

export const PLAYER = {
  src: text('what to play: rtmp(s)://HOST[:PORT]/APP/STREAM, http(s)://….flv or ws(s)://….flv'),
  mode: word(['live', 'RTC'], 'live: an even picture first; RTC: as little delay as can be, over UDP'),
  autoplay: flag(false, 'plays by itself as soon as there is a src'),
  muted: flag(false, 'plays no sound'),
  orientation: word(['vertical', 'horizontal'], 'vertical: as it comes; horizontal: turned a quarter to the left'),
  'object-fit': word(['contain', 'fillCrop'], 'contain: all of the picture; fillCrop: all of the element, cropped'),
  'background-mute': flag(false, 'silence while the page is in the background', {
    unable: 'in the background it is silent always, unless requestBackgroundPlayback() was called',
  }),
  'min-cache': number(1, [0, 30], 'live mode: seconds to gather before it plays; less than 1 is 1'),
  'max-cache': number(3, [0, 30], 'live mode: seconds from which on the delay is brought down; min-cache at least'),
  'sound-mode': word(['speaker', 'ear'], 'where the sound comes from', {
    unable: 'the system decides where it is heard',
  }),
  'auto-pause-if-navigate': flag(true, 'pauses when the page is left, and goes on when it is back'),
  'auto-pause-if-open-native': flag(true, 'pauses when something else covers the page', {
    unable: 'a page is not told what covers it',
  }),
  'picture-in-picture-mode': text('push, pop: when the picture leaves the page', {
    unable: 'a browser opens a window at a click only: call requestPictureInPicture()',
  }),
  'picture-in-picture-init-position': text('where its window appears', { unable: 'the browser places it' }),
  'enable-auto-rotation': flag(false, 'fills the screen while that is turned to landscape'),
  'referrer-policy': word(['no-referrer', 'origin'], 'whether a request says which site it comes from'),
  'enable-casting': flag(false, 'casting to a television', { unable: 'what is cast would be another player' }),
  debug: flag(false, 'shows events and figures over the picture'),
  'http-origin': text('of the server, where it is not what the src says: https://HOST:PORT'),
} satisfies Table;

export type PlayerValues = Values<typeof PLAYER>;
