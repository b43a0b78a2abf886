/**
 * A phone for the tests: `wx` with what the pages ask of it, and pages on miniprogram-simulate. The tags are the
 * phone's own; here a test says in their place what they would say.
 */

const path = require('node:path');
const { JSDOM } = require('jsdom');

const { window } = new JSDOM('<!doctype html><html><head></head><body></body></html>');
const BROWSER = [
  'document',
  'CustomEvent',
  'Event',
  'Node',
  'Element',
  'HTMLElement',
  'TouchEvent',
  'MutationObserver',
];
Object.assign(global, { window }, Object.fromEntries(BROWSER.map((name) => [name, window[name]])));
// It looks for its globals when it is loaded.
const simulate = require('miniprogram-simulate');

const SRC = path.resolve(__dirname, '../src');
/** The vendor's own compiler where it runs, and an imitation of it elsewhere. */
const COMPILER = process.arch === 'x64' ? 'official' : 'simulate';

/** A fresh `wx`, and what was done with it. `answers` may be changed at any time. */
function newPhone() {
  const phone = {
    /** Everything that was asked, in order: [name, options]. */
    calls: [],
    answers: {
      language: 'en',
      /** What `wx.authorize` fails with, by scope. */
      refused: {},
      /** What is scanned; an Error is why nothing is. */
      scanned: new Error('scanCode:fail cancel'),
      clipboard: '',
      clipboardFails: false,
      /** @type {(url: string) => Promise<{ statusCode: number, data: unknown, header: object }>} */
      request: async () => {
        throw new Error('request:fail no network in this test');
      },
    },
    /** How often something was asked. */
    count: (name) => phone.calls.filter(([called]) => called === name).length,
    last: (name) => phone.calls.findLast(([called]) => called === name)?.[1],
    forget: () => phone.calls.splice(0),
  };
  const { answers } = phone;
  const note = (name, options) => phone.calls.push([name, options]);
  const context = (kind, methods) => () =>
    Object.fromEntries(methods.map((method) => [method, (options) => note(`${kind}.${method}`, options)]));
  global.wx = {
    getAppBaseInfo: () => ({ language: answers.language }),
    setNavigationBarTitle: (options) => note('title', options.title),
    navigateTo: (options) => note('navigateTo', options.url),
    showToast: (options) => note('toast', options.title),
    setKeepScreenOn: (options) => note('keepScreenOn', options.keepScreenOn),
    createLivePusherContext: context('pusher', ['start', 'stop', 'switchCamera']),
    createLivePlayerContext: context('player', ['play', 'stop']),
    authorize: ({ scope, success, fail }) => {
      note('authorize', scope);
      later(() => (answers.refused[scope] ? fail({ errMsg: answers.refused[scope] }) : success()));
    },
    scanCode: ({ success, fail }) => {
      note('scan');
      const { scanned } = answers;
      later(() => (scanned instanceof Error ? fail({ errMsg: scanned.message }) : success({ result: scanned })));
    },
    setClipboardData: ({ data, success, fail }) => {
      note('copy', data);
      later(() => (answers.clipboardFails ? fail({ errMsg: 'setClipboardData:fail' }) : success()));
    },
    getClipboardData: ({ success, fail }) =>
      later(() => (answers.clipboardFails ? fail({ errMsg: '' }) : success({ data: answers.clipboard }))),
    request: ({ url, success, fail }) => {
      note('request', url);
      answers.request(url).then(success, (error) => fail({ errMsg: error.message }));
    },
  };
  return phone;
}

const later = (run) => setImmediate(run);
/** @type {Map<string, string>} */
const loaded = new Map();

/** Opens a page, as WeChat does. */
async function openPage(name, query = {}) {
  if (!loaded.has(name)) {
    loaded.set(name, simulate.load(path.join(SRC, 'pages', name, name), { rootPath: SRC, compiler: COMPILER }));
  }
  const component = simulate.render(loaded.get(name));
  const parent = window.document.createElement('div');
  window.document.body.append(parent);
  component.instance.onLoad?.(query);
  component.attach(parent);
  component.instance.onShow?.();
  component.instance.onReady?.();
  await settle();
  const close = () => {
    if (!open.delete(close)) return;
    component.detach();
    parent.remove();
  };
  open.add(close);
  return {
    component,
    get data() {
      return component.data;
    },
    has: (selector) => Boolean(component.querySelector(selector)),
    text: () => parent.textContent,
    html: () => parent.innerHTML,
    /** The attributes of the page's tag of this name. */
    attributes: (tag) => attributesOf(component.toJSON(), `wx-${tag}`),
    tap: (selector, index = 0) => act(component, selector, 'tap', {}, index),
    input: (selector, value) => act(component, selector, 'input', { value }),
    change: (selector, value) => act(component, selector, 'change', { value }),
    /** What the pusher, or the player, says with `bindstatechange`; several codes one after the other. */
    async says(tag, ...codes) {
      for (const code of codes) await act(component, TAGS[tag], 'statechange', { code });
    },
    figures: (tag, info) => act(component, TAGS[tag], 'netstatus', { info }),
    fire: (selector, event, detail) => act(component, selector, event, detail),
    async hide() {
      component.instance.onHide?.();
      await settle();
    },
    async show() {
      component.instance.onShow?.();
      await settle();
    },
    close,
  };
}

const open = new Set();

/** For after each test: what one that failed has left open, with a clock that ticks, would keep the tests from ending. */
function closePages() {
  for (const close of open) close();
}

const TAGS = { pusher: '.tag-pusher', player: '#player' };

async function act(component, selector, event, detail, index = 0) {
  const found = component.querySelectorAll(selector)[index];
  if (!found) throw new Error(`the page has no ${selector}`);
  // A disabled button does nothing; the simulation does not know that.
  if (event === 'tap' && attribute(found.toJSON(), 'disabled')) throw new Error(`${selector} is disabled`);
  found.dispatchEvent(event, { detail });
  await settle();
}

/** Until everything that is answered at once is answered. */
async function settle() {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => setImmediate(resolve));
  if (complaints.length) throw new Error(complaints.splice(0).join('\n'));
}

/** What the compiled pages say of templates and paths that are not there would else scroll by. */
const complaints = [];
const { warn } = console;
console.warn = (...words) =>
  String(words[0]).startsWith('WXMLRT') ? complaints.push(words.join(' ')) : warn(...words);

function attributesOf(node, tag) {
  if (typeof node === 'string') return null;
  if (node.tagName === tag) return Object.fromEntries(node.attrs.map(({ name, value }) => [camel(name), value]));
  for (const child of node.children) {
    const found = attributesOf(child, tag);
    if (found) return found;
  }
  return null;
}

const attribute = (node, wanted) => node.attrs.find(({ name }) => name === wanted)?.value;
const camel = (name) => name.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase());

module.exports = { newPhone, openPage, closePages, settle, SRC, COMPILER };
