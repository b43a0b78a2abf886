/** Reads FLV as it arrives (FLV 10.1 annex E). */
import type { Frame } from '../frame';
/** What the front of a file announces. Writers get it wrong: it is a hint. */
export interface Announced {
  audio: boolean;
  video: boolean;
}
/**
 * Makes frames of bytes, however they are cut. It keeps what has come of one tag, at most {@link TAG_BYTES_MAX} and
 * never on the word of a length.
 */
export declare class Demuxer {
  #private;
  constructor(tagBytesMax?: number);
  /** Known once the file's header has come. */
  get announced(): Announced | null;
  /** Bytes kept of what is not whole. */
  get heldBytes(): number;
  /**
   * The frames that `input` completes. Their data are views of `input` or of what was gathered for them alone. Throws
   * {@link Misbehaved} where the bytes are not FLV, and is of no more use then; frames before the damage have come.
   */
  read(input: Uint8Array): Generator<Frame>;
}
/** Longest tag: a second of 32 Mbit/s in one picture, four times over. */
export declare const TAG_BYTES_MAX: number;
export declare const FILE_HEADER_BYTES = 9;
export declare const TAG_HEADER_BYTES = 11;
/** The size of the tag before, which follows each. */
export declare const TRAILER_BYTES = 4;
