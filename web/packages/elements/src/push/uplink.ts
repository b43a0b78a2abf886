/** What carries frames to a server: over WebTransport (`rtmp-udp.ts`) or over a WebSocket (`ws-flv.ts`). */

import type { Frame } from '@thalweg/player/wire';
import type { Look } from './bitrate';

export interface Uplink {
  readonly transport: 'rtmp-udp' | 'ws-flv';
  /** Gives a frame to the network. It never waits: what the network is too slow for is given up. */
  send(frame: Frame): void;
  /** How it fares since the last look. */
  look(now: number): Vitals;
  /** Ends the stream politely, once the server has the last of it, a second later at most. */
  close(): Promise<void>;
  /** Lets go of everything at once. */
  abort(): void;
}

export interface Vitals extends Look {
  /** Frames that wait here, or are on their way. */
  waitingVideo: number;
  waitingAudio: number;
  /** kbit/s that went out. */
  sentKbps: number;
  /** How unevenly the path takes what is sent, ms. */
  jitterMs: number;
  /** Frames given up so far. */
  given: number;
}

/** Whom an uplink tells. */
export interface UplinkListener {
  /** The next picture has to be a key frame. */
  keyWanted(): void;
  /** It is over, not by {@link Uplink.close}. The last call there is. */
  ended(failure: Failure): void;
}

/** What went wrong with a connection, or on the way to one. */
export type Failure =
  /** The server said no, or no longer: `reason` is its word for it. */
  | { kind: 'refused'; reason: string; message: string }
  /** Nothing, or nothing any more, comes through: `code` is 3001 to 3005. */
  | { kind: 'lost'; code: number; message: string }
  /**
   * Not this way: another transport may do. The server does not have it, or the browser; or it has, and nothing gets
   * through from here.
   */
  | { kind: 'blocked'; why: 'no-udp' | 'no-handshake'; message: string };

/** A {@link Failure} that is thrown on the way to a connection. */
export class Unconnected extends Error {
  override readonly name = 'Unconnected';

  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

/** `promise`, or what `late` says after so long. Whoever loses the race is not waited for. */
export function within<T>(ms: number, promise: Promise<T>, late: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * How long this page did not get to run. What was acknowledged meanwhile was not late, and says nothing of the path.
 * Pure; to be asked whenever something happens, and at least each {@link TICK_MS}.
 */
export class Stalls {
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** Ms that are nobody's fault but ours since the last time. */
  note(now: number): number {
    const gap = now - this.#at;
    this.#at = now;
    return gap > STALL_MS ? gap - TICK_MS : 0;
  }
}

/** Whether two configurations are the same one. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** How often an uplink looks after itself: deadlines are hundreds of ms. */
export const TICK_MS = 25;
/** Timers are late by some ms on any machine. */
const STALL_MS = 75;
