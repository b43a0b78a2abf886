/** What a browser's processes hold, as the system counts it: what leaks beside the JavaScript heap is seen there too. */

import { readdir, readFile } from 'node:fs/promises';

/** Memory of its own (not of files) of a browser's renderers and of its GPU process, KB; `profile` is its folder. */
export async function memoryOf(profile) {
  const found = { rendererKb: 0, gpuKb: 0 };
  const all = await processes();
  const main = all.find(({ words }) => words.includes(`--user-data-dir=${profile}`) && !words.includes('--type='));
  if (main === undefined) throw new Error(`no browser has ${profile}`);
  const isOf = (one) => one !== undefined && (one === main || isOf(all.find(({ pid }) => pid === one.parent)));
  for (const one of all.filter(isOf)) {
    if (one.words.includes('--type=renderer')) found.rendererKb += one.kb;
    if (one.words.includes('--type=gpu-process')) found.gpuKb += one.kb;
  }
  return found;
}

async function processes() {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const read = async (pid) => {
    const [words, status] = await Promise.all(
      ['cmdline', 'status'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')),
    );
    const field = (name) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    return { pid: Number(pid), parent: field('PPid'), kb: field('RssAnon'), words };
  };
  // Some are gone before they are read.
  return (await Promise.allSettled(pids.map(read))).flatMap(({ value }) => (value ? [value] : []));
}
