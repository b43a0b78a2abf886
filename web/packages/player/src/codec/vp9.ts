/** VP9: the configuration record (VP codec ISO binding) and the size in a key frame (VP9 section 6.2). */

import { attempt, Bits, Reader } from '../bytes';
import type { VideoConfig } from './config';

/** Reads a VPCodecConfigurationRecord. */
export function parseConfig(record: Uint8Array): VideoConfig | null {
  return attempt(() => {
    const r = new Reader(record);
    const [profile, level, depth] = [r.u8(), r.u8(), r.u8() >> 4];
    // The colours, and the length of what VP9 never has.
    r.take(5);
    const two = (n: number) => String(n).padStart(2, '0');
    return { codec: `vp09.${two(profile)}.${two(level)}.${two(depth)}`, width: 0, height: 0 };
  });
}

/**
 * The record without the version and flags of its box, which some writers leave before it: version 1, no flags and then
 * a profile. A record's own second byte is a level, which is never 0.
 */
export function unboxed(record: Uint8Array): Uint8Array {
  const isBoxed = record.length >= 12 && record[0] === 1 && record[1] === 0 && record[2] === 0 && record[3] === 0;
  return isBoxed ? record.subarray(4) : record;
}

/** Width and height of a key frame; `null` of any other. */
export function frameSize(frame: Uint8Array): { width: number; height: number } | null {
  return attempt(() => {
    const b = new Bits(frame);
    if (b.u(2) !== 2) return null;
    const profile = Number(b.bit()) + 2 * Number(b.bit());
    if (profile === 3) b.skip(1);
    const [isRepeated, isInter] = [b.bit(), b.bit()];
    b.skip(2);
    if (isRepeated || isInter || b.u(24) !== SYNC) return null;
    if (profile >= 2) b.skip(1);
    const isRgb = b.u(3) === COLOUR_RGB;
    if (isRgb) b.skip(profile % 2 === 1 ? 1 : 0);
    else b.skip(profile % 2 === 1 ? 4 : 1);
    return { width: b.u(16) + 1, height: b.u(16) + 1 };
  });
}

const SYNC = 0x498342;
const COLOUR_RGB = 7;
