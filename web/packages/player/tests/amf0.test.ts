import { describe, expect, test } from 'vitest';
import { DEPTH_MAX, decode, EcmaArray, encode, NODES_MAX, property, text, type Value } from '../src/amf0';
import { bytesOf, hex } from './bytes';

const VALUES: [name: string, value: Value, bytes: string][] = [
  ['a number', 1.5, '00 3ff8000000000000'],
  ['true', true, '01 01'],
  ['a string', 'live', '02 0004 6c697665'],
  ['a string that is not ASCII', '直播', '02 0006 e79bb4e692ad'],
  ['an object', { app: 'a', n: null }, '03 0003 617070 02 0001 61 0001 6e 05 0000 09'],
  ['null', null, '05'],
  ['undefined', undefined, '06'],
  ['an array', [1, 'a'], '0a 00000002 00 3ff0000000000000 02 0001 61'],
  ['a date', new Date(1000), '0b 408f400000000000 0000'],
];

describe('AMF0', () => {
  test.each(VALUES)('%s, both ways', (_, value, bytes) => {
    expect(hex(encode(value))).toBe(bytes.replaceAll(' ', ''));
    expect(decode(bytesOf(bytes))).toEqual([value]);
  });

  test('an associative array is read as an object, whatever it counts', () => {
    const written = encode(new EcmaArray({ width: 640 }));
    expect(hex(written)).toBe('08000000010005776964746800408400000000000000 0009'.replaceAll(' ', ''));
    for (const count of [0, 1, 0xffffffff]) {
      new DataView(written.buffer).setUint32(1, count);
      expect(decode(written)).toEqual([{ width: 640 }]);
    }
  });

  test('a long string has a long length', () => {
    const long = 'x'.repeat(65_536);
    expect(hex(encode(long).subarray(0, 5))).toBe('0c00010000');
    expect(decode(encode(long, 'x'.repeat(65_535)))).toEqual([long, 'x'.repeat(65_535)]);
  });

  test('what is cut anywhere is refused, not waited for', () => {
    const whole = encode({ a: 1, b: [true, 'x'], c: { d: null } });
    for (let n = 1; n < whole.length; n++) expect(() => decode(whole.subarray(0, n)), `${n}`).toThrow('cut short');
  });

  test('bounds hold', () => {
    const nested = (depth: number) => Uint8Array.from(Array(depth).fill([0x0a, 0, 0, 0, 1]).flat().concat(5));
    expect(() => decode(nested(DEPTH_MAX - 1))).not.toThrow();
    expect(() => decode(nested(DEPTH_MAX))).toThrow('too deep');
    expect(decode(new Uint8Array(NODES_MAX).fill(5))).toHaveLength(NODES_MAX);
    expect(() => decode(new Uint8Array(NODES_MAX + 1).fill(5))).toThrow('too many');
    expect(() => decode(bytesOf('0a ffffffff 05'))).toThrow('cut short');
    for (const marker of [4, 7, 14, 17, 255]) expect(() => decode(Uint8Array.of(marker))).toThrow('marker');
  });

  test("a peer's names touch nothing but its object", () => {
    const [value] = decode(encode({ ['__proto__']: { polluted: true }, constructor: 'x' }));
    expect(property(value, '__proto__')).toEqual({ polluted: true });
    expect(text(value, 'constructor')).toBe('x');
    expect(property(value, 'toString')).toBeUndefined();
    expect(property({}, 'toString')).toBeUndefined();
    expect('polluted' in {}).toBe(false);
  });
});
