/** Messages within pictures: SEI, user data unregistered (ITU-T H.264 section D.1.7). */

import { avc } from '@thalweg/player/wire';

/** Puts messages before the slices of a picture with lengths of four bytes before its NAL units. */
export function withMessages(picture: Uint8Array, messages: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const units = messages.map((message) => unitOf(message));
  // A delimiter, where an encoder writes one, is the first of all.
  const first = avc.nalUnits(picture).next().value;
  const at = first && avc.nalType(first) === avc.Nal.Delimiter ? 4 + first.length : 0;
  const parts = [picture.subarray(0, at), ...units.flatMap((unit) => [lengthOf(unit), unit]), picture.subarray(at)];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let to = 0;
  for (const part of parts) {
    out.set(part, to);
    to += part.length;
  }
  return out;
}

/** Whose messages these are: what stands before each. */
export const MESSAGE_UUID: readonly number[] = [
  0x6c, 0x1f, 0x6f, 0x0e, 0x9d, 0x6b, 0x4c, 0x0a, 0x8b, 0x5e, 0x2f, 0x6d, 0x3a, 0x7c, 0x41, 0xe9,
];
/** Longest message, bytes: one that is longer belongs elsewhere than into pictures. */
export const MESSAGE_BYTES_MAX = 2048;

/** NAL unit type 6, payload type 5, its size in bytes of 255 and a rest, the payload, a stop bit. */
function unitOf(message: Uint8Array): Uint8Array {
  const size = MESSAGE_UUID.length + message.length;
  const sizes = [...Array<number>(Math.floor(size / 255)).fill(255), size % 255];
  return protect(Uint8Array.of(avc.Nal.Sei, UNREGISTERED, ...sizes, ...MESSAGE_UUID, ...message, 0x80));
}

/** Emulation prevention: two zeros and what would look like a start are parted by a 3 (section 7.4.1). */
function protect(unit: Uint8Array): Uint8Array {
  const out: number[] = [];
  let zeros = 0;
  for (const byte of unit) {
    if (zeros >= 2 && byte <= 3) {
      out.push(3);
      zeros = 0;
    }
    out.push(byte);
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return Uint8Array.from(out);
}

function lengthOf({ length }: Uint8Array): Uint8Array {
  return Uint8Array.of(length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
}

const UNREGISTERED = 5;
