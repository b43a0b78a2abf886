/** Coding sound: AAC-LC, always. By the browser where it can, else by an encoder in a file that is loaded then. */

import { aac, type Frame } from '@thalweg/player/wire';

export interface SoundSettings {
  sampleRate: number;
  kbps: number;
}

/** Codes pieces of 1024 samples of one channel. */
export interface SoundCoder {
  /** `at` is when the first sample was, ms. */
  encode(samples: Float32Array<ArrayBuffer>, at: number): void;
  close(): void;
}

/** Whom an encoder tells. */
export interface SoundListener {
  frame(frame: Frame): void;
  /** It is over; the last call there is. */
  failed(message: string): void;
}

/** `high` is 48 kHz, `low` 16 kHz. One channel, as the SDK has it: who speaks stands in one place. */
export const QUALITY: Readonly<Record<'high' | 'low', SoundSettings>> = {
  high: { sampleRate: 48_000, kbps: 64 },
  low: { sampleRate: 16_000, kbps: 24 },
};

/** An encoder. @throws when there is none. */
export async function soundCoder(settings: SoundSettings, listener: SoundListener): Promise<SoundCoder> {
  const config = nativeConfig(settings);
  if (typeof AudioEncoder !== 'undefined') {
    const answer = await AudioEncoder.isConfigSupported(config).catch(() => null);
    if (answer?.supported) return new NativeCoder(config, listener);
  }
  const { WasmCoder } = await import('./aac-encoder');
  const { sampleRate, kbps } = settings;
  const output = (data: Uint8Array, at: number) => listener.frame(frameOf(data, at));
  listener.frame(configOf(aac.lcConfig(sampleRate, 1)));
  return WasmCoder.open(sampleRate, kbps, output, (message) => listener.failed(message));
}

class NativeCoder implements SoundCoder {
  readonly #encoder: AudioEncoder;
  readonly #sampleRate: number;

  constructor(config: AudioEncoderConfig, listener: SoundListener) {
    this.#sampleRate = config.sampleRate;
    listener.frame(configOf(aac.lcConfig(config.sampleRate, 1)));
    this.#encoder = new AudioEncoder({
      output: (chunk) => {
        const data = new Uint8Array(chunk.byteLength);
        chunk.copyTo(data);
        listener.frame(frameOf(data, chunk.timestamp / 1000));
      },
      error: (error) => listener.failed(error.message),
    });
    this.#encoder.configure(config);
  }

  encode(samples: Float32Array<ArrayBuffer>, at: number): void {
    if (this.#encoder.state !== 'configured') return;
    const data = new AudioData({
      format: 'f32-planar',
      sampleRate: this.#sampleRate,
      numberOfFrames: samples.length,
      numberOfChannels: 1,
      timestamp: Math.round(at * 1000),
      data: samples,
    });
    this.#encoder.encode(data);
    data.close();
  }

  close(): void {
    if (this.#encoder.state !== 'closed') this.#encoder.close();
  }
}

function nativeConfig({ sampleRate, kbps }: SoundSettings): AudioEncoderConfig {
  const aac = { format: 'aac' } as const;
  return { codec: 'mp4a.40.2', sampleRate, numberOfChannels: 1, bitrate: kbps * 1000, aac } as AudioEncoderConfig;
}

function frameOf(data: Uint8Array, at: number): Frame {
  return { kind: 'audio', codec: 'aac', config: false, key: true, dts: Math.max(0, at), cts: 0, data };
}

function configOf(data: Uint8Array): Frame {
  return { kind: 'audio', codec: 'aac', config: true, key: false, dts: 0, cts: 0, data };
}

/** How loud a piece is, 0 to 100: from -50 dB, which is a quiet room, to as loud as there is. */
export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const level = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-10);
  return Math.round(Math.min(100, Math.max(0, (level + 50) * 2)));
}
