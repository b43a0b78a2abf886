import { describe, expect, it } from 'vitest';
import { Bitrate, type Bounds, type Decision, type Look, RECOMMENDED } from '../src/push/bitrate';

const RTC: Bounds = { minKbps: 200, maxKbps: 1000, width: 360, height: 640, fps: 15, shrinks: true, soundKbps: 64 };
const CALM: Look = { backlogMs: 40, takenKbps: 0, lostPerMille: 0, dropped: false };

/** Looks twice a second for so long; answers each decision. */
function run(bitrate: Bitrate, look: Look | ((kbps: number) => Look), fromMs: number, forMs: number): Decision[] {
  const decisions: Decision[] = [];
  for (let now = fromMs; now < fromMs + forMs; now += 500) {
    decisions.push(bitrate.look(typeof look === 'function' ? look(bitrate.kbps) : look, now));
  }
  return decisions;
}

/** A path that takes so many kbit/s, behind a queue that grows with what is too much. */
function path(takesKbps: number): (kbps: number) => Look {
  let queuedKbit = 0;
  return (kbps) => {
    const all = kbps + RTC.soundKbps;
    queuedKbit = Math.max(0, queuedKbit + (all - takesKbps) / 2);
    const backlogMs = 30 + (queuedKbit / takesKbps) * 1000;
    return { backlogMs, takenKbps: Math.min(takesKbps, all), lostPerMille: 0, dropped: false };
  };
}

describe('the rate', () => {
  it('starts below the highest, and reaches it on a path that takes everything', () => {
    const bitrate = new Bitrate(RTC, 0);
    expect(bitrate.kbps).toBe(750);
    run(bitrate, CALM, 0, 10_000);
    expect(bitrate.kbps).toBe(1000);
  });

  it('comes below a narrow path within seconds, and stays about there', () => {
    const bitrate = new Bitrate(RTC, 0);
    const narrow = path(500);
    run(bitrate, narrow, 0, 6000);
    expect(bitrate.kbps).toBeLessThan(500);
    const later = run(bitrate, narrow, 6000, 60_000).map((d) => d.kbps);
    expect(Math.max(...later)).toBeLessThan(650);
    expect(Math.min(...later)).toBeGreaterThan(250);
  });

  it('comes back when the path widens', () => {
    const bitrate = new Bitrate(RTC, 0);
    run(bitrate, path(300), 0, 10_000);
    expect(bitrate.kbps).toBeLessThan(300);
    run(bitrate, CALM, 10_000, 60_000);
    expect(bitrate.kbps).toBe(1000);
  });

  it('never leaves its bounds', () => {
    const bitrate = new Bitrate(RTC, 0);
    const rates = run(bitrate, path(20), 0, 30_000).map((d) => d.kbps);
    expect(Math.min(...rates)).toBe(200);
    bitrate.set({ ...RTC, minKbps: 400, maxKbps: 600 });
    expect(bitrate.kbps).toBe(400);
  });

  it('goes down for what is lost, and for pictures that had to be left out', () => {
    for (const trouble of [{ lostPerMille: 100 }, { dropped: true, backlogMs: 200 }]) {
      const bitrate = new Bitrate(RTC, 0);
      run(bitrate, { ...CALM, ...trouble }, 0, 3000);
      expect(bitrate.kbps).toBeLessThan(500);
    }
  });

  it('waits while what has piled up goes away', () => {
    const bitrate = new Bitrate(RTC, 0);
    bitrate.look({ ...CALM, backlogMs: 1600, takenKbps: 400 }, 0);
    const before = bitrate.kbps;
    for (const [n, backlogMs] of [1200, 900, 650, 450].entries()) {
      bitrate.look({ ...CALM, backlogMs, takenKbps: 400 }, 1000 * (n + 1));
    }
    expect(bitrate.kbps).toBe(before);
    bitrate.look({ ...CALM, backlogMs: 450, takenKbps: 400 }, 6000);
    expect(bitrate.kbps).toBeLessThan(before);
  });

  it('is told in steps of a tenth', () => {
    const bitrate = new Bitrate(RTC, 0);
    const told = run(bitrate, CALM, 0, 20_000).filter((d) => d.isNewRate);
    expect(told.length).toBeGreaterThan(0);
    expect(told.length).toBeLessThanOrEqual(3);
  });
});

describe('an uplink that is too slow', () => {
  it('is told once the lowest rate has been too much for 2 s, and not more often than each 10 s', () => {
    const bitrate = new Bitrate(RTC, 0);
    const decisions = run(bitrate, path(100), 0, 30_000);
    const complaints = decisions.flatMap((d, n) => (d.isTooSlow ? [n * 500] : []));
    expect(complaints.length).toBeGreaterThanOrEqual(2);
    expect(complaints.length).toBeLessThanOrEqual(3);
    expect(complaints[0]).toBeGreaterThanOrEqual(2000);
  });

  it('is not told of one that has room left below', () => {
    const bitrate = new Bitrate(RTC, 0);
    expect(run(bitrate, path(500), 0, 30_000).some((d) => d.isTooSlow)).toBe(false);
  });
});

describe("the picture's size", () => {
  it('gets smaller in RTC mode before there are too few bits, and larger again, not to and fro', () => {
    const bitrate = new Bitrate(RTC, 0);
    const narrow = run(bitrate, path(220), 0, 40_000);
    const sizes = narrow.filter((d) => d.isNewSize).map((d) => `${d.width}x${d.height}`);
    expect(sizes).toEqual(['270x480']);
    const wide = run(bitrate, CALM, 40_000, 60_000);
    expect(wide.filter((d) => d.isNewSize).map((d) => `${d.width}x${d.height}`)).toEqual(['360x640']);
  });

  it('stays in live modes', () => {
    const { minKbps, maxKbps, width, height, shrinks } = RECOMMENDED.FHD;
    const bitrate = new Bitrate({ minKbps, maxKbps, width, height, fps: 15, shrinks, soundKbps: 64 }, 0);
    expect(run(bitrate, path(300), 0, 30_000).some((d) => d.isNewSize)).toBe(false);
  });
});
