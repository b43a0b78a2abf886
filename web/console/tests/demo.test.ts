import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { codeWords, dictionaries } from '../demo/lang';
import { age, MINUTE_PICTURES, numberAt, read, rows } from '../demo/lib/barcode';
import { callOf, inviteOf, isOver, talkOf } from '../demo/lib/call';
import { Delays, rank } from '../demo/lib/delays';
import { canPlay, endOf, readCall, readWatch, writeCall, writeWatch } from '../demo/lib/fragment';
import { gravity, lackOf, type Phase, playerPhase, pusherPhase, reasonIn } from '../demo/lib/phase';

/** A strip as a browser draws it: two rows of sixteen cells, each so many pixels. */
function strip(number: number, cell = 4, white = 255, black = 0): { data: Uint8ClampedArray; width: number; height: number } {
  const [width, height] = [16 * cell, 2 * cell];
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (const [row, bits] of rows(number).entries()) {
    for (const [column, bit] of bits.entries()) {
      for (let y = row * cell; y < (row + 1) * cell; y++) {
        for (let x = column * cell; x < (column + 1) * cell; x++) data.fill(bit ? white : black, (y * width + x) * 4, (y * width + x) * 4 + 3);
      }
    }
  }
  return { data, width, height };
}

describe('the bar code', () => {
  test('of every number of a minute is read', () => {
    for (let number = 0; number < MINUTE_PICTURES; number++) {
      const { data, width, height } = strip(number);
      expect(read(data, width, height)).toBe(number);
    }
  });

  test('is read in any size, and when it is grey', () => {
    for (const cell of [1, 2, 3, 7, 40]) {
      const { data, width, height } = strip(1234, cell, 190, 60);
      expect(read(data, width, height), `${cell} pixels a cell`).toBe(1234);
    }
  });

  test('with one cell that is not the other of its pair is none', () => {
    const { data, width, height } = strip(77);
    // The middle of the first cell of the lower row.
    const at = (6 * width + 2) * 4;
    data.fill(255 - data[at]!, at, at + 3);
    expect(read(data, width, height)).toBeNull();
  });

  test('is none in black, in white, in a number of no minute, and in too few pixels', () => {
    expect(read(new Uint8ClampedArray(64 * 8 * 4), 64, 8)).toBeNull();
    expect(read(new Uint8ClampedArray(64 * 8 * 4).fill(255), 64, 8)).toBeNull();
    const { data, width, height } = strip(1500);
    expect(read(data, width, height)).toBeNull();
    expect(read(data, 8, 8)).toBeNull();
    expect(read(data.subarray(4), width, height)).toBeNull();
  });

  test('says how old a picture is, over the end of a minute as well', () => {
    const noon = Date.UTC(2026, 0, 1, 12);
    expect(numberAt(noon + 12_345)).toBe(308);
    expect(age(308, noon + 12_345)).toBe(25);
    expect(age(1499, noon + 60_000 + 160)).toBe(200);
    expect(age(25, noon + 990), 'a clock that is slow by 10 ms').toBe(-10);
    expect(age(0, noon + 5_000)).toBe(5000);
  });
});

describe('delays', () => {
  test('are those of the last minute', () => {
    const delays = new Delays();
    for (let s = 0; s <= 90; s++) delays.add(s * 1000, s);
    expect(delays.seen[0]!.ms).toBe(31);
    expect(delays.usual()).toEqual({ n: 60, last: 90, p50: 60, p95: 87 });
  });

  test('take a bounded room however often they come', () => {
    const delays = new Delays();
    for (let i = 0; i < 10_000; i++) delays.add(1000 + i / 1000, i);
    expect(delays.seen.length).toBe(3600);
  });

  test('of which there are none are usually none', () => {
    expect(new Delays().usual()).toEqual({ n: 0, last: null, p50: null, p95: null });
    expect(rank([7], 0.5)).toBe(7);
    expect(rank([1, 2, 3, 4], 0.5)).toBe(2);
  });
});

describe('what a link carries', () => {
  const push = 'rtmp://10.0.0.2:1935/live/1_user_ab12_c3?txSecret=0123&txTime=65A4D380';
  const play = 'rtmp://10.0.0.2/live/1_user_ff_00?bizid=1&txSecret=ab&txTime=65A4D380';

  test('comes back as it was', () => {
    expect(readWatch(writeWatch({ src: play }))).toEqual({ src: play });
    expect(readCall(writeCall({ push, play }))).toEqual({ push, play });
    const whole = { push, play, other: { push: play, play: push } };
    expect(readCall(writeCall(whole))).toEqual(whole);
    const odd = 'https://例子.example/live/课堂 1+1.flv?a=1&b=%26%3A#x';
    expect(readWatch(writeWatch({ src: odd }))).toEqual({ src: odd });
  });

  test('is taken from nobody who means something else', () => {
    for (const src of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'rtmp://', '//host/x', 'x', '', `rtmp://h/${'a'.repeat(1000)}`]) {
      expect(readWatch(`#${new URLSearchParams({ src })}`), src).toBeNull();
      expect(canPlay(src), src).toBe(false);
    }
    expect(readCall(writeCall({ push: 'https://host/x.flv', play })), 'nobody pushes by https').toBeNull();
    expect(readCall(`#push=${encodeURIComponent(push)}`), 'half a call').toBeNull();
    expect(readCall(''), 'nothing').toBeNull();
  });

  test('of whom somebody calls is the other half, and stands behind the #', () => {
    const urls = (name: string) => ({ url_push: `rtmp://h/live/${name}?p`, url_play_rtmp: `rtmp://h/live/${name}`, url_play_flv: `http://h/live/${name}.flv`, url_play_acc: `rtmp://h/live/${name}?acc` });
    const call = callOf(urls('mine'), urls('theirs'));
    expect(call.push).toContain('mine?p');
    expect(call.play).toContain('theirs?acc');
    const link = new URL(inviteOf(call, 'https://10.0.0.2:8443/demo/')!);
    expect(link.origin + link.pathname).toBe('https://10.0.0.2:8443/demo/call');
    expect(link.search).toBe('');
    expect(readCall(link.hash)).toEqual({ push: 'rtmp://h/live/theirs?p', play: 'rtmp://h/live/mine?acc' });
    expect(inviteOf(readCall(link.hash)!, 'https://h/'), 'who was called invites nobody').toBeNull();
  });

  test('says when it ends, in both ways of writing it', () => {
    expect(endOf(push)).toBe(0x65a4d380 * 1000);
    expect(endOf('rtmp://h/a/s?txTime=1705300864&x=1')).toBe(1_705_300_864_000);
    expect(endOf('rtmp://h/a/s')).toBeNull();
  });
});

describe('phases', () => {
  const after = (codes: number[], of: typeof playerPhase) => codes.reduce<Phase>((phase, code) => of(phase, code), 'idle');

  test('of a player', () => {
    expect(after([2001, 2002, 2003], playerPhase), 'nothing is on the screen yet').toBe('connecting');
    expect(after([2001, 2003, 2004, 2009], playerPhase)).toBe('on');
    expect(after([2001, 2004, 2007], playerPhase)).toBe('loading');
    expect(after([2004, 2103, 2001], playerPhase)).toBe('connecting');
    expect(after([2004, 2103, 2103, -2301], playerPhase)).toBe('failed');
    expect(after([2004, -2302], playerPhase), 'it goes on without acceleration').toBe('on');
    expect(after([2004, 2006], playerPhase)).toBe('ended');
  });

  test('of a pusher', () => {
    expect(after([1005, 1003, 1007, 1008, 1001], pusherPhase)).toBe('connecting');
    expect(after([1001, 1002, 1101], pusherPhase)).toBe('on');
    expect(after([1001, 1002, 1102], pusherPhase)).toBe('reconnecting');
    expect(after([1002, 1102, 3004, -1307], pusherPhase)).toBe('failed');
  });

  test('of a call', () => {
    expect(talkOf('connecting', 'connecting', false, false)).toBe('connecting');
    expect(talkOf('on', 'failed', false, true)).toBe('waiting');
    expect(talkOf('on', 'on', true, false)).toBe('talking');
    expect(talkOf('on', 'loading', true, false), 'a network that hesitates').toBe('talking');
    expect(talkOf('on', 'loading', true, true), 'nobody there any more').toBe('gone');
    expect(talkOf('on', 'reconnecting', true, false)).toBe('gone');
    expect(talkOf('failed', 'on', true, false)).toBe('failed');
    expect([isOver('failed'), isOver('ended'), isOver('reconnecting')]).toEqual([true, true, false]);
  });

  test('why there is no low delay', () => {
    const lacks = {
      'viewer-limit': 'seats', limit: 'seats',
      'auth-bad': 'signature', 'auth-expired': 'signature', auth: 'signature', 'wrong-action': 'signature', revoked: 'signature',
      'not-allowed': 'notAllowed', 'not-supported': 'unsupported', codec: 'codec', 'too-slow': 'slow', 'broken-off': 'broken', 'udp-blocked': 'blocked',
      refused: 'refused', 'server-full': 'refused',
    };
    for (const [reason, lack] of Object.entries(lacks)) expect(lackOf(reason), reason).toBe(lack);
    expect(lackOf(undefined)).toBe('blocked');
  });

  test('every reason that the elements\' document has is told apart', () => {
    const text = readFileSync('../../docs/ref/elements.md', 'utf8');
    const table = text.slice(text.indexOf('with -2302 and one of these as `reason`'));
    const documented = table.slice(0, table.indexOf('###')).split('\n').flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, word]) => word!));
    expect(documented.length).toBeGreaterThan(8);
    for (const reason of documented) if (!['reason', 'refused'].includes(reason)) expect(lackOf(reason), reason).not.toBe('refused');
  });

  test('reasons are found in what a server says', () => {
    expect(reasonIn('4429 viewer-limit: ten watch already')).toBe('viewer-limit');
    expect(reasonIn('auth-expired: right, but over')).toBe('auth-expired');
    expect(reasonIn('no handshake')).toBeNull();
  });
});

describe('the demo\'s two dictionaries', () => {
  function leaves(of: object, path = ''): [string, unknown][] {
    return Object.entries(of).flatMap(([key, value]) => (typeof value === 'object' && value !== null ? leaves(value, `${path}${key}.`) : [[path + key, value] as [string, unknown]]));
  }
  const en = new Map(leaves(dictionaries.en));
  const zh = new Map(leaves(dictionaries.zh));

  test('have the same keys, and no empty text', () => {
    expect([...zh.keys()].sort()).toEqual([...en.keys()].sort());
    for (const [key, value] of [...en, ...zh]) expect(value, key).not.toBe('');
  });

  test('are each in their language', () => {
    const names = new Set(['otherLanguage', 'common.none', 'common.milliseconds', 'home.entries.rtc.fact', 'push.obs', 'push.flv', 'push.rtmp']);
    const isChinese = (value: unknown) => /[\u4e00-\u9fff]/.test(typeof value === 'function' ? String(value(1, 1)) : String(value));
    for (const [key, value] of en) if (!names.has(key)) expect(isChinese(value), key).toBe(false);
    for (const [key, value] of zh) if (!names.has(key)) expect(isChinese(value), key).toBe(true);
  });

  test('have a word for every code that an element may say', () => {
    const player = [2001, 2002, 2003, 2004, 2005, 2006, 2007, 2008, 2009, 2012, 2030, 2032, 2101, 2102, 2103, 2104, 2105, 2106, 2107, 2108, 3001, 3002, 3003, 3004, 3005, -2301, -2302, -2303, -2304, -2305, -2306];
    const pusher = [0, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1101, 1102, 1103, 1104, 1107, 3001, 3002, 3003, 3004, 3005, 5000, 5001, -1301, -1302, -1303, -1304, -1305, -1306, -1307, -1308, -1309, -1310, -1311, -1312, 10001, 10002, 10003, 10004];
    for (const words of Object.values(dictionaries)) {
      for (const code of player) expect(codeWords('player', code, words), String(code)).not.toBe(String(code));
      for (const code of pusher) expect(codeWords('pusher', code, words), String(code)).not.toBe(String(code));
    }
    expect(codeWords('player', 4711)).toBe('4711');
  });

  test('grave codes look grave', () => {
    expect([2004, 2001, 2105, -2301, 10001].map(gravity)).toEqual(['good', 'plain', 'warn', 'bad', 'bad']);
  });
});
