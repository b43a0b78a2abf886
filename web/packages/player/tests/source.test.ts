import { afterEach, describe, expect, it, vi } from 'vitest';
import type { End } from '../src/engine';
import { State } from '../src/events';
import { openFetch } from '../src/source/fetch';
import { openWebSocket, whyClosed } from '../src/source/websocket';

afterEach(() => vi.unstubAllGlobals());

/** What a source says, and the end that it waits for. */
function listen() {
  const said: string[] = [];
  let over: (end: End) => void;
  const ended = new Promise<End>((resolve) => {
    over = resolve;
  });
  const receiver = {
    opened: () => said.push('opened'),
    data: (bytes: Uint8Array) => said.push(`data ${bytes.length}`),
    end: (end: End) => over(end),
  };
  return { receiver, said, ended };
}

describe('HTTP', () => {
  const answer = async (make: () => Response | Promise<Response>) => {
    vi.stubGlobal('fetch', async () => make());
    const { receiver, said, ended } = listen();
    openFetch('http://h/live/a.flv', receiver);
    return { end: await ended, said };
  };
  const json = (status: number, body: unknown) => () => new Response(JSON.stringify(body), { status });

  for (const [name, make, want] of [
    [
      'a signature that is over',
      json(403, { error: 'auth-expired', message: 'it is over' }),
      { kind: 'refused', reason: 'auth-expired', message: '403 auth-expired: it is over' },
    ],
    [
      'nobody publishes it',
      json(404, { error: 'not-found', message: 'no' }),
      { kind: 'not-found', message: '404 not-found: no' },
    ],
    [
      'too many at this moment',
      json(429, { error: 'url-in-use', message: 'no' }),
      { kind: 'lost', code: State.ServerClosed, message: '429 url-in-use: no' },
    ],
    ['a server that stops', json(503, {}), { kind: 'lost', code: State.ServerClosed, message: '503' }],
    ['no JSON', () => new Response('<html>', { status: 403 }), { kind: 'refused', reason: 'http-403', message: '403' }],
    [
      'words that are no words',
      json(403, { error: 7, message: ['x'] }),
      { kind: 'refused', reason: 'http-403', message: '403' },
    ],
    [
      'endless words',
      json(403, { error: 'a'.repeat(999), message: 'b\n'.repeat(999) }),
      { kind: 'refused', reason: 'a'.repeat(64), message: `403 ${'a'.repeat(64)}: ${'b '.repeat(150)}` },
    ],
    [
      'nobody there',
      () => Promise.reject(new TypeError('Failed to fetch')),
      { kind: 'lost', code: State.ConnectFailed, message: 'no connection: Failed to fetch' },
    ],
  ] as const) {
    it(name, async () => {
      const { end, said } = await answer(make);
      expect(end).toEqual(want);
      expect(said).toEqual([]);
    });
  }

  it('what comes, and an end that says nothing', async () => {
    const { end, said } = await answer(() => new Response(new Uint8Array(5)));
    expect(said).toEqual(['opened', 'data 5']);
    expect(end).toMatchObject({ kind: 'lost', code: State.ServerClosed });
  });

  it('a connection that breaks', async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(1));
        queueMicrotask(() => controller.error(new TypeError('network error')));
      },
    });
    expect((await answer(() => new Response(body))).end).toMatchObject({ kind: 'lost', code: State.TransportFailed });
  });

  it('closed, it says nothing more', async () => {
    let abort: AbortSignal | undefined;
    vi.stubGlobal('fetch', async (_: string, { signal }: RequestInit) => {
      abort = signal ?? undefined;
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    });
    const end = vi.fn();
    openFetch('http://h/', { opened: end, data: end, end }).close();
    await new Promise((resolve) => setTimeout(resolve));
    expect([abort?.aborted, end.mock.calls.length]).toEqual([true, 0]);
  });
});

describe('WebSocket', () => {
  for (const [code, reason, wasOpen, want] of [
    [1000, '', true, { kind: 'ended' }],
    [
      1001,
      'stopping',
      true,
      { kind: 'lost', code: State.ServerClosed, message: 'the connection was closed: 1001 stopping' },
    ],
    [1006, '', true, { kind: 'lost', code: State.TransportFailed, message: 'the connection was closed: 1006' }],
    [1006, '', false, { kind: 'lost', code: State.ConnectFailed, message: 'the connection was closed: 1006' }],
    [
      1013,
      'too slow',
      true,
      { kind: 'lost', code: State.ServerClosed, message: 'the connection was closed: 1013 too slow' },
    ],
    [
      4403,
      'auth-bad: the key: another',
      false,
      { kind: 'refused', reason: 'auth-bad', message: '403 auth-bad: the key: another' },
    ],
    [4404, 'not-found: nobody', false, { kind: 'not-found', message: '404 not-found: nobody' }],
    [4503, 'server-full', false, { kind: 'lost', code: State.ServerClosed, message: '503 server-full' }],
  ] as const) {
    it(`${code} ${reason}`, () => expect(whyClosed({ code, reason }, wasOpen)).toEqual(want));
  }

  it('is open when media comes, for a refusal opens too', () => {
    const socket = { binaryType: '', close: vi.fn(), onmessage: null, onclose: null } as unknown as WebSocket;
    vi.stubGlobal('WebSocket', function make() {
      return socket;
    });
    const { receiver, said } = listen();
    const source = openWebSocket('ws://h/a/b.flv', receiver);
    const message = (data: unknown) => socket.onmessage?.({ data } as MessageEvent);
    message('text');
    message(new ArrayBuffer(3));
    message(new ArrayBuffer(4));
    expect(said).toEqual(['opened', 'data 3', 'data 4']);
    source.close();
    expect([socket.onmessage, socket.onclose]).toEqual([null, null]);
    expect(socket.close).toHaveBeenCalledOnce();
  });

  it('a page that may not open it is told', async () => {
    vi.stubGlobal('WebSocket', function refuse() {
      throw new DOMException('mixed content', 'SecurityError');
    });
    const { receiver, ended } = listen();
    openWebSocket('ws://h/a/b.flv', receiver);
    expect(await ended).toMatchObject({ kind: 'lost', code: State.ConnectFailed });
  });
});
