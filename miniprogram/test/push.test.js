/** Home, the settings of a push, and a push. */

const assert = require('node:assert/strict');
const { afterEach, mock, test } = require('node:test');
const { closePages, newPhone, openPage, settle } = require('./phone.js');

afterEach(closePages);

const URL_PUSH = 'rtmp://192.168.1.7/live/1_user_a?bizid=1&txSecret=0f&txTime=65A4D380';
const opened = (query = {}) => openPage('push', { url: encodeURIComponent(URL_PUSH), mode: 'FHD', ...query });

test('home has the four entries, and each opens its page', async () => {
  const phone = newPhone();
  phone.answers.language = 'zh_CN';
  const page = await openPage('index');
  for (const entry of ['RTMP 推流', '直播播放器', '低延时播放', '双人通话'])
    assert.ok(page.text().includes(entry), entry);
  for (const [i, name] of ['push-config', 'play', 'low-latency', 'call'].entries()) {
    await page.tap('.entry', i);
    assert.equal(phone.last('navigateTo'), `/pages/${name}/${name}`);
  }
  page.close();
});

test('home warns where the tags are not there, and opens nothing', async () => {
  const phone = newPhone();
  delete wx.createLivePlayerContext;
  const page = await openPage('index');
  assert.match(page.text(), /There is no wx\.createLivePlayerContext/);
  await page.tap('.entry');
  assert.equal(phone.count('navigateTo'), 0);
  page.close();
});

test('the phone decides the language; a base library without getAppBaseInfo does too', async () => {
  for (const [language, title] of [
    ['zh_CN', '推流'],
    ['zh_TW', '推流'],
    ['en', 'Push'],
    ['fr', 'Push'],
  ]) {
    const phone = newPhone();
    delete wx.getAppBaseInfo;
    wx.getSystemInfoSync = () => ({ language });
    const page = await opened();
    assert.equal(phone.last('title'), title);
    page.close();
  }
});

test('Start hands URL, mode, orientation and sound alone to the push, once in a second', async () => {
  mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 });
  const phone = newPhone();
  const page = await openPage('push-config');
  await page.input('.url', ` ${URL_PUSH}\n`);
  await page.tap('.option', 2);
  await page.tap('.landscape');
  await page.change('.audio-only', true);
  await page.tap('.start');
  mock.timers.tick(999);
  await page.tap('.start');
  assert.equal(phone.count('navigateTo'), 1);
  mock.timers.tick(1);
  await page.tap('.start');
  assert.equal(phone.count('navigateTo'), 2);
  mock.timers.reset();
  page.close();

  const query = Object.fromEntries(
    phone
      .last('navigateTo')
      .split('?')[1]
      .split('&')
      .map((pair) => pair.split('=')),
  );
  const push = await openPage('push', query);
  const { url, mode, orientation, enableCamera, minBitrate, maxBitrate } = push.attributes('live-pusher');
  assert.deepEqual([url, mode, orientation, enableCamera], [URL_PUSH, 'FHD', 'horizontal', false]);
  assert.deepEqual([minBitrate, maxBitrate], [600, 1800]);
  assert.equal(phone.last('authorize'), 'scope.record');
  push.close();
});

test('Start says what is wrong with a URL, and starts nothing', async () => {
  const phone = newPhone();
  const page = await openPage('push-config');
  for (const [url, words] of [
    ['', 'There is no URL yet'],
    ['http://h/live/a', 'has to begin with rtmp://'],
    ['rtmp://h', 'Something is missing'],
    ['rtmp://h/live/a b', 'a space or a line break'],
  ]) {
    await page.input('.url', url);
    await page.tap('.start');
    assert.ok(page.text().includes(words), page.text());
  }
  assert.equal(phone.count('navigateTo'), 0);
  page.close();
});

test('a scanned URL takes the place of the old one; who scans nothing changes nothing', async () => {
  const phone = newPhone();
  const page = await openPage('push-config');
  phone.answers.scanned = ` ${URL_PUSH} `;
  await page.tap('.scan');
  assert.equal(page.data.url, URL_PUSH);
  phone.answers.scanned = new Error('scanCode:fail cancel');
  await page.tap('.scan');
  assert.deepEqual([page.data.url, page.data.notice], [URL_PUSH, '']);
  phone.answers.scanned = new Error('scanCode:fail auth deny');
  await page.tap('.scan');
  assert.match(page.data.notice, /Scanning takes the camera/);
  phone.answers.scanned = new Error('scanCode:fail');
  await page.tap('.scan');
  assert.match(page.data.notice, /Nothing was scanned/);
  page.close();
});

test('a copy that fails is told', async () => {
  const phone = newPhone();
  const page = await openPage('push-config');
  await page.input('.url', URL_PUSH);
  await page.tap('.copy-push');
  assert.deepEqual([phone.last('copy'), phone.count('toast')], [URL_PUSH, 0]);
  phone.answers.clipboardFails = true;
  await page.tap('.copy-push');
  assert.equal(phone.last('toast'), 'It was not copied');
  page.close();
});

test('a push asks for camera and microphone, then starts, and its codes become words', async () => {
  const phone = newPhone();
  const page = await opened();
  assert.deepEqual(
    phone.calls.filter(([name]) => name === 'authorize').map(([, scope]) => scope),
    ['scope.camera', 'scope.record'],
  );
  assert.equal(phone.count('pusher.start'), 1);
  assert.equal(page.data.pushSays.text, 'connecting');
  await page.says('pusher', 1005, 1003, 1007, 1008, 1001, 1002);
  assert.deepEqual([page.data.pushSays.text, page.data.pushSays.tone], ['pushing', 'good']);
  await page.says('pusher', 3002, 1102);
  assert.equal(page.data.pushSays.text, 'reconnecting · try 1');
  assert.equal(
    page.data.pushSays.why,
    'the connection is lost, trying again (1102)\nno connection to the server (3002)',
  );
  await page.says('pusher', 1002);
  assert.equal(page.data.pushSays.why, '');
  page.close();
});

test('after -1307 the push is stopped and told, and Try again starts it with the same URL', async () => {
  const phone = newPhone();
  const page = await opened();
  await page.says('pusher', 1002, 3004, 1102, 1102, 1102, -1307);
  assert.equal(phone.count('pusher.stop'), 1);
  assert.match(phone.last('toast'), /^Push stopped: .*\(-1307\)\n.*in use \(3004\)/);
  assert.equal(phone.last('keepScreenOn'), false);
  assert.match(page.text(), /Try again/);
  await page.says('pusher', 1102, -1307);
  assert.equal(phone.count('pusher.stop'), 1, 'what comes after the end is nothing new');
  await page.tap('.toggle');
  assert.equal(phone.count('pusher.start'), 2);
  await page.says('pusher', 1001, 1002);
  assert.equal(page.data.pushSays.text, 'pushing');
  assert.equal(page.attributes('live-pusher').url, URL_PUSH);
  page.close();
});

test('the buttons of a push: camera, beauty, mute, log, stop', async () => {
  const phone = newPhone();
  const page = await opened();
  await page.says('pusher', 1002);
  await page.tap('.camera');
  assert.equal(phone.count('pusher.switchCamera'), 1);
  const tag = () => page.attributes('live-pusher');
  assert.deepEqual([tag().beauty, tag().whiteness, tag().muted, tag().debug], [0, 0, false, false]);
  for (const button of ['.beauty', '.mute', '.debug']) await page.tap(button);
  assert.deepEqual([tag().beauty, tag().whiteness, tag().muted, tag().debug], [6.3, 3, true, true]);
  assert.match(page.text(), /1002 {2}the server takes the stream/);
  for (const button of ['.beauty', '.mute', '.debug']) await page.tap(button);
  assert.deepEqual([tag().beauty, tag().whiteness, tag().muted, tag().debug], [0, 0, false, false]);
  await page.tap('.toggle');
  assert.deepEqual([phone.count('pusher.stop'), page.data.pushSays.text], [1, 'not started']);
  page.close();
  assert.equal(phone.count('pusher.stop'), 1, 'it is stopped once');
});

test('figures of the network are shown, and a slow network until it is better', async () => {
  newPhone();
  const page = await opened();
  const info = {
    videoWidth: 720,
    videoHeight: 1280,
    videoFPS: 15,
    videoBitrate: 900,
    audioBitrate: 48,
    videoCache: 7,
    audioCache: 1,
  };
  await page.says('pusher', 1002, 1101);
  await page.figures('pusher', { ...info, netQualityLevel: 5 });
  assert.match(page.text(), /720×1280 {2}15 fps {2}948 kbps {2}8 frames wait/);
  assert.match(page.data.pushSays.why, /1101/);
  await page.figures('pusher', { ...info, netQualityLevel: 2 });
  assert.equal(page.data.pushSays.why, '');
  page.close();
});

test('a permission that was denied: nothing starts, settings are offered, and coming back starts', async () => {
  for (const [scope, errMsg, words, settings] of [
    ['scope.camera', 'authorize:fail auth deny', 'switch them on in its settings', true],
    ['scope.record', 'authorize:fail:auth deny', 'switch them on in its settings', true],
    ['scope.camera', 'authorize:fail system permission denied', "in the phone's settings", false],
    ['scope.record', 'authorize:fail api scope is not declared in the privacy agreement', 'privacy guide', false],
  ]) {
    const phone = newPhone();
    phone.answers.refused[scope] = errMsg;
    const page = await opened();
    assert.equal(phone.count('pusher.start'), 0);
    assert.ok(page.text().includes(words), page.text());
    assert.equal(page.text().includes('Settings'), settings);
    phone.answers.refused = {};
    if (settings) await page.fire('.small', 'opensetting', { authSetting: { [scope]: true } });
    else await page.tap('.toggle');
    assert.equal(phone.count('pusher.start'), 1);
    assert.equal(page.data.pushNotice, '');
    page.close();
  }
});

test('the tag itself hears that the camera is denied: stop, and the way to the settings', async () => {
  const phone = newPhone();
  const page = await opened();
  await page.fire('.tag-pusher', 'error', { errCode: 10001, errMsg: '' });
  assert.equal(phone.count('pusher.stop'), 1);
  assert.match(phone.last('toast'), /camera is not allowed \(10001\)/);
  assert.ok(page.has('.small'));
  page.close();
});

test('nobody is filmed by a page that is not seen: away it stops, back it starts, gone it stays stopped', async () => {
  const phone = newPhone();
  const page = await opened();
  await page.says('pusher', 1002);
  await page.hide();
  assert.equal(phone.count('pusher.stop'), 1);
  await page.show();
  assert.deepEqual([phone.count('pusher.start'), page.data.pushSays.text], [2, 'connecting']);
  await page.tap('.toggle');
  await page.hide();
  await page.show();
  assert.equal(phone.count('pusher.start'), 2, 'what the user stopped stays stopped');
  await page.tap('.toggle');
  page.close();
  assert.deepEqual([phone.count('pusher.start'), phone.count('pusher.stop')], [3, 3]);
});

test('a page that is left while it asks for permission starts nothing', async () => {
  const phone = newPhone();
  const asked = [];
  wx.authorize = ({ success }) => asked.push(success);
  const push = await opened();
  push.close();
  while (asked.length) {
    asked.shift()();
    await settle();
  }
  assert.equal(phone.count('pusher.start'), 0);
});
