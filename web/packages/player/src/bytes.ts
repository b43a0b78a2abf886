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
    return this.#bytes[this.#skip(1)] as number;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u24(): number {
    return this.u16() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  /** 24 bits with a sign. */
  i24(): number {
    return (this.u24() << 8) >> 8;
  }

  /** The next `length` bytes: a view. */
  take(length: number): Uint8Array {
    const from = this.#skip(length);
    return this.#bytes.subarray(from, from + length);
  }

  /** Four characters, as they stand there. */
  fourCC(): string {
    return String.fromCharCode(...this.take(4));
  }

  /** Everything that is left: a view. */
  rest(): Uint8Array {
    return this.take(this.left);
  }

  /** Where the next `length` bytes begin, which are there. */
  #skip(length: number): number {
    const from = this.#at;
    if (length > this.#bytes.length - from) throw new Misbehaved('cut short');
    this.#at = from + length;
    return from;
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
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
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
    let at = this.#room(values.length);
    for (const value of values) this.#bytes[at++] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u24(value: number): this {
    const at = this.#room(3);
    this.#view.setUint16(at, value >>> 8);
    this.#view.setUint8(at + 2, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, value);
    return this;
  }

  /** A number of up to 2^53, in 64 bits. */
  u64(value: number): this {
    return this.u32(Math.floor(value / 2 ** 32)).u32(value % 2 ** 32);
  }

  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Characters of one byte each, such as a FourCC. */
  ascii(text: string): this {
    let at = this.#room(text.length);
    for (let n = 0; n < text.length; n++) this.#bytes[at++] = text.charCodeAt(n);
    return this;
  }

  zeros(count: number): this {
    const at = this.#room(count);
    this.#bytes.fill(0, at, at + count);
    return this;
  }

  /** Writes 32 bits over what stands at `at`. */
  setU32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  /** Where the next `count` bytes go. The memory may be another one afterwards. */
  #room(count: number): number {
    const from = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, from));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return from;
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
