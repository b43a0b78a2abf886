import { describe, expect, test } from 'vitest';
import { Pcm } from '../src/sink/pcm';

const RATE = 48_000;
const FRAME = 1024;
const FRAME_MS = (FRAME * 1000) / RATE;
const QUANTUM = 128;

type Wave = (n: number) => number;

const sine =
  (hz: number, amplitude = 0.5): Wave =>
  (n) =>
    amplitude * Math.sin((2 * Math.PI * hz * n) / RATE);
/** Something like a vowel: a low voice and its formants. */
const vowel: Wave = (n) => {
  let sum = 0;
  for (let k = 1; k <= 20; k++) {
    const weight = Math.exp(-(((k * 120 - 700) / 400) ** 2)) + 0.5 * Math.exp(-(((k * 120 - 1200) / 300) ** 2));
    sum += weight * Math.sin((2 * Math.PI * 120 * k * n) / RATE + k);
  }
  return sum * 0.1;
};

/** A player of sound that comes a frame at a time and is taken a quantum at a time. */
class Speaker {
  readonly pcm = new Pcm(RATE, 1);
  readonly out: number[] = [];
  /** Media time of the first sample of each quantum. */
  readonly times: (number | null)[] = [];
  #sent = 0;

  constructor(readonly wave: Wave) {}

  /** Puts in frames until `ms` of the wave have come. */
  come(ms: number, skip: (frame: number) => boolean = () => false): void {
    for (; (this.#sent + 1) * FRAME_MS <= ms; this.#sent++) {
      if (skip(this.#sent)) continue;
      const from = this.#sent * FRAME;
      const samples = Float32Array.from({ length: FRAME }, (_, n) => this.wave(from + n));
      this.pcm.push(Math.round(this.#sent * FRAME_MS), [samples]);
    }
  }

  play(ms: number, rate: number | ((quantum: number) => number) = 1): void {
    for (let q = 0; q < (ms * RATE) / 1000 / QUANTUM; q++) {
      const plane = new Float32Array(QUANTUM);
      this.times.push(this.pcm.media);
      this.pcm.render([plane], typeof rate === 'number' ? rate : rate(q));
      this.out.push(...plane);
    }
  }
}

/** The greatest step between two samples. */
function steepest(samples: number[]): number {
  return samples.slice(1).reduce((most, x, n) => Math.max(most, Math.abs(x - (samples[n] as number))), 0);
}

/** How much of a sound is a sine of `hz`, in dB above all the rest; in pieces of 100 ms, the median of them. */
function purity(samples: number[], hz: number): number {
  const length = RATE / 10;
  const pieces = [];
  for (let from = 0; from + length <= samples.length; from += length) {
    let [sin, cos, all] = [0, 0, 0];
    for (let n = 0; n < length; n++) {
      const x = samples[from + n] as number;
      sin += x * Math.sin((2 * Math.PI * hz * n) / RATE);
      cos += x * Math.cos((2 * Math.PI * hz * n) / RATE);
      all += x * x;
    }
    const tone = (2 * (sin * sin + cos * cos)) / length;
    pieces.push(10 * Math.log10(tone / Math.max(all - tone, 1e-12)));
  }
  return pieces.sort((a, b) => a - b)[Math.floor(pieces.length / 2)] as number;
}

describe('sound that plays at its own speed', () => {
  test('is handed on sample by sample', () => {
    const speaker = new Speaker(sine(440));
    speaker.come(2000);
    speaker.pcm.begin(100, QUANTUM);
    speaker.play(1000);
    const want = Array.from({ length: RATE }, (_, n) => speaker.wave(n + RATE / 10));
    // But for the first 5 ms, in which it fades in.
    const worst = want.slice(300).reduce((most, x, n) => Math.max(most, Math.abs(x - (speaker.out[300 + n] ?? 9))), 0);
    expect(worst).toBeLessThan(1e-6);
    expect(speaker.times[0]).toBeCloseTo(100, 1);
    expect(speaker.times.at(-1)).toBeCloseTo(100 + 1000 - 8 / 3, 0);
  });

  test('waits for its moment, and leaves out what is over', () => {
    const speaker = new Speaker(sine(440));
    speaker.pcm.begin(0, QUANTUM);
    expect([speaker.pcm.state, speaker.pcm.media]).toEqual(['waiting', null]);
    speaker.pcm.push(500, [new Float32Array(FRAME).fill(0.5)]);
    speaker.pcm.begin(490, QUANTUM);
    expect(speaker.pcm.state, 'too early').toBe('waiting');
    speaker.pcm.begin(498, QUANTUM);
    expect([speaker.pcm.state, speaker.pcm.media]).toEqual(['playing', 500]);
    const late = new Speaker(sine(440));
    late.come(100);
    late.pcm.begin(2000, QUANTUM);
    expect([late.pcm.state, late.pcm.buffered], 'all of it').toEqual(['waiting', 0]);
  });

  test('goes on in time, whatever milliseconds are rounded to', () => {
    const speaker = new Speaker(sine(440));
    speaker.come(100);
    speaker.pcm.begin(0, QUANTUM);
    // 96 ms are 36 quanta.
    for (let ms = 0; ms < 19_968; ms += 96) {
      speaker.come(ms + 250);
      speaker.play(96);
    }
    expect(speaker.pcm.underruns).toBe(0);
    expect(speaker.times.at(-1)).toSatisfy((ms: number) => Math.abs(ms - 19_968) < 5);
  });
});

describe('sound that plays faster or slower', () => {
  test.each([
    [0.97, 440],
    [1.05, 440],
    [1.1, 440],
    [1.2, 440],
    [1.05, 1000],
    [1.2, 90],
    [1.05, 3000],
  ])('at %f times the speed a tone of %i Hz stays one', (rate, hz) => {
    const speaker = new Speaker(sine(hz));
    speaker.come(4500);
    speaker.pcm.begin(200, QUANTUM);
    speaker.play(3000, rate);
    const tone = speaker.out.slice(RATE / 10);
    expect(speaker.times.at(-1)).toSatisfy((ms: number) => Math.abs(ms - 200 - 3000 * rate) < 25);
    expect(purity(tone, hz), 'dB').toBeGreaterThan(30);
    expect(steepest(tone), 'no clicks').toBeLessThan(
      1.1 * steepest(Array.from({ length: RATE }, (_, n) => speaker.wave(n))),
    );
  });

  test('a voice stays one: as loud as before, and without a step', () => {
    const [plain, fast] = [new Speaker(vowel), new Speaker(vowel)];
    for (const [speaker, rate] of [
      [plain, 1],
      [fast, 1.1],
    ] as const) {
      speaker.come(4500);
      speaker.pcm.begin(200, QUANTUM);
      speaker.play(3000, rate);
    }
    const energy = (samples: number[]) => samples.reduce((sum, x) => sum + x * x, 0);
    expect(energy(fast.out) / energy(plain.out)).toSatisfy((ratio: number) => ratio > 0.9 && ratio < 1.1);
    expect(steepest(fast.out)).toBeLessThan(1.2 * steepest(plain.out));
  });

  test('time passes as the rates say, however they change', () => {
    const speaker = new Speaker(vowel);
    speaker.come(300);
    speaker.pcm.begin(0, QUANTUM);
    let [want, seed] = [0, 1];
    for (let n = 0; n < 300; n++) {
      seed = (seed * 48_271) % 0x7fffffff;
      const rate = [0.97, 1, 1.05, 1.1, 1.2][seed % 5] as number;
      speaker.come(want + 300);
      // 18 quanta.
      speaker.play(48, rate);
      want += 48 * rate;
      // What is to be left out is given up where the rate is 1 again, and a piece is 16 ms at most.
      const behind = want - (speaker.pcm.media ?? 0);
      expect(Math.abs(behind)).toBeLessThan(20);
      want -= behind;
    }
    expect(speaker.pcm.underruns).toBe(0);
  });
});

describe('sound that does not come', () => {
  test('fades away without a click, and goes on where it was', () => {
    const speaker = new Speaker(sine(440));
    speaker.come(200);
    speaker.pcm.begin(0, QUANTUM);
    speaker.play(250);
    expect([speaker.pcm.state, speaker.pcm.underruns]).toEqual(['dry', 1]);
    const media = speaker.pcm.media;
    speaker.come(400);
    speaker.play(20);
    expect(speaker.pcm.state).toBe('playing');
    expect(speaker.times.at(-1)).toBeGreaterThan(media as number);
    expect(steepest(speaker.out)).toBeLessThan(2 * steepest(Array.from({ length: RATE }, (_, n) => speaker.wave(n))));
    const silent = speaker.out.slice((240 * RATE) / 1000, (245 * RATE) / 1000);
    expect(
      silent.every((x) => x === 0),
      'silence is silence',
    ).toBe(true);
  });

  test('for long has to find its place anew', () => {
    const speaker = new Speaker(sine(440));
    speaker.come(100);
    speaker.pcm.begin(0, QUANTUM);
    speaker.play(300);
    expect([speaker.pcm.state, speaker.pcm.media]).toEqual(['waiting', null]);
    speaker.come(400);
    speaker.play(10);
    expect(speaker.pcm.state).toBe('waiting');
    speaker.pcm.begin(300, QUANTUM);
    expect(speaker.pcm.media).toSatisfy((ms: number) => Math.abs(ms - 300) < 2);
  });

  test('leaves a hole that is filled, so that time goes on', () => {
    const speaker = new Speaker(sine(440));
    speaker.come(1000, (frame) => frame === 10 || frame === 20 || frame === 21);
    speaker.pcm.begin(0, QUANTUM);
    speaker.play(900);
    expect(speaker.times.at(-1)).toSatisfy((ms: number) => Math.abs(ms - 900) < 5);
    expect(purity(speaker.out.slice((600 * RATE) / 1000), 440)).toBeGreaterThan(30);
    const want = Array.from({ length: RATE }, (_, n) => speaker.wave(n));
    expect(steepest(speaker.out)).toBeLessThan(3 * steepest(want));
  });

  test('and comes twice is played once', () => {
    const speaker = new Speaker(sine(440));
    speaker.come(500);
    speaker.pcm.push(100, [new Float32Array(FRAME).fill(0.9)]);
    speaker.pcm.begin(0, QUANTUM);
    speaker.play(480);
    expect(Math.max(...speaker.out)).toBeLessThan(0.51);
  });

  test('and leaps in time waits for its place', () => {
    const speaker = new Speaker(sine(440));
    speaker.come(200);
    speaker.pcm.begin(0, QUANTUM);
    speaker.play(50);
    speaker.pcm.push(90_000, [new Float32Array(FRAME)]);
    expect([speaker.pcm.state, speaker.pcm.media]).toEqual(['waiting', null]);
    speaker.pcm.begin(90_000, QUANTUM);
    expect(speaker.pcm.media).toBe(90_000);
    speaker.pcm.push(1000, [new Float32Array(FRAME)]);
    expect(speaker.pcm.state).toBe('waiting');
  });

  test('is all that is kept of too much: a bound holds', () => {
    const speaker = new Speaker(sine(440));
    speaker.come(60_000);
    expect(speaker.pcm.buffered).toBeLessThan(6000);
    speaker.pcm.begin(59_000, QUANTUM);
    speaker.play(500);
    expect(speaker.times.at(-1)).toSatisfy((ms: number) => Math.abs(ms - 59_500) < 10);
    speaker.pcm.clear();
    expect([speaker.pcm.state, speaker.pcm.buffered]).toEqual(['waiting', 0]);
  });
});
