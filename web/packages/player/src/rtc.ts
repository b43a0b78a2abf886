/** RTC mode: a play over RTMP-UDP, from the connection to its end. What is seen and heard of it is {@link Program}'s. */

import type { End, Engine, MakeEngine, Report, Settings } from './engine';
import { type Details, type NetStatus, NO_STATUS, State } from './events';
import { wordsOf } from './misbehaved';
import { endOfClose, endOfFailure, endOfStatus, isUnexplained } from './rtc-end';
import { Program } from './rtc-media';
import { Clock } from './rtmp-udp/clock';
import { Close, encodeReport } from './rtmp-udp/control';
import { INSUFFICIENT, REPORT_MS, Session, type SessionEvent, type Status } from './rtmp-udp/session';
import { Connection, Unreachable } from './source/webtransport';
import type { Stage } from './stage';
import type { RtcPlace } from './url';

/** Makes an engine that plays over RTMP-UDP, once. */
export const makeRtc: MakeEngine<RtcPlace> = (place, stage, settings, report) =>
  new Rtc(place, stage, settings, report);

/** Why this page cannot play over RTMP-UDP at all; `null` where it can. */
export function whyNot(): string | null {
  if (!globalThis.isSecureContext) return 'the page is not secure: WebTransport needs https';
  const needed = ['WebTransport', 'VideoDecoder', 'AudioDecoder', 'AudioContext', 'AudioWorkletNode'];
  const missing = needed.find((name) => !(name in globalThis));
  return missing === undefined ? null : `this browser has no ${missing}`;
}

class Rtc implements Engine {
  readonly #place: RtcPlace;
  readonly #stage: Stage;
  readonly #report: Report;
  #settings: Settings;
  readonly #abort = new AbortController();
  #program: Program | null = null;
  #connection: Connection | null = null;
  #session: Session | null = null;
  #clock = new Clock(performance.now());
  #timer: ReturnType<typeof setInterval> | undefined;
  #isOver = false;
  #isPaused = false;
  /** What the server ended it with, while only the close can say what it means. */
  #lastWords: Status | null = null;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;
  /** When something came last; while it is not played yet, when that was asked for. */
  #heardAt = 0;
  #tickedAt = 0;
  #reportAt = 0;
  #keyAskedAt = Number.NEGATIVE_INFINITY;
  #roundTrip = 0;
  #status: NetStatus | null = null;

  constructor(place: RtcPlace, stage: Stage, settings: Settings, report: Report) {
    this.#place = place;
    this.#stage = stage;
    this.#settings = settings;
    this.#report = report;
  }

  start(): void {
    void this.#connect();
  }

  stop(): void {
    this.#isOver = true;
    this.#abort.abort();
    clearInterval(this.#timer);
    clearTimeout(this.#closeTimer);
    const session = this.#session;
    session?.close();
    this.#say();
    this.#connection?.close();
    this.#program?.close();
  }

  pause(): void {
    this.#isPaused = true;
    this.#session?.pause(true);
    this.#say();
    this.#program?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#program?.resume();
    this.#session?.pause(false);
    this.#say();
  }

  set(settings: Settings): void {
    this.#settings = settings;
    this.#program?.set(settings);
  }

  status(): NetStatus {
    return this.#status ?? this.#program?.status ?? NO_STATUS_YET;
  }

  snapshot(): Promise<ImageBitmap> {
    const none = () => Promise.reject(new DOMException('there is no picture yet', 'InvalidStateError'));
    return this.#program?.snapshot() ?? none();
  }

  async #connect(): Promise<void> {
    // Nothing is reported from within a call of the player's.
    await Promise.resolve();
    const why = whyNot();
    if (why !== null) return this.#end({ kind: 'unsupported', code: State.NoAcceleration, message: why });
    const late = setTimeout(() => this.#abort.abort(), HANDSHAKE_MS);
    try {
      const events = {
        control: (bytes: Uint8Array) => this.#hear(bytes),
        media: this.#media,
        gone: this.#gone,
        closed: (code: number | null, reason: string) => this.#closed(code, reason),
      };
      this.#connection = await Connection.open(this.#place.origin, events, this.#abort.signal);
    } catch (error) {
      const failure = error instanceof Unreachable ? error.failure : 'no-handshake';
      return this.#end(endOfFailure(failure, wordsOf(error)));
    } finally {
      clearTimeout(late);
    }
    if (this.#isOver) return this.#connection.close();
    this.#begin();
  }

  #begin(): void {
    const { tcUrl, app, name } = this.#place;
    const resume = seats.take(this.#place, performance.now());
    this.#session = new Session({ verb: 'play', tcUrl, app, name, ...(resume === null ? {} : { resume }) });
    this.#program = new Program(this.#stage, this.#settings, {
      state: (code, message, details) => this.#tell(code, message, details),
      volume: (volume) => this.#isOver || this.#report.volume?.(volume),
      unsupported: (message) => this.#end({ kind: 'unsupported', code: State.CodecUnsupported, message }),
      clockOffset: () => this.#clock.offset,
    });
    this.#say();
    this.#tell(State.Connected, 'connected');
    if (this.#isOver) return;
    if (this.#isPaused) this.pause();
    this.#heardAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  readonly #media: Parameters<typeof Connection.open>[1]['media'] = (media) => {
    this.#heardAt = performance.now();
    this.#program?.media(media);
  };

  readonly #gone: Parameters<typeof Connection.open>[1]['gone'] = (header) => this.#program?.gone(header);

  #hear(bytes: Uint8Array): void {
    if (this.#session?.isRunning) this.#heardAt = performance.now();
    for (const event of this.#session?.handleBytes(bytes) ?? []) {
      this.#on(event);
      if (this.#isOver) return;
    }
    this.#say();
  }

  #on(event: SessionEvent): void {
    switch (event.kind) {
      case 'started':
        this.#heardAt = performance.now();
        this.#clock = new Clock(this.#heardAt);
        this.#reportAt = this.#heardAt + REPORT_MS;
        this.#tell(State.StreamBegins, 'it begins');
        break;
      case 'config':
        this.#program?.config(event.message);
        break;
      case 'stat':
        this.#roundTrip = event.stat.srttMs;
        break;
      case 'clock':
        this.#clock.handleResponse(event.response, performance.now());
        break;
      case 'clock-request':
        this.#session?.answerClock(event.id, event.asked, Date.now());
        break;
      case 'status':
        if (event.status.code === INSUFFICIENT) this.#tell(State.Uneven, 'the path is too narrow');
        break;
      case 'reconnect':
        this.#end({ kind: 'lost', code: State.ServerClosed, message: 'the server has closed' });
        break;
      case 'refused':
      case 'ended':
        if (isUnexplained(event.status)) this.#awaitClose(event.status);
        else this.#end(endOfStatus(event.status));
    }
  }

  #awaitClose(status: Status): void {
    this.#lastWords = status;
    this.#closeTimer = setTimeout(() => this.#end(endOfStatus(status)), CLOSE_MS);
  }

  #closed(code: number | null, reason: string): void {
    const isExplained = code === Close.TooSlow || this.#lastWords === null;
    this.#end(isExplained || this.#lastWords === null ? endOfClose(code, reason) : endOfStatus(this.#lastWords));
  }

  /** Ten times a second, less in a page that nobody sees. */
  #tick(): void {
    const now = performance.now();
    // A page that has slept hears first what has come meanwhile.
    if (now - this.#tickedAt > SLEPT_MS) this.#heardAt = now;
    this.#tickedAt = now;
    this.#program?.tick();
    const session = this.#session;
    if (session === null || this.#program === null || this.#isOver) return;
    const { isRunning } = session;
    if (now - this.#heardAt > (isRunning ? SILENCE_MS : ANSWER_MS_MAX)) {
      const code = isRunning ? State.TransportFailed : State.HandshakeFailed;
      this.#end({ kind: 'lost', code, message: 'nothing comes any more' });
      return;
    }
    if (!isRunning) return;
    const question = this.#clock.pollQuestion(now);
    if (question !== null) session.askClock(question, now);
    if (now >= this.#reportAt) this.#sendReport(now, session, this.#program);
    this.#say();
  }

  #sendReport(now: number, session: Session, program: Program): void {
    this.#reportAt = now + REPORT_MS;
    program.roundTrip = this.#roundTrip;
    const { status, report } = program.look();
    this.#status = status;
    if (this.#isOver) return;
    if (program.wantsKey && now - this.#keyAskedAt >= KEY_PAUSE_MS) {
      this.#keyAskedAt = now;
      session.askKey();
    }
    session.say(encodeReport(report));
  }

  /** Sends what the session has to say. */
  #say(): void {
    const bytes = this.#session?.pollTransmit();
    if (!bytes || !this.#connection || this.#connection.say(bytes) || this.#isOver) return;
    this.#end({ kind: 'lost', code: State.TransportFailed, message: 'the server does not read' });
  }

  #tell(code: State, message: string, details?: Details): void {
    if (!this.#isOver) this.#report.state(code, message, details);
  }

  #end(end: End): void {
    if (this.#isOver) return;
    const name = this.#session?.name ?? null;
    if (end.kind === 'lost' && name !== null) seats.keep(this.#place, name, performance.now());
    this.stop();
    this.#report.end(end);
  }
}

/**
 * The seats of plays that broke off, by the name that the server gave them: who comes back under it does not count
 * twice, while the server has not noticed yet that it was away.
 */
class Seats {
  readonly #kept = new Map<string, { name: string; at: number }>();

  keep(place: RtcPlace, name: string, at: number): void {
    const key = keyOf(place);
    this.#kept.delete(key);
    this.#kept.set(key, { name, at });
    if (this.#kept.size <= SEATS_MAX) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }

  take(place: RtcPlace, now: number): string | null {
    const kept = this.#kept.get(keyOf(place));
    this.#kept.delete(keyOf(place));
    return kept !== undefined && now - kept.at < SEAT_MS ? kept.name : null;
  }
}

function keyOf({ origin, app, name }: RtcPlace): string {
  return `${origin}/${app}/${name}`;
}

const NO_STATUS_YET: NetStatus = { ...NO_STATUS, transport: 'rtmp-udp' };

const seats = new Seats();
/** Players of one page. */
const SEATS_MAX = 16;
/** A server gives a seat back when it has heard nothing for 6 s; a lost connection may take longer to be noticed. */
const SEAT_MS = 15_000;
/** Without an answer for so long there is nobody, or UDP does not get through. */
const HANDSHAKE_MS = 10_000;
/** A server answers for a stream whose publisher has yet to come after 10 s. */
const ANSWER_MS_MAX = 15_000;
/** The server says something each second, whatever happens. */
const SILENCE_MS = 4000;
const TICK_MS = 100;
/** A timer that comes so much too late was put to sleep. */
const SLEPT_MS = 2000;
const KEY_PAUSE_MS = 1000;
/** From the last word to the close: a server waits for a second at most. */
const CLOSE_MS = 1500;
