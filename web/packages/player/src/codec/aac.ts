/** AAC: the AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1). */

import { attempt, Bits, Writer } from '../bytes';
import type { AudioConfig } from './config';

/**
 * Reads an AudioSpecificConfig; `null` when it is cut short or reserved values are used.
 *
 * ```text
 * object type:5 (31: +32, 6 more) | rate index:4 (15: rate:24) | channels:4
 * types 5 and 29: | extension rate index:4 (15: rate:24) | the core's object type:5
 * then, for the plain kinds: | frame length flag:1, set for 960 samples instead of 1024
 * ```
 */
export function parseConfig(bytes: Uint8Array): AudioConfig | null {
  return attempt(() => {
    const b = new Bits(bytes);
    const type = objectType(b);
    const sampleRate = readRate(b);
    const channels = CHANNELS[b.u(4)];
    if (sampleRate === 0 || channels === undefined) return null;
    if (type === SBR || type === PS) {
      readRate(b);
      objectType(b);
    }
    // A configuration of two bytes has the flag; what is cut before it is of the usual length.
    const isShort = attempt(() => b.bit()) ?? false;
    return { codec: `mp4a.40.${type}`, sampleRate, channels, frameSamples: isShort ? 960 : 1024 };
  });
}

/** An AudioSpecificConfig of AAC-LC. */
export function lcConfig(sampleRate: number, channels: number): Uint8Array<ArrayBuffer> {
  const index = RATES.indexOf(sampleRate);
  const out = new Writer();
  if (index >= 0) out.u16((LC << 11) | (index << 7) | (channels << 3));
  else {
    // The index 15 says that the rate follows, in 24 bits.
    const low = sampleRate & 0x1ffff;
    out.u16((LC << 11) | (15 << 7) | (sampleRate >>> 17)).u24((low << 7) | (channels << 3));
  }
  return out.bytes.slice();
}

/**
 * A frame without a sound: a `raw_data_block` of the elements that the channels have, no band of which is coded
 * (section 4.4.2.1). `null` of a configuration whose elements are not known.
 */
export function silence(channels: number): Uint8Array<ArrayBuffer> | null {
  const elements = ELEMENTS[channels];
  if (elements === undefined) return null;
  const bits: number[] = [];
  const put = (value: number, count: number) => {
    for (let n = count - 1; n >= 0; n--) bits.push((value >> n) & 1);
  };
  const seen = new Map<number, number>();
  for (const element of elements) {
    const tag = seen.get(element) ?? 0;
    seen.set(element, tag + 1);
    put(element, 3);
    put(tag, 4);
    // A pair without a common window: each of both says everything for itself.
    if (element === Element.Pair) put(0, 1);
    // Gain, window, no bands, no prediction, pulses, noise shaping or gain control: 8 + 1 + 2 + 1 + 6 + 1 + 3 bits.
    for (let n = element === Element.Pair ? 2 : 1; n > 0; n--) put(0, 22);
  }
  put(Element.End, 3);
  while (bits.length % 8 !== 0) bits.push(0);
  return Uint8Array.from({ length: bits.length / 8 }, (_, at) =>
    bits.slice(8 * at, 8 * at + 8).reduce((sum, bit) => 2 * sum + bit, 0),
  );
}

function objectType(b: Bits): number {
  const type = b.u(5);
  return type === 31 ? 32 + b.u(6) : type;
}

function readRate(b: Bits): number {
  const index = b.u(4);
  return index === 15 ? b.u(24) : (RATES[index] ?? 0);
}

const LC = 2;
const SBR = 5;
const PS = 29;
const RATES = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
/** By channel configuration; 0 leaves it to the stream, which then mostly has two. */
const CHANNELS: readonly (number | undefined)[] = [2, 1, 2, 3, 4, 5, 6, 8];
const Element = { Single: 0, Pair: 1, Low: 3, End: 7 } as const;
/** By count of channels (table 1.19). */
const ELEMENTS: Readonly<Record<number, readonly number[]>> = {
  1: [Element.Single],
  2: [Element.Pair],
  3: [Element.Single, Element.Pair],
  4: [Element.Single, Element.Pair, Element.Single],
  5: [Element.Single, Element.Pair, Element.Pair],
  6: [Element.Single, Element.Pair, Element.Pair, Element.Low],
  8: [Element.Single, Element.Pair, Element.Pair, Element.Pair, Element.Low],
};
