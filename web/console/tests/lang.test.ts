import { describe, expect, test } from 'vitest';
import { dictionaries, firstLanguage } from '@/lang';

function leaves(of: object, path = ''): [string, unknown][] {
  return Object.entries(of).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null ? leaves(value, `${path}${key}.`) : [[path + key, value] as [string, unknown]],
  );
}

describe('the two dictionaries', () => {
  const en = new Map(leaves(dictionaries.en));
  const zh = new Map(leaves(dictionaries.zh));

  test('have the same keys', () => expect([...zh.keys()].sort()).toEqual([...en.keys()].sort()));

  test('have no empty text', () => {
    for (const [key, value] of [...en, ...zh]) expect(value, key).not.toBe('');
  });

  test('English has no Chinese in it, but for the name of the other language', () => {
    const mixed = [...en].filter(([key, value]) => key !== 'otherLanguage' && typeof value === 'string' && /[\u4e00-\u9fff]/.test(value));
    expect(mixed).toEqual([]);
  });

  test('Chinese is Chinese, but for names', () => {
    const names = new Set(['otherLanguage', 'tabs.udp', 'udp.title', 'streams.gop', 'urls.rtmp', 'urls.rtmps', 'urls.flv', 'urls.https_flv', 'urls.ws', 'urls.wss', 'domains.hostHint']);
    const plain = [...zh].filter(([key, value]) => !names.has(key) && typeof value === 'string' && !/[\u4e00-\u9fff]/.test(value));
    expect(plain).toEqual([]);
  });
});

test('the kept language comes before the browser\'s', () => {
  expect(firstLanguage(null, ['zh-CN', 'en'])).toBe('zh');
  expect(firstLanguage(null, ['en-GB', 'zh'])).toBe('en');
  expect(firstLanguage('en', ['zh-CN'])).toBe('en');
  expect(firstLanguage('fr', [])).toBe('en');
});
