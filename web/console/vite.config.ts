import { fileURLToPath } from 'node:url';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vitest/config';
import { licences } from './licences.ts';

// TDesign has these in files of its own.
const WITHIN = ['dayjs', '@babel/runtime'];
const api = process.env.API ?? 'http://127.0.0.1:8081';

export default defineConfig({
  // Relative: the pages do not care under which path they are served.
  base: './',
  plugins: [vue(), licences('The console\'s pages contain these.', WITHIN)],
  resolve: {
    alias: {
      '@': fileURLToPath(new URL('./src', import.meta.url)),
      // From its sources: the pages are built without building packages first.
      '@thalweg/player/live': fileURLToPath(new URL('../packages/player/src/live-only.ts', import.meta.url)),
    },
  },
  build: {
    outDir: process.env.OUT_DIR ?? '../../crates/console/assets/console',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
    cssCodeSplit: false,
    // A data: URL in a style is an image the policy allows; a font in one is not.
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        // No hashes: a change of one page is a change of one file in the project's history.
        // The server sends an ETag with each and has it asked for every time.
        entryFileNames: '[name].js',
        chunkFileNames: 'part-[name].js',
        assetFileNames: '[name][extname]',
        codeSplitting: {
          groups: [
            { name: 'vue', test: /node_modules\/(@vue|vue|vue-router)\// },
            // What several pages share; what only some need comes with them.
            { name: 'common', test: /src\/(api|lang|lib|parts)\/(?!Chart|StatisticsChart|Preview|ForbidDialog|CategoryPicker|QrCode)/ },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': api } },
  test: { include: ['tests/**/*.test.ts'] },
});
