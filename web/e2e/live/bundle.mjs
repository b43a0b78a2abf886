/** The player's live mode as an application has it: bundled and minified from the sources. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

export async function bundleLive() {
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-live-'));
  const entry = (name) => fileURLToPath(new URL(`../../packages/player/src/${name}`, import.meta.url));
  await build({
    configFile: false,
    logLevel: 'error',
    root: fileURLToPath(new URL('.', import.meta.url)),
    // Of a library Vite keeps the white space, which a bundle of an application has not.
    build: {
      rolldownOptions: {
        input: { live: entry('live-only.ts') },
        preserveEntrySignatures: 'strict',
        output: { entryFileNames: '[name].js' },
      },
      modulePreload: { polyfill: false },
      outDir: folder,
      emptyOutDir: true,
      target: 'es2022',
      minify: true,
    },
  });
  const files = (await readdir(folder)).filter((name) => name.endsWith('.js'));
  const bodies = await Promise.all(files.map((name) => readFile(join(folder, name))));
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
  const gzipBytes = bodies.reduce((sum, body) => sum + gzipSync(body, { level: 9 }).length, 0);
  return { folder, bytes, gzipBytes, remove: () => rm(folder, { recursive: true, force: true }) };
}
