/** Taps the sound that is pushed: pieces of as many samples as AAC codes at once, and how loud they are. */

declare const currentFrame: number;
declare function registerProcessor(name: string, make: new () => AudioWorkletProcessor): void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

/** What the page gets. */
export interface Piece {
  samples: Float32Array<ArrayBuffer>;
  /** Number of the sample behind the last one, of the context's clock. */
  end: number;
}

class Tap extends AudioWorkletProcessor {
  #piece = new Float32Array(PIECE);
  #filled = 0;
  #isOver = false;

  constructor() {
    super();
    // Whatever it is told, it is the end.
    this.port.onmessage = () => {
      this.#isOver = true;
    };
  }

  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const channel = inputs[0]?.[0];
    const length = channel?.length ?? outputs[0]?.[0]?.length ?? QUANTUM;
    for (let at = 0; at < length; ) {
      const count = Math.min(length - at, PIECE - this.#filled);
      // Without a source there is silence, and a piece of that is as long.
      if (channel) this.#piece.set(channel.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled < PIECE) continue;
      const samples = this.#piece;
      const piece: Piece = { samples, end: currentFrame + at };
      this.#piece = new Float32Array(PIECE);
      this.#filled = 0;
      this.port.postMessage(piece, [samples.buffer]);
    }
    return !this.#isOver;
  }
}

/** An AAC frame. */
const PIECE = 1024;
const QUANTUM = 128;
registerProcessor('thalweg-tap', Tap);
