/** The real server for the tests: `thalweg demo`, the program that THALWEG names, in a folder of its own. */

const { spawn } = require('node:child_process');
const { mkdtemp, rm } = require('node:fs/promises');
const { createServer } = require('node:net');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

/** A demo; `ask` is what stands behind `wx.request` while it runs, whatever host the mini-program names. */
async function startDemo() {
  const program = process.env.THALWEG;
  if (!program)
    throw new Error('THALWEG is not set: it names the program to test, as in THALWEG=target/release/thalweg');
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-mini-'));
  const ports = {};
  for (const name of ['rtmp', 'http', 'https', 'operator']) ports[name] = await freePort();
  const args = Object.entries(ports).flatMap(([name, port]) => [`--${name}-port`, String(port)]);
  const child = spawn(program, ['demo', ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = [];
  for (const out of [child.stdout, child.stderr]) out.on('data', (data) => log.push(String(data)));
  // Whatever a test trips over, its server goes with it.
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  const gone = new Promise((resolve, reject) => {
    child.once('exit', resolve);
    child.once('error', (error) => reject(new Error(`THALWEG=${program} does not run: ${error.message}`)));
  });
  const origin = `http://127.0.0.1:${ports.http}`;
  const isUp = () =>
    fetch(`${origin}/healthz`)
      .then(({ ok }) => ok)
      .catch(() => false);
  const up = (async () => {
    for (const deadline = Date.now() + START_MS; !(await isUp()); await sleep(50)) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`no start:\n${log.join('')}`);
    }
  })();
  await Promise.race([up, gone.then(() => up)]);
  return {
    origin,
    program,
    /** As `wx.request` is answered: any status is a success, the body is read as JSON where it is. */
    async ask(url) {
      const { pathname, search } = new URL(url);
      const response = await fetch(`${origin}${pathname}${search}`);
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('json');
      return {
        statusCode: response.status,
        data: isJson ? JSON.parse(text) : text,
        header: Object.fromEntries(response.headers),
      };
    },
    async stop() {
      child.kill('SIGTERM');
      await gone;
      process.off('exit', end);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A port that was free a moment ago. */
async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Milliseconds for a start on a busy machine. */
const START_MS = 20_000;

module.exports = { startDemo };
