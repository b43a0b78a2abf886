/** States, codes, URLs and presets: what is pure. */

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { describe, PLAY, PUSH } = require('../src/utils/codes.js');
const { once } = require('../src/utils/once.js');
const presets = require('../src/utils/presets.js');
const states = require('../src/utils/states.js');
const { LENGTH_MAX, playProblem, pushProblem } = require('../src/utils/urls.js');

const push = (...codes) => codes.reduce(states.nextPush, states.PUSH_BEGUN);
const play = (...codes) => codes.reduce(states.nextPlay, states.PLAY_BEGUN);

test('a push begins in the order that phones have', () => {
  assert.deepEqual(push(1005, 1003, 1007, 1008, 1001), states.PUSH_BEGUN);
  assert.deepEqual(push(1005, 1003, 1007, 1008, 1001, 1002), { phase: 'pushing', code: 0, cause: 0, tries: 0 });
});

test('a push that loses the server counts the tries, and forgets them when it is back', () => {
  const lost = push(1002, 3005, 1102, 3002, 1102);
  assert.deepEqual(lost, { phase: 'reconnecting', code: 1102, cause: 3002, tries: 2 });
  assert.deepEqual(states.nextPush(lost, 1002), push(1002));
});

test('a push whose tries are used up has failed, with the reason before it, and hears nothing more', () => {
  const failed = push(1001, 3004, 1102, 3004, 1102, 3004, 1102, -1307);
  assert.deepEqual(failed, { phase: 'failed', code: -1307, cause: 3004, tries: 3 });
  for (const code of [1002, 1102, 3001, 5000]) assert.equal(states.nextPush(failed, code), failed);
  assert.equal(states.nextPush(states.PUSH_IDLE, 1002), states.PUSH_IDLE);
});

test('what the user has denied ends a push and names the permission', () => {
  for (const [code, scope] of [
    [10001, 'scope.camera'],
    [-1301, 'scope.camera'],
    [10002, 'scope.record'],
    [-1302, 'scope.record'],
    [-1307, ''],
  ]) {
    assert.equal(push(1001, code).phase, 'failed');
    assert.equal(states.scopeOf(code), scope);
  }
});

test('a call interrupts a push, which is not over', () => {
  const away = push(1002, 5001);
  assert.equal(away.phase, 'suspended');
  assert.ok(states.isPushing(away));
  assert.equal(states.nextPush(away, 1002).phase, 'pushing');
});

test('a slow network is told until the tag calls it fair', () => {
  const slow = push(1002, 1101);
  assert.deepEqual([slow.phase, slow.code], ['pushing', 1101]);
  for (const level of [undefined, 0, 4, 6]) {
    assert.equal(states.afterNetStatus(slow, { netQualityLevel: level }), slow);
  }
  assert.equal(states.afterNetStatus(slow, { netQualityLevel: 3 }).code, 0);
});

test('a play loads until 2004, and again from 2007 to 2004', () => {
  for (const [codes, phase, loading] of [
    [[], 'connecting', true],
    [[2001, 2002, 2007, 2008, 2003], 'connecting', true],
    [[2001, 2004], 'playing', false],
    [[2004, 2007], 'buffering', true],
    [[2004, 2007, 2004], 'playing', false],
    [[2004, 2103], 'reconnecting', true],
    [[2004, 2006], 'ended', false],
    [[2004, 2103, 2103, 2103, -2301], 'failed', false],
  ]) {
    const state = play(...codes);
    assert.deepEqual([state.phase, states.isLoading(state)], [phase, loading], String(codes));
  }
});

test('a play counts tries and stalls, and keeps the reason', () => {
  const failed = play(2004, 2105, 2105, 3005, 2103, 3002, 2103, -2301);
  assert.deepEqual(failed, { phase: 'failed', code: -2301, cause: 3002, tries: 2, plain: false, stalls: 2 });
  assert.equal(states.nextPlay(failed, 2004), failed);
});

test('-2302 is not the end: the player goes on, and the page knows that it is not accelerated', () => {
  const state = play(2001, -2302, 2002, 2004);
  assert.deepEqual([state.phase, state.plain, state.code], ['playing', true, 0]);
  assert.equal(play(2004, -2302, 2103, 2004).plain, true);
});

test('every documented code has words in both languages, and they are not the same', () => {
  const pushes = '0 1001-1008 1018-1022 1031-1034 1101-1104 1107 3001-3005 4998 4999 5000 5001 10001-10004';
  const plays = '2001-2009 2012 2015 2030 2032 2101-2108 3001-3005';
  const all = (text) =>
    text.split(' ').flatMap((part) => {
      const [from, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
  const below = (from, to) => Array.from({ length: from - to + 1 }, (_, i) => from - i);
  assert.deepEqual(codesOf(PUSH), sorted([...all(pushes), ...below(-1301, -1312)]));
  assert.deepEqual(codesOf(PLAY), sorted([...all(plays), ...below(-2301, -2306)]));
  for (const table of [PUSH, PLAY]) {
    for (const code of codesOf(table)) {
      const [zh, en] = [describe(table, code, 'zh'), describe(table, code, 'en')];
      assert.match(zh, /\p{Script=Han}/u, String(code));
      assert.match(en, /^[\x20-\x7e]+$/, String(code));
    }
    assert.match(describe(table, 9999, 'en'), /without an explanation/);
  }
});

const sorted = (numbers) => numbers.sort((a, b) => a - b);
const codesOf = (table) => sorted(Object.keys(table).map(Number));

test('push URLs: what is wrong with each', () => {
  for (const [url, problem] of [
    ['rtmp://live.example.com/live/room?txSecret=a&txTime=b', ''],
    ['rtmp://192.168.1.7:1935/live/1_user', ''],
    ['rtmp://[::1]:1935/live/a/b/room', ''],
    ['', 'empty'],
    ['rtmp://h/live/ro om', 'blank'],
    ['rtmp://h/live/room\n', 'blank'],
    ['http://h/live/room', 'notRtmp'],
    ['RTMP://h/live/room', 'notRtmp'],
    ['rtmps://h/live/room', 'notRtmp'],
    ['webrtc://h/live/room', 'notRtmp'],
    ['h/live/room', 'notRtmp'],
    ['rtmp://', 'noStream'],
    ['rtmp:///live/room', 'noStream'],
    ['rtmp://h', 'noStream'],
    ['rtmp://h/live', 'noStream'],
    ['rtmp://h/live/', 'noStream'],
    ['rtmp://h/live/?txSecret=a', 'noStream'],
    ['rtmp://h//room', 'noStream'],
    [`rtmp://h/live/${'a'.repeat(LENGTH_MAX)}`, 'long'],
  ]) {
    assert.equal(pushProblem(url), problem, url);
  }
});

test('play URLs: what each mode takes', () => {
  const signed = 'rtmp://h/live/a?bizid=1&txSecret=a&txTime=b';
  for (const [url, live, rtc] of [
    [signed, '', ''],
    ['rtmp://h/live/a?bizid=1&txTime=b&txSerect=a', '', ''],
    ['rtmp://h/live/a?tw=1.2.udp.3&sig=x', '', ''],
    ['rtmp://h/live/a', '', 'unsigned'],
    ['rtmp://h/live/a?txSecret=a', '', 'unsigned'],
    ['rtmp://h/live/a?x=txSecret&y=txTime', '', 'unsigned'],
    ['rtmp://h/live', 'noStream', 'noStream'],
    ['http://h/live/a.flv', '', 'notRtmp'],
    ['https://h:8443/live/a.FLV?x=1', '', 'notRtmp'],
    ['https://h/live/a.m3u8?x=1', 'hls', 'notRtmp'],
    ['https://h/live/a.mp4?x=.flv', 'notPlay', 'notRtmp'],
    ['https://h.flv', 'notPlay', 'notRtmp'],
    ['ws://h/live/a.flv', 'notPlay', 'notRtmp'],
    ['javascript:alert(1)//.flv', 'notPlay', 'notRtmp'],
    ['hello', 'notPlay', 'notRtmp'],
    ['', 'empty', 'empty'],
  ]) {
    assert.equal(playProblem(url, 'live'), live, url);
    assert.equal(playProblem(url, 'RTC'), rtc, url);
  }
});

test('the three strategies are three pairs, and the default is none of them', () => {
  const pairs = Object.fromEntries(presets.STRATEGIES.map(({ name, min, max }) => [name, [min, max]]));
  assert.deepEqual(pairs, { auto: [1, 5], speedy: [1, 1], smooth: [5, 5] });
  for (const strategy of presets.STRATEGIES) assert.equal(presets.strategyOf(strategy), strategy.name);
  assert.deepEqual(presets.CACHE_DEFAULT, { min: 1, max: 3 });
  assert.equal(presets.strategyOf(presets.CACHE_DEFAULT), '');
});

test('sliders keep min-cache at 1 or more, and never above max-cache', () => {
  for (const [cache, moved, value, result] of [
    [{ min: 1, max: 3 }, 'min', 2, { min: 2, max: 3 }],
    [{ min: 1, max: 3 }, 'min', 4.5, { min: 4.5, max: 4.5 }],
    [{ min: 2, max: 3 }, 'max', 1, { min: 1, max: 1 }],
    [{ min: 1, max: 3 }, 'min', 0.2, { min: 1, max: 3 }],
    [{ min: 1, max: 3 }, 'max', 99, { min: 1, max: 10 }],
  ]) {
    assert.deepEqual(presets.moveCache(cache, moved, value), result);
  }
});

test('bitrates of the push modes are those of the recommendations', () => {
  const rates = presets.PUSH_MODES.map(({ mode, min, max }) => [mode, min, max]);
  assert.deepEqual(rates, [
    ['SD', 300, 800],
    ['HD', 600, 1200],
    ['FHD', 600, 1800],
    ['RTC', 200, 1000],
  ]);
  assert.equal(presets.pushPreset('4K').mode, 'HD');
});

test('a button that is tapped twice within a second starts one thing', () => {
  const may = once(1000);
  assert.deepEqual(
    [10_000, 10_500, 10_999, 11_000, 11_500].map((now) => may(now)),
    [true, false, false, true, false],
  );
  assert.ok(may(5000), 'the clock was set back');
});
