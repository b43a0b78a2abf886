/**
 * Builds what the server has under `/sdk/`, and says how large it is: `node scripts/sdk.mjs [FOLDER]`. Fails when an
 * element has grown beyond its bound.
 */

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const home = fileURLToPath(new URL('..', import.meta.url));
const kept = process.argv[2] ?? fileURLToPath(new URL('../../../../crates/console/assets/sdk', import.meta.url));
const vite = fileURLToPath(new URL('../../../node_modules/.bin/vite', import.meta.url));

/** What each page loads, and the most that may be, gzip: a page that plays, one that pushes too. */
const LOADS = [
  { name: 'live-player.js', files: ['live-player.js', 'audio-worklet.js'], most: 40_000 },
  { name: 'live-elements.js', files: ['live-elements.js', 'audio-worklet.js', 'tap-worklet.js'], most: 90_000 },
];
const LOADED_LATER = ['aac-encoder.js', 'aac-encoder-worker.js', 'aac-encoder.LICENSE.txt'];

// What is kept stays as it was until all is built and small enough.
const folder = mkdtempSync(join(tmpdir(), 'thalweg-sdk-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const entry of ['live-elements', 'live-player', 'audio-worklet', 'tap-worklet']) {
  const env = { ...process.env, ENTRY: entry, SDK_DIR: folder };
  execFileSync(vite, ['build', '-c', 'vite.sdk.config.ts', '--logLevel', 'warn'], { cwd: home, env, stdio: 'inherit' });
}

const expected = [...new Set([...LOADS.flatMap(({ files }) => files), ...LOADED_LATER])].sort();
const made = readdirSync(folder).sort();
if (made.join() !== expected.join()) throw new Error(`made ${made}, not ${expected}`);

const sizeOf = (file) => gzipSync(readFileSync(`${folder}/${file}`), { level: 9 }).length;
for (const { name, files, most } of LOADS) {
  const size = files.map(sizeOf).reduce((a, b) => a + b);
  console.log(`${name} with its worklets: ${size} bytes gzip, of ${most}`);
  if (size > most) throw new Error(`${name} is larger than ${most} bytes, gzip`);
}
console.log(`aac-encoder.js: ${sizeOf('aac-encoder.js')} bytes gzip`);

rmSync(kept, { recursive: true, force: true });
mkdirSync(kept, { recursive: true });
for (const file of made) copyFileSync(join(folder, file), join(kept, file));
