/**
 * `<live-pusher>` with a fake camera, which sees the clock's bar code, and a fake microphone, which hears a tone: over
 * WebTransport and over a WebSocket, to a real server; and by Debian's ffmpeg what then comes out of it. Then what may
 * befall it: a narrow path, a server that restarts, a refusal, devices that are denied or unplugged, and its end.
 *
 *   node e2e/push.e2e.mjs [WORD]     only what has WORD in its name
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBrowser, PROGRAM, SHOTS, servePages, startDemo, until } from './lib.mjs';
import { probe, record, toneShare, writeBars, writeTone } from './media.mjs';
import { startRelay } from './relay.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const TONE_HZ = 1000;
const MUSIC_HZ = 2500;
const ORDER = [1005, 1003, 1007, 1008, 1001, 1002];
const AT_ONCE = 2;
const only = process.argv[2] ?? '';
const report = { load: loadavg()[0], checks: {} };

const folder = await mkdtemp(join(tmpdir(), 'thalweg-push-'));
const [bars, tone] = [join(folder, 'bars.y4m'), join(folder, 'tone.wav')];
await Promise.all([
  writeBars(bars),
  writeTone(tone, { hz: TONE_HZ }),
  writeTone(join(folder, 'music.wav'), { hz: MUSIC_HZ, seconds: 20 }),
]);
const shell = await openBrowser({
  flags: [`--use-file-for-fake-video-capture=${bars}`, `--use-file-for-fake-audio-capture=${tone}`],
});
const server = await startDemo();
const pages = await servePages({
  sdk: process.env.SDK ?? here('../../crates/console/assets/sdk'),
  pages: here('pages'),
  peers: here('../../crates/cli/tests/peers/browser'),
  media: folder,
});

/** Each on a page of its own. The first ones measure: they have the machine to themselves. */
const ALONE = {
  'goes over UDP, and ffmpeg sees and hears it': overUdp,
  'goes over a WebSocket, and ffmpeg sees and hears it': overWebSocket,
  'a viewer asks for a key frame': keyRequest,
  'the path gets narrow': narrowPath,
  'leaves nothing behind, whenever it leaves': leaves,
};
const TOGETHER = {
  'music is heard, and a pause is black and silent': musicAndPause,
  'the server restarts': serverRestarts,
  'the server refuses': refused,
  'devices are denied, and unplugged': devices,
  'skin is smoothed, and grass is not': beauty,
};

try {
  for (const entry of wanted(ALONE)) await run(entry);
  // A few at a time: much of what they do is wait.
  const waiting = wanted(TOGETHER);
  await Promise.all(Array.from({ length: AT_ONCE }, () => lane(waiting)));
  assert.deepEqual(shell.complaints.filter(isUnexpected), [], 'what the browser complained of');
} finally {
  await writeFile(join(SHOTS, 'push.json'), `${JSON.stringify(report, null, 2)}\n`);
  await shell.close();
  await pages.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
console.log('the pusher does what it says');

function wanted(checks) {
  return Object.entries(checks).filter(([name]) => name.includes(only));
}

async function lane(waiting) {
  for (let next = waiting.shift(); next; next = waiting.shift()) await run(next);
}

async function run([name, check]) {
  const began = performance.now();
  const page = await openPage();
  try {
    const found = await check(page);
    report.checks[name] = { seconds: Math.round(performance.now() - began) / 1000, ...found };
    console.log(`${name}: ${JSON.stringify(report.checks[name])}`);
  } catch (error) {
    const codes = await page.evaluate(() => lab.codes()).catch(() => null);
    throw new Error(`${name}: ${error.message}; it said ${codes}`, { cause: error });
  } finally {
    await page.close();
  }
}

async function openPage() {
  const page = await shell.newPage();
  await page.goto(`${pages.origin}/pages/push.html`);
  await page.waitForFunction(() => globalThis.isReady);
  return Object.assign(page, {
    codes: () => page.evaluate(() => lab.codes()),
    info: () => page.evaluate(() => lab.info()),
    says: (code, ms = 10_000) => until(async () => (await page.codes()).includes(code), ms, `it says ${code}`),
    async pushes(urls, attributes = {}) {
      // Sideways, so that nothing is cut of what lies across.
      const all = {
        url: urls.url_push,
        'http-origin': server.origin,
        orientation: 'horizontal',
        autopush: '',
        ...attributes,
      };
      await page.evaluate((given) => lab.mount(given), all);
      await page.says(1002);
    },
  });
}

async function overUdp(page) {
  const urls = await server.newUrls();
  await page.pushes(urls, { debug: '' });
  const found = await seenByFfmpeg(page, urls);
  const info = await page.info();
  assert.equal(info.transport, 'rtmp-udp');
  assert.ok(info.videoGOP > 0.8 && info.videoGOP < 1.3, `a key frame a second, not each ${info.videoGOP} s`);
  await page.evaluate(() => lab.element().sendMessage({ msg: 'a word for viewers' }));
  const flv = await bytesOf(urls.url_play_flv, (bytes) => bytes.includes('a word for viewers'));
  assert.ok(flv, 'a message comes with the pictures');
  await page.screenshot({ path: join(SHOTS, 'push.png') });
  return { ...found, info };
}

async function overWebSocket(page) {
  await page.evaluate(() => delete globalThis.WebTransport);
  const urls = await server.newUrls();
  await page.pushes(urls, { mode: 'HD', muted: 'false' });
  const found = await seenByFfmpeg(page, urls, { width: 960, height: 540 });
  const info = await page.info();
  assert.equal(info.transport, 'ws-flv');
  await page.evaluate(() => lab.element().setAttribute('muted', ''));
  await until(async () => (await page.info()).audioBitrate < 8, 5000, 'silence takes next to nothing');
  return { ...found, info, silentKbps: (await page.info()).audioBitrate };
}

/** The order of the codes, the codecs, the numbers of the pictures, and the tone. */
async function seenByFfmpeg(page, urls, size = { width: 640, height: 360 }) {
  assert.deepEqual((await page.codes()).slice(0, 6), ORDER);
  await until(() => page.info(), 5000);
  const { video, audio } = await probe(urls.url_play_rtmp);
  const { codec_name, width, height, has_b_frames } = video;
  assert.deepEqual({ codec_name, width, height, has_b_frames }, { codec_name: 'h264', ...size, has_b_frames: 0 });
  assert.equal(audio.codec_name, 'aac');
  assert.equal(audio.profile, 'LC');
  assert.equal(audio.sample_rate, '48000');
  const { numbers, samples } = await record(urls.url_play_rtmp, { seconds: 3 });
  const read = numbers.filter((number) => number !== null);
  assert.ok(read.length > numbers.length * 0.9, `${read.length} of ${numbers.length} pictures have their number`);
  const steps = read.slice(1).map((number, n) => (number - read[n] + 250) % 250);
  assert.ok(
    steps.every((step) => step < 125),
    `in their order: ${read}`,
  );
  const share = toneShare(samples, TONE_HZ);
  assert.ok(share > 0.8, `the tone is heard: ${share}`);
  assert.equal(toneShare(samples, 1.5 * TONE_HZ), 0, 'and no other');
  return { profile: video.profile, pictures: numbers.length, read: read.length, toneShare: Number(share.toFixed(3)) };
}

async function keyRequest(page) {
  const urls = await server.newUrls();
  // A key frame each 3 s, if nobody asks.
  await page.pushes(urls, { mode: 'SD' });
  const viewer = await openPage();
  try {
    const waits = await viewer.evaluate(
      async ([origin, url]) => {
        const udp = await import('/peers/rtmp_udp.js');
        const transport = udp.open(await udp.discover(origin));
        await transport.ready;
        const control = await udp.Control.on(transport);
        await control.ask('play', url);
        const listen = async () => {
          for await (const _ of control.messages());
        };
        listen().catch(() => {});
        const keys = [];
        const read = async (stream) => {
          for await (const { kind, isKey } of udp.mediaOf(stream))
            if (kind === udp.VIDEO && isKey) keys.push(performance.now());
        };
        const receive = async () => {
          for await (const stream of transport.incomingUnidirectionalStreams) read(stream).catch(() => {});
        };
        receive().catch(() => {});
        const next = async () => {
          const before = keys.length;
          while (keys.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
          return keys.at(-1);
        };
        const waits = [];
        await next();
        for (let n = 0; n < 3; n++) {
          // Not before the server passes one on again.
          await new Promise((resolve) => setTimeout(resolve, 1100));
          const asked = performance.now();
          await control.say(udp.KEY_REQUEST);
          waits.push(Math.round((await next()) - asked));
        }
        transport.close();
        return waits;
      },
      [server.origin, urls.url_play_acc],
    );
    assert.ok(Math.max(...waits) < 1000, `long before the next one is due: ${waits} ms`);
    return { waits };
  } finally {
    await viewer.close();
  }
}

async function narrowPath(page) {
  const relay = await startRelay({ to: server.ports.rtmp, rttMs: 20 });
  try {
    await page.route(`${server.origin}/ull`, async (route) => {
      const answer = await (await route.fetch()).json();
      await route.fulfill({
        json: { ...answer, udpPort: relay.port },
        headers: { 'access-control-allow-origin': '*' },
      });
    });
    const urls = await server.newUrls();
    await page.pushes(urls, { 'min-bitrate': '100', 'max-bitrate': '1200' });
    await until(async () => (await page.info())?.videoBitrate > 600, 10_000, 'the pictures take what they are given');
    const wide = await page.info();
    relay.path.upKbps = 450;
    const began = performance.now();
    await until(
      async () => (await rates(page)).some((kbps) => kbps < 400),
      10_000,
      'the rate goes below what the path takes',
    );
    const downMs = Math.round(performance.now() - began);
    // It settles: what goes out is what the path takes, and viewers see pictures.
    await new Promise((resolve) => setTimeout(resolve, 3500));
    const narrow = (await page.evaluate(() => lab.events('netstatus').map(({ info }) => info))).slice(-3);
    const speed = narrow.reduce((sum, { netSpeed }) => sum + netSpeed, 0) / narrow.length;
    assert.ok(speed < 520, `${speed} kbit/s on a path of 450`);
    const { numbers } = await record(urls.url_play_rtmp, { seconds: 2 });
    const read = numbers.filter((number) => number !== null);
    assert.ok(read.length >= 15, `viewers see pictures: ${read.length} in 2 s`);
    assert.ok((await page.codes()).includes(1006), 'it says so');
    return { wide, narrow, downMs, seen: read.length, rates: await rates(page) };
  } finally {
    await relay.close();
  }
}

function rates(page) {
  return page.evaluate(() => lab.events('statechange').flatMap(({ code, kbps }) => (code === 1006 ? [kbps] : [])));
}

/** On its own ports with its own keys, as a program that was stopped and started. */
async function serverRestarts(page) {
  const first = await startDemo();
  let second = null;
  // Whatever another check trips over, it goes with the rest.
  const end = () => second?.kill('SIGKILL');
  process.once('exit', end);
  try {
    const urls = await first.newUrls();
    await page.pushes(urls, { 'http-origin': first.origin });
    await first.kill();
    await page.says(1102);
    const { rtmp, http, https, operator } = first.ports;
    const args = ['demo', '--rtmp-port', rtmp, '--http-port', http, '--https-port', https, '--operator-port', operator];
    second = spawn(PROGRAM, args.map(String), { cwd: first.folder, stdio: 'ignore' });
    const back = async () => (await page.codes()).filter((code) => code === 1002).length === 2;
    await until(back, 15_000, 'it pushes again');
    const { video } = await probe(urls.url_play_rtmp);
    assert.equal(video.codec_name, 'h264');
    return { codes: await page.codes() };
  } finally {
    end();
    process.off('exit', end);
    await first.stop();
  }
}

async function refused(page) {
  const urls = await server.newUrls();
  const url = urls.url_push.replace(/txSecret=./, (found) => `txSecret=${found.endsWith('0') ? '1' : '0'}`);
  await page.evaluate((given) => lab.mount(given), { url, 'http-origin': server.origin, autopush: '' });
  await page.says(-1307, 20_000);
  const [refusal] = await page.evaluate(() => lab.events('statechange').filter(({ code }) => code === 3004));
  assert.equal(refusal.reason, 'auth-bad');
  const codes = (await page.codes()).slice(4);
  assert.deepEqual(codes, [3004, 1102, 3004, 1102, 3004, 1102, 3004, -1307]);
  assert.equal((await left(page)).tracks, 0, 'the camera is let go of');
  return { codes };
}

async function devices(page) {
  const urls = await server.newUrls();
  await page.evaluate(() => {
    lab.denies = ['audio', 'video'];
  });
  await page.evaluate((given) => lab.mount(given), { url: urls.url_push, 'http-origin': server.origin });
  await page.evaluate(() => lab.start());
  await page.says(-1302);
  assert.deepEqual(await page.codes(), [1005, 10001, -1301, 10002, -1302]);
  assert.deepEqual(
    (await page.evaluate(() => lab.events('error'))).map(({ errCode }) => errCode),
    [10001, 10002],
  );
  assert.equal(await page.evaluate(() => lab.element().pushing), false);
  // Allowed, it begins; unplugged, it says so, and takes what is plugged in.
  await page.evaluate(() => {
    lab.denies = null;
    lab.forget();
    return lab.start();
  });
  await page.says(1002);
  await page.evaluate(() => {
    lab.forget();
    for (const track of lab.opened.tracks) if (track.kind === 'video') track.dispatchEvent(new Event('ended'));
  });
  await page.says(-1301);
  await page.evaluate(() => navigator.mediaDevices.dispatchEvent(new Event('devicechange')));
  await page.says(1003);
  await until(async () => (await page.info())?.videoFPS > 3, 10_000, 'there are pictures again');
  return { codes: await page.codes() };
}

async function musicAndPause(page) {
  const urls = await server.newUrls();
  await page.pushes(urls, { 'audio-quality': 'low' });
  await page.evaluate(() => lab.element().setMICVolume({ volume: 0 }));
  await page.evaluate(() => lab.element().playBGM({ url: '/media/music.wav', endTimeMs: 60_000 }));
  const hears = async () => toneShare((await record(urls.url_play_rtmp, { seconds: 1 })).samples, MUSIC_HZ) > 0.5;
  await until(hears, 15_000, 'the music is heard');
  const { progress, duration } = (await page.evaluate(() => lab.events('bgmprogress'))).at(-1);
  assert.ok(progress > 0 && duration === 20_000, `${progress} of ${duration} ms`);
  await page.evaluate(() => lab.element().stopBGM());
  await page.evaluate(() => lab.element().setAttribute('waiting-image', '/media/missing.png'));
  await page.evaluate(() => lab.element().pause());
  await page.says(10004);
  await until(async () => (await page.info()).videoBitrate < 60, 5000, 'black takes next to nothing');
  // The GOP in which it paused still shows what was before.
  const isBlackAndSilent = async () => {
    const { numbers, samples } = await record(urls.url_play_rtmp, { seconds: 1 });
    return numbers.every((number) => number === null) && samples.every((sample) => Math.abs(sample) < 200);
  };
  await until(isBlackAndSilent, 10_000, 'nothing is seen and nothing heard');
  await page.evaluate(() => lab.element().resume());
  const seen = async () => (await record(urls.url_play_rtmp, { seconds: 1 })).numbers.some((number) => number !== null);
  await until(seen, 10_000, 'it is back');
  return { pausedKbps: (await page.info()).videoBitrate };
}

/** How rough the skin and the grass are, without beauty and with it. */
async function beauty(page) {
  await page.evaluate(() => {
    lab.mount({ 'video-width': '160', 'video-height': '160' });
    lab.element().srcObject = lab.skin();
    return lab.element().startPreview();
  });
  const roughness = () =>
    page.evaluate(async () => {
      const { width, height, data } = await lab.pixels();
      const spread = (from, to) => {
        const values = [];
        for (let y = 20; y < height - 20; y++)
          for (let x = from; x < to; x++) values.push(data[4 * (y * width + x) + 1]);
        const mean = values.reduce((a, b) => a + b) / values.length;
        return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
      };
      const mean = (at) => (data[at] + data[at + 1] + data[at + 2]) / 3;
      const middle = 4 * ((height / 2) * width + 40);
      return { skin: spread(20, width / 2 - 20), grass: spread(width / 2 + 20, width - 20), light: mean(middle) };
    });
  await until(
    () =>
      page.evaluate(() =>
        lab.pixels().then(
          ({ data }) => data[0] > 50,
          () => false,
        ),
      ),
    10_000,
    'a preview',
  );
  const plain = await roughness();
  await page.evaluate(() => lab.element().setAttribute('beauty', '9'));
  const smooth = await roughness();
  await page.evaluate(() => lab.element().setAttribute('whiteness', '9'));
  const white = await roughness();
  assert.ok(plain.skin > 4, `the skin is rough at first: ${plain.skin}`);
  assert.ok(smooth.skin < plain.skin / 2, `and smooth then: ${smooth.skin}`);
  assert.ok(smooth.grass > plain.grass * 0.9, `the grass stays: ${plain.grass}, ${smooth.grass}`);
  assert.ok(white.light > smooth.light + 10, `and the skin is lighter: ${smooth.light}, ${white.light}`);
  await page.evaluate(() => lab.stop());
  return { plain, smooth, white };
}

async function leaves(page) {
  const urls = await server.newUrls();
  const all = { url: urls.url_push, 'http-origin': server.origin, autopush: '' };
  // At once, on its way, and while it pushes; stopped, and taken from the page.
  for (const after of [null, 1005, 1003, 1008, 1002]) {
    for (const how of ['stop', 'remove']) {
      await page.evaluate(() => {
        lab.element()?.remove();
        lab.forget();
      });
      await page.evaluate((given) => lab.mount(given), all);
      if (after) await page.says(after);
      if (after === 1002) await until(() => page.info(), 5000);
      await page.evaluate((word) => (word === 'stop' ? lab.stop() : lab.element().remove()), how);
      const isEmpty = async () => Object.values(await left(page)).every((count) => count === 0);
      await until(isEmpty, 8000, `nothing is left after ${after} and ${how}`).catch(async (error) => {
        throw new Error(`${error.message}: ${JSON.stringify(await left(page))}`);
      });
    }
  }
  return { left: await left(page) };
}

function left(page) {
  return page.evaluate(() => lab.left());
}

/** Whether `is` of what has come of a stream, within some seconds. */
async function bytesOf(url, is) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(6000) });
  let bytes = Buffer.alloc(0);
  try {
    for await (const chunk of answer.body) {
      bytes = Buffer.concat([bytes, chunk]);
      if (is(bytes)) return true;
    }
  } catch {
    // Its time is over.
  }
  return false;
}

/** A server that is killed or refuses is complained of by the browser as well. */
function isUnexpected(complaint) {
  return !/WebSocket|Failed to load resource|ERR_|WebTransport|GL Driver/.test(complaint);
}
