/** AV1: the configuration record and the sequence header (AV1 ISO binding section 2.3, AV1 section 5.5). */

import { attempt, Bits, Reader } from '../bytes';
import type { VideoConfig } from './config';

/**
 * Reads an AV1CodecConfigurationRecord; `null` when it is none.
 *
 * ```text
 * 0  marker:1, version:7          2  tier:1, high bit depth:1, twelve bit:1, monochrome:1, chroma:4
 * 1  profile:3, level index:5     3  presentation delay:8, then OBUs: the sequence header
 * ```
 */
export function parseConfig(record: Uint8Array): VideoConfig | null {
  return attempt(() => {
    const r = new Reader(record);
    if (r.u8() !== 0x81) return null;
    const [profileLevel, flags] = [r.u8(), r.u8()];
    r.u8();
    const depth = flags & 0x40 ? (flags & 0x20 ? 12 : 10) : 8;
    const level = String(profileLevel & 0x1f).padStart(2, '0');
    const codec = `av01.${profileLevel >> 5}.${level}${flags & 0x80 ? 'H' : 'M'}.${String(depth).padStart(2, '0')}`;
    return { codec, ...(sequenceSize(r.rest()) ?? { width: 0, height: 0 }) };
  });
}

/** Width and height, from the sequence header among some OBUs; `null` where there is none. */
export function sequenceSize(obus: Uint8Array): { width: number; height: number } | null {
  return attempt(() => {
    const r = new Reader(obus);
    while (r.left > 0) {
      const header = r.u8();
      if (header & 4) r.u8();
      const payload = header & 2 ? r.take(leb128(r)) : r.rest();
      if (((header >> 3) & 0xf) === OBU_SEQUENCE_HEADER) return readSize(new Bits(payload));
    }
    return null;
  });
}

function leb128(r: Reader): number {
  let value = 0;
  for (let n = 0; n < 8; n++) {
    const byte = r.u8();
    value += (byte & 0x7f) * 2 ** (7 * n);
    if (byte < 0x80) break;
  }
  return value;
}

/** Section 5.5.1, up to the greatest width and height. */
function readSize(b: Bits): { width: number; height: number } {
  b.skip(4);
  if (b.bit()) b.skip(5);
  else operatingPoints(b);
  const [widthBits, heightBits] = [b.u(4) + 1, b.u(4) + 1];
  return { width: b.u(widthBits) + 1, height: b.u(heightBits) + 1 };
}

function operatingPoints(b: Bits): void {
  let delayBits = 0;
  let hasDecoderModel = false;
  if (b.bit()) {
    b.skip(64);
    if (b.bit()) b.ue();
    hasDecoderModel = b.bit();
    if (hasDecoderModel) {
      delayBits = b.u(5) + 1;
      b.skip(42);
    }
  }
  const hasDisplayDelay = b.bit();
  for (let left = b.u(5) + 1; left > 0; left--) {
    b.skip(12);
    if (b.u(5) > 7) b.skip(1);
    if (hasDecoderModel && b.bit()) b.skip(2 * delayBits + 1);
    if (hasDisplayDelay && b.bit()) b.skip(4);
  }
}

const OBU_SEQUENCE_HEADER = 1;
