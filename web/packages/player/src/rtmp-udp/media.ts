/**
 * Streams of media: a header and the body of one RTMP message, then the stream's end; or the burst that a viewer
 * starts with (`docs/ref/rtmp-udp.md`, section 4).
 */

import { Misbehaved } from '../misbehaved';
import { isKind, Kind, viewOf } from './control';
import { Gather } from './gather';

/** What stands before the body of a message. */
export interface Header extends Flags {
  kind: Kind;
  track: number;
  /** Generation of the configuration that the body needs; 0 for none. */
  cfg: number;
  /** Number in its kind and track, from 1, modulo 2^32. */
  seq: number;
  /** Of a picture: number of the key frame it depends on, its own if it is one; else 0. */
  gop: number;
  /** ms, decoding time, modulo 2^32. */
  timestamp: number;
  /** When the stream's server got it, ms since 1970 on its clock; `null` where nobody knows. */
  ingest: number | null;
}

export interface Flags {
  /** A decoder can begin here. */
  key: boolean;
  /** No other picture refers to this one. */
  disposable: boolean;
  /** The decoder has to begin anew. */
  start: boolean;
  /** To be decoded, not to be shown. */
  catchup: boolean;
  /** How many disposable pictures come right before this one, 3 at most. */
  afterDisposable: number;
}

export const NO_FLAGS: Readonly<Flags> = {
  key: false,
  disposable: false,
  start: false,
  catchup: false,
  afterDisposable: 0,
};

/** A message, whole. */
export interface Media {
  header: Header;
  body: Uint8Array<ArrayBuffer>;
}

/** A header as it stands on the wire. */
export function encodeHeader(header: Header): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(HEADER_BYTES);
  const view = viewOf(out);
  out.set([header.kind, toBits(header), header.track, header.cfg]);
  view.setUint32(4, header.seq >>> 0);
  view.setUint32(8, header.gop >>> 0);
  view.setUint32(12, header.timestamp >>> 0);
  view.setBigUint64(16, BigInt(Math.round((header.ingest ?? 0) * 1000)));
  return out;
}

/** Reads a header; refuses what cannot be. */
export function decodeHeader(bytes: Uint8Array): Header {
  if (bytes.length < HEADER_BYTES) throw new Misbehaved('a message of media ends within its header');
  const view = viewOf(bytes);
  const kind = view.getUint8(0);
  const bits = view.getUint8(1);
  if (!isKind(kind)) throw new Misbehaved('media of a kind that there is not');
  const header: Header = {
    kind,
    ...fromBits(bits),
    track: view.getUint8(2),
    cfg: view.getUint8(3),
    seq: view.getUint32(4),
    gop: view.getUint32(8),
    timestamp: view.getUint32(12),
    ingest: bits & Bit.Ingest ? Number(view.getBigUint64(16)) / 1000 : null,
  };
  if (!isPossible(header)) throw new Misbehaved('numbers of media that cannot be');
  return header;
}

/** A key frame is its own GOP; other pictures depend on one before them; nothing else has any. */
function isPossible({ kind, key, seq, gop }: Header): boolean {
  const distance = (seq - gop) >>> 0;
  if (kind !== Kind.Video) return !key;
  return key ? distance === 0 : distance >= 1 && distance < GOP_FRAMES_MAX;
}

function toBits(flags: Header): number {
  const set = [
    [flags.key, Bit.Key],
    [flags.disposable, Bit.Disposable],
    [flags.start, Bit.Start],
    [flags.catchup, Bit.Catchup],
    [flags.ingest !== null, Bit.Ingest],
  ] as const;
  const bits = set.reduce((sum, [is, bit]) => sum | (is ? bit : 0), 0);
  return bits | (Math.min(flags.afterDisposable, 3) << AFTER_SHIFT);
}

function fromBits(bits: number): Flags {
  return {
    key: (bits & Bit.Key) !== 0,
    disposable: (bits & Bit.Disposable) !== 0,
    start: (bits & Bit.Start) !== 0,
    catchup: (bits & Bit.Catchup) !== 0,
    afterDisposable: bits >> AFTER_SHIFT,
  };
}

/** Takes a stream of media apart, however it is cut: one message, or a burst of them. */
export class StreamReader {
  readonly #bodyBytesMax: number;
  readonly #held = new Gather();
  #shape: 'single' | 'burst' | null = null;
  #header: Header | null = null;

  /** A reader for bodies of at most so many bytes. */
  constructor(bodyBytesMax: number) {
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** The messages of a burst that `input` completes. A single one is whole when its stream ends: {@link finish}. */
  *read(input: Uint8Array): Generator<Media> {
    const first = input[0];
    if (first === undefined) return;
    if (this.#shape === null) {
      this.#shape = first === BURST ? 'burst' : 'single';
      if (this.#shape === 'burst') input = input.subarray(1);
    }
    this.#held.push(input);
    if (this.#shape === 'burst') {
      for (let next = this.#next(); next !== null; next = this.#next()) yield next;
    } else {
      if (this.#header === null && this.#held.length >= HEADER_BYTES) this.#header = decodeHeader(this.#held.bytes);
      this.#check(this.#held.length - HEADER_BYTES);
    }
  }

  /** Ends the stream, and answers its message if it was a single one. */
  finish(): Media | null {
    const length = this.#held.length;
    if (this.#shape === 'burst' && length === 0) return null;
    if (this.#header === null) throw new Misbehaved('a message is cut short');
    return split(this.#header, this.#held.take(length));
  }

  /** The header of a single message, once it has come. */
  get header(): Header | null {
    return this.#header;
  }

  /** Bytes kept of a message that is not whole. */
  get heldBytes(): number {
    return this.#held.length;
  }

  #next(): Media | null {
    if (this.#held.length < LENGTH_BYTES) return null;
    const length = viewOf(this.#held.bytes).getUint32(0);
    if (length < HEADER_BYTES) throw new Misbehaved('a message of media ends within its header');
    this.#check(length - HEADER_BYTES);
    if (this.#held.length < LENGTH_BYTES + length) return null;
    const message = this.#held.take(LENGTH_BYTES + length).subarray(LENGTH_BYTES);
    return split(decodeHeader(message), message);
  }

  #check(length: number): void {
    if (length > this.#bodyBytesMax) throw new Misbehaved('a message of media is too long');
  }
}

function split(header: Header, bytes: Uint8Array<ArrayBuffer>): Media {
  return { header, body: bytes.subarray(HEADER_BYTES) };
}

/** First byte of a burst. */
export const BURST = 0x7f;
/** Length of a header. */
export const HEADER_BYTES = 24;
/** Pictures that depend on one key frame: 30 000 are four minutes at 120 a second. */
export const GOP_FRAMES_MAX = 30_000;
const LENGTH_BYTES = 4;
const Bit = { Key: 1 << 0, Disposable: 1 << 2, Start: 1 << 3, Catchup: 1 << 4, Ingest: 1 << 5 } as const;
const AFTER_SHIFT = 6;
