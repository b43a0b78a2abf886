import { beforeEach, describe, expect, it } from 'vitest';
import { forgetBlocked, Line, type Ways } from '../src/push/line';
import { placeOf } from '../src/push/place';
import { type Failure, Unconnected, type Uplink, type UplinkListener } from '../src/push/uplink';
import { failureOf } from '../src/push/ws-flv';

const PAGE = { protocol: 'https:', host: 'www.example.com', hostname: 'www.example.com' };
const PLACE = placeOf('rtmp://live.example.com/live/room?txSecret=1&txTime=2', '', PAGE)!;

/** A way that fails as it is told, or connects: `connected` has the listener of the last one that did. */
class FakeWay {
  tried = 0;
  connected: UplinkListener | null = null;
  readonly answers: (Failure | 'up')[];

  constructor(...answers: (Failure | 'up')[]) {
    this.answers = answers;
  }

  connect = async (_place: unknown, listener: UplinkListener): Promise<Uplink> => {
    this.tried += 1;
    const answer = this.answers.shift() ?? 'up';
    if (answer !== 'up') throw new Unconnected(answer);
    this.connected = listener;
    return { transport: 'rtmp-udp', close: async () => {}, abort: () => {} } as unknown as Uplink;
  };
}

function lineOver(udp: FakeWay, ws = new FakeWay()) {
  const said: string[] = [];
  const slept: number[] = [];
  let now = 1_000_000;
  const ways: Ways = {
    udp: udp.connect,
    ws: ws.connect,
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
    now: () => now,
  };
  const line = new Line(ways, {
    state: (code, _message, reason) => said.push(reason ? `${code} ${reason}` : `${code}`),
    uplink: (uplink) => said.push(uplink ? 'up' : 'down'),
    keyWanted: () => said.push('key'),
  });
  return { line, said, slept, pass: (ms: number) => (now += ms) };
}

const settle = () => new Promise((resolve) => setTimeout(resolve));
const RETRIES = { count: 3, intervalS: 3 };
const LOST: Failure = { kind: 'lost', code: 3005, message: 'gone' };
const BLOCKED: Failure = { kind: 'blocked', why: 'no-handshake', message: 'no handshake over UDP' };
const NO_UDP: Failure = { kind: 'blocked', why: 'no-udp', message: 'the server does not serve RTMP over UDP' };
const AWAY: Failure = { kind: 'lost', code: 3002, message: 'the server does not answer' };

beforeEach(() => forgetBlocked());

describe('the way to the server', () => {
  it('connects and pushes', async () => {
    const { line, said } = lineOver(new FakeWay());
    void line.run(PLACE, RETRIES);
    await settle();
    expect(said).toEqual(['1001', 'up', '1002']);
    await line.close();
    await settle();
    expect(said).toHaveLength(3);
  });

  it('comes back after three seconds when it breaks off', async () => {
    const way = new FakeWay();
    const { line, said, slept } = lineOver(way);
    void line.run(PLACE, RETRIES);
    await settle();
    way.connected!.ended(LOST);
    await settle();
    expect(said).toEqual(['1001', 'up', '1002', 'down', '3005', '1102', '1001', 'up', '1002']);
    expect(slept).toEqual([3000]);
  });

  it('gives up after three attempts', async () => {
    const way = new FakeWay('up', LOST, LOST, LOST);
    const { line, said } = lineOver(way);
    const over = line.run(PLACE, RETRIES);
    await settle();
    way.connected!.ended(LOST);
    await over;
    expect(said.slice(3)).toEqual(['down', '3005', '1102', '3005', '1102', '3005', '1102', '3005', '-1307']);
    expect(way.tried).toBe(4);
  });

  it('has three attempts again once it went well for a while', async () => {
    const way = new FakeWay('up', LOST, 'up', LOST, LOST, 'up');
    const { line, said, pass } = lineOver(way);
    void line.run(PLACE, RETRIES);
    await settle();
    for (let n = 0; n < 2; n++) {
      pass(60_000);
      way.connected!.ended(LOST);
      await settle();
    }
    expect(said).not.toContain('-1307');
    expect(said.at(-1)).toBe('1002');
  });

  it.each(['in-use', 'auth-not-yet', 'server-full'])(
    'tells why the server refused, and tries again: %s',
    async (reason) => {
      const refused: Failure = { kind: 'refused', reason, message: 'not now' };
      const { line, said } = lineOver(new FakeWay(refused, refused, refused, refused));
      await line.run(PLACE, RETRIES);
      expect(said.filter((words) => words === `3004 ${reason}`)).toHaveLength(4);
      expect(said.at(-1)).toBe(`-1307 ${reason}`);
    },
  );

  it.each(['auth-bad', 'auth-expired', 'pusher-off', 'revoked'])('does not ask again after %s', async (reason) => {
    const way = new FakeWay({ kind: 'refused', reason, message: 'no' });
    const { line, said } = lineOver(way);
    await line.run(PLACE, RETRIES);
    expect(said).toEqual([`3004 ${reason}`, `-1307 ${reason}`]);
    expect(way.tried).toBe(1);
  });

  it('leaves the stream to whoever took it over', async () => {
    const way = new FakeWay();
    const { line, said } = lineOver(way);
    const over = line.run(PLACE, RETRIES);
    await settle();
    way.connected!.ended({ kind: 'refused', reason: 'replaced', message: 'replaced by a newer push' });
    await over;
    expect(said.slice(3)).toEqual(['down', '3004 replaced', '-1307 replaced']);
    expect(way.tried).toBe(1);
  });

  it('goes over a WebSocket where UDP does not get through, and does not try UDP again for a minute', async () => {
    const [udp, ws] = [new FakeWay(BLOCKED), new FakeWay()];
    const { line, said, pass } = lineOver(udp, ws);
    void line.run(PLACE, RETRIES);
    await settle();
    expect(said).toEqual(['1001', 'up', '1002']);
    ws.connected!.ended(LOST);
    await settle();
    expect([udp.tried, ws.tried]).toEqual([1, 2]);
    pass(60_000);
    ws.connected!.ended(LOST);
    await settle();
    expect([udp.tried, ws.tried]).toEqual([2, 2]);
  });

  it('tries UDP at another server all the same', async () => {
    const other = placeOf('rtmp://other.example.com/live/room?txSecret=1&txTime=2', '', PAGE)!;
    const [udp, ws] = [new FakeWay(BLOCKED), new FakeWay()];
    const { line } = lineOver(udp, ws);
    void line.run(PLACE, RETRIES);
    await settle();
    await line.close();
    const { line: second } = lineOver(udp, ws);
    void second.run(other, RETRIES);
    await settle();
    expect([udp.tried, ws.tried]).toEqual([2, 1]);
  });

  it('asks again for UDP where a server had none', async () => {
    const [udp, ws] = [new FakeWay(NO_UDP), new FakeWay()];
    const { line } = lineOver(udp, ws);
    void line.run(PLACE, RETRIES);
    await settle();
    ws.connected!.ended(LOST);
    await settle();
    expect([udp.tried, ws.tried]).toEqual([2, 1]);
  });

  it('goes over UDP again when a server that started anew is back', async () => {
    const [udp, ws] = [new FakeWay('up', AWAY, 'up'), new FakeWay()];
    const { line, said } = lineOver(udp, ws);
    void line.run(PLACE, RETRIES);
    await settle();
    udp.connected!.ended(LOST);
    await settle();
    expect(said.slice(3)).toEqual(['down', '3005', '1102', '3002', '1102', '1001', 'up', '1002']);
    expect([udp.tried, ws.tried]).toEqual([3, 0]);
  });

  it('does not go over a WebSocket after a refusal', async () => {
    const [udp, ws] = [new FakeWay({ kind: 'refused', reason: 'auth-bad', message: '' }), new FakeWay()];
    const { line } = lineOver(udp, ws);
    void line.run(PLACE, { count: 0, intervalS: 3 });
    await settle();
    expect(ws.tried).toBe(0);
  });

  it('closed while it connects, it lets go of what it gets', async () => {
    let aborted = 0;
    let answer: (uplink: Uplink) => void = () => {};
    const way = new FakeWay();
    way.connect = () => new Promise((resolve) => (answer = resolve));
    const { line, said } = lineOver(way);
    const over = line.run(PLACE, RETRIES);
    await line.close();
    answer({ abort: () => (aborted += 1) } as unknown as Uplink);
    await over;
    expect(aborted).toBe(1);
    expect(said).toEqual([]);
  });
});

describe('where a push URL leads to', () => {
  it('is the host by the scheme of the page, the page where that is the host, or what is given', () => {
    const url = 'rtmp://live.example.com:1936/live/room?txSecret=1';
    expect(placeOf(url, '', PAGE)).toEqual({
      tcUrl: 'rtmp://live.example.com:1936/live',
      app: 'live',
      name: 'room?txSecret=1',
      origin: 'https://live.example.com',
      ws: 'wss://live.example.com/live/room.flv?txSecret=1',
    });
    const own = { protocol: 'http:', host: 'live.example.com:8080', hostname: 'live.example.com' };
    expect(placeOf(url, '', own)?.ws).toBe('ws://live.example.com:8080/live/room.flv?txSecret=1');
    expect(placeOf(url, 'http://127.0.0.1:8080/', PAGE)?.origin).toBe('http://127.0.0.1:8080');
  });

  it.each(['', 'room', 'http://live.example.com/live/room.flv', 'rtmp://live.example.com/room', 'rtmp:///live/room'])(
    'is nowhere for %j',
    (url) => expect(placeOf(url, '', PAGE)).toBeNull(),
  );
});

describe('what a close of the WebSocket means', () => {
  it.each([
    [4403, 'auth-bad: made with another key', { kind: 'refused', reason: 'auth-bad' }],
    [4409, 'in-use: 127.0.0.1:4', { kind: 'refused', reason: 'in-use' }],
    [4409, 'replaced by a newer push from 127.0.0.1:4', { kind: 'refused', reason: 'replaced' }],
    [4403, 'an operator closed this stream', { kind: 'refused', reason: 'refused' }],
    [4503, 'stopping: the server is stopping', { kind: 'lost', code: 3005 }],
    [1001, 'the server is stopping', { kind: 'lost', code: 3005 }],
    [1006, '', { kind: 'lost', code: 3005 }],
  ])('%i %s', (code, reason, failure) => {
    expect(failureOf({ code, reason }, 3005)).toMatchObject(failure);
  });
});
