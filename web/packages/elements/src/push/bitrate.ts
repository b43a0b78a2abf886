/**
 * How many bits a second, and how large a picture: pure policy. What waits at the pusher tells first that the path is
 * too narrow; the rate then goes down at once, to what the path took, and comes back slowly. In RTC mode the picture
 * gets smaller before it gets bad.
 */

export type Mode = 'RTC' | 'SD' | 'HD' | 'FHD';

/** What a mode recommends. */
export interface Recommended {
  minKbps: number;
  maxKbps: number;
  /** Of the upright picture at 9:16. */
  width: number;
  height: number;
  /** From key frame to key frame. */
  gopMs: number;
  /** Whether the picture may get smaller. */
  shrinks: boolean;
  /** Over TCP: how long a picture may wait before the rest of its GOP is left out. */
  patienceMs: number;
}

/**
 * The vendor's recommendations; sizes and GOP are those of the SDK's presets of the same names. Over RTMP-UDP a GOP of
 * a second works best; viewers of live modes wait for whole seconds anyway, and 3 s are worth a tenth of the bits.
 */
export const RECOMMENDED: Readonly<Record<Mode, Recommended>> = {
  RTC: { minKbps: 200, maxKbps: 1000, width: 360, height: 640, gopMs: 1000, shrinks: true, patienceMs: 1000 },
  SD: { minKbps: 300, maxKbps: 800, width: 360, height: 640, gopMs: 3000, shrinks: false, patienceMs: 2500 },
  HD: { minKbps: 600, maxKbps: 1200, width: 540, height: 960, gopMs: 3000, shrinks: false, patienceMs: 2500 },
  FHD: { minKbps: 600, maxKbps: 1800, width: 720, height: 1280, gopMs: 3000, shrinks: false, patienceMs: 2500 },
};

/** Within what the rate moves. */
export interface Bounds {
  minKbps: number;
  maxKbps: number;
  /** Pixels, of the whole picture. */
  width: number;
  height: number;
  fps: number;
  shrinks: boolean;
  /** What sound takes beside the pictures. */
  soundKbps: number;
}

/** What the path was like since the last look. */
export interface Look {
  /** How long what waits here takes to send, or has been waiting, ms: whichever is more. */
  backlogMs: number;
  /** What the other side took, kbit/s; 0 while nobody knows. */
  takenKbps: number;
  /** Of the frames that should have come, those that did not, in thousandths. */
  lostPerMille: number;
  /** Pictures were left out, because too much waited. */
  dropped: boolean;
}

export interface Decision {
  /** Of the pictures. */
  kbps: number;
  width: number;
  height: number;
  /** The rate has moved far enough to be told: 1006. */
  isNewRate: boolean;
  isNewSize: boolean;
  /** Even the lowest rate is too much: 1101. */
  isTooSlow: boolean;
}

export class Bitrate {
  #bounds: Bounds;
  #kbps: number;
  #told: number;
  /** Index in {@link SCALES}. */
  #scale = 0;
  #scaleSince = 0;
  #troubleSince: number | null = null;
  #calmSince = 0;
  #moved = Number.NEGATIVE_INFINITY;
  /** Of the last look. */
  #backlogMs = 0;
  #complained = Number.NEGATIVE_INFINITY;
  /** The rate at which there was trouble last: near it the way up is slower. */
  #ceiling = Number.POSITIVE_INFINITY;

  constructor(bounds: Bounds, now: number) {
    this.#bounds = bounds;
    this.#kbps = Math.max(bounds.minKbps, Math.round(bounds.maxKbps * START));
    this.#told = this.#kbps;
    this.#calmSince = now;
    this.#scaleSince = now;
  }

  get kbps(): number {
    return this.#kbps;
  }

  get size(): { width: number; height: number } {
    const { width, height } = this.#bounds;
    return scaled(width, height, SCALES[this.#scale] ?? 1);
  }

  /** New bounds, which hold from now on. */
  set(bounds: Bounds): void {
    this.#bounds = bounds;
    this.#kbps = clamp(this.#kbps, bounds.minKbps, bounds.maxKbps);
    if (!bounds.shrinks) this.#scale = 0;
  }

  /** Another connection: what was known of the path is not known of this one. */
  restart(now: number): void {
    this.#troubleSince = null;
    this.#ceiling = Number.POSITIVE_INFINITY;
    this.#calmSince = now;
  }

  /** To be asked once a second or more often. */
  look(look: Look, now: number): Decision {
    const before = this.size;
    const isDraining = look.backlogMs < DRAINING * this.#backlogMs;
    this.#backlogMs = look.backlogMs;
    if (isTrouble(look)) this.#trouble(look, isDraining, now);
    else this.#noTrouble(look, now);
    this.#resize(now);
    const isNewRate = Math.abs(this.#kbps - this.#told) >= TOLD_STEP * this.#told;
    if (isNewRate) this.#told = this.#kbps;
    const { width, height } = this.size;
    const isNewSize = width !== before.width || height !== before.height;
    return { kbps: this.#kbps, width, height, isNewRate, isNewSize, isTooSlow: this.#isTooSlow(now) };
  }

  #trouble({ takenKbps }: Look, isDraining: boolean, now: number): void {
    this.#troubleSince ??= now;
    this.#calmSince = now;
    // What piled up before the last step takes its time to get away.
    if (isDraining || now - this.#moved < DOWN_EVERY_MS) return;
    this.#moved = now;
    this.#ceiling = this.#kbps;
    // What was given up on its way took its share of the path, and is not known.
    const left = takenKbps * OF_TAKEN - this.#bounds.soundKbps;
    const known = takenKbps > 0 ? Math.max(left, this.#kbps * DOWN_MOST) : Number.POSITIVE_INFINITY;
    this.#kbps = Math.max(this.#bounds.minKbps, Math.round(Math.min(this.#kbps * DOWN, known)));
  }

  #noTrouble({ backlogMs, lostPerMille }: Look, now: number): void {
    this.#troubleSince = null;
    const isCalm = backlogMs < CALM_MS && lostPerMille < CALM_PER_MILLE;
    if (!isCalm) this.#calmSince = now;
    if (now - this.#calmSince < UP_AFTER_MS || now - this.#moved < UP_EVERY_MS) return;
    this.#moved = now;
    const isNear = this.#kbps > this.#ceiling * NEAR;
    // Past the old ceiling it was another path.
    if (this.#kbps > this.#ceiling) this.#ceiling = Number.POSITIVE_INFINITY;
    this.#kbps = Math.min(this.#bounds.maxKbps, Math.ceil(this.#kbps * (isNear ? UP_NEAR : UP)));
  }

  /** The picture's size follows the bits that there are for a pixel. */
  #resize(now: number): void {
    const { width, height, fps, shrinks } = this.#bounds;
    const bits = (scale: number) => (this.#kbps * 1000) / (width * height * scale * scale * fps);
    const [here, larger] = [SCALES[this.#scale] ?? 1, SCALES[this.#scale - 1]];
    const isTooLarge = shrinks && bits(here) < SHRINK_BITS && this.#scale < SCALES.length - 1;
    const isTooSmall = larger !== undefined && bits(larger) > GROW_BITS;
    if (!isTooLarge && !isTooSmall) this.#scaleSince = now;
    if (now - this.#scaleSince < (isTooLarge ? SHRINK_AFTER_MS : GROW_AFTER_MS)) return;
    this.#scale += isTooLarge ? 1 : -1;
    this.#scaleSince = now;
  }

  #isTooSlow(now: number): boolean {
    const isLowest = this.#kbps <= this.#bounds.minKbps;
    const isLong = this.#troubleSince !== null && now - this.#troubleSince >= TOO_SLOW_AFTER_MS;
    if (!isLowest || !isLong || now - this.#complained < COMPLAIN_EVERY_MS) return false;
    this.#complained = now;
    return true;
  }
}

function isTrouble({ backlogMs, lostPerMille, dropped }: Look): boolean {
  return (dropped && backlogMs > CALM_MS) || backlogMs > TROUBLE_MS || lostPerMille > TROUBLE_PER_MILLE;
}

/** Even numbers: pictures of H.264 have half the colours in each direction. */
export function scaled(width: number, height: number, scale: number): { width: number; height: number } {
  const even = (n: number) => Math.max(16, 2 * Math.round((n * scale) / 2));
  return { width: even(width), height: even(height) };
}

function clamp(n: number, min: number, max: number): number {
  return Math.min(Math.max(n, min), Math.max(min, max));
}

/** Where it starts, of the highest rate: below it, because nothing is known yet. */
const START = 0.75;
/** Sizes of the picture, of what was asked for. */
const SCALES: readonly number[] = [1, 0.75, 0.5];
/** A backlog of more than a few pictures: three at 15 a second are 200 ms. */
const TROUBLE_MS = 300;
/** A picture and a piece of sound are always on their way. */
const CALM_MS = 150;
/** What QUIC repairs in time does not count; this did not come in time. */
const TROUBLE_PER_MILLE = 50;
const CALM_PER_MILLE = 10;
const DOWN = 0.8;
const DOWN_MOST = 0.6;
/** Of the backlog at the last look: with less it is going away. */
const DRAINING = 0.9;
/** Below what the path took, so that what waits gets away. */
const OF_TAKEN = 0.8;
/** A step needs a second to show in what waits. */
const DOWN_EVERY_MS = 1000;
const UP = 1.08;
const UP_NEAR = 1.02;
const NEAR = 0.85;
const UP_AFTER_MS = 2000;
const UP_EVERY_MS = 1000;
const TOLD_STEP = 0.1;
/** Bits a pixel: with fewer, H.264's realtime encoders make blocks of it. */
const SHRINK_BITS = 0.07;
/** With more, the larger size is worth it, and does not shrink again at once. */
const GROW_BITS = 0.1;
const SHRINK_AFTER_MS = 2000;
const GROW_AFTER_MS = 5000;
const TOO_SLOW_AFTER_MS = 2000;
const COMPLAIN_EVERY_MS = 10_000;
