import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import { aacWorker } from './aac-worker.ts';
import { licences } from './licences.ts';
import { FROM_SOURCE } from './vite.config.ts';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** What `scripts/sdk.mjs` asks for: one at a time, so that none shares a file with another. */
const ENTRIES: Record<string, string> = {
  'live-elements': file('src/define.ts'),
  'live-player': file('src/define-player.ts'),
  'tap-worklet': file('src/tap-worklet.ts'),
  'audio-worklet': file('../player/src/audio-worklet.ts'),
};
const name = process.env.ENTRY ?? 'live-elements';

/** What the server has under `/sdk/`: files that a page loads as they are. */
export default defineConfig({
  resolve: { alias: FROM_SOURCE },
  plugins: [tightStyles(), aacWorker(), licences()],
  // Relative: it does not care where it is served.
  base: './',
  build: {
    outDir: process.env.SDK_DIR,
    emptyOutDir: false,
    target: 'es2022',
    modulePreload: false,
    rolldownOptions: {
      input: { [name]: ENTRIES[name] ?? name },
      preserveEntrySignatures: 'strict',
      output: { entryFileNames: '[name].js', chunkFileNames: '[name].js' },
    },
  },
});

/** Styles as a browser needs them: a minifier leaves texts alone. */
function tightStyles(): Plugin {
  return {
    name: 'tight-styles',
    transform(code, id) {
      if (!/(styles|overlay)\.ts$/.test(id)) return null;
      return {
        code: code.replace(/STYLES = `[^`]*`/g, (text) => text.replace(/\s+/g, ' ').replace(/ ?([{:;,}]) /g, '$1')),
        map: null,
      };
    },
  };
}
