import { describe, expect, test } from 'vitest';
import { type Coded, Playout } from '../src/playout';

/** 25 pictures a second, and what is shown of them, with a decoder that takes no time. */
class Viewer {
  readonly playout = new Playout<Coded>();
  readonly shown: { at: number; pts: number }[] = [];
  readonly leaps: number[] = [];
  withSound = false;
  /** What the sound does, where it is the clock. */
  heard: { media: number; at: number } | null = null;
  #decoded: Coded[] = [];

  come(at: number, dts: number, more: Partial<Coded> = {}): void {
    this.playout.push({ dts, pts: dts, key: dts % 1000 === 0, catchup: false, data: DATA, ...more }, at, at);
  }

  /** Lets a millisecond pass. */
  tick(now: number): void {
    if (this.heard) {
      this.heard = { media: this.heard.media + (now - this.heard.at) * this.playout.rate, at: now };
    }
    this.playout.run(now, this.heard?.media ?? null);
    const leap = this.playout.pollLeap();
    if (leap !== null) {
      this.leaps.push(leap);
      if (this.heard) this.heard = { media: leap, at: now };
    }
    for (;;) {
      if (this.#decoded.length >= 8) break;
      const due = this.playout.take(now);
      if (due === null) break;
      if (due.show) this.#decoded.push(due.picture);
    }
    const media = this.playout.media(now);
    if (media === null) return;
    const due = this.#decoded.filter((p) => p.pts <= media || this.shown.length === 0);
    const picture = due.sort((a, b) => a.pts - b.pts).at(-1);
    if (picture === undefined) return;
    this.#decoded = this.#decoded.filter((p) => p.pts > picture.pts);
    this.playout.show(picture.pts, now);
    this.shown.push({ at: now, pts: picture.pts });
  }

  /** Plays a stream whose frames are late as `delay` says. */
  play(seconds: number, delay: (dts: number) => number): void {
    const coming = Array.from({ length: seconds * 25 }, (_, n) => ({ at: n * 40 + delay(n * 40), dts: n * 40 }));
    // In the order of decoding, whatever the network did.
    coming.forEach((frame, n) => {
      frame.at = Math.max(frame.at, coming[n - 1]?.at ?? 0);
    });
    for (let now = 0, next = 0; now < seconds * 1000; now++) {
      if (this.withSound && now >= 50 && (now - 50) % 40 === 0) this.playout.learn(now - 50, now, false);
      for (; (coming[next]?.at ?? Number.POSITIVE_INFINITY) <= now; next++) this.come(now, coming[next]?.dts ?? 0);
      this.tick(now);
    }
  }

  /** How much later than its time each picture was shown, from `from` on. */
  delays(from = 0): number[] {
    return this.shown.filter(({ pts }) => pts >= from).map(({ at, pts }) => at - pts);
  }
}

const DATA = new Uint8Array(1000);
const UP_TO = (most: number) => (delays: number[]) => delays.every((ms) => ms <= most);

describe('the jitter buffer', () => {
  test('a steady stream is shown a little behind the edge', () => {
    const viewer = new Viewer();
    viewer.play(10, () => 50);
    expect(viewer.delays(5000)).toSatisfy((ms: number[]) => ms.every((m) => m >= 60 && m <= 95));
    expect(viewer.shown.length).toBeGreaterThanOrEqual(248);
    expect(viewer.playout.stats).toMatchObject({ freezes: 0, misses: 0 });
    expect(viewer.shown[0], 'there is a picture at once').toEqual({ at: 50, pts: 0 });
  });

  test('jitter makes it longer, and its end shorter again', () => {
    const viewer = new Viewer();
    viewer.play(10, (dts) => (dts % 200 === 0 ? 150 : 50));
    expect(viewer.playout.target).toSatisfy((ms: number) => ms >= 100 && ms <= 160);
    const calmed = new Viewer();
    calmed.play(40, (dts) => (dts < 10_000 && dts % 200 === 0 ? 150 : 50));
    expect(calmed.playout.target).toSatisfy((ms: number) => ms >= 30 && ms <= 60);
  });

  test('what the page itself delays at first is not held against the network', () => {
    const viewer = new Viewer();
    viewer.play(8, (dts) => (dts >= 80 && dts < 400 ? 150 : 50));
    expect(viewer.playout.target).toBeLessThanOrEqual(50);
    expect(viewer.delays(6000)).toSatisfy(UP_TO(140));
    const network = new Viewer();
    network.play(8, (dts) => (dts >= 2080 && dts < 2400 ? 150 : 50));
    expect(network.playout.target).toBeGreaterThan(80);
  });

  test('a page that was busy when the first frame came is at the edge at once', () => {
    const viewer = new Viewer();
    viewer.play(4, (dts) => (dts < 400 ? 450 - dts : 50));
    expect(viewer.delays(520)).toSatisfy(UP_TO(130));
    expect(viewer.leaps.length).toBeGreaterThan(0);
  });

  test('the way to the loudspeaker is added to what frames need', () => {
    const viewer = new Viewer();
    viewer.playout.reserve(40);
    viewer.play(10, () => 50);
    expect(viewer.playout.target).toBe(70);
    expect(viewer.delays(5000)).toSatisfy((ms: number[]) => ms.every((m) => m >= 85 && m <= 140));
  });

  test('sound that is too late to join is given way to, and joins', () => {
    for (const way of [40, 90, 200]) {
      const { playout } = new Viewer();
      const PIECE_MS = 20;
      let joinedAt: number | null = null;
      for (let now = 0; now < 4000 && joinedAt === null; now++) {
        // The way is known when the loudspeaker is open.
        playout.reserve(now < 300 ? 0 : way);
        if (now % PIECE_MS === 0) playout.learn(now, now, false);
        playout.run(now, null);
        // What is to be heard now has to be under way for so long already.
        const due = (playout.media(now) ?? 0) + way;
        const newest = PIECE_MS * (Math.floor(now / PIECE_MS) + 1);
        if (now >= 300 && due < newest) joinedAt = now;
        else if (now % (5 * PIECE_MS) === 0) playout.giveWay(now);
      }
      expect(joinedAt, `with a way of ${way} ms`).toBeLessThan(1000);
    }
  });

  test('while sound goes on, late pictures are decoded and only the newest shown', () => {
    const viewer = new Viewer();
    viewer.withSound = true;
    viewer.play(6, (dts) => (dts >= 3000 && dts < 3400 ? 3450 - dts : 50));
    expect(viewer.playout.stats.freezes).toBe(1);
    // Ten came at once; the clock has not stood still.
    expect(viewer.playout.stats.late).toBeGreaterThanOrEqual(7);
    expect(viewer.delays(4000)).toSatisfy(UP_TO(300));
  });

  test('when nothing comes everything stands still, and is made good by running faster', () => {
    const viewer = new Viewer();
    viewer.play(8, (dts) => (dts >= 3000 && dts < 3400 ? 3450 - dts : 50));
    expect(viewer.playout.stats).toMatchObject({ freezes: 1, late: 0 });
    // The target has grown to its most, 250 ms, and shrinks slowly; 450 it was.
    expect(viewer.delays(7900)).toSatisfy(UP_TO(250 + 50 + 40));
  });

  test('a burst is decoded at once, and its newest picture shown', () => {
    const viewer = new Viewer();
    for (let n = 0; n < 25; n++) viewer.come(0, n * 40, { catchup: n < 24 });
    viewer.tick(0);
    expect(viewer.shown).toEqual([{ at: 0, pts: 960 }]);
    expect(viewer.playout.stats.late).toBe(24);
  });

  test('far behind it leaps to a key frame', () => {
    const viewer = new Viewer();
    // The first two seconds come with a second's delay, then the path is short.
    viewer.play(6, (dts) => (dts < 2000 ? 1050 : 50));
    expect(viewer.leaps.length).toBeGreaterThan(0);
    expect(viewer.leaps.every((to) => to % 1000 === 0)).toBe(true);
    expect(viewer.delays(5000)).toSatisfy(UP_TO(300));
  });

  test('sound without pictures leaps to the edge', () => {
    const { playout } = new Viewer();
    for (let n = 0; n < 100; n++) playout.learn(n * 40, 10_000 + n * 40, false);
    playout.run(14_000, null);
    playout.run(14_001, 1000);
    expect(playout.pollLeap()).toBeCloseTo(99 * 40 - playout.target);
    expect(playout.pollLeap()).toBeNull();
  });

  test('what is heard is the clock', () => {
    const viewer = new Viewer();
    viewer.heard = { media: -100, at: 50 };
    viewer.play(10, () => 50);
    // The sound began 70 ms too late, and was played faster until it was where it should be.
    expect(viewer.delays(8000)).toSatisfy((ms: number[]) => ms.every((m) => m >= 60 && m <= 95));
    expect(viewer.playout.rate).toBe(1);
  });

  test('pictures of a decoder that reorders them are shown by their time', () => {
    const viewer = new Viewer();
    for (let now = 0; now < 4000; now++) {
      // Decoded 0 3 1 2 | 6 4 5, each a picture of 40 ms.
      const n = now / 40;
      if (Number.isInteger(n)) {
        const pts = 40 * (n % 3 === 0 ? n : n % 3 === 1 ? n + 2 : n - 1) + 40;
        viewer.come(now, now, { pts, key: n === 0 });
      }
      viewer.tick(now);
    }
    const times = viewer.shown.map(({ pts }) => pts);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(viewer.playout.stats.late).toBe(0);
  });

  test('a decoder that does not keep up is given the newest key frame', () => {
    const { playout } = new Viewer();
    const taken: number[] = [];
    for (let now = 0; now < 8000; now++) {
      if (now % 40 === 0)
        playout.push({ dts: now, pts: now, key: now % 1000 === 0, catchup: false, data: DATA }, now, now);
      playout.run(now, now - 60);
      // It takes 50 ms for a picture, and 40 there are.
      const due = now % 50 === 0 ? playout.take(now) : null;
      if (due) taken.push(now - due.picture.dts);
    }
    expect(Math.max(...taken)).toBeLessThan(60 + 250 + 1000);
    expect(
      taken.slice(-50).some((late) => late < 100),
      'and is back at the edge',
    ).toBe(true);
    expect(playout.stats.skipped).toBeGreaterThan(0);
  });

  test('while nobody looks, only what the newest key frame leads stays', () => {
    const { playout } = new Viewer();
    for (let n = 0; n < 60; n++) {
      playout.push({ dts: n * 40, pts: n * 40, key: n % 25 === 0, catchup: false, data: DATA }, n * 40, n * 40);
      playout.trim();
      expect(playout.waiting).toBeLessThanOrEqual(25);
    }
    expect(playout.take(2400)?.picture.dts).toBe(2000);
    expect(playout.stats.skipped).toBe(50);
  });

  test('what waits has a bound, without a key frame too: then nothing is decoded before one', () => {
    for (const [data, most] of [
      [DATA, 1024],
      [new Uint8Array(1 << 20), 32],
    ] as const) {
      const { playout } = new Viewer();
      const come = (n: number, key: boolean) =>
        playout.push({ dts: n * 10, pts: n * 10, key, catchup: false, data }, n * 10, n * 10);
      for (let n = 0; n < 1500; n++) {
        come(n, n === 0);
        expect(playout.waiting).toBeLessThanOrEqual(most);
      }
      expect([playout.wantsKey, playout.take(15_000)]).toEqual([true, null]);
      come(1500, true);
      come(1501, false);
      expect([playout.wantsKey, playout.take(15_010)?.picture.dts]).toEqual([false, 15_000]);
    }
  });

  test('it begins anew after a pause', () => {
    const viewer = new Viewer();
    viewer.play(4, () => 50);
    viewer.playout.reset();
    expect([viewer.playout.media(4500), viewer.playout.behind(4500), viewer.playout.newest]).toEqual([null, 0, null]);
    viewer.come(90_050, 60_000);
    viewer.tick(90_050);
    viewer.tick(90_051 + viewer.playout.target);
    expect(viewer.shown.at(-1)?.pts).toBe(60_000);
    expect(viewer.playout.stats.freezes, 'a pause is no freeze').toBe(0);
  });
});
