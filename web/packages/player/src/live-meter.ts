/** How live mode fares: what came and how evenly, what was shown and when it stood still. Pure: the time goes in. */

import { type NetStatus, NO_STATUS } from './events';
import type { Frame } from './frame';

/** What only the sink knows. */
export interface Reading {
  now: number;
  /** Pictures shown so far. */
  shown: number;
  width: number;
  height: number;
  /** What waits to be shown and heard, ms. */
  videoCache: number;
  audioCache: number;
  /** From so much on the delay is brought down, ms. */
  threshold: number;
  transport: NetStatus['transport'];
}

export class LiveMeter {
  readonly #arrivals = new Arrivals();
  #bytes = 0;
  #mediaBytes = { video: 0, audio: 0 };
  #last: { video: number | null; audio: number | null } = { video: null, audio: null };
  #pictures = 0;
  readonly #intervals: number[] = [];
  #lastKey: number | null = null;
  #gopMs = 0;
  #before: { now: number; shown: number; pictures: number } | null = null;
  #status: NetStatus = { ...NO_STATUS };
  /** Times the picture stood still. */
  freezes = 0;

  get status(): NetStatus {
    return this.#status;
  }

  /** How unevenly frames come, s. */
  get jitter(): number {
    return this.#arrivals.jitterMs / 1000;
  }

  came(bytes: number): void {
    this.#bytes += bytes;
  }

  frame({ kind, config, key, dts, data }: Frame, now: number): void {
    if (kind === 'data' || config) return;
    this.#mediaBytes[kind] += data.length;
    const before = this.#last[kind] ?? dts;
    this.#last[kind] = dts;
    this.#arrivals.add(dts, now);
    if (kind === 'audio') return;
    if (this.#pictures > 0 && Math.abs(dts - before) < LEAP_MS) this.#intervals.push(Math.abs(dts - before));
    if (this.#intervals.length > INTERVALS) this.#intervals.shift();
    this.#pictures += 1;
    if (!key) return;
    if (this.#lastKey !== null && dts > this.#lastKey) this.#gopMs = dts - this.#lastKey;
    this.#lastKey = dts;
  }

  /** How far apart pictures are in the stream of late, at most, ms. */
  get intervalMs(): number {
    return Math.max(0, ...this.#intervals);
  }

  /** Puts together how it fares, and begins to count anew: once a second. */
  read(reading: Reading): NetStatus {
    const { now, shown, width, height, videoCache, audioCache, threshold, transport } = reading;
    const before = this.#before ?? { now: now - 1000, shown: 0, pictures: 0 };
    const seconds = Math.max((now - before.now) / 1000, 0.001);
    const kbit = (bytes: number) => Math.round((bytes * 8) / 1000 / seconds);
    const { video, audio } = this.#last;
    const rate = (this.#pictures - before.pictures) / seconds;
    const jitterMs = Math.round(this.#arrivals.jitterMs);
    this.#status = {
      ...NO_STATUS,
      videoBitrate: kbit(this.#mediaBytes.video),
      audioBitrate: kbit(this.#mediaBytes.audio),
      videoFPS: Math.round((shown - before.shown) / seconds),
      videoGOP: Math.round(this.#gopMs / 100) / 10,
      netSpeed: kbit(this.#bytes),
      netJitter: jitterMs,
      netQualityLevel: grade(jitterMs, this.#pictures > 0 || audio !== null),
      videoWidth: width,
      videoHeight: height,
      videoCache: Math.round(videoCache),
      audioCache: Math.round(audioCache),
      vSumCacheSize: Math.round((Math.min(rate, PICTURES_S_MAX) * videoCache) / 1000),
      avRecvInterval: video === null || audio === null ? 0 : Math.round(video - audio),
      audioCacheThreshold: Math.round(threshold),
      transport,
      freezes: this.freezes,
    };
    this.#before = { now, shown, pictures: this.#pictures };
    this.#bytes = 0;
    this.#mediaBytes = { video: 0, audio: 0 };
    return this.#status;
  }
}

/** How late frames are against the most punctual of the last ten seconds. */
class Arrivals {
  /** The least and greatest of when it came minus when it should be decoded, by second. */
  #seconds: { at: number; min: number; max: number }[] = [];
  #from: number | null = null;
  #last = 0;

  get jitterMs(): number {
    if (this.#seconds.length === 0) return 0;
    const max = Math.max(...this.#seconds.map((second) => second.max));
    const min = Math.min(...this.#seconds.map((second) => second.min));
    return max - min;
  }

  add(dts: number, now: number): void {
    this.#from ??= now;
    // A viewer starts with what is there already, all at once: that is no jitter.
    if (now - this.#from < START_MS) return;
    const transit = now - dts;
    if (Math.abs(transit - this.#last) > LEAP_MS) this.#seconds = [];
    this.#last = transit;
    const at = Math.floor(now / 1000);
    const second = this.#seconds.at(-1);
    if (second?.at === at) {
      second.min = Math.min(second.min, transit);
      second.max = Math.max(second.max, transit);
      return;
    }
    this.#seconds.push({ at, min: transit, max: transit });
    while ((this.#seconds[0]?.at ?? at) <= at - WINDOW_S) this.#seconds.shift();
  }
}

/** Finds where the picture stood still, by how many were shown: a callback for each would make the page draw itself. */
export class Stutters {
  #last: { at: number; shown: number } | null = null;

  /** The next picture has nothing to do with the last one: a pause, a hidden page, a skip. */
  reset(): void {
    this.#last = null;
  }

  /**
   * So many pictures were shown by `now`, ms; answers for how long the last one stood still, when it does no more, where
   * that is longer than `threshold`.
   */
  see(now: number, shown: number, threshold: number): number | null {
    const last = this.#last;
    if (last?.shown === shown) return null;
    this.#last = { at: now, shown };
    if (last === null || shown < last.shown) return null;
    const still = now - last.at;
    return still > threshold ? still : null;
  }
}

/** The vendor's six grades, by what the cache of a second and more still hides. */
function grade(jitterMs: number, hasMedia: boolean): number {
  if (!hasMedia) return 0;
  const at = GRADES_MS.findIndex((ms) => jitterMs <= ms);
  return at < 0 ? GRADES_MS.length + 1 : at + 1;
}

/** 200 ms is a server that gathers its writes; beyond 1 s the least cache runs dry. */
const GRADES_MS = [200, 400, 700, 1000, 3000];
/** More than the deepest cache of a stream with few pictures. */
const INTERVALS = 50;
const START_MS = 500;
const WINDOW_S = 10;
/** Another clock, not another way. */
const LEAP_MS = 10_000;
/** What comes first comes all at once. */
const PICTURES_S_MAX = 120;
