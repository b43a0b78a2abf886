/**
 * `<live-player>` on a page with a strict policy, and what may befall it: attributes that mean nothing, servers that
 * go, networks without UDP, URLs that are over, streams that end, come back and change, tabs that are hidden, words
 * that are meant to be scripts. Each has its documented codes, and each recovers or stops.
 *
 *   node e2e/elements.e2e.mjs [WORD]     only what has WORD in its name
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFlv, pushFlv } from './ffmpeg.mjs';
import { LAB, openLab } from './lab.mjs';
import { openBrowser, SHOTS, startDemo, until } from './lib.mjs';

const AT_ONCE = 3;
const only = process.argv[2] ?? '';
const folder = await mkdtemp(join(tmpdir(), 'thalweg-elements-'));
const shell = await openBrowser();
const pages = await openLab();
const server = await startDemo();
const timings = {};

/** Each has a page of its own, and servers of its own where it does something to them. */
const CHECKS = {
  'plays the clock in both modes': playsTheClock,
  'bad attributes warn once and mean their defaults': badAttributes,
  'fills the screen, and is turned and cropped': fullScreen,
  'the server goes and stays away': serverGone,
  'UDP does not get through': udpBlocked,
  'the signature is over': signatureOver,
  'a stream ends': streamEnds,
  'the publisher comes back with another size and sound': publisherReturns,
  'the tab is hidden and comes back': tabHidden,
  'the element moves, and leaves': movesAndLeaves,
  'words that are meant to be scripts': hostileWords,
};

try {
  // A few at a time: most of what they do is wait.
  const waiting = Object.entries(CHECKS).filter(([name]) => name.includes(only));
  await Promise.all(Array.from({ length: AT_ONCE }, () => lane(waiting)));
  assert.deepEqual(shell.complaints.filter(isUnexpected), [], 'what the browser complained of');
} finally {
  await writeFile(join(SHOTS, 'elements.json'), JSON.stringify({ timings }, null, 2));
  await shell.close();
  await pages.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
console.log('the elements do what they say');

async function lane(waiting) {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const [name, check] = next;
    const began = performance.now();
    const page = await pages.open(shell);
    try {
      await check(page);
    } catch (error) {
      await page.screenshot({ path: join(SHOTS, 'elements-failure.png') }).catch(() => {});
      throw new Error(`${name}: ${error.message}\n${JSON.stringify(await page.evaluate(LAB.all).catch(() => null))}`, {
        cause: error,
      });
    }
    await page.close();
    timings[name] = Math.round(performance.now() - began);
    console.log(`${(timings[name] / 1000).toFixed(1).padStart(5)} s  ${name}`);
  }
}

async function playsTheClock(page) {
  const url = await server.clockRtc();
  await page.mount('live', { src: url, autoplay: '', muted: '', debug: '', 'http-origin': server.origin });
  await page.mount('rtc', { src: url, mode: 'RTC', autoplay: '', debug: '', 'http-origin': server.origin });
  for (const [name, transport] of [
    ['live', 'flv'],
    ['rtc', 'rtmp-udp'],
  ]) {
    await page.hears(name, [2001, 2003, 2004]);
    await page.moves(name);
    const info = await until(() => page.info(name), 5000, 'netstatus');
    assert.equal(info.transport, transport);
    assert.ok(info.videoWidth > 0 && info.videoHeight > 0, 'a size');
    assert.deepEqual(
      NETSTATUS.filter((key) => typeof info[key] !== 'number'),
      [],
      'keys of netstatus',
    );
  }
  const shot = await page.evaluate(async () => {
    const { tempImagePath, width, height, errMsg, blob } = await lab.element('rtc').snapshot({ quality: 'compressed' });
    return { tempImagePath, width, height, errMsg, type: blob.type };
  });
  assert.match(shot.tempImagePath, /^blob:/);
  assert.deepEqual([shot.errMsg, shot.type], ['snapshot:ok', 'image/jpeg']);
  assert.ok(shot.width >= 320 && shot.height >= 180);
  await page.screenshot({ path: join(SHOTS, 'elements-clock.png') });

  // A pause keeps the picture, and ends at the live edge.
  await page.evaluate(() => lab.element('rtc').pause());
  assert.equal(await page.evaluate(() => lab.moves('rtc')), false, 'it moves while it pauses');
  await page.evaluate(() => lab.element('rtc').resume());
  await page.moves('rtc');

  // A change of mode counts from the next play on.
  await page.evaluate(() => lab.element('live').setAttribute('mode', 'RTC'));
  assert.equal((await page.info('live')).transport, 'flv');
  const from = await page.count('live');
  await page.evaluate(() => lab.element('live').play());
  await page.hears('live', [2004], { from });
  await until(async () => (await page.info('live')).transport === 'rtmp-udp', 5000, 'the other mode');
}

async function badAttributes(page) {
  await page.mount('bad', {
    src: await server.clockRtc(),
    autoplay: 'perhaps',
    mode: 'LIVE',
    'min-cache': '-3',
    'max-cache': 'many',
    'object-fit': 'fill',
    orientation: '90',
    'sound-mode': 'ear',
    'http-origin': server.origin,
  });
  await page.evaluate(async () => {
    const element = lab.element('bad');
    await element.play();
    element.setAttribute('max-cache', 'many');
    element.setAttribute('min-cache', '-3');
  });
  await page.hears('bad', [2004]);
  assert.equal((await page.info('bad'))?.transport ?? 'flv', 'flv');
  const warned = page.warnings.map((said) => /^<live-player> ([a-z-]+)/.exec(said)?.[1]).sort();
  const expected = ['autoplay', 'max-cache', 'min-cache', 'mode', 'object-fit', 'orientation', 'sound-mode'];
  assert.deepEqual(warned, expected);

  const refused = page.evaluate(() => lab.mount('nonsense', { src: 'file:///etc/passwd', autoplay: '' }));
  await refused;
  await page.hears('nonsense', [-2301]);
  const codes = await page.codes('nonsense');
  assert.ok(!codes.includes(2103), `nothing to try again: ${codes}`);
}

async function fullScreen(page) {
  await page.mount('it', { src: await server.clockRtc(), autoplay: '', muted: '', 'http-origin': server.origin });
  await page.hears('it', [2004]);
  await page.evaluate(() => {
    lab.natives = [];
    document.addEventListener('fullscreenchange', (event) => lab.natives.push(event.detail));
    lab.element('it').addEventListener('click', () => lab.element('it').requestFullScreen({ direction: 90 }));
  });
  await page.locator('live-player').click();
  const change = () => page.events('it').then((all) => all.filter(({ type }) => type === 'fullscreenchange'));
  await until(async () => (await change()).length === 1, 5000, 'fullscreenchange');
  assert.deepEqual((await change())[0].detail, { direction: 90, fullScreen: true });
  await page.evaluate(() => lab.element('it').exitFullScreen());
  await until(async () => (await change()).length === 2, 5000, 'fullscreenchange');
  assert.deepEqual((await change())[1].detail, { direction: 90, fullScreen: false });
  assert.deepEqual(
    await page.evaluate(() => lab.natives),
    (await change()).map(({ detail }) => detail),
  );

  await page.evaluate(() => {
    const element = lab.element('it');
    element.orientation = 'horizontal';
    element.style.width = '200px';
    element.style.height = '300px';
  });
  await page.screenshot({ path: join(SHOTS, 'elements-turned.png') });
  const box = await page.evaluate(() => {
    const { width, height } = lab.element('it').shadowRoot.querySelector('video, canvas').getBoundingClientRect();
    return [Math.round(width), Math.round(height)];
  });
  assert.deepEqual(box, [200, 300], 'turned, it still fills the element');
}

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
async function udpBlocked(page) {
  const config = join(folder, 'blocked.toml');
  await writeFile(config, '[udp]\npublic_port = 9\n');
  const own = await startDemo('--config', config);
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

/** RTC mode says why and falls back; where live mode needs a signature too, that is the end. */
async function signatureOver(page) {
  const url = (await server.clockRtc()).replace(/txTime=[0-9A-F]+/i, 'txTime=5C271099');
  await page.mount('it', { src: url, mode: 'RTC', autoplay: '', muted: '', 'http-origin': server.origin });
  await page.hears('it', [-2302]);
  const said = (await page.events('it')).find(({ detail }) => detail.code === -2302).detail;
  assert.match(said.reason, /^auth-(expired|bad)$/);
  const played = await until(
    async () => (await page.codes('it')).find((code) => code === 2004 || code === -2301),
    15_000,
  );
  console.log(`        after -2302 (${said.reason}): ${played}`);
}

/** RTC mode hears 2006. An end over HTTP-FLV looks like a lost connection: it is -2301 after three attempts. */
async function streamEnds(page) {
  const file = await makeFlv(join(folder, 'short.flv'), { seconds: 4, size: '320x180' });
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
  await page.hears('rtc', [2004]);
  await page.hears('live', [2004]);
  await push.ended;
  await page.hears('rtc', [2006], { within: 30_000 });
  await page.hears('live', [-2301], { within: 40_000 });
  assert.ok(!(await page.codes('live')).includes(2006), 'never over HTTP-FLV');
}

/** What comes after a publisher's break is another stream by size, profile and sound, and is seen all the same. */
async function publisherReturns(page) {
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

/** In the background it is silent; back again it plays, and is not behind. */
async function tabHidden(page) {
  const src = await server.clockRtc();
  await page.mount('live', { src, autoplay: '', 'http-origin': server.origin });
  await page.mount('rtc', { src, mode: 'RTC', autoplay: '', 'http-origin': server.origin });
  await page.hears('live', [2004]);
  await page.hears('rtc', [2004]);
  await page.hide(true);
  const from = { live: await page.count('live'), rtc: await page.count('rtc') };
  await new Promise((resolve) => setTimeout(resolve, 4000));
  await page.hide(false);
  for (const name of ['live', 'rtc']) {
    await page.moves(name);
    assert.ok(!(await page.codes(name, from[name])).includes(-2301), `${name} went on`);
    const least = await page.count(name);
    const info = await until(async () => {
      const later = (await page.events(name, least)).filter(({ type }) => type === 'netstatus');
      return later[1]?.detail.info;
    });
    const bound = name === 'rtc' ? 1000 : 4000;
    assert.ok(info.videoCache <= bound, `${name}: ${info.videoCache} ms wait`);
  }
}

async function movesAndLeaves(page) {
  const src = await server.clockRtc();
  for (const [name, mode] of [
    ['live', 'live'],
    ['rtc', 'RTC'],
  ]) {
    await page.mount(name, { src, mode, autoplay: '', muted: '', 'http-origin': server.origin });
    await page.hears(name, [2004]);
    const from = await page.count(name);
    await page.evaluate((it) => {
      const section = document.createElement('section');
      document.querySelector('main').append(section);
      section.append(lab.element(it));
    }, name);
    await page.moves(name);
    const since = await page.codes(name, from);
    assert.ok(!since.some((code) => [2001, 2004, 2103].includes(code)), `${name} began anew: ${since}`);
    await page.evaluate((it) => lab.element(it).remove(), name);
    const left = await page.count(name);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual(await page.events(name, left), [], `${name} speaks after it has left`);
    // Back again it begins anew.
    await page.evaluate((it) => document.querySelector('main').append(lab.element(it)), name);
    await page.hears(name, [2004], { from: left });
    await page.evaluate((it) => lab.element(it).remove(), name);
  }
}

/** A stream's name and its metadata are text wherever they are shown. */
async function hostileWords(page) {
  const file = await makeFlv(join(folder, 'hostile.flv'), { seconds: 20, size: '320x180', title: HOSTILE });
  const urls = await server.newUrls();
  const push = pushFlv(file, urls.url_push);
  await page.evaluate(() => {
    globalThis.harmed = 0;
  });
  const named = `rtmp://127.0.0.1/live/${encodeURIComponent('x')}${HOSTILE}`;
  await page.mount('metadata', {
    src: urls.url_play_flv,
    autoplay: '',
    muted: '',
    debug: '',
    'http-origin': server.origin,
  });
  await page.mount('name', { src: named, autoplay: '', muted: '', debug: '', 'http-origin': server.origin });
  await page.mount('rtc', {
    src: named,
    mode: 'RTC',
    autoplay: '',
    muted: '',
    debug: '',
    'http-origin': server.origin,
  });
  await page.hears('metadata', [2004]);
  await page.hears('name', [2103]);
  const overlay = (name) =>
    page.evaluate((it) => {
      const element = lab.element(it).shadowRoot.querySelector('[part=overlay]');
      return { text: element.textContent, foreign: element.querySelectorAll(':not(p, ol, li)').length };
    }, name);
  for (const name of ['metadata', 'name', 'rtc']) assert.equal((await overlay(name)).foreign, 0, name);
  assert.ok((await overlay('name')).text.includes(HOSTILE), 'it is shown as what it is');
  assert.equal(await page.evaluate(() => globalThis.harmed), 0);
  await page.screenshot({ path: join(SHOTS, 'elements-hostile.png') });
  await push.stop();
}

/** What the browser itself says of requests that a check makes fail. */
function isUnexpected(said) {
  return !/Failed to load resource|ERR_CONNECTION|WebTransport|net::ERR/.test(said);
}

const HOSTILE = '<img/src=x/onerror=harmed++>';
const NETSTATUS = [
  'videoBitrate',
  'audioBitrate',
  'videoFPS',
  'videoGOP',
  'netSpeed',
  'netJitter',
  'netQualityLevel',
  'videoWidth',
  'videoHeight',
  'videoCache',
  'audioCache',
  'vDecCacheSize',
  'vSumCacheSize',
  'avPlayInterval',
  'avRecvInterval',
  'audioCacheThreshold',
];
