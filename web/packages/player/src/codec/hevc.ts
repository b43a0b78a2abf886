/** H.265: the decoder configuration record and the size in a sequence parameter set (ISO/IEC 14496-15 section 8.3.3). */

import { attempt, Bits, hex, Reader } from '../bytes';
import { withoutEmulationPrevention } from './avc';
import type { VideoConfig } from './config';

/**
 * Reads an HEVCDecoderConfigurationRecord; `null` when it is none.
 *
 * ```text
 * 0   version, 1                                  12  level
 * 1   profile space:2, tier:1, profile:5          13  nine bytes of which nothing is needed here
 * 2   compatibility flags:32                      22  arrays:8, then per array:
 * 6   constraint flags:48                             type:8, count:16, per NAL unit: length:16, bytes
 * ```
 */
export function parseConfig(record: Uint8Array): VideoConfig | null {
  return attempt(() => {
    const r = new Reader(record);
    if (r.u8() !== 1) return null;
    const [profile, compatibility, constraints, level] = [r.u8(), r.u32(), r.take(6), r.u8()];
    r.take(9);
    const sps = findSps(r);
    const size = sps === null ? { width: 0, height: 0 } : spsSize(sps);
    return { codec: codecName(profile, compatibility, constraints, level), ...size };
  });
}

/** ISO/IEC 14496-15 annex E.3: `hvc1.1.6.L93.B0`. */
function codecName(profile: number, compatibility: number, constraints: Uint8Array, level: number): string {
  const space = ['', 'A', 'B', 'C'][profile >> 6] ?? '';
  const tier = profile & 0x20 ? 'H' : 'L';
  const flags = [...constraints].map((byte) => hex(byte).toUpperCase());
  while (flags.at(-1) === '00') flags.pop();
  return ['hvc1', `${space}${profile & 0x1f}`, reversed(compatibility).toString(16), `${tier}${level}`, ...flags].join(
    '.',
  );
}

/** The bits in reverse, as the name wants them. */
function reversed(bits: number): number {
  let out = 0;
  for (let n = 0; n < 32; n++) out = out * 2 + ((bits >>> n) & 1);
  return out;
}

function findSps(r: Reader): Uint8Array | null {
  for (let arrays = r.u8(); arrays > 0; arrays--) {
    const type = r.u8() & 0x3f;
    for (let count = r.u16(); count > 0; count--) {
      const unit = r.take(r.u16());
      if (type === NAL_SPS) return unit;
    }
  }
  return null;
}

/** ITU-T H.265 section 7.3.2.2.1, up to the conformance window. */
function spsSize(nal: Uint8Array): { width: number; height: number } {
  const b = new Bits(withoutEmulationPrevention(nal.subarray(2)));
  b.skip(4);
  const subLayers = b.u(3);
  b.skip(1);
  profileTierLevel(b, subLayers);
  b.ue();
  const chroma = b.ue();
  if (chroma === 3) b.skip(1);
  const [width, height] = [b.ue(), b.ue()];
  const [left, right, top, bottom] = b.bit() ? [b.ue(), b.ue(), b.ue(), b.ue()] : [0, 0, 0, 0];
  const unitX = chroma === 1 || chroma === 2 ? 2 : 1;
  const unitY = chroma === 1 ? 2 : 1;
  return {
    width: Math.max(0, width - (left + right) * unitX),
    height: Math.max(0, height - (top + bottom) * unitY),
  };
}

/** Section 7.3.3. */
function profileTierLevel(b: Bits, subLayers: number): void {
  b.skip(96);
  const present = Array.from({ length: subLayers }, () => [b.bit(), b.bit()] as const);
  if (subLayers > 0) b.skip(2 * (8 - subLayers));
  for (const [profile, level] of present) b.skip((profile ? 88 : 0) + (level ? 8 : 0));
}

const NAL_SPS = 33;
