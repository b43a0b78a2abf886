/**
 * AMF0, the values inside RTMP commands and metadata.
 *
 * A peer's value may nest at most {@link DEPTH_MAX} deep and hold at most {@link NODES_MAX} values a message: a few
 * bytes a level would otherwise buy a stack overflow, and a few bytes a value a large allocation.
 */

import { Misbehaved } from './misbehaved';

export type Value = number | boolean | string | null | undefined | Date | readonly Value[] | Properties | EcmaArray;

/** An object. What a peer sent has no prototype: `__proto__` is a name like any other. */
export interface Properties {
  readonly [name: string]: Value;
}

/** Written with a marker of its own, as metadata customarily is; read as {@link Properties}. */
export class EcmaArray {
  constructor(readonly properties: Properties) {}
}

/** The values of one message, one after the other. */
export function decode(body: Uint8Array): Value[] {
  const decoder = new Decoder(body);
  const values: Value[] = [];
  while (!decoder.isDone) values.push(decoder.value(0));
  return values;
}

/** The body of a message of these values. */
export function encode(...values: Value[]): Uint8Array<ArrayBuffer> {
  const out = new Encoder();
  for (const value of values) out.value(value);
  return out.bytes();
}

/** A property of an object; `undefined` where there is none, or no object. */
export function property(value: Value, name: string): Value {
  if (typeof value !== 'object' || value === null || isItems(value) || value instanceof Date) return undefined;
  const properties = value instanceof EcmaArray ? value.properties : value;
  return Object.hasOwn(properties, name) ? properties[name] : undefined;
}

/** A property that is text; empty where it is not. */
export function text(value: Value, name: string): string {
  const found = property(value, name);
  return typeof found === 'string' ? found : '';
}

class Decoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #nodesLeft = NODES_MAX;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isDone(): boolean {
    return this.#at >= this.#bytes.length;
  }

  value(depth: number): Value {
    if (this.#nodesLeft === 0) throw new Misbehaved('too many AMF0 values in one message');
    this.#nodesLeft -= 1;
    if (depth >= DEPTH_MAX) throw new Misbehaved('AMF0 values nest too deep');
    switch (this.#u8()) {
      case Marker.Number:
        return this.#f64();
      case Marker.Boolean:
        return this.#u8() !== 0;
      case Marker.String:
        return this.#text(this.#u16());
      case Marker.Object:
        return this.#properties(depth);
      case Marker.Null:
        return null;
      case Marker.Undefined:
      case Marker.Unsupported:
        return undefined;
      case Marker.EcmaArray:
        // The count is a hint: writers get it wrong, and the end marker decides.
        this.#u32();
        return this.#properties(depth);
      case Marker.StrictArray:
        return this.#items(depth);
      case Marker.Date: {
        const date = new Date(this.#f64());
        // The time zone is reserved.
        this.#u16();
        return date;
      }
      case Marker.LongString:
      case Marker.Xml:
        return this.#text(this.#u32());
      case Marker.TypedObject:
        this.#text(this.#u16());
        return this.#properties(depth);
      default:
        throw new Misbehaved('an AMF0 marker that is reserved or unknown');
    }
  }

  #properties(depth: number): Properties {
    const out: Record<string, Value> = Object.create(null);
    for (;;) {
      const name = this.#text(this.#u16());
      if (name === '' && this.#bytes[this.#at] === Marker.ObjectEnd) {
        this.#at += 1;
        return out;
      }
      out[name] = this.value(depth + 1);
    }
  }

  #items(depth: number): Value[] {
    // Grown as values are read, never from the count.
    const out: Value[] = [];
    for (let left = this.#u32(); left > 0; left--) out.push(this.value(depth + 1));
    return out;
  }

  #text(length: number): string {
    const from = this.#take(length);
    return TEXT.decode(this.#bytes.subarray(from, from + length));
  }

  #u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  #u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  #u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  #f64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  /** Where the next `length` bytes begin. */
  #take(length: number): number {
    const from = this.#at;
    if (length > this.#bytes.length - from) throw new Misbehaved('an AMF0 value is cut short');
    this.#at += length;
    return from;
  }
}

class Encoder {
  #buffer = new Uint8Array(256);
  #length = 0;

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#length);
  }

  value(value: Value): void {
    if (value === null) this.#u8(Marker.Null);
    else if (value === undefined) this.#u8(Marker.Undefined);
    else if (typeof value === 'string') this.#string(value);
    else if (typeof value === 'number') {
      this.#u8(Marker.Number);
      this.#f64(value);
    } else if (typeof value === 'boolean') {
      this.#u8(Marker.Boolean);
      this.#u8(Number(value));
    } else if (value instanceof Date) {
      this.#u8(Marker.Date);
      this.#f64(value.getTime());
      this.#u16(0);
    } else if (value instanceof EcmaArray) {
      this.#u8(Marker.EcmaArray);
      this.#u32(Object.keys(value.properties).length);
      this.#properties(value.properties);
    } else if (isItems(value)) {
      this.#u8(Marker.StrictArray);
      this.#u32(value.length);
      for (const item of value) this.value(item);
    } else {
      this.#u8(Marker.Object);
      this.#properties(value);
    }
  }

  #properties(properties: Properties): void {
    for (const [name, value] of Object.entries(properties)) {
      const bytes = UTF8.encode(name).subarray(0, SHORT_BYTES_MAX);
      this.#u16(bytes.length);
      this.#raw(bytes);
      this.value(value);
    }
    this.#u16(0);
    this.#u8(Marker.ObjectEnd);
  }

  #string(value: string): void {
    const bytes = UTF8.encode(value);
    if (bytes.length > SHORT_BYTES_MAX) {
      this.#u8(Marker.LongString);
      this.#u32(bytes.length);
    } else {
      this.#u8(Marker.String);
      this.#u16(bytes.length);
    }
    this.#raw(bytes);
  }

  #u8(value: number): void {
    this.#room(1).setUint8(0, value);
  }

  #u16(value: number): void {
    this.#room(2).setUint16(0, value);
  }

  #u32(value: number): void {
    this.#room(4).setUint32(0, value);
  }

  #f64(value: number): void {
    this.#room(8).setFloat64(0, value);
  }

  #raw(bytes: Uint8Array): void {
    const room = this.#room(bytes.length);
    this.#buffer.set(bytes, room.byteOffset);
  }

  /** The next `length` bytes, which count as written. */
  #room(length: number): DataView {
    const from = this.#length;
    this.#length += length;
    if (this.#length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#buffer.length));
      grown.set(this.#buffer);
      this.#buffer = grown;
    }
    return new DataView(this.#buffer.buffer, from, length);
  }
}

/** `Array.isArray` does not know arrays that are read only. */
function isItems(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

const Marker = {
  Number: 0,
  Boolean: 1,
  String: 2,
  Object: 3,
  Null: 5,
  Undefined: 6,
  EcmaArray: 8,
  ObjectEnd: 9,
  StrictArray: 10,
  Date: 11,
  LongString: 12,
  Unsupported: 13,
  Xml: 15,
  TypedObject: 16,
} as const;

/** Metadata nests two or three deep. */
export const DEPTH_MAX = 16;
/** A recorded file's seek index may hold an entry a second for two arrays: over two hours. */
export const NODES_MAX = 16_384;
/** Longest text whose length is written in 16 bits. */
const SHORT_BYTES_MAX = 0xffff;
const TEXT = new TextDecoder();
const UTF8 = new TextEncoder();
