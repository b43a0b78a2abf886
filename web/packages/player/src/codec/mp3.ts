/** MP3: the header that each frame begins with (ISO/IEC 11172-3 section 2.4.1.3, 13818-3 for the lower rates). */

import type { AudioConfig } from './config';

/**
 * Reads a frame's header; `null` when it is none of layer III.
 *
 * ```text
 * sync:11 | version:2 | layer:2 | protection:1 | bitrate:4 | rate:2 | padding:1 | private:1 | mode:2 | ...
 * ```
 */
export function parseFrame(frame: Uint8Array): AudioConfig | null {
  const [a = 0, b = 0, c = 0, d = 0] = frame;
  const version = (b >> 3) & 3;
  const rate = RATES[(c >> 2) & 3];
  const isLayer3 = a === 0xff && b >> 5 === 7 && ((b >> 1) & 3) === 1;
  if (!isLayer3 || version === VERSION_RESERVED || rate === undefined || frame.length < 4) return null;
  const sampleRate = rate >> (version === VERSION_1 ? 0 : version === VERSION_2 ? 1 : 2);
  const channels = d >> 6 === MODE_MONO ? 1 : 2;
  return { codec: 'mp3', sampleRate, channels, frameSamples: version === VERSION_1 ? 1152 : 576 };
}

const RATES = [44_100, 48_000, 32_000];
const VERSION_1 = 3;
const VERSION_2 = 2;
const VERSION_RESERVED = 1;
const MODE_MONO = 3;
