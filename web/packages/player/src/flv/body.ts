/**
 * The body of an FLV tag or RTMP message, both ways: legacy headers (FLV 10.1 annex E.4.2, E.4.3) and enhanced ones
 * with FourCC, ModEx and multitrack (E-RTMP v2).
 */

import { attempt, Reader, Writer } from '../bytes';
import type { Codec, Frame } from '../frame';

/** Types of tags, and of RTMP messages. */
export const TagType = { Audio: 8, Video: 9, Script: 18 } as const;
export type TagType = (typeof TagType)[keyof typeof TagType];

/**
 * The frame in a body; `null` of one that has nothing to decode: empty or damaged, a command, colour metadata, the end
 * of a sequence, tracks without the number 0. Its data is a view of the body.
 */
export function decodeBody(type: number, dts: number, body: Uint8Array): Frame | null {
  if (body.length === 0) return null;
  if (type === TagType.Script) return script(dts, body);
  if (type !== TagType.Video && type !== TagType.Audio) return null;
  return attempt(() => {
    const r = new Reader(body);
    const first = r.u8();
    if (type === TagType.Video) return first & 0x80 ? enhancedVideo(first, dts, r) : legacyVideo(first, dts, r);
    return first >> 4 === SOUND_ENHANCED ? enhancedAudio(first, dts, r) : legacyAudio(first, dts, r);
  });
}

/** The body of a frame: legacy where the codec has such a header, because everybody reads that. */
export function encodeBody(frame: Frame): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  const { kind, codec, config, key, cts, data } = frame;
  if (kind === 'data') return out.raw(data).bytes;
  if (kind === 'audio') {
    if (codec === 'aac') out.u8(AAC_HEADER, config ? 0 : 1);
    else if (codec === 'mp3') out.u8(MP3_HEADER);
    else out.u8((SOUND_ENHANCED << 4) | (config ? Packet.SequenceStart : Packet.CodedFrames)).ascii(fourCC(codec));
    return out.raw(data).bytes;
  }
  const frameType = config || key ? FRAME_KEY : FRAME_INTER;
  if (codec === 'avc') {
    out.u8((frameType << 4) | AVC_ID, config ? 0 : 1).u24(config ? 0 : cts);
  } else {
    const hasOffset = !config && codec === 'hevc';
    out.u8(0x80 | (frameType << 4) | (config ? Packet.SequenceStart : Packet.CodedFrames)).ascii(fourCC(codec));
    if (hasOffset) out.u24(cts);
  }
  return out.raw(data).bytes;
}

function script(dts: number, data: Uint8Array): Frame {
  const config = METADATA.every((byte, at) => data[at] === byte);
  return { kind: 'data', codec: 'script', config, key: false, dts, cts: 0, data };
}

/**
 * ```text
 * | frame type:4 | codec id:4 |   then, for H.264, H.265 and AV1: | packet type:8 | composition offset:24 |
 * ```
 */
function legacyVideo(first: number, dts: number, r: Reader): Frame | null {
  const frameType = first >> 4;
  if (frameType === FRAME_COMMAND) return null;
  const codec = LEGACY_VIDEO[first & 0xf] ?? 'unknown';
  const key = frameType === FRAME_KEY || frameType === FRAME_GENERATED_KEY;
  if (codec === 'unknown') return { kind: 'video', codec, config: false, key, dts, cts: 0, data: r.rest() };
  const packetType = r.u8();
  const cts = r.i24();
  if (packetType > 1) return null;
  const config = packetType === 0;
  return { kind: 'video', codec, config, key: key && !config, dts, cts: config ? 0 : cts, data: r.rest() };
}

/**
 * ```text
 * | sound format:4 | rate:2 | size:1 | type:1 |   then, for AAC: | packet type:8 |
 * ```
 */
function legacyAudio(first: number, dts: number, r: Reader): Frame | null {
  const codec = LEGACY_AUDIO[first >> 4] ?? 'unknown';
  const packetType = codec === 'aac' ? r.u8() : 1;
  if (packetType > 1) return null;
  return audio(codec, packetType === 0, dts, r.rest());
}

function audio(codec: Codec, config: boolean, dts: number, data: Uint8Array): Frame {
  return { kind: 'audio', codec, config, key: !config, dts, cts: 0, data };
}

function enhancedVideo(first: number, dts: number, r: Reader): Frame | null {
  const found = enhanced(first & 0xf, VIDEO_MULTITRACK, r);
  if (found === null) return null;
  const { packetType, codec, r: inner } = found;
  const frameType = (first >> 4) & 7;
  const common = { kind: 'video', codec, dts } as const;
  switch (packetType) {
    case Packet.SequenceStart:
      return { ...common, config: true, key: false, cts: 0, data: inner.rest() };
    case Packet.CodedFrames:
    case Packet.CodedFramesX: {
      const hasOffset = packetType === Packet.CodedFrames && (codec === 'avc' || codec === 'hevc');
      const cts = hasOffset ? inner.i24() : 0;
      const key = frameType === FRAME_KEY || frameType === FRAME_GENERATED_KEY;
      return frameType === FRAME_COMMAND ? null : { ...common, config: false, key, cts, data: inner.rest() };
    }
    default:
      return null;
  }
}

function enhancedAudio(first: number, dts: number, r: Reader): Frame | null {
  const found = enhanced(first & 0xf, AUDIO_MULTITRACK, r);
  if (found === null) return null;
  const { packetType, codec, r: inner } = found;
  if (packetType === Packet.SequenceStart) return audio(codec, true, dts, inner.rest());
  return packetType === Packet.CodedFrames ? audio(codec, false, dts, inner.rest()) : null;
}

interface Track {
  packetType: number;
  codec: Codec;
  /** The codec's own bytes. */
  r: Reader;
}

/**
 * What follows the first byte of an enhanced header.
 *
 * ```text
 * ModEx       | size-1:8 [size-1:16 if that was 255] | data | mod type:4 | packet type:4 |
 * multitrack  | multitrack type:4 | packet type:4 | FourCC unless each track has its own |
 *             per track: [FourCC] | track id:8 | [size:24 unless there is only one] | data
 * otherwise   | FourCC | data
 * ```
 */
function enhanced(packetType: number, multitrack: number, r: Reader): Track | null {
  while (packetType === Packet.ModEx) {
    const short = r.u8() + 1;
    r.take(short === 256 ? r.u16() + 1 : short);
    packetType = r.u8() & 0xf;
  }
  if (packetType !== multitrack) return { packetType, codec: codecOf(r.fourCC()), r };
  const types = r.u8();
  const shape = types >> 4;
  let codec: Codec = shape === MANY_CODECS ? 'unknown' : codecOf(r.fourCC());
  while (r.left > 0) {
    if (shape === MANY_CODECS) codec = codecOf(r.fourCC());
    const track = r.u8();
    const inner = new Reader(shape === ONE_TRACK ? r.rest() : r.take(r.u24()));
    if (track === 0) return { packetType: types & 0xf, codec, r: inner };
  }
  return null;
}

function codecOf(name: string): Codec {
  return CODECS.find(([, four]) => four === name)?.[0] ?? 'unknown';
}

function fourCC(codec: Codec): string {
  const found = CODECS.find(([name]) => name === codec);
  if (found === undefined) throw new RangeError(`a frame of ${codec} has no FourCC`);
  return found[1];
}

const CODECS: readonly (readonly [Codec, string])[] = [
  ['avc', 'avc1'],
  ['hevc', 'hvc1'],
  ['av1', 'av01'],
  ['vp9', 'vp09'],
  ['aac', 'mp4a'],
  ['opus', 'Opus'],
  ['mp3', '.mp3'],
];
const LEGACY_VIDEO: Readonly<Record<number, Codec>> = { 7: 'avc', 12: 'hevc', 13: 'av1' };
const LEGACY_AUDIO: Readonly<Record<number, Codec>> = { 2: 'mp3', 10: 'aac', 13: 'opus', 14: 'mp3' };
/** An AMF0 string, `onMetaData`. */
const METADATA = [2, 0, 10, ...[...'onMetaData'].map((c) => c.charCodeAt(0))];

const FRAME_KEY = 1;
const FRAME_INTER = 2;
const FRAME_GENERATED_KEY = 4;
/** A byte that Flash players obeyed, and nothing to decode. */
const FRAME_COMMAND = 5;
const AVC_ID = 7;
const SOUND_ENHANCED = 9;
/** AAC, and what its header says whatever the sound is like: 44 kHz, 16 bits, stereo. */
const AAC_HEADER = 0xaf;
const MP3_HEADER = 0x2f;
const Packet = { SequenceStart: 0, CodedFrames: 1, CodedFramesX: 3, ModEx: 7 } as const;
const VIDEO_MULTITRACK = 6;
const AUDIO_MULTITRACK = 5;
const ONE_TRACK = 0;
const MANY_CODECS = 2;
