/**
 * What plays one URL, once: live mode (`live.ts`) and RTC mode (`rtc.ts`). An engine tries nothing twice and falls back
 * to nothing; it says how it ended, and the player decides what comes next.
 */

import type { Details, NetStatus, State } from './events';
import type { Stage } from './stage';

/** What a player can be told about how to play. */
export interface Settings {
  /** Live mode: seconds to gather before play (re)starts, and what delay may be brought down to; 1 at least. */
  minCache: number;
  /** Live mode: seconds from which on the delay is brought down. Equal to `minCache` it is fixed. */
  maxCache: number;
  /** Live mode: `false` holds the delay at `maxCache`, whatever the network is like. */
  autoCache: boolean;
  muted: boolean;
  /** A picture that stands still for longer is a stutter, ms. */
  stutterMs: number;
  /** What HTTP requests say of the page that plays; the page's own policy where it is empty. */
  referrerPolicy: ReferrerPolicy;
}

export const DEFAULTS: Readonly<Settings> = {
  minCache: 1,
  maxCache: 3,
  autoCache: true,
  muted: false,
  stutterMs: 800,
  referrerPolicy: '',
};

/** Whom an engine tells. */
export interface Report {
  state(code: State, message: string, details?: Details): void;
  /** Loudness of what is heard, 0 to 100, about five times a second while it is not silent. */
  volume?(volume: number): void;
  /** It is over, and has let go of everything. The last call there is. */
  end(end: End): void;
}

/** Why an engine ended by itself. */
export type End =
  /** The server said that the stream has ended. */
  | { kind: 'ended' }
  /** The server said no: `reason` is its word for it. Not worth another try with the same URL. */
  | { kind: 'refused'; reason: string; message: string }
  /** No such stream now; it may come. */
  | { kind: 'not-found'; message: string }
  /** Nothing, or nothing any more, comes through. `code` is 3001 to 3005. */
  | { kind: 'lost'; code: State; message: string }
  /** This browser, or this page, cannot do it: no WebTransport, no codec, not a secure context. */
  | { kind: 'unsupported'; code: State; message: string };

export interface Engine {
  /** Connects and plays. Once. */
  start(): void;
  /** Lets go of everything: connections, decoders, elements. Nothing is reported afterwards. */
  stop(): void;
  /** Stops moving and keeps the last picture. */
  pause(): void;
  /** Goes on at the live edge. */
  resume(): void;
  /** New settings, which hold from now on. */
  set(settings: Settings): void;
  /** How it fares now. */
  status(): NetStatus;
  /** What is on the screen; rejects when nothing is. */
  snapshot(): Promise<ImageBitmap>;
}

/** Makes an engine for the place of a URL: of {@link import('./url').livePlace} or {@link import('./url').rtcPlace}. */
export type MakeEngine<Place> = (place: Place, stage: Stage, settings: Settings, report: Report) => Engine;
