/** Bounded reading and writing of big-endian bytes and bits. */

import { Misbehaved } from './misbehaved';

/** Reads from the front; past the end it throws {@link Misbehaved}, and never answers what is not there. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#number(1);
  }

  u16(): number {
    return this.#number(2);
  }

  u24(): number {
    return this.#number(3);
  }

  u32(): number {
    return this.#number(4);
  }

  /** 24 bits with a sign. */
  i24(): number {
    return (this.u24() << 8) >> 8;
  }

  /** The next `length` bytes: a view. */
  take(length: number): Uint8Array {
    if (length > this.left) throw new Misbehaved('cut short');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Four characters, as they stand there. */
  fourCC(): string {
    return String.fromCharCode(...this.take(4));
  }

  /** Everything that is left: a view. */
  rest(): Uint8Array {
    return this.take(this.left);
  }

  #number(bytes: number): number {
    let value = 0;
    for (const byte of this.take(bytes)) value = value * 256 + byte;
    return value;
  }
}

/** Reads bits, high ones first; past the end it throws {@link Misbehaved}. */
export class Bits {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  bit(): boolean {
    const byte = this.#bytes[this.#at >> 3];
    if (byte === undefined) throw new Misbehaved('cut short');
    const bit = (byte >> (7 - (this.#at & 7))) & 1;
    this.#at += 1;
    return bit === 1;
  }

  /** A number of at most 32 bits. */
  u(bits: number): number {
    let value = 0;
    for (let n = 0; n < bits; n++) value = value * 2 + Number(this.bit());
    return value;
  }

  skip(bits: number): void {
    if (this.#at + bits > this.#bytes.length * 8) throw new Misbehaved('cut short');
    this.#at += bits;
  }

  /** Exp-Golomb, without a sign: ue(v). */
  ue(): number {
    let zeros = 0;
    while (!this.bit()) {
      zeros += 1;
      if (zeros > 31) throw new Misbehaved('an Exp-Golomb number of over 32 bits');
    }
    return 2 ** zeros - 1 + this.u(zeros);
  }

  /** Exp-Golomb with a sign: se(v). */
  se(): number {
    const n = this.ue();
    return n % 2 === 1 ? (n + 1) / 2 : -n / 2;
  }
}

/** Writes bytes one after the other; its memory doubles as it fills. */
export class Writer {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** What was written: a view, good until the next write. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  u8(...values: number[]): this {
    this.#room(values.length).set(values);
    return this;
  }

  u16(value: number): this {
    return this.u8(value >>> 8, value & 0xff);
  }

  u24(value: number): this {
    return this.u8((value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
  }

  u32(value: number): this {
    return this.u8((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
  }

  /** A number of up to 2^53, in 64 bits. */
  u64(value: number): this {
    return this.u32(Math.floor(value / 2 ** 32)).u32(value % 2 ** 32);
  }

  raw(bytes: Uint8Array): this {
    this.#room(bytes.length).set(bytes);
    return this;
  }

  /** Characters of one byte each, such as a FourCC. */
  ascii(text: string): this {
    return this.u8(...[...text].map((c) => c.charCodeAt(0) & 0xff));
  }

  zeros(count: number): this {
    this.#room(count).fill(0);
    return this;
  }

  /** Writes 32 bits over what stands at `at`. */
  setU32(at: number, value: number): void {
    new DataView(this.#bytes.buffer).setUint32(at, value);
  }

  #room(count: number): Uint8Array {
    const from = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, from));
      this.#bytes = grown;
    }
    return this.#bytes.subarray(from, this.#length);
  }
}

/** What `read` answers, or `null` where the bytes are not what they should be. */
export function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof Misbehaved) return null;
    throw error;
  }
}

/** Whether two pieces have the same bytes. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** Two hexadecimal digits. */
export function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
