import { describe, expect, test } from 'vitest';
import { bitrate, bytes, count, duration, relative } from '@/lib/format';

describe('sizes and rates', () => {
  test.each([
    [0, '0 bit/s'], [999, '999 bit/s'], [1000, '1.00 kbit/s'], [1_250_000, '1.25 Mbit/s'], [12_340_000, '12.3 Mbit/s'],
    [123_400_000, '123 Mbit/s'], [999_999, '1.00 Mbit/s'], [-5, '0 bit/s'],
  ])('%d bits a second are %s', (value, text) => expect(bitrate(value)).toBe(text));

  test('bytes go up to petabytes and no further', () => {
    expect(bytes(1.5e9)).toBe('1.50 GB');
    expect(bytes(5e18)).toBe('5000 PB');
  });

  test('large counts are grouped', () => expect(count(1234567, 'en')).toBe('1,234,567'));
});

describe('durations', () => {
  test.each([
    [0, '0 s', '0 秒'], [59, '59 s', '59 秒'], [60, '1 min', '1 分'], [250, '4 min 10 s', '4 分 10 秒'],
    [3600, '1 h', '1 小时'], [90061, '1 d 1 h', '1 天 1 小时'], [-3, '0 s', '0 秒'],
  ])('%d seconds', (seconds, en, zh) => {
    expect(duration(seconds, 'en')).toBe(en);
    expect(duration(seconds, 'zh')).toBe(zh);
  });

  test('the past and the future are told apart', () => {
    expect(relative(1000 - 180, 1000, 'en')).toMatch(/3 min\w*\.? ago/);
    expect(relative(1000 + 2 * 86400, 1000, 'zh')).toContain('后');
  });
});
