import { type Details, type NetStatus, NO_STATUS, Player, type PlayerOptions, State } from '@thalweg/player';
import type { Mirrored } from './attributes';
import { box } from './box';
import { contextOf, type Scope } from './context';
import { type Callbacks, Failed, LiveElement, mirror } from './element';
import { Overlay } from './overlay';
import { PLAYER } from './play/attributes';
import { type Direction, FullScreen } from './play/full-screen';
import { PictureInPicture } from './play/picture-in-picture';
import { STYLES } from './play/styles';
import { keep, type Quality, type Snapshot } from './snapshot';

/**
 * `<live-player>`: plays a live stream. Attributes, events, codes and methods are those of the mini-program's, and each
 * attribute has a property of its name.
 *
 * @tagname live-player
 * @fires {CustomEvent<StateChange>} statechange - what happens, by code
 * @fires {CustomEvent<{info: NetStatus}>} netstatus - how it fares, about once a second
 * @fires {CustomEvent<FullScreenChange>} fullscreenchange - it fills the screen, or no longer
 * @fires {CustomEvent<{volume: number}>} audiovolumenotify - loudness, 0 to 100
 * @fires {CustomEvent<object>} enterpictureinpicture - the picture has a window of its own
 * @fires {CustomEvent<object>} leavepictureinpicture - it has none any more
 * @csspart frame - what fills the screen
 * @csspart stage - where pictures appear
 * @csspart overlay - what `debug` shows
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: `mirror` below makes these properties
export class LivePlayer extends LiveElement<typeof PLAYER> {
  static readonly observedAttributes: readonly string[] = Object.keys(PLAYER);

  readonly #frame = box(document, 'frame');
  readonly #stage = box(document, 'stage');
  readonly #internals: ElementInternals | undefined;
  readonly #fullScreen: FullScreen;
  readonly #window: PictureInPicture;
  /** There while `debug` is. */
  #overlay: Overlay | null = null;
  /** There from the first play on until the element leaves its document. */
  #player: Player | null = null;
  /** What is played, or is being looked for; empty after the end and a stop. */
  #playing = '';
  #status: Readonly<NetStatus> = NO_STATUS;
  /** Attributes that changed in this task: what they say together counts. */
  readonly #changed = new Set<string>();
  /** Ends what listens outside of the element, while it is in a document. */
  #outside: AbortController | null = null;
  #mayPlayInBackground = false;
  /** By whoever asked for it; leaving the page is no pause of theirs. */
  #isPaused = false;
  #pausedByLeaving = false;

  constructor() {
    super(PLAYER);
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [styles()];
    this.#frame.append(this.#stage);
    root.append(this.#frame);
    this.#internals = this.attachInternals?.();
    if (this.#internals) this.#internals.role = 'img';
    this.#become('stopped');
    this.#fullScreen = new FullScreen(
      root,
      this.#frame,
      // It goes as far as the browser's own would have gone.
      (detail) => this.dispatchEvent(new CustomEvent('fullscreenchange', { detail, bubbles: true, composed: true })),
      () => this.#turn(),
    );
    this.#window = new PictureInPicture(root, this.#frame, (type) => this.emit(type, {}));
  }

  connectedCallback(): void {
    // It was moved within one task, and plays on.
    if (this.#outside) return;
    this.#outside = new AbortController();
    const { signal } = this.#outside;
    const { ownerDocument: page } = this;
    const window = page.defaultView;
    page.addEventListener('visibilitychange', () => this.#player?.set(this.#options()), { signal });
    window?.addEventListener('pagehide', () => this.#leavePage(), { signal });
    window?.addEventListener('pageshow', () => this.#comeBack(), { signal });
    window?.screen?.orientation?.addEventListener?.('change', () => this.#rotate(), { signal });
    for (const name of LivePlayer.observedAttributes) this.#note(name);
  }

  disconnectedCallback(): void {
    queueMicrotask(() => {
      if (!this.isConnected) this.#release();
    });
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before !== now && this.#outside) this.#note(name);
  }

  /** It plays, or is on its way to: it has not been stopped, has not ended and not given up. */
  get playing(): boolean {
    return this.#playing !== '';
  }

  /** How it fares: what `netstatus` said last. */
  get status(): Readonly<NetStatus> {
    return this.#status;
  }

  /** Plays `src` from now on, from the live edge. */
  play(options: Callbacks = {}): Promise<object> {
    return this.answer('play', options, () => {
      if (!this.isConnected) throw new Failed('the element is in no document');
      if (!this.value('src')) throw new Failed('there is no src', NO_URL);
      this.#play();
      return {};
    });
  }

  stop(options: Callbacks = {}): Promise<object> {
    return this.answer('stop', options, () => {
      this.#changed.delete('src');
      this.#stop();
      return {};
    });
  }

  /** Turns the sound off, or on again: `muted` says which. */
  mute(options: Callbacks = {}): Promise<object> {
    return this.answer('mute', options, () => {
      this.muted = !this.muted;
      return {};
    });
  }

  /** Keeps the last picture. */
  pause(options: Callbacks = {}): Promise<object> {
    return this.answer('pause', options, () => {
      this.#running().pause();
      this.#isPaused = true;
      this.#become('paused');
      return {};
    });
  }

  /** Goes on, at the live edge. */
  resume(options: Callbacks = {}): Promise<object> {
    return this.answer('resume', options, () => {
      this.#running().resume();
      this.#isPaused = false;
      this.#become('playing');
      return {};
    });
  }

  /** A picture of what is on the screen. `raw` is PNG, `compressed` JPEG. */
  snapshot(options: Callbacks<Snapshot> & { quality?: Quality } = {}): Promise<Snapshot> {
    return this.answer('snapshot', options, async () => keep(await this.#running().snapshot(), options.quality));
  }

  /**
   * Fills the screen: 0 as it stands, 90 and -90 turned. A browser lets it at a click only.
   */
  requestFullScreen(options: Callbacks & { direction?: Direction } = {}): Promise<object> {
    return this.answer('requestFullScreen', options, () => this.#fullScreen.enter(options.direction ?? 0));
  }

  exitFullScreen(options: Callbacks = {}): Promise<object> {
    return this.answer('exitFullScreen', options, () => this.#fullScreen.leave());
  }

  /** Gives the picture a window of its own. A browser lets it at a click only. Not one of the mini-program's. */
  requestPictureInPicture(options: Callbacks = {}): Promise<object> {
    return this.answer('requestPictureInPicture', options, () => this.#window.enter(this.#stage));
  }

  exitPictureInPicture(options: Callbacks = {}): Promise<object> {
    return this.answer('exitPictureInPicture', options, () => this.#window.leave());
  }

  /** Lets it be heard while the page is in the background. */
  requestBackgroundPlayback(options: Callbacks = {}): Promise<object> {
    return this.answer('requestBackgroundPlayback', options, () => this.#letPlayInBackground(true));
  }

  exitBackgroundPlayback(options: Callbacks = {}): Promise<object> {
    return this.answer('exitBackgroundPlayback', options, () => this.#letPlayInBackground(false));
  }

  startCasting(options: Callbacks = {}): Promise<object> {
    return this.answer('startCasting', options, noCasting);
  }

  switchCasting(options: Callbacks = {}): Promise<object> {
    return this.answer('switchCasting', options, noCasting);
  }

  reconnectCasting(options: Callbacks = {}): Promise<object> {
    return this.answer('reconnectCasting', options, noCasting);
  }

  exitCasting(options: Callbacks = {}): Promise<object> {
    return this.answer('exitCasting', options, noCasting);
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
    this.#player?.set(this.#options());
    const [src, autoplay] = [this.value('src'), this.value('autoplay')];
    const isOn = this.#playing !== '';
    if (changed.has('src') && !src) this.#stop();
    else if (changed.has('src') && src !== this.#playing && (isOn || autoplay)) this.#play();
    else if (changed.has('autoplay') && autoplay && src && !this.#player) this.#play();
  }

  #play(): void {
    const options = this.#options();
    this.#player ??= new Player(
      this.#stage,
      {
        state: (code, message, details) => this.#hear(code, message, details),
        status: (status) => this.#count(status),
        volume: (volume) => this.emit('audiovolumenotify', { volume }),
      },
      options,
    );
    this.#player.set(options);
    this.#isPaused = false;
    this.#pausedByLeaving = false;
    this.#playing = this.value('src');
    this.#become('loading');
    // Without the query: a signature is not for whoever looks over a shoulder.
    this.#overlay?.say(`play ${this.#playing.replace(/\?.*/, '')}`);
    this.#player.play(this.#playing);
  }

  #stop(): void {
    this.#playing = '';
    this.#player?.stop();
    this.#become('stopped');
  }

  #running(): Player {
    if (!this.#player || !this.#playing) throw new Failed('it does not play');
    return this.#player;
  }

  /** Lets go of everything. */
  #release(): void {
    this.#outside?.abort();
    this.#outside = null;
    this.#window.close();
    this.#playing = '';
    this.#player?.destroy();
    this.#player = null;
    this.#status = NO_STATUS;
    this.#become('stopped');
  }

  #options(): PlayerOptions {
    const minCache = Math.max(MIN_CACHE_S, this.value('min-cache'));
    const isAway = this.ownerDocument.hidden && !this.#mayPlayInBackground;
    return {
      mode: this.value('mode'),
      httpOrigin: this.value('http-origin'),
      referrerPolicy: this.value('referrer-policy'),
      minCache,
      maxCache: Math.max(minCache, this.value('max-cache')),
      muted: this.value('muted') || isAway,
    };
  }

  #hear(code: State, message: string, details: Details): void {
    const state = STATES.get(code);
    if (state === 'stopped') this.#playing = '';
    if (state) this.#become(state);
    this.#overlay?.say(`${code} ${message}${Object.keys(details).length > 0 ? ` ${JSON.stringify(details)}` : ''}`);
    this.emit<StateChange>('statechange', { ...details, code, message });
  }

  #count(status: NetStatus): void {
    this.#status = status;
    this.#overlay?.count(status);
    this.emit('netstatus', { info: status });
  }

  /** What a screen reader says of it, unless the page names it; and `:state(...)` for the page's styles. */
  #become(state: Looks): void {
    const internals = this.#internals;
    if (!internals) return;
    internals.ariaLabel = `live video, ${state}`;
    internals.ariaBusy = String(state === 'loading');
    internals.states?.clear();
    internals.states?.add(state);
  }

  #dress(): void {
    this.#frame.classList.toggle('crop', this.value('object-fit') === 'fillCrop');
    this.#turn();
    const isWanted = this.value('debug');
    if (isWanted === (this.#overlay !== null)) return;
    this.#overlay?.element.remove();
    this.#overlay = isWanted ? new Overlay(this.ownerDocument) : null;
    if (!this.#overlay) return;
    this.#frame.append(this.#overlay.element);
    this.#overlay.count(this.#status);
  }

  #turn(): void {
    const own = this.value('orientation') === 'horizontal' ? 3 : 0;
    const turned = TURNED[(own + this.#fullScreen.quarters) % 4];
    for (const turn of TURNED) if (turn) this.#frame.classList.toggle(turn, turn === turned);
  }

  #rotate(): void {
    if (!this.value('enable-auto-rotation')) return;
    const isLandscape = this.ownerDocument.defaultView?.screen.orientation.type.startsWith('landscape');
    // A browser may keep it from it: nobody has clicked.
    (isLandscape ? this.#fullScreen.enter(0) : this.#fullScreen.leave()).catch(() => {});
  }

  #leavePage(): void {
    if (!this.#playing || this.#isPaused || !this.value('auto-pause-if-navigate')) return;
    this.#pausedByLeaving = true;
    this.#player?.pause();
  }

  #comeBack(): void {
    if (!this.#pausedByLeaving) return;
    this.#pausedByLeaving = false;
    this.#player?.resume();
  }

  #letPlayInBackground(may: boolean): object {
    this.#mayPlayInBackground = may;
    this.#player?.set(this.#options());
    return {};
  }
}

export interface LivePlayer extends Mirrored<typeof PLAYER> {
  addEventListener<K extends keyof LivePlayerEvents>(
    type: K,
    listener: (this: LivePlayer, event: LivePlayerEvents[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

mirror(LivePlayer as unknown as typeof LiveElement<typeof PLAYER>, PLAYER);

/** `detail` of `statechange`: a code of {@link State}, and what goes with it. */
export interface StateChange extends Details {
  code: State;
  message: string;
}

/** `detail` of `fullscreenchange`. */
export interface FullScreenChange {
  direction: Direction;
  fullScreen: boolean;
}

export interface LivePlayerEvents {
  statechange: CustomEvent<StateChange>;
  netstatus: CustomEvent<{ info: NetStatus }>;
  fullscreenchange: CustomEvent<FullScreenChange>;
  audiovolumenotify: CustomEvent<{ volume: number }>;
  enterpictureinpicture: CustomEvent<object>;
  leavepictureinpicture: CustomEvent<object>;
}

/** The methods of the mini-program's `LivePlayerContext`. */
export const PLAYER_METHODS = [
  'play',
  'stop',
  'mute',
  'pause',
  'resume',
  'requestFullScreen',
  'exitFullScreen',
  'snapshot',
  'exitPictureInPicture',
  'requestBackgroundPlayback',
  'exitBackgroundPlayback',
  'startCasting',
  'switchCasting',
  'reconnectCasting',
  'exitCasting',
] as const;

export type LivePlayerContext = Pick<LivePlayer, (typeof PLAYER_METHODS)[number]>;

/** The methods of the `<live-player>` with this id, which is looked for in `scope` each time. */
export function createLivePlayerContext(id: string | LivePlayer, scope?: Scope): LivePlayerContext {
  return contextOf<LivePlayer, (typeof PLAYER_METHODS)[number]>('live-player', PLAYER_METHODS, id, scope);
}

function noCasting(): never {
  throw new Failed('not supported: a browser does not cast it');
}

/** One for all elements of a page; made when the first one is, because modules are read on servers too. */
function styles(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
  }
  return sheet;
}

type Looks = 'stopped' | 'loading' | 'playing' | 'paused';

let sheet: CSSStyleSheet | undefined;
/** What a code means for the looks. */
const STATES: ReadonlyMap<State, Looks> = new Map<State, Looks>([
  [State.Playing, 'playing'],
  [State.Loading, 'loading'],
  [State.Reconnecting, 'loading'],
  [State.Ended, 'stopped'],
  [State.GaveUp, 'stopped'],
  [State.CodecUnsupported, 'stopped'],
]);
/** By quarters to the right. */
const TURNED = ['', 'right', 'around', 'left'] as const;
/** The mini-program's least. */
const MIN_CACHE_S = 1;
/** The SDK's code for an empty URL. */
const NO_URL = -1;
