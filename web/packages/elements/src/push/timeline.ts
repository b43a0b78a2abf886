/**
 * Puts a source's own time onto our clock: pictures have the camera's, sound counts samples. Pure. What comes, comes
 * late by more or less; who came quickest says how far the clocks are apart. They drift, so that is followed, slowly:
 * what is evenly spaced at its source stays so.
 */
export class Timeline {
  /** The least of `now - source` in the span of each. */
  #least: { until: number; offset: number }[] = [];
  #offset: number | null = null;
  #at = 0;

  /** When something of the source's time `source` was, on our clock; `now` is when it came. All in ms. */
  map(source: number, now: number): number {
    const offset = now - source;
    const best = this.#note(offset, now);
    const drift = this.#offset === null ? 0 : best - this.#offset;
    // A source that stood still, or began anew, is another one.
    if (this.#offset === null || Math.abs(drift) > JUMP_MS) {
      this.#least = [{ until: now + SPAN_MS, offset }];
      this.#offset = offset;
    } else {
      const most = (now - this.#at) * FOLLOW;
      this.#offset += Math.min(Math.max(drift, -most), most);
    }
    this.#at = now;
    return source + this.#offset;
  }

  #note(offset: number, now: number): number {
    const last = this.#least.at(-1);
    if (last && now < last.until) last.offset = Math.min(last.offset, offset);
    else this.#least.push({ until: now + SPAN_MS, offset });
    if (this.#least.length > SPANS) this.#least.shift();
    return Math.min(...this.#least.map((span) => span.offset));
  }
}

/** Ms of following in a ms: crystals are apart by a tenth of this at most. */
const FOLLOW = 0.001;
/** More than any queue within a browser. */
const JUMP_MS = 150;
const SPAN_MS = 1000;
const SPANS = 5;
