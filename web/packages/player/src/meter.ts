/** How RTC mode fares: what came and what was shown, as rates. */

import { type NetStatus, NO_STATUS } from './events';
import type { Counts } from './rtmp-udp/receiver';

/** What is known at a moment. */
export interface Reading {
  now: number;
  counts: Readonly<Counts>;
  shown: number;
  freezes: number;
  lateness: number;
  target: number;
  /** Media that waits to be shown, and to be heard, ms. */
  pictureMs: number;
  soundMs: number;
  decoding: number;
  waiting: number;
}

export class Meter {
  #before: { reading: Reading; videoBytes: number; audioBytes: number } | null = null;
  #videoBytes = 0;
  #audioBytes = 0;
  #lastKey: number | null = null;
  #gop = 0;
  /** The latest times that came, and that were played together. */
  #cameVideo: number | null = null;
  #cameAudio: number | null = null;
  #played = 0;
  #delay: number | null = null;
  #size = { width: 0, height: 0 };
  #kbitPerS = 0;
  #status: NetStatus = { ...NO_STATUS, transport: 'rtmp-udp' };

  get status(): NetStatus {
    return this.#status;
  }

  /** kbit/s that came of late. */
  get kbitPerS(): number {
    return this.#kbitPerS;
  }

  /** From the server's ingest to the screen, ms. */
  get delay(): number | null {
    return this.#delay;
  }

  pictureCame(dts: number, key: boolean, bytes: number): void {
    this.#videoBytes += bytes;
    this.#cameVideo = dts;
    if (!key) return;
    if (this.#lastKey !== null && dts > this.#lastKey) this.#gop = dts - this.#lastKey;
    this.#lastKey = dts;
  }

  soundCame(dts: number, bytes: number): void {
    this.#audioBytes += bytes;
    this.#cameAudio = dts;
  }

  /** A picture of `pts` is on the screen while `heard` is heard. */
  pictureShown(pts: number, heard: number | null, delay: number | null): void {
    if (heard !== null) this.#played = pts - heard;
    if (delay !== null && delay >= 0) this.#delay = delay;
  }

  resized(width: number, height: number): void {
    this.#size = { width, height };
  }

  /** Puts together how it fares. Rates are those of the last second or more, however often it is asked. */
  read(reading: Reading): NetStatus {
    const { now, counts } = reading;
    const [videoBytes, audioBytes] = [this.#videoBytes, this.#audioBytes];
    const before = this.#before;
    if (before === null || now - before.reading.now >= RATES_MS - SLACK_MS) {
      this.#before = { reading: { ...reading, counts: { ...counts } }, videoBytes, audioBytes };
    }
    const seconds = Math.max((now - (before?.reading.now ?? now)) / 1000, 0.001);
    const kbit = (bytes: number) => (before ? Math.round((bytes * 8) / 1000 / seconds) : 0);
    const then = before?.reading.counts ?? counts;
    const received = counts.videoReceived + counts.audioReceived - then.videoReceived - then.audioReceived;
    const lost = counts.videoLost + counts.audioLost - then.videoLost - then.audioLost;
    this.#kbitPerS = kbit(counts.bytes - then.bytes);
    const apart = (a: number | null, b: number | null) => (a === null || b === null ? 0 : Math.round(a - b));
    const status: NetStatus = {
      videoBitrate: kbit(videoBytes - (before?.videoBytes ?? 0)),
      audioBitrate: kbit(audioBytes - (before?.audioBytes ?? 0)),
      videoFPS: before ? Math.round((reading.shown - before.reading.shown) / seconds) : 0,
      videoGOP: Math.round(this.#gop / 100) / 10,
      netSpeed: this.#kbitPerS,
      netJitter: Math.round(reading.lateness),
      netQualityLevel: quality(lost, received, reading.lateness),
      videoWidth: this.#size.width,
      videoHeight: this.#size.height,
      videoCache: Math.round(reading.pictureMs),
      audioCache: Math.round(reading.soundMs),
      vDecCacheSize: reading.decoding,
      vSumCacheSize: reading.waiting,
      avPlayInterval: Math.round(this.#played),
      avRecvInterval: apart(this.#cameVideo, this.#cameAudio),
      audioCacheThreshold: Math.round(reading.target + RUN_ABOVE_MS),
      transport: 'rtmp-udp',
      freezes: reading.freezes,
    };
    if (this.#delay !== null) status.delay = Math.round(this.#delay);
    this.#status = status;
    return status;
  }
}

/** The vendor's six grades: by what does not arrive in time, in thousandths, and by jitter. */
export function quality(lost: number, received: number, jitterMs: number): number {
  const all = lost + received;
  if (all === 0) return 0;
  const perMille = (lost * 1000) / all;
  const at = GRADES.findIndex(([worst, jitter]) => perMille <= worst && jitterMs <= jitter);
  return at < 0 ? GRADES.length + 1 : at + 1;
}

/** At most so many thousandths lost, and so much jitter, ms. */
const GRADES: readonly (readonly [number, number])[] = [
  [0, 30],
  [5, 80],
  [20, 150],
  [50, 250],
  [200, Number.POSITIVE_INFINITY],
];
/** A GOP is a second, mostly: half of one has the key frame, and half of one has not. */
const RATES_MS = 1000;
/** Timers are not to the millisecond. */
const SLACK_MS = 100;
/** The first step of running faster, above the target. */
const RUN_ABOVE_MS = 30;
