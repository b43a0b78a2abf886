import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import vue from '@vitejs/plugin-vue';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const api = process.env.API ?? 'http://127.0.0.1:8081';

export default defineConfig({
  // Relative: the pages do not care under which path they are served.
  base: './',
  plugins: [vue(), licences()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
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

/** What is built is mostly other people's work: their licences go with it, as `licenses.txt`. */
function licences(): Plugin {
  // TDesign has these in files of its own, where a list of modules does not show them.
  const within = ['dayjs', '@babel/runtime'];
  const folder = fileURLToPath(new URL('../node_modules/', import.meta.url));
  return {
    name: 'licences',
    apply: 'build',
    generateBundle(_options, bundle) {
      const names = new Set(within);
      for (const part of Object.values(bundle)) {
        if (part.type !== 'chunk') continue;
        for (const id of part.moduleIds) {
          const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1];
          if (name) names.add(name);
        }
      }
      const texts = [...names].sort().map((name) => {
        if (!existsSync(`${folder}${name}/package.json`)) throw new Error(`${name} is not installed at the top`);
        const about = JSON.parse(readFileSync(`${folder}${name}/package.json`, 'utf8')) as { version: string; license: string };
        const file = readdirSync(folder + name).find((entry) => /^licen[cs]e|^copying/i.test(entry));
        const text = file ? readFileSync(`${folder}${name}/${file}`, 'utf8').replace(/\r/g, '').trim() : about.license;
        return `${name} ${about.version} (${about.license})\n\n${text}\n`;
      });
      this.emitFile({ type: 'asset', fileName: 'licenses.txt', source: `The console's pages contain these.\n\n${texts.join('\n---\n\n')}` });
    },
  };
}
