import { afterEach, describe, expect, test } from 'vitest';
import { ApiError } from '@/api/client';
import { dictionaries, language } from '@/lang';
import { sentences } from '@/lang/sentences';
import { auditWords, endWords, inChinese, reasonWords, said, wordsAtField, wordsOf } from '@/lib/words';
import { isSentence, literals, refusals, source, sources } from './sources';

const API = [...sources('crates/console/src/api'), 'crates/console/src/api.rs'];
const CONSOLE = [...API, 'crates/console/src/console.rs', ...sources('crates/console/src/compat')];
const every = (files: readonly string[]) => files.map(source).join('\n');
const codes = (found: Iterable<RegExpMatchArray>) => [...new Set([...found].map((one) => one[1]!))].sort();
const keys = (of: object) => Object.keys(of).sort();

describe('the dictionaries know the server’s codes', () => {
  const { codes: en } = dictionaries.en;

  test('why a request is refused', () => {
    expect(keys(en.reasons)).toEqual(codes(source('crates/access/src/reason.rs').matchAll(/=> "([a-z-]+)",/g)));
  });

  test('what the API answers', () => {
    const said = codes(every(API).matchAll(/ApiError::new\(\s*[\w:.()]+,\s*"([a-z-]+)"/g));
    expect(said).toContain('bad-request');
    expect(said.filter((code) => !(code in en.errors))).toEqual(['not-eligible']);
    expect(keys(en.errors).filter((code) => !said.includes(code))).toEqual([]);
  });

  test('why a publication ended', () => {
    const table = source('docs/ref/callbacks.md').split('### errcode')[1]!.split('### ')[0]!;
    const told = codes(table.matchAll(/^\| (\d+) \|/gm));
    expect(keys(en.ends)).toEqual(told);
    const cause = source('crates/server/src/cause.rs');
    expect(codes(cause.matchAll(/=> (\d+),/g)).filter((code) => !told.includes(code))).toEqual([]);
  });

  test('what the check of a URL looks at', () => {
    expect(keys(en.rules)).toEqual(codes(source('crates/access/src/explain.rs').matchAll(/(?:let |\.)rule = "([a-z]+)"/g)));
  });

  test('what does not work', () => {
    const said = codes(source('crates/console/src/api/overview.rs').matchAll(/(?:code: |=> \()"([a-z-]+)"/g));
    expect(said.length).toBeGreaterThan(2);
    expect(said.filter((code) => !(code in en.problems))).toEqual([]);
  });

  test('what is in the audit log', () => {
    const said = codes(every(CONSOLE).matchAll(/(?:\.note|\.note_of|edited)\([^;]*?"([a-z-]+\.[a-z-]+|old-api|setup)"/g));
    expect(said).toContain('domain.rotate');
    expect(said.filter((code) => !(code in en.audit))).toEqual([]);
  });
});

describe('sentences without a code are known in Chinese', () => {
  const EXPLAIN = ['crates/access/src/explain.rs', 'crates/access/src/explain/lists.rs', 'crates/access/src/explain/strong.rs'];
  const REFUSALS = [
    ...API, 'crates/console/src/register.rs', 'crates/console/src/policy.rs', 'crates/console/src/check.rs', 'crates/console/src/urls.rs', 'crates/console/src/store.rs',
    ...sources('crates/console/src/hooks').filter((file) => /(target|post|outbox)\.rs$/.test(file)), 'crates/access/src/strong.rs', 'crates/wire/src/rtmp/address.rs',
  ];
  /** Two sentences one after the other. */
  const BARE = ['{}{}', ': {}'];
  const missing = (all: string[]) => [...new Set(all)].filter((one) => !BARE.includes(one) && !(one in sentences));

  test('findings of the check', () => {
    const all = EXPLAIN.flatMap((file) => literals(source(file))).filter(isSentence);
    expect(all.length).toBeGreaterThan(60);
    expect(missing(all)).toEqual([]);
  });

  test('what is wrong with a request, and what came of a callback', () => {
    const all = REFUSALS.flatMap((file) => refusals(source(file)));
    expect(all.length).toBeGreaterThan(90);
    expect(missing(all)).toEqual([]);
  });

  test('what is wrong with an account', () => {
    const shown = (file: string, of: string) => source(file).split(`Display for ${of}`)[1]!.split(/^}/m)[0]!;
    const all = [shown('crates/access/src/policy.rs', 'PolicyError'), shown('crates/access/src/network.rs', 'BadNetwork'), shown('crates/access/src/lists.rs', 'BadPattern')].flatMap(literals).filter(isSentence);
    expect(all.length).toBeGreaterThan(18);
    expect(missing(all)).toEqual([]);
  });

  test('each fills in what its key leaves open', () => {
    for (const [key, words] of Object.entries(sentences)) {
      if (typeof words === 'function') continue;
      const open = key.split('{}').length - 1;
      expect([...words.matchAll(/\{(\d)\}/g)].map((one) => Number(one[1])).filter((n) => n > open), key).toEqual([]);
    }
  });
});

describe('what is said', () => {
  afterEach(() => { language.value = 'en'; });

  test.each([
    ['host live.example.com is not a known domain, so it counts as account 1', '域名 live.example.com 不是已登记的域名，因此归入账号 1'],
    ['the signature fits the backup push key of account 1', '签名与账号 1 的备用推流密钥相符'],
    ['txTime, hexadecimal and 300 s of validity: the URL is good for 23 hours more', 'txTime（十六进制，另加有效时长 300 秒）：地址还有 23 小时有效'],
    ['the signature does not fit: it was made with the play key, not the push key', '签名不符：它用的是播放密钥，而不是推流密钥'],
    ['a push with this URL is refused, auth-bad', '用此地址推流会被拒绝：签名不正确：密钥不同、流名称不同，或有字符被改动'],
    ['answered 502 instead of 200', '应答了 502，而不是 200'],
    ['no connection: Connection refused (os error 111)', '无法连接：Connection refused (os error 111)'],
    ['10.0.0.1/8: the address has bits beyond its prefix: they must be zero', '10.0.0.1/8：前缀之后的位必须为零'],
    ['there is no account 77', '没有账号 77'],
  ])('%s', (english, chinese) => {
    language.value = 'zh';
    expect(said(english)).toBe(chinese);
    language.value = 'en';
    expect(said(english)).toBe(english);
  });

  test('what nobody knows stays as it is', () => {
    expect(inChinese('something: that was never written')).toBeNull();
    language.value = 'zh';
    expect(said('a fault of the seventh kind')).toBe('a fault of the seventh kind');
  });

  test('codes come before sentences', () => {
    language.value = 'zh';
    expect(reasonWords('auth-expired', 'x')).toBe('地址已过期。');
    expect(endWords(3, 'the publisher closed the connection')).toBe('编码器断开连接');
    expect(endWords(255, 'no idea')).toBe('no idea');
    expect(auditWords('key.eat')).toBe('key.eat');
    expect(wordsOf(new ApiError(409, 'pusher-off', 'English'))).toEqual({ title: '该账号的 live-pusher 开关已关闭。', more: 'English' });
  });

  test('a conflict is a change by somebody else, or what its sentence says', () => {
    expect(wordsOf(new ApiError(409, 'conflict', 'it has been changed meanwhile: read it again')).title).toContain('Somebody changed');
    expect(wordsOf(new ApiError(409, 'conflict', 'there is a user anna already'))).toEqual({ title: 'there is a user anna already', more: '' });
  });

  test('an error stands at its field, and nowhere else', () => {
    const error = new ApiError(400, 'bad-request', '1 to 100 characters', 'name');
    language.value = 'zh';
    expect(wordsAtField(error, 'name')).toBe('1 到 100 个字符');
    expect(wordsAtField(error, 'bizid')).toBe('');
    expect(wordsAtField(null, 'name')).toBe('');
  });
});
