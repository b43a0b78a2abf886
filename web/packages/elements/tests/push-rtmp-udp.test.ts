import { amf0, control, type Frame } from '@thalweg/player/wire';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { placeOf } from '../src/push/place';
import { RtmpUdp } from '../src/push/rtmp-udp';
import { type Failure, Unconnected } from '../src/push/uplink';

const PAGE = { protocol: 'https:', host: 'www.example.com', hostname: 'www.example.com' };
const PLACE = placeOf('rtmp://live.example.com/live/room?txSecret=1&txTime=2', '', PAGE)!;
const ULL = { host: 'live.example.com', udpPort: 1935, path: '/ull', certSha256: ['ab'.repeat(32)] };

/** A stream of media as the browser has it: what was written, and whether it was reset. */
class FakeStream {
  readonly written: Uint8Array[] = [];
  wasReset = false;
  /** Its end is acknowledged when this is called. */
  acknowledge: () => void = () => {};
  readonly #acknowledged = new Promise<void>((resolve) => {
    this.acknowledge = resolve;
  });

  getWriter = () => ({
    closed: new Promise(() => {}),
    write: async (chunk: Uint8Array) => void this.written.push(chunk),
    close: () => this.#acknowledged,
    abort: async () => {
      this.wasReset = true;
    },
  });
}

const transports: FakeTransport[] = [];

class FakeTransport {
  ready: Promise<void> = Promise.resolve();
  readonly closed = new Promise<void>(() => {});
  readonly streams: FakeStream[] = [];
  isClosed = false;
  /** A stream is given when this resolves. */
  room: Promise<void> = Promise.resolve();
  #say: (bytes: Uint8Array) => void = () => {};

  constructor(
    readonly url: string,
    readonly options: { serverCertificateHashes: { value: Uint8Array }[] },
  ) {
    transports.push(this);
  }

  async createBidirectionalStream() {
    const readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#say = (bytes) => controller.enqueue(bytes);
      },
    });
    this.#say(control.PREAMBLE);
    const started = { level: 'status', code: 'NetStream.Publish.Start', description: '' };
    const status = amf0.encode('onStatus', 0, null, started);
    this.#say(control.encodeMessage(control.message(control.Type.Command, status)));
    return { readable, writable: new WritableStream<Uint8Array>() };
  }
  async createUnidirectionalStream() {
    await this.room;
    this.streams.push(new FakeStream());
    return this.streams.at(-1)!;
  }
  close(): void {
    this.isClosed = true;
  }
}

let answer: () => Promise<Response>;
beforeEach(() => {
  transports.length = 0;
  answer = async () => Response.json(ULL);
  vi.stubGlobal('WebTransport', FakeTransport);
  vi.stubGlobal('WebTransportError', class extends Error {});
  vi.stubGlobal('document', { hidden: false });
  vi.stubGlobal('fetch', (url: string) => {
    expect(url).toBe('https://live.example.com/ull');
    return answer();
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const LISTENER = { keyWanted: () => {}, ended: () => {} };
const connect = () => RtmpUdp.connect(PLACE, LISTENER, new AbortController().signal);

async function failure(): Promise<Failure> {
  const error = await connect().then(
    () => null,
    (error: unknown) => error,
  );
  if (!(error instanceof Unconnected)) throw error ?? new Error('it connects');
  return error.failure;
}

describe('the way over UDP', () => {
  it('is asked for at /ull, and its certificate known from there', async () => {
    const uplink = await connect();
    const [transport] = transports;
    expect(transport?.url).toBe('https://live.example.com:1935/ull');
    expect(transport?.options.serverCertificateHashes[0]?.value).toEqual(new Uint8Array(32).fill(0xab));
    uplink.abort();
    expect(transport?.isClosed).toBe(true);
  });

  it('leads nowhere for now while the server does not answer, as where it starts anew', async () => {
    answer = () => Promise.reject(new TypeError('Failed to fetch'));
    expect(await failure()).toMatchObject({ kind: 'lost', code: 3002 });
    answer = async () => new Response('', { status: 503 });
    expect(await failure()).toMatchObject({ kind: 'lost', code: 3002 });
    expect(transports).toHaveLength(0);
  });

  it.each([
    ['has none', () => new Response('', { status: 404 })],
    ['says something else', () => new Response('<html>')],
    ['names no host that there can be', () => Response.json({ ...ULL, host: 'a b' })],
    ['names a certificate that there cannot be', () => Response.json({ ...ULL, certSha256: ['ab'] })],
    ['never ends', () => new Response(new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(1000).fill(32)) }))],
  ])('is no way with a server that %s', async (_what, given) => {
    answer = async () => given();
    expect(await failure()).toMatchObject({ kind: 'blocked', why: 'no-udp' });
    expect(transports).toHaveLength(0);
  });

  it('is none where the browser makes no connection of it', async () => {
    vi.stubGlobal('WebTransport', function Refusing() {
      throw new SyntaxError('an odd URL');
    });
    expect(await failure()).toMatchObject({ kind: 'blocked', why: 'no-udp' });
    vi.stubGlobal('WebTransport', undefined);
    expect(await failure()).toMatchObject({ kind: 'blocked', why: 'no-udp' });
  });

  it('is blocked where no handshake gets through', async () => {
    vi.stubGlobal(
      'WebTransport',
      class extends FakeTransport {
        override ready = Promise.reject(new Error('ERR_CONNECTION_REFUSED'));
      },
    );
    expect(await failure()).toMatchObject({ kind: 'blocked', why: 'no-handshake' });
    expect(transports[0]?.isClosed).toBe(true);
    vi.useFakeTimers();
    vi.stubGlobal(
      'WebTransport',
      class extends FakeTransport {
        override ready = new Promise<void>(() => {});
      },
    );
    const failed = failure();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await failed).toMatchObject({ kind: 'blocked', why: 'no-handshake' });
    expect(transports[1]?.isClosed).toBe(true);
  });
});

describe('a picture on a path that gives no stream', () => {
  const picture = (dts: number): Frame => {
    return { kind: 'video', codec: 'avc', config: false, key: true, dts, cts: 0, data: new Uint8Array(2000) };
  };

  it('that was given up meanwhile is not sent', async () => {
    vi.useFakeTimers();
    const uplink = await connect();
    const transport = transports[0]!;
    let makeRoom = () => {};
    transport.room = new Promise((resolve) => (makeRoom = resolve));
    uplink.send(picture(0));
    // Longer than a key frame is worth sending.
    await vi.advanceTimersByTimeAsync(5000);
    expect(uplink.look(performance.now()).given).toBe(1);
    makeRoom();
    await vi.advanceTimersByTimeAsync(100);
    expect(transport.streams.map(({ written, wasReset }) => [written.length, wasReset])).toEqual([[0, true]]);
    uplink.send(picture(5000));
    await vi.advanceTimersByTimeAsync(100);
    expect(transport.streams[1]?.written.length).toBeGreaterThan(0);
    uplink.abort();
  });
});
