/**
 * How far the server's clock is from ours (`docs/ref/rtmp-udp.md`, section 6, CLOCK). Of several exchanges the one
 * with the shortest round trip knows best: half of a round trip is the most by which its answer can be wrong.
 *
 * Times are ms on one clock of ours, which may begin anywhere but may not be set: `performance.now()`.
 */

import type { ClockResponse } from './control';

interface Sample {
  at: number;
  trip: number;
  offset: number;
}

export class Clock {
  #asked = 0;
  #askAt: number;
  #samples: Sample[] = [];

  /** A clock that asks at once. */
  constructor(now: number) {
    this.#askAt = now;
  }

  /** The number of the question to ask now, if it is time: five quickly, then one each five seconds. */
  pollQuestion(now: number): number | null {
    if (now < this.#askAt) return null;
    this.#asked += 1;
    this.#askAt = now + (this.#asked < QUICK ? QUICK_PAUSE_MS : PAUSE_MS);
    return this.#asked;
  }

  /** An answer that has just come. One that cannot be is ignored. */
  handleResponse({ id, asked, came, answered }: ClockResponse, now: number): void {
    const there = answered - came;
    const trip = now - asked - there;
    if (id > this.#asked || there < 0 || trip < 0 || came > TIME_MAX || asked < now - SPAN_MS) return;
    this.#samples = this.#samples.filter((sample) => now - sample.at < SPAN_MS).slice(1 - SAMPLES_MAX);
    this.#samples.push({ at: now, trip, offset: came - asked - trip / 2 });
  }

  /** What to add to our clock to get the server's, ms since 1970; `null` while nobody knows. */
  get offset(): number | null {
    return this.#best()?.offset ?? null;
  }

  #best(): Sample | null {
    return this.#samples.reduce<Sample | null>((best, s) => (best === null || s.trip < best.trip ? s : best), null);
  }
}

const QUICK = 5;
const QUICK_PAUSE_MS = 200;
const PAUSE_MS = 5000;
/** Clocks drift: an exchange is worth something for so long. */
const SPAN_MS = 30_000;
/** Of 30 s, and the quick ones. */
const SAMPLES_MAX = 16;
/** The year 33658: what a number that is no time may not look like. */
const TIME_MAX = 1e15;
