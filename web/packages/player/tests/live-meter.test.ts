import { describe, expect, it } from 'vitest';
import type { Frame } from '../src/frame';
import { LiveMeter, Stutters } from '../src/live-meter';

const frame = (kind: 'video' | 'audio', dts: number, bytes: number, key = false): Frame => ({
  kind,
  codec: kind === 'video' ? 'avc' : 'aac',
  config: false,
  key,
  dts,
  cts: 0,
  data: new Uint8Array(bytes),
});
const READING = {
  width: 640,
  height: 360,
  videoCache: 1200,
  audioCache: 1180,
  threshold: 3000,
  transport: 'flv' as const,
};

it('counts what came in a second, and what was shown', () => {
  const meter = new LiveMeter();
  const second = (from: number) => {
    for (let ms = 0; ms < 1000; ms += 40) {
      meter.came(600);
      meter.frame(frame('video', from + ms, 500, ms === 0), from + ms);
      meter.frame(frame('audio', from + ms + 8, 100), from + ms);
    }
  };
  second(0);
  meter.read({ ...READING, now: 1000, shown: 3 });
  second(1000);
  expect(meter.read({ ...READING, now: 2000, shown: 28 })).toEqual({
    videoBitrate: 100,
    audioBitrate: 20,
    videoFPS: 25,
    videoGOP: 1,
    netSpeed: 120,
    netJitter: 8,
    netQualityLevel: 1,
    videoWidth: 640,
    videoHeight: 360,
    videoCache: 1200,
    audioCache: 1180,
    vDecCacheSize: 0,
    vSumCacheSize: 30,
    avPlayInterval: 0,
    avRecvInterval: -8,
    audioCacheThreshold: 3000,
    transport: 'flv',
    freezes: 0,
  });
});

describe('how unevenly frames come', () => {
  const feed = (late: (ms: number) => number, seconds = 5) => {
    const meter = new LiveMeter();
    for (let ms = 0; ms < seconds * 1000; ms += 40) meter.frame(frame('video', ms, 1), ms + late(ms));
    return meter.jitter;
  };

  it('is nothing where they come in step', () => expect(feed(() => 300)).toBe(0));
  it('is the worst of late', () => expect(feed((ms) => (ms === 4000 ? 900 : 0))).toBeCloseTo(0.9));
  it('is forgotten', () => expect(feed((ms) => (ms === 2000 ? 900 : 0), 20)).toBe(0));
  it('is not that a viewer gets a second at once', () => expect(feed((ms) => Math.max(0, 1000 - ms))).toBe(0));
  it('is not that a clock leaps', () => {
    const meter = new LiveMeter();
    for (let ms = 0; ms < 4000; ms += 40) meter.frame(frame('video', ms < 2000 ? ms : ms + 3_600_000, 1), ms);
    expect(meter.jitter).toBe(0);
  });
});

describe('a stutter', () => {
  it('is a picture that stands still for longer than the threshold, told when it moves again', () => {
    const stutters = new Stutters();
    const seen = [
      [0, 1],
      [100, 4],
      [900, 4],
      [1000, 4],
      [1100, 6],
      [1200, 9],
    ].map(([now = 0, shown = 0]) => stutters.see(now, shown, 800));
    expect(seen).toEqual([null, null, null, null, 1000, null]);
  });

  it('is none after a pause, and none where an element begins to count anew', () => {
    const stutters = new Stutters();
    stutters.see(0, 5, 800);
    stutters.reset();
    expect(stutters.see(5000, 6, 800)).toBeNull();
    expect(stutters.see(9000, 1, 800)).toBeNull();
  });

  it('and how far apart pictures are in the stream is known', () => {
    const meter = new LiveMeter();
    for (const dts of [0, 40, 80, 1080, 20_000_000, 20_000_040]) meter.frame(frame('video', dts, 1), dts);
    expect(meter.intervalMs).toBe(1000);
  });
});
