/** Writes FLV (FLV 10.1 annex E). */

import { FILE_HEADER_BYTES, TAG_HEADER_BYTES, TRAILER_BYTES } from './demux';

/** The front of a file. Some players wait for every kind of media that is announced: it should be true. */
export function fileHeader(audio: boolean, video: boolean): Uint8Array<ArrayBuffer> {
  const flags = (audio ? 4 : 0) | (video ? 1 : 0);
  return Uint8Array.of(0x46, 0x4c, 0x56, 1, flags, 0, 0, 0, FILE_HEADER_BYTES, 0, 0, 0, 0);
}

/** A tag with the size that follows it. `timestamp` is in ms, and wraps after 32 bits; `type` a `TagType`. */
export function tag(type: number, timestamp: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  if (body.length > 0xffffff) throw new RangeError(`a tag of ${body.length} bytes`);
  const out = new Uint8Array(TAG_HEADER_BYTES + body.length + TRAILER_BYTES);
  const view = new DataView(out.buffer);
  const time = timestamp >>> 0;
  view.setUint32(0, (type << 24) | body.length);
  view.setUint32(4, ((time << 8) | (time >>> 24)) >>> 0);
  out.set(body, TAG_HEADER_BYTES);
  view.setUint32(TAG_HEADER_BYTES + body.length, TAG_HEADER_BYTES + body.length);
  return out;
}
