/** A coded picture or piece of sound, or what a decoder needs before the first one. */
export interface Frame {
  kind: 'video' | 'audio' | 'data';
  /** How to decode it. */
  codec: Codec;
  /** A configuration (sequence header): `data` is avcC, hvcC, av1C, AudioSpecificConfig or OpusHead's like. */
  config: boolean;
  /** Decodable without any before it. Sound always is. */
  key: boolean;
  /** When it is decoded, ms; unwrapped by the reader: it does not begin anew after 2^32. */
  dts: number;
  /** Shown so much later than it is decoded, ms: the composition offset. */
  cts: number;
  /** What a decoder takes: length-prefixed NAL units, raw AAC, OBUs. Not copied: a view of what came. */
  data: Uint8Array;
}

export type Codec = 'avc' | 'hevc' | 'av1' | 'vp9' | 'aac' | 'opus' | 'mp3' | 'script' | 'unknown';
