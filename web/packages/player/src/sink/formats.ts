/** What WebCodecs' decoders are told of a sequence header. */

import * as aac from '../codec/aac';
import * as av1 from '../codec/av1';
import * as avc from '../codec/avc';
import type { AudioConfig } from '../codec/config';
import * as hevc from '../codec/hevc';
import * as mp3 from '../codec/mp3';
import * as opus from '../codec/opus';
import * as vp9 from '../codec/vp9';
import type { Frame } from '../frame';

export interface PictureFormat {
  codec: string;
  /** Pixels; 0 where only the pictures say. */
  width: number;
  height: number;
  /** avcC or hvcC; the others have all within their pictures. */
  description: Uint8Array | null;
}

export interface SoundFormat {
  config: AudioConfig;
  /** AudioSpecificConfig or OpusHead. */
  description: Uint8Array | null;
}

/** Of a configuration of pictures; `null` of one that nothing can be made of. */
export function pictureFormat({ codec, data }: Frame): PictureFormat | null {
  const parsers = { avc: avc.parseConfig, hevc: hevc.parseConfig, av1: av1.parseConfig, vp9: vp9.parseConfig };
  const found = Object.hasOwn(parsers, codec) ? parsers[codec as keyof typeof parsers](data) : null;
  if (found === null) return null;
  const description = codec === 'avc' || codec === 'hevc' ? data.slice() : null;
  return { codec: found.codec, width: found.width, height: found.height, description };
}

/** Of a configuration of sound, or of a frame of a codec that has none. */
export function soundFormat({ codec, data, config: isConfig }: Frame): SoundFormat | null {
  if (codec === 'mp3') {
    const config = isConfig ? null : mp3.parseFrame(data);
    return config && { config: { ...config, codec: 'mp3' }, description: null };
  }
  if (codec === 'opus') {
    const config = isConfig ? opus.parseConfig(data) : opus.STEREO;
    return config && { config, description: isConfig ? data.slice() : null };
  }
  const config = codec === 'aac' && isConfig ? aac.parseConfig(data) : null;
  return config && { config, description: data.slice() };
}
