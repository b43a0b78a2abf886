import { expect, it } from 'vitest';
import { attempt, Bits, Reader, Writer } from '../src/bytes';
import { Misbehaved } from '../src/misbehaved';
import { bytesOf, hex } from './bytes';

it('reads what is there, and never what is not', () => {
  const r = new Reader(bytesOf('01 0203 040506 fffffffe ffffd8 61766331 aabb'));
  expect([r.u8(), r.u16(), r.u24(), r.u32(), r.i24(), r.fourCC()]).toEqual([
    1,
    0x203,
    0x40506,
    0xfffffffe,
    -40,
    'avc1',
  ]);
  expect(() => r.take(3)).toThrow(Misbehaved);
  expect([r.left, hex(r.rest()), r.left]).toEqual([2, 'aabb', 0]);
  expect(() => r.u8()).toThrow(Misbehaved);
});

it('reads bits, and numbers without an end', () => {
  const b = new Bits(bytesOf('a6 42 98 e2 04 8a'));
  expect(Array.from({ length: 8 }, () => b.ue())).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  const signed = new Bits(bytesOf('a6 42 98 e2 04 8a'));
  expect(Array.from({ length: 5 }, () => signed.se())).toEqual([-0, 1, -1, 2, -2]);
  expect(() => new Bits(new Uint8Array(64)).ue()).toThrow(Misbehaved);
  expect(() => new Bits(bytesOf('01')).skip(9)).toThrow(Misbehaved);
  expect(() => new Bits(new Uint8Array(0)).bit()).toThrow(Misbehaved);
});

it('writes what is read, and grows meanwhile', () => {
  const w = new Writer();
  w.u8(1, 2)
    .u16(0x304)
    .u24(0x50607)
    .u32(0xfffffffe)
    .u32(-2)
    .u64(2 ** 40 + 1)
    .ascii('moof')
    .zeros(2)
    .raw(bytesOf('aa'));
  expect(hex(w.bytes)).toBe('01020304050607fffffffefffffffe00000100000000016d6f6f660000aa');
  for (let n = 0; n < 1000; n++) w.u32(n);
  w.setU32(0, 7);
  expect(w.length).toBe(30 + 4000);
  expect(hex(w.bytes.subarray(0, 4))).toBe('00000007');
  expect(hex(w.bytes.subarray(-4))).toBe('000003e7');
});

it('answers nothing of what is damaged, and hides no other mistake', () => {
  expect(attempt(() => new Reader(bytesOf('00')).u16())).toBeNull();
  expect(() => attempt(() => JSON.parse('{'))).toThrow(SyntaxError);
});
