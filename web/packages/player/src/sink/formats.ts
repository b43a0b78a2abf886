/** What WebCodecs' decoders are told of a sequence header. */

import type { AudioConfig } from '../codec/config';
import { audioTrack, videoTrack } from '../codec/track';
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
export function pictureFormat(frame: Frame): PictureFormat | null {
  const track = videoTrack(frame);
  if (track === null) return null;
  const { codec, name, config, width, height } = track;
  return { codec: name, width, height, description: codec === 'avc' || codec === 'hevc' ? config : null };
}

/** Of a configuration of sound, or of a frame of a codec that has none. */
export function soundFormat(frame: Frame): SoundFormat | null {
  const found = audioTrack(frame);
  return found && { config: found.config, description: frame.config ? found.track.config : null };
}
