/** Pages for tests of the elements: `pages/elements.html`, with the elements as the server has them. */

import { fileURLToPath } from 'node:url';
import { servePages, until } from './lib.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** SDK is the folder of the elements, if not what is kept. */
export async function openLab() {
  const sdk = process.env.SDK ?? here('../../crates/console/assets/sdk');
  const served = await servePages({ sdk, pages: here('pages') });
  return {
    origin: served.origin,
    close: served.close,
    /** A page in a browser of `openBrowser`, with more methods: what it hears, counts and shows; by another name of us. */
    async open(shell, host = '127.0.0.1') {
      const page = await shell.newPage();
      const warnings = [];
      page.on('console', (message) => message.type() === 'warning' && warnings.push(message.text()));
      await page.goto(`${served.origin.replace('127.0.0.1', host)}/pages/elements.html`);
      await page.waitForFunction(() => globalThis.lab && customElements.get('live-player'));
      return Object.assign(page, methods(page), { warnings });
    },
  };
}

function methods(page) {
  const codes = (name, from = 0) => page.evaluate(([it, at]) => lab.codes(it, at), [name, from]);
  return {
    codes,
    /** The codes of all, for whoever has to find out. */
    everything: () => page.evaluate(() => lab.everything()),
    mount: (name, attributes) => page.evaluate(([it, all]) => lab.mount(it, all), [name, attributes]),
    events: (name, from = 0) => page.evaluate(([it, at]) => lab.events(it, at), [name, from]),
    info: (name) => page.evaluate((it) => lab.info(it), name),
    /** How much it has said. */
    count: (name) => page.evaluate((it) => lab.events(it).length, name),
    /** Waits until it has said these codes, in this order, with others between. */
    async hears(name, wanted, { from = 0, within = 20_000 } = {}) {
      const isHeard = async () => {
        let at = 0;
        for (const code of await codes(name, from)) if (code === wanted[at]) at += 1;
        return at === wanted.length;
      };
      await until(isHeard, within, `${name} says ${wanted}`);
    },
    /** Waits until its picture moves. */
    moves: (name) =>
      until(() => page.evaluate((it) => lab.moves(it).catch(() => false), name), 10_000, `${name} moves`),
    /** What a window does to a page behind others. */
    hide: (is) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
        Object.defineProperty(document, 'visibilityState', {
          configurable: true,
          get: () => (hidden ? 'hidden' : 'visible'),
        });
        document.dispatchEvent(new Event('visibilitychange'));
      }, is),
  };
}
