/** The attributes of `<live-pusher>`, those of the mini-program's. */

import { flag, number, type Table, text, type Values, word } from '../attributes';

export const PUSHER = {
  url: text('where to push: rtmp://HOST[:PORT]/APP/STREAM?SIGNATURE'),
  mode: word(
    ['RTC', 'SD', 'HD', 'FHD'],
    'RTC: delay and voice first; SD, HD, FHD: live, a clear and even picture first',
  ),
  autopush: flag(false, 'starts by itself'),
  muted: flag(false, 'pushes silence'),
  'enable-camera': flag(true, 'pushes pictures; without them sound alone'),
  'enable-mic': flag(true, 'uses the microphone'),
  'auto-focus': flag(true, 'the camera focuses by itself, where it can be told'),
  orientation: word(['vertical', 'horizontal'], 'horizontal swaps width and height'),
  beauty: number(0, [0, 9], 'smooths skin; 0 is off'),
  whiteness: number(0, [0, 9], 'brightens skin; 0 is off'),
  'beauty-style': word(['smooth', 'nature'], 'how beauty smooths: all but edges, or keeping texture'),
  filter: word(
    [
      'standard',
      'pink',
      'nostalgia',
      'blues',
      'romantic',
      'cool',
      'fresher',
      'solor',
      'aestheticism',
      'whitening',
      'cerisered',
    ],
    'colours of the whole picture',
  ),
  aspect: word(['9:16', '3:4'], 'of the picture, where video-height is not given'),
  'min-bitrate': number(200, [50, 20_000], 'kbit/s; where neither is given, by mode'),
  'max-bitrate': number(1000, [50, 20_000], 'kbit/s; where neither is given, by mode'),
  'video-width': number(360, [16, 4096], 'pixels; where neither is given, by mode'),
  'video-height': number(640, [16, 4096], 'pixels; where neither is given, by mode'),
  fps: number(15, [1, 30], 'pictures a second'),
  'audio-quality': word(['high', 'low'], 'high is 48 kHz, low 16 kHz'),
  'audio-volume-type': word(['auto', 'media', 'voicecall'], 'which volume of the phone counts', {
    unable: 'the system decides which volume counts',
  }),
  'audio-reverb-type': number(0, [0, 7], '0 off, 1 KTV, 2 small room, 3 hall, 4 deep, 5 loud, 6 metallic, 7 magnetic'),
  'voice-changer-type': number(0, [0, 11], 'changes the voice', { unable: 'there is no voice changer here' }),
  'enable-agc': flag(false, "the microphone's gain control"),
  'enable-ans': flag(false, 'noise suppression'),
  'device-position': word(['front', 'back'], 'which camera'),
  'local-mirror': word(['auto', 'enable', 'disable'], 'mirrors the preview; auto: of the front camera'),
  'remote-mirror': flag(false, 'mirrors what viewers see'),
  mirror: flag(false, 'the old name of remote-mirror'),
  zoom: flag(false, 'two fingers, or the wheel, magnify'),
  'waiting-image': text('a picture that is pushed while the page is in the background or the push pauses'),
  'waiting-image-hash': text("the picture's MD5", { unable: 'the picture is fetched anew, and not compared' }),
  'background-mute': flag(false, 'pushes silence while the page is in the background'),
  'picture-in-picture-mode': text('push, pop: when the preview leaves the page', {
    unable: 'a browser opens one at a click only: call requestPictureInPicture()',
  }),
  'custom-effect': flag(false, 'lets skin-whiteness and skin-smoothness count'),
  'skin-whiteness': number(0, [0, 1], 'as whiteness, with custom-effect'),
  'skin-smoothness': number(0, [0, 1], 'as beauty, with custom-effect'),
  'face-thinness': number(0, [0, 1], 'thins faces', { unable: 'faces are not looked for' }),
  'eye-bigness': number(0, [0, 1], 'widens eyes', { unable: 'faces are not looked for' }),
  'enable-video-custom-render': flag(false, 'the app processes pictures', {
    unable: 'set srcObject to a stream of your own',
  }),
  source: word(['camera', 'screen'], 'camera and microphone, or the screen; srcObject takes any other stream'),
  debug: flag(false, 'shows events and figures over the preview'),
  'http-origin': text('of the server, where it is not what the url says: https://HOST:PORT'),
} satisfies Table;

export type PusherValues = Values<typeof PUSHER>;
