/** Checks of the elements, each on a page of its own, a few at a time: most of what they do is wait. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLab } from './lab.mjs';
import { openBrowser, SHOTS, startDemo } from './lib.mjs';
import { Report } from './report.mjs';

/**
 * Runs them and writes how long they took, and what else `room.timings` has, to SHOTS/`name`.json. `room` is what they
 * share: a server with a clock, the clock's URL for RTC mode, a folder, `timings`, and how to open the page by another
 * host's name, which is no secure one. Only those with `only` in their names.
 */
export async function runChecks(name, checks, only = '') {
  const waiting = Object.entries(checks).filter(([words]) => words.includes(only));
  assert.ok(waiting.length > 0, `nothing has ${only} in its name`);
  const report = new Report(name);
  const shell = await openBrowser({ flags: [`--host-resolver-rules=MAP ${ELSEWHERE} 127.0.0.1`] });
  const pages = await openLab();
  const server = await startDemo();
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-checks-'));
  // It may be asked for five times a minute.
  const openElsewhere = () => pages.open(shell, ELSEWHERE);
  const room = { server, folder, clock: await server.clockRtc(), timings: {}, openElsewhere };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, () => lane(waiting, shell, pages, room)));
    assert.deepEqual(shell.complaints.filter(isUnexpected), [], 'what the browser complained of');
  } finally {
    report.data.timings = room.timings;
    await report.write();
    await shell.close();
    await pages.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function lane(waiting, shell, pages, room) {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const [name, check] = next;
    const began = performance.now();
    const page = await pages.open(shell);
    try {
      await check(page, room);
    } catch (error) {
      await page.screenshot({ path: join(SHOTS, 'failure.png') }).catch(() => {});
      const said = JSON.stringify(await page.everything().catch(() => null));
      throw new Error(`${name}: ${error.message}\n${said}`, { cause: error });
    }
    await page.close();
    room.timings[name] = Math.round(performance.now() - began);
    console.log(`${(room.timings[name] / 1000).toFixed(1).padStart(5)} s  ${name}`);
  }
}

/** But for what the browser itself says of requests that a check makes fail. An exception is one whatever its words. */
function isUnexpected(said) {
  return said.startsWith('exception:') || !/Failed to load resource|ERR_CONNECTION|WebTransport|net::ERR/.test(said);
}

const AT_ONCE = 3;
const ELSEWHERE = 'elsewhere.test';
