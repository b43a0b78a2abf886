/** The parts of the player that these pages take, built from the sources as the package is. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

export async function bundle() {
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-rtc-'));
  const entry = (name) => fileURLToPath(new URL(name, import.meta.url));
  await build({
    configFile: false,
    logLevel: 'error',
    root: fileURLToPath(new URL('.', import.meta.url)),
    build: {
      lib: {
        entry: { rtc: entry('sdk.ts'), 'audio-worklet': entry('../../packages/player/src/audio-worklet.ts') },
        formats: ['es'],
      },
      outDir: folder,
      emptyOutDir: true,
      target: 'es2022',
      minify: false,
    },
  });
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
