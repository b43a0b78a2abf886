import { describe, expect, test } from 'vitest';
import { Meter, quality, type Reading } from '../src/meter';
import type { Counts } from '../src/rtmp-udp/receiver';

const COUNTS: Counts = {
  videoSeqMax: 0,
  videoReceived: 0,
  videoLost: 0,
  videoUndecodable: 0,
  audioReceived: 0,
  audioLost: 0,
  jumps: 0,
  bytes: 0,
};

function reading(now: number, counts: Partial<Counts>, more: Partial<Reading> = {}): Reading {
  const still = { shown: 0, freezes: 0, lateness: 0, target: 30, pictureMs: 0, soundMs: 0, decoding: 0, waiting: 0 };
  return { now, counts: { ...COUNTS, ...counts }, ...still, ...more };
}

describe('the status', () => {
  test('has rates of the last second, however often it is asked', () => {
    const meter = new Meter();
    meter.read(reading(0, {}));
    for (let n = 1; n <= 8; n++) {
      for (let k = 0; k < 25; k += 2) meter.pictureCame(n * 500, n % 2 === 1 && k === 0, n % 2 === 1 ? 2000 : 500);
      meter.soundCame(n * 500 - 30, 4000);
      const bytes = n * 13_000;
      const status = meter.read(reading(n * 500, { bytes, videoReceived: 13 * n }, { shown: n * 12 }));
      if (n % 2 === 0)
        expect(status).toMatchObject({ videoBitrate: 260, audioBitrate: 64, videoFPS: 24, netSpeed: 208 });
      if (n > 2) expect(status).toMatchObject({ videoGOP: 1, avRecvInterval: 30, netQualityLevel: 1 });
    }
    expect(meter.kbitPerS).toBe(208);
  });

  test('knows size and delay when there is a picture', () => {
    const meter = new Meter();
    expect(meter.read(reading(0, {}))).not.toHaveProperty('delay');
    meter.resized(640, 360);
    meter.pictureShown(1000, 990, 87.4);
    const status = meter.read(reading(1000, {}, { target: 40, lateness: 12.4 }));
    expect(status).toMatchObject({ videoWidth: 640, videoHeight: 360, delay: 87, avPlayInterval: 10 });
    expect(status).toMatchObject({ netJitter: 12, audioCacheThreshold: 70, transport: 'rtmp-udp' });
    meter.pictureShown(1040, null, -5);
    expect(meter.delay, 'clocks that cannot be').toBe(87.4);
  });

  test.each([
    [0, 0, 0, 0],
    [0, 100, 30, 1],
    [0, 100, 31, 2],
    [1, 999, 20, 2],
    [10, 990, 20, 3],
    [0, 100, 150, 3],
    [4, 96, 20, 4],
    [10, 90, 20, 5],
    [0, 100, 400, 5],
    [50, 50, 20, 6],
  ])('%i lost of %i more with %i ms of jitter is grade %i', (lost, received, jitter, grade) => {
    expect(quality(lost, received, jitter)).toBe(grade);
  });
});
