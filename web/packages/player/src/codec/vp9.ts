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

/** Width and height of a key frame of 4:2:0, which is profile 0 or, with more than 8 bits, 2; `null` of any other. */
export function frameSize(frame: Uint8Array): { width: number; height: number } | null {
  return attempt(() => {
    const b = new Bits(frame);
    const front = b.u(6);
    b.skip(2);
    if ((front !== KEY && front !== KEY_OF_2) || b.u(24) !== SYNC) return null;
    // How many bits where there may be more; the colours, and their range.
    b.skip(front === KEY ? 4 : 5);
    return { width: b.u(16) + 1, height: b.u(16) + 1 };
  });
}

/** `| marker:2 = 2 | profile, its low bit first:2 | shown again:1 | refers to others:1 |` */
const KEY = 0b100000;
const KEY_OF_2 = 0b100100;
const SYNC = 0x498342;
