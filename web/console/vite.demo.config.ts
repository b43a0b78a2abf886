import { fileURLToPath } from 'node:url';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';
import { miniProgram } from './archive.ts';
import { licences } from './licences.ts';

const server = process.env.SERVER ?? 'http://127.0.0.1:8080';
// What somebody else's element is, Vue leaves to the browser.
const isCustomElement = (tag: string) => tag.startsWith('live-');

/** The demo's pages, `/demo/` on the public port: no library but Vue, for phones on the network of a room. */
export default defineConfig({
  root: fileURLToPath(new URL('./demo', import.meta.url)),
  base: './',
  plugins: [vue({ template: { compilerOptions: { isCustomElement } } }), licences('The demo\'s pages contain these.'), miniProgram()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: process.env.DEMO_DIR ?? fileURLToPath(new URL('../../crates/console/assets/demo', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        // No hashes, as with the console's: a change of one page is a change of one file in the project's history.
        entryFileNames: '[name].js',
        chunkFileNames: 'part-[name].js',
        assetFileNames: '[name][extname]',
        codeSplitting: {
          groups: [
            { name: 'vue', test: /node_modules\/(@vue|vue)\// },
            { name: 'common', test: /(demo\/(lang|lib|parts)|src\/parts|node_modules\/uqr)\/|plugin-vue/ },
          ],
        },
      },
    },
  },
  server: { proxy: { '/weapp': server, '/live': { target: server, ws: true }, '/ull': server, '/sdk': server, '/demo/data.json': server, '/demo/time': server } },
});
