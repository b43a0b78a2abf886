/**
 * `<live-player>` on a page with a strict policy, and what pages do to it: attributes that mean nothing, tabs that are
 * hidden, a tree that is built anew, words that are meant to be scripts.
 *
 *   node e2e/elements.e2e.mjs [WORD]     only what has WORD in its name
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { runChecks } from './checks.mjs';
import { makeFlv, pushFlv } from './ffmpeg.mjs';
import { SHOTS, sleep, until } from './lib.mjs';

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

/** More than nothing while a stream with sound plays. */
const COUNTED = ['videoBitrate', 'audioBitrate', 'videoFPS', 'videoGOP', 'netSpeed', 'netQualityLevel', 'audioCache'];

const CHECKS = {
  'plays the clock in both modes': playsTheClock,
  'bad attributes warn once and mean their defaults': badAttributes,
  'fills the screen, and is turned and cropped': fullScreen,
  'the tab is hidden and comes back': tabHidden,
  'the element moves, and leaves': movesAndLeaves,
  'words that are meant to be scripts': hostileWords,
  'a page that is not secure is told so, and plays live': notSecure,
};
await runChecks('elements', CHECKS, process.argv[2]);
console.log('the elements do what pages ask');

async function playsTheClock(page, { server, clock }) {
  const url = clock;
  await page.mount('live', { src: url, autoplay: '', muted: '', debug: '', 'http-origin': server.origin });
  await page.mount('rtc', { src: url, mode: 'RTC', autoplay: '', debug: '', 'http-origin': server.origin });
  for (const [name, transport] of [
    ['live', 'flv'],
    ['rtc', 'rtmp-udp'],
  ]) {
    await page.hears(name, [2001, 2003, 2004]);
    await page.moves(name);
    const isCounted = async () => (await page.info(name))?.transport === transport;
    await until(isCounted, 5000, `${name} comes by ${transport}`);
    const info = await page.info(name);
    assert.ok(info.videoWidth > 0 && info.videoHeight > 0, 'a size');
    assert.deepEqual(
      NETSTATUS.filter((key) => typeof info[key] !== 'number'),
      [],
      'keys of netstatus',
    );
    const missing = async () => {
      const now = await page.info(name);
      return COUNTED.filter((key) => !(now[key] > 0));
    };
    await until(async () => (await missing()).length === 0, 10_000, `${name} counts`).catch(async (error) => {
      throw new Error(`${error.message}: not ${await missing()}`);
    });
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

async function badAttributes(page, { server, clock }) {
  await page.mount('bad', {
    src: clock,
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
  await until(async () => (await page.info('bad'))?.transport === 'flv', 5000, 'live mode');
  const warned = page.warnings.map((said) => /^<live-player> ([a-z-]+)/.exec(said)?.[1]).sort();
  const expected = ['autoplay', 'max-cache', 'min-cache', 'mode', 'object-fit', 'orientation', 'sound-mode'];
  assert.deepEqual(warned, expected);

  const refused = page.evaluate(() => lab.mount('nonsense', { src: 'file:///etc/passwd', autoplay: '' }));
  await refused;
  await page.hears('nonsense', [-2301]);
  const codes = await page.codes('nonsense');
  assert.ok(!codes.includes(2103), `nothing to try again: ${codes}`);
}

async function fullScreen(page, { server, clock }) {
  await page.mount('it', { src: clock, autoplay: '', muted: '', 'http-origin': server.origin });
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

/** In the background it is silent; back again it plays, and is not behind. */
async function tabHidden(page, { server, clock }) {
  const src = clock;
  await page.mount('live', { src, autoplay: '', 'http-origin': server.origin });
  await page.mount('rtc', { src, mode: 'RTC', autoplay: '', 'http-origin': server.origin });
  await page.hears('live', [2004]);
  await page.hears('rtc', [2004]);
  await page.hide(true);
  const from = { live: await page.count('live'), rtc: await page.count('rtc') };
  await sleep(2000);
  // A tab that stays behind is frozen: nothing of it runs, whatever comes.
  const engine = await page.context().newCDPSession(page);
  await engine.send('Page.setWebLifecycleState', { state: 'frozen' });
  await sleep(4000);
  await engine.send('Page.setWebLifecycleState', { state: 'active' });
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

async function movesAndLeaves(page, { server, clock }) {
  const src = clock;
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
    await sleep(1500);
    assert.deepEqual(await page.events(name, left), [], `${name} speaks after it has left`);
    // Back again it begins anew.
    await page.evaluate((it) => document.querySelector('main').append(lab.element(it)), name);
    await page.hears(name, [2004], { from: left });
    await page.evaluate((it) => lab.element(it).remove(), name);
  }
}

/** A stream's name and its metadata are text wherever they are shown. */
async function hostileWords(page, { server, folder }) {
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
  await page.hears('name', [-2301]);
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

/** A browser gives WebTransport to secure pages only: live mode is what is left. */
async function notSecure(_, { server, clock, openElsewhere }) {
  const page = await openElsewhere();
  assert.equal(await page.evaluate(() => isSecureContext), false);
  await page.mount('it', { src: clock, mode: 'RTC', autoplay: '', muted: '', 'http-origin': server.origin });
  await page.hears('it', [-2302, 2004]);
  const said = (await page.events('it')).filter(({ detail }) => detail.code === -2302).map(({ detail }) => detail);
  assert.deepEqual([said.length, said[0].reason], [1, 'not-supported']);
  assert.match(said[0].message, /not secure/);
  await until(async () => (await page.info('it'))?.transport === 'flv', 5000, 'live mode');
  await page.moves('it');
  await page.close();
}
