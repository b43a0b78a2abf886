/**
 * How live mode holds its delay: a pure function from how full the buffer is to what is done about it.
 *
 * The buffer is a tank between network and screen. Play (re)starts when it is filled; where it is fuller than it should
 * be, pictures run a little faster until it is not, and only far beyond that is a piece skipped.
 *
 * | strategy | settings | starts at | comes down slowly to | and clearly from |
 * |---|---|---|---|---|
 * | automatic | `autoCache`, min < max | min; the target, after it has run dry | the target | max on |
 * | speedy | `autoCache`, min = max | min | min | min on |
 * | smooth | not `autoCache` | max | max | max on |
 *
 * The target floats between min and max: the more unevenly frames come, the higher.
 */

import type { Settings } from './engine';

/** How it is now. */
export interface Tank {
  /** Media from what is shown to the newest, s. */
  buffered: number;
  /** How unevenly frames come, s. */
  jitter: number;
  /** Whether it plays, or waits to be filled. */
  playing: boolean;
  /** Whether it has played before. */
  hasPlayed: boolean;
  /** Whether nothing more will come: what is there is played. */
  isLast: boolean;
  /** At what rate it plays now. */
  rate: number;
}

/** What is done about it. */
export interface Act {
  /** How fast to play. */
  rate: number;
  /** Skip to so much before the newest, s; `null` to skip nothing. */
  seek: number | null;
  /** Stand still until there is more. */
  wait: boolean;
}

export type CacheSettings = Pick<Settings, 'minCache' | 'maxCache' | 'autoCache'>;

export function decide(tank: Tank, settings: CacheSettings): Act {
  const levels = levelsOf(tank.jitter, settings);
  if (!tank.playing) return fill(tank, levels);
  const { buffered } = tank;
  if (buffered < DRY_S && !tank.isLast) return { rate: 1, seek: null, wait: true };
  if (buffered > levels.high + SKIP_S) return { rate: 1, seek: levels.target, wait: false };
  return { rate: rateFor(tank, levels), seek: null, wait: false };
}

/** What delay there shall be, s. */
export interface Levels {
  /** Filled to this it starts. */
  start: number;
  /** To this it is filled after it ran dry. */
  target: number;
  /** From this on the delay is brought down. */
  high: number;
}

export function levelsOf(jitter: number, settings: CacheSettings): Levels {
  const min = Math.max(CACHE_S_MIN, settings.minCache);
  const max = Math.max(min, settings.maxCache);
  if (!settings.autoCache) return { start: max, target: max, high: max + HIGH_ROOM_S };
  if (max - min < HIGH_ROOM_S) return { start: min, target: min, high: min + HIGH_ROOM_S };
  const target = Math.min(Math.max(min, JITTER_FACTOR * jitter), max);
  return { start: min, target, high: max };
}

/**
 * Stands still until there is enough. A server begins at a key frame, which may be far deeper than was asked for: the
 * first picture is there at once, and play starts where it should. Later, what came late is seen.
 */
function fill({ buffered, hasPlayed, isLast }: Tank, { start, target, high }: Levels): Act {
  const wanted = hasPlayed ? target : start;
  const wait = buffered < wanted && !(isLast && buffered > DRY_S);
  const isDeep = !isLast && buffered > (hasPlayed ? high + SKIP_S : start + EASE_START_S);
  return { rate: 1, seek: isDeep ? wanted + EASE_END_S : null, wait };
}

/** The fuller, the faster: hardly above the target, clearly above `high`; and then until the target is reached. */
function rateFor({ buffered, rate }: Tank, { target, high }: Levels): number {
  const excess = buffered - target;
  if (excess <= (rate > 1 ? EASE_END_S : EASE_START_S)) return 1;
  if (buffered <= high) return EASE_RATE;
  return 1 + RATE_STEP * Math.min(2 + Math.ceil((buffered - high) / RATE_STEP_S), RATE_STEPS_MAX);
}

/** The least cache of live mode: less is what RTC mode is for. */
export const CACHE_S_MIN = 1;
/** Less than two pictures: nothing more is shown. */
const DRY_S = 0.06;
/** Writes are gathered for 100 ms and frames come in waves: what is held "at" a level is within this. */
const HIGH_ROOM_S = 0.3;
/** So far beyond the highest level it is faster to skip: a tenth faster, 2 s take 20. */
const SKIP_S = 2;
/** The buffer outlasts a wave twice as high as those seen. */
const JITTER_FACTOR = 2;
/** Above the target, below what must be brought down: nobody hears 3 %, which takes half a minute for a second. */
const EASE_RATE = 1.03;
/** Waves about the target are left alone. */
const EASE_START_S = 0.3;
const EASE_END_S = 0.1;
/** Above: 6 % and more, by the distance, up to the 10 % that are hardly heard. */
const RATE_STEP = 0.02;
const RATE_STEP_S = 0.4;
const RATE_STEPS_MAX = 5;
