/**
 * RTC mode in a real browser against a real server: how late pictures and sound are, by the clock's bar code and beeps,
 * on a clean path and on a bad one, and what happens when something goes wrong.
 *
 * GOALS=1 makes a goal that is missed a failure: on a machine that does nothing else.
 * LONG=1 plays for half an hour as well, and sees that delays stay and memory does not grow. ONLY=words runs what
 * has these words in its name: a story, `clean` or `lossy`.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBrowser, PROGRAM, percentiles, SHOTS, servePages, sleep, startDemo } from './lib.mjs';
import { startRelay } from './relay.mjs';
import { bundle } from './rtc/bundle.mjs';
import { BLOCKED_STORIES, Cast, lateness, offsets, PATH_STORIES, STORIES } from './rtc/stories.mjs';

const RUNS = 5;
const RUN_MS = 3000;
/** What comes first fills the buffer, and starts the decoders. */
const SETTLE_PICTURES = 15;
/** A busy machine is late, and nobody's fault: without this a goal is measured, told and kept. */
const GOALS_COUNT = process.env.GOALS === '1';
const LONG_MINUTES = process.env.LONG ? Number(process.env.LONG_MINUTES ?? 30) : 0;
const STORIES_AT_A_TIME = 2;
/** Garbage that is not collected yet, and the browser's own. */
const HEAP_GROWTH_KB_MAX = 2048;
const { ONLY } = process.env;

const GOALS = {
  clean: { firstPictureMs: 200, p95Ms: 120, apartMs: 40 },
  lossy: { p95Ms: 350 },
};
const report = { load: loadavg()[0], runs: [], goals: [], stories: [] };
const cleanUp = [];
let failed = 0;

try {
  await main();
} finally {
  for (const end of cleanUp.reverse()) await end();
}
process.exitCode = failed > 0 ? 1 : 0;

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

  const { newPage } = await open();
  const cast = new Cast({ demo, dataDir, relay, newPage, pageUrl, program: PROGRAM });
  cleanUp.push(() => cast.end());
  const direct = new Cast({ demo: plain, newPage, pageUrl, program: PROGRAM });

  for (let n = 0; n < RUNS && isChosen('clean'); n++) await measure('clean', n, direct);
  Object.assign(relay.path, { rttMs: 50, loss: 0.05 });
  for (let n = 0; n < RUNS && isChosen('lossy'); n++) await measure('lossy', n, cast);
  Object.assign(relay.path, { rttMs: 0, loss: 0 });
  judge();
  await tell(STORIES, cast, STORIES_AT_A_TIME);
  await tell(PATH_STORIES, cast, 1);
  if (chosen(BLOCKED_STORIES).length > 0) {
    const blocked = await open(['--autoplay-policy=document-user-activation-required']);
    await tell(BLOCKED_STORIES, new Cast({ demo: plain, newPage: blocked.newPage, pageUrl, program: PROGRAM }), 1);
  }
  if (report.stories.length + report.runs.length === 0) throw new Error(`nothing has ${ONLY} in its name`);
  if (LONG_MINUTES > 0) await long(direct, LONG_MINUTES);
  report.loadAfter = loadavg()[0];
  await writeFile(join(SHOTS, 'rtc.json'), `${JSON.stringify(report, null, 2)}\n`);
}

/** One play: when its first picture was there, and how late pictures and sound were. */
async function measure(path, n, cast) {
  const viewer = await cast.viewer(await cast.clock());
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
  report.runs.push(run);
  console.log(
    Object.entries(run)
      .map(([name, value]) => `${name} ${value}`)
      .join('  '),
  );
}

/** Medians against goals. */
function judge() {
  for (const [path, goals] of Object.entries(GOALS)) {
    const runs = report.runs.filter((run) => run.path === path);
    if (runs.length === 0) continue;
    for (const [what, most] of Object.entries(goals)) {
      const median = runs.map((run) => run[what]).sort((a, b) => a - b)[Math.floor(runs.length / 2)];
      const isMet = median <= most;
      report.goals.push({ path, what, median, most, isMet });
      console.log(`${isMet ? 'met   ' : 'MISSED'}  ${path}: ${what} ${median}, goal ${most}`);
      if (!isMet && GOALS_COUNT) failed += 1;
    }
  }
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
  report.stories.push({ name, ms: Date.now() - began, fault });
  console.log(`${fault ? 'FAILED' : 'ok    '}  ${name} (${Date.now() - began} ms)${fault ? `\n${fault}` : ''}`);
}

/** Half an hour: every minute how late, how far apart, and how much memory. */
async function long(cast, minutes) {
  const viewer = await cast.viewer(await cast.clock());
  const cdp = await viewer.page.context().newCDPSession(viewer.page);
  report.minutes = [];
  for (let minute = 1; minute <= minutes; minute++) {
    await sleep(60_000);
    const seen = await viewer.page.evaluate(() => {
      const { pictures, beeps, ends, statuses } = window.seen;
      const taken = { pictures: pictures.splice(0), beeps: beeps.splice(0), ends, freezes: statuses.at(-1).freezes };
      window.seen.statuses.length = 0;
      window.seen.volumes.length = 0;
      return taken;
    });
    await cdp.send('HeapProfiler.collectGarbage');
    const { usedSize } = await cdp.send('Runtime.getHeapUsage');
    const late = percentiles(lateness(seen.pictures));
    const apart = percentiles(offsets(seen).map(Math.abs));
    report.minutes.push({
      minute,
      p95Ms: Math.round(late.p95),
      apartP50Ms: Math.round(apart.p50),
      apartMs: Math.round(apart.p95),
      heapKb: Math.round(usedSize / 1024),
      pictures: late.n,
      beeps: seen.beeps.length,
      freezes: seen.freezes,
    });
    console.log(JSON.stringify(report.minutes.at(-1)));
    if (seen.ends.length > 0) throw new Error(`it ended: ${JSON.stringify(seen.ends)}`);
  }
  await viewer.quits();
  const settled = report.minutes.slice(2);
  const grown = settled.at(-1).heapKb - settled[0].heapKb;
  const apart = Math.max(...settled.map((row) => row.apartMs));
  console.log(`95 of 100 beeps at most ${apart} ms from their picture, heap grown by ${grown} kB`);
  if (apart > GOALS.clean.apartMs || grown > HEAP_GROWTH_KB_MAX) failed += 1;
}
