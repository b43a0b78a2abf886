/**
 * What the browser's tests share: a server of their own, a browser, pages from a folder.
 *
 * THALWEG is the program to test, CHROMIUM the browser; SHOTS a folder for screenshots and reports.
 */

import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

export const SHOTS = process.env.SHOTS ?? fileURLToPath(new URL('shots', import.meta.url));
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const PROGRAM = process.env.THALWEG ?? fileURLToPath(new URL('../../target/release/thalweg', import.meta.url));
const FLAGS = [
  '--no-sandbox',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
];

/** A port that was free a moment ago. */
async function freePort() {
  const probe = createTcpServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/**
 * `thalweg demo` in a folder of its own, with a running clock. `log` is what it said; `newUrls()` presses New;
 * `clockRtc()` asks for the clock's low-delay URL.
 */
export async function startDemo(...more) {
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-e2e-'));
  const [rtmp, http, https, operator] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const args = ['demo', '--rtmp-port', rtmp, '--http-port', http, '--https-port', https, '--operator-port', operator];
  const child = spawn(PROGRAM, [...args.map(String), ...more], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  // Whatever a test trips over, its server goes with it.
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  const log = [];
  child.stdout.on('data', (data) => log.push(String(data)));
  child.stderr.on('data', (data) => log.push(String(data)));
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const origin = `http://127.0.0.1:${http}`;
  const deadline = Date.now() + 20_000;
  while (
    !(await fetch(`${origin}/healthz`).then(
      (r) => r.ok,
      () => false,
    ))
  ) {
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`the server does not start:\n${log.join('')}`);
    await sleep(50);
  }
  const ask = async (path) => {
    const response = await fetch(`${origin}/weapp/utils/${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return {
    origin,
    operator: `http://127.0.0.1:${operator}`,
    ports: { rtmp, http, https, operator },
    folder,
    log,
    pid: child.pid,
    newUrls: () => ask('get_test_pushurl'),
    clockRtc: async () => (await ask('get_test_rtmpaccurl')).url_rtmpacc,
    /** URLs of a stream, as `thalweg sign` makes them. */
    async sign(...args) {
      const { stdout } = await promisify(execFile)(PROGRAM, ['sign', ...args, '--json'], { cwd: folder });
      return JSON.parse(stdout);
    },
    /** It is gone from one moment to the next. {@link stop} cleans up. */
    kill() {
      child.kill('SIGKILL');
      return gone;
    },
    async stop() {
      child.kill('SIGTERM');
      await gone;
      process.off('exit', end);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A browser. What its pages complain of is in `complaints`. */
export async function openBrowser({ flags = [], ...context } = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'thalweg-browser-'));
  await mkdir(SHOTS, { recursive: true });
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: [...FLAGS, ...flags],
    viewport: { width: 1280, height: 860 },
    permissions: ['camera', 'microphone', 'clipboard-read', 'clipboard-write'],
    ...context,
  });
  const complaints = [];
  const listen = (page) => {
    page.setDefaultTimeout(20_000);
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(`exception: ${error.stack ?? error.message}`));
  };
  browser.pages().forEach(listen);
  browser.on('page', listen);
  return {
    browser,
    complaints,
    profile,
    newPage: () => browser.newPage(),
    async close() {
      await browser.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** Serves `folders`, by their first path segment: `{ sdk: '/…/dist', pages: '/…/pages' }`. */
export async function servePages(folders) {
  const server = createServer(async (request, response) => {
    const [, first, ...rest] = normalize(new URL(request.url, 'http://x').pathname).split('/');
    const folder = folders[first];
    const body = folder && (await readFile(join(folder, ...rest)).catch(() => null));
    if (!body) return response.writeHead(404).end();
    const kind = KINDS[extname(rest.at(-1))] ?? 'application/octet-stream';
    response.writeHead(200, { 'content-type': kind, 'content-length': body.length }).end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

const KINDS = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `what()` is true. */
export async function until(what, ms = 20_000, words = String(what)) {
  for (const deadline = Date.now() + ms; ; await sleep(50)) {
    const value = await what();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${words}`);
  }
}

/** p50, p95, p99 and the greatest of some numbers; of none there is nothing to say. */
export function percentiles(numbers) {
  if (numbers.length === 0) throw new Error('nothing was measured');
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (p) => sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];
  return { n: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1) };
}
