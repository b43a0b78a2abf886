import type { Frame } from '@thalweg/player/wire';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { forgetBlocked } from '../src/push/line';
import { type Parts, Pusher } from '../src/push/pusher';
import type { Settings } from '../src/push/settings';
import { Counter, grade } from '../src/push/status';
import type { Studio, StudioListener } from '../src/push/studio';
import type { Uplink, UplinkListener, Vitals } from '../src/push/uplink';

const URL = 'rtmp://live.example.com/live/room?txSecret=1&txTime=2';
const CALM: Vitals = {
  backlogMs: 20,
  takenKbps: 500,
  lostPerMille: 0,
  dropped: false,
  waitingVideo: 1,
  waitingAudio: 2,
  sentKbps: 480,
  jitterMs: 5,
  given: 0,
};

/** A studio that has what it is told: it says what the real one says, in its order. */
class FakeStudio {
  hasPictures = true;
  hasSound = true;
  codes = true;
  skipped = 0;
  log: string[] = [];
  listener: StudioListener;

  constructor(listener: StudioListener) {
    this.listener = listener;
  }

  async open() {
    await Promise.resolve();
    if (!this.hasPictures) return;
    this.listener.state(1003, '');
    this.listener.state(1007, '');
  }
  async openSound() {}
  canCode = async () => this.codes;
  probe() {
    queueMicrotask(() => this.listener.state(1008, ''));
  }
  code = (on: boolean) => this.log.push(on ? 'code' : 'rest');
  wantKey = () => this.log.push('key');
  setSize = (width: number, height: number) => this.log.push(`${width}x${height}`);
  setKbps = (kbps: number) => this.log.push(`${kbps}`);
  set() {}
  pause = (on: boolean) => this.log.push(on ? 'pause' : 'resume');
  close = async () => void this.log.push('close');
}

class FakeUplink implements Uplink {
  readonly transport = 'rtmp-udp';
  vitals = CALM;
  sent: Frame[] = [];
  closed = false;
  send = (frame: Frame) => void this.sent.push(frame);
  look = () => this.vitals;
  async close() {
    this.closed = true;
  }
  abort() {
    this.closed = true;
  }
}

function pusherWith(shape: Partial<FakeStudio> = {}, settings: Partial<Settings> = {}) {
  const said: number[] = [];
  const statuses: object[] = [];
  const uplink = new FakeUplink();
  const studios: FakeStudio[] = [];
  let wire: UplinkListener | null = null;
  const connect = async (_place: unknown, listener: UplinkListener) => {
    wire = listener;
    return uplink;
  };
  const parts: Parts = {
    studio: (_settings, _kbps, listener) => {
      const studio = Object.assign(new FakeStudio(listener), shape);
      studios.push(studio);
      return studio as unknown as Studio;
    },
    ways: () => ({
      udp: connect,
      ws: connect,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      now: () => performance.now(),
    }),
    page: { protocol: 'https:', host: 'live.example.com', hostname: 'live.example.com' },
  };
  const listener = {
    state: (code: number) => void said.push(code),
    status: (status: object) => void statuses.push(status),
    volume: () => {},
  };
  const pusher = new Pusher(parts, listener, settings);
  return { pusher, said, statuses, uplink, studios, wire: () => wire! };
}

beforeEach(() => {
  forgetBlocked();
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'performance'] });
});
afterEach(() => vi.useRealTimers());
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('a push', () => {
  it('says 1005, 1003, 1007, 1008, 1001, 1002', async () => {
    const { pusher, said } = pusherWith();
    pusher.start(URL);
    await pass(10);
    expect(said).toEqual([1005, 1003, 1007, 1008, 1001, 1002]);
    expect(pusher.isPushing).toBe(true);
  });

  it('sends metadata first, then what the studio codes', async () => {
    const { pusher, uplink, studios } = pusherWith();
    pusher.start(URL);
    await pass(10);
    const frame: Frame = {
      kind: 'video',
      codec: 'avc',
      config: false,
      key: true,
      dts: 5,
      cts: 0,
      data: Uint8Array.of(1),
    };
    studios[0]!.listener.frame(frame);
    expect(uplink.sent.map(({ kind }) => kind)).toEqual(['data', 'video']);
    expect(new TextDecoder().decode(uplink.sent[0]!.data)).toContain('onMetaData');
  });

  it('tells how it fares once a second, with the keys of the mini-program', async () => {
    const { pusher, statuses } = pusherWith();
    pusher.start(URL);
    await pass(3100);
    expect(statuses).toHaveLength(3);
    expect(statuses[0]).toMatchObject({
      netSpeed: 480,
      netQualityLevel: 1,
      videoWidth: 360,
      videoHeight: 640,
      videoCache: 1,
      audioCache: 2,
      transport: 'rtmp-udp',
    });
  });

  it('goes down with its rate, and then with its picture, on a narrow path: 1006, 1005, 1101', async () => {
    const { pusher, said, uplink } = pusherWith();
    pusher.start(URL);
    await pass(10);
    uplink.vitals = { ...CALM, backlogMs: 900, takenKbps: 150 };
    await pass(6000);
    expect(said.slice(6)).toContain(1006);
    expect(said.slice(6)).toContain(1005);
    expect(said.slice(6)).toContain(1101);
    expect(said.lastIndexOf(1006)).toBeLessThan(said.indexOf(1101));
  });

  it('makes a key frame when one is wanted', async () => {
    const { pusher, studios, wire } = pusherWith();
    pusher.start(URL);
    await pass(10);
    wire().keyWanted();
    expect(studios[0]!.log.at(-1)).toBe('key');
  });

  it('rests while there is no server, and goes on when it is back', async () => {
    const { pusher, said, studios, wire } = pusherWith();
    pusher.start(URL);
    await pass(10);
    wire().ended({ kind: 'lost', code: 3005, message: '' });
    await pass(1000);
    expect(said.slice(6)).toEqual([3005, 1102]);
    expect(studios[0]!.log.filter((word) => word === 'code' || word === 'rest')).toEqual(['code', 'rest']);
    await pass(2100);
    expect(said.slice(8)).toEqual([1001, 1002]);
    expect(studios[0]!.log).toContain('code');
  });

  it('goes on with sound alone where there is no camera', async () => {
    const { pusher, said } = pusherWith({ hasPictures: false });
    pusher.start(URL);
    await pass(10);
    expect(said).toEqual([1005, 1001, 1002]);
  });

  it('does not begin without camera and microphone', async () => {
    const { pusher, said, studios, uplink } = pusherWith({ hasPictures: false, hasSound: false });
    pusher.start(URL);
    await pass(10);
    expect(said).toEqual([1005]);
    expect(pusher.isPushing).toBe(false);
    expect(studios[0]!.log).toContain('close');
    expect(uplink.sent).toEqual([]);
  });

  it('does not wait for a camera that sends nothing', async () => {
    const { pusher, said } = pusherWith({ probe: () => {} });
    pusher.start(URL);
    await pass(4000);
    expect(said).not.toContain(1001);
    await pass(2000);
    expect(said).toContain(1002);
  });

  it('says -1303 where H.264 cannot be coded', async () => {
    const { pusher, said } = pusherWith({ codes: false });
    pusher.start(URL);
    await pass(10);
    expect(said.at(-1)).toBe(-1303);
    expect(pusher.isPushing).toBe(false);
  });

  it('stopped at any moment it says nothing more and closes what it has', async () => {
    for (const at of [0, 1, 10, 700]) {
      const { pusher, said, studios, uplink } = pusherWith();
      pusher.start(URL);
      await pass(at);
      const stopped = pusher.stop();
      await pass(5000);
      await stopped;
      const before = said.length;
      await pass(5000);
      expect(said.length).toBe(before);
      expect(studios[0]!.log).toContain('close');
      expect(uplink.sent.length === 0 || uplink.closed).toBe(true);
      expect(pusher.isPushing).toBe(false);
    }
  });

  it('begins once, and at an address of RTMP only', async () => {
    const { pusher } = pusherWith();
    expect(() => pusher.start('http://live.example.com/live/room.flv')).toThrow('rtmp://');
    pusher.start(URL);
    expect(() => pusher.start(URL)).toThrow('already');
    await pusher.stop();
    pusher.start(URL);
    await pass(10);
    expect(pusher.isPushing).toBe(true);
  });

  it('has the size and rate of its mode, or what it is told', async () => {
    const { pusher, studios } = pusherWith();
    pusher.start(URL);
    await pass(10);
    pusher.set({ mode: 'FHD' });
    expect(studios[0]!.log.at(-1)).toBe('720x1280');
    pusher.set({ orientation: 'horizontal', width: 240, aspect: '3:4' });
    expect(studios[0]!.log.at(-1)).toBe('320x240');
  });
});

describe('what is counted', () => {
  it('is of the time since the last status', () => {
    const counter = new Counter(0);
    const picture = (dts: number, key: boolean): Frame => {
      return { kind: 'video', codec: 'avc', config: false, key, dts, cts: 0, data: new Uint8Array(500) };
    };
    counter.count(picture(0, true));
    counter.count(picture(500, false));
    counter.count(picture(1000, true));
    counter.count({ ...picture(0, true), kind: 'audio', data: new Uint8Array(125) });
    expect(counter.take(1000)).toEqual({ videoBitrate: 12, audioBitrate: 1, videoFPS: 3, videoGOP: 1 });
    expect(counter.take(2000)).toEqual({ videoBitrate: 0, audioBitrate: 0, videoFPS: 0, videoGOP: 1 });
  });

  it('has six grades', () => {
    expect(grade(CALM)).toBe(1);
    expect(grade({ ...CALM, jitterMs: 100 })).toBe(2);
    expect(grade({ ...CALM, lostPerMille: 10 })).toBe(3);
    expect(grade({ ...CALM, backlogMs: 400 })).toBe(4);
    expect(grade({ ...CALM, dropped: true })).toBe(5);
    expect(grade({ ...CALM, backlogMs: 3000 })).toBe(6);
  });
});
