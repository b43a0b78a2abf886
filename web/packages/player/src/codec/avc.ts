/**
 * H.264: the decoder configuration record and what of a sequence parameter set a player needs (ISO/IEC 14496-15
 * section 5.3.3.1, ITU-T H.264 section 7.3.2.1.1), and NAL units. SEI messages are passed over by whoever reads here.
 */

import { attempt, Bits, hex, Reader } from '../bytes';
import type { VideoConfig } from './config';

export interface AvcConfig extends VideoConfig {
  /** How many bytes the length before each NAL unit has. */
  lengthBytes: number;
}

/**
 * Reads an AVCDecoderConfigurationRecord; `null` when it holds no readable parameter set.
 *
 * ```text
 * 0  version, 1      3  level
 * 1  profile         4  reserved:6, NAL length size - 1 :2
 * 2  compatibility   5  reserved:3, number of SPS:5, then per SPS: length:16, bytes
 * ```
 */
export function parseConfig(record: Uint8Array): AvcConfig | null {
  return attempt(() => {
    const r = new Reader(record);
    const [version, profile, compatibility, level] = [r.u8(), r.u8(), r.u8(), r.u8()];
    const lengthBytes = (r.u8() & 3) + 1;
    if (version !== 1 || (r.u8() & 0x1f) === 0) return null;
    const size = spsSize(r.take(r.u16()));
    return { codec: `avc1.${hex(profile)}${hex(compatibility)}${hex(level)}`, lengthBytes, ...size };
  });
}

/** The NAL units of a picture: views. What is cut short ends it. */
export function* nalUnits(picture: Uint8Array, lengthBytes = 4): Generator<Uint8Array> {
  let at = 0;
  while (at + lengthBytes < picture.length) {
    let length = 0;
    for (const byte of picture.subarray(at, at + lengthBytes)) length = length * 256 + byte;
    at += lengthBytes;
    if (length === 0 || length > picture.length - at) return;
    yield picture.subarray(at, at + length);
    at += length;
  }
}

/** `nal_unit_type` of a NAL unit. */
export function nalType(unit: Uint8Array): number {
  return (unit[0] ?? 0) & 0x1f;
}

/** Whether no other picture refers to this one: the first slice says so. `false` when in doubt. */
export function isDisposable(picture: Uint8Array, lengthBytes = 4): boolean {
  for (const unit of nalUnits(picture, lengthBytes)) {
    const type = nalType(unit);
    if (type >= Nal.Slice && type <= Nal.Idr) return (((unit[0] ?? 0) >> 5) & 3) === 0;
  }
  return false;
}

/** `nal_unit_type`s (table 7-1). */
export const Nal = { Slice: 1, Idr: 5, Sei: 6, Sps: 7, Pps: 8, Delimiter: 9 } as const;

/** Width and height in pixels, cropping applied. */
function spsSize(nal: Uint8Array): { width: number; height: number } {
  const b = new Bits(withoutEmulationPrevention(nal.subarray(1)));
  const profile = b.u(8);
  b.skip(16);
  b.ue();
  const chroma = HAS_CHROMA_FORMAT.includes(profile) ? readChroma(b) : 1;
  b.ue();
  pictureOrderCount(b);
  b.ue();
  b.bit();
  const widthMbs = b.ue() + 1;
  const heightUnits = b.ue() + 1;
  const fields = b.bit() ? 1 : 2;
  if (fields === 2) b.bit();
  b.bit();
  const [left, right, top, bottom] = b.bit() ? [b.ue(), b.ue(), b.ue(), b.ue()] : [0, 0, 0, 0];
  const unitX = chroma === 1 || chroma === 2 ? 2 : 1;
  const unitY = (chroma === 1 ? 2 : 1) * fields;
  return {
    width: Math.max(0, widthMbs * 16 - (left + right) * unitX),
    height: Math.max(0, heightUnits * 16 * fields - (top + bottom) * unitY),
  };
}

function readChroma(b: Bits): number {
  const format = b.ue();
  const isSeparate = format === 3 && b.bit();
  b.ue();
  b.ue();
  b.bit();
  if (b.bit()) {
    const lists = format === 3 ? 12 : 8;
    for (let list = 0; list < lists; list++) if (b.bit()) scalingList(b, list < 6 ? 16 : 64);
  }
  return isSeparate ? 0 : format;
}

function scalingList(b: Bits, size: number): void {
  let last = 8;
  let next = 8;
  for (let n = 0; n < size; n++) {
    if (next !== 0) next = (last + b.se()) & 0xff;
    last = next === 0 ? last : next;
  }
}

function pictureOrderCount(b: Bits): void {
  const type = b.ue();
  if (type === 0) b.ue();
  if (type !== 1) return;
  b.bit();
  b.se();
  b.se();
  // At most 255 (section 7.4.2.1.1); the bits end sooner than a greater number does.
  for (let left = b.ue(); left > 0; left--) b.se();
}

/** Drops the third byte of each `00 00 03` (section 7.3.1; the same in H.265). */
export function withoutEmulationPrevention(nal: Uint8Array): Uint8Array {
  const out: number[] = [];
  let zeros = 0;
  for (const byte of nal) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out.push(byte);
  }
  return Uint8Array.from(out);
}

const HAS_CHROMA_FORMAT = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
