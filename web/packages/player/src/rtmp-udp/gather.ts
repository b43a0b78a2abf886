/**
 * What has come of something that is not whole. It grows with what comes, by doubling, and never with what is
 * announced.
 */
export class Gather {
  #buffer: Uint8Array<ArrayBuffer> = NOTHING;
  #from = 0;
  #to = 0;

  /** What is there: a view, good until the next call. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(this.#from, this.#to);
  }

  get length(): number {
    return this.#to - this.#from;
  }

  push(chunk: Uint8Array): void {
    const length = this.length;
    if (this.#to + chunk.length > this.#buffer.length) {
      const wanted = length + chunk.length;
      // What was taken from the front makes room before anything grows.
      const grown = new Uint8Array(Math.max(wanted, length * 2));
      grown.set(this.bytes);
      this.#buffer = grown;
      this.#from = 0;
      this.#to = length;
    }
    this.#buffer.set(chunk, this.#to);
    this.#to += chunk.length;
  }

  /** Takes so many bytes from the front, as a copy; fewer where there are fewer. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const taken = this.bytes.slice(0, length);
    this.#from += taken.length;
    if (this.#from === this.#to) this.clear();
    return taken;
  }

  clear(): void {
    this.#buffer = NOTHING;
    this.#from = 0;
    this.#to = 0;
  }
}

const NOTHING = new Uint8Array(0);
