/**
 * AAC by WebAssembly, for browsers that have no encoder of their own. A file by itself, loaded when it is needed: what
 * it carries has licences of its own, which stand in `aac-encoder.LICENSE.txt` beside it.
 */

import { registerAacEncoder } from '@mediabunny/aac-encoder';
import { AdtsOutputFormat, AudioSample, AudioSampleSource, NullTarget, Output } from 'mediabunny';

export class WasmCoder {
  readonly #source: AudioSampleSource;
  readonly #output: Output;
  readonly #sampleRate: number;
  readonly #failed: (message: string) => void;
  /** When what went in was, of each piece that has not come out. */
  readonly #times: number[];
  #samples = 0;
  #isOver = false;

  /** @throws when the encoder does not start. */
  static async open(
    sampleRate: number,
    kbps: number,
    take: (data: Uint8Array, at: number) => void,
    failed: (message: string) => void,
  ): Promise<WasmCoder> {
    registerAacEncoder();
    const times: number[] = [];
    const source = new AudioSampleSource({
      codec: 'aac',
      bitrate: kbps * 1000,
      onEncodedPacket: ({ data }) => {
        const at = times.shift();
        // It codes a piece together with the one before: what comes out is heard a piece later.
        if (at !== undefined) take(data, at - (1000 * PIECE) / sampleRate);
      },
    });
    // Nothing is kept of the file that it believes to write.
    const output = new Output({ format: new AdtsOutputFormat(), target: new NullTarget() });
    output.addAudioTrack(source);
    await output.start();
    return new WasmCoder(source, output, sampleRate, failed, times);
  }

  private constructor(
    source: AudioSampleSource,
    output: Output,
    sampleRate: number,
    failed: (message: string) => void,
    times: number[],
  ) {
    this.#source = source;
    this.#output = output;
    this.#sampleRate = sampleRate;
    this.#failed = failed;
    this.#times = times;
  }

  encode(samples: Float32Array<ArrayBuffer>, at: number): void {
    // A page that does not get to run does not gather what it could not send.
    if (this.#isOver || this.#times.length > WAITING_MAX) return;
    this.#times.push(at);
    const sample = new AudioSample({
      data: samples,
      format: 'f32-planar',
      numberOfChannels: 1,
      sampleRate: this.#sampleRate,
      timestamp: this.#samples / this.#sampleRate,
    });
    this.#samples += samples.length;
    this.#source
      .add(sample)
      // Not `wordsOf`: what is loaded later would share a file with the rest for its sake.
      .catch((error: unknown) => this.#fail(error instanceof Error ? error.message : String(error)))
      .finally(() => sample.close());
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#output.cancel().catch(() => {});
  }

  #fail(message: string): void {
    if (this.#isOver) return;
    this.close();
    this.#failed(message);
  }
}

/** An AAC frame. */
const PIECE = 1024;
/** Two seconds at 48 kHz: the encoder takes its time to load. */
const WAITING_MAX = 96;
