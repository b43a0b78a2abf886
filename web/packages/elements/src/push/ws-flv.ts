/** Pushing FLV over a WebSocket (`docs/ref/ws-flv.md`): where there is no way over UDP. */

import { body, type Frame, mux } from '@thalweg/player/wire';
import type { Place } from './place';
import {
  type Failure,
  isSame,
  Stalls,
  TICK_MS,
  Unconnected,
  type Uplink,
  type UplinkListener,
  type Vitals,
} from './uplink';

export class WsFlv implements Uplink {
  readonly transport = 'ws-flv';
  readonly #socket: WebSocket;
  readonly #listener: UplinkListener;
  readonly #queue: Queue;
  readonly #stalls = new Stalls(performance.now());
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #said = new Map<Frame['kind'], Uint8Array>();
  #isOver = false;

  /**
   * Connects. A server that refuses accepts the socket first, so that it can say why: what becomes of it is told to
   * the listener.
   * @throws Unconnected when nothing comes through.
   */
  static connect(place: Place, patienceMs: number, listener: UplinkListener, signal: AbortSignal): Promise<WsFlv> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(place.ws, SUBPROTOCOL);
      socket.binaryType = 'arraybuffer';
      let settled: ReturnType<typeof setTimeout> | undefined;
      const done = (settle: () => void) => {
        clearTimeout(timer);
        clearTimeout(settled);
        signal.removeEventListener('abort', leave);
        socket.onclose = socket.onopen = null;
        settle();
      };
      const fail = (failure: Failure) =>
        done(() => {
          socket.close();
          reject(new Unconnected(failure));
        });
      const leave = () => fail({ kind: 'lost', code: 3002, message: 'stopped' });
      const late = () => fail({ kind: 'lost', code: 3002, message: `${new URL(place.ws).host} does not answer` });
      const timer = setTimeout(late, CONNECT_MAX_MS);
      signal.addEventListener('abort', leave, { once: true });
      socket.onclose = (event) => fail(failureOf(event, 3002));
      // A refusal follows at once; what is told only then is told as one.
      socket.onopen = () => {
        settled = setTimeout(() => done(() => resolve(new WsFlv(socket, patienceMs, listener))), SETTLE_MS);
        socket.onclose = (event) => fail(failureOf(event, 3004));
      };
    });
  }

  private constructor(socket: WebSocket, patienceMs: number, listener: UplinkListener) {
    this.#socket = socket;
    this.#listener = listener;
    this.#queue = new Queue(patienceMs, performance.now());
    socket.onclose = (event) => this.#end(failureOf(event, 3005));
    socket.send(mux.fileHeader(true, true));
    this.#timer = setInterval(() => this.#look(), TICK_MS);
  }

  send(frame: Frame): void {
    if (this.#isOver || this.#socket.readyState !== WebSocket.OPEN) return;
    const bytes = body.encodeBody(frame);
    if (frame.config && !this.#isNew(frame.kind, bytes)) return;
    const now = this.#look();
    if (this.#isOver) return;
    const isLetThrough = this.#queue.letsThrough(frame, now);
    if (this.#queue.isKeyDue(now)) this.#listener.keyWanted();
    if (!isLetThrough) return;
    const tag = mux.tag(TYPES[frame.kind], Math.round(frame.dts), bytes);
    this.#queue.push(frame.kind, tag.length, now);
    this.#socket.send(tag);
  }

  look(now: number): Vitals {
    this.#queue.look(this.#socket.bufferedAmount, now);
    return this.#queue.vitals(now);
  }

  async close(): Promise<void> {
    const isEmpty = () => this.#socket.bufferedAmount === 0;
    for (const until = performance.now() + DRAIN_MAX_MS; !isEmpty() && performance.now() < until; ) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.abort();
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#socket.onclose = null;
    this.#socket.close();
  }

  /**
   * Looks at what waits now, and answers the time; it may be the end. What this page slept through is excused, as over
   * UDP.
   */
  #look(): number {
    const now = performance.now();
    const stalled = this.#stalls.note(now);
    if (stalled > 0 && !document.hidden) this.#queue.excuse(stalled);
    this.#queue.look(this.#socket.bufferedAmount, now);
    // A network that is gone without a word is told of by nobody, for minutes. Who has just slept looks again first.
    const isStuck = stalled === 0 && this.#queue.age(now) > STUCK_MS;
    if (isStuck) this.#end({ kind: 'lost', code: 3005, message: 'what is sent waits for ten seconds' });
    return now;
  }

  /** Configuration is said when it is new. */
  #isNew(kind: Frame['kind'], config: Uint8Array): boolean {
    const said = this.#said.get(kind);
    if (said && isSame(said, config)) return false;
    this.#said.set(kind, config);
    return true;
  }

  #end(failure: Failure): void {
    if (this.#isOver) return;
    this.abort();
    this.#listener.ended(failure);
  }
}

/**
 * What waits within the browser, known by its `bufferedAmount` alone. Pure. When the oldest of it has waited for
 * longer than patience, pictures are left out up to the next key frame, and that is wanted once the rest is gone.
 */
export class Queue {
  readonly #patienceMs: number;
  /** What was written, oldest first: where it ends in the stream, and when it was written. */
  #waiting: { end: number; at: number; kind: Frame['kind'] }[] = [];
  #written = 0;
  #gone = 0;
  #isGated = false;
  #wasGated = false;
  #since: number;
  #goneBefore = 0;
  #writtenBefore = 0;
  #waits: number[] = [];
  #given = 0;

  constructor(patienceMs: number, now: number) {
    this.#patienceMs = patienceMs;
    this.#since = now;
  }

  push(kind: Frame['kind'], bytes: number, now: number): void {
    this.#written += bytes;
    this.#waiting.push({ end: this.#written, at: now, kind });
  }

  /** So long nobody here could take note of anything. */
  excuse(ms: number): void {
    for (const piece of this.#waiting) piece.at += ms;
  }

  /** So much is buffered now. */
  look(buffered: number, now: number): void {
    this.#gone = Math.max(this.#gone, this.#written - buffered);
    let count = 0;
    for (const { end, at } of this.#waiting) {
      if (end > this.#gone) break;
      this.#waits.push(now - at);
      count += 1;
    }
    this.#waiting.splice(0, count);
    this.#waits.splice(0, this.#waits.length - WAITS_MAX);
  }

  /** How long the oldest of it has waited. */
  age(now: number): number {
    return now - (this.#waiting[0]?.at ?? now);
  }

  /** Whether a frame is sent. Sound and configuration always are. */
  letsThrough(frame: Frame, now: number): boolean {
    if (frame.kind !== 'video' || frame.config) return true;
    const isLate = this.age(now) > this.#patienceMs;
    if (frame.key && !isLate) this.#isGated = false;
    else if (isLate) this.#isGated = true;
    this.#wasGated ||= this.#isGated;
    if (this.#isGated) this.#given += 1;
    return !this.#isGated;
  }

  isKeyDue(now: number): boolean {
    return this.#isGated && this.age(now) < this.#patienceMs / 4;
  }

  vitals(now: number): Vitals {
    const span = Math.max(1, now - this.#since);
    const takenKbps = Math.round(((this.#gone - this.#goneBefore) * 8) / span);
    const sentKbps = Math.round(((this.#written - this.#writtenBefore) * 8) / span);
    const [least, most] = [Math.min(...this.#waits), Math.max(...this.#waits)];
    const jitterMs = this.#waits.length > 1 ? Math.round(most - least) : 0;
    const dropped = this.#wasGated;
    [this.#since, this.#goneBefore, this.#writtenBefore] = [now, this.#gone, this.#written];
    this.#waits = [];
    this.#wasGated = this.#isGated;
    const waitingVideo = this.#waiting.filter(({ kind }) => kind === 'video').length;
    const waitingAudio = this.#waiting.filter(({ kind }) => kind === 'audio').length;
    const given = this.#given;
    const backlogMs = this.age(now);
    return { backlogMs, takenKbps, lostPerMille: 0, dropped, waitingVideo, waitingAudio, sentKbps, jitterMs, given };
  }
}

/** What a close means: its code, and its reason, which begins with the server's word for it. */
export function failureOf({ code, reason }: { code: number; reason: string }, lostCode: number): Failure {
  const word = reason.startsWith('replaced') ? 'replaced' : (/^([a-z-]+)(?::|$)/.exec(reason)?.[1] ?? '');
  const message = reason || `the connection was closed: ${code}`;
  const isRefusal = code > 4000 && code < 5000 && word !== 'stopping';
  if (isRefusal) return { kind: 'refused', reason: word || 'refused', message };
  return { kind: 'lost', code: lostCode, message };
}

const SUBPROTOCOL = 'flv-publish';
const TYPES = { audio: 8, video: 9, data: 18 } as const;
const CONNECT_MAX_MS = 10_000;
/** A refusal is there a round trip after the socket is open: usually in the same flight. */
const SETTLE_MS = 150;
const DRAIN_MAX_MS = 1000;
/** What waits for so long will not go out; until then sound waits, 80 kB of it. */
const STUCK_MS = 10_000;
/** Of the last look: a few seconds of frames. */
const WAITS_MAX = 256;
