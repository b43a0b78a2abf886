/**
 * The audio thread's end of RTC mode's sound: a file of its own, because pages with a strict policy load nothing else
 * into it. It plays what {@link Pcm} has, tells fifty times a second how far it is, and decides nothing.
 */

import { Pcm, type PcmState } from './sink/pcm';

/** What it is told. Media times are ms, those of the context seconds. */
export type ToWorklet =
  | { type: 'push'; time: number; planes: Float32Array[] }
  /** While it waits: at `context` the sample of `media` is due. */
  | { type: 'line'; context: number; media: number }
  | { type: 'rate'; rate: number }
  /** Falls silent, and waits for a line. Reports of before have an older generation. */
  | { type: 'wait'; generation: number; clear: boolean }
  | { type: 'end' };

/** What it tells. */
export interface FromWorklet {
  /** When the next sample is played, on the context's clock, s. */
  context: number;
  /** Its media time, ms. */
  media: number | null;
  state: PcmState;
  /** What is there, ms. */
  buffered: number;
  generation: number;
  underruns: number;
  /** How loud it was since the last time: root of the mean square. */
  level: number;
}

// The scope of an AudioWorklet is not among the DOM's types.
declare const currentTime: number;
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, make: new (options: { processorOptions?: unknown }) => unknown): void;

class Player extends AudioWorkletProcessor {
  readonly #pcm: Pcm;
  #line: { context: number; media: number } | null = null;
  #rate = 1;
  #generation = 0;
  #toldAt = 0;
  #isOver = false;
  #energy = 0;
  #samples = 0;

  constructor(options: { processorOptions?: unknown }) {
    super();
    const { channels } = options.processorOptions as { channels: number };
    this.#pcm = new Pcm(sampleRate, channels);
    this.port.onmessage = ({ data }: MessageEvent<ToWorklet>) => this.#hear(data);
  }

  process(_inputs: Float32Array[][], [out]: Float32Array[][]): boolean {
    const frames = out?.[0]?.length ?? 0;
    if (out === undefined || frames === 0) return !this.#isOver;
    if (this.#line && this.#pcm.state === 'waiting') {
      this.#pcm.begin(this.#line.media + (currentTime - this.#line.context) * 1000 * this.#rate, frames);
    }
    if (currentTime - this.#toldAt >= TELL_S) this.#tell();
    this.#pcm.render(out, this.#rate);
    for (const sample of out[0] ?? []) this.#energy += sample * sample;
    this.#samples += frames;
    return !this.#isOver;
  }

  #hear(message: ToWorklet): void {
    if (message.type === 'push') this.#pcm.push(message.time, message.planes);
    else if (message.type === 'line') this.#line = message;
    else if (message.type === 'rate') this.#rate = message.rate;
    else if (message.type === 'end') this.#isOver = true;
    else {
      this.#generation = message.generation;
      this.#line = null;
      if (message.clear) this.#pcm.clear();
      else this.#pcm.wait();
    }
  }

  #tell(): void {
    const { media, state, buffered, underruns } = this.#pcm;
    const level = this.#samples === 0 ? 0 : Math.sqrt(this.#energy / this.#samples);
    const told: FromWorklet = {
      context: currentTime,
      media,
      state,
      buffered,
      underruns,
      level,
      generation: this.#generation,
    };
    this.port.postMessage(told);
    this.#toldAt = currentTime;
    this.#energy = 0;
    this.#samples = 0;
  }
}

const TELL_S = 0.02;

registerProcessor('thalweg-player', Player);
