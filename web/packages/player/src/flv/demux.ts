/** Reads FLV as it arrives (FLV 10.1 annex E). */

import type { Frame } from '../frame';
import { Misbehaved } from '../misbehaved';
import { Gather } from '../rtmp-udp/gather';
import { Unwrapper } from '../rtmp-udp/unwrap';
import { decodeBody } from './body';

/** What the front of a file announces. Writers get it wrong: it is a hint. */
export interface Announced {
  audio: boolean;
  video: boolean;
}

/**
 * Makes frames of bytes, however they are cut. It keeps what has come of one tag, at most {@link TAG_BYTES_MAX} and
 * never on the word of a length.
 */
export class Demuxer {
  readonly #clock = new Unwrapper();
  readonly #tagBytesMax: number;
  readonly #held = new Gather();
  /** Bytes of the next thing, all of which are needed to go on. */
  #wanted = FILE_HEADER_BYTES;
  #state: 'file' | 'skip' | 'header' | 'body' = 'file';
  #tag: Tag = { type: 0, length: 0, timestamp: 0 };
  #announced: Announced | null = null;

  constructor(tagBytesMax = TAG_BYTES_MAX) {
    this.#tagBytesMax = tagBytesMax;
  }

  /** Known once the file's header has come. */
  get announced(): Announced | null {
    return this.#announced;
  }

  /** Bytes kept of what is not whole. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /**
   * The frames that `input` completes. Their data are views of `input` or of what was gathered for them alone. Throws
   * {@link Misbehaved} where the bytes are not FLV, and is of no more use then; frames before the damage have come.
   */
  *read(input: Uint8Array): Generator<Frame> {
    let at = 0;
    for (;;) {
      const missing = this.#wanted - this.#held.length;
      if (input.length - at < missing) break;
      const piece = this.#join(input.subarray(at, at + missing));
      at += missing;
      const frame = this.#handle(piece);
      if (frame !== null) yield frame;
    }
    if (at < input.length) this.#held.push(input.subarray(at));
  }

  /** A piece that is whole with `last`: a view of what came, where all of it came together. */
  #join(last: Uint8Array): Uint8Array {
    if (this.#held.length === 0) return last;
    this.#held.push(last);
    return this.#held.take(this.#wanted);
  }

  #handle(piece: Uint8Array): Frame | null {
    switch (this.#state) {
      case 'file':
        this.#expect('skip', this.#fileHeader(piece));
        return null;
      case 'skip':
        this.#expect('header', TAG_HEADER_BYTES);
        return null;
      case 'header':
        this.#tag = this.#tagHeader(piece);
        if (this.#tag.length === 0) this.#expect('skip', TRAILER_BYTES);
        else this.#expect('body', this.#tag.length);
        return null;
      case 'body': {
        this.#expect('skip', TRAILER_BYTES);
        const { type, timestamp } = this.#tag;
        // Other types mean nothing, nor does their time.
        return KNOWN.has(type) ? decodeBody(type, this.#clock.unwrap(timestamp), piece) : null;
      }
    }
  }

  #expect(state: 'skip' | 'header' | 'body', bytes: number): void {
    this.#state = state;
    this.#wanted = bytes;
  }

  /** Answers how many bytes lie between the header's nine and the first tag. */
  #fileHeader(bytes: Uint8Array): number {
    const [f, l, v, , flags = 0] = bytes;
    const extra = new DataView(bytes.buffer, bytes.byteOffset).getUint32(5) - FILE_HEADER_BYTES;
    if (f !== 0x46 || l !== 0x4c || v !== 0x56 || extra < 0 || extra > HEADER_EXTRA_BYTES_MAX) {
      throw new Misbehaved('this is not FLV');
    }
    this.#announced = { audio: (flags & 4) !== 0, video: (flags & 1) !== 0 };
    return extra + TRAILER_BYTES;
  }

  /**
   * ```text
   *  0      type: 8 audio, 9 video, 18 script data (bits 5-7: filter and reserved, 6 and 7 zero)
   *  1..4   body length, 24 bits
   *  4..7   timestamp, ms, low 24 bits
   *  7      timestamp, high 8 bits
   *  8..11  stream id, always 0
   * ```
   */
  #tagHeader(bytes: Uint8Array): Tag {
    const [first = 0, l0 = 0, l1 = 0, l2 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0, s0 = 0, s1 = 0, s2 = 0] = bytes;
    if ((first & 0xc0) !== 0 || (s0 | s1 | s2) !== 0) throw new Misbehaved('the FLV is damaged');
    const length = (l0 << 16) | (l1 << 8) | l2;
    if (length > this.#tagBytesMax) throw new Misbehaved(`a tag of ${length} bytes`);
    return { type: first & 0x1f, length, timestamp: ((t3 << 24) | (t0 << 16) | (t1 << 8) | t2) >>> 0 };
  }
}

interface Tag {
  type: number;
  length: number;
  timestamp: number;
}

/** Longest tag: a second of 32 Mbit/s in one picture, four times over. */
export const TAG_BYTES_MAX = 16 * 1024 * 1024 - 1;
export const FILE_HEADER_BYTES = 9;
export const TAG_HEADER_BYTES = 11;
/** The size of the tag before, which follows each. */
export const TRAILER_BYTES = 4;
/** A file's header may announce extra bytes; no known writer does. */
const HEADER_EXTRA_BYTES_MAX = 1024;
const KNOWN = new Set([8, 9, 18]);
