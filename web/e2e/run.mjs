/**
 * Runs what tests the web side with a browser, one after the other: `node e2e/run.mjs [NAME[:ARGUMENT]...]`, of which
 * `live` is live.e2e.mjs; all of them when none is named. `live:order` is only what has these words in its name, as
 * `push:over UDP` and `demo:desk:called` are. THALWEG is the program to test; SHOTS gets the screenshots, what each
 * reports (NAME.json), and report.json with all of that.
 */

import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SHOTS } from './lib.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const SUFFIX = '.e2e.mjs';

const all = (await readdir(here)).filter((file) => file.endsWith(SUFFIX)).map((file) => file.slice(0, -SUFFIX.length));
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !all.includes(name.split(':')[0]));
if (unknown.length > 0) {
  console.error(`there is no ${unknown.join(', ')}; there are ${all.sort().join(', ')}`);
  process.exit(2);
}

await mkdir(SHOTS, { recursive: true });
const results = [];
for (const name of wanted.length > 0 ? wanted : all.sort()) results.push(await run(name));

const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
await writeFile(
  join(SHOTS, 'report.json'),
  `${JSON.stringify({ date: new Date().toISOString(), machine, results }, null, 2)}\n`,
);
console.log('');
for (const { name, ok, seconds } of results)
  console.log(`${ok ? 'passed' : 'FAILED'}  ${name}  ${seconds.toFixed(1)} s`);
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;

/** Runs one, with what it says passed on as it comes. */
async function run(name) {
  const [file, ...given] = name.split(':');
  const report = join(SHOTS, `${file}.json`);
  // What a run before left is not what this one says.
  await rm(report, { force: true });
  console.log(`\n== ${name}`);
  const began = performance.now();
  const env = given.length > 0 ? { ...process.env, ONLY: given.at(-1) } : process.env;
  const child = spawn(process.execPath, [join(here, file + SUFFIX), ...given], { stdio: 'inherit', env });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  const said = await readFile(report, 'utf8').then(JSON.parse, () => null);
  const seconds = (performance.now() - began) / 1000;
  return { name, ok: code === 0, seconds, load: loadavg()[0], report: said };
}
