import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { aacWorker } from './aac-worker.ts';
import { licences } from './licences.ts';

const player = (file: string) => fileURLToPath(new URL(`../player/src/${file}`, import.meta.url));
/** The player's own sources: tests and the SDK use these, the package asks for the player's package. */
export const FROM_SOURCE = [
  { find: /^@thalweg\/player\/wire$/, replacement: player('wire.ts') },
  { find: /^@thalweg\/player$/, replacement: player('index.ts') },
];

/** The package: modules of the elements' own, with what codes AAC beside them. */
export default defineConfig(({ command }) => ({
  resolve: { alias: command === 'build' ? [] : FROM_SOURCE },
  plugins: [aacWorker(), licences()],
  build: {
    lib: {
      entry: {
        index: 'src/index.ts',
        define: 'src/define.ts',
        'define-player': 'src/define-player.ts',
        'tap-worklet': 'src/tap-worklet.ts',
      },
      formats: ['es'],
    },
    target: 'es2022',
    minify: false,
    sourcemap: true,
    rolldownOptions: { external: /^@thalweg\/player/, output: { chunkFileNames: '[name].js' } },
  },
  test: { include: ['tests/**/*.test.ts'] },
}));
