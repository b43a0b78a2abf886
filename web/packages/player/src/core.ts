/**
 * A player: plays a URL, in one mode or the other, and comes back when it can. What it does not know is how either mode
 * works; engines do.
 */

import { DEFAULTS, type End, type Engine, type MakeEngine, type Report, type Settings } from './engine';
import { type Details, type Listener, type NetStatus, NO_STATUS, State } from './events';
import { Stage } from './stage';
import { type LivePlace, livePlace, parse, type RtcPlace, rtcPlace, type Source } from './url';

export type Mode = 'live' | 'RTC';

export interface PlayerOptions extends Partial<Settings> {
  /** `live`, or `RTC`: the low-delay way, which falls back to live where it does not get through. */
  mode?: Mode;
  /** The server's HTTP origin for `rtmp://` URLs, where it is neither the page's nor the URL's host. */
  httpOrigin?: string;
  /** Attempts to come back, 1 to 10. */
  retries?: number;
  /** Seconds between them, 3 to 30. */
  retryInterval?: number;
}

/** How the modes are played. */
export interface Engines {
  live: MakeEngine<LivePlace>;
  rtc: MakeEngine<RtcPlace> | null;
}

export class Core {
  readonly #stage: Stage;
  readonly #listener: Listener;
  readonly #engines: Engines;
  #options: PlayerOptions = {};
  /** What is played; `null` when nothing is. */
  #play: Play | null = null;
  #statusTimer: ReturnType<typeof setInterval> | null = null;
  #isDestroyed = false;

  constructor(host: HTMLElement, listener: Listener, options: PlayerOptions, engines: Engines) {
    this.#stage = new Stage(host);
    this.#listener = listener;
    this.#engines = engines;
    this.set(options);
  }

  /** Mode, origin and the policy of referrers hold from the next {@link play} on, the rest at once. */
  set(options: PlayerOptions): void {
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    this.#options = { ...this.#options, ...Object.fromEntries(given) };
    this.#play?.set(this.#options);
  }

  /** Plays `rtmp(s)://…`, `http(s)://….flv` or `ws(s)://….flv`, instead of what is played now. */
  play(src: string): void {
    if (this.#isDestroyed) return;
    this.#end();
    const listener = this.#listener;
    const play: Play = new Play(parse(src), this.#stage, this.#options, this.#engines, {
      state: (code, message, details) => this.#play === play && listener.state(code, message, details),
      volume: (volume) => this.#play === play && listener.volume?.(volume),
      over: () => {
        if (this.#play === play) this.#end();
      },
    });
    this.#play = play;
    this.#statusTimer = setInterval(() => play.isRunning && listener.status(play.status), STATUS_MS);
    play.begin();
  }

  /** Ends it, and shows nothing. */
  stop(): void {
    this.#end();
    this.#stage.clear();
  }

  /** Stops moving, and keeps the last picture. */
  pause(): void {
    this.#play?.pause();
  }

  /** Goes on at the live edge. */
  resume(): void {
    this.#play?.resume();
  }

  /** Whether it plays, or tries to: until it is stopped, or has given up. */
  get playing(): boolean {
    return this.#play !== null;
  }

  get status(): NetStatus {
    return this.#play?.status ?? NO_STATUS;
  }

  /** What is on the screen; rejects when nothing is. */
  async snapshot(): Promise<ImageBitmap> {
    const shown = this.#stage.shown;
    if (this.#play?.hasPicture) return this.#play.snapshot();
    if (shown instanceof HTMLCanvasElement) return createImageBitmap(shown);
    throw new Error('there is no picture yet');
  }

  /** Stops for good. */
  destroy(): void {
    this.#isDestroyed = true;
    this.stop();
  }

  #end(): void {
    this.#play?.stop();
    this.#play = null;
    if (this.#statusTimer !== null) clearInterval(this.#statusTimer);
    this.#statusTimer = null;
  }
}

/** Whom a play tells. */
interface PlayEvents {
  state(code: State, message: string, details: Details): void;
  volume(volume: number): void;
  /** It has ended by itself. */
  over(): void;
}

/** An engine that runs, and what it has come to. */
interface Run {
  readonly mode: Mode;
  readonly engine: Engine;
  /** What it says while another one may still win. */
  held: [State, string, Details][] | null;
  isConnected: boolean;
  hasPicture: boolean;
}

/** One URL, until it is stopped or given up. */
class Play {
  readonly #source: Source | null;
  readonly #stage: Stage;
  readonly #engines: Engines;
  readonly #events: PlayEvents;
  readonly #httpOrigin: string;
  #options: PlayerOptions;
  #mode: Mode;
  #run: Run | null = null;
  /** Live mode, beside an attempt over UDP that takes long. */
  #beside: Run | null = null;
  /** Plays out what it has, while another one begins. */
  #draining: Run | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #besideTimer: ReturnType<typeof setTimeout> | null = null;
  #holdTimer: ReturnType<typeof setTimeout> | null = null;
  #attempts = 0;
  #brokeAt: number | null = null;
  #saidNoAcceleration = false;
  #isPaused = false;
  /** It waits for {@link resume} to begin anew. */
  #isAsleep = false;
  #isOver = false;

  constructor(source: Source | null, stage: Stage, options: PlayerOptions, engines: Engines, events: PlayEvents) {
    this.#source = source;
    this.#stage = stage;
    this.#options = options;
    this.#engines = engines;
    this.#events = events;
    this.#mode = options.mode ?? 'live';
    this.#httpOrigin = options.httpOrigin ?? '';
  }

  get isRunning(): boolean {
    return this.#run !== null && !this.#isPaused;
  }

  get status(): NetStatus {
    return this.#run?.engine.status() ?? NO_STATUS;
  }

  get hasPicture(): boolean {
    return this.#shown !== null;
  }

  snapshot(): Promise<ImageBitmap> {
    return this.#shown?.engine.snapshot() ?? Promise.reject(new Error('there is no picture yet'));
  }

  get #shown(): Run | null {
    return [this.#run, this.#draining].find((run) => run?.hasPicture) ?? null;
  }

  begin(): void {
    if (this.#source === null) {
      this.#giveUp('the URL names no stream', { reason: 'bad-url' });
      return;
    }
    if (this.#mode === 'RTC') {
      const isBlocked = performance.now() < udpAgainAt;
      if (this.#engines.rtc === null) this.#noUdp('this player has no RTC mode', 'not-supported');
      else if (isBlocked) this.#noUdp('UDP does not get through', 'udp-blocked');
    }
    this.#start();
  }

  set(options: PlayerOptions): void {
    this.#options = options;
    for (const run of this.#runs) run.engine.set(settingsOf(options));
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    for (const run of this.#runs) run.engine.pause();
    // A pause that lasts costs nothing: the picture is kept, the connection is not.
    this.#holdTimer = setTimeout(() => this.#sleep(), PAUSE_MS_MAX);
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    clearTimer(this.#holdTimer);
    if (this.#isAsleep) {
      this.#start();
      return;
    }
    for (const run of this.#runs) run.engine.resume();
    this.#awaitHands();
  }

  stop(): void {
    this.#isOver = true;
    for (const timer of [this.#timer, this.#besideTimer, this.#holdTimer]) clearTimer(timer);
    for (const run of this.#runs) run.engine.stop();
    this.#run = null;
    this.#beside = null;
    this.#draining = null;
  }

  get #runs(): Run[] {
    return [this.#draining, this.#run, this.#beside].filter((run) => run !== null);
  }

  #sleep(): void {
    this.#isAsleep = true;
    clearTimer(this.#timer);
    clearTimer(this.#besideTimer);
    for (const run of this.#runs) run.engine.stop();
    this.#run = null;
    this.#beside = null;
    this.#draining = null;
  }

  #start(): void {
    if (this.#isOver) return;
    if (this.#isPaused) {
      this.#isAsleep = true;
      return;
    }
    this.#isAsleep = false;
    this.#run = this.#make(this.#mode, null);
    this.#awaitHands();
    this.#run.engine.start();
  }

  #awaitHands(): void {
    clearTimer(this.#besideTimer);
    if (this.#mode === 'RTC') this.#besideTimer = setTimeout(() => this.#startBeside(), HANDSHAKE_PATIENCE_MS);
  }

  /** UDP may be blocked, which nobody says: live mode begins beside it, and the first that brings something decides. */
  #startBeside(): void {
    if (this.#isPaused || this.#run?.mode !== 'RTC' || this.#run.isConnected || this.#beside !== null) return;
    this.#run.held = [];
    this.#beside = this.#make('live', []);
    this.#beside.engine.start();
  }

  #make(mode: Mode, held: Run['held']): Run {
    const settings = settingsOf(this.#options);
    const report: Report = {
      state: (code, message, details = {}) => this.#said(run, code, message, details),
      volume: (volume) => run === this.#run && this.#tell(() => this.#events.volume(volume)),
      end: (end) => this.#ended(run, end),
    };
    const engine = this.#makeEngine(mode, settings, report);
    const run: Run = { mode, engine, held, isConnected: false, hasPicture: false };
    return run;
  }

  #makeEngine(mode: Mode, settings: Settings, report: Report): Engine {
    const source = this.#source as Source;
    const page = this.#stage.document.location;
    if (mode === 'RTC' && this.#engines.rtc !== null) {
      return this.#engines.rtc(rtcPlace(source, page, this.#httpOrigin), this.#stage, settings, report);
    }
    return this.#engines.live(livePlace(source, page, this.#httpOrigin), this.#stage, settings, report);
  }

  #said(run: Run, code: State, message: string, details: Details): void {
    if (this.#isOver || (run !== this.#run && run !== this.#beside)) return;
    if (code === State.Connected) run.isConnected = true;
    if (code === State.FirstPicture) run.hasPicture = true;
    // Sound alone has no key frame.
    if ((code === State.FirstKeyFrame || code === State.Playing) && this.#beside !== null) this.#win(run);
    if (code === State.Playing) this.#attempts = 0;
    if ((code === State.FirstPicture || code === State.Playing) && this.#draining !== null) {
      this.#draining.engine.stop();
      this.#draining = null;
    }
    if (run.held === null) this.#state(code, message, details);
    else if (run.held.length < HELD_MAX) run.held.push([code, message, details]);
  }

  /** One of both has something to show or hear: the other is dropped. */
  #win(run: Run): void {
    const loser = run === this.#run ? this.#beside : this.#run;
    this.#run = run;
    this.#beside = null;
    loser?.engine.stop();
    if (run.mode === 'live') {
      // Where hands were shaken after all it was slow, and may be quicker the next time.
      if (!loser?.isConnected) pauseUdp();
      this.#noUdp('UDP does not get through', 'udp-blocked');
    }
    this.#release(run);
  }

  /** Says what was held back. */
  #release(run: Run): void {
    const held = run.held ?? [];
    run.held = null;
    for (const [code, message, details] of held) this.#state(code, message, details);
  }

  #ended(run: Run, end: End): void {
    if (this.#isOver) return;
    if (run === this.#beside) {
      // The other one goes on trying.
      this.#beside = null;
      if (this.#run !== null) this.#release(this.#run);
    } else if (run === this.#run) {
      if (run.mode === 'RTC') this.#rtcEnded(run, end);
      else this.#liveEnded(run, end);
    }
  }

  #liveEnded(run: Run, end: End): void {
    switch (end.kind) {
      case 'ended':
        this.#state(State.Ended, 'the stream has ended');
        this.#over();
        return;
      case 'refused':
        this.#state(State.ServerClosed, end.message, { reason: end.reason });
        this.#giveUp(end.message, { reason: end.reason });
        return;
      case 'unsupported':
        this.#state(end.code, end.message);
        this.#over();
        return;
      case 'not-found':
        this.#again(run, State.ServerClosed, end.message, { reason: 'not-found' });
        return;
      case 'lost':
        this.#again(run, end.code, end.message);
    }
  }

  #rtcEnded(run: Run, end: End): void {
    clearTimer(this.#besideTimer);
    const why = this.#whyNoMoreUdp(run, end);
    if (why !== null) this.#noUdp(end.kind === 'ended' ? '' : end.message, why);
    const beside = this.#beside;
    if (beside !== null) {
      // Over UDP there is nothing; live mode says the same, or plays.
      this.#beside = null;
      this.#run = beside;
      this.#mode = 'live';
      this.#release(beside);
    } else if (why === null) {
      this.#liveEnded(run, end);
    } else {
      run.engine.stop();
      this.#start();
    }
  }

  /** Why the same URL is played live from now on; `null` where that is of no use. */
  #whyNoMoreUdp(run: Run, end: End): string | null {
    switch (end.kind) {
      case 'refused':
        if (end.reason === TOO_SLOW) pauseUdp();
        return end.reason;
      case 'unsupported':
        return end.code === State.CodecUnsupported ? 'codec' : 'not-supported';
      case 'lost':
        if (run.isConnected) return this.#hasBrokenAgain() ? 'broken-off' : null;
        if (end.code !== State.HandshakeFailed) return null;
        pauseUdp();
        return 'udp-blocked';
      default:
        return null;
    }
  }

  /** What breaks off again within a minute is broken, whatever shook hands. */
  #hasBrokenAgain(): boolean {
    const now = performance.now();
    const before = this.#brokeAt;
    this.#brokeAt = now;
    return before !== null && now - before < UDP_PAUSE_MS;
  }

  /** The low-delay way is of no use: says so, once; it is live from now on. */
  #noUdp(message: string, reason: string): void {
    this.#mode = 'live';
    if (this.#saidNoAcceleration) return;
    this.#saidNoAcceleration = true;
    this.#state(State.NoAcceleration, message, { reason });
  }

  /** Tries to come back, a few times. */
  #again(run: Run, code: State, message: string, details: Details = {}): void {
    this.#draining?.engine.stop();
    this.#draining = run;
    this.#run = null;
    this.#state(code, message, details);
    const retries = clamp(this.#options.retries, RETRIES);
    if (this.#attempts >= retries) {
      this.#giveUp(message, details);
      return;
    }
    this.#attempts += 1;
    this.#state(State.Reconnecting, `attempt ${this.#attempts} of ${retries}: ${message}`, details);
    this.#timer = setTimeout(() => this.#start(), clamp(this.#options.retryInterval, RETRY_INTERVAL_S) * 1000);
  }

  #giveUp(message: string, details: Details): void {
    this.#state(State.GaveUp, message, details);
    this.#over();
  }

  #over(): void {
    this.#tell(() => this.#events.over());
  }

  #state(code: State, message: string, details: Details = {}): void {
    this.#tell(() => this.#events.state(code, message, details));
  }

  /** Says something in its turn: never within a call of whoever listens. */
  #tell(say: () => void): void {
    queueMicrotask(() => {
      if (!this.#isOver) say();
    });
  }
}

function settingsOf(options: PlayerOptions): Settings {
  const { minCache, maxCache, autoCache, muted, stutterMs, referrerPolicy } = { ...DEFAULTS, ...options };
  return { minCache, maxCache, autoCache, muted, stutterMs, referrerPolicy };
}

function clamp(value: number | undefined, [min, usual, max]: readonly [number, number, number]): number {
  return Math.min(Math.max(value ?? usual, min), max);
}

function clearTimer(timer: ReturnType<typeof setTimeout> | null): void {
  if (timer !== null) clearTimeout(timer);
}

/** When UDP may be tried again: what is blocked for one player of a page is so for all. */
let udpAgainAt = 0;

function pauseUdp(): void {
  udpAgainAt = performance.now() + UDP_PAUSE_MS;
}

/** Of a refusal that is about the path, not about the URL. */
const TOO_SLOW = 'too-slow';
const STATUS_MS = 1000;
/** After it the connection goes, and the picture stays. */
const PAUSE_MS_MAX = 30_000;
/** Hands are shaken within three round trips; a second is a bad mobile network. */
const HANDSHAKE_PATIENCE_MS = 1000;
/** Where UDP did not get through it is not tried again for so long. */
const UDP_PAUSE_MS = 60_000;
/** What an engine says before its first key frame: a handful. */
const HELD_MAX = 32;
/** Least, usual, most. */
const RETRIES = [1, 3, 10] as const;
const RETRY_INTERVAL_S = [3, 3, 30] as const;
