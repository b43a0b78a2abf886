/** Pushing over WebTransport: RTMP-UDP's control session and a stream for each frame. */

import { addressOf, body, type control, discover, type Frame, session, Unreachable } from '@thalweg/player/wire';
import { Outbox, type Outgoing } from './outbox';
import type { Place } from './place';
import {
  type Failure,
  Stalls,
  TICK_MS,
  Unconnected,
  type Uplink,
  type UplinkListener,
  type Vitals,
  within,
} from './uplink';
import { wordsOf } from './words';

export class RtmpUdp implements Uplink {
  readonly transport = 'rtmp-udp';
  readonly #transport: WebTransport;
  readonly #session: session.Session;
  readonly #control: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #listener: UplinkListener;
  readonly #outbox = new Outbox(performance.now());
  readonly #stalls = new Stalls(performance.now());
  readonly #writers = new Map<number, WritableStreamDefaultWriter<Uint8Array>>();
  /** What was given up before it got its stream, and by which code. */
  readonly #unwritten = new Map<number, number>();
  readonly #timer: ReturnType<typeof setInterval>;
  #started: ((failure: Failure | null) => void) | null = null;
  #isOver = false;
  #sentBytes = 0;
  #lookedAt = performance.now();
  #reported = { lost: 0, received: 0 };
  #lostPerMille = 0;
  #wasGated = false;

  /**
   * Connects and asks to publish.
   * @throws Unconnected when the server says no, or nothing comes through.
   */
  static async connect(place: Place, listener: UplinkListener, signal: AbortSignal): Promise<RtmpUdp> {
    if (typeof WebTransport === 'undefined') throw blocked('no-udp', 'this browser, or this page, has no WebTransport');
    const transport = await open(place.origin, signal);
    const leave = () => transport.close();
    signal.addEventListener('abort', leave, { once: true });
    try {
      const shaken = within(HANDSHAKE_MAX_MS, transport.ready, () => blocked('no-handshake', 'no handshake over UDP'));
      await shaken.catch((error: unknown) => {
        throw error instanceof Unconnected
          ? error
          : blocked('no-handshake', `no handshake over UDP: ${wordsOf(error)}`);
      });
      const { readable, writable } = await transport.createBidirectionalStream({ sendOrder: Number.MAX_SAFE_INTEGER });
      const uplink = new RtmpUdp(transport, readable, writable, place, listener);
      await uplink.#publish();
      return uplink;
    } catch (error) {
      transport.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  private constructor(
    transport: WebTransport,
    readable: ReadableStream<Uint8Array>,
    writable: WritableStream<Uint8Array>,
    { tcUrl, app, name }: Place,
    listener: UplinkListener,
  ) {
    this.#transport = transport;
    this.#control = writable.getWriter();
    this.#reader = readable.getReader();
    this.#listener = listener;
    this.#session = new session.Session({ verb: 'publish', tcUrl, app, name });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    // Nobody waits for these: what fails shows where something is read or written.
    this.#control.closed.catch(() => {});
    void this.#listen();
  }

  send(frame: Frame): void {
    if (this.#isOver) return;
    const now = this.#now();
    this.#outbox.push(frame, body.encodeBody(frame), now);
    this.#mindGate(now);
    this.#work(now);
  }

  look(now: number): Vitals {
    const { video, audio } = this.#outbox.waiting;
    const sentKbps = Math.round((this.#sentBytes * 8) / Math.max(1, now - this.#lookedAt));
    [this.#sentBytes, this.#lookedAt] = [0, now];
    const dropped = this.#wasGated || this.#outbox.isGated;
    this.#wasGated = false;
    const { given } = this.#outbox;
    const path = this.#outbox.look(now);
    return {
      ...path,
      lostPerMille: this.#lostPerMille,
      dropped,
      waitingVideo: video,
      waitingAudio: audio,
      sentKbps,
      given,
    };
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    const isEmpty = () => this.#writers.size === 0;
    for (const until = performance.now() + DRAIN_MAX_MS; !isEmpty() && performance.now() < until && !this.#isOver; ) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    if (this.#isOver) return;
    this.#session.close();
    await within(LAST_WORD_MS, this.#say(), () => new Error('the last word')).catch(() => {});
    await within(LAST_WORD_MS, this.#transport.closed, () => new Error('the last word')).catch(() => {});
    this.abort();
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#writers.clear();
    this.#reader.cancel().catch(() => {});
    // A session that failed already throws.
    try {
      this.#transport.close();
    } catch {}
  }

  #publish(): Promise<void> {
    const answer = new Promise<Failure | null>((resolve) => {
      this.#started = resolve;
    });
    const late = () => new Unconnected({ kind: 'lost', code: 3003, message: 'the server does not answer' });
    const asked = within(ANSWER_MAX_MS, answer, late).then((failure) => {
      if (failure) throw new Unconnected(failure);
    });
    void this.#say();
    return asked.finally(() => {
      this.#started = null;
    });
  }

  async #listen(): Promise<void> {
    try {
      for (;;) {
        const { value, done } = await this.#reader.read();
        if (done) break;
        for (const event of this.#session.handleBytes(value)) this.#handle(event);
        await this.#say();
      }
      await this.#transport.closed;
      this.#end({ kind: 'lost', code: 3005, message: 'the server closed the connection' });
    } catch (error) {
      this.#end({ kind: 'lost', code: 3005, message: wordsOf(error) });
    }
  }

  #handle(event: session.SessionEvent): void {
    switch (event.kind) {
      case 'started':
        this.#started?.(null);
        break;
      case 'refused':
      case 'ended':
        this.#end(failureOf(event.status));
        break;
      case 'key-request':
        this.#outbox.handleKeyRequest();
        this.#listener.keyWanted();
        break;
      case 'report':
        this.#heed(event.report);
        break;
      case 'clock-request':
        this.#session.answerClock(event.id, event.asked, Date.now());
    }
  }

  /** What the server says it has: of the frames since the last time, how many did not come. */
  #heed({ videoLost, audioLost, videoReceived, audioReceived }: control.Report): void {
    const [lost, received] = [videoLost + audioLost, videoReceived + audioReceived];
    const [newLost, newReceived] = [lost - this.#reported.lost, received - this.#reported.received];
    this.#lostPerMille = newLost > 0 ? (newLost * 1000) / Math.max(1, newLost + newReceived) : 0;
    this.#reported = { lost, received };
  }

  /** Ends by itself, and says so once. */
  #end(failure: Failure): void {
    if (this.#isOver) return;
    this.abort();
    if (this.#started) this.#started(failure);
    else this.#listener.ended(failure);
  }

  #tick(): void {
    const now = this.#now();
    this.#outbox.handleTimeout(now);
    this.#mindGate(now);
    this.#work(now);
  }

  /** The time; what this page slept through is excused. In the background timers are slow, and nothing is. */
  #now(): number {
    const now = performance.now();
    const stalled = this.#stalls.note(now);
    if (stalled > 0 && !document.hidden) this.#outbox.excuse(stalled);
    return now;
  }

  /** Pictures are held back until a key frame; one is wanted as soon as the path has room for it. */
  #mindGate(now: number): void {
    this.#wasGated ||= this.#outbox.isGated;
    if (this.#outbox.isKeyDue(now)) this.#listener.keyWanted();
  }

  #work(now: number): void {
    if (this.#isOver) return;
    const messages = this.#outbox.takeMessages();
    for (const message of messages) this.#session.say(message);
    if (messages.length > 0) void this.#say();
    for (const { id, code } of this.#outbox.takeResets()) {
      const writer = this.#writers.get(id);
      this.#writers.delete(id);
      if (writer) writer.abort(resetBy(code)).catch(() => {});
      else this.#unwritten.set(id, code);
    }
    for (let next = this.#outbox.next(now); next; next = this.#outbox.next(now)) void this.#write(next);
  }

  /** A stream of media. That it is closed means that the server has all of it. */
  async #write({ id, sendOrder, chunks }: Outgoing): Promise<void> {
    try {
      const stream = await this.#transport.createUnidirectionalStream({ sendOrder });
      if (this.#isOver) return;
      const writer = stream.getWriter();
      writer.closed.catch(() => {});
      const given = this.#unwritten.get(id);
      if (given !== undefined) return await writer.abort(resetBy(given));
      this.#writers.set(id, writer);
      for (const chunk of chunks) {
        this.#sentBytes += chunk.length;
        writer.write(chunk).catch(() => {});
      }
      await writer.close();
    } catch {
      // Reset by ourselves, or the connection is over; the control stream says which.
    } finally {
      this.#writers.delete(id);
      this.#unwritten.delete(id);
    }
    const now = this.#now();
    this.#outbox.handleDone(id, now);
    this.#work(now);
  }

  async #say(): Promise<void> {
    const bytes = this.#session.pollTransmit();
    if (bytes) await this.#control.write(bytes).catch(() => {});
  }
}

/** Asks where it is served, and with which certificates, and begins to connect. */
async function open(origin: string, signal: AbortSignal): Promise<WebTransport> {
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(DISCOVERY_MAX_MS)]);
  try {
    const found = await discover(origin, inTime);
    const serverCertificateHashes = found.certSha256.map((value) => ({ algorithm: 'sha-256', value }));
    return new WebTransport(addressOf(found), { serverCertificateHashes, congestionControl: 'low-latency' });
  } catch (error) {
    // A server that is away for a moment, as one that starts anew, has UDP when it is back.
    const isAway = inTime.aborted || (error instanceof Unreachable && error.failure === 'no-server');
    if (!isAway) throw blocked('no-udp', wordsOf(error));
    throw new Unconnected({ kind: 'lost', code: 3002, message: wordsOf(error) });
  }
}

function failureOf({ code, reason, description, isError }: session.Status): Failure {
  const message = description || code;
  // A server that stops comes back, and a publisher that was replaced had better not.
  if (reason === 'stopping' || code === 'NetConnection.Connect.AppShutdown')
    return { kind: 'lost', code: 3005, message };
  if (code === 'NetStream.Publish.Replaced') return { kind: 'refused', reason: 'replaced', message };
  if (code === 'NetConnection.Connect.Closed') return { kind: 'lost', code: 3005, message };
  return { kind: 'refused', reason: reason || (isError ? 'refused' : 'ended'), message };
}

/** What resets a stream with a code. Browsers differ in how it is made. */
function resetBy(code: number): WebTransportError {
  const init = { message: 'given up', streamErrorCode: code };
  try {
    return new WebTransportError('given up', init);
  } catch {
    return new (WebTransportError as unknown as new (init: WebTransportErrorOptions) => WebTransportError)(init);
  }
}

function blocked(why: 'no-udp' | 'no-handshake', message: string): Unconnected {
  return new Unconnected({ kind: 'blocked', why, message });
}

/** Where UDP is blocked nothing answers. */
const HANDSHAKE_MAX_MS = 1000;
const DISCOVERY_MAX_MS = 3000;
/** A server may have to ask an account's own back end first. */
const ANSWER_MAX_MS = 30_000;
const DRAIN_MAX_MS = 1000;
const LAST_WORD_MS = 500;
