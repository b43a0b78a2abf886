/**
 * Live mode in a real browser against a real server: when the first picture is there, how late pictures are by the
 * clock's bar code, what it costs, beside mpegts.js in the same run; and what happens when something goes wrong.
 *
 * LONG=1 plays for ten minutes as well. GOALS=1 looks at both players side by side five times, and makes a goal that is
 * missed a failure: on a machine that does nothing else. ONLY=words tells the stories whose name has these words, and
 * measures nothing.
 */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openBrowser, PROGRAM, percentiles, SHOTS, servePages, sleep, startDemo, until } from './lib.mjs';
import { bundleLive } from './live/bundle.mjs';
import { serveCrafted, tagsOf } from './live/crafted.mjs';
import { Cast, CRAFTED, CRAFTED_STORIES, enhancedStreams, STORIES } from './live/stories.mjs';
import { memoryOf } from './memory.mjs';
import { median, Report } from './report.mjs';
import { allOffsets } from './rtc/stories.mjs';

/** Of each player, in turn: a busy machine takes some of them aside. */
const RUNS = 9;
/** What one leaves behind is not the next one's. */
const REST_MS = 300;
const SIDE_BY_SIDE_S = 10;
const SETTLE_MS = 3000;
const COST_MS = 12_000;
/** A beep a second. */
const APART_MS = 20_000;
const APART_BEEPS_MIN = 15;
const SIDES = process.env.GOALS === '1' ? 5 : 1;
const LONG_MINUTES = process.env.LONG ? Number(process.env.LONG_MINUTES ?? 10) : 0;
const STORIES_AT_A_TIME = 6;
/** Garbage that is not collected yet, and the browser's own. */
const HEAP_GROWTH_KB_MAX = 2048;
/** The same of all of a renderer: what was played is kept for 20 s, some 2 MB, and its allocator gives little back. */
const RENDERER_GROWTH_KB_MAX = 16_384;
const { ONLY } = process.env;

const GOALS = { firstPictureMs: 400, delayMs: [1000, 3000], gzipBytes: 40_000, apartMs: 40 };
/** Who is not waited for is refused at once; one host takes only signed URLs. */
const CONFIG = `
[publish]
republish_wait_s = 4

[play]
wait_s = 0

[[account]]
bizid = "1"
profile = "vendor"

[[account.domain]]
action = "play"
host = "signed.test"
auth = true

[[account.domain]]
action = "play"
`;

const report = new Report('live', { size: null, runs: [], sideBySide: [], stories: [] });
const complaints = [];
const cleanUp = [];
let failed = 0;

try {
  await main();
} finally {
  for (const end of cleanUp.reverse()) await end();
}
process.exitCode = failed + report.missed > 0 ? 1 : 0;

async function main() {
  const built = await bundleLive();
  cleanUp.push(built.remove);
  report.data.size = { bytes: built.bytes, gzipBytes: built.gzipBytes };
  const here = (path) => fileURLToPath(new URL(path, import.meta.url));
  const pages = await servePages({
    sdk: built.folder,
    live: here('live'),
    mpegts: here('../node_modules/mpegts.js/dist'),
    rtc: here('rtc'),
  });
  cleanUp.push(pages.close);
  const pageUrl = `${pages.origin}/live/page.html`;
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-live-'));
  cleanUp.push(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'thalweg.toml');
  await writeFile(config, CONFIG);
  const dataDir = join(folder, 'data');
  const demo = await startDemo('--config', config, '--data-dir', dataDir);
  cleanUp.push(demo.stop);
  const { newPage, close, complaints: said } = await openBrowser();
  complaints.push(said);
  cleanUp.push(close);
  const cast = new Cast({ demo, dataDir, newPage, pageUrl, program: PROGRAM });
  cleanUp.push(() => cast.end());
  await clockRuns(cast.clockUrl);

  if (!ONLY) await measure(cast);
  const file = tagsOf(await makeFlv(folder));
  cast.crafted = await serveCrafted(file, { ...CRAFTED, ...(await enhancedStreams(folder, file)) });
  cleanUp.push(cast.crafted.close);
  const own = {
    'a server that is killed and started again': restart,
    'a browser that plays no sound unasked': unasked,
  };
  await tell({ ...STORIES, ...CRAFTED_STORIES, ...own }, cast);
  if (report.data.stories.length === 0) throw new Error(`no story has ${ONLY} in its name`);
  if (LONG_MINUTES > 0) await long(cast);
  await report.write();
  const exceptions = complaints.flat().filter((words) => words.startsWith('exception:'));
  assert.deepEqual(exceptions, [], 'what nobody caught');
}

/** The stream must be as deep as viewers start. */
async function clockRuns(url) {
  await until(async () => (await fetch(url, { method: 'HEAD' })).ok, 20_000, 'the clock runs');
  await sleep(2500);
}

/** Fifteen seconds with B-frames and sound. */
async function makeFlv(folder) {
  const file = join(folder, 'crafted.flv');
  const inputs = ['-f', 'lavfi', '-i', 'testsrc2=s=320x180:r=25:d=15', '-f', 'lavfi', '-i', 'sine=f=440:r=44100:d=15'];
  const codecs = [
    '-c:v',
    'libx264',
    '-preset',
    'veryfast',
    '-pix_fmt',
    'yuv420p',
    '-g',
    '25',
    '-bf',
    '2',
    '-c:a',
    'aac',
  ];
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-y', ...inputs, ...codecs, file]);
  return readFile(file);
}

/** First pictures in turn, and then both side by side. */
async function measure(cast) {
  for (let n = 0; n < RUNS; n++) {
    for (const who of n % 2 ? ['Ours', 'Theirs'] : ['Theirs', 'Ours']) {
      const viewer = await cast.viewer();
      await viewer.page.evaluate(([name, url]) => window[`play${name}`](url), [who, cast.clockUrl]);
      await until(async () => (await viewer.seen()).firstPictureMs !== null);
      const { firstPictureMs } = await viewer.seen();
      report.data.runs.push({ who, n, firstPictureMs: Math.round(firstPictureMs) });
      await viewer.leaves();
      await sleep(REST_MS);
    }
  }
  for (let n = 0; n < SIDES; n++) {
    const [ours, theirs] = await sideBySide(cast, ['Ours', 'Theirs'], SIDE_BY_SIDE_S);
    report.data.sideBySide.push({ seconds: SIDE_BY_SIDE_S, ours, theirs });
  }
  report.data.apart = await apart(cast);
  judge();
}

/** How far each beep is from its picture, ms. */
async function apart(cast) {
  const viewer = await cast.viewer();
  await viewer.play(cast.clockUrl);
  await viewer.said(2004);
  await viewer.page.evaluate(() => window.listen());
  await sleep(APART_MS);
  const all = allOffsets(await viewer.seen()).map(Math.round);
  await viewer.leaves();
  // The last one's picture may not have been shown yet, nor the first one's.
  return all.slice(1, -1);
}

/** Plays at the same time, each in a browser of its own, where it is in front; answers how each fared. */
async function sideBySide(cast, players, seconds) {
  const viewers = [];
  for (const who of players) {
    const browser = await openBrowser();
    complaints.push(browser.complaints);
    cleanUp.push(browser.close);
    const viewer = await cast.viewer(browser.newPage);
    const cdp = await viewer.page.context().newCDPSession(viewer.page);
    await cdp.send('Performance.enable');
    await viewer.page.evaluate(([name, url]) => window[`play${name}`](url), [who, cast.clockUrl]);
    viewers.push({ viewer, cdp, browser });
  }
  await sleep(SETTLE_MS);
  const before = await Promise.all(viewers.map(heldBy));
  await sleep(seconds * 1000 - SETTLE_MS);
  const after = await Promise.all(viewers.map(heldBy));
  const delays = [];
  for (const { viewer } of viewers) delays.push((await viewer.seen()).delays);
  const costs = await Promise.all(viewers.map(costOf));
  const results = [];
  for (const [n, { viewer, browser }] of viewers.entries()) {
    const { stalls, states } = await viewer.seen();
    const { p50, p95, max } = percentiles(delays[n].map(([, delay]) => delay));
    const least = Math.min(...delays[n].map(([, delay]) => delay));
    const codes = states.map(({ code }) => code);
    results.push({
      least,
      p50,
      p95,
      max,
      stalls: stalls.length,
      samples: delays[n].length,
      ...costs[n],
      ...Object.fromEntries(Object.entries(after[n]).map(([name, kb]) => [name, kb - before[n][name]])),
      codes,
    });
    await viewer.page.screenshot({ path: join(SHOTS, `live-${players[n].toLowerCase()}.png`) });
    await viewer.leaves();
    await browser.close();
    cleanUp.splice(cleanUp.indexOf(browser.close), 1);
  }
  return results;
}

/** What is kept, KB: by JavaScript, and by the processes. */
async function heldBy({ cdp, browser }) {
  await cdp.send('HeapProfiler.collectGarbage');
  const { metrics } = await cdp.send('Performance.getMetrics');
  const heapKb = Math.round(metrics.find(({ name }) => name === 'JSHeapUsedSize').value / 1024);
  return { heapKb, ...(await memoryOf(browser.profile)) };
}

/** What playing costs when nobody looks, ms of processor a second: of the page's own thread, and of its process. */
async function costOf({ viewer, cdp }) {
  await viewer.page.evaluate(() => {
    window.isUnwatched = true;
  });
  const read = () =>
    cdp.send('Performance.getMetrics').then(({ metrics }) => Object.fromEntries(metrics.map((m) => [m.name, m.value])));
  const before = await read();
  await sleep(COST_MS);
  const after = await read();
  const ms = (name) => Number((((after[name] - before[name]) * 1e6) / COST_MS).toFixed(1));
  return { mainMs: ms('ThreadTime'), processMs: ms('ProcessTime') };
}

/** Medians, but for bounds that always hold. */
function judge() {
  const first = (who) => median(report.data.runs.filter((run) => run.who === who).map((run) => run.firstPictureMs));
  const all = (who, what) => report.data.sideBySide.map((side) => side[who][what]);
  const [least, greatest] = [Math.min(...all('ours', 'least')), Math.max(...all('ours', 'max'))];
  const [ours, theirs] = ['ours', 'theirs'].map((who) => (what) => median(all(who, what)));
  const stalls = Math.max(...all('ours', 'stalls'));
  const { gzipBytes } = report.data.size;
  inBounds('', least, greatest, stalls);
  report.goal('first picture, ms', first('Ours'), `<= ${GOALS.firstPictureMs}`, first('Ours') <= GOALS.firstPictureMs);
  report.goal('size, gzip', gzipBytes, `<= ${GOALS.gzipBytes}`, gzipBytes <= GOALS.gzipBytes);
  const offsets = report.data.apart.map(Math.abs);
  const worst = offsets.length >= APART_BEEPS_MIN ? Math.max(...offsets) : Number.NaN;
  report.goal('sound against picture, ms', worst, `<= ${GOALS.apartMs}`, worst <= GOALS.apartMs);
  ahead('first picture, ms', first('Ours'), first('Theirs'));
  ahead('median delay, ms', ours('p50'), theirs('p50'));
  report.goal('stalls beside mpegts.js', ours('stalls'), `<= ${theirs('stalls')}`, ours('stalls') <= theirs('stalls'));
  ahead('main thread, ms a second', ours('mainMs'), theirs('mainMs'));
  // What decodes and draws is the browser's, the same for both, and nine tenths of it: level is as good as it gets.
  const [process, other] = [ours('processMs'), theirs('processMs')];
  report.goal('process beside mpegts.js, ms a second', process, `<= ${other}`, process <= other);
}

function ahead(what, ours, theirs) {
  report.goal(`${what} beside mpegts.js`, ours, `< ${theirs}`, ours < theirs);
}

function inBounds(where, least, greatest, stalls) {
  const [from, to] = GOALS.delayMs;
  report.goal(`${where}least delay, ms`, least, `>= ${from}`, least >= from);
  report.goal(`${where}greatest delay, ms`, greatest, `<= ${to}`, greatest <= to);
  report.goal(`${where}stalls`, stalls, '0', stalls === 0);
}

/** Tells stories, some at a time. */
async function tell(stories, cast) {
  const left = Object.entries(stories).filter(([name]) => !ONLY || name.includes(ONLY));
  const one = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [name, story] = next;
      const began = performance.now();
      const methods = ['viewer', 'stream', 'push', 'page'].map((method) => [method, cast[method]?.bind(cast)]);
      const given = Object.assign(Object.create(cast), Object.fromEntries(methods));
      const error = await story(given).then(
        () => null,
        (thrown) => thrown,
      );
      const seconds = (performance.now() - began) / 1000;
      report.data.stories.push({ name, ok: error === null, seconds, error: error && String(error.stack ?? error) });
      console.log(`${error ? 'FAILED' : 'passed'}  ${name}  ${seconds.toFixed(1)} s`);
      if (error) {
        failed += 1;
        console.log(error.stack ?? error);
      }
    }
  };
  await Promise.all(Array.from({ length: STORIES_AT_A_TIME }, one));
}

/** A server is killed, and started again on the same ports a little later. */
async function restart(cast) {
  const first = await startDemo();
  const { rtmp, http, https, operator } = first.ports;
  const url = `${first.origin}/live/clock.flv`;
  await clockRuns(url);
  const page = await cast.viewer();
  await page.play(url);
  await page.said(2004);
  process.kill(first.pid, 'SIGKILL');
  await page.said(2103);
  const ports = ['--rtmp-port', rtmp, '--http-port', http, '--https-port', https, '--operator-port', operator];
  const again = spawn(PROGRAM, ['demo', ...ports.map(String)], { cwd: first.folder, stdio: 'ignore' });
  const end = () => again.kill('SIGKILL');
  process.once('exit', end);
  try {
    await page.said(2004, 2);
    await page.moves(2000);
    assert.ok(!(await page.codes()).includes(-2301));
    await page.leaves();
  } finally {
    const gone = new Promise((resolve) => again.once('exit', resolve));
    end();
    await gone;
    process.off('exit', end);
    await first.stop();
  }
}

/** A browser as people have it: the picture waits, somebody clicks, and it plays; without sound it plays at once. */
async function unasked(cast) {
  const { newPage, close } = await openBrowser({ flags: ['--autoplay-policy=document-user-activation-required'] });
  try {
    const page = await cast.viewer(newPage, `#${encodeURIComponent(cast.clockUrl)}`);
    // Whatever is asked of the page counts as a gesture, which nobody makes here.
    await sleep(4000);
    await until(async () => (await page.seen()).states.some(({ reason }) => reason === 'autoplay'));
    await page.said(2032);
    const waiting = await page.video();
    assert.deepEqual([waiting.paused, waiting.muted], [true, false]);
    assert.ok(!(await page.codes()).includes(2004));
    await page.page.mouse.click(50, 50);
    await page.said(2004);
    await page.moves();
    assert.ok((await page.video()).ahead < 3.2);
    await page.leaves();
    const silent = await cast.viewer(newPage);
    await silent.play(cast.clockUrl, { muted: true });
    await silent.said(2004);
    await silent.leaves();
  } finally {
    await close();
  }
}

/** Ten minutes: within the caches, without a stall, and memory does not grow. */
async function long(cast) {
  const [ours] = await sideBySide(cast, ['Ours'], LONG_MINUTES * 60);
  report.data.long = { minutes: LONG_MINUTES, ...ours };
  const where = `${LONG_MINUTES} minutes: `;
  inBounds(where, ours.least, ours.max, ours.stalls);
  flat(`${where}heap has grown by, KB`, ours.heapKb, HEAP_GROWTH_KB_MAX);
  flat(`${where}renderer has grown by, KB`, ours.rendererKb, RENDERER_GROWTH_KB_MAX);
  flat(`${where}GPU process has grown by, KB`, ours.gpuKb, RENDERER_GROWTH_KB_MAX);
}

function flat(what, grownKb, most) {
  report.goal(what, grownKb, `<= ${most}`, grownKb <= most);
}
