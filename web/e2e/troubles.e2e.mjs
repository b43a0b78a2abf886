/**
 * `<live-player>` and what networks, servers and publishers do to it: each has its documented codes, and each recovers
 * or stops.
 *
 *   node e2e/troubles.e2e.mjs [WORD]     only what has WORD in its name
 */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runChecks } from './checks.mjs';
import { makeFlv, pushFlv } from './ffmpeg.mjs';
import { SHOTS, sleep, startDemo, until } from './lib.mjs';

const CHECKS = {
  'the server goes and stays away': serverGone,
  'UDP does not get through': udpBlocked,
  'the signature is over': signatureOver,
  'a stream ends': streamEnds,
  'the publisher comes back with another size and sound': publisherReturns,
  'no browser decodes the pictures': unknownPictures,
  'no browser decodes the sound': unknownSound,
};
await runChecks('troubles', CHECKS, process.argv[2]);
console.log('the elements do what is documented');

/** Both modes try again three times, 3 s apart, and stop. */
async function serverGone(page) {
  const own = await startDemo();
  const url = await own.clockRtc();
  await page.mount('live', { src: url, autoplay: '', muted: '', 'http-origin': own.origin });
  await page.mount('rtc', { src: url, mode: 'RTC', autoplay: '', muted: '', 'http-origin': own.origin });
  await page.hears('live', [2004]);
  await page.hears('rtc', [2004]);
  await own.kill();
  await Promise.all(['live', 'rtc'].map((name) => page.hears(name, [2103, -2301], { within: 40_000 })));
  for (const name of ['live', 'rtc']) {
    const codes = await page.codes(name);
    assert.equal(codes.filter((code) => code === 2103).length, 3, `${name}: ${codes}`);
    assert.equal(codes.at(-1), -2301);
    assert.equal(await page.evaluate((it) => lab.element(it).playing, name), false);
  }
  await page.screenshot({ path: join(SHOTS, 'elements-gone.png') });
  await own.stop();
}

/** The server names a port at which nobody listens: said once, and then the stream comes by FLV. */
async function udpBlocked(page, { folder, timings }) {
  const config = join(folder, 'blocked.toml');
  await writeFile(config, '[udp]\npublic_port = 9\n');
  const own = await startDemo('--config', config, '--data-dir', join(folder, 'blocked'));
  const began = Date.now();
  await page.mount('it', {
    src: await own.clockRtc(),
    mode: 'RTC',
    autoplay: '',
    muted: '',
    'http-origin': own.origin,
  });
  await page.hears('it', [-2302, 2004]);
  timings['until there is a picture without UDP'] = Date.now() - began;
  const codes = await page.codes('it');
  assert.equal(codes.filter((code) => code === -2302).length, 1, `${codes}`);
  await until(async () => (await page.info('it'))?.transport === 'flv', 5000, 'FLV');
  await page.moves('it');
  await own.stop();
}

/** RTC mode says why and falls back. */
async function signatureOver(page, { server }) {
  const { play } = await server.sign('clock', '--expires', '1s');
  await sleep(2000);
  await page.mount('it', { src: play.rtc, mode: 'RTC', autoplay: '', muted: '', 'http-origin': server.origin });
  await page.hears('it', [-2302]);
  const said = (await page.events('it')).find(({ detail }) => detail.code === -2302).detail;
  assert.equal(said.reason, 'auth-expired');
  // Live mode of the clock asks for no signature.
  await page.hears('it', [-2302, 2004]);
  assert.equal((await page.codes('it')).filter((code) => code === -2302).length, 1);
}

/** RTC mode hears 2006. An end over HTTP-FLV looks like a lost connection: it is -2301 after three attempts. */
async function streamEnds(page, { folder }) {
  const config = join(folder, 'ends.toml');
  await writeFile(config, '[publish]\nrepublish_wait_s = 1\n[play]\nwait_s = 1\n');
  const own = await startDemo('--config', config, '--data-dir', join(folder, 'ends'));
  const file = await makeFlv(join(folder, 'short.flv'), { seconds: 6, size: '320x180' });
  const urls = await own.newUrls();
  const push = pushFlv(file, urls.url_push);
  await page.mount('rtc', {
    src: urls.url_play_acc,
    mode: 'RTC',
    autoplay: '',
    muted: '',
    'http-origin': own.origin,
  });
  await page.mount('live', { src: urls.url_play_flv, autoplay: '', muted: '', 'http-origin': own.origin });
  await page.hears('rtc', [2004]);
  await page.hears('live', [2004]);
  await push.ended;
  await page.hears('rtc', [2006]);
  await page.hears('live', [-2301], { within: 40_000 });
  assert.ok(!(await page.codes('live')).includes(2006), 'never over HTTP-FLV');
  await own.stop();
}

/** What comes after a publisher's break is another stream by size, profile and sound, and is seen all the same. */
async function publisherReturns(page, { server, folder }) {
  const first = await makeFlv(join(folder, 'first.flv'), { seconds: 12, size: '320x180' });
  const second = await makeFlv(join(folder, 'second.flv'), {
    seconds: 30,
    size: '480x270',
    profile: 'high',
    rate: 48_000,
  });
  const urls = await server.newUrls();
  const push = pushFlv(first, urls.url_push);
  await page.mount('rtc', {
    src: urls.url_play_acc,
    mode: 'RTC',
    autoplay: '',
    muted: '',
    'http-origin': server.origin,
  });
  await page.mount('live', { src: urls.url_play_flv, autoplay: '', muted: '', 'http-origin': server.origin });
  await page.hears('rtc', [2004]);
  await page.hears('live', [2004]);
  const marks = { rtc: await page.count('rtc'), live: await page.count('live') };
  await push.stop();
  const again = pushFlv(second, urls.url_push);
  for (const name of ['rtc', 'live']) {
    await page.hears(name, [2009], { from: marks[name], within: 25_000 });
    await until(async () => (await page.info(name)).videoWidth === 480, 10_000, `${name} has the other size`);
    await page.moves(name);
    const sizes = (await page.events(name)).filter(({ detail }) => detail.code === 2009).map(({ detail }) => detail);
    const { width, height } = sizes.at(-1);
    assert.deepEqual([width, height], [480, 270]);
    assert.ok(!(await page.codes(name)).includes(-2301), `${name} went on`);
  }
  await again.stop();
}

/** RTC mode says so and leaves it to live mode, which says so too and stops. */
async function unknownPictures(page, { server, folder }) {
  const file = await makeFlv(join(folder, 'old.flv'), { seconds: 20, size: '320x180', video: ['-c:v', 'flv1'] });
  const urls = await server.newUrls();
  const push = pushFlv(file, urls.url_push);
  await page.mount('it', {
    src: urls.url_play_acc,
    mode: 'RTC',
    autoplay: '',
    muted: '',
    'http-origin': server.origin,
  });
  await page.hears('it', [-2302, -2304]);
  const said = (await page.events('it')).find(({ detail }) => detail.code === -2302).detail;
  assert.equal(said.reason, 'codec');
  assert.equal(await page.evaluate((it) => lab.element(it).playing, 'it'), false);
  await push.stop();
}

/** Both modes say so once, and go on without. */
async function unknownSound(page, { server, folder }) {
  const sound = ['-c:a', 'adpcm_swf'];
  const file = await makeFlv(join(folder, 'old-sound.flv'), { seconds: 20, size: '320x180', sound });
  const urls = await server.newUrls();
  const push = pushFlv(file, urls.url_push);
  await page.mount('rtc', {
    src: urls.url_play_acc,
    mode: 'RTC',
    autoplay: '',
    muted: '',
    'http-origin': server.origin,
  });
  await page.mount('live', { src: urls.url_play_flv, autoplay: '', muted: '', 'http-origin': server.origin });
  for (const name of ['rtc', 'live']) {
    await page.hears(name, [2102, 2004]);
    await page.moves(name);
    const codes = await page.codes(name);
    assert.equal(codes.filter((code) => code === 2102).length, 1, `${name}: ${codes}`);
    assert.ok(!codes.includes(-2302), `${name}: ${codes}`);
  }
  await push.stop();
}
