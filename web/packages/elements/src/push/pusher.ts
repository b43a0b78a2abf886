/**
 * Pushes one stream: what a studio makes, over a line to a server. It says with the mini-program's codes what happens,
 * in their usual order: 1005, 1003, 1007, 1008, 1001, 1002.
 */

import { amf0, type Frame } from '@thalweg/player/wire';
import { Bitrate, type Bounds, RECOMMENDED } from './bitrate';
import { Line, type Ways } from './line';
import { type Place, placeOf } from './place';
import { RtmpUdp } from './rtmp-udp';
import { boundsOf, DEFAULTS, type Settings } from './settings';
import { QUALITY } from './sound';
import { Counter, grade, NO_STATUS, type PushStatus } from './status';
import { Studio, type StudioListener } from './studio';
import type { Uplink, Vitals } from './uplink';
import { WsFlv } from './ws-flv';

/** What comes with a code, where there is something. */
export interface Details {
  /** Of 1005, pixels. */
  width?: number;
  height?: number;
  /** Of 1006, kbit/s. */
  kbps?: number;
  /** Of 3004: why the server refused, in the words of its reference: `auth-expired`. */
  reason?: string;
}

/** Whom a pusher tells. */
export interface PusherListener {
  state(code: number, message: string, details: Details): void;
  /** Once a second while it is connected. */
  status(status: PushStatus): void;
  /** Loudness of what is pushed, 0 to 100. */
  volume(volume: number): void;
}

/** What a pusher is made of. */
export interface Parts {
  studio(settings: Settings, kbps: number, listener: StudioListener): Studio;
  ways(settings: Settings): Ways;
  page: Parameters<typeof placeOf>[2];
}

export class Pusher {
  readonly #listener: PusherListener;
  readonly #parts: Parts;
  #settings: Settings;
  #studio: Studio | null = null;
  /** Whether the studio has opened what it can. */
  #opened: Promise<void> | null = null;
  #line: Line | null = null;
  #uplink: Uplink | null = null;
  #bitrate: Bitrate;
  #size: { width: number; height: number };
  #shape: { width: number; height: number } | null = null;
  /** Moves with each start and stop: who waited meanwhile finds another one. */
  #turn = 0;
  #timer: ReturnType<typeof setInterval> | null = null;
  #looks = 0;
  #vitals: Vitals | null = null;
  /** Of each look since the last status. */
  #sentKbps: number[] = [];
  #counter = new Counter(0);
  #status: PushStatus = NO_STATUS;
  #coded: () => void = () => {};
  #isPaused = false;

  constructor(parts: Parts, listener: PusherListener, settings: Partial<Settings> = {}) {
    this.#parts = parts;
    this.#listener = listener;
    this.#settings = { ...DEFAULTS, ...settings };
    this.#bitrate = new Bitrate(this.#bounds(), performance.now());
    this.#size = this.#bitrate.size;
  }

  /** Whether it pushes, or is on the way there. */
  get isPushing(): boolean {
    return this.#line !== null || this.#isStarting;
  }

  #isStarting = false;

  get status(): PushStatus {
    return this.#status;
  }

  /** What takes the pictures and the sound, while there is something to take. */
  get studio(): Studio | null {
    return this.#studio;
  }

  /** New settings, which hold from now on; `httpOrigin`, `retries` and `retryInterval` from the next start. */
  set(settings: Partial<Settings>): void {
    this.#settings = { ...this.#settings, ...settings };
    this.#studio?.set(this.#settings);
    this.#rebound();
  }

  /**
   * Begins to push. What comes of it is told by codes.
   * @throws when the URL is none that can be pushed to, or it pushes already.
   */
  start(url: string): void {
    const place = placeOf(url, this.#settings.httpOrigin, this.#parts.page);
    if (!place) throw new Error('the url is not rtmp://HOST/APP/STREAM');
    if (this.isPushing) throw new Error('it pushes already');
    this.#isStarting = true;
    this.#turn += 1;
    void this.#begin(place, this.#turn);
  }

  /** Ends the push and the preview, and lets go of everything. Nothing is told afterwards. */
  async stop(): Promise<void> {
    this.#turn += 1;
    this.#isStarting = false;
    this.#isPaused = false;
    const [line, studio] = [this.#line, this.#studio];
    this.#line = this.#studio = this.#opened = null;
    this.#uplink = null;
    this.#shape = null;
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    this.#status = NO_STATUS;
    studio?.code(false);
    await Promise.all([studio?.close(), line?.close()]);
  }

  /** Viewers see the waiting picture, or black, and hear nothing. */
  pause(): void {
    this.#isPaused = true;
    this.#studio?.pause(true);
  }

  resume(): void {
    this.#isPaused = false;
    this.#studio?.pause(false);
  }

  /** Shows what would be pushed. */
  async startPreview(): Promise<void> {
    await this.#open();
  }

  /** Ends the preview, unless it pushes. */
  async stopPreview(): Promise<void> {
    if (!this.isPushing) await this.stop();
  }

  async #begin(place: Place, turn: number): Promise<void> {
    const isOver = () => turn !== this.#turn;
    const { width, height } = this.#size;
    this.#state(1005, `the picture is ${width}x${height}`, { width, height });
    const studio = await this.#open();
    if (isOver()) return;
    const { camera, mic, retries, retryInterval } = this.#settings;
    if ((camera || mic) && !studio.hasPictures && !studio.hasSound) return this.stop();
    void studio.openSound();
    if (studio.hasPictures) {
      const canCode = await studio.canCode();
      if (isOver()) return;
      if (!canCode) {
        this.#state(-1303, 'this browser does not code H.264');
        return this.stop();
      }
      await this.#firstCoded(studio);
      if (isOver()) return;
    }
    const line = new Line(this.#parts.ways(this.#settings), {
      state: (code, message, reason) => this.#state(code, message, reason ? { reason } : {}),
      uplink: (uplink) => this.#onUplink(uplink),
      keyWanted: () => studio.wantKey(),
    });
    [this.#line, this.#isStarting] = [line, false];
    await line.run(place, { count: retries, intervalS: retryInterval });
    if (!isOver()) await this.stop();
  }

  async #open(): Promise<Studio> {
    this.#studio ??= this.#parts.studio(this.#settings, this.#bitrate.kbps, {
      state: (code, message) => this.#onStudio(code, message),
      frame: (frame) => this.#onFrame(frame),
      shape: (shape) => {
        this.#shape = shape;
        this.#rebound();
      },
      volume: (volume) => this.#listener.volume(volume),
    });
    const studio = this.#studio;
    this.#opened ??= studio.open();
    if (this.#isPaused) studio.pause(true);
    await this.#opened;
    return studio;
  }

  /** A camera that sends nothing does not keep the sound waiting. */
  #firstCoded(studio: Studio): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, FIRST_CODED_MAX_MS);
      this.#coded = () => {
        clearTimeout(timer);
        resolve();
      };
      studio.probe();
    });
  }

  #onStudio(code: number, message: string): void {
    this.#state(code, message);
    if (code === 1008 || code === -1303) this.#coded();
    // Sound alone goes on, where there is any.
    if (code === -1303 && !this.#studio?.hasSound) void this.stop();
  }

  #onUplink(uplink: Uplink | null): void {
    this.#uplink = uplink;
    this.#vitals = null;
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    if (!uplink) {
      this.#studio?.code(false);
      return;
    }
    const now = performance.now();
    this.#bitrate.restart(now);
    this.#counter = new Counter(now);
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    uplink.send(this.#metadata());
    this.#studio?.code(true);
  }

  #onFrame(frame: Frame): void {
    this.#counter.count(frame);
    this.#uplink?.send(frame);
  }

  #look(): void {
    const uplink = this.#uplink;
    if (!uplink) return;
    const now = performance.now();
    const vitals = uplink.look(now);
    this.#vitals = vitals;
    this.#sentKbps.push(vitals.sentKbps);
    const { kbps, width, height, isNewRate, isNewSize, isTooSlow } = this.#bitrate.look(vitals, now);
    this.#studio?.setKbps(kbps);
    if (isNewSize) this.#resize({ width, height });
    if (isNewRate) this.#state(1006, `the rate is ${kbps} kbit/s`, { kbps });
    if (isTooSlow) this.#state(1101, 'the uplink is too slow');
    this.#looks += 1;
    if (this.#looks % LOOKS_A_STATUS === 0) this.#tellStatus(now);
  }

  #tellStatus(now: number): void {
    const vitals = this.#vitals;
    if (!vitals) return;
    const sent = this.#sentKbps.splice(0);
    const { jitterMs, waitingVideo, waitingAudio, given } = vitals;
    this.#status = {
      ...this.#counter.take(now),
      netSpeed: Math.round(sent.reduce((sum, kbps) => sum + kbps, 0) / Math.max(1, sent.length)),
      netJitter: jitterMs,
      netQualityLevel: grade(vitals),
      videoWidth: this.#size.width,
      videoHeight: this.#size.height,
      videoCache: waitingVideo,
      audioCache: waitingAudio,
      transport: this.#uplink?.transport ?? 'none',
      dropped: given + (this.#studio?.skipped ?? 0),
    };
    this.#listener.status(this.#status);
  }

  /** Size and rate as settings and source now want them. */
  #rebound(): void {
    this.#bitrate.set(this.#bounds());
    this.#studio?.setKbps(this.#bitrate.kbps);
    this.#resize(this.#bitrate.size);
  }

  #resize({ width, height }: { width: number; height: number }): void {
    if (this.#size.width === width && this.#size.height === height) return;
    this.#size = { width, height };
    this.#studio?.setSize(width, height);
    if (this.isPushing) this.#state(1005, `the picture is ${width}x${height}`, { width, height });
  }

  #bounds(): Bounds {
    return boundsOf(this.#settings, this.#shape);
  }

  #state(code: number, message: string, details: Details = {}): void {
    this.#listener.state(code, message, details);
  }

  /** What viewers are told first. */
  #metadata(): Frame {
    const { width, height } = this.#size;
    const { fps, quality, camera } = this.#settings;
    const video = camera ? { width, height, framerate: fps, videocodecid: 7, videodatarate: this.#bitrate.kbps } : {};
    const { sampleRate, kbps } = QUALITY[quality];
    const audio = { audiocodecid: 10, audiosamplerate: sampleRate, audiodatarate: kbps, stereo: false };
    const data = amf0.encode('onMetaData', new amf0.EcmaArray({ ...video, ...audio, encoder: 'Thalweg' }));
    return { kind: 'data', codec: 'script', config: true, key: false, dts: 0, cts: 0, data };
  }
}

/** What a page's pusher is made of: it draws onto `canvas`. */
export function partsOf(canvas: HTMLCanvasElement): Parts {
  return {
    studio: (settings, kbps, listener) => new Studio(canvas, settings, kbps, listener),
    ways: ({ mode }) => ({
      udp: (place, listener, signal) => RtmpUdp.connect(place, listener, signal),
      ws: (place, listener, signal) => WsFlv.connect(place, RECOMMENDED[mode].patienceMs, listener, signal),
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          const timer = setTimeout(resolve, ms);
          signal.addEventListener('abort', () => {
            clearTimeout(timer);
            resolve();
          });
        }),
      now: () => performance.now(),
    }),
    page: location,
  };
}

const LOOK_MS = 500;
/** A status a second. */
const LOOKS_A_STATUS = 2;
const FIRST_CODED_MAX_MS = 5000;
