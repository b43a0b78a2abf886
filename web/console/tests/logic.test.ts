import { describe, expect, test } from 'vitest';
import { query, streamPath } from '@/api/client';
import type { GateRow, Overview } from '@/api/types';
import { admits, categoryTitle, known } from '@/lib/gate';
import { lines } from '@/lib/lines';
import { strength } from '@/lib/password';
import { Recent, total } from '@/lib/rates';
import { ffmpegTest, playerTag, pusherTag, quoted } from '@/lib/snippets';

const PUSH = 'rtmp://live.example.com/live/room?txSecret=0123456789abcdef0123456789abcdef&txTime=6A3B11C0';

describe('snippets', () => {
  test('a URL is quoted for a shell', () => expect(quoted('a"b$c`d\\e')).toBe('"a\\"b\\$c\\`d\\\\e"'));

  test('ffmpeg gets the whole URL, quoted, as the last thing', () => {
    expect(ffmpegTest(PUSH).endsWith(`-f flv "${PUSH}"`)).toBe(true);
    for (const line of ffmpegTest(PUSH).split('\n').slice(0, -1)) expect(line).toMatch(/ \\$/);
  });

  test('tags are bound to data: a URL in an attribute would be cut at its &', () => {
    expect(pusherTag(PUSH)).toContain('url="{{pushUrl}}"');
    expect(pusherTag(PUSH)).toContain(JSON.stringify(PUSH));
    expect(playerTag('http://x/live/room.flv', 'live')).toContain('mode="live" min-cache="1"');
    expect(playerTag('rtmp://x/live/room?bizid=1', 'RTC')).toContain('mode="RTC"');
  });
});

describe('passwords', () => {
  test.each([
    ['', 0], ['123456789', 0], ['x'.repeat(129), 0], ['aaaaaaaaaaaa', 1], ['1234567890', 1], ['abcdefghijkl', 1], ['anna-anna-anna', 1],
    ['tiefland-9', 2], ['quiet-river-7-stones', 4], ['correct horse battery', 4], ['密码要长一点才算好呀', 2],
  ])('%s', (password, level) => expect(strength(password, 'anna')).toBe(level));
});

describe('rates', () => {
  const at = (bytes_in: number, bytes_out: number, uptime_s: number): Overview => ({ streams: 1, publishers: 1, viewers: { rtmp: 2 }, bytes_in, bytes_out, accounts: 1, forbidden: 0, uptime_s, version: '', problems: [] });

  test('are the difference of two answers', () => {
    const recent = new Recent(300);
    recent.push(100, at(1000, 0, 5));
    recent.push(102, at(3000, 500, 7));
    expect(recent.samples.map((s) => s.bitsIn)).toEqual([null, 8000]);
    expect(recent.samples[1]!.bitsOut).toBe(2000);
  });

  test('a server that began anew has no rate', () => {
    const recent = new Recent(300);
    recent.push(100, at(1000, 0, 500));
    recent.push(102, at(50, 0, 1));
    expect(recent.samples[1]!.bitsIn).toBeNull();
  });

  test('what is old is let go', () => {
    const recent = new Recent(10);
    for (let second = 0; second < 60; second += 1) recent.push(second, at(second, 0, second));
    expect(recent.samples.length).toBe(11);
  });

  test('viewers are summed over protocols', () => expect(total({ rtmp: 2, 'rtmp-udp': 3 })).toBe(5));
});

describe('the gate', () => {
  const rows: GateRow[] = [
    { main: 'education', title: { en: 'Education', zh: '教育' }, subs: [{ id: 'online', title: { en: 'Online', zh: '在线' } }], subjects: ['enterprise'] },
    { main: 'government', title: { en: 'Government', zh: '政务' }, subs: [], subjects: ['enterprise', 'government'] },
  ];
  const more: GateRow[] = [{ main: 'education', title: { en: 'Education', zh: '教育' }, subs: [{ id: 'school', title: { en: 'School', zh: '学校' } }], subjects: [] }, { main: 'tools', title: { en: 'Tools', zh: '工具' }, subs: [], subjects: ['enterprise'] }];
  const gate = { mode: 'enforce' as const, rows };

  test.each([
    ['enterprise', 'education', 'online', true], ['enterprise', 'education', 'school', false], ['individual', 'education', 'online', false],
    ['government', 'government', 'anything', true], ['enterprise', 'tools', null, false],
  ] as const)('%s of %s / %s', (subject, main, sub, may) => expect(admits(gate, subject, { main, sub })).toBe(may));

  test('that is off admits everybody', () => expect(admits({ mode: 'off', rows: [] }, 'individual', { main: 'x' })).toBe(true));

  test('names come from the table and the presets, without doubles', () => {
    const all = known({ rows, presets: [{ name: 'p', title: { en: '', zh: '' }, rows: more }] });
    expect(all.map((row) => row.main)).toEqual(['education', 'government', 'tools']);
    expect(all[0]!.subs.map((sub) => sub.id)).toEqual(['online', 'school']);
    expect(rows[0]!.subs.length).toBe(1);
    expect(categoryTitle({ rows, presets: [] }, { main: 'education', sub: 'online' }, 'zh')).toBe('教育 / 在线');
    expect(categoryTitle(null, { main: 'x', sub: 'y' }, 'en')).toBe('x / y');
  });
});

test('paths and queries are encoded', () => {
  expect(streamPath({ account: '1', app: 'lesson/a', name: 'röm' })).toBe('/streams/1/lesson%2Fa/r%C3%B6m');
  expect(query({ account: '', page: 2, live: true, query: 'a b&c', from: null })).toBe('?page=2&live=true&query=a%20b%26c');
});

test('a list is one a line, each once', () => expect(lines(' 10.0.0.0/8\n\n::1 ; ::1,1.2.3.4 ')).toEqual(['10.0.0.0/8', '::1', '1.2.3.4']));
