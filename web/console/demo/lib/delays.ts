/** Delays as they were seen: the last minute of them, and what is usual. */

export interface Seen {
  /** When, ms of the page's clock. */
  at: number;
  ms: number;
}

export interface Usual {
  n: number;
  last: number | null;
  p50: number | null;
  p95: number | null;
}

/** So long a delay counts, ms: what a chart shows. */
export const WINDOW_MS = 60_000;
/** One a picture of the clock's: 25 a second, 60 s, and room for a display of 60 Hz. */
const SEEN_MAX = 3600;

export class Delays {
  #seen: Seen[] = [];

  add(at: number, ms: number): void {
    this.#seen.push({ at, ms });
    const first = this.#seen.findIndex((one) => one.at > at - WINDOW_MS);
    if (first > 0) this.#seen.splice(0, first);
    if (this.#seen.length > SEEN_MAX) this.#seen.splice(0, this.#seen.length - SEEN_MAX);
  }

  clear(): void {
    this.#seen = [];
  }

  get seen(): readonly Seen[] {
    return this.#seen;
  }

  usual(): Usual {
    const sorted = this.#seen.map((one) => one.ms).sort((a, b) => a - b);
    return { n: sorted.length, last: this.#seen.at(-1)?.ms ?? null, p50: rank(sorted, 0.5), p95: rank(sorted, 0.95) };
  }
}

/** The smallest that so many are not above. */
export function rank(sorted: readonly number[], part: number): number | null {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? null;
}
