// @vitest-environment happy-dom

import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { createLivePusherContext, LivePusher, PUSHER_METHODS, UNABLE_METHODS } from '../src/live-pusher';
import { PUSHER } from '../src/push/attributes';
import type { Details } from '../src/push/pusher';
import { DEFAULTS, type Settings } from '../src/push/settings';
import { NO_STATUS, type PushStatus } from '../src/push/status';

/** What would push: it notes what it is told, and lets a test speak in its place. */
const pushers: FakePusher[] = [];

interface MusicEvents {
  start(): void;
  progress(progress: number, duration: number): void;
  complete(): void;
}

class FakePusher {
  readonly told: string[] = [];
  settings: Partial<Settings> = {};
  isPushing = false;
  status = NO_STATUS;
  studio: ReturnType<FakePusher['studioOf']> | null = null;
  music: MusicEvents | null = null;
  musicFails = false;

  constructor(
    _parts: unknown,
    readonly listener: {
      state(code: number, message: string, details: Details): void;
      status(status: PushStatus): void;
      volume(volume: number): void;
    },
  ) {
    pushers.push(this);
  }

  set(settings: Partial<Settings>): void {
    this.settings = settings;
  }
  start(url: string): void {
    if (!url.startsWith('rtmp://')) throw new Error('the url is not rtmp://HOST/APP/STREAM');
    if (this.isPushing) throw new Error('it pushes already');
    this.told.push(`start ${url}`);
    this.isPushing = true;
    this.studio = this.studioOf();
  }
  async stop(): Promise<void> {
    this.told.push('stop');
    this.isPushing = false;
    this.studio = null;
  }
  pause = () => void this.told.push('pause');
  resume = () => void this.told.push('resume');
  async startPreview(): Promise<void> {
    this.told.push('startPreview');
    this.studio ??= this.studioOf();
  }
  async stopPreview(): Promise<void> {
    this.told.push('stopPreview');
  }

  studioOf() {
    const note = (words: string) => void this.told.push(words);
    return {
      maxZoom: 4,
      setZoom: async (zoom: number) => note(`zoom ${zoom}`),
      setTorch: async (on: boolean) => note(`torch ${on}`),
      sendMessage: (text: string) => {
        note(`message ${text}`);
        return text.length < 10;
      },
      snapshot: async (ofPreview: boolean) => {
        note(`snapshot ${ofPreview ? 'view' : 'stream'}`);
        throw new Error('there is no picture');
      },
      booth: {
        isOpen: this.isPushing,
        playMusic: async (url: string, { startTimeMs, endTimeMs }: Record<string, unknown>, events: MusicEvents) => {
          note(`music ${url} ${startTimeMs} ${endTimeMs}`);
          if (this.musicFails) throw new Error('404');
          this.music = events;
        },
        stopMusic: () => note('music stop'),
        setVolume: (volume: number) => note(`mic ${volume}`),
        music: {
          pause: () => note('music pause'),
          resume: async () => note('music resume'),
          setVolume: (volume: number) => note(`music ${volume}`),
        },
      },
    };
  }
}

vi.mock('../src/push/pusher', () => ({
  partsOf: () => ({}),
  Pusher: vi.fn(function (this: unknown, ...args: ConstructorParameters<typeof FakePusher>) {
    return new FakePusher(...args);
  }),
}));

customElements.define('live-pusher', LivePusher);

/** An element in the page, with these attributes, once it has read them; and what pushes for it. */
async function place(attributes: Record<string, string> = {}) {
  const element = document.createElement('live-pusher') as LivePusher;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  document.body.append(element);
  await turn();
  return { element, pusher: pushers.at(-1) as FakePusher };
}

/** One turn of the page's: what was put off within a task is done. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

const A = 'rtmp://host/live/a?txSecret=1&txTime=2';
const B = 'rtmp://host/live/b?txSecret=3&txTime=4';
let warn: MockInstance<typeof console.warn>;

beforeEach(() => {
  pushers.length = 0;
  warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(async () => {
  document.body.replaceChildren();
  await turn();
  vi.restoreAllMocks();
});

/** Each attribute that says how it is pushed: what it says, and what that comes to. */
const SAYS: [attributes: Record<string, string>, settings: Partial<Settings>][] = [
  [{ mode: 'FHD' }, { mode: 'FHD' }],
  [{ muted: '' }, { muted: true }],
  [{ 'enable-camera': 'false' }, { camera: false }],
  [{ 'enable-mic': 'false' }, { mic: false }],
  [{ 'auto-focus': 'false' }, { autoFocus: false }],
  [{ orientation: 'horizontal' }, { orientation: 'horizontal' }],
  [{ beauty: '4' }, { beauty: 4 }],
  [{ whiteness: '2.5' }, { whiteness: 2.5 }],
  [{ 'beauty-style': 'nature' }, { style: 'nature' }],
  [{ filter: 'blues' }, { colours: 'blues' }],
  [{ aspect: '3:4' }, { aspect: '3:4' }],
  [{ 'min-bitrate': '300' }, { minKbps: 300 }],
  [{ 'max-bitrate': '2000' }, { maxKbps: 2000 }],
  [{ 'video-width': '720' }, { width: 720 }],
  [{ 'video-height': '1280' }, { height: 1280 }],
  [{ fps: '30' }, { fps: 30 }],
  [{ 'audio-quality': 'low' }, { quality: 'low' }],
  [{ 'audio-reverb-type': '3' }, { reverb: 3 }],
  [{ 'enable-agc': '' }, { gainControl: true }],
  [{ 'enable-ans': '' }, { noiseSuppression: true }],
  [{ 'device-position': 'back' }, { position: 'back' }],
  [{ 'local-mirror': 'disable' }, { localMirror: 'disable' }],
  [{ 'remote-mirror': '' }, { remoteMirror: true }],
  [{ mirror: '' }, { remoteMirror: true }],
  [{ 'waiting-image': '/wait.png' }, { waitingImage: '/wait.png' }],
  [{ 'background-mute': '' }, { backgroundMute: true }],
  [{ 'custom-effect': '', 'skin-whiteness': '1' }, { whiteness: 9 }],
  [{ 'custom-effect': '', 'skin-smoothness': '0.5' }, { beauty: 4.5 }],
  [{ source: 'screen' }, { source: 'screen' }],
  [{ 'http-origin': 'https://host:8443' }, { httpOrigin: 'https://host:8443' }],
];
/** What the element itself does, or makes no difference by itself. */
const NOT_SETTINGS = ['url', 'autopush', 'zoom', 'debug'];

describe('its attributes', () => {
  it.each(SAYS)('%o is %o', async (attributes, settings) => {
    const { pusher } = await place(attributes);
    const { retries: _, retryInterval: __, ...defaults } = DEFAULTS;
    expect(pusher.settings).toEqual({ ...defaults, ...settings });
    expect(warn).not.toHaveBeenCalled();
  });

  it('are all in that table, but for those that a browser cannot honour, which are warned of once', async () => {
    const unable = Object.entries(PUSHER).filter(([, attribute]) => 'unable' in attribute);
    const named = SAYS.flatMap(([attributes]) => Object.keys(attributes));
    const all = [...named, ...NOT_SETTINGS, ...unable.map(([name]) => name)];
    expect([...new Set(all)].sort()).toEqual(Object.keys(PUSHER).sort());
    const given = unable.map(([name, { type, words }]: [string, { type: string; words?: readonly string[] }]) => {
      return [name, words?.at(-1) ?? (type === 'number' ? '1' : 'true')];
    });
    const { element } = await place(Object.fromEntries(given));
    element.muted = true;
    await turn();
    expect(warn.mock.calls.map(([said]) => /<live-pusher> (\S+) has no effect here: /.exec(said)?.[1])).toEqual(
      unable.map(([name]) => name),
    );
  });

  it('of custom-effect count with it alone', async () => {
    const { pusher } = await place({ 'skin-whiteness': '1', 'skin-smoothness': '1', beauty: '2' });
    expect(pusher.settings).toMatchObject({ beauty: 2, whiteness: 0 });
  });

  it('count at once, those of one task together', async () => {
    const { element, pusher } = await place();
    const set = vi.spyOn(pusher, 'set');
    element.beauty = 3;
    element.setAttribute('filter', 'pink');
    element.removeAttribute('mode');
    await turn();
    expect(set).toHaveBeenCalledTimes(1);
    expect(pusher.settings).toMatchObject({ beauty: 3, colours: 'pink', mode: 'RTC' });
  });

  it('keep their defaults when they are bad, and say so once', async () => {
    const { element, pusher } = await place({ mode: 'rtc', fps: '60', 'min-bitrate': 'much' });
    expect(pusher.settings).toMatchObject({ mode: 'RTC', fps: 15 });
    element.muted = true;
    await turn();
    expect(warn.mock.calls.map(([said]) => said).sort()).toEqual([
      '<live-pusher> fps="60" is not a number from 1 to 30; it stays 15',
      '<live-pusher> min-bitrate="much" is not a number from 50 to 20000; it stays 200',
      '<live-pusher> mode="rtc" is not RTC, SD, HD, FHD; it stays RTC',
    ]);
  });

  it('are properties too, and srcObject is one without an attribute', async () => {
    const { element, pusher } = await place({ source: 'screen' });
    element.devicePosition = 'back';
    element.enableMic = false;
    await turn();
    expect(element.getAttribute('device-position')).toBe('back');
    expect(pusher.settings).toMatchObject({ position: 'back', mic: false, source: 'screen' });
    const stream = {} as MediaStream;
    element.srcObject = stream;
    expect([element.srcObject, pusher.settings.source]).toEqual([stream, stream]);
    element.srcObject = null;
    expect(pusher.settings.source).toBe('screen');
  });

  it('zoom lets the wheel and two fingers magnify', async () => {
    const { element, pusher } = await place({ url: A, autopush: '', zoom: '' });
    const wheel = () => element.dispatchEvent(new WheelEvent('wheel', { deltaY: -500 * Math.LN2, cancelable: true }));
    wheel();
    wheel();
    const zooms = () => pusher.told.filter((words) => words.startsWith('zoom')).map((words) => Number(words.slice(5)));
    expect(zooms().map((zoom) => Math.round(zoom * 1000) / 1000)).toEqual([2, 4]);
    const at = (type: string, pointerId: number, clientX: number) =>
      element.dispatchEvent(Object.assign(new Event(type), { pointerId, x: clientX, y: 0 }));
    at('pointerdown', 1, 0);
    at('pointermove', 1, 10);
    expect(zooms()).toHaveLength(2);
    at('pointerdown', 2, 110);
    at('pointermove', 2, 60);
    expect(Math.round(zooms().at(-1)! * 1000) / 1000).toBe(2);
    element.zoom = false;
    await turn();
    wheel();
    expect(zooms()).toHaveLength(3);
  });

  it('debug shows codes and figures as text, whatever they say', async () => {
    const { element, pusher } = await place({ debug: '' });
    const hostile = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
    pusher.listener.state(3004, hostile, { reason: hostile });
    pusher.listener.status({ ...NO_STATUS, videoFPS: 15 });
    const overlay = element.shadowRoot?.querySelector('[part=overlay]');
    expect(overlay?.querySelectorAll('img, script')).toHaveLength(0);
    expect(overlay?.textContent).toContain(hostile);
    expect(overlay?.textContent).toContain('videoFPS 15');
    element.debug = false;
    await turn();
    expect(element.shadowRoot?.querySelector('[part=overlay]')).toBeNull();
  });
});

describe('pushing', () => {
  it('begins by itself with autopush, whichever attribute comes first', async () => {
    const { pusher } = await place({ autopush: '', url: A });
    expect(pusher.told).toEqual([`start ${A}`]);
    const { element, pusher: late } = await place({ url: B });
    expect(element.pushing).toBe(false);
    element.autopush = true;
    await turn();
    expect([late.told, element.pushing]).toEqual([[`start ${B}`], true]);
  });

  it('goes over to another url, and ends with none', async () => {
    const { element, pusher } = await place({ url: A });
    await element.start();
    element.url = B;
    await turn();
    expect(pusher.told).toEqual([`start ${A}`, 'stop', `start ${B}`]);
    element.removeAttribute('url');
    await turn();
    expect([pusher.told.at(-1), element.pushing]).toEqual(['stop', false]);
  });

  it('once, when url is set and start is called in one task', async () => {
    const { element, pusher } = await place();
    element.url = A;
    await element.start();
    await turn();
    expect(pusher.told).toEqual([`start ${A}`]);
  });

  it('does not begin at what is no address, and says so', async () => {
    const { element, pusher } = await place({ url: 'https://host/live/a.flv', autopush: '' });
    expect([pusher.told, element.pushing]).toEqual([[], false]);
    expect(warn).toHaveBeenCalledExactlyOnceWith('<live-pusher> the url is not rtmp://HOST/APP/STREAM');
    const fail = vi.fn();
    await expect(element.start({ fail })).rejects.toThrow('rtmp://');
    expect(fail).toHaveBeenCalledWith({ errMsg: 'start:fail the url is not rtmp://HOST/APP/STREAM' });
  });

  it('goes on while the element moves within a task, and ends when it has left', async () => {
    const { element, pusher } = await place({ url: A, autopush: '' });
    const other = document.createElement('section');
    document.body.append(other);
    other.append(element);
    await turn();
    expect(pusher.told).toEqual([`start ${A}`]);
    element.remove();
    await turn();
    expect(pusher.told).toEqual([`start ${A}`, 'stop']);
    await expect(element.start()).rejects.toThrow('no document');
    await expect(element.startPreview()).rejects.toThrow('no document');
    document.body.append(element);
    await turn();
    expect(pusher.told).toEqual([`start ${A}`, 'stop', `start ${A}`]);
  });
});

describe('events', () => {
  it('have the detail that a mini-program finds, and errors are said twice', async () => {
    const { element, pusher } = await place({ url: A, autopush: '' });
    const heard: unknown[] = [];
    for (const type of ['statechange', 'netstatus', 'error', 'audiovolumenotify'] as const)
      element.addEventListener(type, (event) => heard.push([type, event.detail]));
    const { listener } = pusher;
    listener.state(1005, 'the picture is 360x640', { width: 360, height: 640 });
    listener.status({ ...NO_STATUS, videoFPS: 15 });
    listener.volume(40);
    listener.state(10001, 'the camera is denied', {});
    listener.state(-1301, 'the camera cannot be opened', {});
    expect(heard).toEqual([
      ['statechange', { code: 1005, message: 'the picture is 360x640', width: 360, height: 640 }],
      ['netstatus', { info: { ...NO_STATUS, videoFPS: 15 } }],
      ['audiovolumenotify', { volume: 40 }],
      ['statechange', { code: 10001, message: 'the camera is denied' }],
      ['error', { errCode: 10001, errMsg: 'the camera is denied' }],
      ['statechange', { code: -1301, message: 'the camera cannot be opened' }],
    ]);
  });

  it('tell of music: where it begins, where it is, that it has ended', async () => {
    const { element, pusher } = await place({ url: A, autopush: '' });
    const heard: unknown[] = [];
    for (const type of ['bgmstart', 'bgmprogress', 'bgmcomplete'] as const)
      element.addEventListener(type, (event) => heard.push([type, event.detail]));
    await element.playBGM({ url: '/song.mp3', startTimeMs: 1000 });
    pusher.music?.start();
    pusher.music?.progress(1500, 20_000);
    pusher.music?.complete();
    expect(heard).toEqual([
      ['bgmstart', {}],
      ['bgmprogress', { progress: 1500, duration: 20_000 }],
      ['bgmcomplete', {}],
    ]);
  });
});

/** Each method of the context: what it is given, and what then happens. */
const CALLS: [name: (typeof PUSHER_METHODS)[number], options: object, told: string[]][] = [
  ['start', {}, [`start ${A}`]],
  ['stop', {}, ['stop']],
  ['pause', {}, ['pause']],
  ['resume', {}, ['resume']],
  ['toggleTorch', {}, ['torch true']],
  ['playBGM', { url: '/song.mp3', startTimeMs: 1, endTimeMs: 2 }, ['music /song.mp3 1 2']],
  ['stopBGM', {}, ['music stop']],
  ['pauseBGM', {}, ['music pause']],
  ['resumeBGM', {}, ['music resume']],
  ['setBGMVolume', { volume: 0.5 }, ['music 0.5']],
  ['setMICVolume', { volume: 0 }, ['mic 0']],
  ['startPreview', {}, ['startPreview']],
  ['stopPreview', {}, ['stopPreview']],
  ['sendMessage', { msg: 'hello' }, ['message hello']],
  ['getMaxZoom', {}, []],
  ['setZoom', { zoom: 2 }, ['zoom 2']],
  ['switchCamera', {}, []],
  ['exitPictureInPicture', {}, []],
];

/** What fails, of what it is given while it pushes. */
const FAILS: [name: (typeof PUSHER_METHODS)[number], options: object, errMsg: string][] = [
  ['start', {}, 'start:fail it pushes already'],
  ['setBGMVolume', { volume: 2 }, 'setBGMVolume:fail volume is 0 to 1'],
  ['setMICVolume', { volume: -1 }, 'setMICVolume:fail volume is 0 to 1'],
  ['setZoom', { zoom: 0.5 }, 'setZoom:fail zoom is 1 or more'],
  ['sendMessage', { msg: 'far too long' }, 'sendMessage:fail it is too long, or there are too many'],
  ['snapshot', { sourceType: 'view' }, 'snapshot:fail there is no picture'],
];

type Method = (options: object) => Promise<object>;
const call = (on: object, name: string, options: object) => (on as Record<string, Method>)[name]!(options);

describe('methods', () => {
  it.each(CALLS)('%s does what it says', async (name, options, told) => {
    const { element, pusher } = await place({ url: A });
    if (name !== 'start') await element.start();
    pusher.told.length = 0;
    const [success, fail, complete] = [vi.fn(), vi.fn(), vi.fn()];
    await call(element, name, { ...options, success, fail, complete });
    expect(pusher.told).toEqual(told);
    expect(success).toHaveBeenCalledWith(expect.objectContaining({ errMsg: `${name}:ok` }));
    expect(complete).toHaveBeenCalledOnce();
    expect(fail).not.toHaveBeenCalled();
  });

  it.each(FAILS)('%s of %o fails, and says why', async (name, options, errMsg) => {
    const { element } = await place({ url: A, autopush: '' });
    const [success, fail, complete] = [vi.fn(), vi.fn(), vi.fn()];
    await expect(call(element, name, { ...options, success, fail, complete })).rejects.toThrow();
    expect(fail).toHaveBeenCalledWith({ errMsg });
    expect(complete).toHaveBeenCalledWith({ errMsg });
    expect(success).not.toHaveBeenCalled();
  });

  it('are all tried here', () => {
    expect([...new Set([...CALLS, ...FAILS].map(([name]) => name))].sort()).toEqual([...PUSHER_METHODS].sort());
  });

  it.each(PUSHER_METHODS.filter((name) => !/^(start|stop|startPreview|stopPreview|switchCamera|exit\w+)$/.test(name)))(
    '%s fails where nothing is pushed, without a code of its own',
    async (name) => {
      const { element, pusher } = await place({ url: A });
      const fail = vi.fn();
      const options = { url: '/song.mp3', msg: 'hello', volume: 1, zoom: 2, fail };
      await expect(call(element, name, options)).rejects.toThrow('nothing is pushed');
      expect(fail).toHaveBeenCalledWith({ errMsg: `${name}:fail nothing is pushed` });
      expect(pusher.told).toEqual([]);
    },
  );

  it('start without a url says so, with a code', async () => {
    const { element } = await place();
    const fail = vi.fn();
    await expect(element.start({ fail })).rejects.toThrow('there is no url');
    expect(fail).toHaveBeenCalledWith({ errMsg: 'start:fail there is no url', errCode: -1 });
  });

  it('playBGM of what cannot be loaded is 10003, and an error; before a push it is neither', async () => {
    const { element, pusher } = await place({ url: A });
    const heard: unknown[] = [];
    element.addEventListener('statechange', ({ detail }) => heard.push(detail.code));
    element.addEventListener('error', ({ detail }) => heard.push(detail));
    const fail = vi.fn();
    await expect(element.playBGM({ url: '/song.mp3', fail })).rejects.toThrow('nothing is pushed');
    await element.startPreview();
    await expect(element.playBGM({ url: '/song.mp3', fail })).rejects.toThrow('nothing is pushed');
    expect(heard).toEqual([]);
    await element.start();
    pusher.musicFails = true;
    await expect(element.playBGM({ url: '/song.mp3', fail })).rejects.toThrow('404');
    expect(heard).toEqual([10003, { errCode: 10003, errMsg: 'the music cannot be loaded: 404' }]);
    expect(fail).toHaveBeenLastCalledWith({ errMsg: 'playBGM:fail 404', errCode: 10003 });
  });

  it('toggleTorch turns it off again, and a stop forgets it', async () => {
    const { element, pusher } = await place({ url: A, autopush: '' });
    await element.toggleTorch();
    await element.toggleTorch();
    await element.toggleTorch();
    await element.stop();
    await element.start();
    await element.toggleTorch();
    expect(pusher.told.filter((words) => words.startsWith('torch'))).toEqual([
      'torch true',
      'torch false',
      'torch true',
      'torch true',
    ]);
  });

  it('switchCamera goes to the back, and to the front again', async () => {
    const { element, pusher } = await place();
    await element.switchCamera();
    await turn();
    expect([element.getAttribute('device-position'), pusher.settings.position]).toEqual(['back', 'back']);
    await element.switchCamera();
    await turn();
    expect(pusher.settings.position).toBe('front');
  });

  it('snapshot is of the stream, unless it is to be of the view', async () => {
    const { element, pusher } = await place({ url: A, autopush: '' });
    await element.snapshot().catch(() => {});
    await element.snapshot({ sourceType: 'view', quality: 'compressed' }).catch(() => {});
    expect(pusher.told.slice(1)).toEqual(['snapshot stream', 'snapshot view']);
  });

  it('getMaxZoom answers how far it goes', async () => {
    const { element } = await place({ url: A, autopush: '' });
    await expect(element.getMaxZoom()).resolves.toEqual({ maxZoom: 4, errMsg: 'getMaxZoom:ok' });
  });

  it('requestPictureInPicture fails where a browser has none', async () => {
    const { element } = await place({ url: A, autopush: '' });
    await expect(element.requestPictureInPicture()).rejects.toThrow('not supported');
  });
});

describe('its context', () => {
  it('has the methods of the element, which it looks for each time', async () => {
    const context = createLivePusherContext('it');
    const fail = vi.fn();
    await expect(context.start({ fail })).rejects.toThrow('there is no <live-pusher> with the id it');
    expect(fail).toHaveBeenCalledOnce();
    const { pusher } = await place({ id: 'it', url: A });
    await context.start();
    await context.setMICVolume({ volume: 0.5 });
    expect(pusher.told).toEqual([`start ${A}`, 'mic 0.5']);
    expect(Object.keys(context).sort()).toEqual([...PUSHER_METHODS, ...UNABLE_METHODS].sort());
  });

  it.each(UNABLE_METHODS)('%s is there, and fails', async (name) => {
    const context = createLivePusherContext('it');
    const [fail, complete] = [vi.fn(), vi.fn()];
    await expect(context[name]({ fail, complete })).rejects.toThrow('not supported');
    const errMsg = `${name}:fail not supported: a browser has nothing that does it`;
    expect(fail).toHaveBeenCalledWith({ errMsg });
    expect(complete).toHaveBeenCalledWith({ errMsg });
  });
});
