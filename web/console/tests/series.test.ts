import { describe, expect, test } from 'vitest';
import { broken, filled, passed, tickWords } from '@/lib/series';
import { losing } from '@/lib/gate';
import type { Account, GateRow } from '@/api/types';

const point = (at: number, viewers_max: number, gap = false) => ({ at, bytes_in: 0, bytes_out: 0, viewers_max, streams_max: 0, gap });

describe('points over time', () => {
  test('a step that the server leaves out is nothing, not a line across it', () => {
    const all = filled([point(60, 3), point(240, 5, true)], 0, 300, 60);
    expect(all.map((one) => one.at)).toEqual([0, 60, 120, 180, 240]);
    expect(all.map((one) => one.viewers_max)).toEqual([0, 3, 0, 0, 5]);
    expect(all.map((one) => one.gap)).toEqual([false, false, false, false, true]);
  });

  test('a line is broken where nobody looked', () => {
    expect(broken([[0, 2, 4, 30, 32], [1, 2, 3, 4, 5]], 2)).toEqual([[0, 2, 4, 6, 30, 32], [1, 2, 3, null, 4, 5]]);
    expect(broken([[0, 2, 7], [1, 2, 3]], 2)).toEqual([[0, 2, 7], [1, 2, 3]]);
    expect(broken([[], []], 2)).toEqual([[], []]);
  });

  test('the bytes of the step that goes on came within what has passed of it', () => {
    expect(passed({ step: 300, to: 1000 }, 600)).toBe(300);
    expect(passed({ step: 300, to: 1000 }, 900)).toBe(100);
    expect(passed({ step: 300, to: 1000 }, 990)).toBe(60);
  });

  test('ticks say the day where one begins, and where they are days', () => {
    const midnight = new Date(2026, 6, 27).getTime() / 1000;
    expect(tickWords(midnight, 86_400, 'en')).toBe('27 Jul');
    expect(tickWords(midnight, 3600, 'en')).toBe('27 Jul');
    expect(tickWords(midnight + 3600, 3600, 'en')).toBe('01:00');
    expect(tickWords(midnight + 61, 10, 'en')).toBe('00:01:01');
    expect(tickWords(midnight, 86_400, 'zh')).toBe('7月27日');
  });
});

describe('who loses by a change of the gate', () => {
  const row = (main: string): GateRow => ({ main, title: { en: '', zh: '' }, subs: [], subjects: ['enterprise'] });
  const account = (bizid: string, main: string, more: Partial<Account> = {}) => ({ bizid, name: bizid, subject: 'enterprise', category: { main }, service: true, live_pusher: true, live_player: true, ...more }) as Account;
  const accounts = [account('1', 'social'), account('2', 'tools'), account('3', 'social', { live_pusher: false, live_player: false }), account('4', 'social', { service: false }), account('5', 'education')];
  const names = (now: Parameters<typeof losing>[1], next: Parameters<typeof losing>[2]) => losing(accounts, now, next).map((a) => a.bizid);

  test('are those that may now, and could not then', () => {
    const now = { mode: 'enforce' as const, rows: [row('social'), row('education')] };
    expect(names(now, { mode: 'enforce', rows: [row('education')] })).toEqual(['1']);
    expect(names(now, { mode: 'off', rows: [] })).toEqual([]);
    expect(names({ mode: 'off', rows: [] }, now)).toEqual(['2']);
  });
});
