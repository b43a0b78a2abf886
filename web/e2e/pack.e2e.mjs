/**
 * The packages as somebody gets them: both are packed, hold what their READMEs say, and are installed where nothing
 * else is. The examples type-check against them; pages with nothing but what was packed play the clock, as the files
 * are and through a bundler.
 *
 *   node e2e/pack.e2e.mjs [plain]     only what is packed, and a page of the files as they are
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import vue from '@vitejs/plugin-vue';
import { build } from 'vite';
import { openBrowser, SHOTS, servePages, sleep, startDemo, until } from './lib.mjs';

const run = promisify(execFile);
const web = fileURLToPath(new URL('..', import.meta.url));
const npm = (args, cwd) => run('npm', [...args, '--loglevel=error'], { cwd });

const WRONG_REACT = `import type {} from '@thalweg/elements/react';
export const Wrong = () => <>
  <live-player mode="slow" />
  <live-pusher onstatechange={({ detail }) => detail.nothing} />
</>;
`;
const WRONG_VUE = `<script setup lang="ts">
import type {} from '@thalweg/elements/vue';
const speed = 'slow' as const;
</script>
<template>
  <live-player :mode="speed" @statechange="$event.detail.nothing" />
</template>
`;
const VUE_MAIN = `import { createApp } from 'vue';
import Live from '../examples/vue/Live.vue';
const given = new URLSearchParams(location.search);
createApp(Live, { src: given.get('src'), httpOrigin: given.get('origin') }).mount('#app');
`;
const PLAIN = (await readFile(join(web, 'packages/elements/examples/html/index.html'), 'utf8')).replace(
  '<script type="module"',
  `<script type="importmap">${JSON.stringify({
    imports: {
      '@thalweg/elements/define': '/node_modules/@thalweg/elements/dist/define.js',
      '@thalweg/player': '/node_modules/@thalweg/player/dist/index.js',
      '@thalweg/player/wire': '/node_modules/@thalweg/player/dist/wire.js',
    },
  })}</script>\n<script type="module"`,
);

const isQuick = process.argv[2] === 'plain';
assert.ok(isQuick || process.argv.length < 3, 'only `plain` may be chosen');
// Below the workspace, where React's types, Vue and TypeScript are found; the packages themselves are nearer.
await mkdir(join(web, '.pack'), { recursive: true });
const home = await mkdtemp(join(web, '.pack', 'page-'));
try {
  const packed = [await pack('player'), await pack('elements')];
  await install(packed);
  await checkManifest();
  if (!isQuick) await checkTypes();
  if (!isQuick) await bundle();
  await play();
} finally {
  await rm(home, { recursive: true, force: true });
}
console.log('what is packed plays');

/** Packs one and compares what is in it with its README. */
async function pack(name) {
  const folder = join(web, 'packages', name);
  const { stdout } = await npm(['pack', '--json', '--pack-destination', home], folder);
  // What the build says comes first.
  const [{ filename, files }] = JSON.parse(stdout.slice(stdout.lastIndexOf('\n[\n') + 1));
  const paths = files.map(({ path }) => path);
  const readme = await readFile(join(folder, 'README.md'), 'utf8');
  const named = [...readme.matchAll(/`((?:dist|examples|types)\/[^`]*|custom-elements\.json)`/g)].map(
    ([, path]) => path,
  );
  assert.ok(named.length > 3, 'the README says what is in the package');
  for (const path of named) {
    const isThere = paths.some((it) => (path.endsWith('/') ? it.startsWith(path) : it === path));
    assert.ok(isThere, `${path} is in ${name}'s README, and not in the package`);
  }
  for (const path of ['LICENSE-MIT', 'LICENSE-APACHE', 'README.md'])
    assert.ok(paths.includes(path), `${name}: ${path}`);
  const odd = paths.filter(
    (path) => !/^(dist|types|examples)\/|^(package|custom-elements)\.json$|^README|^LICENSE-/.test(path),
  );
  assert.deepEqual(odd, [], `${name} has more than it says`);
  console.log(`${filename}: ${paths.length} files`);
  return join(home, filename);
}

/** Without a network: there is nothing that they need besides. */
async function install(tarballs) {
  await writeFile(join(home, 'package.json'), '{ "name": "page", "private": true, "type": "module" }\n');
  await npm(['install', '--offline', '--no-audit', '--no-fund', ...tarballs], home);
  const installed = await readdir(join(home, 'node_modules', '@thalweg'));
  assert.deepEqual(installed.sort(), ['elements', 'player']);
  const others = (await readdir(join(home, 'node_modules'))).filter((name) => !name.startsWith('.'));
  assert.deepEqual(others, ['@thalweg'], 'they need nothing else');
  await cp(join(home, 'node_modules/@thalweg/elements/examples'), join(home, 'examples'), { recursive: true });
}

/** What editors are told is what the elements have. */
async function checkManifest() {
  const elements = join(home, 'node_modules/@thalweg/elements');
  const { PLAYER, PUSHER, PLAYER_METHODS, PUSHER_METHODS } = await import(join(elements, 'dist/index.js'));
  const { modules } = JSON.parse(await readFile(join(elements, 'custom-elements.json'), 'utf8'));
  const declared = modules.flatMap(({ declarations }) => declarations);
  const kinds = [
    ['live-player', PLAYER, PLAYER_METHODS],
    ['live-pusher', PUSHER, PUSHER_METHODS],
  ];
  for (const [tag, table, methods] of kinds) {
    const element = declared.find(({ tagName }) => tagName === tag);
    const nameless = element.attributes.filter(({ description }) => !description);
    assert.deepEqual(nameless, []);
    assert.deepEqual(
      element.attributes.map(({ name }) => name),
      Object.keys(table),
    );
    const members = element.members.map(({ name }) => name);
    assert.deepEqual(
      methods.filter((name) => !members.includes(name)),
      [],
    );
    assert.ok(element.events.some(({ name, description }) => name === 'statechange' && description));
    assert.deepEqual(
      members.filter((name) => name.startsWith('#')),
      [],
    );
  }
}

/** The examples, strictly, against the types that were packed; and that these complain where they should. */
async function checkTypes() {
  const options = {
    target: 'es2022',
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['es2022', 'dom', 'dom.iterable'],
    jsx: 'react-jsx',
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    types: [],
  };
  await writeFile(
    join(home, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: options, include: ['examples', 'wrong'] }),
  );
  await mkdir(join(home, 'wrong'));
  await writeFile(join(home, 'wrong/Wrong.tsx'), WRONG_REACT);
  await writeFile(join(home, 'wrong/Wrong.vue'), WRONG_VUE);
  const said = await run(join(web, 'node_modules/.bin/vue-tsc'), ['-p', 'tsconfig.json'], { cwd: home }).then(
    () => assert.fail('what is wrong passes'),
    ({ stdout }) => stdout,
  );
  const where = said.split('\n').flatMap((line) => /^(\S+?\(\d+)/.exec(line)?.[1] ?? []);
  const expected = ['wrong/Wrong.tsx(3', 'wrong/Wrong.tsx(4', 'wrong/Wrong.vue(6'];
  assert.deepEqual([...new Set(where)].sort(), expected, `the examples' types:\n${said}`);
}

/** The plain page and the Vue component, through Vite. */
async function bundle() {
  await mkdir(join(home, 'vue'));
  await writeFile(
    join(home, 'vue/index.html'),
    '<!doctype html><div id="app"></div><script type="module" src="main.js"></script>',
  );
  await writeFile(join(home, 'vue/main.js'), VUE_MAIN);
  const plugins = [vue({ template: { compilerOptions: { isCustomElement: (tag) => tag.startsWith('live-') } } })];
  for (const [root, outDir] of [
    ['examples/html', 'out/html'],
    ['vue', 'out/vue'],
  ]) {
    await build({
      root: join(home, root),
      base: './',
      configFile: false,
      logLevel: 'error',
      plugins,
      build: { outDir: join(home, outDir), target: 'es2022', assetsInlineLimit: 0, minify: false },
    });
  }
}

async function play() {
  const server = await startDemo();
  const shell = await openBrowser();
  const missing = [];
  shell.browser.on('response', (response) => response.status() === 404 && missing.push(response.url()));
  await writeFile(join(home, 'plain.html'), PLAIN);
  await mkdir(join(home, 'plain'));
  await cp(join(home, 'plain.html'), join(home, 'plain/index.html'));
  await cp(join(home, 'examples/html/page.js'), join(home, 'plain/page.js'));
  const pages = await servePages({
    out: join(home, 'out'),
    plain: join(home, 'plain'),
    node_modules: join(home, 'node_modules'),
  });
  const src = await server.clockRtc();
  const given = `?src=${encodeURIComponent(src)}&origin=${encodeURIComponent(server.origin)}`;
  try {
    const pathOf = { 'as the files are': '/plain/index.html', 'through a bundler': '/out/html/index.html' };
    for (const [name, path] of Object.entries(pathOf).slice(0, isQuick ? 1 : 2)) {
      const page = await shell.newPage();
      await page.goto(pages.origin + path + given);
      await page.locator('#play').click();
      await plays(page, 'flv', name);
      await page.locator('#rtc').check();
      await plays(page, 'rtmp-udp', name);
      assert.match(await page.locator('#state').textContent(), /^\d{4} /);
      await page.screenshot({ path: join(SHOTS, `pack-${path.includes('plain') ? 'plain' : 'bundled'}.png`) });
      await page.locator('#stop').click();
      assert.equal(await page.locator('#state').textContent(), 'stopped');
      await page.close();
    }
    if (!isQuick) await playsInVue(await shell.newPage(), `${pages.origin}/out/vue/index.html${given}`);
    assert.deepEqual(
      missing.filter((url) => !url.endsWith('/favicon.ico')),
      [],
    );
    assert.deepEqual(
      shell.complaints.filter((said) => !said.includes('404')),
      [],
    );
  } finally {
    await shell.close();
    await pages.close();
    await server.stop();
  }
}

async function playsInVue(page, url) {
  await page.goto(url);
  await plays(page, 'rtmp-udp', 'a component of Vue');
  await until(async () => /[1-9]\d* kbit/.test(await page.locator('figcaption').textContent()), 5000, 'kbit/s');
  await page.screenshot({ path: join(SHOTS, 'pack-vue.png') });
}

/** Its element shows pictures that move, and come so. */
async function plays(page, transport, name) {
  const look = () =>
    page.evaluate(async () => {
      const element = document.querySelector('live-player');
      const shot = await element.snapshot().catch(() => null);
      return { transport: element.status.transport, width: shot?.width ?? 0 };
    });
  await until(
    async () => {
      const seen = await look();
      return seen.transport === transport && seen.width > 0;
    },
    20_000,
    `${name}: a picture by ${transport}`,
  );
  await sleep(200);
  console.log(`${name}: ${transport}`);
}
