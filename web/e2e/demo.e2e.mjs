/**
 * Walks through the demo as people in a room would: somebody presses New and pushes camera and microphone, others see
 * and hear it in both players, and so does ffmpeg; somebody reads the clock's delay, two call each other, from browsers
 * of their own; in both languages, at a desk and on a phone.
 *
 *   node e2e/demo.e2e.mjs [desk|phone [WORD]]     only what has WORD in its name
 *
 * Whatever the browser complains of is a failure, and so is a page that is wider than the screen. PAGES and SDK are
 * folders to take the pages and the elements from instead of the program, while they are being written.
 */

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { ANN, BEN, devicesOf, hears, sees, soundSettings, withSenses } from './demo/people.mjs';
import { openBrowser, SHOTS, sleep, startDemo, until } from './lib.mjs';
import { loudOf, probe, record, toneShare } from './media.mjs';

/** This machine, as another one would name it: an address that is not secure. */
const ROOM = 'room.test';
const KINDS = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.wasm': 'application/wasm' };
const NAMES = ['', 'push', 'play', 'rtc', 'call'];
const [which = '', word = ''] = process.argv.slice(2);
const DESK = { viewport: { width: 1280, height: 860 }, locale: 'en-GB', colorScheme: 'light' };
/** As wide as the pages are a desk's. */
const SMALL_WINDOW = { width: 920, height: 540 };
const PHONE = {
  viewport: { width: 360, height: 740 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
  locale: 'zh-CN',
  colorScheme: 'dark',
};

/** All that the pages do, in English, light. */
const AT_A_DESK = {
  home: (room) => home(room, 'This page comes from this machine', 'The stream arrives'),
  pushed,
  clock: ownClock,
  'low latency': lowLatency,
  unsigned,
  hostile,
  insecure,
  called,
  'refused New': refusedNew,
};
/** How they look, and that they work, on the smallest of phones: in Chinese, dark; and once in English. */
const ON_A_PHONE = {
  home: (room) => home(room, '此页面来自本机', '直播流正常到达'),
  'low latency': lowLatency,
  pushed,
  clock: ownClock,
  languages,
  played,
  called,
};

if (which !== 'phone') await inRoom(DESK, AT_A_DESK);
if (which !== 'desk') await inRoom(PHONE, ON_A_PHONE);
console.log('the demo does what it says');

async function home(room, secure, arrives) {
  const page = await room.open('');
  await page.locator('#state.good').waitFor();
  const words = await page.locator('main').textContent();
  for (const each of [secure, arrives, 'RTMP', 'HTTP-FLV', '/sdk/live-elements.js', `${room.operator}/console/`])
    assert.ok(words.includes(each), `${each} is not in ${words}`);
  assert.equal(await page.locator('.entries a').count(), 4);
  const source = new URL(await page.locator('#mini').getAttribute('href'), page.url());
  const archive = Buffer.from(await (await fetch(source)).arrayBuffer());
  assert.equal(archive.toString('latin1', 0, 4), 'PK\x03\x04', 'the mini-program’s source is there');
  assert.ok(archive.includes('thalweg/miniprogram/src/app.json'));
  await page.locator('#links .copy').first().getByRole('button').first().click();
  await page.locator('#links .qr-code').waitFor();
  await room.shot(page, 'home');
}

/** New, a camera with its microphone, and what both players and Debian's ffmpeg make of it. */
async function pushed(room) {
  await room.mayAsk(1);
  const page = await room.open('push');
  await page.locator('#new').click();
  const url = await until(() => page.locator('input[name="push"]').inputValue());
  assert.match(url, /^rtmp:\/\/.+\/live\/\d+_user_[0-9a-f]{8}_[0-9a-f]{4}\?.*txSecret=/);
  for (const name of ['rtmp', 'flv', 'acc']) assert.ok(await page.locator(`[data-copy="${name}"]`).textContent(), name);
  await page.locator('#start').click();
  await said(page, 1002);
  await page.locator('[data-status="videoBitrate"]').waitFor();
  await room.shot(page, 'push');

  for (const [name, link] of [
    ['play', page.locator('main a[target="_blank"]').nth(0)],
    ['rtc', page.locator('main a[target="_blank"]').nth(1)],
  ]) {
    const href = await link.getAttribute('href');
    const viewer = await room.open(new URL(href, room.origin).href);
    await viewer.locator('#start').click();
    await said(viewer, 2004);
    await sees(viewer, ANN, `the camera in ${name}`);
    await hears(viewer, ANN, BEN, `the microphone in ${name}`);
    await viewer.locator('[data-status="size"]').waitFor();
    await room.shot(viewer, `camera-${name}`);
    await viewer.locator('#stop').click();
    await viewer.close();
  }

  const rtmp = await page.locator('[data-copy="rtmp"]').textContent();
  const { video, audio } = await probe(rtmp);
  assert.deepEqual([video.codec_name, audio.codec_name], ['h264', 'aac']);
  const { samples } = await record(rtmp, { seconds: 3 });
  const share = toneShare(loudOf(samples), ANN.hz);
  assert.ok(share > 0.8, `ffmpeg hears the tone: ${share}`);
  await page.locator('#stop').click();
  await page.close();
}

/** What a page draws is pushed as well, and read again from what arrives. */
async function ownClock(room) {
  await room.mayAsk(1);
  const page = await room.open('push');
  await page.locator('#new').click();
  await until(() => page.locator('input[name="push"]').inputValue());
  await page.locator('input[name="source"][value="clock"]').check({ force: true });
  await page.locator('#start').click();
  await said(page, 1002);
  const href = await page.locator('main a[target="_blank"]').nth(1).getAttribute('href');
  const viewer = await room.open(new URL(href, room.origin).href);
  await viewer.locator('#start').click();
  await until(
    async () => ms(await viewer.locator('[data-p50="rtc"]').textContent()) > 0,
    20_000,
    'the delay of a page’s own clock',
  );
  await room.shot(viewer, 'own-clock');
  await viewer.close();
  await page.locator('#stop').click();
  await page.close();
}

/** Every page in English too; on a phone its words are the longest. */
async function languages(room) {
  const page = await room.open('');
  for (const name of NAMES) {
    await page.goto(`${room.origin}/demo/${name}`);
    await page.locator('h1').waitFor();
    await page.locator('#language').click();
    await until(() => page.evaluate(() => document.documentElement.lang === 'en'));
    const words = (await page.locator('main').textContent()).replace('中文', '');
    assert.ok(!/[\u4e00-\u9fff]/.test(words), `Chinese in English: ${name}`);
    await room.shot(page, `${name || 'home'}-en`);
    await page.locator('#language').click();
    await until(() => page.evaluate(() => document.documentElement.lang === 'zh-CN'));
  }
  await page.close();
}

async function played(room) {
  const page = await room.open('play');
  await until(() => page.locator('#start').isEnabled());
  await page.locator('input[name="strategy"][value="speedy"]').check({ force: true });
  await page.locator('#start').click();
  await said(page, 2004);
  await page.locator('output.delay').waitFor();
  await sleep(2000);
  await room.shot(page, 'play');
  await page.locator('#stop').click();
  await page.close();
}

/** The clock in both players: each delay is read from the picture, and UDP is ahead. */
async function lowLatency(room) {
  await room.mayAsk(1);
  const page = await room.open('rtc');
  await until(() => page.locator('#start').isEnabled());
  await page.locator('#start').click();
  const read = async (which, name) => ms(await page.locator(`[data-${which}="${name}"]`).textContent());
  await until(async () => (await read('p95', 'rtc')) > 0 && (await read('p95', 'live')) > 0, 20_000, 'both delays');
  await sleep(10_000);
  const found = { rtc: await read('p50', 'rtc'), live: await read('p50', 'live'), p95: await read('p95', 'rtc') };
  console.log('delay, ms:', found);
  assert.ok(found.rtc < found.live, 'over UDP it is earlier');
  assert.equal(await page.locator('[data-status="transport"] dd').textContent(), 'rtmp-udp');
  await room.shot(page, 'rtc');
  await page.locator('#stop').click();
  await page.close();
}

/** Without its signature the clock has no low delay: the page says why, and plays on. */
async function unsigned(room) {
  await room.mayAsk(1);
  const page = await room.open('play');
  const src = await until(() => page.locator('input[name="src"]').inputValue());
  const viewer = await room.open(`rtc#src=${encodeURIComponent(src)}`);
  await viewer.locator('#start').click();
  await said(viewer, -2302);
  assert.match(await viewer.locator('.notice').first().textContent(), /this signature is missing, wrong or over/);
  await said(viewer, 2004);
  await room.shot(viewer, 'rtc-unsigned');
  await viewer.close();
  await page.close();
}

/** Whatever a link says, it is text: in the fields, in the log, and in a call. */
async function hostile(room) {
  room.expect(/Failed to load resource|WebSocket connection/);
  const words = `<img src=x onerror="globalThis.harmed=1"><script>globalThis.harmed=2</script>`;
  const src = `rtmp://127.0.0.1:${room.port}/live/${words}`;
  for (const name of ['play', 'rtc']) {
    const page = await room.open(`${name}#src=${encodeURIComponent(src)}`);
    assert.equal(await page.locator('input[name="src"]').inputValue(), src);
    await page.locator('#start').click();
    await page.locator('[data-code]').first().waitFor();
    assert.deepEqual(await harm(page), { harmed: null, images: 0 }, name);
    await page.close();
  }
  const page = await room.open(`call#push=${encodeURIComponent(src)}&play=${encodeURIComponent(src)}`);
  assert.deepEqual(await harm(page), { harmed: null, images: 0 }, 'call');
  await page.close();
}

/** What a script in a link would have done to a page. */
function harm(page) {
  return page.evaluate(() => ({
    harmed: globalThis.harmed ?? null,
    images: [...document.querySelectorAll('img')].filter(({ src }) => src.endsWith('/x')).length,
  }));
}

/** By http from another machine a browser gives neither camera nor UDP: the pages say so, and what to do. */
async function insecure(room) {
  for (const [name, words] of [
    ['push', 'camera, microphone and encoder to secure pages only'],
    ['rtc', 'a second or more later'],
    ['call', 'camera, microphone and encoder to secure pages only'],
  ]) {
    const page = await room.open(`http://${ROOM}:${room.port}/demo/${name}`);
    assert.ok((await page.locator('.notice').first().textContent()).includes(words), name);
    if (name === 'call') assert.ok(await page.locator('#begin').isDisabled());
    if (name === 'push') assert.ok(await page.locator('#start').isDisabled());
    await room.shot(page, `insecure-${name}`);
    await page.close();
  }
}

/** Two people, each with a browser, and one link: each sees and hears the other, and not oneself. */
async function called(room) {
  await room.mayAsk(2);
  const one = await room.open('call');
  await room.inASmallWindow(one);
  await one.locator('#begin').click();
  await one.locator('[data-talk="waiting"]').waitFor();
  await room.shot(one, 'call-waiting');
  const invite = new URL(await one.locator('[data-copy="invite"]').textContent());
  assert.equal(invite.search, '', 'what the link carries is not for a server');
  const two = await room.openElsewhere(room.origin + invite.pathname + invite.hash);
  await room.inASmallWindow(two);
  await room.shot(two, 'call-invited');
  await two.locator('#answer').click();
  for (const [page, other, self] of [
    [one, BEN, ANN],
    [two, ANN, BEN],
  ]) {
    await page.locator('[data-talk="talking"]').waitFor();
    await sees(page, other, `${self.name}'s page`);
    await hears(page, other, self, `${self.name}'s page`);
    const asked = { echoCancellation: true, autoGainControl: true, noiseSuppression: true };
    assert.deepEqual(await soundSettings(page), asked, `${self.name}'s microphone`);
  }
  await sleep(1000);
  await room.shot(one, 'call');
  await room.shot(two, 'call-other');
  await one.locator('#hang-up').click();
  await one.locator('#another').waitFor();
  await two.locator('[data-talk="gone"]').waitFor();
  await room.shot(one, 'call-over');
  await two.locator('#hang-up').click();
  for (const page of [one, two]) await page.close();
}

/** The server's words for whoever presses too often. */
async function refusedNew(room) {
  room.expect(/429/);
  const page = await room.open('push');
  for (let i = 0; i < 6 && !(await page.locator('.refusal').count()); i++) {
    await page.locator('#new').click();
    await until(async () => (await page.locator('#new').isEnabled()) || (await page.locator('.refusal').count()) > 0);
  }
  assert.match(await page.locator('.refusal').textContent(), /5 URLs a minute/);
  assert.ok(await page.locator('#new').isDisabled());
  await room.shot(page, 'refused');
  await page.close();
}

/** That a code stands in the log, so many times. */
async function said(page, code, times = 1) {
  const there = page.locator(`[data-code="${code}"]`);
  await until(async () => (await there.count()) >= times, 20_000, `code ${code}, ${times} times`);
}

/** Of `123 ms`; not a number where there is none. */
function ms(text) {
  return Number(/^(-?\d+)/.exec(text)?.[1] ?? Number.NaN);
}

/** A server and browsers of one kind, Ann's and Ben's: goes through what is to be done; what goes wrong is said. */
async function inRoom(context, parts) {
  const wanted = Object.entries(parts).filter(([name]) => name.includes(word));
  assert.ok(wanted.length > 0, `nothing has ${word} in its name`);
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-demo-'));
  const server = await startDemo();
  const front = process.env.PAGES ? await beside(server) : null;
  const browsers = [];
  try {
    const room = await furnish({ context, folder, server, front, browsers });
    for (const [name, part] of wanted) {
      const began = performance.now();
      await part(room);
      console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${name}`);
    }
    const bad = browsers.flatMap(({ complaints }) => complaints).filter((words) => !room.isExpected(words));
    assert.deepEqual(bad, [], 'what a browser complained of');
  } catch (error) {
    console.error([...browsers.flatMap(({ complaints }) => complaints), ...server.log].join('\n'));
    const pages = browsers.flatMap(({ browser }) => browser.pages());
    for (const [i, page] of pages.entries())
      await page.screenshot({ path: join(SHOTS, `demo-failed-${i}.png`) }).catch(() => {});
    throw error;
  } finally {
    for (const browser of browsers) await browser.close();
    front?.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the parts use. Ben's browser is opened when he is there. */
async function furnish({ context, folder, server, front, browsers }) {
  const { origin, port } = front ?? { origin: server.origin, port: server.ports.http };
  const isSmall = context.viewport.width < 900;
  const expected = [];
  const asked = [];
  let number = 0;
  const browserOf = async (person) => {
    const flags = [`--host-resolver-rules=MAP ${ROOM} 127.0.0.1`, ...(await devicesOf(person, folder, isSmall))];
    const browser = await openBrowser({ ...context, flags, reducedMotion: 'reduce' });
    browsers.push(browser);
    await browser.browser.addInitScript(withSenses);
    browser.browser.on('response', (answer) => answer.url().includes('/weapp/utils/') && asked.push(Date.now()));
    return browser;
  };
  const open = async (browser, where) => {
    const page = await browser.newPage();
    await page.goto(new URL(where, `${origin}/demo/`).href);
    await page.locator('h1').waitFor();
    return page;
  };
  const ann = await browserOf(ANN);
  let ben = null;
  return {
    origin,
    port,
    operator: server.operator,
    expect: (what) => expected.push(what),
    isExpected: (words) => !words.startsWith('exception:') && expected.some((what) => what.test(words)),
    open: (where) => open(ann, where),
    async openElsewhere(where) {
      ben ??= await browserOf(BEN);
      return open(ben, where);
    },
    /** Waits until so many URLs may be asked for: there are five a minute for an address. */
    mayAsk: (count) => until(() => asked.filter((at) => at > Date.now() - 61_000).length + count <= 5, 70_000),
    /** Two browsers that draw without a graphics card draw half as much, and have time to code and to hear. */
    async inASmallWindow(page) {
      if (!isSmall) await page.setViewportSize(SMALL_WINDOW);
    },
    async shot(page, name) {
      number += 1;
      await sleep(400);
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      const file = `demo-${isSmall ? 'phone' : 'desk'}-${String(number).padStart(2, '0')}-${name}.png`;
      // The whole page by a taller window: what sticks to an edge is drawn where it belongs.
      const size = page.viewportSize();
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      await page.setViewportSize({ width: size.width, height: Math.min(4000, Math.max(size.height, height)) });
      await sleep(200);
      await page.screenshot({ path: join(SHOTS, file) });
      await page.setViewportSize(size);
      assert.ok(wide <= 0, `${file}: ${wide} px wider than the screen`);
    },
  };
}

/**
 * The program with pages and elements from folders instead of its own: a server before it, which passes on all else.
 * Pages come with the headers that the program sends.
 */
async function beside({ origin, operator, ports }) {
  const rust = await readFile(new URL('../../crates/console/src/demo.rs', import.meta.url), 'utf8');
  const policy = /CONTENT_SECURITY_POLICY,\s*"([^"]+)"/.exec(rust)[1].replaceAll(/\\\s+/g, '');
  const watch = [
    { name: 'RTMP', url: `rtmp://127.0.0.1:${ports.rtmp}/live/clock` },
    { name: 'HTTP-FLV', url: `${origin}/live/clock.flv` },
  ];
  const said = {
    '/demo/data.json': () => ({ clock_path: '/live/clock.flv', watch, secure: null, console: `${operator}/console/` }),
    '/demo/time': () => ({ unix_ms: Date.now() }),
  };
  const server = createServer(async (request, response) => {
    const [, first, name] = new URL(request.url, origin).pathname.split('/');
    const folder = { demo: process.env.PAGES, sdk: process.env.SDK }[first];
    if (said[`/${first}/${name}`]) return response.end(JSON.stringify(said[`/${first}/${name}`]()));
    if (folder) {
      const body = await readFile(join(folder, extname(name) ? name : 'index.html')).catch(() => null);
      const headers = { 'content-type': KINDS[extname(name)] ?? 'text/html' };
      return response.writeHead(body ? 200 : 404, { ...headers, 'content-security-policy': policy }).end(body);
    }
    const { method, url, headers } = request;
    const onward = httpRequest({ port: ports.http, host: '127.0.0.1', method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  server.on('upgrade', ({ method, url, rawHeaders }, near, head) => {
    const far = connect(ports.http, '127.0.0.1');
    const lines = [`${method} ${url} HTTP/1.1`];
    for (let i = 0; i < rawHeaders.length; i += 2) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
    far.write(`${lines.join('\r\n')}\r\n\r\n`);
    far.write(head);
    near.pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ])
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  return { port, origin: `http://127.0.0.1:${port}`, close: () => server.closeAllConnections() || server.close() };
}
