/**
 * Live mode: FLV by HTTP or WebSocket, played by Media Source Extensions. Here the parts are put together; what each
 * decides is in its own file.
 *
 * source -> {@link Demuxer} -> {@link Lineup}: which kinds there are -> {@link Remuxer} -> {@link Showing}: a sink on the
 * stage, whose delay {@link decide} holds.
 */

import { audioTrack, videoTrack } from './codec/track';
import type { End, Engine, MakeEngine, Report, Settings } from './engine';
import { type NetStatus, State } from './events';
import { Demuxer } from './flv/demux';
import type { Frame } from './frame';
import { decide, levelsOf } from './latency';
import { type Go, Lineup } from './lineup';
import { LiveMeter, Stutters } from './live-meter';
import { Misbehaved } from './misbehaved';
import { Remuxer } from './remux';
import { Showing } from './showing';
import { canPlay, hasMse } from './sink/mse';
import { openFetch } from './source/fetch';
import type { Source } from './source/source';
import { openWebSocket } from './source/websocket';
import type { Stage } from './stage';
import { type LivePlace, withParameter } from './url';

export const makeLive: MakeEngine<LivePlace> = (place, stage, settings, report) =>
  new Live(place, stage, settings, report);

class Live implements Engine {
  readonly #place: LivePlace;
  readonly #stage: Stage;
  readonly #report: Report;
  #settings: Settings;
  #source: Source | null = null;
  readonly #demuxer = new Demuxer();
  readonly #lineup = new Lineup();
  #remuxer: Remuxer | null = null;
  readonly #meter = new LiveMeter();
  readonly #stutters = new Stutters();
  /** What is shown, and what will be when that has run dry: a stream may change so that it has to begin anew. */
  #current: Showing | null = null;
  #coming: Showing | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;
  #startedAt = 0;
  #isOpen = false;
  #cameAt = 0;
  #statusAt = 0;
  #unevenAt = 0;
  /** `filling`: pictures stand still until there is enough. `barred`: the browser waits for a gesture. */
  #phase: 'filling' | 'playing' | 'barred' = 'filling';
  /** When what is there will have been shown, if nothing more comes. */
  #dryAt = 0;
  #isPaused = false;
  #hasPlayed = false;
  #saidLoading = false;
  #hasKey = false;
  #isDecoding = false;
  #hasPicture = false;
  #size = '';
  /** When the decoder could not go on. */
  #failures: number[] = [];
  /** The source has ended: what is there is played out. */
  #ended: End | null = null;
  #isOver = false;

  constructor(place: LivePlace, stage: Stage, settings: Settings, report: Report) {
    this.#place = place;
    this.#stage = stage;
    this.#settings = settings;
    this.#report = report;
  }

  start(): void {
    if (!hasMse()) {
      const message = 'this browser has no Media Source Extensions';
      queueMicrotask(() => this.#finish({ kind: 'unsupported', code: State.CodecUnsupported, message }));
      return;
    }
    this.#startedAt = performance.now();
    this.#cameAt = this.#startedAt;
    this.#statusAt = this.#startedAt;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#stage.document.addEventListener('visibilitychange', this.#onVisibility);
    const { transport, url } = this.#place;
    const asked = withCache(url, levelsOf(0, this.#settings).start);
    const receiver = {
      opened: () => this.#opened(),
      data: (bytes: Uint8Array) => this.#take(bytes),
      end: (end: End) => this.#sourceEnded(end),
    };
    this.#source =
      transport === 'flv' ? openFetch(asked, receiver, this.#settings.referrerPolicy) : openWebSocket(asked, receiver);
  }

  stop(): void {
    this.#close();
    this.#current?.close(true);
    this.#coming?.close(false);
    this.#current = null;
    this.#coming = null;
  }

  pause(): void {
    this.#isPaused = true;
    this.#stutters.reset();
    this.#current?.video.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#toEdge();
    this.#fill(false);
    this.#step();
  }

  set(settings: Settings): void {
    const wasMuted = this.#settings.muted;
    this.#settings = settings;
    for (const showing of [this.#current, this.#coming]) if (showing) showing.video.muted = settings.muted;
    // Without sound nobody needs to be asked.
    if (settings.muted && !wasMuted) this.#unbar();
    this.#step();
  }

  status(): NetStatus {
    return this.#meter.status;
  }

  async snapshot(): Promise<ImageBitmap> {
    const video = this.#current?.video;
    if (!video || !this.#hasPicture) throw new Error('there is no picture yet');
    return createImageBitmap(video);
  }

  #opened(): void {
    this.#isOpen = true;
    this.#cameAt = performance.now();
    this.#report.state(State.Connected, 'connected');
    this.#sayLoading('filling the buffer');
  }

  #take(bytes: Uint8Array): void {
    const now = performance.now();
    this.#cameAt = now;
    this.#meter.came(bytes.length);
    try {
      for (const frame of this.#demuxer.read(bytes)) {
        this.#frame(frame, now);
        if (this.#ended) return;
      }
    } catch (error) {
      if (!(error instanceof Misbehaved)) throw error;
      this.#sourceEnded({ kind: 'lost', code: State.TransportFailed, message: error.message });
      return;
    }
    if (this.#current !== null) this.#lookForStutter(this.#current, now);
    // Who has enough takes it in with the next tick: the fewer appends the better.
    if (this.#phase === 'playing' && this.#dryAt - now > ENOUGH_MS) return;
    this.#feed();
    this.#step();
  }

  #frame(frame: Frame, now: number): void {
    if (!this.#isPlayable(frame)) return;
    this.#meter.frame(frame, now);
    if (frame.kind === 'video' && frame.key && !this.#hasKey) {
      this.#hasKey = true;
      this.#report.state(State.FirstKeyFrame, 'the first key frame has come');
    }
    this.#go(this.#lineup.push(frame, now, this.#announced));
  }

  get #announced() {
    return this.#demuxer.announced ?? { audio: false, video: false };
  }

  /** Whether a frame's codec can be decoded here; sound that cannot is left out, pictures end it. */
  #isPlayable(frame: Frame): boolean {
    const { kind, codec, config } = frame;
    if (kind === 'data') return false;
    const isUnknown = codec === 'unknown';
    const track =
      kind === 'video' ? config && videoTrack(frame) : (config || codec === 'mp3') && audioTrack(frame)?.track;
    if (!isUnknown && (!track || canPlay(track))) return true;
    const name = track ? track.name : 'a codec without a name here';
    if (kind === 'video') {
      this.#finish({ kind: 'unsupported', code: State.CodecUnsupported, message: `${name} cannot be decoded here` });
      return false;
    }
    if (!this.#lineup.isExcluded('audio')) {
      this.#report.state(State.AudioDecodeFailed, `the sound, ${name}, cannot be decoded here`);
    }
    this.#lineup.exclude('audio');
    return false;
  }

  #go(go: Go | null): void {
    if (go === null) return;
    if (go.begin !== null) {
      this.#feed();
      const kinds = go.begin;
      this.#remuxer = new Remuxer(kinds);
      const showing = new Showing(this.#stage, kinds, this.#settings.muted, {
        failed: (message) => this.#sinkFailed(showing, message),
        overflowed: () => this.#sinkFailed(showing, 'there was no room for what came'),
        changed: () => this.#changed(showing),
        pictured: () => this.#pictured(showing),
      });
      this.#coming?.close(false);
      this.#coming = null;
      if (this.#current === null) this.#current = showing;
      else {
        this.#current.sink.finish();
        this.#coming = showing;
      }
    }
    for (const frame of go.frames) this.#remuxer?.push(frame);
  }

  /** Gives the sink what is whole. */
  #feed(): void {
    const segments = this.#remuxer?.take() ?? [];
    if (segments.length > 0) (this.#coming ?? this.#current)?.sink.append(segments);
  }

  #tick(): void {
    const now = performance.now();
    if (!this.#ended) {
      const [wait, what] = this.#isOpen ? [SILENCE_MS_MAX, 'nothing comes any more'] : [ANSWER_MS_MAX, 'no answer'];
      if (now - this.#cameAt > wait) {
        const code = this.#isOpen ? State.TransportFailed : State.ConnectFailed;
        this.#sourceEnded({ kind: 'lost', code, message: what });
      } else {
        this.#go(this.#lineup.tick(now, this.#announced));
        this.#feed();
      }
    }
    this.#step();
    if (this.#current !== null) this.#lookAt(this.#current, now);
    if (now - this.#statusAt >= STATUS_MS && !this.#ended) this.#readStatus(now);
  }

  /** Looks whether what should move does. */
  #lookAt(showing: Showing, now: number): void {
    this.#lookForStutter(showing, now);
    const shouldMove = this.#phase === 'playing' && !this.#isPaused && !showing.video.seeking;
    if (showing.isStuck(now, shouldMove)) this.#sinkFailed(showing, 'the pictures do not go on');
  }

  /** Holds the delay. */
  #step(): void {
    const showing = this.#current;
    if (showing === null || this.#isOver) return;
    if (this.#coming !== null) this.#handOver(showing, this.#coming);
    const now = this.#current;
    if (now === null) return;
    if (this.#isPaused || now.video.seeking) return;
    if (this.#phase === 'barred') {
      // Nobody may come for hours: what has passed is let go.
      this.#toEdge();
      return;
    }
    const buffered = now.isDry ? 0 : now.sink.ahead;
    this.#dryAt = performance.now() + buffered * 1000;
    const act = decide(
      {
        buffered,
        jitter: this.#meter.jitter,
        playing: this.#phase === 'playing',
        hasPlayed: this.#hasPlayed,
        isLast: this.#coming !== null || this.#ended !== null,
        rate: now.video.playbackRate,
      },
      this.#settings,
    );
    if (act.seek !== null && now.hasMedia) this.#skip(now, act.seek);
    if (now.video.playbackRate !== act.rate) now.video.playbackRate = act.rate;
    if (act.wait && this.#phase === 'playing') this.#fill(true);
    else if (!act.wait && this.#phase === 'filling' && now.hasMedia) this.#play(now);
    else if (this.#phase === 'playing' && now.video.paused && !now.video.ended && !this.#isHidden) this.#play(now);
    this.#endIfPlayedOut(now);
  }

  #skip({ sink }: Showing, before: number): void {
    this.#stutters.reset();
    sink.seekToEdge(before);
  }

  /** Stands still until there is enough. */
  #fill(say: boolean): void {
    this.#phase = 'filling';
    this.#current?.video.pause();
    if (say) this.#sayLoading('the buffer has run dry');
  }

  #sayLoading(message: string): void {
    this.#saidLoading = true;
    this.#tell(State.Loading, message);
  }

  #play(showing: Showing): void {
    const isFirst = this.#phase !== 'playing';
    this.#phase = 'playing';
    showing.video.play().then(
      () => undefined,
      (error: unknown) => {
        if (this.#isOver || showing !== this.#current) return;
        // Others are of a pause or a seek that came between.
        if (error instanceof DOMException && error.name === 'NotAllowedError') this.#bar();
      },
    );
    if (isFirst) this.#sayPlaying(showing);
  }

  /** Says so when it really moves. */
  #sayPlaying(showing: Showing): void {
    showing.video.addEventListener(
      'playing',
      () => {
        if (showing !== this.#current || this.#phase !== 'playing') return;
        // A browser that is busy tells of the first picture only when it has moved on.
        if (this.#size) this.#pictured(showing);
        if (this.#saidLoading || !this.#hasPlayed) this.#tell(State.Playing, 'playing');
        this.#saidLoading = false;
        this.#hasPlayed = true;
      },
      { once: true },
    );
  }

  /** The browser does not play sound before somebody has touched the page: the picture waits at the live edge. */
  #bar(): void {
    this.#phase = 'barred';
    this.#saidLoading = true;
    this.#tell(State.Loading, 'no sound before a gesture', { reason: 'autoplay' });
    for (const name of GESTURES) this.#stage.document.addEventListener(name, this.#onGesture, true);
  }

  readonly #onGesture = () => this.#unbar();

  #unbar(): void {
    for (const name of GESTURES) this.#stage.document.removeEventListener(name, this.#onGesture, true);
    if (this.#phase !== 'barred') return;
    this.#phase = 'filling';
    this.#toEdge();
    // Within the gesture: some browsers forget it at the next moment.
    if (this.#current && !this.#isPaused) this.#play(this.#current);
  }

  #toEdge(): void {
    const { target, high } = levelsOf(this.#meter.jitter, this.#settings);
    if (this.#current && this.#current.sink.ahead > high) this.#skip(this.#current, target);
  }

  /** A page that was hidden has pictures that stood still, and is late. */
  readonly #onVisibility = () => {
    this.#stutters.reset();
    if (this.#isHidden || this.#isPaused) return;
    this.#toEdge();
    this.#step();
  };

  get #isHidden(): boolean {
    return this.#stage.document.hidden;
  }

  /** What has begun anew takes over when what was before has run dry. */
  #handOver(current: Showing, coming: Showing): void {
    const isDry = current.isFailed || current.video.ended || current.sink.ahead < HAND_OVER_S;
    if (!isDry || !coming.hasMedia) return;
    this.#coming = null;
    this.#current = coming;
    this.#stutters.reset();
    if (coming.kinds.video) coming.show();
    // Where pictures have stopped the last one stays.
    current.close(!coming.kinds.video);
    this.#phase = this.#phase === 'barred' ? 'barred' : 'filling';
    this.#changed(coming);
  }

  /** The element says that something is otherwise. */
  #changed(showing: Showing): void {
    if (showing !== this.#current || this.#isOver) return;
    const { video } = showing;
    if (!this.#isDecoding && video.readyState >= HTMLMediaElement.HAVE_METADATA) {
      this.#isDecoding = true;
      this.#tell(State.DecoderStarted, 'the decoder has started');
    }
    const size = `${video.videoWidth}x${video.videoHeight}`;
    if (video.videoWidth > 0 && size !== this.#size) {
      this.#size = size;
      const { videoWidth: width, videoHeight: height } = video;
      this.#tell(State.SizeChanged, `the picture has ${size}`, { width, height });
    }
    if (showing.hasMedia) showing.show();
    this.#step();
  }

  #pictured(showing: Showing): void {
    if (showing !== this.#current || this.#isOver || this.#hasPicture) return;
    this.#hasPicture = true;
    this.#tell(State.FirstPicture, 'the first picture is on the screen');
  }

  /** Looks whether the picture stood still, for longer than it does in the stream itself. */
  #lookForStutter(showing: Showing, now: number): void {
    if (!this.#hasPlayed || this.#isPaused || this.#phase === 'barred' || this.#isHidden) {
      this.#stutters.reset();
      return;
    }
    const threshold = Math.max(this.#settings.stutterMs, OWN_FACTOR * this.#meter.intervalMs);
    const still = this.#stutters.see(now, showing.shownPictures, threshold);
    if (still === null) return;
    this.#meter.freezes += 1;
    const gapMs = Math.round(still);
    this.#tell(State.Stutter, `the picture stood still for ${gapMs} ms`, { gapMs });
  }

  /** The decoder cannot go on: it begins anew at the next key frame. */
  #sinkFailed(showing: Showing, message: string): void {
    if (this.#isOver || showing.isFailed) return;
    showing.isFailed = true;
    if (this.#ended !== null) return;
    this.#tell(this.#hasKey ? State.VideoDecodeFailed : State.AudioDecodeFailed, message);
    const now = performance.now();
    this.#failures = this.#failures.filter((at) => now - at < FAILURES_WITHIN_MS);
    this.#failures.push(now);
    if (this.#failures.length > FAILURES_MAX) {
      const words = `it could not be decoded: ${message}`;
      this.#finish({ kind: 'unsupported', code: State.CodecUnsupported, message: words });
      return;
    }
    this.#remuxer = null;
    this.#lineup.restart();
  }

  #readStatus(now: number): void {
    this.#statusAt = now;
    const showing = this.#current;
    showing?.sink.trim();
    const { high } = levelsOf(this.#meter.jitter, this.#settings);
    this.#meter.read({
      now,
      shown: showing?.shownPictures ?? 0,
      width: showing?.video.videoWidth ?? 0,
      height: showing?.video.videoHeight ?? 0,
      videoCache: 1000 * (showing?.sink.aheadOf('video') ?? 0),
      audioCache: 1000 * (showing?.sink.aheadOf('audio') ?? 0),
      threshold: 1000 * high,
      transport: this.#place.transport,
    });
    const isUneven = this.#meter.jitter > Math.max(1, this.#settings.minCache);
    if (isUneven && now - this.#unevenAt > UNEVEN_MS) {
      this.#unevenAt = now;
      this.#tell(State.Uneven, `uneven by ${this.#meter.status.netJitter} ms`);
    }
  }

  /** The source has ended; what is there is played out. */
  #sourceEnded(end: End): void {
    if (this.#ended !== null || this.#isOver) return;
    if (this.#current === null || end.kind === 'refused' || end.kind === 'not-found') {
      this.#finish(end);
      return;
    }
    this.#source?.close();
    this.#ended = end;
    const segments = this.#remuxer?.finish() ?? [];
    const { sink } = this.#coming ?? this.#current;
    sink.append(segments);
    sink.finish();
    // Who has to come back begins with it at once; who has seen it all sees the end first.
    if (end.kind !== 'ended') this.#report.end(end);
    this.#step();
  }

  #endIfPlayedOut({ video, sink, isFailed }: Showing): void {
    if (this.#ended === null || this.#coming !== null) return;
    if (!isFailed && !video.ended && sink.ahead > END_S && !this.#isPaused) return;
    const end = this.#ended;
    this.#close();
    if (end.kind === 'ended') this.#report.end(end);
  }

  /** Ends at once. */
  #finish(end: End): void {
    if (this.#isOver || this.#ended !== null) return;
    this.#ended = end;
    this.stop();
    this.#report.end(end);
  }

  /** Lets go of everything but the picture. */
  #close(): void {
    this.#isOver = true;
    this.#source?.close();
    this.#source = null;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#unbar();
    this.#stage.document.removeEventListener('visibilitychange', this.#onVisibility);
  }

  /** Says something, as long as there is somebody to say it to. */
  #tell(...state: Parameters<Report['state']>): void {
    if (!this.#isOver && this.#ended === null) this.#report.state(...state);
  }
}

/** Our server begins so deep as it is asked to; it does a second without. */
function withCache(url: string, start: number): string {
  const ms = Math.min(Math.round(start * 1000), SERVER_CACHE_MS_MAX);
  return ms === SERVER_CACHE_MS ? url : withParameter(url, 'cache', String(ms));
}

/** Few, because each takes media in, which is what costs most. */
const TICK_MS = 400;
/** With so much left what comes may wait for the tick, even one that is late. */
const ENOUGH_MS = 700;
const STATUS_MS = 1000;
/** A server answers for a stream whose publisher has yet to come after 10 s. */
const ANSWER_MS_MAX = 15_000;
/** Media comes many times a second; a publisher that comes back within this is waited for on the same connection. */
const SILENCE_MS_MAX = 10_000;
/** Pictures that come so much more rarely than usual stand still. */
const OWN_FACTOR = 1.5;
const UNEVEN_MS = 10_000;
/** So little is left when what has begun anew takes over: by then everything that comes is looked at. */
const HAND_OVER_S = 0.2;
/** What is left when all is played: less than a picture. */
const END_S = 0.03;
/** A stream that so often cannot be decoded never will be. Each that is stuck takes some seconds to be found so. */
const FAILURES_MAX = 5;
const FAILURES_WITHIN_MS = 60_000;
const SERVER_CACHE_MS = 1000;
const SERVER_CACHE_MS_MAX = 5000;
/** What browsers count as somebody's will. */
const GESTURES = ['pointerup', 'keydown', 'click'] as const;
