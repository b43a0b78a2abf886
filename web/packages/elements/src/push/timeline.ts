/**
 * Puts a source's own time onto our clock: pictures have the camera's, sound counts samples. Pure. What comes, comes
 * late by more or less; who came quickest says how far the clocks are apart. They drift, so that is followed, slowly:
 * what is evenly spaced at its source stays so.
 */
export class Timeline {
  /** The least of `now - source` in each span. */
  #least: { until: number; offset: number }[] = [];
  #offset: number | null = null;
  #at = 0;
  #lateSince: number | null = null;

  /** When something of the source's time `source` was, on our clock; `now` is when it came. All in ms. */
  map(source: number, now: number): number {
    const offset = now - source;
    if (this.#offset === null || this.#isOther(offset - this.#offset, now)) {
      this.#least = [];
      this.#offset = offset;
      this.#lateSince = null;
    }
    const drift = this.#note(offset, now) - this.#offset;
    const most = (now - this.#at) * FOLLOW;
    this.#offset += Math.min(Math.max(drift, -most), most);
    this.#at = now;
    return source + this.#offset;
  }

  /** What stood still, or began anew, is another source. A page that was busy is only late, and soon is not. */
  #isOther(late: number, now: number): boolean {
    if (late <= JUMP_MS) this.#lateSince = null;
    else this.#lateSince ??= now;
    return late < -JUMP_MS || (this.#lateSince !== null && now - this.#lateSince > BUSY_MS);
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
/** More than any queue within a browser that has time. */
const JUMP_MS = 150;
/** A page that does nothing for longer is not used. */
const BUSY_MS = 1000;
const SPAN_MS = 1000;
const SPANS = 5;
