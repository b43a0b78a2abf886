/**
 * RTC mode in a real browser against a real server: how late pictures and sound are, by the clock's bar code and beeps,
 * on a clean path and on a bad one, and what happens when something goes wrong.
 *
 * GOALS=1 makes a goal that is missed a failure: on a machine that does nothing else.
 * LONG=1 plays for half an hour as well, and sees that delays stay, pictures and sound keep together and memory does not
 * grow. ONLY=words runs what
 * has these words in its name: a story, `clean` or `lossy`.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBrowser, PROGRAM, percentiles, servePages, sleep, startDemo } from './lib.mjs';
import { memoryOf } from './memory.mjs';
import { startLabPath, startRelay } from './relay.mjs';
import { median, Report } from './report.mjs';
import { bundle } from './rtc/bundle.mjs';
import { allOffsets, BLOCKED_STORIES, Cast, lateness, offsets, PATH_STORIES, STORIES } from './rtc/stories.mjs';

const RUNS = 5;
const RUN_MS = 3000;
/** What comes first fills the buffer, and starts the decoders. */
const SETTLE_PICTURES = 15;
const LONG_MINUTES = process.env.LONG ? Number(process.env.LONG_MINUTES ?? 30) : 0;
const STORIES_AT_A_TIME = 2;
/** Garbage that is not collected yet, and the browser's own. */
const HEAP_GROWTH_KB_MAX = 2048;
/** The same of all of a renderer, whose allocator gives little back. */
const PROCESS_GROWTH_KB_MAX = 16_384;
/** Of 60 beeps and 1500 pictures: what the machine takes aside. */
const BEEPS_A_MINUTE_MIN = 55;
const PICTURES_A_MINUTE_MIN = 1400;
/** The page starts its decoders, and fills its caches. */
const SETTLE_MINUTES = 2;
/** A beep and its picture may be this far apart to be taken for one of the other, and come on both sides of a minute. */
const EDGE_MS = 1000;
const { ONLY } = process.env;

const GOALS = {
  clean: { firstPictureMs: 200, p95Ms: 120, apartMs: 40 },
  lossy: { p95Ms: 350 },
};
const report = new Report('rtc', { runs: [], stories: [] });
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
  const built = await bundle();
  cleanUp.push(built.remove);
  const pages = await servePages({ sdk: built.folder, rtc: fileURLToPath(new URL('rtc', import.meta.url)) });
  cleanUp.push(pages.close);
  const pageUrl = `${pages.origin}/rtc/page.html`;
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-rtc-'));
  cleanUp.push(() => rm(folder, { recursive: true, force: true }));

  const open = async (flags = []) => {
    const browser = await openBrowser({ flags: ['--host-resolver-rules=MAP insecure.test 127.0.0.1', ...flags] });
    cleanUp.push(browser.close);
    complaints.push(browser.complaints);
    return browser;
  };
  // A server behind a path that is as bad as it is told to be.
  const relay = await startRelay({});
  cleanUp.push(relay.close);
  const config = join(folder, 'thalweg.toml');
  await writeFile(config, `[udp]\npublic_port = ${relay.port}\n\n[publish]\nrepublish_wait_s = 3\n`);
  const dataDir = join(folder, 'data');
  const demo = await startDemo('--config', config, '--data-dir', dataDir);
  cleanUp.push(demo.stop);
  relay.path.to = demo.ports.rtmp;
  const plain = await startDemo();
  cleanUp.push(plain.stop);

  const { newPage, profile } = await open();
  const cast = new Cast({ demo, dataDir, relay, newPage, pageUrl, program: PROGRAM });
  cleanUp.push(() => cast.end());
  const direct = new Cast({ demo: plain, newPage, pageUrl, program: PROGRAM });

  for (let n = 0; n < RUNS && isChosen('clean'); n++) await measure('clean', n, direct);
  if (isChosen('lossy')) {
    const lab = await startLabPath(demo.ports.rtmp, ['--cells', 'loss-5', '--rtt', '50']);
    cleanUp.push(lab.close);
    relay.path.to = lab.port;
    for (let n = 0; n < RUNS; n++) await measure('lossy', n, cast);
    relay.path.to = demo.ports.rtmp;
    await lab.close();
  }
  judge();
  await tell(STORIES, cast, STORIES_AT_A_TIME);
  await tell(PATH_STORIES, cast, 1);
  if (chosen(BLOCKED_STORIES).length > 0) {
    const blocked = await open(['--autoplay-policy=document-user-activation-required']);
    await tell(BLOCKED_STORIES, new Cast({ demo: plain, newPage: blocked.newPage, pageUrl, program: PROGRAM }), 1);
  }
  if (report.data.stories.length + report.data.runs.length === 0) throw new Error(`nothing has ${ONLY} in its name`);
  if (LONG_MINUTES > 0) await long(direct, LONG_MINUTES, profile);
  await report.write();
  const exceptions = complaints.flat().filter((words) => words.startsWith('exception:'));
  if (exceptions.length > 0) throw new Error(`what nobody caught: ${exceptions.join('; ')}`);
}

/** One play, as a page asks for it: when its first picture was there, and how late pictures and sound were. */
async function measure(path, n, cast) {
  const viewer = await cast.viewer(await cast.clock(), { how: 'playUrl' });
  await sleep(RUN_MS);
  const seen = await viewer.seen();
  const status = seen.statuses.at(-1);
  await viewer.quits();
  const late = percentiles(lateness(seen.pictures.slice(SETTLE_PICTURES)));
  const apart = offsets(seen)
    .map(Math.abs)
    .sort((a, b) => a - b);
  const run = {
    path,
    n,
    firstPictureMs: Math.round(seen.firstPictureMs),
    p50Ms: Math.round(late.p50),
    p95Ms: Math.round(late.p95),
    maxMs: Math.round(late.max),
    pictures: late.n,
    apartMs: Math.round(apart.at(-1) ?? Number.NaN),
    freezes: status.freezes,
    targetMs: status.audioCacheThreshold - 30,
    jitterMs: status.netJitter,
    toldMs: status.delay,
  };
  report.data.runs.push(run);
  console.log(
    Object.entries(run)
      .map(([name, value]) => `${name} ${value}`)
      .join('  '),
  );
}

/** Medians against goals. */
function judge() {
  for (const [path, goals] of Object.entries(GOALS)) {
    const runs = report.data.runs.filter((run) => run.path === path);
    if (runs.length === 0) continue;
    for (const [what, most] of Object.entries(goals))
      atMost(`${path}: ${what}`, median(runs.map((run) => run[what])), most);
  }
}

function atMost(what, value, most) {
  report.goal(what, value, `<= ${most}`, value <= most);
}

function isChosen(name) {
  return !ONLY || name.includes(ONLY);
}

function chosen(stories) {
  return Object.entries(stories).filter(([name]) => isChosen(name));
}

/** Plays stories, some at a time. */
async function tell(stories, cast, atATime) {
  const left = chosen(stories);
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) await tellOne(next[0], next[1], cast);
  };
  await Promise.all(Array.from({ length: atATime }, work));
}

async function tellOne(name, story, cast) {
  const began = Date.now();
  let fault = null;
  await story(cast).catch((error) => {
    fault = error.stack ?? String(error);
    failed += 1;
  });
  report.data.stories.push({ name, ms: Date.now() - began, fault });
  console.log(`${fault ? 'FAILED' : 'ok    '}  ${name} (${Date.now() - began} ms)${fault ? `\n${fault}` : ''}`);
}

/** Half an hour: every minute how late, how far apart, and how much memory. */
async function long(cast, minutes, profile) {
  const viewer = await cast.viewer(await cast.clock(), { how: 'playUrl' });
  const cdp = await viewer.page.context().newCDPSession(viewer.page);
  const rows = [];
  report.data.minutes = rows;
  let left = { pictures: [], beeps: [] };
  for (let minute = 1; minute <= minutes; minute++) {
    await sleep(60_000);
    const seen = await takeSeen(viewer.page);
    const all = { pictures: [...left.pictures, ...seen.pictures], beeps: [...left.beeps, ...seen.beeps] };
    const edge = (all.pictures.at(-1)?.[0] ?? 0) - EDGE_MS;
    const beeps = all.beeps.filter((at) => at < edge);
    left = {
      pictures: all.pictures.filter(([at]) => at > edge - EDGE_MS),
      beeps: all.beeps.filter((at) => at >= edge),
    };
    await cdp.send('HeapProfiler.collectGarbage');
    const { usedSize } = await cdp.send('Runtime.getHeapUsage');
    const late = percentiles(lateness(seen.pictures));
    const apart = percentiles(allOffsets({ ...all, beeps }).map(Math.abs));
    const [p50Ms, p95Ms, maxMs, apartP50Ms, apartP95Ms, apartMaxMs] = [
      ...[late.p50, late.p95, late.max],
      ...[apart.p50, apart.p95, apart.max],
    ].map(Math.round);
    const times = { p50Ms, p95Ms, maxMs, apartP50Ms, apartP95Ms, apartMaxMs };
    const held = { heapKb: Math.round(usedSize / 1024), ...(await memoryOf(profile)) };
    const counts = { pictures: late.n, beeps: seen.beeps.length, freezes: seen.freezes };
    rows.push({ minute, ...times, ...held, ...counts });
    console.log(JSON.stringify(rows.at(-1)));
  }
  await viewer.quits();
  judgeLong(rows);
}

function takeSeen(page) {
  return page.evaluate(() => {
    const { pictures, beeps, statuses, volumes } = window.seen;
    const taken = { pictures: pictures.splice(0), beeps: beeps.splice(0), freezes: statuses.at(-1).freezes };
    statuses.length = 0;
    volumes.length = 0;
    return taken;
  });
}

/** The whole of the time counts, but for memory. */
function judgeLong(rows) {
  const where = `${rows.length} minutes`;
  const most = (what) => Math.max(...rows.map((row) => row[what]));
  const least = (what) => Math.min(...rows.map((row) => row[what]));
  atMost(`${where}: p95 of the worst minute, ms`, most('p95Ms'), GOALS.clean.p95Ms);
  atMost(`${where}: picture and sound apart, p95 of the worst minute, ms`, most('apartP95Ms'), GOALS.clean.apartMs);
  atMost(`${where}: picture and sound apart, most, ms`, most('apartMaxMs'), GOALS.clean.apartMs);
  atMost(`${where}: freezes`, most('freezes'), 0);
  for (const [what, wanted] of [
    ['beeps', BEEPS_A_MINUTE_MIN],
    ['pictures', PICTURES_A_MINUTE_MIN],
  ]) {
    report.goal(`${where}: ${what} a minute`, least(what), `>= ${wanted}`, least(what) >= wanted);
  }
  const settled = rows.slice(SETTLE_MINUTES);
  const grown = (what) => (settled.at(-1)?.[what] ?? Number.NaN) - settled[0]?.[what];
  atMost(`${where}: heap has grown by, KB`, grown('heapKb'), HEAP_GROWTH_KB_MAX);
  atMost(`${where}: renderers have grown by, KB`, grown('rendererKb'), PROCESS_GROWTH_KB_MAX);
  atMost(`${where}: GPU process has grown by, KB`, grown('gpuKb'), PROCESS_GROWTH_KB_MAX);
}
