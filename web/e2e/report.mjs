/**
 * What a test measures, with when, where and how busy the machine was: SHOTS/NAME.json, made to be kept.
 *
 * GOALS=1 makes a goal that is missed a failure: on a machine that does nothing else. A busy one is late, and nobody's
 * fault: there a goal is measured, told and written down.
 */

import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { CHROMIUM, SHOTS } from './lib.mjs';

const GOALS_COUNT = process.env.GOALS === '1';

export function machine() {
  const chromium = execFileSync(CHROMIUM, ['--version'], { encoding: 'utf8' }).trim();
  return {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memoryMb: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    node: process.version,
    chromium,
  };
}

/** A test adds what it likes to `data`. */
export class Report {
  #missed = 0;

  constructor(name, more = {}) {
    this.name = name;
    this.data = { date: new Date().toISOString(), machine: machine(), load: loadavg()[0], goals: [], ...more };
  }

  /** Goals that count and were missed. */
  get missed() {
    return GOALS_COUNT ? this.#missed : 0;
  }

  /** `wanted` says in words what `isMet` has found. */
  goal(what, value, wanted, isMet) {
    this.data.goals.push({ what, value, wanted, isMet });
    console.log(`${isMet ? 'met   ' : 'MISSED'}  ${what}: ${value}, goal ${wanted}`);
    if (!isMet) this.#missed += 1;
  }

  async write() {
    this.data.loadAfter = loadavg()[0];
    await mkdir(SHOTS, { recursive: true });
    await writeFile(join(SHOTS, `${this.name}.json`), `${JSON.stringify(this.data, null, 2)}\n`);
  }
}

export function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
