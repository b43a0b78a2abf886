/**
 * RTC mode from the messages of media to the screen and the loudspeaker. Here the parts are put together; what each
 * decides is in its own file.
 *
 * ```text
 * Receiver -> sound -----------------> Sound: decoded at once, played by the clock
 *          -> pictures -> Playout -> Pictures -> Screen, when the clock says so
 * ```
 */

import type { Settings } from './engine';
import { type Details, type NetStatus, State } from './events';
import { decodeBody } from './flv/body';
import type { Codec, Frame } from './frame';
import { Meter } from './meter';
import { type Coded, Playout } from './playout';
import { Kind, type Message, type Report } from './rtmp-udp/control';
import type { Header, Media } from './rtmp-udp/media';
import { type Arrived, Receiver } from './rtmp-udp/receiver';
import { Sound } from './sink/audio';
import { type PictureFormat, pictureFormat, soundFormat } from './sink/formats';
import { type Picture, Pictures, Screen } from './sink/video';
import type { Stage } from './stage';

/** Whom it tells. */
export interface ProgramEvents {
  state(code: State, message: string, details?: Details): void;
  volume(volume: number): void;
  /** The pictures cannot be decoded here. */
  unsupported(message: string): void;
  /** What to add to our clock to get the server's, ms. */
  clockOffset(): number | null;
}

interface CodedPicture extends Coded {
  start: boolean;
  format: PictureFormat;
  ingest: number | null;
}

export class Program {
  readonly #stage: Stage;
  readonly #events: ProgramEvents;
  #settings: Settings;
  readonly #receiver = new Receiver(false, BODY_BYTES_MAX);
  readonly #playout = new Playout<CodedPicture>();
  readonly #meter = new Meter();
  readonly #sound: Sound;
  readonly #pictures: Pictures;
  readonly #screen: Screen;
  readonly #document: Document;
  #pictureFormat: PictureFormat | null = null;
  #soundCodec: Codec | null = null;
  /** That it cannot be decoded is said once. */
  #isSoundTold = false;
  /** The first picture of a play, or after a pause, is shown at once. */
  #isFresh = true;
  #isPaused = false;
  #isClosed = false;
  #hasPicture = false;
  #hasKey = false;
  #phase: 'begins' | 'plays' | 'loads' = 'begins';
  /** A picture could not be decoded for want of a key frame. */
  #isStuck = false;
  #newsAt = performance.now();
  #jumps = 0;
  #misses = 0;
  #unevenAt = Number.NEGATIVE_INFINITY;
  #animation = 0;

  constructor(stage: Stage, settings: Settings, events: ProgramEvents) {
    this.#stage = stage;
    this.#settings = settings;
    this.#events = events;
    this.#document = stage.document;
    const tick = () => this.tick();
    this.#sound = new Sound({
      failed: (message) => this.#events.state(State.AudioDecodeFailed, message),
      progress: tick,
      dry: () => this.#playout.miss(performance.now()),
      late: () => this.#playout.giveWay(performance.now()),
      volume: (volume) => this.#events.volume(volume),
    });
    this.#sound.muted = settings.muted;
    this.#pictures = new Pictures({
      started: () => this.#events.state(State.DecoderStarted, 'the decoder has started'),
      progress: tick,
      failed: (message, software) =>
        this.#events.state(software ? State.HardwareFailed : State.VideoDecodeFailed, message),
      unsupported: (message) => this.#events.unsupported(message),
    });
    this.#screen = new Screen(this.#document);
    stage.prepare(this.#screen.element);
    this.#document.addEventListener('visibilitychange', this.#onVisibility);
    this.#animate();
  }

  /** Whether nothing can be shown before there is a key frame. */
  get wantsKey(): boolean {
    return !this.#isPaused && (this.#receiver.wantsKey || this.#playout.wantsKey || this.#isStuck);
  }

  /** How long what is missing is to be waited for. */
  set roundTrip(ms: number) {
    // A repair takes a round trip or two: less patience gives up what is on its way.
    this.#receiver.handlePatience(Math.max(this.#playout.patience, PATIENCE_MIN_MS, 2 * ms + REPAIR_MORE_MS));
  }

  get status(): NetStatus {
    return this.#meter.status;
  }

  set(settings: Settings): void {
    this.#settings = settings;
    this.#sound.muted = settings.muted;
  }

  config(message: Message): void {
    this.#receiver.handleConfig(message, performance.now());
    this.#drain();
  }

  media({ header, body }: Media): void {
    this.#receiver.handleMedia(header, body, performance.now());
    this.#drain();
    this.tick();
  }

  gone(header: Header): void {
    this.#receiver.handleReset(header, performance.now());
    this.#drain();
  }

  /** Does what is due. Called whenever something has come or gone on, and now and then. */
  tick(): void {
    if (this.#isClosed || this.#isPaused) return;
    const now = performance.now();
    const giveUpAt = this.#receiver.pollTimeout();
    if (giveUpAt !== null && giveUpAt <= now) {
      this.#receiver.handleTimeout(now);
      this.#drain();
    }
    this.#playout.reserve(this.#sound.comes(now) ? this.#sound.latency + READ_MS : 0);
    this.#playout.run(now, this.#sound.heard(now));
    this.#sound.rate = this.#playout.rate;
    if (this.#playout.pollLeap() !== null) this.#sound.wait(false);
    const media = this.#playout.media(now);
    if (media !== null && this.#sound.waits) this.#sound.begin(media, now);
    this.#feed(now);
  }

  /** What goes into a report, and anew into the status. */
  look(): { status: NetStatus; report: Report } {
    const now = performance.now();
    const [counts, playout, pictures] = [this.#receiver.counts, this.#playout, this.#pictures];
    const status = this.#meter.read({
      now,
      counts,
      shown: playout.stats.shown,
      freezes: playout.stats.freezes,
      lateness: playout.lateness,
      target: playout.target,
      pictureMs: playout.span + pictures.span,
      soundMs: this.#sound.buffered,
      decoding: pictures.decoding,
      waiting: playout.waiting + pictures.decoding + pictures.held,
    });
    this.#complain(now, status);
    const { videoSeqMax, videoReceived, videoLost, audioReceived, audioLost } = counts;
    const report = {
      videoSeqMax,
      videoReceived,
      videoLost,
      audioReceived,
      audioLost,
      kbitPerS: this.#meter.kbitPerS,
      bufferMs: Math.max(status.videoCache, status.audioCache),
      delayMs: this.#meter.delay ?? 0,
      decodeQueue: pictures.queue + playout.waiting,
      freezes: playout.stats.freezes,
    };
    return { status, report };
  }

  /** Keeps the picture, and takes nothing more before {@link resume}. */
  pause(): void {
    this.#isPaused = true;
    this.#playout.reset();
    this.#pictures.reset();
    this.#sound.wait(true);
  }

  resume(): void {
    this.#isPaused = false;
    this.#isFresh = true;
    this.#isStuck = false;
    this.#newsAt = performance.now();
  }

  snapshot(): Promise<ImageBitmap> {
    return this.#screen.snapshot();
  }

  close(): void {
    this.#isClosed = true;
    this.#document.removeEventListener('visibilitychange', this.#onVisibility);
    cancelAnimationFrame(this.#animation);
    this.#sound.close();
    this.#pictures.close();
    this.#playout.reset();
    this.#stage.dismiss(this.#screen.element);
  }

  #drain(): void {
    for (let arrived = this.#receiver.pollFrame(); arrived; arrived = this.#receiver.pollFrame()) {
      // Other tracks are other languages and other cameras.
      if (arrived.track !== 0 || arrived.kind === Kind.Data) continue;
      const frame = decodeBody(arrived.kind, arrived.dts, arrived.body);
      if (frame?.config) this.#configure(frame);
      else if (frame && !this.#isPaused) this.#take(frame, arrived);
    }
  }

  #configure(frame: Frame): void {
    if (frame.kind === 'video') {
      this.#pictureFormat = pictureFormat(frame);
      if (this.#pictureFormat === null) this.#events.unsupported(`no decoder for ${frame.codec}`);
      return;
    }
    const format = soundFormat(frame);
    this.#soundCodec = format && frame.codec;
    if (format) this.#sound.configure(format.config, format.description);
    else if (!this.#isSoundTold && (frame.config || frame.codec === 'unknown')) {
      this.#isSoundTold = true;
      this.#events.state(State.AudioDecodeFailed, `no decoder for ${frame.codec}`);
    }
  }

  #take(frame: Frame, arrived: Arrived): void {
    const { dts } = frame;
    // The publisher's time has leapt, which no buffer makes good.
    if (Math.abs(dts - (this.#playout.newest ?? dts)) > TIME_LEAP_MS) this.#beginAnew();
    const { key, catchup, start } = arrived.flags;
    this.#newsAt = arrived.came;
    if (frame.kind === 'audio') {
      this.#meter.soundCame(dts, arrived.body.length);
      if (catchup) return;
      this.#playout.learn(dts, arrived.came, false);
      if (this.#soundCodec !== frame.codec) this.#configure(frame);
      if (this.#soundCodec === frame.codec) this.#sound.decode(dts, frame.data);
      return;
    }
    this.#meter.pictureCame(dts, key, arrived.body.length);
    if (key && !this.#hasKey) {
      this.#hasKey = true;
      this.#events.state(State.FirstKeyFrame, 'the first key frame has come');
    }
    if (frame.codec === 'unknown') this.#configure(frame);
    const format = this.#pictureFormat;
    if (format === null) return;
    const picture = {
      dts,
      pts: dts + frame.cts,
      key,
      catchup,
      start,
      format,
      data: frame.data,
      ingest: arrived.ingest,
    };
    this.#playout.push(picture, arrived.came, performance.now());
  }

  /** Gives the decoder what it has room for. */
  #feed(now: number): void {
    // Nobody is looking: what waits is kept as long as a decoder could begin with it.
    if (this.#document.hidden) this.#playout.trim();
    while (!this.#document.hidden && this.#pictures.hasRoom(!this.#playout.next?.catchup)) {
      const due = this.#playout.take(now);
      if (due === null) break;
      this.#isStuck = !this.#pictures.decode(due.picture, due.show, now);
    }
    if (this.#isFresh) this.#showFirst(now);
  }

  /** The first picture waits for nothing: neither for its moment nor for the screen. */
  #showFirst(now: number): void {
    const picture = this.#pictures.first();
    if (picture) this.#show(picture, now);
  }

  readonly #animate = (): void => {
    if (this.#isClosed) return;
    this.#animation = requestAnimationFrame(this.#animate);
    if (this.#isPaused) return;
    this.tick();
    const now = performance.now();
    const media = this.#playout.media(now);
    if (media === null) return;
    const picture = this.#pictures.due(media + SHOW_AHEAD_MS);
    if (picture) this.#show(picture, now);
  };

  #show({ frame, pts, ingest }: Picture, now: number): void {
    const isResized = this.#screen.draw(frame);
    const { displayWidth: width, displayHeight: height } = frame;
    frame.close();
    const still = this.#playout.show(pts, now);
    const offset = this.#events.clockOffset();
    const delay = ingest === null || offset === null ? null : now + offset - ingest;
    this.#meter.pictureShown(pts, this.#sound.heard(now), delay);
    this.#isFresh = false;
    this.#stage.show(this.#screen.element);
    if (isResized) {
      this.#meter.resized(width, height);
      this.#events.state(State.SizeChanged, `the picture has ${width}x${height}`, { width, height });
    }
    if (!this.#hasPicture) {
      this.#hasPicture = true;
      this.#events.state(State.FirstPicture, 'the first picture is on the screen');
    }
    if (still !== null && still > this.#settings.stutterMs) {
      const gapMs = Math.round(still);
      this.#events.state(State.Stutter, `the picture stood still for ${gapMs} ms`, { gapMs });
    }
    this.#plays();
  }

  #plays(): void {
    if (this.#phase === 'plays') return;
    this.#phase = 'plays';
    this.#events.state(State.Playing, 'playing');
  }

  /** Says what is worse than it should be; each at most now and then. */
  #complain(now: number, status: NetStatus): void {
    if (this.#isPaused) return;
    if (this.#phase === 'begins' && !this.#hasKey && !this.#sound.waits) this.#plays();
    if (this.#phase === 'loads' && !this.#sound.waits) this.#plays();
    if (this.#phase === 'plays' && now - this.#newsAt > LOADING_MS) {
      this.#phase = 'loads';
      this.#events.state(State.Loading, 'the buffer has run dry');
    }
    const { jumps } = this.#receiver.counts;
    if (jumps > this.#jumps) this.#events.state(State.Discontinuous, 'pictures are missing');
    this.#jumps = jumps;
    const { misses } = this.#playout.stats;
    const isUneven = status.netJitter > UNEVEN_MS || misses > this.#misses + 1;
    if (isUneven && now - this.#unevenAt > UNEVEN_PAUSE_MS) {
      this.#unevenAt = now;
      this.#events.state(State.Uneven, `uneven by ${status.netJitter} ms`);
    }
    this.#misses = misses;
  }

  #beginAnew(): void {
    this.#playout.reset();
    this.#pictures.reset();
    this.#sound.wait(true);
    this.#isFresh = true;
  }

  readonly #onVisibility = (): void => {
    // That the picture stood still while nobody looked is no stutter.
    this.#playout.forgive();
    this.tick();
  };
}

/** As the source bounds them. */
const BODY_BYTES_MAX = 4 << 20;
const PATIENCE_MIN_MS = 150;
const REPAIR_MORE_MS = 50;
/** What the audio thread takes at once, at most, beside what the context says of itself. */
const READ_MS = 10;
/** What is drawn now is seen when the screen is next refreshed: half of that at 60 Hz. */
const SHOW_AHEAD_MS = 8;
/** A step of the publisher's time that is another time. */
const TIME_LEAP_MS = 10_000;
/** When nothing has come for so long it is said to be loading. */
const LOADING_MS = 1000;
/** As unevenly as this is worth a word, once in a while. */
const UNEVEN_MS = 120;
const UNEVEN_PAUSE_MS = 10_000;
