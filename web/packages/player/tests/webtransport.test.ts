import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Close, Kind } from '../src/rtmp-udp/control';
import { encodeHeader, type Header, type Media, NO_FLAGS } from '../src/rtmp-udp/media';
import { Connection, type ConnectionEvents, readDiscovery } from '../src/source/webtransport';
import { bytesOf, joined } from './bytes';

const HASH = 'ab'.repeat(32);
const ULL = { host: 'h.example', udpPort: 1935, path: '/rtmp-udp/1', certSha256: [HASH, HASH] };
const KEY: Header = {
  ...NO_FLAGS,
  kind: Kind.Video,
  key: true,
  track: 0,
  cfg: 1,
  seq: 1,
  gop: 1,
  timestamp: 0,
  ingest: null,
};

/** A server within the page. */
class FakeTransport {
  static made: FakeTransport[] = [];
  /** Whether hands are shaken, one after the other. */
  static shakes: boolean[] = [];
  readonly said: Uint8Array[] = [];
  readonly ready: Promise<void>;
  readonly closed: Promise<unknown>;
  closedWith: unknown = null;
  incoming!: ReadableStreamDefaultController<ReadableStream<Uint8Array>>;
  control!: ReadableStreamDefaultController<Uint8Array>;
  over!: (info: unknown) => void;
  fail!: (error: unknown) => void;
  readonly incomingUnidirectionalStreams = new ReadableStream<ReadableStream<Uint8Array>>({
    start: (controller) => {
      this.incoming = controller;
    },
  });

  constructor(
    readonly url: string,
    readonly options: { serverCertificateHashes: { value: Uint8Array }[] },
  ) {
    FakeTransport.made.push(this);
    this.closed = new Promise((resolve, reject) => {
      this.over = resolve;
      this.fail = reject;
    });
    const isShaken = FakeTransport.shakes.shift() ?? true;
    this.ready = isShaken ? Promise.resolve() : Promise.reject(new Error('no handshake'));
    if (!isShaken) this.fail(new Error('no handshake'));
  }

  async createBidirectionalStream() {
    const readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.control = controller;
      },
    });
    const writable = new WritableStream<Uint8Array>({ write: (bytes) => void this.said.push(bytes) });
    return { readable, writable };
  }

  close(info: unknown) {
    this.closedWith ??= info;
    this.over(info);
  }

  /** A stream of media, and its controller. */
  stream(...chunks: Uint8Array[]): ReadableStreamDefaultController<Uint8Array> {
    let inside!: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        inside = controller;
      },
    });
    this.incoming.enqueue(stream);
    for (const chunk of chunks) inside.enqueue(chunk);
    return inside;
  }
}

interface Heard {
  control: Uint8Array[];
  media: Media[];
  gone: Header[];
  closed: [number | null, string][];
}

let answers: unknown[] = [];

beforeEach(() => {
  FakeTransport.made = [];
  FakeTransport.shakes = [];
  answers = [];
  vi.stubGlobal('WebTransport', FakeTransport);
  vi.stubGlobal('fetch', async () => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Response) return answer.clone();
    return new Response(JSON.stringify(answer ?? ULL));
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

async function open(): Promise<{ connection: Connection; transport: FakeTransport; heard: Heard }> {
  const heard: Heard = { control: [], media: [], gone: [], closed: [] };
  const events: ConnectionEvents = {
    control: (bytes) => void heard.control.push(bytes),
    media: (media) => void heard.media.push(media),
    gone: (header) => void heard.gone.push(header),
    closed: (code, reason) => void heard.closed.push([code, reason]),
  };
  const connection = await Connection.open('https://h.example', events, new AbortController().signal);
  return { connection, transport: FakeTransport.made.at(-1) as FakeTransport, heard };
}

/** Lets everything run that can. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('where it is', () => {
  test('is read, with both hashes', async () => {
    const { transport } = await open();
    expect(transport.url).toBe('https://h.example:1935/rtmp-udp/1');
    const hashes = transport.options.serverCertificateHashes.map(({ value }) => value);
    expect(hashes).toEqual([bytesOf(HASH), bytesOf(HASH)]);
  });

  test.each([
    ['an address of IPv6', { ...ULL, host: '::1' }, true],
    ['no hashes: an authority vouches for it', { host: 'h', udpPort: 1, path: '/x' }, true],
    ['no port', { ...ULL, udpPort: undefined }, false],
    ['a port that is none', { ...ULL, udpPort: 70_000 }, false],
    ['a path elsewhere', { ...ULL, path: 'x' }, false],
    ['a host that is none', { ...ULL, host: 'a b' }, false],
    ['a hash that is none', { ...ULL, certSha256: ['xyz'] }, false],
    ['too many hashes', { ...ULL, certSha256: Array(9).fill(HASH) }, false],
    ['nothing', null, false],
  ])('%s', (_, said, isGood) => {
    expect(readDiscovery(JSON.stringify(said)) !== null).toBe(isGood);
  });

  test('is no place for what is no JSON', () => {
    expect(readDiscovery('<html>')).toBeNull();
  });

  test('is asked again when the handshake failed and something has changed', async () => {
    FakeTransport.shakes = [false, true];
    answers = [ULL, { ...ULL, udpPort: 1936 }];
    const { transport } = await open();
    expect(transport.url).toContain(':1936/');
  });

  test('is not tried twice when nothing has', async () => {
    FakeTransport.shakes = [false, true];
    await expect(open()).rejects.toMatchObject({ failure: 'no-handshake' });
    expect(FakeTransport.made).toHaveLength(1);
  });

  test.each([
    [new Response('', { status: 404 }), 'no-udp'],
    [new Response('', { status: 503 }), 'no-server'],
    [new Response('x'.repeat(1 << 20)), 'no-udp'],
  ])('may not be known (%#)', async (answer, failure) => {
    answers = [answer];
    await expect(open()).rejects.toMatchObject({ failure });
  });
});

describe('a connection', () => {
  test('brings control and media, each stream to its end', async () => {
    const { connection, transport, heard } = await open();
    connection.say(bytesOf('01'));
    transport.control.enqueue(bytesOf('52 54'));
    const message = joined(encodeHeader(KEY), bytesOf('17 01'));
    const stream = transport.stream(message.subarray(0, 10));
    await settle();
    expect(heard.media).toEqual([]);
    stream.enqueue(message.subarray(10));
    stream.close();
    await settle();
    expect(heard.media).toEqual([{ header: KEY, body: bytesOf('17 01') }]);
    expect(heard.control).toEqual([bytesOf('52 54')]);
    expect(transport.said).toEqual([bytesOf('01')]);
  });

  test('tells what was reset, where its header had come', async () => {
    const { transport, heard } = await open();
    const reset = new Error('reset');
    transport.stream(joined(encodeHeader(KEY), bytesOf('17'))).error(reset);
    transport.stream(encodeHeader(KEY).subarray(0, 20)).error(reset);
    const late = transport.stream(encodeHeader({ ...KEY, seq: 2, gop: 2 }));
    await settle();
    late.error(reset);
    await settle();
    // What came before the reset is lost with it, where nobody had read it.
    expect(heard.gone.map((header) => header.seq)).toEqual([2]);
    expect([heard.media, heard.closed]).toEqual([[], []]);
  });

  test.each([
    ['a kind that there is not', (t: FakeTransport) => t.stream(joined(bytesOf('07'), new Uint8Array(23)))],
    ['a body over 4 MiB', (t: FakeTransport) => t.stream(joined(encodeHeader(KEY)), new Uint8Array((4 << 20) + 1))],
    ['a burst that announces it', (t: FakeTransport) => t.stream(bytesOf('7f 00400019'))],
    ['an end within the header', (t: FakeTransport) => t.stream(bytesOf('0901')).close()],
  ])('is ended by %s', async (_, misbehave) => {
    const { transport, heard } = await open();
    misbehave(transport);
    await settle();
    expect(heard.closed).toMatchObject([[Close.Protocol, expect.any(String)]]);
    expect(transport.closedWith).not.toBeNull();
    expect(heard.media).toEqual([]);
  });

  test('keeps so much of what is not whole, and no more', async () => {
    const { transport, heard } = await open();
    for (let n = 1; n <= 5; n++) {
      transport.stream(encodeHeader({ ...KEY, seq: n, gop: n }), new Uint8Array((4 << 20) - 100));
      await settle();
      expect(heard.closed.length, `${n}`).toBe(n < 5 ? 0 : 1);
    }
    expect(heard.closed).toMatchObject([[Close.Protocol, expect.stringContaining('too much')]]);
  });

  test('reads so many streams at a time, and no more', async () => {
    const { transport, heard } = await open();
    const streams = Array.from({ length: 1100 }, (_, n) =>
      transport.stream(encodeHeader({ ...KEY, seq: n + 1, gop: n + 1 })),
    );
    await settle();
    for (const stream of streams.slice(-70)) stream.close();
    await settle();
    expect(heard.media.length, 'those are not looked at yet').toBeLessThan(10);
    for (const stream of streams.slice(0, -70)) stream.close();
    await settle();
    await settle();
    expect(heard.media).toHaveLength(1100);
  });

  test('says with which code the server closed, and which it forgot', async () => {
    const [told, lost] = [await open(), await open()];
    told.transport.over({ closeCode: Close.Auth, reason: 'no' });
    lost.transport.fail(new Error('lost'));
    await settle();
    expect(told.heard.closed).toEqual([[Close.Auth, 'no']]);
    expect(lost.heard.closed).toEqual([[null, 'Error: lost']]);
  });

  test('is over when the server has said its last, and the close never comes', async () => {
    const { transport, heard } = await open();
    transport.control.close();
    await settle();
    expect(heard.closed, 'it may still come').toEqual([]);
    await vi.waitFor(() => expect(heard.closed).toHaveLength(1), 2000);
  });

  test('that we close says the last of it, and hears nothing more', async () => {
    const { connection, transport, heard } = await open();
    const stream = transport.stream(encodeHeader(KEY));
    await settle();
    connection.say(bytesOf('0102'));
    connection.close();
    await settle();
    expect(transport.said).toEqual([bytesOf('0102')]);
    expect(transport.closedWith).toEqual({ closeCode: Close.None, reason: '' });
    expect(() => stream.close()).toThrow();
    await settle();
    expect(heard).toEqual({ control: [], media: [], gone: [], closed: [] });
    expect(connection.say(bytesOf('03'))).toBe(false);
  });

  test('does not keep what the server does not read', async () => {
    const { connection, transport } = await open();
    const stuck = vi.spyOn(transport.said, 'push').mockImplementation(() => 0);
    expect(stuck).toBeDefined();
    let taken = 0;
    while (connection.say(new Uint8Array(1000)) && taken < 1000) taken += 1;
    expect(taken).toBeLessThan(70);
  });
});

describe('stopped while it connects', () => {
  test('it asks no more, and says nothing of a server that it did not hear', async () => {
    const abort = new AbortController();
    let asked = 0;
    vi.stubGlobal('fetch', async (_: string, { signal }: RequestInit) => {
      signal?.throwIfAborted();
      asked += 1;
      return new Response(JSON.stringify(ULL));
    });
    const shaking = vi.fn();
    vi.stubGlobal(
      'WebTransport',
      class {
        close = () => {};
        readonly closed = new Promise(() => {});
        readonly ready = new Promise((_, reject) => {
          this.close = () => reject(new Error('closed'));
          shaking();
        });
      },
    );
    const events = { control: vi.fn(), media: vi.fn(), gone: vi.fn(), closed: vi.fn() };
    const opening = Connection.open('https://h.example', events, abort.signal);
    const failing = expect(opening).rejects.not.toMatchObject({ failure: 'no-server' });
    await vi.waitFor(() => expect(shaking).toHaveBeenCalled());
    abort.abort();
    await failing;
    expect(asked).toBe(1);
  });

  test('it ends whoever waits for a stream', async () => {
    const abort = new AbortController();
    const events = { control: vi.fn(), media: vi.fn(), gone: vi.fn(), closed: vi.fn() };
    const isOver = vi.spyOn(FakeTransport.prototype, 'createBidirectionalStream');
    isOver.mockImplementation(function (this: FakeTransport) {
      return this.closed.then(() => Promise.reject(new Error('closed'))) as never;
    });
    const opening = Connection.open('https://h.example', events, abort.signal);
    const failing = expect(opening).rejects.toMatchObject({ failure: 'no-handshake' });
    await vi.waitFor(() => expect(isOver).toHaveBeenCalled());
    abort.abort();
    await failing;
    isOver.mockRestore();
  });

  test('it closes what there is', async () => {
    const abort = new AbortController();
    const events = { control: vi.fn(), media: vi.fn(), gone: vi.fn(), closed: vi.fn() };
    const opening = Connection.open('https://h.example', events, abort.signal);
    abort.abort();
    await expect(opening).rejects.toThrow();
    await settle();
    expect(FakeTransport.made.every((transport) => transport.closedWith !== null)).toBe(true);
    expect(events.closed).not.toHaveBeenCalled();
  });
});
