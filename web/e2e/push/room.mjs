/** What the pusher's checks share: a browser with a fake camera and microphone, a server, and pages that push. */

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBrowser, servePages, startDemo, until } from '../lib.mjs';
import { writeBars, writeTone } from '../media.mjs';
import { writePicture } from './picture.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
/** What the fake microphone hears. */
export const TONE_HZ = 1000;
/** `/media/music.wav`, for a minute. */
export const MUSIC_HZ = 2500;
/** The number in the bar code of `/media/waiting.png`: no picture of the camera has it. */
export const WAITING = 4242;
/** A host of a page that is not secure. */
const INSECURE = 'room.test';

export async function openRoom() {
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-push-'));
  const [bars, tone] = [join(folder, 'bars.y4m'), join(folder, 'tone.wav')];
  await Promise.all([
    writeBars(bars),
    writeTone(tone, { hz: TONE_HZ }),
    writeTone(join(folder, 'music.wav'), { hz: MUSIC_HZ, seconds: 60 }),
    writePicture(join(folder, 'waiting.png'), WAITING),
  ]);
  const shell = await openBrowser({
    flags: [
      `--use-file-for-fake-video-capture=${bars}`,
      `--use-file-for-fake-audio-capture=${tone}`,
      `--host-resolver-rules=MAP ${INSECURE} 127.0.0.1`,
    ],
  });
  const server = await startDemo();
  const pages = await servePages({
    sdk: process.env.SDK ?? here('../../../crates/console/assets/sdk'),
    pages: here('../pages'),
    peers: here('../../../crates/cli/tests/peers/browser'),
    media: folder,
  });
  return {
    server,
    folder,
    complaints: shell.complaints,
    urls: () => urlsOf(server),
    openPage: () => openPage(shell, pages.origin, server),
    openInsecure: () => openPage(shell, pages.origin.replace('127.0.0.1', INSECURE), server),
    async close() {
      await shell.close();
      await pages.close();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** URLs of a stream of its own. They are signed here: who asks the server for them may do so five times a minute. */
export async function urlsOf(server, ...more) {
  const { push, play } = await server.sign(`push-${randomUUID().slice(0, 8)}`, ...more);
  const at = (url, port) => Object.assign(new URL(url), { port }).href;
  const { rtmp, http } = server.ports;
  return { push: at(push, rtmp), rtmp: at(play.rtmp, rtmp), rtc: at(play.rtc, rtmp), flv: at(play.http_flv, http) };
}

/** How many of the things that a page opened are open still. */
export function left(page) {
  return page.evaluate(() => lab.left());
}

async function openPage(shell, origin, server) {
  const page = await shell.newPage();
  await page.goto(`${origin}/pages/push.html`);
  await page.waitForFunction(() => globalThis.isReady);
  const count = async (code) => (await page.codes()).filter((said) => said === code).length;
  return Object.assign(page, {
    codes: () => page.evaluate(() => lab.codes()),
    info: () => page.evaluate(() => lab.info()),
    set: (name, value = '') => page.evaluate(([name, value]) => lab.element().setAttribute(name, value), [name, value]),
    unset: (name) => page.evaluate((name) => lab.element().removeAttribute(name), name),
    /** Says a code, so many times in all. */
    says: (code, ms = 10_000, times = 1) => until(async () => (await count(code)) >= times, ms, `it says ${code}`),
    async mount(attributes) {
      // Sideways, so that nothing is cut of what lies across.
      const all = { 'http-origin': server.origin, orientation: 'horizontal', ...attributes };
      await page.evaluate((given) => lab.mount(given), all);
    },
    async pushes(urls, attributes = {}) {
      await page.mount({ url: urls.push, autopush: '', ...attributes });
      await page.says(1002);
    },
  });
}
