/**
 * Elements that come and go, fifty times, in both modes: nothing of them is left. What a browser opens for them is
 * counted from within the page - all that is opened has been closed - and from outside, by what the engine still holds.
 *
 *   node e2e/mounts.e2e.mjs [ROUNDS]
 */

import assert from 'node:assert/strict';
import { openLab } from './lab.mjs';
import { openBrowser, sleep, startDemo, until } from './lib.mjs';
import { Report } from './report.mjs';

const ROUNDS = Number(process.argv[2] ?? 50);
/** What a round leaves behind when it leaves nothing is noise: so much for all rounds after the first ten, bytes. */
const GROWTH_MAX = 1_500_000;
const HELD = ['LivePlayer', 'WebTransport', 'AudioContext', 'VideoDecoder', 'AudioDecoder', 'MediaSource', 'WebSocket'];

const shell = await openBrowser();
await shell.browser.addInitScript(countOpened);
const pages = await openLab();
const server = await startDemo();
try {
  const page = await pages.open(shell);
  const engine = await page.context().newCDPSession(page);
  const url = await server.clockRtc();
  const heaps = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const name = `round ${round}`;
    const mode = round % 2 === 0 ? 'RTC' : 'live';
    await page.mount(name, { src: url, mode, autoplay: '', muted: '', debug: '', 'http-origin': server.origin });
    // Not all get as far as a picture: some leave on the way there.
    if (round % 5 !== 4) await page.hears(name, [2004]);
    else await sleep(round * 2);
    await page.evaluate((it) => lab.unmount(it), name);
    if (round % 10 === 9) heaps.push(await heap(engine));
  }
  const open = () => page.evaluate(() => globalThis.opened.filter(({ isOpen }) => isOpen()).map(({ kind }) => kind));
  await until(async () => (await open()).length === 0, 5000, 'all is closed').catch(async () => {
    assert.deepEqual(await open(), [], 'still open');
  });
  const opened = await page.evaluate(() =>
    Map.groupBy(globalThis.opened, ({ kind }) => kind)
      .entries()
      .map(([kind, all]) => [kind, all.length])
      .toArray(),
  );
  await page.evaluate(() => globalThis.opened.splice(0));
  await heap(engine);
  const held = await page.evaluate(() => 0).then(() => countHeld(engine));
  console.log('opened, and closed:', Object.fromEntries(opened));
  console.log('still held:', held);
  console.log('heap, MB:', heaps.map((bytes) => (bytes / 1e6).toFixed(2)).join(' '));
  const report = new Report('mounts', { rounds: ROUNDS, opened, held, heaps });
  await report.write();
  // The last one may stand in a register or a cache.
  for (const [kind, count] of Object.entries(held)) assert.ok(count <= 1, `${count} of ${kind} are held`);
  assert.ok(heaps.at(-1) - heaps[0] < GROWTH_MAX, `the heap grows: ${heaps}`);
  assert.equal(await page.locator('live-player').count(), 0);
  assert.deepEqual(shell.complaints, []);
} finally {
  await shell.close();
  await pages.close();
  await server.stop();
}
console.log('nothing is left behind');

/** In the page: notes what is opened, with how to tell whether it still is. */
function countOpened() {
  globalThis.opened = [];
  const watch = (kind, isOpen) => {
    const Real = globalThis[kind];
    if (!Real) return;
    globalThis[kind] = class extends Real {
      constructor(...args) {
        super(...args);
        globalThis.opened.push({ kind, isOpen: isOpen(this) });
      }
    };
    Object.defineProperty(globalThis[kind], 'name', { value: kind });
  };
  watch('WebTransport', (it) => {
    let isOpen = true;
    const end = () => {
      isOpen = false;
    };
    it.closed.then(end, end);
    return () => isOpen;
  });
  watch('AudioContext', (it) => () => it.state !== 'closed');
  watch('VideoDecoder', (it) => () => it.state !== 'closed');
  watch('AudioDecoder', (it) => () => it.state !== 'closed');
  watch('MediaSource', (it) => () => it.readyState === 'open');
  watch('WebSocket', (it) => () => it.readyState < WebSocket.CLOSING);
  const { createObjectURL, revokeObjectURL } = URL;
  const urls = new Set();
  URL.createObjectURL = (what) => {
    const url = createObjectURL.call(URL, what);
    urls.add(url);
    globalThis.opened.push({ kind: 'object URL', isOpen: () => urls.has(url) });
    return url;
  };
  URL.revokeObjectURL = (url) => {
    urls.delete(url);
    revokeObjectURL.call(URL, url);
  };
  const { fetch } = globalThis;
  globalThis.fetch = async (...args) => {
    const { signal } = args[1] ?? {};
    let isOpen = true;
    globalThis.opened.push({ kind: 'fetch', isOpen: () => isOpen && !signal?.aborted });
    try {
      const response = await fetch(...args);
      const length = response.headers.get('content-length');
      if (!response.body || length !== null) isOpen = false;
      return response;
    } catch (error) {
      isOpen = false;
      throw error;
    }
  };
}

async function heap(engine) {
  await engine.send('HeapProfiler.enable');
  await engine.send('HeapProfiler.collectGarbage');
  return (await engine.send('Runtime.getHeapUsage')).usedSize;
}

/** How many of each the engine holds, after a collection. */
async function countHeld(engine) {
  const counts = {};
  for (const kind of HELD) {
    const expression = kind === 'LivePlayer' ? `customElements.get('live-player').prototype` : `${kind}.prototype`;
    const { result } = await engine.send('Runtime.evaluate', { expression });
    const { objects } = await engine.send('Runtime.queryObjects', { prototypeObjectId: result.objectId });
    const { result: length } = await engine.send('Runtime.callFunctionOn', {
      objectId: objects.objectId,
      functionDeclaration: 'function () { return this.length; }',
      returnByValue: true,
    });
    counts[kind] = length.value;
  }
  return counts;
}
