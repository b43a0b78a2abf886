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
  it('is a picture that stands still for longer than the threshold', () => {
    const stutters = new Stutters();
    expect(stutters.shown(0, 0, 800)).toBeNull();
    expect(stutters.shown(700, 40, 800)).toBeNull();
    expect(stutters.shown(1600, 80, 800)).toBe(860);
    // Three pictures went by before it stood still.
    expect(stutters.shown(2700, 200, 800)).toBe(980);
  });

  it('is none where the stream itself has so few pictures, or after a pause', () => {
    const stutters = new Stutters();
    for (let n = 0; n < 5; n++) expect(stutters.shown(n * 1000, n * 1000, 800)).toBeNull();
    stutters.reset();
    expect(stutters.shown(60_000, 5000, 800)).toBeNull();
  });
});
