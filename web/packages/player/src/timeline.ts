/**
 * Stream time to media time: from 0 on, without leaps. Where a stream's clock leaps, as it does with a publisher's
 * restart behind another server, what comes goes on where the other ended; both kinds of media move together.
 *
 * A kind that pauses alone is no leap: the other one tells what time it is.
 */
export class Timeline {
  readonly #lanes: Record<Kind, Lane> = {
    video: { last: null, end: 0, offset: 0 },
    audio: { last: null, end: 0, offset: 0 },
  };
  /** What is added to stream time now; `null` before the first frame. */
  #offset: number | null = null;

  /** Media time of a frame, ms; below zero where it is before the first one. `last` frames count, in order. */
  place(kind: Kind, dts: number): number {
    const lane = this.#lanes[kind];
    lane.offset = this.#offsetFor(kind, dts);
    lane.last = dts;
    const time = dts + lane.offset;
    lane.end = Math.max(lane.end, time);
    return time;
  }

  #offsetFor(kind: Kind, dts: number): number {
    const lane = this.#lanes[kind];
    const other = this.#lanes[kind === 'video' ? 'audio' : 'video'];
    if (this.#offset === null) this.#offset = -dts;
    else if (lane.last !== null && isStep(dts - lane.last)) return lane.offset;
    else if (other.last !== null && isNear(dts, other.last)) return other.offset;
    else if (lane.last !== null || other.last !== null) this.#offset = this.#end + LEAP_STEP_MS - dts;
    return this.#offset;
  }

  get #end(): number {
    return Math.max(this.#lanes.video.end, this.#lanes.audio.end);
  }
}

type Kind = 'video' | 'audio';

interface Lane {
  /** Stream time of the latest frame. */
  last: number | null;
  /** Media time of the latest frame. */
  end: number;
  offset: number;
}

/** Whether time goes on from one frame of a kind to the next. */
function isStep(ms: number): boolean {
  return ms >= -STEP_BACK_MS_MAX && ms <= STEP_MS_MAX;
}

/** Whether both kinds are at the same time: interleaving is never that coarse. */
function isNear(a: number, b: number): boolean {
  return Math.abs(a - b) <= STEP_MS_MAX;
}

/** A longer step forward is another clock, or a pause of everything: nobody wants to wait through either. */
const STEP_MS_MAX = 2000;
/** Encoders that interleave badly step back by a few frames. */
const STEP_BACK_MS_MAX = 500;
/** Room for the frame before a leap. */
const LEAP_STEP_MS = 40;
