/** What a player needs to know of a configuration before it decodes anything. */

export interface VideoConfig {
  /** RFC 6381, as MSE and WebCodecs want it: `avc1.4d401f`. */
  codec: string;
  /** Pixels; 0 where only the pictures say. */
  width: number;
  height: number;
}

export interface AudioConfig {
  /** RFC 6381: `mp4a.40.2`. */
  codec: string;
  /** Of the coded frames: what durations in samples count. */
  sampleRate: number;
  channels: number;
  /** Samples in a frame. 0 where each frame says for itself. */
  frameSamples: number;
}
