/** The project's files: that there is what is named, that it is well formed, and that both languages say everything. */

const assert = require('node:assert/strict');
const { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const compiler = require('miniprogram-compiler');
const postcss = require('postcss');
const { SRC } = require('./phone.js');
const config = require('../src/config.js');

const files = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => path.relative(SRC, path.join(entry.parentPath, entry.name)));
const ending = (end) => files.filter((file) => file.endsWith(end));
const read = (file) => readFileSync(path.join(SRC, file), 'utf8');
const app = JSON.parse(read('app.json'));
const books = { zh: require('../src/words/zh.js'), en: require('../src/words/en.js') };

test('every page of app.json has its files, and there is no page beside them', () => {
  for (const page of app.pages) {
    for (const end of ['js', 'json', 'wxml']) assert.ok(files.includes(`${page}.${end}`), `${page}.${end}`);
  }
  const pages = files.filter((file) => /^pages\/.*\.wxml$/.test(file)).map((file) => file.replace('.wxml', ''));
  assert.deepEqual([...pages].sort(), [...app.pages].sort());
});

test('JSON is JSON, and the two files that app.json names are there', () => {
  for (const file of ending('.json')) assert.doesNotThrow(() => JSON.parse(read(file)), file);
  assert.ok(files.includes(app.themeLocation) && files.includes(app.sitemapLocation));
  const project = JSON.parse(readFileSync(path.join(SRC, '../project.config.json'), 'utf8'));
  assert.equal(path.resolve(SRC, '..', project.miniprogramRoot), SRC);
});

test('both themes have every colour that app.json takes from them', () => {
  const theme = JSON.parse(read('theme.json'));
  const wanted = JSON.stringify(app.window)
    .match(/@\w+/g)
    .map((name) => name.slice(1));
  for (const colours of [theme.light, theme.dark]) assert.deepEqual(Object.keys(colours).sort(), wanted.sort());
});

test('tags that are opened are closed, in every WXML', () => {
  for (const file of ending('.wxml')) {
    const open = [];
    for (const [, close, tag, self] of read(file).matchAll(/<(?!!--)(\/?)([a-z-]+)(?:[^"'>]|"[^"]*")*?(\/?)>/g)) {
      if (close) assert.equal(open.pop(), tag, file);
      else if (!self) open.push(tag);
    }
    assert.deepEqual(open, [], file);
  }
});

const noCompiler = process.arch === 'x64' ? false : `they come for x64 only, and this is ${process.arch}`;

test("the vendor's own compilers take every page and every style, and nothing that is broken", {
  skip: noCompiler,
}, () => {
  const pages = new Function(compiler.wxmlToJs(SRC))();
  for (const page of app.pages) assert.equal(typeof pages(`${page}.wxml`), 'function', page);
  assert.match(compiler.wxssToJs(SRC), /status-line/);
  const broken = mkdtempSync(path.join(tmpdir(), 'thalweg-mini-'));
  try {
    writeFileSync(path.join(broken, 'app.wxss'), '.page { color: red');
    writeFileSync(path.join(broken, 'page.wxml'), '<view><text></view>');
    assert.throws(() => compiler.wxmlToJs(broken), /end-tag/);
    assert.throws(() => compiler.wxssToJs(broken));
  } finally {
    rmSync(broken, { recursive: true });
  }
});

test('WXSS is well formed, uses colours that both themes have, and styles that a page uses exist', () => {
  const css = Object.fromEntries(ending('.wxss').map((file) => [file, postcss.parse(read(file), { from: file })]));
  const [light, dark] = [new Set(), new Set()];
  css['app.wxss'].walkDecls(/^--/, ({ prop, parent }) => {
    (parent.parent.type === 'atrule' ? dark : light).add(prop);
  });
  assert.deepEqual([...light].sort(), [...dark].sort());
  for (const root of Object.values(css)) {
    root.walkDecls(({ value }) => {
      for (const [, name] of value.matchAll(/var\((--[\w-]+)\)/g)) assert.ok(light.has(name), name);
    });
  }
  const classes = (file) =>
    css[file] ? [...css[file].toString().matchAll(/\.([a-z][\w-]*)/g)].map(([, name]) => name) : [];
  for (const page of app.pages) {
    const used = [...read(`${page}.wxml`).matchAll(/class="([^"]*)"/g)].flatMap(([, names]) => names.split(/[^\w-]+/));
    for (const name of classes(`${page}.wxss`)) assert.ok(used.includes(name), `${page}.wxss styles .${name} in vain`);
  }
});

test('both languages have the same words, none of them empty, with the same places in them', () => {
  const flat = (book) =>
    Object.entries(book).flatMap(([part, words]) => Object.entries(words).map(([k, v]) => [`${part}.${k}`, v]));
  const [zh, en] = [flat(books.zh), flat(books.en)];
  assert.deepEqual(
    zh.map(([key]) => key),
    en.map(([key]) => key),
  );
  zh.forEach(([key, chinese], i) => {
    const english = en[i][1];
    assert.ok(chinese.trim() && english.trim(), key);
    assert.deepEqual(places(chinese), places(english), key);
    assert.doesNotMatch(english, /\p{Script=Han}/u, key);
  });
});

const places = (text) => (text.match(/\{\w+\}/g) || []).sort();

test('every word that a page shows exists, and every word is shown somewhere', () => {
  const parts = {
    index: 'home',
    'push-config': 'pushConfig',
    push: 'push',
    play: 'play',
    'low-latency': 'lowLatency',
    call: 'call',
  };
  const wanted = new Set();
  for (const page of app.pages) {
    const part = parts[path.basename(page)];
    for (const text of [read(`${page}.wxml`), read(`${page}.js`)]) {
      for (const [, key] of text.matchAll(/\bt\.(\w+)/g)) {
        assert.ok(key in books.en[part] || key in books.en.common, `${page}: ${key}`);
        wanted.add(key in books.en[part] ? `${part}.${key}` : `common.${key}`);
      }
    }
  }
  // What is named otherwise than by `t.word`: in scripts, or by a name out of a table.
  const scripts = ending('.js')
    .filter((file) => !file.startsWith('words/'))
    .map(read)
    .join('\n');
  for (const part of Object.values(parts).concat('common')) {
    for (const key of Object.keys(books.en[part])) {
      const named = [key, key.replace(/Hint$/, '')].some((word) => new RegExp(`['".]${word}\\b`).test(scripts));
      assert.ok(wanted.has(`${part}.${key}`) || named, `${part}.${key} is shown nowhere`);
    }
  }
});

test('every problem that a script names has its sentence, and every sentence its problem', () => {
  const scripts = ending('.js')
    .filter((file) => /^(utils|pages|behaviors)/.test(file))
    .map(read)
    .join('\n');
  const problems = Object.keys(books.en.problems);
  for (const problem of problems) assert.match(scripts, new RegExp(`'${problem}'`), `${problem} happens nowhere`);
  // Where problems are made: unions of their names, refusals of the server, and what pages say themselves.
  const unions = [...scripts.matchAll(/'' \| ('\w+'(?: \| '\w+')*)/g)].flatMap(([, names]) => names.match(/\w+/g));
  const made = [...scripts.matchAll(/(?:refusal\(|problem: )'(\w+)'/g)].map(([, name]) => name);
  assert.ok(unions.length > 10 && made.length > 5);
  for (const name of [...unions, ...made]) assert.ok(problems.includes(name), name);
});

test('the server is named in config.js and nowhere else', () => {
  assert.match(config.HOST, /^https:\/\/[^/]+$/);
  for (const file of files) {
    const hosts = [
      ...read(file).matchAll(/\b(?:https?|wss?|rtmps?):\/\/([\w.-]+\.[a-z]{2,}|\d+\.\d+\.\d+\.\d+|localhost)/gi),
    ];
    assert.deepEqual(file === 'config.js' ? [] : hosts.map(([whole]) => whole), [], file);
  }
});
