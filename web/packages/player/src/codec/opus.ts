/** Opus: its identification header (RFC 7845 section 5.1) and how long a packet is (RFC 6716 section 3.1). */

import { attempt, Reader } from '../bytes';
import type { AudioConfig } from './config';

export interface OpusConfig extends AudioConfig {
  /** Samples at 48 kHz to leave out at the beginning. */
  preSkip: number;
  inputRate: number;
  gain: number;
  /** The channel mapping family, and its table where there is one. */
  mapping: Uint8Array;
}

/** Reads an identification header, `OpusHead`; `null` when it is none. */
export function parseConfig(bytes: Uint8Array): OpusConfig | null {
  return attempt(() => {
    const r = new Reader(bytes);
    if (r.fourCC() + r.fourCC() !== 'OpusHead' || r.u8() >> 4 !== 0) return null;
    const channels = r.u8();
    const preSkip = little(r.take(2));
    const inputRate = little(r.take(4));
    const gain = little(r.take(2));
    if (channels === 0 || r.left === 0) return null;
    return { ...PLAIN, channels, preSkip, inputRate, gain, mapping: r.rest() };
  });
}

const RATE = 48_000;
const PLAIN = { codec: 'opus', sampleRate: RATE, frameSamples: 0 };
/** What a stream without a header is taken for. */
export const STEREO: OpusConfig = config(2);

/** A packet of 20 ms without a sound: one frame of CELT, mono, that any decoder takes within any stream. */
export const SILENCE: Uint8Array = Uint8Array.of(0xf8, 0xff, 0xfe);

function config(channels: number): OpusConfig {
  return { ...PLAIN, channels, preSkip: 312, inputRate: RATE, gain: 0, mapping: Uint8Array.of(0) };
}

/** Samples in a packet at 48 kHz; 0 of one that is damaged. */
export function packetSamples(packet: Uint8Array): number {
  const [toc, second] = packet;
  if (toc === undefined) return 0;
  const code = toc & 3;
  const frames = code === 0 ? 1 : code === 3 ? (second ?? 0) & 0x3f : 2;
  const samples = frames * frameSamples(toc >> 3);
  return samples <= PACKET_SAMPLES_MAX ? samples : 0;
}

function frameSamples(mode: number): number {
  if (mode < 12) return (mode & 3) === 3 ? 2880 : 480 << (mode & 3);
  return mode < 16 ? 480 << (mode & 1) : 120 << (mode & 3);
}

function little(bytes: Uint8Array): number {
  return bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
}

/** A packet holds 120 ms at most. */
const PACKET_SAMPLES_MAX = 5760;
