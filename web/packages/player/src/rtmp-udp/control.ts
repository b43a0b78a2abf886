/**
 * The control stream of RTMP-UDP: a preamble, then messages, both ways (`docs/ref/rtmp-udp.md`, section 3), and what
 * feedback says (section 6).
 */

import { Misbehaved } from '../misbehaved';
import { Gather } from './gather';

/** A message of the control stream. */
export interface Message {
  /** One of {@link Type}, or a configuration's: 8, 9, 18. */
  type: number;
  /** The body is configuration: metadata or a sequence header. */
  config: boolean;
  /** 0 is the default one. */
  track: number;
  /** Generation of the configuration, 1 to 255; else 0. */
  cfg: number;
  /** RTMP timestamp, ms, modulo 2^32. */
  timestamp: number;
  body: Uint8Array;
}

/** Types of messages, beside those of configuration. */
export const Type = {
  UserControl: 4,
  Command: 20,
  Report: 0xf0,
  KeyRequest: 0xf1,
  ClockRequest: 0xf2,
  ClockResponse: 0xf3,
  ServerStat: 0xf4,
} as const;

/** RTMP's types of media. */
export const Kind = { Audio: 8, Video: 9, Data: 18 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export function isKind(type: number): type is Kind {
  return type === Kind.Audio || type === Kind.Video || type === Kind.Data;
}

/** What either side says first. */
export const PREAMBLE: Uint8Array<ArrayBuffer> = Uint8Array.of(0x52, 0x54, 0x4d, 0x55, 1, 0, 0, 0);

/** A message that is no configuration. */
export function message(type: number, body: Uint8Array = NOTHING): Message {
  return { type, config: false, track: 0, cfg: 0, timestamp: 0, body };
}

/** A configuration: `cfg` is its generation, which moves when the bytes differ ({@link nextCfg}). */
export function config(kind: Kind, cfg: number, timestamp: number, body: Uint8Array, track = 0): Message {
  return { type: kind, config: true, track, cfg, timestamp, body };
}

/** The generation after another. */
export function nextCfg(cfg: number): number {
  return (cfg % 255) + 1;
}

/** A message as it stands on the wire. Its body is at most {@link BODY_BYTES_MAX} long. */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const { type, track, cfg, timestamp, body } = message;
  if (body.length > BODY_BYTES_MAX) throw new RangeError(`a control message of ${body.length} bytes`);
  const out = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(out.buffer);
  out.set([type, message.config ? FLAG_CONFIG : 0, track, cfg]);
  view.setUint32(4, timestamp >>> 0);
  view.setUint32(8, body.length);
  out.set(body, HEADER_BYTES);
  return out;
}

/** Takes the control stream apart, however it is cut. Keeps what has come of one message: 64 KiB at most. */
export class ControlReader {
  readonly #held = new Gather();
  #greeted = false;

  /** The messages that `input` completes. */
  *read(input: Uint8Array): Generator<Message> {
    this.#held.push(input);
    if (!this.#greeted) {
      if (this.#held.length < PREAMBLE.length) return;
      checkPreamble(this.#held.take(PREAMBLE.length));
      this.#greeted = true;
    }
    for (let next = this.#next(); next !== null; next = this.#next()) yield next;
  }

  /** Bytes kept of a message that is not whole. */
  get heldBytes(): number {
    return this.#held.length;
  }

  #next(): Message | null {
    if (this.#held.length < HEADER_BYTES) return null;
    const view = viewOf(this.#held.bytes);
    const length = view.getUint32(8);
    if (length > BODY_BYTES_MAX) throw new Misbehaved('a control message is too long');
    if (this.#held.length < HEADER_BYTES + length) return null;
    const header = {
      type: view.getUint8(0),
      config: (view.getUint8(1) & FLAG_CONFIG) !== 0,
      track: view.getUint8(2),
      cfg: view.getUint8(3),
      timestamp: view.getUint32(4),
    };
    return { ...header, body: this.#held.take(HEADER_BYTES + length).subarray(HEADER_BYTES) };
  }
}

function checkPreamble(bytes: Uint8Array): void {
  for (let at = 0; at < 4; at++) if (bytes[at] !== PREAMBLE[at]) throw new Misbehaved('this is not RTMP over UDP');
  if (bytes[4] !== PREAMBLE[4]) throw new Misbehaved('no version of RTMP over UDP that both know');
}

/** What a receiver of media tells its sender each half second. */
export interface Report {
  /** The latest picture that came. */
  videoSeqMax: number;
  videoReceived: number;
  videoLost: number;
  audioReceived: number;
  audioLost: number;
  /** What came in the last half second. */
  kbitPerS: number;
  /** What lies in the jitter buffer, ms. */
  bufferMs: number;
  /** From the server's ingest to the screen, ms; 0 while the clocks are not known. */
  delayMs: number;
  /** Pictures that wait for the decoder. */
  decodeQueue: number;
  /** Times the picture stood still, so far. */
  freezes: number;
}

export function encodeReport(report: Report): Message {
  const body = new Uint8Array(REPORT_BYTES);
  const view = viewOf(body);
  const { videoSeqMax, videoReceived, videoLost, audioReceived, audioLost, kbitPerS } = report;
  const long = [videoSeqMax, videoReceived, videoLost, audioReceived, audioLost, kbitPerS];
  long.forEach((n, i) => {
    view.setUint32(4 * i, Math.round(n) >>> 0);
  });
  const short = [report.bufferMs, report.delayMs, report.decodeQueue, report.freezes];
  short.forEach((n, i) => {
    view.setUint16(24 + 2 * i, Math.max(0, Math.min(Math.round(n), 0xffff)));
  });
  return message(Type.Report, body);
}

/** Reads a body. Later versions may be longer. */
export function decodeReport(body: Uint8Array): Report {
  const view = feedback(body, REPORT_BYTES);
  return {
    videoSeqMax: view.getUint32(0),
    videoReceived: view.getUint32(4),
    videoLost: view.getUint32(8),
    audioReceived: view.getUint32(12),
    audioLost: view.getUint32(16),
    kbitPerS: view.getUint32(20),
    bufferMs: view.getUint16(24),
    delayMs: view.getUint16(26),
    decodeQueue: view.getUint16(28),
    freezes: view.getUint16(30),
  };
}

/** Two clocks, compared, ms: when it was asked on the asker's, when that came and was answered on the other's. */
export interface ClockResponse {
  id: number;
  asked: number;
  came: number;
  answered: number;
}

/** A question about the clock: its number, and our clock, ms. */
export function encodeClockRequest(id: number, asked: number): Message {
  const body = new Uint8Array(12);
  const view = viewOf(body);
  view.setUint32(0, id);
  setMicroseconds(view, 4, asked);
  return message(Type.ClockRequest, body);
}

export function decodeClockRequest(body: Uint8Array): { id: number; asked: number } {
  const view = feedback(body, 12);
  return { id: view.getUint32(0), asked: microseconds(view, 4) };
}

export function encodeClockResponse({ id, asked, came, answered }: ClockResponse): Message {
  const body = new Uint8Array(28);
  const view = viewOf(body);
  view.setUint32(0, id);
  setMicroseconds(view, 4, asked);
  setMicroseconds(view, 12, came);
  setMicroseconds(view, 20, answered);
  return message(Type.ClockResponse, body);
}

export function decodeClockResponse(body: Uint8Array): ClockResponse {
  const view = feedback(body, 28);
  return {
    id: view.getUint32(0),
    asked: microseconds(view, 4),
    came: microseconds(view, 12),
    answered: microseconds(view, 20),
  };
}

/** What a server tells a viewer each second. */
export interface ServerStat {
  /** Smoothed round trip, and the least, ms. */
  srttMs: number;
  minRttMs: number;
  /** Bytes that may be in flight. */
  window: number;
  packetsLost: number;
  framesDropped: number;
  viewers: number;
  /** Pictures are held back until the next key frame. */
  gated: boolean;
}

export function decodeServerStat(body: Uint8Array): ServerStat {
  const view = feedback(body, 24);
  return {
    srttMs: view.getUint32(0) / 1000,
    minRttMs: view.getUint32(4) / 1000,
    window: view.getUint32(8),
    packetsLost: view.getUint32(12),
    framesDropped: view.getUint32(16),
    viewers: view.getUint16(20),
    gated: view.getUint16(22) !== 0,
  };
}

/** Why a session ended: the code that it was closed with. */
export const Close = {
  None: 0,
  Protocol: 1,
  Version: 2,
  Auth: 3,
  NotFound: 4,
  Limit: 5,
  Timeout: 6,
  GoingAway: 7,
  Internal: 8,
  TooSlow: 9,
} as const;

/** Why a sender gave a message up: the code that its stream was reset with. */
export const Reset = { Late: 0x10, Superseded: 0x11, Gated: 0x12, TrackOff: 0x13 } as const;

function feedback(body: Uint8Array, bytes: number): DataView {
  if (body.length < bytes) throw new Misbehaved('a message is cut short');
  return viewOf(body);
}

function microseconds(view: DataView, at: number): number {
  return Number(view.getBigUint64(at)) / 1000;
}

function setMicroseconds(view: DataView, at: number, ms: number): void {
  view.setBigUint64(at, BigInt(Math.round(ms * 1000)));
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Longest body of a control message. */
export const BODY_BYTES_MAX = 65_536;
const HEADER_BYTES = 12;
const REPORT_BYTES = 32;
const FLAG_CONFIG = 1 << 1;
const NOTHING: Uint8Array = new Uint8Array(0);
