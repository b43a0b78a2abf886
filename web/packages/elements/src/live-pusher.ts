import type { Mirrored } from './attributes';
import { box } from './box';
import { contextOf, type Scope } from './context';
import { type Callbacks, Failed, LiveElement, mirror } from './element';
import { Overlay } from './overlay';
import { PictureInPicture } from './play/picture-in-picture';
import { PUSHER } from './push/attributes';
import { Fingers } from './push/fingers';
import { type Details, Pusher, partsOf } from './push/pusher';
import type { Settings } from './push/settings';
import type { PushStatus } from './push/status';
import type { Studio } from './push/studio';
import { pusherStyles } from './push/styles';
import { wordsOf } from './push/words';
import { keep, type Quality, type Snapshot } from './snapshot';

/**
 * `<live-pusher>`: pushes camera and microphone, the screen, or a stream of the page's. Attributes, events, codes and
 * methods are those of the mini-program's, and each attribute has a property of its name.
 *
 * @tagname live-pusher
 * @fires {CustomEvent<PushStateChange>} statechange - what happens, by code
 * @fires {CustomEvent<{info: PushStatus}>} netstatus - how it fares, about once a second
 * @fires {CustomEvent<PushError>} error - a device was denied, or something cannot be loaded: 10001 to 10004
 * @fires {CustomEvent<object>} bgmstart - background music plays
 * @fires {CustomEvent<MusicProgress>} bgmprogress - where it is
 * @fires {CustomEvent<object>} bgmcomplete - it has ended
 * @fires {CustomEvent<{volume: number}>} audiovolumenotify - loudness, 0 to 100
 * @fires {CustomEvent<object>} enterpictureinpicture - the preview has a window of its own
 * @fires {CustomEvent<object>} leavepictureinpicture - it has none any more
 * @slot - what lies over the preview
 * @csspart stage - where the preview appears
 * @csspart overlay - what `debug` shows
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: `mirror` below makes these properties
export class LivePusher extends LiveElement<typeof PUSHER> {
  static readonly observedAttributes: readonly string[] = Object.keys(PUSHER);

  readonly #stage = box(document, 'stage');
  readonly #canvas = document.createElement('canvas');
  readonly #window: PictureInPicture;
  readonly #fingers: Fingers;
  readonly #pusher: Pusher;
  #overlay: Overlay | null = null;
  #srcObject: MediaStream | null = null;
  /** Where it pushes to, or tries. */
  #pushing = '';
  #hasTorch = false;
  /** Attributes that changed in this task: what they say together counts. */
  readonly #changed = new Set<string>();
  #isIn = false;

  constructor() {
    super(PUSHER);
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [pusherStyles()];
    this.#stage.append(this.#canvas);
    root.append(this.#stage, document.createElement('slot'));
    this.#window = new PictureInPicture(root, this.#stage, (type) => this.emit(type, {}));
    this.#fingers = new Fingers(this, (zoom) => {
      this.#pusher.studio?.setZoom(zoom).catch(() => {});
    });
    this.#pusher = new Pusher(
      partsOf(this.#canvas),
      {
        state: (code, message, details) => this.#hear(code, message, details),
        status: (status) => this.#count(status),
        volume: (volume) => this.emit('audiovolumenotify', { volume }),
      },
      {},
    );
  }

  connectedCallback(): void {
    if (this.#isIn) return;
    this.#isIn = true;
    for (const name of LivePusher.observedAttributes) this.#note(name);
  }

  disconnectedCallback(): void {
    // Moved within one task it pushes on.
    queueMicrotask(() => {
      if (!this.isConnected) this.#release();
    });
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before !== now && this.#isIn) this.#note(name);
  }

  /** A stream of the page's, which is pushed instead of camera and microphone. Not one of the mini-program's. */
  get srcObject(): MediaStream | null {
    return this.#srcObject;
  }

  set srcObject(stream: MediaStream | null) {
    this.#srcObject = stream;
    this.#pusher.set(this.#settings());
  }

  /** It pushes, or is on its way to: it has not been stopped, and has not given up. */
  get pushing(): boolean {
    return this.#pusher.isPushing;
  }

  /** How it fares: what `netstatus` said last. */
  get status(): Readonly<PushStatus> {
    return this.#pusher.status;
  }

  /** Pushes to `url`, and opens the preview. What comes of it is told by `statechange`. */
  start(options: Callbacks = {}): Promise<object> {
    return this.answer('start', options, () => {
      if (!this.isConnected) throw new Failed('the element is in no document');
      if (!this.value('url')) throw new Failed('there is no url', NO_URL);
      this.#changed.delete('url');
      this.#start();
      return {};
    });
  }

  /** Ends the push and the preview, and lets go of the devices. */
  stop(options: Callbacks = {}): Promise<object> {
    return this.answer('stop', options, async () => {
      this.#changed.delete('url');
      await this.#stop();
      return {};
    });
  }

  /** Viewers see the waiting image, or black, and hear nothing. */
  pause(options: Callbacks = {}): Promise<object> {
    return this.answer('pause', options, () => {
      this.#mustPush();
      this.#pusher.pause();
      return {};
    });
  }

  resume(options: Callbacks = {}): Promise<object> {
    return this.answer('resume', options, () => {
      this.#mustPush();
      this.#pusher.resume();
      return {};
    });
  }

  /** From front to back, or the other way: `device-position` says which. */
  switchCamera(options: Callbacks = {}): Promise<object> {
    return this.answer('switchCamera', options, () => {
      this.devicePosition = this.devicePosition === 'front' ? 'back' : 'front';
      return {};
    });
  }

  /** A picture of what is pushed, or, of `view`, as the preview shows it. `raw` is PNG, `compressed` JPEG. */
  snapshot(
    options: Callbacks<Snapshot> & { quality?: Quality; sourceType?: 'stream' | 'view' } = {},
  ): Promise<Snapshot> {
    const { quality, sourceType = 'stream' } = options;
    return this.answer('snapshot', options, async () => {
      return keep(await this.#studio().snapshot(sourceType === 'view'), quality);
    });
  }

  toggleTorch(options: Callbacks = {}): Promise<object> {
    return this.answer('toggleTorch', options, async () => {
      await this.#studio().setTorch(!this.#hasTorch);
      this.#hasTorch = !this.#hasTorch;
      return {};
    });
  }

  /** Plays a file that viewers hear too, from and to these moments of it. */
  playBGM(options: Callbacks & { url: string; startTimeMs?: number; endTimeMs?: number }): Promise<object> {
    return this.answer('playBGM', options, async () => {
      const told = {
        start: () => this.emit('bgmstart', {}),
        progress: (progress: number, duration: number) =>
          this.emit<MusicProgress>('bgmprogress', { progress, duration }),
        complete: () => this.emit('bgmcomplete', {}),
      };
      const { booth } = this.#studio();
      if (!booth.isOpen) throw new Failed('nothing is pushed');
      try {
        await booth.playMusic(options.url, options, told);
      } catch (error) {
        const words = wordsOf(error);
        this.#hear(10003, `the music cannot be loaded: ${words}`, {});
        throw new Failed(words, 10003);
      }
      return {};
    });
  }

  stopBGM(options: Callbacks = {}): Promise<object> {
    return this.answer('stopBGM', options, () => {
      this.#studio().booth.stopMusic();
      return {};
    });
  }

  pauseBGM(options: Callbacks = {}): Promise<object> {
    return this.answer('pauseBGM', options, () => {
      this.#studio().booth.music?.pause();
      return {};
    });
  }

  resumeBGM(options: Callbacks = {}): Promise<object> {
    return this.answer('resumeBGM', options, async () => {
      await this.#studio().booth.music?.resume();
      return {};
    });
  }

  /** 0 to 1. */
  setBGMVolume(options: Callbacks & { volume: number }): Promise<object> {
    return this.answer('setBGMVolume', options, () => {
      this.#studio().booth.music?.setVolume(share(options.volume));
      return {};
    });
  }

  /** 0 to 1, of the microphone. */
  setMICVolume(options: Callbacks & { volume: number }): Promise<object> {
    return this.answer('setMICVolume', options, () => {
      this.#studio().booth.setVolume(share(options.volume));
      return {};
    });
  }

  /** Opens the devices and shows what would be pushed. */
  startPreview(options: Callbacks = {}): Promise<object> {
    return this.answer('startPreview', options, async () => {
      if (!this.isConnected) throw new Failed('the element is in no document');
      this.#pusher.set(this.#settings());
      await this.#pusher.startPreview();
      return {};
    });
  }

  stopPreview(options: Callbacks = {}): Promise<object> {
    return this.answer('stopPreview', options, async () => {
      await this.#pusher.stopPreview();
      return {};
    });
  }

  /** Puts a text into the next picture, as SEI: 2048 bytes at most. */
  sendMessage(options: Callbacks & { msg: string }): Promise<object> {
    return this.answer('sendMessage', options, () => {
      if (!this.#studio().sendMessage(String(options.msg))) throw new Failed('it is too long, or there are too many');
      return {};
    });
  }

  /** How far {@link setZoom} goes. */
  getMaxZoom(options: Callbacks<{ maxZoom: number }> = {}): Promise<{ maxZoom: number }> {
    return this.answer('getMaxZoom', options, () => ({ maxZoom: this.#studio().maxZoom }));
  }

  /** 1 is as it is. The camera magnifies where it can; else the middle of its picture is enlarged. */
  setZoom(options: Callbacks & { zoom: number }): Promise<object> {
    return this.answer('setZoom', options, async () => {
      if (!(options.zoom >= 1)) throw new Failed('zoom is 1 or more');
      await this.#studio().setZoom(options.zoom);
      return {};
    });
  }

  /** Gives the preview a window of its own. A browser lets it at a click only. Not one of the mini-program's. */
  requestPictureInPicture(options: Callbacks = {}): Promise<object> {
    return this.answer('requestPictureInPicture', options, () => this.#window.enter(this.#stage));
  }

  exitPictureInPicture(options: Callbacks = {}): Promise<object> {
    return this.answer('exitPictureInPicture', options, () => this.#window.leave());
  }

  #note(name: string): void {
    if (this.#changed.size === 0) queueMicrotask(() => this.#settle());
    this.#changed.add(name);
  }

  /** Does what all attributes that changed in this task say together. */
  #settle(): void {
    const changed = new Set(this.#changed);
    this.#changed.clear();
    if (!this.isConnected) return;
    this.warnOfUnable();
    this.#dress();
    this.#pusher.set(this.#settings());
    const [url, autopush] = [this.value('url'), this.value('autopush')];
    const isOn = this.#pusher.isPushing;
    if (changed.has('url') && isOn && url !== this.#pushing) void this.#stop().then(() => this.#startAgain(url));
    else if ((changed.has('url') || changed.has('autopush')) && autopush && url && !isOn) this.#startAgain(url);
  }

  #startAgain(url: string): void {
    if (!url || !this.isConnected || this.#pusher.isPushing) return;
    try {
      this.#start();
    } catch (error) {
      this.warn(`url=${url}`, wordsOf(error));
    }
  }

  #start(): void {
    const url = this.value('url');
    this.#pusher.set(this.#settings());
    this.#pusher.start(url);
    this.#pushing = url;
  }

  async #stop(): Promise<void> {
    this.#pushing = '';
    this.#hasTorch = false;
    await this.#pusher.stop();
  }

  /** Lets go of everything. */
  #release(): void {
    this.#isIn = false;
    this.#window.close();
    void this.#stop();
  }

  #mustPush(): void {
    if (!this.pushing) throw new Failed('nothing is pushed');
  }

  #studio(): Studio {
    const { studio } = this.#pusher;
    if (!studio) throw new Failed('nothing is pushed');
    return studio;
  }

  #settings(): Partial<Settings> {
    const given = <N extends keyof typeof PUSHER>(name: N) => (this.hasAttribute(name) ? this.value(name) : null);
    const hasEffect = this.value('custom-effect');
    return {
      mode: this.value('mode'),
      source: this.#srcObject ?? this.value('source'),
      camera: this.value('enable-camera'),
      mic: this.value('enable-mic'),
      muted: this.value('muted'),
      position: this.value('device-position'),
      gainControl: this.value('enable-agc'),
      noiseSuppression: this.value('enable-ans'),
      autoFocus: this.value('auto-focus'),
      quality: this.value('audio-quality'),
      minKbps: given('min-bitrate'),
      maxKbps: given('max-bitrate'),
      width: given('video-width'),
      height: given('video-height'),
      aspect: this.value('aspect'),
      orientation: this.value('orientation'),
      fps: this.value('fps'),
      beauty: Math.max(this.value('beauty'), hasEffect ? 9 * this.value('skin-smoothness') : 0),
      whiteness: Math.max(this.value('whiteness'), hasEffect ? 9 * this.value('skin-whiteness') : 0),
      style: this.value('beauty-style'),
      colours: this.value('filter'),
      localMirror: this.value('local-mirror'),
      remoteMirror: this.value('remote-mirror') || this.value('mirror'),
      reverb: Math.round(this.value('audio-reverb-type')),
      waitingImage: this.value('waiting-image'),
      backgroundMute: this.value('background-mute'),
      httpOrigin: this.value('http-origin'),
    };
  }

  #hear(code: number, message: string, details: Details): void {
    this.#overlay?.say(`${code} ${message}`);
    this.emit<PushStateChange>('statechange', { ...details, code, message });
    if (code >= 10001) this.emit<PushError>('error', { errCode: code, errMsg: message });
  }

  #count(status: PushStatus): void {
    this.#overlay?.count(status);
    this.emit('netstatus', { info: status });
  }

  #dress(): void {
    this.#fingers.set(this.value('zoom'));
    const isWanted = this.value('debug');
    if (isWanted === (this.#overlay !== null)) return;
    this.#overlay?.element.remove();
    this.#overlay = isWanted ? new Overlay(this.ownerDocument) : null;
    if (this.#overlay) this.#stage.append(this.#overlay.element);
  }
}

export interface LivePusher extends Mirrored<typeof PUSHER> {
  addEventListener<K extends keyof LivePusherEvents>(
    type: K,
    listener: (this: LivePusher, event: LivePusherEvents[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

mirror(LivePusher as unknown as typeof LiveElement<typeof PUSHER>, PUSHER);

/** `detail` of `statechange`: a code of the mini-program's, and what goes with it. */
export interface PushStateChange extends Details {
  code: number;
  message: string;
}

/** `detail` of `error`. */
export interface PushError {
  errCode: number;
  errMsg: string;
}

/** `detail` of `bgmprogress`, ms. */
export interface MusicProgress {
  progress: number;
  duration: number;
}

export interface LivePusherEvents {
  statechange: CustomEvent<PushStateChange>;
  netstatus: CustomEvent<{ info: PushStatus }>;
  error: CustomEvent<PushError>;
  bgmstart: CustomEvent<object>;
  bgmprogress: CustomEvent<MusicProgress>;
  bgmcomplete: CustomEvent<object>;
  audiovolumenotify: CustomEvent<{ volume: number }>;
  enterpictureinpicture: CustomEvent<object>;
  leavepictureinpicture: CustomEvent<object>;
}

/** The methods of the mini-program's `LivePusherContext`. */
export const PUSHER_METHODS = [
  'start',
  'stop',
  'pause',
  'resume',
  'switchCamera',
  'snapshot',
  'toggleTorch',
  'playBGM',
  'stopBGM',
  'pauseBGM',
  'resumeBGM',
  'setBGMVolume',
  'setMICVolume',
  'startPreview',
  'stopPreview',
  'sendMessage',
  'getMaxZoom',
  'setZoom',
  'exitPictureInPicture',
] as const;

/** What takes a model of the face, or a canvas of the mini-program's: there they are, and fail. */
export const UNABLE_METHODS = [
  'applyFilter',
  'applySticker',
  'applyBlusherStickMakeup',
  'applyEyeBrowMakeup',
  'applyEyeShadowMakeup',
  'applyFaceContourMakeup',
  'applyLipStickMakeup',
  'clearFilters',
  'clearStickers',
  'clearMakeups',
  'createOffscreenCanvas',
  'onCustomRendererEvent',
] as const;

export type LivePusherContext = Pick<LivePusher, (typeof PUSHER_METHODS)[number]> &
  Record<(typeof UNABLE_METHODS)[number], (options?: Callbacks) => Promise<object>>;

/** The methods of the `<live-pusher>` with this id, which is looked for in `scope` each time. */
export function createLivePusherContext(id: string | LivePusher, scope?: Scope): LivePusherContext {
  const able = contextOf<LivePusher, (typeof PUSHER_METHODS)[number]>('live-pusher', PUSHER_METHODS, id, scope);
  return { ...able, ...Object.fromEntries(UNABLE_METHODS.map((name) => [name, unable(name)])) } as LivePusherContext;
}

function unable(name: string) {
  return (options: Callbacks = {}): Promise<object> => {
    const errMsg = `${name}:fail not supported: a browser has nothing that does it`;
    options.fail?.({ errMsg });
    options.complete?.({ errMsg });
    const failed = Promise.reject(new Failed(errMsg));
    if (options.fail || options.complete) failed.catch(() => {});
    return failed;
  };
}

function share(volume: number): number {
  if (!(volume >= 0 && volume <= 1)) throw new Failed('volume is 0 to 1');
  return volume;
}

/** The SDK's code for an empty URL. */
const NO_URL = -1;
