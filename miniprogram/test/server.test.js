/** New, and the clock, against the real program; and what a server may answer otherwise. */

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { after, afterEach, before, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { HOST } = require('../src/config.js');
const { playProblem, pushProblem } = require('../src/utils/urls.js');
const { closePages, newPhone, openPage, settle } = require('./phone.js');
const { startDemo } = require('./server.js');

let demo;
before(async () => {
  demo = await startDemo();
});
afterEach(closePages);
after(() => demo?.stop());

/** Waits for what comes over a real network. */
async function until(what) {
  for (const deadline = Date.now() + 20_000; !what(); await sleep(20)) {
    if (Date.now() > deadline) throw new Error(`never came: ${what}`);
  }
  await settle();
}

async function configPage(language = 'en') {
  const phone = newPhone();
  phone.answers.language = language;
  phone.answers.request = demo.ask;
  return { phone, page: await openPage('push-config') };
}

test('New brings a push URL and its play URLs, and what is pushed there can be watched', async () => {
  const { phone, page } = await configPage();
  await page.tap('.new');
  await until(() => !page.data.asking);
  assert.equal(phone.last('request'), `${HOST}/weapp/utils/get_test_pushurl`);
  assert.equal(page.data.notice, '');
  const { url, plays } = page.data;
  assert.equal(pushProblem(url), '');
  assert.deepEqual(
    plays.map(({ name }) => name),
    ['flv', 'rtmp', 'acc'],
  );
  const [flv, rtmp, acc] = plays.map((play) => play.url);
  for (const play of [flv, rtmp]) assert.equal(playProblem(play, 'live'), '');
  assert.equal(playProblem(acc, 'RTC'), '');
  assert.equal(playProblem(rtmp, 'RTC'), 'unsigned');
  for (const [i, play] of [flv, rtmp, acc].entries()) {
    assert.ok(page.text().includes(play));
    await page.tap('.copy', i);
    assert.equal(phone.last('copy'), play);
  }
  await page.tap('.start');
  const handed = phone.last('navigateTo').match(/url=([^&]*)/)[1];
  assert.equal(decodeURIComponent(handed), url);

  const pusher = spawn(demo.program, ['push', url, 'clock'], { stdio: 'ignore' });
  try {
    const watched = await fetch(flv, { signal: AbortSignal.timeout(20_000) });
    assert.equal(watched.status, 200);
    const { value } = await watched.body.getReader().read();
    assert.equal(Buffer.from(value.subarray(0, 3)).toString(), 'FLV');
  } finally {
    pusher.kill('SIGKILL');
  }
  page.close();
});

test('the low-latency page plays the URL that the server has for the clock', async () => {
  const phone = newPhone();
  phone.answers.request = demo.ask;
  const page = await openPage('low-latency');
  await until(() => !page.data.asking);
  assert.equal(phone.last('request'), `${HOST}/weapp/utils/get_test_rtmpaccurl`);
  const { src, mode } = page.attributes('live-player');
  assert.equal(mode, 'RTC');
  assert.match(src, /^rtmp:\/\/[^/]+\/live\/\w*clock\?.*txSecret=/);
  assert.equal(phone.count('player.play'), 1);
  page.close();
});

test('a call takes its URL from the server and offers it to the other', async () => {
  const phone = newPhone();
  phone.answers.request = demo.ask;
  const page = await openPage('call');
  await page.tap('.start');
  await until(() => phone.count('pusher.start') === 1);
  await page.says('pusher', 1002);
  assert.ok(page.has('.qr'));
  assert.equal(playProblem(page.data.acc, 'RTC'), '');
  page.close();
});

test('who presses New too often is refused in the server’s words, with the time to wait, and keeps the URL', async () => {
  const { page } = await configPage('zh_CN');
  let url = '';
  for (let i = 0; i < 10 && !page.data.notice; i++) {
    url = page.data.url;
    await page.tap('.new');
    await until(() => !page.data.asking);
  }
  assert.match(
    page.data.notice,
    /^服务器让您稍等。\n服务器原话：5 URLs a minute: the next one in \d+ s\n\d+ 秒后可以再取$/,
  );
  assert.ok(page.text().includes('URLs a minute'));
  assert.equal(page.data.url, url);
  await page.tap('.new');
  await until(() => !page.data.asking);
  assert.match(page.data.notice, /URLs a minute/, 'it may be asked again, and is refused again');
  page.close();
});

test('what else a server or a phone may say to New', async () => {
  const fine = { url_push: 'rtmp://h/live/a?txSecret=a&txTime=b' };
  for (const [answer, notice] of [
    [{ statusCode: 404, data: '' }, /has to run as thalweg demo/],
    [{ statusCode: 503, data: { message: 'stopping' } }, /^The server refuses\.\nThe server says: stopping$/],
    [{ statusCode: 500, data: '<html>' }, /HTTP 500/],
    [{ statusCode: 429, data: { message: 'slowly' }, header: { 'Retry-After': '7' } }, /slowly\nagain in 7 s$/],
    [{ statusCode: 429, data: null, header: { 'retry-after': 'soon' } }, /^The server asks you to wait\.$/],
    [{ statusCode: 200, data: '<html>a captive portal</html>' }, /no URL in what the server answers/],
    [{ statusCode: 200, data: { url_push: 7 } }, /no URL in what the server answers/],
    [{ statusCode: 200, data: { url_push: 'javascript' } }, /no URL in what the server answers/],
    [new Error('request:fail timeout'), /^No connection to the server\..*\nrequest:fail timeout$/],
    [new Error('request:fail url not in domain list'), /list of request domains/],
    [{ statusCode: 200, data: { ...fine, url_play_flv: null, url_play_hls: 'http://h/a.m3u8' } }, /^$/],
  ]) {
    const phone = newPhone();
    phone.answers.request = async () => {
      if (answer instanceof Error) throw answer;
      return { header: {}, ...answer };
    };
    const page = await openPage('push-config');
    await page.tap('.new');
    assert.match(page.data.notice, notice);
    assert.equal(page.data.asking, false);
    page.close();
    if (page.data.notice) assert.equal(page.data.url, '');
    else
      assert.deepEqual(
        page.data.plays.map(({ name }) => name),
        ['hls'],
      );
  }
});
