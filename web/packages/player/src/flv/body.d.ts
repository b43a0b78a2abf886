/**
 * The body of an FLV tag or RTMP message, both ways: legacy headers (FLV 10.1 annex E.4.2, E.4.3) and enhanced ones
 * with FourCC, ModEx and multitrack (E-RTMP v2).
 */
import type { Frame } from '../frame';
/** Types of tags, and of RTMP messages. */
export declare const TagType: {
  readonly Audio: 8;
  readonly Video: 9;
  readonly Script: 18;
};
export type TagType = (typeof TagType)[keyof typeof TagType];
/**
 * The frame in a body; `null` of one that has nothing to decode: empty or damaged, a command, colour metadata, the end
 * of a sequence, tracks without the number 0. Its data is a view of the body.
 */
export declare function decodeBody(type: number, dts: number, body: Uint8Array): Frame | null;
/** The body of a frame: legacy where the codec has such a header, because everybody reads that. */
export declare function encodeBody(frame: Frame): Uint8Array<ArrayBuffer>;
