/**
 * A WebTransport connection to a server of RTMP-UDP (`docs/ref/rtmp-udp.md`, sections 1 to 4): where it is, the one
 * control stream, and what the streams of media bring. What any of it means is for others to say.
 */

import { Misbehaved } from '../misbehaved';
import { Close } from '../rtmp-udp/control';
import { type Header, type Media, StreamReader } from '../rtmp-udp/media';
import { textOf } from './source';

/** What `/ull` says. */
export interface Discovery {
  host: string;
  udpPort: number;
  path: string;
  /** SHA-256 of the certificates that the server shows, now and next. None where an authority vouches for it. */
  certSha256: Uint8Array<ArrayBuffer>[];
}

/** Why there is no connection: not there at all, switched off, or no handshake. */
export type Failure = 'no-server' | 'no-udp' | 'no-handshake';

export class Unreachable extends Error {
  override readonly name = 'Unreachable';
  constructor(
    readonly failure: Failure,
    message: string,
  ) {
    super(message);
  }
}

/** Asks a server where it serves RTMP-UDP. */
export async function discover(origin: string, signal: AbortSignal): Promise<Discovery> {
  const answer = await fetch(`${origin}/ull`, { credentials: 'omit', cache: 'no-store', signal }).catch((error) => {
    throw new Unreachable('no-server', `${origin} does not answer: ${String(error)}`);
  });
  if (answer.status === 404) throw new Unreachable('no-udp', `${origin} has no RTMP over UDP: is it http-origin?`);
  if (!answer.ok) throw new Unreachable('no-server', `/ull: ${answer.status}`);
  const found = readDiscovery(await textOf(answer));
  if (found === null) throw new Unreachable('no-udp', '/ull does not say where it is');
  return found;
}

/** Reads what `/ull` says; `null` where that cannot be. */
export function readDiscovery(text: string): Discovery | null {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return null;
  }
  const { host, udpPort, path, certSha256 = [] } = (said ?? {}) as Record<string, unknown>;
  const isPlace =
    typeof host === 'string' && typeof udpPort === 'number' && typeof path === 'string' && path.startsWith('/');
  if (!isPlace || !Array.isArray(certSha256) || certSha256.length > HASHES_MAX) return null;
  if (!certSha256.every((hash) => typeof hash === 'string' && SHA256.test(hash))) return null;
  const bytes = (hash: string) => Uint8Array.from(hash.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const found = { host, udpPort, path, certSha256: certSha256.map(bytes) };
  return URL.canParse(addressOf(found)) ? found : null;
}

/** The URL to connect to. */
export function addressOf({ host, udpPort, path }: Omit<Discovery, 'certSha256'>): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${udpPort}${path}`;
}

/** Whom a connection tells. */
export interface ConnectionEvents {
  /** Bytes of the control stream. */
  control(bytes: Uint8Array): void;
  media(media: Media): void;
  /** The sender has given up a message whose header had come. */
  gone(header: Header): void;
  /** It is over, and not because we closed it. `code` is the server's, where it said one. */
  closed(code: number | null, reason: string): void;
}

export class Connection {
  readonly #transport: WebTransport;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #events: ConnectionEvents;
  readonly #readers = new Set<ReadableStreamDefaultReader<Uint8Array>>();
  #isClosed = false;
  #heldBytes = 0;
  #unwritten = 0;
  /** Whoever waits for a stream to end before it takes another. */
  #roomFor: (() => void) | null = null;

  private constructor(transport: WebTransport, stream: WebTransportBidirectionalStream, events: ConnectionEvents) {
    this.#transport = transport;
    this.#events = events;
    this.#writer = stream.writable.getWriter();
    transport.closed.then(
      ({ closeCode, reason }) => this.#over(closeCode ?? Close.None, reason ?? ''),
      (error) => this.#over(null, String(error)),
    );
    void this.#readControl(stream.readable);
    void this.#acceptMedia(transport.incomingUnidirectionalStreams);
  }

  /** Connects, asking a second time where the server is: its certificate may have changed. */
  static async open(origin: string, events: ConnectionEvents, signal: AbortSignal): Promise<Connection> {
    const first = await discover(origin, signal);
    const transport = await shakeHands(first, signal).catch(async (error: unknown) => {
      // Whose time is over asks nobody: that nobody answers then says nothing of the server.
      if (signal.aborted) throw error;
      const again = await discover(origin, signal);
      if (isSame(first, again)) throw error;
      return shakeHands(again, signal);
    });
    const stop = () => transport.close();
    signal.addEventListener('abort', stop, { once: true });
    const stream = await transport
      .createBidirectionalStream()
      .catch((error: unknown) => {
        transport.close();
        throw new Unreachable('no-handshake', String(error));
      })
      .finally(() => signal.removeEventListener('abort', stop));
    if (signal.aborted) transport.close();
    signal.throwIfAborted();
    return new Connection(transport, stream, events);
  }

  /** Says bytes on the control stream; whether the server still takes them. */
  say(bytes: Uint8Array): boolean {
    if (this.#isClosed || this.#unwritten > UNWRITTEN_BYTES_MAX) return false;
    this.#unwritten += bytes.length;
    this.#writer.write(bytes).then(
      () => {
        this.#unwritten -= bytes.length;
      },
      () => {},
    );
    return true;
  }

  /** Closes it: nothing is told afterwards. What was said last still goes out. */
  close(code: number = Close.None, reason = ''): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#roomFor?.();
    const close = () => this.#transport.close({ closeCode: code, reason });
    // A server that does not read keeps us no longer than this.
    const late = setTimeout(close, LAST_WORDS_MS);
    const done = () => {
      clearTimeout(late);
      close();
    };
    this.#writer.close().then(done, done);
    for (const reader of this.#readers) reader.cancel().catch(() => {});
  }

  async #readControl(readable: ReadableStream<Uint8Array>): Promise<void> {
    await this.#read(readable, (bytes) => this.#events.control(bytes));
    // It has said its last: what that was came before, and the close follows. Not always: Chromium may forget it.
    if (this.#isClosed) return;
    setTimeout(() => this.#over(null, 'the server ended the control stream'), LAST_WORDS_MS);
  }

  async #acceptMedia(streams: ReadableStream<ReadableStream<Uint8Array>>): Promise<void> {
    await this.#read(streams as ReadableStream, (stream) => {
      void this.#readMedia(stream as unknown as ReadableStream<Uint8Array>);
      if (this.#readers.size < STREAMS_MAX) return undefined;
      return new Promise<void>((resolve) => {
        this.#roomFor = resolve;
      });
    });
  }

  async #readMedia(stream: ReadableStream<Uint8Array>): Promise<void> {
    const message = new StreamReader(BODY_BYTES_MAX);
    let held = 0;
    const hold = (bytes: number) => {
      this.#heldBytes += bytes - held;
      held = bytes;
      if (this.#heldBytes > HELD_BYTES_MAX) throw new Misbehaved('too much that is not whole');
    };
    const isWhole = await this.#read(stream, (chunk) => {
      for (const media of message.read(chunk)) this.#events.media(media);
      hold(message.heldBytes);
    });
    if (!this.#isClosed) {
      this.#heldBytes -= held;
      this.#guard(() => {
        const media = isWhole ? message.finish() : null;
        if (media) this.#events.media(media);
        else if (!isWhole && message.header) this.#events.gone(message.header);
      });
    }
    if (this.#readers.size < STREAMS_MAX) this.#roomFor?.();
  }

  /** Reads a stream to its end, chunk by chunk; whether that was its end, and not that it was reset. */
  async #read<T>(readable: ReadableStream<T>, take: (chunk: T) => Promise<void> | void): Promise<boolean> {
    const reader = readable.getReader();
    const known = reader as unknown as ReadableStreamDefaultReader<Uint8Array>;
    this.#readers.add(known);
    try {
      while (!this.#isClosed) {
        const { done, value } = await reader.read().catch(() => RESET);
        if (done === null) return false;
        if (done) return true;
        await this.#guard(() => take(value as T));
      }
      await reader.cancel().catch(() => {});
      return false;
    } finally {
      this.#readers.delete(known);
    }
  }

  /** What the server did wrong ends it. */
  #guard<T>(run: () => T): T | undefined {
    if (this.#isClosed) return undefined;
    try {
      return run();
    } catch (error) {
      if (!(error instanceof Misbehaved)) throw error;
      this.close();
      this.#events.closed(Close.Protocol, error.message);
      return undefined;
    }
  }

  #over(code: number | null, reason: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#events.closed(code, reason);
  }
}

async function shakeHands(to: Discovery, signal: AbortSignal): Promise<WebTransport> {
  signal.throwIfAborted();
  const serverCertificateHashes = to.certSha256.map((value) => ({ algorithm: 'sha-256', value }));
  const transport = new WebTransport(addressOf(to), {
    serverCertificateHashes,
    congestionControl: 'low-latency',
  });
  // Whoever waits for `ready` is told; that `closed` fails with it is nobody's business.
  transport.closed.catch(() => {});
  const stop = () => transport.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await transport.ready;
    return transport;
  } catch (error) {
    signal.throwIfAborted();
    throw new Unreachable('no-handshake', String(error));
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function isSame(a: Discovery, b: Discovery): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

const RESET = { done: null, value: undefined } as const;
const SHA256 = /^[0-9a-f]{64}$/i;
/** Two are shown; some more may be one day. */
const HASHES_MAX = 8;
/** A key frame of 8K at its largest is less. */
const BODY_BYTES_MAX = 4 << 20;
/** Of all messages that are not whole: four of the longest, and more than any path holds. */
const HELD_BYTES_MAX = 16 << 20;
/** Streams that are read at a time: as many as our native player grants. */
const STREAMS_MAX = 1024;
/** Control that the server does not take: reports are 44 bytes, twice a second. */
const UNWRITTEN_BYTES_MAX = 65_536;
/** How long the last of it may take to be sent, and to come. */
const LAST_WORDS_MS = 500;
