/** How a push fares: the keys of the mini-program's `netstatus`. */

import type { Frame } from '@thalweg/player/wire';
import type { Vitals } from './uplink';

export interface PushStatus {
  /** kbit/s that the encoder makes of pictures. */
  videoBitrate: number;
  /** kbit/s of sound. */
  audioBitrate: number;
  /** Pictures coded in a second. */
  videoFPS: number;
  /** Seconds between key frames. */
  videoGOP: number;
  /** kbit/s that go out. */
  netSpeed: number;
  /** How unevenly the path takes what is sent, ms. */
  netJitter: number;
  /** 0 unknown, 1 best to 6 unusable. */
  netQualityLevel: number;
  videoWidth: number;
  videoHeight: number;
  /** Pictures that wait here, or are on their way. */
  videoCache: number;
  /** Pieces of sound that do. */
  audioCache: number;
  /** How it goes. Not one of the mini-program's. */
  transport: 'rtmp-udp' | 'ws-flv' | 'none';
  /** Frames given up so far, because the path was too slow. Not one of the mini-program's. */
  dropped: number;
}

export const NO_STATUS: Readonly<PushStatus> = {
  videoBitrate: 0,
  audioBitrate: 0,
  videoFPS: 0,
  videoGOP: 0,
  netSpeed: 0,
  netJitter: 0,
  netQualityLevel: 0,
  videoWidth: 0,
  videoHeight: 0,
  videoCache: 0,
  audioCache: 0,
  transport: 'none',
  dropped: 0,
};

/** Counts what is coded, from one status to the next. */
export class Counter {
  #since: number;
  #videoBytes = 0;
  #audioBytes = 0;
  #pictures = 0;
  #keyAt: number | null = null;
  #gopS = 0;

  constructor(now: number) {
    this.#since = now;
  }

  count({ kind, config, key, dts, data }: Frame): void {
    if (config) return;
    if (kind === 'audio') this.#audioBytes += data.length;
    if (kind !== 'video') return;
    this.#videoBytes += data.length;
    this.#pictures += 1;
    if (!key) return;
    if (this.#keyAt !== null) this.#gopS = Math.round((dts - this.#keyAt) / 10) / 100;
    this.#keyAt = dts;
  }

  /** What was counted since the last time. */
  take(now: number): Pick<PushStatus, 'videoBitrate' | 'audioBitrate' | 'videoFPS' | 'videoGOP'> {
    const ms = Math.max(1, now - this.#since);
    const taken = {
      videoBitrate: Math.round((this.#videoBytes * 8) / ms),
      audioBitrate: Math.round((this.#audioBytes * 8) / ms),
      videoFPS: Math.round((this.#pictures * 1000) / ms),
      videoGOP: this.#gopS,
    };
    [this.#since, this.#videoBytes, this.#audioBytes, this.#pictures] = [now, 0, 0, 0];
    return taken;
  }
}

/** The vendor's six grades: by what does not arrive, by how long things wait, and by how unevenly. */
export function grade({ lostPerMille, backlogMs, jitterMs, dropped }: Vitals): number {
  if (backlogMs > 2000 || lostPerMille > 200) return 6;
  if (dropped || backlogMs > 800 || lostPerMille > 50) return 5;
  if (backlogMs > 300 || lostPerMille > 20 || jitterMs > 400) return 4;
  if (backlogMs > 150 || lostPerMille > 5 || jitterMs > 200) return 3;
  return lostPerMille > 0 || jitterMs > 80 ? 2 : 1;
}
