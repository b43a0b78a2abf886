/** The two players. */

const assert = require('node:assert/strict');
const { afterEach, test } = require('node:test');
const { closePages, newPhone, openPage } = require('./phone.js');

afterEach(closePages);

const FLV = 'http://192.168.1.7:8080/live/clock.flv';
const ACC = 'rtmp://192.168.1.7/live/clock?bizid=1&txSecret=0f&txTime=65A4D380';
const tag = (page) => page.attributes('live-player');
const cache = (page) => [tag(page).minCache, tag(page).maxCache];

async function playing() {
  const page = await openPage('play');
  await page.input('.url', FLV);
  await page.tap('.toggle');
  await page.says('player', 2001, 2003, 2004);
  return page;
}

test('a play in live mode, cache 1 and 3; the wheel turns until 2004, and is no curtain at 2007', async () => {
  const phone = newPhone();
  const page = await openPage('play', { url: encodeURIComponent(FLV) });
  assert.deepEqual([tag(page).mode, ...cache(page)], ['live', 1, 3]);
  assert.equal(page.has('.wheel'), false);
  await page.tap('.toggle');
  assert.deepEqual([tag(page).src, phone.count('player.play'), page.has('.wheel')], [FLV, 1, true]);
  await page.says('player', 2001, 2007, 2003);
  assert.ok(page.has('.wheel'));
  await page.says('player', 2004);
  assert.deepEqual([page.has('.wheel'), page.data.playSays.text], [false, 'playing']);
  await page.says('player', 2007);
  assert.deepEqual([page.has('.wheel'), page.attributes('live-player') !== null], [true, true]);
  await page.tap('.toggle');
  assert.deepEqual([phone.count('player.stop'), page.has('.wheel')], [1, false]);
  page.close();
});

test('after -2301 the play is stopped and told, and Try again plays', async () => {
  const phone = newPhone();
  const page = await playing();
  await page.says('player', 2103, 2103, 2103, -2301);
  assert.equal(phone.count('player.stop'), 1);
  assert.match(phone.last('toast'), /^Play stopped: .*\(-2301\)/);
  assert.equal(phone.last('keepScreenOn'), false);
  assert.match(page.text(), /Try again/);
  await page.tap('.toggle');
  await page.says('player', 2001, 2004);
  assert.deepEqual([phone.count('player.play'), page.data.playSays.text], [2, 'playing']);
  page.close();
});

test('a stream that ends is told as an end, not as a failure', async () => {
  const phone = newPhone();
  const page = await playing();
  await page.says('player', 2006);
  assert.deepEqual([phone.last('toast'), phone.count('player.stop')], ['The stream has ended', 1]);
  assert.deepEqual([page.data.playSays.text, page.data.playSays.tone], ['ended', 'off']);
  page.close();
});

test('each strategy is its two attributes; what plays starts again with them', async () => {
  const phone = newPhone();
  const page = await playing();
  for (const [i, name, min, max] of [
    [0, 'auto', 1, 5],
    [1, 'speedy', 1, 1],
    [2, 'smooth', 5, 5],
  ]) {
    phone.forget();
    await page.tap('.option', i);
    assert.deepEqual([page.data.strategy, ...cache(page)], [name, min, max]);
    assert.deepEqual(
      phone.calls.map(([called]) => called).filter((called) => called.startsWith('player')),
      ['player.stop', 'player.play'],
    );
  }
  page.close();
});

test('sliders: the other one gives way, and a pair of one’s own is no strategy', async () => {
  const phone = newPhone();
  const page = await openPage('play');
  await page.change('.min', 4);
  assert.deepEqual([...cache(page), page.data.strategy], [4, 4, '']);
  await page.change('.max', 1.5);
  assert.deepEqual([...cache(page), page.data.minText], [1.5, 1.5, '1.5 s']);
  await page.change('.min', 1);
  await page.change('.max', 5);
  assert.deepEqual([...cache(page), page.data.strategy], [1, 5, 'auto']);
  assert.equal(phone.count('player.play'), 0, 'nothing played, nothing starts');
  page.close();
});

test('orientation, mute, fit and log are attributes', async () => {
  newPhone();
  const page = await playing();
  const now = () => [tag(page).orientation, tag(page).muted, tag(page).objectFit, tag(page).debug];
  const buttons = ['.turn', '.mute', '.fit', '.debug'];
  assert.deepEqual(now(), ['vertical', false, 'contain', false]);
  for (const button of buttons) await page.tap(button);
  assert.deepEqual(now(), ['horizontal', true, 'fillCrop', true]);
  assert.match(page.text(), /2004 {2}playing/);
  for (const button of buttons) await page.tap(button);
  assert.deepEqual(now(), ['vertical', false, 'contain', false]);
  page.close();
});

test('URLs that the player does not take are told, and nothing plays', async () => {
  const phone = newPhone();
  const page = await openPage('play');
  for (const [url, words] of [
    ['', 'There is no URL yet'],
    ['http://h/live/a.m3u8', 'does not play HLS'],
    ['webrtc://h/live/a', 'It plays rtmp:// URLs'],
    ['rtmp://h/live', 'Something is missing'],
  ]) {
    await page.input('.url', url);
    await page.tap('.toggle');
    assert.ok(page.text().includes(words), url);
  }
  assert.equal(phone.count('player.play'), 0);
  page.close();
});

test('a scanned URL plays at once; a scanned text that is no URL does not', async () => {
  const phone = newPhone();
  const page = await playing();
  phone.answers.scanned = 'rtmp://192.168.1.7/live/other';
  await page.tap('.scan');
  assert.deepEqual([tag(page).src, phone.count('player.play')], ['rtmp://192.168.1.7/live/other', 2]);
  phone.answers.scanned = 'WIFI:S:home;;';
  await page.tap('.scan');
  assert.equal(phone.count('player.play'), 2);
  assert.match(page.text(), /It plays rtmp:\/\/ URLs/);
  page.close();
});

test('the log is bounded, newest first', async () => {
  newPhone();
  const page = await playing();
  for (let i = 0; i < 60; i++) await page.says('player', 2104);
  await page.says('player', 2105);
  assert.equal(page.data.playLines.length, 40);
  assert.match(page.data.playLines[0].text, /2105 {2}the picture stands still/);
  page.close();
});

/** A server that gives the clock's URL. */
const clock = async () => ({ statusCode: 200, data: { url_rtmpacc: ACC }, header: {} });

test('low delay: asks for the clock’s URL and plays it in RTC mode', async () => {
  const phone = newPhone();
  phone.answers.request = clock;
  const page = await openPage('low-latency');
  assert.match(phone.last('request'), /\/weapp\/utils\/get_test_rtmpaccurl$/);
  assert.deepEqual([tag(page).src, tag(page).mode, ...cache(page)], [ACC, 'RTC', 0.2, 0.8]);
  await page.says('player', 2001, 2004);
  assert.equal(page.has('.fallback'), false);
  assert.match(page.data.here, /^[0-5]\d\.\d$/);
  page.close();
});

test('low delay: -2302 is explained while the player goes on, and live mode offered', async () => {
  const phone = newPhone();
  phone.answers.request = clock;
  const page = await openPage('low-latency');
  await page.says('player', -2302, 2002, 2004);
  assert.deepEqual([phone.count('player.stop'), phone.count('toast')], [0, 0]);
  assert.match(page.text(), /no accelerated URL \(-2302\), and goes on over TCP/);
  assert.equal(page.data.playSays.text, 'playing');
  await page.tap('.mode');
  assert.deepEqual([tag(page).mode, tag(page).src, ...cache(page)], ['live', ACC, 1, 1]);
  assert.equal(phone.count('player.play'), 2);
  await page.tap('.mode');
  assert.deepEqual([tag(page).mode, ...cache(page)], ['RTC', 0.2, 0.8]);
  page.close();
});

test('low delay: a URL without a signature is refused in RTC mode', async () => {
  const phone = newPhone();
  phone.answers.request = clock;
  const page = await openPage('low-latency');
  await page.input('.url', 'rtmp://192.168.1.7/live/clock');
  await page.tap('.toggle');
  await page.tap('.toggle');
  assert.match(page.text(), /RTC mode plays signed URLs only/);
  assert.equal(phone.count('player.play'), 1);
  page.close();
});

test('low delay: the phone’s clock runs while the page is seen', async () => {
  newPhone();
  const page = await openPage('low-latency');
  assert.notEqual(page.data.timer, 0);
  await page.hide();
  assert.equal(page.data.timer, 0);
  await page.show();
  assert.notEqual(page.data.timer, 0);
  page.close();
  assert.equal(page.data.timer, 0);
});

test('low delay: a page that was left before the clock’s URL came plays nothing, and lets the screen go dark', async () => {
  const phone = newPhone();
  let give = () => {};
  phone.answers.request = () =>
    new Promise((resolve) => {
      give = resolve;
    });
  const page = await openPage('low-latency');
  page.close();
  phone.forget();
  give(await clock());
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual([phone.count('player.play'), phone.count('keepScreenOn')], [0, 0]);
});
