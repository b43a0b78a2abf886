/**
 * From a camera to a viewer, both in RTC mode and both the elements that pages have: how late each picture is, from the
 * moment it comes to the page that pushes to the moment it is drawn on the page that plays. Both pages are on one machine
 * and read one clock; the camera sees a bar code, by which a picture is known again.
 *
 * GOALS=1 makes a goal that is missed a failure: on a machine that does nothing else.
 */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBrowser, percentiles, SHOTS, servePages, sleep, startDemo, until } from './lib.mjs';
import { writeBars, writeTone } from './media.mjs';
import { median, Report } from './report.mjs';

const RUNS = 5;
const RUN_MS = 5000;
/** What comes first fills the buffer, and starts the decoders. */
const SETTLE_PICTURES = 15;
const P95_MS_MAX = 200;
/** Numbers begin anew with the film of the camera, after 250 pictures at 25 a second. */
const TURN_MS = 10_000;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const report = new Report('camera', { runs: [] });
const cleanUp = [];
try {
  await main();
} finally {
  await report.write();
  for (const end of cleanUp.reverse()) await end();
}
process.exitCode = report.missed > 0 ? 1 : 0;

async function main() {
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-camera-'));
  cleanUp.push(() => rm(folder, { recursive: true, force: true }));
  const [bars, tone] = [join(folder, 'bars.y4m'), join(folder, 'tone.wav')];
  await Promise.all([writeBars(bars), writeTone(tone, { hz: 1000 })]);
  const pages = await servePages({
    sdk: process.env.SDK ?? here('../../crates/console/assets/sdk'),
    camera: here('camera'),
    rtc: here('rtc'),
  });
  cleanUp.push(pages.close);
  const server = await startDemo();
  cleanUp.push(server.stop);
  const devices = [`--use-file-for-fake-video-capture=${bars}`, `--use-file-for-fake-audio-capture=${tone}`];
  // Two people have two browsers.
  const [camera, screen] = [await openBrowser({ flags: devices }), await openBrowser()];
  cleanUp.push(camera.close, screen.close);

  for (let n = 0; n < RUNS; n++) await measure(n, server, pages.origin, camera, screen);
  const p95 = median(report.data.runs.map((run) => run.p95Ms));
  report.goal('camera to viewer, RTC to RTC, median of p95, ms', p95, `<= ${P95_MS_MAX}`, p95 <= P95_MS_MAX);
  for (const { complaints } of [camera, screen]) assert.deepEqual(complaints.filter(isUnexpected), []);
}

async function measure(n, server, origin, camera, screen) {
  const urls = await server.newUrls();
  const common = { mode: 'RTC', 'http-origin': server.origin };
  // Sideways, so that nothing is cut of what lies across.
  const pushes = await open(camera, `${origin}/camera/push.html`, {
    ...common,
    url: urls.url_push,
    orientation: 'horizontal',
    autopush: '',
  });
  await says(pushes, 1002);
  const plays = await open(screen, `${origin}/camera/play.html`, { ...common, src: urls.url_play_acc, autoplay: '' });
  await says(plays, 2004);
  await until(async () => (await seenBy(plays)).volumes.length > 0, 20_000, 'the microphone is heard').catch(
    async (error) => {
      throw new Error(`${error.message}: ${JSON.stringify([await seenBy(pushes), await seenBy(plays)].map(said))}`);
    },
  );
  await sleep(RUN_MS);
  const [came, shown] = [await seenBy(pushes), await seenBy(plays)];
  if (n === 0) await plays.screenshot({ path: join(SHOTS, 'camera-viewer.png') });
  for (const page of [plays, pushes]) {
    await page.evaluate(() => window.end());
    await page.close();
  }
  assert.deepEqual([came.info.transport, shown.info.transport], ['rtmp-udp', 'rtmp-udp']);
  const delays = delaysOf(came.pictures, shown.pictures.slice(SETTLE_PICTURES));
  assert.ok(delays.length > 30, `${delays.length} of ${shown.pictures.length} pictures are known again`);
  const { p50, p95, max } = percentiles(delays);
  const [p50Ms, p95Ms, maxMs] = [p50, p95, max].map(Math.round);
  const { videoBitrate: kbps, videoFPS: fps, freezes, delay: toldMs } = shown.info;
  report.data.runs.push({ n, p50Ms, p95Ms, maxMs, pictures: delays.length, kbps, fps, freezes, toldMs });
  console.log(JSON.stringify(report.data.runs.at(-1)));
}

async function open({ newPage }, url, attributes) {
  const page = await newPage();
  await page.goto(url);
  await page.waitForFunction(() => window.isReady);
  await page.evaluate((all) => window.begin(all), attributes);
  return page;
}

function seenBy(page) {
  return page.evaluate(() => window.seen);
}

async function says(page, code) {
  const codes = async () => (await seenBy(page)).codes;
  await until(async () => (await codes()).includes(code), 20_000, `${code} is said`).catch(async (error) => {
    throw new Error(`${error.message}: ${await codes()}`);
  });
}

function said({ codes, info }) {
  return { codes, info };
}

/**
 * How late pictures are, ms. A page that is busy takes its camera's pictures late, which is a delay like any other: so
 * it is not when a picture was taken that counts but when it was there, by its own time and by the one that waited least.
 */
function delaysOf(came, shown) {
  const offset = Math.min(...came.map(([at, , time]) => at - time));
  const entered = came.map(([, number, time]) => ({ number, at: time + offset }));
  return shown.flatMap(([at, number]) => {
    const source = entered.find((one) => one.number === number && Math.abs(at - one.at) < TURN_MS / 2);
    return number === null || source === undefined ? [] : [at - source.at];
  });
}

/** But for a player that leaves, and a page without an icon. */
function isUnexpected(complaint) {
  return !/WebTransport|GL Driver|Failed to load resource/.test(complaint);
}
