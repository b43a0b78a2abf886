import { describe, expect, test } from 'vitest';
import { Kind } from '../../src/rtmp-udp/control';
import {
  BURST,
  decodeHeader,
  encodeHeader,
  HEADER_BYTES,
  type Header,
  type Media,
  NO_FLAGS,
  StreamReader,
} from '../../src/rtmp-udp/media';
import { bytesOf, everyCut, hex, joined } from '../bytes';

const sound: Header = { kind: Kind.Audio, ...NO_FLAGS, track: 0, cfg: 1, seq: 2, gop: 0, timestamp: 32, ingest: null };
const key: Header = { ...sound, kind: Kind.Video, key: true, start: true, seq: 1, gop: 1, timestamp: 0 };
const picture: Header = { ...key, key: false, start: false, seq: 5, gop: 1, timestamp: 160 };

const HEADERS: [name: string, header: Header, bytes: string][] = [
  ['sound', sound, '08000001 00000002 00000000 00000020 0000000000000000'],
  ['a key frame', key, '09090001 00000001 00000001 00000000 0000000000000000'],
  ['a picture', picture, '09000001 00000005 00000001 000000a0 0000000000000000'],
  ['a disposable one', { ...picture, disposable: true }, '09040001 00000005 00000001 000000a0 0000000000000000'],
  ['one to catch up', { ...picture, catchup: true }, '09100001 00000005 00000001 000000a0 0000000000000000'],
  ['one after two', { ...picture, afterDisposable: 2 }, '09800001 00000005 00000001 000000a0 0000000000000000'],
  [
    'a disposable one after three',
    { ...picture, disposable: true, afterDisposable: 3 },
    '09c40001 00000005 00000001 000000a0 0000000000000000',
  ],
  [
    'a stamped one',
    { ...picture, ingest: 0x0006_4000_0000_0001 / 1000 },
    '09200001 00000005 00000001 000000a0 0006400000000001',
  ],
  [
    'one after the numbers wrapped',
    { ...picture, seq: 1, gop: 0xffffffff },
    '09000001 00000001 ffffffff 000000a0 0000000000000000',
  ],
  ['data', { ...sound, kind: Kind.Data, cfg: 0 }, '12000000 00000002 00000000 00000020 0000000000000000'],
];

/** Everything that one stream brings. */
function read(bodyBytesMax: number, ...parts: Uint8Array[]): Media[] {
  const reader = new StreamReader(bodyBytesMax);
  const media = parts.flatMap((part) => [...reader.read(part)]);
  const last = reader.finish();
  return last ? [...media, last] : media;
}

function single(header: Header, body: Uint8Array): Uint8Array {
  return joined(encodeHeader(header), body);
}

function inBurst(header: Header, body: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, HEADER_BYTES + body.length);
  return joined(length, single(header, body));
}

describe('media', () => {
  test.each(HEADERS)('%s, both ways', (_, header, bytes) => {
    expect(hex(encodeHeader(header))).toBe(bytes.replaceAll(' ', ''));
    expect(decodeHeader(bytesOf(bytes))).toEqual(header);
  });

  test('bits without a meaning, and a time that is not valid, are not looked at', () => {
    const bytes = encodeHeader(picture);
    bytes[1] = 1 << 1;
    bytes.fill(7, 16);
    expect(decodeHeader(bytes)).toEqual(picture);
  });

  test('numbers that cannot be are refused', () => {
    for (const header of [
      { ...key, gop: 7 },
      { ...picture, gop: picture.seq },
      { ...picture, gop: 6 },
      { ...picture, seq: 30_001, gop: 1 },
      { ...sound, key: true },
      { ...sound, kind: 7 as Kind },
    ]) {
      expect(() => decodeHeader(encodeHeader(header)), JSON.stringify(header)).toThrow();
    }
    expect(decodeHeader(encodeHeader({ ...picture, seq: 30_000 })).gop).toBe(1);
  });

  test('one message, cut anywhere', () => {
    const body = bytesOf('2701000000 aabbcc');
    for (const parts of everyCut(single(picture, body))) {
      expect(read(8, ...parts)).toEqual([{ header: picture, body }]);
    }
    expect(read(8, encodeHeader(sound))).toEqual([{ header: sound, body: new Uint8Array(0) }]);
  });

  test('a burst, cut anywhere', () => {
    const bodies = [bytesOf('1701000000'), bytesOf(''), bytesOf('af01 aabb')];
    const headers = [key, { ...sound, seq: 1 }, sound];
    const burst = joined(Uint8Array.of(BURST), ...headers.map((header, i) => inBurst(header, bodies[i] as Uint8Array)));
    const want = headers.map((header, i) => ({ header, body: bodies[i] }));
    for (const parts of everyCut(burst)) expect(read(8, ...parts)).toEqual(want);
    expect(read(8, Uint8Array.of(BURST))).toEqual([]);
  });

  test('messages of a burst count as soon as they are whole', () => {
    const reader = new StreamReader(100);
    const burst = joined(Uint8Array.of(BURST), inBurst(key, bytesOf('17')), inBurst(picture, bytesOf('27')));
    expect([...reader.read(burst.subarray(0, -1))]).toHaveLength(1);
    expect(reader.heldBytes).toBe(4 + HEADER_BYTES);
    expect(() => reader.finish(), 'and the rest never comes').toThrow('cut short');
  });

  test('what is too long, cut short or cannot be is refused as soon as it shows', () => {
    expect(() => read(8)).toThrow('cut short');
    expect(() => read(8, encodeHeader(sound).subarray(0, 23))).toThrow('cut short');
    expect(() => read(8, single(sound, new Uint8Array(9)))).toThrow('too long');
    expect(() => read(8, bytesOf('07'), new Uint8Array(23)), 'before the end').toThrow('kind');
    const reader = new StreamReader(8);
    expect(() => [...reader.read(bytesOf('7f ffffffff'))], 'on its word').toThrow('too long');
    expect(() => read(8, bytesOf('7f 00000017'))).toThrow('within its header');
    expect(() => read(8, bytesOf('7f 0000'))).toThrow('cut short');
  });

  test('a header is known before its body has come', () => {
    const reader = new StreamReader(8);
    const message = single(picture, bytesOf('27'));
    expect([...reader.read(message.subarray(0, 23))]).toEqual([]);
    expect(reader.header).toBeNull();
    expect([...reader.read(message.subarray(23, 24))]).toEqual([]);
    expect(reader.header).toEqual(picture);
  });
});
