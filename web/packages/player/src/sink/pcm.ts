/**
 * Decoded sound between the decoder and the loudspeaker: put in by its media time, taken out at any rate near 1 without
 * a change of pitch, and without a click where there is none left.
 *
 * The rate is changed as telephones do it (SOLA): now and then a piece as long as a period of the sound is left out, or
 * played twice, with a cross-fade where both ends look most alike. In between samples are handed on as they are, so at
 * rate 1 nothing is touched at all.
 *
 * It runs on the audio thread: nothing is allocated while it plays.
 */

/** What it does. */
export type PcmState =
  /** Silent, until {@link Pcm.begin} finds the sample whose time has come. */
  | 'waiting'
  | 'playing'
  /** There is nothing left; for a moment it goes on by itself when something comes. */
  | 'dry';

export class Pcm {
  readonly #rateHz: number;
  readonly #rings: Float32Array[];
  readonly #mask: number;
  /** Where `#rings` are written, and read, in samples since the beginning. */
  #write = 0;
  #read = 0;
  /** The oldest sample that may be played twice. */
  #base = 0;
  /** Media times of samples: each holds up to the next one. */
  #anchors: { index: number; time: number }[] = [];
  #state: PcmState = 'waiting';
  /** Samples that are to be left out, or played twice where negative. */
  #debt = 0;
  /** Samples of a cross-fade that are left, and how far what is faded in is from what is faded out. */
  #splice = 0;
  #lag = 0;
  /** Where what comes after a hole begins: it fades in. */
  #risesFrom = Number.NEGATIVE_INFINITY;
  /** Samples of silence to come before what is dry begins to wait. */
  #patience = 0;
  /** How loud what is played is: it goes to 1 within {@link FADE_MS}. */
  #gain = 0;
  /** A fading repetition of what was played last, while it is dry. */
  #tail: { length: number; at: number } = { length: 0, at: 0 };
  readonly #tails: Float32Array[];
  readonly #mono: Float32Array;
  #underruns = 0;

  constructor(rateHz: number, channels: number) {
    this.#rateHz = rateHz;
    let capacity = 1;
    while (capacity < (rateHz * CAPACITY_MS) / 1000) capacity *= 2;
    this.#mask = capacity - 1;
    const planes = (length: number) => Array.from({ length: channels }, () => new Float32Array(length));
    this.#rings = planes(capacity);
    this.#tails = planes(this.#samples(LAG_MAX_MS));
    this.#mono = new Float32Array(2 * this.#samples(LAG_MAX_MS) + this.#samples(OVERLAP_MS));
  }

  get state(): PcmState {
    return this.#state;
  }

  /** Times that it ran dry. */
  get underruns(): number {
    return this.#underruns;
  }

  /** What is there, ms. */
  get buffered(): number {
    return ((this.#write - this.#read) * 1000) / this.#rateHz;
  }

  /** Media time of the next sample to be played, ms; `null` while it waits. */
  get media(): number | null {
    return this.#state === 'waiting' ? null : this.#timeOf(this.#read);
  }

  /** Puts in samples whose first one is that of `time`. A hole is filled, and what was there already is left out. */
  push(time: number, planes: readonly Float32Array[]): void {
    const length = planes[0]?.length ?? 0;
    if (length === 0) return;
    const expected = this.#write > this.#read || this.#state !== 'waiting' ? this.#timeOf(this.#write) : time;
    const step = time - expected;
    // The publisher's time has leapt, or it is long since anything came.
    if (Math.abs(step) > HOLE_MAX_MS) {
      this.wait();
      this.#clear(time);
      this.#append(planes, 0, length);
    } else if (step > SLACK_MS) {
      this.#fillHole(this.#samples(step));
      this.#anchor(time);
      this.#append(planes, 0, length);
    } else if (step < -SLACK_MS) {
      const known = this.#samples(-step);
      if (known < length) this.#append(planes, known, length);
    } else {
      // Times are whole milliseconds, and clocks differ: what the samples count is brought to what is said, slowly.
      this.#anchor(expected + step * SLEW);
      this.#append(planes, 0, length);
    }
    this.#keepBounds();
  }

  /** While it waits: plays from `media` on, if that is there. */
  begin(media: number, frames: number): void {
    if (this.#state !== 'waiting' || this.#write === this.#read) return;
    const first = this.#timeOf(this.#read);
    // Not yet: it is asked again with the next few samples.
    if (first > media + (frames * 1000) / this.#rateHz) return;
    this.#read = Math.min(this.#write, this.#read + Math.max(0, this.#samples(media - first)));
    this.#base = this.#read;
    if (this.#read === this.#write) return;
    this.#state = 'playing';
    this.#gain = 0;
    this.#debt = 0;
  }

  /** Stops playing, and keeps what is there for {@link begin}. */
  wait(): void {
    if (this.#state === 'playing') this.#makeTail();
    this.#state = 'waiting';
    this.#dropAnchors();
  }

  /** Forgets what is there. */
  clear(): void {
    this.wait();
    this.#clear(0);
  }

  /** The next samples, one array for each channel, at so many times the speed. */
  render(out: readonly Float32Array[], rate: number): void {
    const frames = out[0]?.length ?? 0;
    if (this.#state === 'dry' && this.#write > this.#read) {
      this.#state = 'playing';
      this.#gain = 0;
    }
    let at = 0;
    if (this.#state === 'playing') {
      this.#debt += (rate - 1) * frames;
      if (rate === 1) this.#debt = 0;
      at = this.#play(out, frames);
      if (at < frames) this.#runDry();
    }
    for (const plane of out) plane.fill(0, at);
    this.#playTail(out, this.#state === 'playing' ? 0 : at, frames);
    this.#patience -= frames - at;
    if (this.#state === 'dry' && this.#patience <= 0) this.wait();
    if (this.#anchors.length > 2) this.#dropAnchors();
  }

  /** Hands on samples, with splices in between; answers how many there were. */
  #play(out: readonly Float32Array[], frames: number): number {
    let at = 0;
    while (at < frames) {
      const overlap = this.#samples(OVERLAP_MS);
      // A splice is written in one piece, so it has to fit behind what is written already: it may wait for the next.
      const count = Math.min(frames - at, this.#write - this.#read);
      if (count === 0) break;
      if (this.#splice === 0 && Math.abs(this.#debt) >= this.#samples(LAG_MIN_MS)) this.#beginSplice(overlap);
      at += this.#splice > 0 ? this.#playSplice(out, at, frames, overlap) : this.#copy(out, at, count);
    }
    return at;
  }

  /** Looks for the piece to be left out or repeated. */
  #beginSplice(overlap: number): void {
    const [least, most] = [this.#samples(LAG_MIN_MS), this.#samples(LAG_MAX_MS)];
    const forward = this.#debt > 0;
    const reach = forward ? most : 0;
    if (this.#write - this.#read < overlap + reach) return;
    if (!forward && this.#read - this.#base < most) return;
    const lag = this.#bestLag(forward, least, most, overlap);
    this.#lag = forward ? lag : -lag;
    this.#debt -= this.#lag;
    this.#splice = overlap;
  }

  #playSplice(out: readonly Float32Array[], at: number, frames: number, overlap: number): number {
    const count = Math.min(this.#splice, frames - at);
    for (let n = 0; n < count; n++) {
      const faded = (overlap - this.#splice + n + 1) / (overlap + 1);
      const gain = this.#rise();
      for (let c = 0; c < out.length; c++) {
        const ring = this.#rings[c] as Float32Array;
        const from = ring[(this.#read + n) & this.#mask] as number;
        const to = ring[(this.#read + n + this.#lag) & this.#mask] as number;
        (out[c] as Float32Array)[at + n] = (from + (to - from) * faded) * gain;
      }
    }
    this.#read += count;
    this.#splice -= count;
    if (this.#splice === 0) this.#read += this.#lag;
    return count;
  }

  #copy(out: readonly Float32Array[], at: number, count: number): number {
    for (let n = 0; n < count; n++) {
      const index = (this.#read + n) & this.#mask;
      const gain = this.#rise();
      for (let c = 0; c < out.length; c++) {
        (out[c] as Float32Array)[at + n] = ((this.#rings[c] as Float32Array)[index] as number) * gain;
      }
    }
    this.#read += count;
    return count;
  }

  #rise(): number {
    if (this.#gain < 1) this.#gain = Math.min(1, this.#gain + 1000 / (FADE_MS * this.#rateHz));
    return this.#gain;
  }

  /** The distance at which the sound looks most like itself, ahead or behind. */
  #bestLag(forward: boolean, least: number, most: number, overlap: number): number {
    const from = forward ? this.#read : this.#read - most;
    const length = most + overlap;
    for (let n = 0; n < length; n++) {
      let sum = 0;
      for (const ring of this.#rings) sum += ring[(from + n) & this.#mask] as number;
      this.#mono[n] = sum;
    }
    // Ahead, what is faded out stands in front, and what is faded in `lag` behind it; otherwise the other way round.
    const likeness = (lag: number, stride: number) =>
      forward ? this.#likeness(0, lag, overlap, stride) : this.#likeness(most, most - lag, overlap, stride);
    let best = least;
    let bestLikeness = Number.NEGATIVE_INFINITY;
    for (let lag = least; lag <= most; lag += 2) {
      const is = likeness(lag, 2);
      if (is > bestLikeness) [best, bestLikeness] = [lag, is];
    }
    const found = best;
    bestLikeness = likeness(found, 1);
    for (const lag of [found - 1, found + 1]) {
      if (lag < least || lag > most) continue;
      const is = likeness(lag, 1);
      if (is > bestLikeness) [best, bestLikeness] = [lag, is];
    }
    return best;
  }

  /** How alike two stretches are, loud ones and soft ones the same: 1 at most. */
  #likeness(a: number, b: number, length: number, stride: number): number {
    let both = 0;
    let energyA = QUIET;
    let energyB = QUIET;
    for (let n = 0; n < length; n += stride) {
      const x = this.#mono[a + n] as number;
      const y = this.#mono[b + n] as number;
      both += x * y;
      energyA += x * x;
      energyB += y * y;
    }
    return both / Math.sqrt(energyA * energyB);
  }

  #runDry(): void {
    this.#underruns += 1;
    this.#makeTail();
    this.#state = 'dry';
    this.#splice = 0;
    this.#debt = 0;
    this.#patience = this.#samples(DRY_MAX_MS);
  }

  /** Keeps the last of what was played, to fade away with. */
  #makeTail(): void {
    const most = this.#samples(LAG_MAX_MS);
    const overlap = this.#samples(OVERLAP_MS);
    this.#splice = 0;
    this.#tail.at = 0;
    this.#tail.length = 0;
    if (this.#read - this.#base < most + overlap) return;
    // The period of the sound: what was played `lag` ago looks like what was played last.
    this.#read -= overlap;
    const lag = this.#bestLag(false, this.#samples(LAG_MIN_MS), most, overlap);
    this.#read += overlap;
    this.#tail.length = lag;
    for (let c = 0; c < this.#rings.length; c++) {
      const ring = this.#rings[c] as Float32Array;
      const tail = this.#tails[c] as Float32Array;
      for (let n = 0; n < lag; n++) tail[n] = ring[(this.#read - lag + n) & this.#mask] as number;
    }
  }

  /** What was played last, again and again, until it has faded away. It is added: what comes after it fades in. */
  #playTail(out: readonly Float32Array[], at: number, frames: number): void {
    const fade = this.#samples(TAIL_MS);
    const { length } = this.#tail;
    for (let n = at; n < frames && length > 0 && this.#tail.at < fade; n++) {
      const gain = 1 - this.#tail.at / fade;
      for (let c = 0; c < out.length; c++) {
        (out[c] as Float32Array)[n] =
          ((out[c] as Float32Array)[n] as number) +
          gain * gain * ((this.#tails[c] as Float32Array)[this.#tail.at % length] as number);
      }
      this.#tail.at += 1;
    }
    if (this.#state === 'playing' && this.#gain >= 1) this.#tail.length = 0;
  }

  /** A hole fades away and in again, as if it had run dry. */
  #fillHole(length: number): void {
    const fade = Math.min(this.#samples(TAIL_MS), length);
    const period = this.#samples(LAG_MAX_MS);
    const hasPast = this.#write - this.#base >= period;
    for (let c = 0; c < this.#rings.length; c++) {
      const ring = this.#rings[c] as Float32Array;
      for (let n = 0; n < length; n++) {
        const gain = 1 - n / fade;
        // Backwards from the end: so it goes on where it was, whatever it is.
        const mirrored = ring[(this.#write - 1 - (n % period)) & this.#mask] as number;
        ring[(this.#write + n) & this.#mask] = hasPast && gain > 0 ? mirrored * gain * gain : 0;
      }
    }
    this.#write += length;
    this.#risesFrom = this.#write;
  }

  #append(planes: readonly Float32Array[], from: number, to: number): void {
    const fade = this.#samples(FADE_MS);
    for (let c = 0; c < this.#rings.length; c++) {
      const ring = this.#rings[c] as Float32Array;
      // Mono is heard on both sides.
      const plane = (planes[c] ?? planes[0]) as Float32Array;
      for (let n = from; n < to; n++) {
        const index = this.#write + n - from;
        const since = index - this.#risesFrom;
        ring[index & this.#mask] = (plane[n] as number) * (since < fade ? since / fade : 1);
      }
    }
    this.#write += to - from;
  }

  #anchor(time: number): void {
    this.#anchors.push({ index: this.#write, time });
  }

  #timeOf(index: number): number {
    let found = this.#anchors[0];
    for (const anchor of this.#anchors) {
      if (anchor.index > index) break;
      found = anchor;
    }
    return found === undefined ? 0 : found.time + ((index - found.index) * 1000) / this.#rateHz;
  }

  #dropAnchors(): void {
    while (this.#anchors.length > 1 && (this.#anchors[1]?.index ?? 0) <= this.#read) this.#anchors.shift();
  }

  #clear(time: number): void {
    this.#read = this.#write;
    this.#base = this.#write;
    this.#anchors = [{ index: this.#write, time }];
    this.#debt = 0;
  }

  /** What is there, and what was played and may be played again, has room in the ring. */
  #keepBounds(): void {
    const room = this.#mask + 1 - this.#mono.length;
    if (this.#write - this.#read > room) {
      this.#read = this.#write - Math.floor(room / 2);
      this.#splice = 0;
      this.#gain = 0;
    }
    this.#base = Math.max(this.#base, this.#write - this.#mask - 1);
    if (this.#read - this.#base > this.#mono.length) this.#base = this.#read - this.#mono.length;
  }

  #samples(ms: number): number {
    return Math.round((ms * this.#rateHz) / 1000);
  }
}

/** How long what has run dry may go on by itself when something comes: after that its place has to be found anew. */
export const DRY_MAX_MS = 120;
/** 5 s: what a burst, or a network that was away, brings at once. */
const CAPACITY_MS = 5000;
/** Periods of voices and most music: 330 down to 60 Hz. */
const LAG_MIN_MS = 3;
const LAG_MAX_MS = 16;
/** Two periods of a low voice: shorter cross-fades are heard. */
const OVERLAP_MS = 8;
/** What begins, begins within this. */
const FADE_MS = 5;
/** What ends for want of samples fades within this. */
const TAIL_MS = 30;
/** Times are whole milliseconds, and of some encoders a few off. */
const SLACK_MS = 12;
/** Of a difference between what samples count and what is said, so much is taken over with each frame. */
const SLEW = 0.02;
/** A hole that is longer, or a step back, is another time. */
const HOLE_MAX_MS = 1000;
/** The energy below which everything is alike: silence may be cut anywhere. */
const QUIET = 1e-9;
