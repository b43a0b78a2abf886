import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Core, type PlayerOptions } from '../src/core';
import type { End, Engine, Report, Settings } from '../src/engine';
import { type Details, NO_STATUS, State } from '../src/events';
import type { LivePlace, RtcPlace } from '../src/url';

/** An engine that does what the test says. */
class FakeEngine implements Engine {
  readonly calls: string[] = [];
  constructor(
    readonly mode: 'live' | 'RTC',
    readonly place: LivePlace | RtcPlace,
    public settings: Settings,
    readonly report: Report,
  ) {}
  start() {
    this.calls.push('start');
  }
  stop() {
    this.calls.push('stop');
  }
  pause() {
    this.calls.push('pause');
  }
  resume() {
    this.calls.push('resume');
  }
  set(settings: Settings) {
    this.settings = settings;
  }
  status() {
    return { ...NO_STATUS, netSpeed: 7 };
  }
  snapshot() {
    return Promise.resolve({ width: 1 } as ImageBitmap);
  }
  says(...codes: State[]) {
    for (const code of codes) this.report.state(code, '');
  }
  get isStopped() {
    return this.calls.includes('stop');
  }
}

class Scene {
  readonly engines: FakeEngine[] = [];
  readonly codes: State[] = [];
  readonly details: Details[] = [];
  statuses = 0;
  readonly player: Core;

  constructor(options: PlayerOptions = {}, hasRtc = true) {
    const host = { ownerDocument: { location: { protocol: 'http:', host: 'h:8080', hostname: 'h' } } };
    const listener = {
      state: (code: State, _: string, details: Details) => {
        this.codes.push(code);
        this.details.push(details);
      },
      status: () => {
        this.statuses += 1;
      },
    };
    const maker =
      (mode: 'live' | 'RTC') => (place: LivePlace | RtcPlace, _: unknown, settings: Settings, report: Report) => {
        const engine = new FakeEngine(mode, place, settings, report);
        this.engines.push(engine);
        return engine;
      };
    this.player = new Core(host as unknown as HTMLElement, listener, options, {
      live: maker('live'),
      rtc: hasRtc ? maker('RTC') : null,
    });
  }

  get last(): FakeEngine {
    const engine = this.engines.at(-1);
    if (engine === undefined) throw new Error('there is no engine');
    return engine;
  }

  get modes() {
    return this.engines.map(({ mode }) => mode);
  }

  play(src = 'rtmp://h/live/a?txTime=1') {
    this.player.play(src);
    return this.last;
  }
}

const lost: End = { kind: 'lost', code: State.TransportFailed, message: 'broke' };
const passed = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const { Connected, FirstKeyFrame, FirstPicture, Playing, Reconnecting, GaveUp, NoAcceleration, ServerClosed } = State;

// One clock for all: what was found blocked is remembered by the page, and forgotten after a minute.
beforeAll(() => {
  vi.useFakeTimers();
});
afterEach(() => passed(61_000));
afterAll(() => {
  vi.useRealTimers();
});

describe('live', () => {
  it('plays the place of the URL, and passes on what is said, later', async () => {
    const scene = new Scene({ minCache: 2 });
    const engine = scene.play();
    expect(engine.place).toEqual({ transport: 'flv', url: 'http://h:8080/live/a.flv?txTime=1' });
    expect(engine.settings).toMatchObject({ minCache: 2, maxCache: 3, muted: false });
    engine.says(Connected, FirstPicture);
    expect(scene.codes).toEqual([]);
    await passed(1000);
    expect(scene.codes).toEqual([Connected, FirstPicture]);
    expect(scene.statuses).toBe(1);
    expect(scene.player.status.netSpeed).toBe(7);
    await expect(scene.player.snapshot()).resolves.toEqual({ width: 1 });
  });

  it('comes back, and what is left of before is played meanwhile', async () => {
    const scene = new Scene();
    const first = scene.play();
    first.says(Connected, FirstPicture, Playing);
    first.report.end(lost);
    await passed(2999);
    expect(scene.codes.slice(3)).toEqual([State.TransportFailed, Reconnecting]);
    expect([scene.engines.length, first.isStopped]).toEqual([1, false]);
    await passed(1);
    expect([scene.engines.length, first.isStopped]).toEqual([2, false]);
    scene.last.says(Connected, FirstPicture);
    expect(first.isStopped).toBe(true);
  });

  it('gives up after three attempts that came to nothing', async () => {
    const scene = new Scene();
    scene.play();
    for (let n = 0; n < 4; n++) {
      scene.last.report.end(lost);
      await passed(3000);
    }
    expect(scene.engines).toHaveLength(4);
    expect(scene.codes.filter((code) => code === Reconnecting)).toHaveLength(3);
    expect(scene.codes.at(-1)).toBe(GaveUp);
    expect(scene.player.playing).toBe(false);
    expect(scene.engines.at(-1)?.isStopped).toBe(true);
  });

  it('counts anew when it has played', async () => {
    const scene = new Scene({ retries: 1, retryInterval: 5 });
    scene.play();
    for (let n = 0; n < 5; n++) {
      scene.last.says(Playing);
      scene.last.report.end(lost);
      await passed(5000);
    }
    expect(scene.engines).toHaveLength(6);
    expect(scene.player.playing).toBe(true);
  });

  it('does not ask again where it was refused, and says why', async () => {
    const scene = new Scene();
    scene.play().report.end({ kind: 'refused', reason: 'auth-expired', message: '403 auth-expired' });
    await passed(60_000);
    expect(scene.codes).toEqual([ServerClosed, GaveUp]);
    expect(scene.details).toEqual([{ reason: 'auth-expired' }, { reason: 'auth-expired' }]);
    expect(scene.engines).toHaveLength(1);
  });

  it('asks again for a stream that may come', async () => {
    const scene = new Scene();
    scene.play().report.end({ kind: 'not-found', message: '404' });
    await passed(3000);
    expect(scene.codes).toEqual([ServerClosed, Reconnecting]);
    expect(scene.engines).toHaveLength(2);
  });

  it('ends with the stream, and where nothing can be decoded', async () => {
    const ended = new Scene();
    ended.play().report.end({ kind: 'ended' });
    const unsupported = new Scene();
    unsupported.play().report.end({ kind: 'unsupported', code: State.CodecUnsupported, message: '' });
    await passed(10_000);
    expect([ended.codes, unsupported.codes]).toEqual([[State.Ended], [State.CodecUnsupported]]);
    expect([ended.player.playing, unsupported.player.playing]).toEqual([false, false]);
  });

  it('says nothing more when it is stopped, whatever was under way', async () => {
    const scene = new Scene();
    const engine = scene.play();
    engine.says(Connected);
    scene.player.stop();
    engine.says(Playing);
    engine.report.end(lost);
    await passed(60_000);
    expect([scene.codes, scene.statuses, scene.engines.length]).toEqual([[], 0, 1]);
    await expect(scene.player.snapshot()).rejects.toThrow();
  });

  it('plays nothing that is no stream, and nothing after it is destroyed', async () => {
    const scene = new Scene();
    scene.player.play('javascript:alert(1)');
    await passed(0);
    expect([scene.codes, scene.details[0], scene.engines.length]).toEqual([[GaveUp], { reason: 'bad-url' }, 0]);
    scene.player.destroy();
    scene.player.play('rtmp://h/live/a');
    expect(scene.engines).toHaveLength(0);
  });

  it('a second play ends the first', async () => {
    const scene = new Scene();
    const first = scene.play();
    const second = scene.play('rtmp://h/live/b');
    first.says(Connected);
    second.says(FirstKeyFrame);
    await passed(0);
    expect([first.isStopped, scene.codes]).toEqual([true, [FirstKeyFrame]]);
  });

  it('settings hold at once', () => {
    const scene = new Scene();
    const engine = scene.play();
    scene.player.set({ muted: true });
    expect(engine.settings).toMatchObject({ muted: true, minCache: 1 });
  });

  it('a short pause goes on, a long one lets the connection go and begins anew', async () => {
    const scene = new Scene();
    const engine = scene.play();
    scene.player.pause();
    await passed(10_000);
    scene.player.resume();
    expect(engine.calls).toEqual(['start', 'pause', 'resume']);
    scene.player.pause();
    await passed(30_000);
    expect([engine.isStopped, scene.player.playing]).toEqual([true, true]);
    scene.player.resume();
    expect([scene.engines.length, scene.last.calls]).toEqual([2, ['start']]);
  });

  it('does not come back into a pause', async () => {
    const scene = new Scene();
    const engine = scene.play();
    scene.player.pause();
    engine.report.end(lost);
    await passed(10_000);
    expect(scene.engines).toHaveLength(1);
    scene.player.resume();
    expect(scene.engines).toHaveLength(2);
  });
});

describe('RTC', () => {
  it('goes over UDP', async () => {
    const scene = new Scene({ mode: 'RTC' });
    const engine = scene.play();
    expect(engine.place).toMatchObject({ tcUrl: 'rtmp://h/live', name: 'a?txTime=1' });
    engine.says(Connected);
    await passed(5000);
    expect(scene.modes).toEqual(['RTC']);
  });

  it('a refusal is played live, and told once', async () => {
    const scene = new Scene({ mode: 'RTC' });
    scene.play().report.end({ kind: 'refused', reason: 'viewer-limit', message: 'full' });
    await passed(0);
    expect(scene.modes).toEqual(['RTC', 'live']);
    scene.last.report.end(lost);
    await passed(3000);
    expect(scene.modes).toEqual(['RTC', 'live', 'live']);
    expect(scene.codes.filter((code) => code === NoAcceleration)).toHaveLength(1);
    expect(scene.details[0]).toEqual({ reason: 'viewer-limit' });
  });

  it('where it cannot be had it is live', async () => {
    const scene = new Scene({ mode: 'RTC' });
    scene.play().report.end({ kind: 'unsupported', code: NoAcceleration, message: 'not a secure context' });
    const without = new Scene({ mode: 'RTC' }, false);
    without.play();
    await passed(0);
    expect([scene.modes, without.modes]).toEqual([['RTC', 'live'], ['live']]);
    expect([scene.codes, without.codes]).toEqual([[NoAcceleration], [NoAcceleration]]);
  });

  it('UDP that is silent has live mode beside it after a second; the first key frame wins', async () => {
    const scene = new Scene({ mode: 'RTC' });
    const rtc = scene.play();
    await passed(1000);
    const live = scene.last;
    expect(scene.modes).toEqual(['RTC', 'live']);
    live.says(Connected);
    await passed(0);
    expect(scene.codes).toEqual([]);
    live.says(FirstKeyFrame);
    await passed(0);
    expect(rtc.isStopped).toBe(true);
    expect(scene.codes).toEqual([NoAcceleration, Connected, FirstKeyFrame]);
    expect(scene.details[0]).toEqual({ reason: 'udp-blocked' });
    // The next play does not try UDP.
    expect(new Scene({ mode: 'RTC' }).play().mode).toBe('live');
    await passed(60_000);
    expect(new Scene({ mode: 'RTC' }).play().mode).toBe('RTC');
  });

  it('of sound alone, which has no key frame, one of both wins as well', async () => {
    for (const winner of ['RTC', 'live']) {
      const scene = new Scene({ mode: 'RTC' });
      const rtc = scene.play();
      await passed(1000);
      const live = scene.last;
      const [first, second] = winner === 'RTC' ? [rtc, live] : [live, rtc];
      first.says(Connected, Playing);
      await passed(0);
      expect([first.isStopped, second.isStopped], winner).toEqual([false, true]);
      expect(scene.codes.slice(-2)).toEqual([Connected, Playing]);
      scene.player.stop();
      await passed(61_000);
    }
  });

  it('live mode that was only quicker leaves UDP to the next play', async () => {
    const scene = new Scene({ mode: 'RTC' });
    const rtc = scene.play();
    await passed(1000);
    const live = scene.last;
    rtc.says(Connected);
    live.says(Connected, FirstKeyFrame);
    expect(rtc.isStopped).toBe(true);
    expect(new Scene({ mode: 'RTC' }).play().mode).toBe('RTC');
  });

  it('paused before hands are shaken it begins nothing beside, and is patient anew when it goes on', async () => {
    const scene = new Scene({ mode: 'RTC' });
    scene.play();
    await passed(500);
    scene.player.pause();
    await passed(5000);
    expect(scene.modes).toEqual(['RTC']);
    scene.player.resume();
    await passed(999);
    expect(scene.modes).toEqual(['RTC']);
    await passed(1);
    expect(scene.modes).toEqual(['RTC', 'live']);
  });

  it('and UDP may win', async () => {
    const scene = new Scene({ mode: 'RTC' });
    const rtc = scene.play();
    await passed(1000);
    const live = scene.last;
    rtc.says(Connected, FirstKeyFrame);
    await passed(0);
    expect([live.isStopped, rtc.isStopped]).toEqual([true, false]);
    expect(scene.codes).toEqual([Connected, FirstKeyFrame]);
  });

  it('live mode that fails beside it is not told', async () => {
    const scene = new Scene({ mode: 'RTC' });
    const rtc = scene.play();
    await passed(1000);
    scene.last.report.end(lost);
    rtc.says(Connected);
    await passed(0);
    expect(scene.codes).toEqual([Connected]);
  });

  it('a handshake that failed is UDP that is blocked; what was begun beside it goes on', async () => {
    const scene = new Scene({ mode: 'RTC' });
    const rtc = scene.play();
    await passed(1000);
    const live = scene.last;
    live.says(Connected);
    rtc.report.end({ kind: 'lost', code: State.HandshakeFailed, message: 'timed out' });
    await passed(0);
    expect(scene.modes).toEqual(['RTC', 'live']);
    expect([live.isStopped, scene.codes]).toEqual([false, [NoAcceleration, Connected]]);
  });

  it('what breaks off comes back over UDP, and the second time within a minute live', async () => {
    const scene = new Scene({ mode: 'RTC' });
    const first = scene.play();
    first.says(Connected, Playing);
    first.report.end(lost);
    await passed(3000);
    expect(scene.modes).toEqual(['RTC', 'RTC']);
    scene.last.says(Connected, Playing);
    scene.last.report.end(lost);
    await passed(0);
    expect(scene.modes).toEqual(['RTC', 'RTC', 'live']);
    expect(scene.codes.at(-1)).toBe(NoAcceleration);
  });

  it('a path that is too slow is left for a minute', async () => {
    const scene = new Scene({ mode: 'RTC' });
    const rtc = scene.play();
    rtc.says(Connected);
    rtc.report.end({ kind: 'refused', reason: 'too-slow', message: '' });
    expect(new Scene({ mode: 'RTC' }).play().mode).toBe('live');
  });

  it('stopped while both are tried, both are let go', async () => {
    const scene = new Scene({ mode: 'RTC' });
    scene.play();
    await passed(1000);
    scene.player.destroy();
    expect(scene.engines.map((engine) => engine.isStopped)).toEqual([true, true]);
    await passed(10_000);
    expect(scene.codes).toEqual([]);
  });
});
