import type { Frame } from '@thalweg/player/wire';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { placeOf } from '../src/push/place';
import type { Failure } from '../src/push/uplink';
import { WsFlv } from '../src/push/ws-flv';

const PAGE = { protocol: 'https:', host: 'www.example.com', hostname: 'www.example.com' };
const PLACE = placeOf('rtmp://live.example.com/live/room?txSecret=1&txTime=2', '', PAGE)!;
const PATIENCE_MS = 1000;

/** A socket that takes what it is given, or keeps it. */
class FakeSocket {
  static readonly OPEN = 1;
  static last: FakeSocket;
  readyState = 0;
  bufferedAmount = 0;
  takes = true;
  sent = 0;
  onopen: (() => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  constructor(readonly url: string) {
    FakeSocket.last = this;
  }
  send(bytes: Uint8Array): void {
    this.sent += 1;
    if (!this.takes) this.bufferedAmount += bytes.length;
  }
  open(): void {
    this.readyState = FakeSocket.OPEN;
    this.onopen?.();
  }
  close(): void {
    this.readyState = 2;
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('document', { hidden: false });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function connecting() {
  const abort = new AbortController();
  const ended: Failure[] = [];
  const listener = { keyWanted: () => {}, ended: (failure: Failure) => void ended.push(failure) };
  const uplink = WsFlv.connect(PLACE, PATIENCE_MS, listener, abort.signal);
  uplink.catch(() => {});
  return { uplink, abort, ended, socket: FakeSocket.last };
}

const sound = (dts: number): Frame => {
  return { kind: 'audio', codec: 'aac', config: false, key: true, dts, cts: 0, data: new Uint8Array(200) };
};

describe('a push over a WebSocket', () => {
  it('is connected once the server has not refused', async () => {
    const { uplink, socket } = connecting();
    expect(socket.url).toBe('wss://live.example.com/live/room.flv?txSecret=1&txTime=2');
    socket.open();
    await vi.advanceTimersByTimeAsync(200);
    (await uplink).abort();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is refused where the server closes at once, and leaves nothing behind', async () => {
    const { uplink, socket } = connecting();
    socket.open();
    socket.onclose?.({ code: 4403, reason: 'auth-bad: made with another key' });
    await expect(uplink).rejects.toMatchObject({ failure: { kind: 'refused', reason: 'auth-bad' } });
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['before it is open', false],
    ['right after it has opened', true],
  ])('stopped %s leaves nothing behind', async (_when, isOpen) => {
    const { uplink, abort, socket } = connecting();
    if (isOpen) socket.open();
    abort.abort();
    await expect(uplink).rejects.toThrow('stopped');
    await vi.advanceTimersByTimeAsync(1000);
    expect([socket.readyState, socket.sent, vi.getTimerCount()]).toEqual([2, 0, 0]);
  });

  it('is given up when nothing has gone out for ten seconds', async () => {
    const { uplink, socket, ended } = connecting();
    socket.open();
    await vi.advanceTimersByTimeAsync(200);
    const up = await uplink;
    socket.takes = false;
    for (let ms = 0; ms < 9000; ms += 20) {
      up.send(sound(ms));
      await vi.advanceTimersByTimeAsync(20);
    }
    expect(ended).toEqual([]);
    for (let ms = 9000; ms < 12_000; ms += 20) {
      up.send(sound(ms));
      await vi.advanceTimersByTimeAsync(20);
    }
    expect(ended).toEqual([{ kind: 'lost', code: 3005, message: expect.any(String) }]);
    const { sent } = socket;
    up.send(sound(12_000));
    expect([socket.sent, socket.readyState, vi.getTimerCount()]).toEqual([sent, 2, 0]);
  });

  it('goes on where little goes out, but something', async () => {
    const { uplink, socket, ended } = connecting();
    socket.open();
    await vi.advanceTimersByTimeAsync(200);
    const up = await uplink;
    socket.takes = false;
    for (let ms = 0; ms < 30_000; ms += 20) {
      up.send(sound(ms));
      socket.bufferedAmount = Math.min(socket.bufferedAmount, 50_000);
      await vi.advanceTimersByTimeAsync(20);
    }
    expect(ended).toEqual([]);
    up.abort();
  });
});
