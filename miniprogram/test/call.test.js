/** A call between two. */

const assert = require('node:assert/strict');
const { afterEach, test } = require('node:test');
const { closePages, newPhone, openPage } = require('./phone.js');

afterEach(closePages);

const MINE = {
  url_push: 'rtmp://192.168.1.7/live/1_user_a?bizid=1&txSecret=0f&txTime=65A4D380',
  url_play_flv: 'http://192.168.1.7:8080/live/1_user_a.flv',
  url_play_rtmp: 'rtmp://192.168.1.7/live/1_user_a',
  url_play_acc: 'rtmp://192.168.1.7/live/1_user_a?bizid=1&txSecret=1e&txTime=65A4D380',
};
const THEIRS = 'rtmp://192.168.1.7/live/1_user_b?bizid=1&txSecret=2d&txTime=65A4D380';

async function called(answer = MINE) {
  const phone = newPhone();
  phone.answers.request = async () => ({ statusCode: 200, data: answer, header: {} });
  const page = await openPage('call');
  await page.tap('.start');
  return { phone, page };
}

test('both tags are in RTC mode, and the page is honest about it', async () => {
  const { phone, page } = await called();
  assert.equal(page.attributes('live-pusher').mode, 'RTC');
  assert.equal(page.attributes('live-player').mode, 'RTC');
  assert.equal(page.attributes('live-pusher').url, MINE.url_push);
  assert.equal(phone.count('pusher.start'), 1);
  assert.match(page.text(), /does not speak the vendor's own protocol/);
  page.close();
});

test('one’s own code is offered when the server has the stream, and not before', async () => {
  const { phone, page } = await called();
  await page.says('pusher', 1003, 1001);
  assert.deepEqual([page.has('.qr'), page.has('.copy'), page.has('.not-yet')], [false, false, true]);
  await page.says('pusher', 1002);
  assert.deepEqual([page.has('.qr'), page.has('.copy'), page.has('.not-yet')], [true, true, false]);
  assert.match(page.data.qr, /^data:image\/png;base64,/);
  await page.tap('.copy');
  assert.equal(phone.last('copy'), MINE.url_play_acc);
  await page.says('pusher', 1102);
  assert.ok(page.has('.qr'), 'a moment’s loss takes nothing away');
  page.close();
});

test('the other’s code is scanned with the camera to itself, and both go on', async () => {
  const { phone, page } = await called();
  await page.says('pusher', 1002);
  phone.forget();
  phone.answers.scanned = THEIRS;
  await page.tap('.theirs .scan');
  const order = phone.calls.map(([name]) => name).filter((name) => /^(pusher|player|scan)/.test(name));
  assert.deepEqual(order, ['pusher.stop', 'scan', 'pusher.start', 'player.play']);
  assert.equal(page.attributes('live-player').src, THEIRS);
  assert.equal(page.attributes('live-pusher').url, MINE.url_push, 'the other need not scan anew');
  assert.ok(page.has('.qr'));
  page.close();
});

test('the other’s URL is pasted, and watched again after it broke off', async () => {
  const { phone, page } = await called();
  phone.answers.clipboard = ` ${THEIRS}\n`;
  await page.tap('.paste');
  await page.says('player', -2302, 2004);
  assert.equal(page.data.playSays.text, 'playing');
  await page.says('player', 2103, -2301);
  assert.match(phone.last('toast'), /-2301/);
  await page.tap('.rewatch');
  assert.equal(phone.count('player.play'), 2);
  phone.answers.clipboardFails = true;
  await page.tap('.paste');
  assert.match(page.text(), /The clipboard cannot be read/);
  page.close();
});

test('one’s own code, an unsigned URL, and what is no URL are refused', async () => {
  const { phone, page } = await called();
  for (const [text, words] of [
    [MINE.url_play_acc, 'This is your own URL'],
    [MINE.url_play_rtmp, 'signed URLs only'],
    [MINE.url_play_flv, 'has to begin with rtmp://'],
    ['', 'There is no URL yet'],
  ]) {
    phone.answers.clipboard = text;
    await page.tap('.paste');
    assert.ok(page.text().includes(words), text);
  }
  assert.equal(phone.count('player.play'), 0);
  page.close();
});

test('-1307 leaves the code: the same URL is pushed again', async () => {
  const { phone, page } = await called();
  await page.says('pusher', 1002, 1102, -1307);
  assert.equal(phone.count('pusher.stop'), 1);
  await page.tap('.again');
  assert.deepEqual([phone.count('pusher.start'), phone.count('request')], [2, 1]);
  page.close();
});

test('hanging up ends both sides, and the next call takes a URL of its own', async () => {
  const { phone, page } = await called();
  phone.answers.clipboard = THEIRS;
  await page.tap('.paste');
  await page.says('pusher', 1002);
  assert.equal(phone.last('keepScreenOn'), true);
  await page.tap('.hang-up');
  assert.deepEqual([phone.count('pusher.stop'), phone.count('player.stop')], [1, 1]);
  assert.equal(phone.last('keepScreenOn'), false);
  assert.equal(page.has('.qr'), false);
  await page.tap('.start');
  assert.equal(phone.count('request'), 2);
  page.close();
});

test('the screen stays on while one of the two goes on', async () => {
  const { phone, page } = await called();
  phone.answers.clipboard = THEIRS;
  await page.tap('.paste');
  await page.tap('.unwatch');
  assert.equal(phone.last('keepScreenOn'), true);
  page.close();
  assert.equal(phone.last('keepScreenOn'), false);
});

test('a server without UDP gives no URL for RTC mode, and that is said', async () => {
  const { url_play_acc, ...rest } = MINE;
  const { page } = await called(rest);
  await page.says('pusher', 1002);
  assert.match(page.text(), /no URL for RTC mode/);
  assert.equal(page.has('.qr'), false);
  page.close();
});

test('a URL that is too long for a code can still be copied', async () => {
  const { page } = await called({ ...MINE, url_play_acc: `${MINE.url_play_acc}&x=${'y'.repeat(700)}` });
  await page.says('pusher', 1002);
  assert.deepEqual([page.has('.qr'), page.has('.copy')], [false, true]);
  assert.match(page.text(), /too long for a code/);
  page.close();
});
