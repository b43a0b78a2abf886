/** The track that a sequence header describes, whatever its codec. Nothing in it is a view of what came. */

import type { Track } from '../fmp4';
import type { Codec, Frame } from '../frame';
import * as aac from './aac';
import * as av1 from './av1';
import * as avc from './avc';
import type { AudioConfig, VideoConfig } from './config';
import * as hevc from './hevc';
import * as mp3 from './mp3';
import * as opus from './opus';
import * as vp9 from './vp9';

/** The track of a video configuration; `null` where it cannot be read. */
export function videoTrack({ codec, data }: Frame): Track | null {
  const bytes = codec === 'vp9' ? vp9.unboxed(data).slice() : data.slice();
  const config = PARSERS[codec]?.(bytes) ?? null;
  if (config === null) return null;
  const { codec: name, width, height } = config;
  return { kind: 'video', codec, name, config: bytes, timescale: VIDEO_TIMESCALE, width, height, channels: 0 };
}

export interface AudioTrack {
  track: Track;
  config: AudioConfig;
}

/** The track of an audio configuration, or of a frame that needs none; `null` where it cannot be read. */
export function audioTrack({ codec, config: isConfig, data }: Frame): AudioTrack | null {
  const config = audioConfig(codec, isConfig, data);
  if (config === null) return null;
  const { codec: name, sampleRate: timescale, channels } = config;
  const bytes = isConfig ? data.slice() : new Uint8Array(0);
  return { track: { kind: 'audio', codec, name, config: bytes, timescale, width: 0, height: 0, channels }, config };
}

function audioConfig(codec: Codec, isConfig: boolean, data: Uint8Array): AudioConfig | null {
  if (codec === 'aac') return isConfig ? aac.parseConfig(data) : null;
  if (codec === 'opus') return isConfig ? opus.parseConfig(data) : opus.STEREO;
  return codec === 'mp3' && !isConfig ? mp3.parseFrame(data) : null;
}

const PARSERS: Partial<Record<Codec, (record: Uint8Array) => VideoConfig | null>> = {
  avc: avc.parseConfig,
  hevc: hevc.parseConfig,
  av1: av1.parseConfig,
  vp9: vp9.parseConfig,
};
/** Time is in ms, as it comes. */
const VIDEO_TIMESCALE = 1000;
