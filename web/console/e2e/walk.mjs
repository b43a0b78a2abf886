/**
 * Walks through the console with a browser, as somebody who has just installed the server would.
 *
 *   node e2e/walk.mjs                                      against the mock, with the committed pages
 *   BASE_URL=http://127.0.0.1:8081 SETUP_TOKEN=... node e2e/walk.mjs      against a server that is new
 *   BASE_URL=... LOGIN=admin PASSWORD=... node e2e/walk.mjs               against one that is not
 *
 * WALK_LANG=zh takes every step in Chinese, WALK_WIDTH=360 on a phone of that width; against the mock it is a minute each.
 *
 * STREAM=1 says that a stream is live there; the mock always has some. Of a server that is new more is asked: it is pushed
 * to with ffmpeg, watched with curl, tells a back end on loopback (which its `console.callback_allow` has to allow), and
 * changes a key. Screenshots come to e2e/shots. Whatever the browser's console complains of is a failure, and so is
 * anything wider than the screen.
 */

import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { story } from './real.mjs';

const SHOTS = process.env.SHOTS ?? fileURLToPath(new URL('shots', import.meta.url));
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const real = Boolean(process.env.BASE_URL);
const hasStream = !real || process.env.STREAM === '1';
const login = process.env.LOGIN ?? 'admin';
const password = process.env.PASSWORD ?? 'quiet-river-7-stones';
const isChinese = process.env.WALK_LANG === 'zh';
/** Pixels. Below 900 the menu is behind a button. */
const width = Number(process.env.WALK_WIDTH ?? 1280);
const SCREEN = { width, height: width < 900 ? 740 : 860 };

let mock = null;
let base = process.env.BASE_URL?.replace(/\/$/, '') ?? '';
let token = process.env.SETUP_TOKEN ?? '';
if (!real) {
  mock = spawn(process.execPath, [fileURLToPath(new URL('../mock/server.mjs', import.meta.url)), '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise((resolve, reject) => { mock.stdout.once('data', (data) => resolve(String(data))); mock.once('exit', reject); });
  const url = new URL(line.trim());
  base = url.origin;
  token = /token=(.+)/.exec(url.hash)[1];
}

const profile = await mkdtemp(join(tmpdir(), 'thalweg-walk-'));
// What a walk before left is not what this one saw.
await mkdir(SHOTS, { recursive: true });
for (const file of await readdir(SHOTS)) if (file.endsWith('.png')) await rm(join(SHOTS, file));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: FLAGS, viewport: SCREEN, locale: isChinese ? 'zh-CN' : 'en-GB', timezoneId: 'UTC', colorScheme: 'light', reducedMotion: 'reduce', permissions: ['clipboard-read', 'clipboard-write'], ignoreHTTPSErrors: true,
});
const page = browser.pages()[0] ?? (await browser.newPage());
page.setDefaultTimeout(15_000);

const complaints = [];
/** Refusals that the walk asks for, and the browser writes down as failures to load. */
let expected = 0;
/** The preview fetches from the public port. */
let previews = false;
page.on('console', (message) => {
  if (message.type() !== 'error' && message.type() !== 'warning') return;
  const text = message.text();
  if (/Failed to load resource/.test(text) && expected > 0) return;
  if (/net::ERR_(NAME_NOT_RESOLVED|CONNECTION|INTERNET|TUNNEL|PROXY|ADDRESS)/.test(text) && expected > 0) return;
  complaints.push(`${message.type()}: ${text}`);
});
page.on('pageerror', (error) => complaints.push(`exception: ${error.message}`));
page.on('request', (request) => {
  const url = new URL(request.url());
  if (url.protocol.startsWith('http') && url.origin !== base && !previews) complaints.push(`something from elsewhere: ${request.url()}`);
});

let number = 0;
async function shot(name, whole = true) {
  number += 1;
  await page.waitForTimeout(250);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) complaints.push(`${name}: ${wide} px wider than the screen`);
  const size = page.viewportSize();
  // The whole page by a taller window: what sticks to an edge is drawn where it belongs.
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  if (whole && height > size.height) { await page.setViewportSize({ width: size.width, height: Math.min(height, 4000) }); await page.waitForTimeout(150); }
  await page.screenshot({ path: join(SHOTS, `${String(number).padStart(2, '0')}-${name}.png`) });
  await page.setViewportSize(size);
}
function must(what, truth) {
  if (!truth) throw new Error(`not so: ${what}`);
}
/** What stands in a text with that name. */
const copied = (name) => page.locator(`[data-copy="${name}"]`).innerText();
const go = async (path) => { await page.goto(`${base}/console/#${path}`); };
const input = (name) => page.locator(`input[name="${name}"], [name="${name}"] input, textarea[name="${name}"]`).first();
const toggle = (id) => page.locator(`[data-toggle="${id}"]`);
const dialog = () => page.locator('.t-dialog:visible');
const confirm = async () => { await dialog().locator('.t-dialog__confirm').click(); await page.locator('.t-dialog:visible').waitFor({ state: 'hidden' }); };
const step = (words) => console.log(`- ${words}`);
/** Does what the server is to refuse. */
async function refused(work) {
  expected += 1;
  await work();
  // What the browser writes down comes a little later.
  await page.waitForTimeout(200);
  expected -= 1;
}
const isOn = (id, on) => page.waitForFunction(([name, wanted]) => document.querySelector(`[data-toggle="${name}"]`)?.getAttribute('aria-checked') === wanted, [id, String(on)]);
/** Chooses from a list of the page: `which` is a locator of the option. */
async function choose(select, which) {
  await select.click();
  await which(page.locator('.t-select-option:visible')).click();
}

async function start() {
  if (!token) {
    step('logs in');
    await refused(async () => { await go('/login'); await input('login').waitFor(); });
    await input('login').fill(login);
    await input('password').fill(password);
    await shot('login');
    await page.locator('button[type=submit]').click();
    await page.waitForURL(/#\/overview/);
    return;
  }
  step('first start: the administrator');
  await refused(async () => { await go('/setup?token=of-another-start'); await input('token').waitFor(); });
  await go(`/setup?token=${token}`);
  await page.waitForFunction((value) => document.querySelector('input[name="token"], [name="token"] input')?.value === value, token);
  await shot('setup-empty');
  await input('login').fill(login);
  await input('password').fill('short');
  must('a short password is not taken', await page.locator('button[type=submit]').isDisabled());
  await input('password').fill(password);
  await shot('setup-admin');
  await page.locator('button[type=submit]').click();
  step('first start: the account');
  await input('account-name').waitFor();
  must('the token left the address', !page.url().includes(token));
  await input('account-name').fill('Riverside School');
  const category = page.locator('.t-select').nth(1);
  await choose(category, (options) => options.last());
  await page.locator('.fields input').nth(2).fill('tools');
  await page.locator('[data-why] li').first().waitFor();
  must('nothing is opened for such a category', (await page.locator('[role="switch"]').count()) === 0);
  await shot('setup-not-admitted');
  await choose(category, (options) => options.first());
  await page.locator('[role="switch"]').first().waitFor();
  await shot('setup-account');
  await page.locator('button[type=submit]').click();
  step('first start: a push URL');
  await page.locator('[data-copy="setup-push"]').waitFor();
  must('a push URL is shown', /^rtmps?:\/\/.+(txSecret|sig)=/.test(await copied('setup-push')));
  await shot('setup-stream');
  await page.locator('[data-act="to-overview"]').click();
}

async function walk() {
  await start();
  step('overview');
  await page.locator('[data-number="streams"]').waitFor();
  await page.waitForTimeout(hasStream ? 6500 : 1000);
  await shot('overview');

  step('logs out and in');
  expected += 1;
  await openMenu();
  await page.locator('.me a[role=button]').click();
  await page.waitForURL(/#\/login/);
  await input('login').fill(login);
  await input('password').fill('not-the-password');
  await page.locator('button[type=submit]').click();
  await page.locator('[role=alert]').waitFor();
  await shot('login-wrong');
  await input('password').fill(password);
  await page.locator('button[type=submit]').click();
  await page.waitForURL(/#\/overview/);
  expected -= 1;

  step('a new account of a category that the gate does not admit');
  await go('/accounts');
  await page.locator('table.data tbody tr').first().waitFor();
  await shot('accounts');
  await page.locator('[data-act="new-account"]').click();
  await input('new-name').fill('Walk Tools');
  const bizid = String(880000 + Math.floor(Math.random() * 9999));
  await input('new-bizid').fill(bizid);
  await input('push-host').fill(`push.w${bizid}.example.com`);
  await input('play-host').fill(`live.w${bizid}.example.com`);
  await choose(dialog().locator('.t-select').nth(1), (options) => options.last());
  await dialog().locator('.fields').nth(2).locator('input').nth(2).fill('tools');
  await shot('account-new', false);
  await dialog().locator('.t-dialog__confirm').click();
  await page.waitForURL(new RegExp(`accounts/${bizid}`));
  await toggle('live_pusher').waitFor();
  step('the gate refuses');
  await refused(async () => { await toggle('live_pusher').click(); await page.locator('[data-why]').waitFor(); });
  must('it says who can', (await page.locator('[data-why] li').count()) > 2);
  await shot('account-refused');

  await go(`/accounts/${bizid}?tab=domains`);
  await page.locator('.domain h3', { hasText: `live.w${bizid}.example.com` }).waitFor();
  await shot('account-hosts');

  step('the tabs of an account');
  await go('/accounts');
  await page.locator('table.data tbody tr').first().waitFor();
  const first = await page.locator('table.data tbody tr a.name').first().getAttribute('href');
  const path = first.replace('#', '');
  for (const tab of ['basics', 'domains', 'api', 'access', 'callbacks', 'udp', 'revoke', 'statistics']) {
    await go(`${path}?tab=${tab}`);
    await page.locator('section.card').first().waitFor();
    await page.waitForTimeout(200);
    await shot(`account-${tab}`);
  }
  step('shows and changes a key');
  await go(`${path}?tab=domains`);
  await page.locator('[data-act="reveal"]').first().click();
  await page.locator('.domain .copy-line').first().waitFor();
  await page.locator('[data-act="rotate"]').first().click();
  await dialog().waitFor();
  await shot('key-rotate', false);
  await confirm();
  await shot('key-rotated');

  step('a switch off and on again');
  await go(`${path}?tab=basics`);
  await toggle('live_player').waitFor();
  await toggle('live_player').click();
  await dialog().waitFor();
  await shot('switch-off', false);
  await confirm();
  await isOn('live_player', false);
  // By the keyboard, as whoever has no mouse.
  await toggle('live_player').focus();
  await page.keyboard.press('Space');
  await isOn('live_player', true);
  must('a label leads to its field', (await page.getByLabel(isChinese ? '名称' : 'Name', { exact: true }).inputValue()) !== '');
  step('what is wrong with a list stands at the list');
  await go(`${path}?tab=access`);
  const lists = page.locator('section.card').first();
  await choose(lists.locator('.t-select'), (options) => options.nth(1));
  await lists.locator('textarea').fill('next-door');
  await refused(async () => { await lists.locator('button[type=submit]').click(); await lists.locator('.said').waitFor(); });
  must('the field is marked', (await lists.locator('textarea').getAttribute('aria-invalid')) === 'true');
  await shot('account-access-wrong', false);

  step('the gate');
  await go('/gate');
  await page.locator('.line-row').first().waitFor();
  await shot('gate');
  await page.locator('[data-act="edit-gate"]').click();
  await page.locator('.edit-row').first().waitFor();
  await shot('gate-edit');
  for (let left = await page.locator('.edit-row').count(); left > 0; left -= 1) await page.locator('.edit-row button').first().click();
  await page.locator('section.card header button').last().click();
  await dialog().waitFor();
  if (token) must('it says who loses', (await dialog().innerText()).includes('Riverside School'));
  await shot('gate-loses', false);
  await dialog().locator('.t-dialog__cancel').click();
  await page.locator('.t-dialog:visible').waitFor({ state: 'hidden' });

  step('makes URLs, and checks one');
  await go('/urls');
  await page.locator('.account-select input').first().waitFor();
  await page.waitForFunction(() => document.querySelector('.account-select input')?.value);
  await shot('urls-empty');
  await input('stream').fill('room');
  await page.locator('[data-act="make"]').click();
  await page.locator('[data-copy="push-rtmp"]').waitFor();
  const push = await copied('push-rtmp');
  must('the ways to play are there', (await page.locator('[data-copy^="play-"]').count()) >= 3);
  await page.locator('.copy-line button').first().click();
  await page.locator('.qr-code').waitFor();
  await shot('urls');
  for (const tab of ['obs', 'pusher', 'player']) {
    await page.locator(`[data-tab="${tab}"]`).click();
    await shot(`urls-${tab}`);
  }
  await page.locator('[data-tab="check"]').click();
  await input('check-url').fill(push);
  await page.locator('[data-act="check"]').click();
  await page.locator('.verdict.good').waitFor();
  await shot('check-good');
  await input('check-url').fill(push.replace(/txSecret=(.)/, (_, first) => `txSecret=${first === '0' ? '1' : '0'}`));
  await page.locator('[data-act="check"]').click();
  await page.locator('.verdict:not(.good)').waitFor();
  await shot('check-wrong');

  step('streams');
  await go('/streams');
  await page.locator(hasStream ? 'table.data tbody tr' : '.empty').first().waitFor();
  await shot('streams');
  if (hasStream) {
    await page.locator('table.data tbody tr a.name').first().click();
    await page.locator('[data-act="drop"]').waitFor();
    await page.waitForTimeout(1200);
    await shot('stream');
    await page.locator('[data-tab="viewers"]').click();
    if (!real) {
      step('sends a viewer away');
      await page.locator('[data-act="kick"]').first().waitFor();
      await shot('viewers', false);
      await page.locator('[data-act="kick"]').first().click();
      await dialog().waitFor();
      await shot('kick', false);
      await confirm();
    }
    await page.locator('[data-tab="statistics"]').click();
    await page.locator('.uplot').first().waitFor();
    await shot('stream-statistics', false);
    await page.locator('[data-tab="history"]').click();
    await page.locator('table.data tbody tr').first().waitFor();
    await shot('stream-history', false);
    step('the preview');
    await page.locator('[data-tab="now"]').click();
    previews = true;
    // The mock has no media.
    if (!real) expected += 1;
    await page.locator('[data-act="preview"]').click();
    if (real) await page.waitForFunction(() => document.querySelector('video')?.currentTime > 0.5, null, { timeout: 20_000 });
    else await page.locator('.over [role=alert]').waitFor({ timeout: 30_000 });
    await shot('preview');
    if (!real) expected -= 1;
    previews = false;
    step('forbids the stream, and allows it again');
    await page.locator('[data-act="forbid"]').click();
    await dialog().waitFor();
    await input('reason').fill('A rehearsal only');
    await shot('forbid', false);
    await confirm();
    await page.locator('[data-act="resume"]').waitFor();
    await shot('forbidden');
    await go('/streams?tab=forbidden');
    await page.locator('table.data tbody tr').first().waitFor();
    await shot('forbidden-list');
    await page.goBack();
    await page.locator('[data-act="resume"]').click();
    await confirm();
    await page.locator('[data-act="forbid"]').waitFor();
  }

  if (!real) {
    step('a stream that is over has its page, and can be forbidden before it comes back');
    await refused(async () => { await go('/streams/1/live/assembly'); await page.locator('[data-absent]').waitFor(); });
    await page.locator('table.data tbody tr').first().waitFor();
    await shot('stream-absent');
    await page.locator('[data-act="forbid"]').click();
    await confirm();
    await page.locator('[data-act="resume"]').click();
    await refused(confirm);
    await page.locator('[data-act="forbid"]').waitFor();
    must('that it is allowed again is no error', (await page.locator('.problem').count()) === 0);
  }
  if (real && token) await story({ page, go, shot, step, must, input, copied, confirm, dialog, path });

  step('records and people');
  for (const name of ['callbacks', 'history', 'audit']) {
    await go(`/${name}`);
    await page.locator('table.data, .empty').first().waitFor();
    await shot(name, false);
  }
  if (!real) {
    await go('/callbacks');
    await page.locator('table.data tbody tr').first().click();
    await dialog().locator('pre').waitFor();
    await shot('callback', false);
  }
  await go('/people');
  await page.locator('[data-act="new-token"]').click();
  await input('token-name').fill('walk');
  await confirm().catch(() => {});
  await page.locator('[data-copy="token"]').waitFor();
  await shot('token', false);
  await dialog().locator('.t-dialog__confirm').click();
  await page.locator('[data-act="new-user"]').click();
  await input('user-login').fill('anna-' + bizid);
  await input('user-password').fill('another-good-password-1');
  await shot('user-new', false);
  await confirm();
  await shot('people');
  await go('/password');
  await shot('password');

  if (!real) {
    step('a store that does not work');
    await fetch(`${base}/mock/store?down=1`);
    await go('/overview');
    await page.locator('.banner.bad').waitFor();
    await shot('store-down', false);
    await fetch(`${base}/mock/store?down=0`);
  }

  step('the other language');
  await go('/overview');
  await page.locator('.language').click();
  await page.locator('h1', { hasText: isChinese ? 'Overview' : '概览' }).waitFor();
  // How each page looks is seen with the mock; of a real server's what it says itself.
  const places = real ? ['/overview', `/accounts/${bizid}`, '/streams', '/callbacks', '/history', '/audit'] : ['/overview', '/accounts', `/accounts/${bizid}`, `${path}?tab=domains`, `${path}?tab=callbacks`, `${path}?tab=revoke`, '/gate', '/urls', '/streams', '/callbacks', '/history', '/audit', '/people'];
  const name = (to) => to.replace(/^\/|\?tab/g, '').replace(/[/=]/g, '-');
  for (const to of places) {
    await go(to);
    await page.locator('main').waitFor();
    await page.waitForTimeout(500);
    await shot(`${isChinese ? 'en' : 'zh'}-${name(to)}`);
  }
  await go(`/accounts/${bizid}`);
  await refused(async () => { await toggle('live_player').click(); await page.locator('[data-why]').waitFor(); });
  await shot('other-refused');

  step('a phone, in the dark');
  await page.setViewportSize({ width: 360, height: 740 });
  await page.emulateMedia({ colorScheme: 'dark' });
  const list = hasStream ? [...places, await streamAddress()] : places;
  for (const to of list) {
    await go(to);
    await page.waitForTimeout(800);
    await shot(`phone-${name(to)}`);
  }
  await go('/overview');
  await page.locator('.burger').click();
  await page.waitForTimeout(300);
  await shot('phone-menu', false);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.locator('aside a[href="#/urls"]').click();
  await input('stream').fill('room');
  await page.waitForFunction(() => document.querySelector('.account-select input')?.value);
  await page.locator('[data-act="make"]').click();
  await page.locator('[data-copy="push-rtmp"]').waitFor();
  await shot('phone-urls-made');
  await page.locator('.language').click();
  await go('/gate');
  await page.locator('[data-act="edit-gate"]').click();
  await shot('phone-gate-edit');
  await go(`${path}?tab=domains`);
  await page.locator('[data-act="rotate"]').first().click();
  await dialog().waitFor();
  await shot('phone-rotate', false);
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.setViewportSize(SCREEN);
  await go('/overview');
  await page.waitForTimeout(1000);
  await shot('dark-overview');
  await go(`/accounts/${bizid}`);
  await page.waitForTimeout(500);
  await shot('dark-account');
  step('another category, and the switch opens');
  await choose(page.locator('.t-select').nth(1), (options) => options.first());
  await page.locator('form button[type=submit]').click();
  await page.locator('.head .state').waitFor({ state: 'hidden' });
  await toggle('live_pusher').click();
  await isOn('live_pusher', true);
  await shot('account-admitted');
  // Nothing of the walk stays behind.
  await page.evaluate(async (id) => { await fetch(`/api/v1/accounts/${id}`, { method: 'DELETE', headers: { 'Content-Type': 'application/json' }, body: '{}' }); }, bizid);
}

/** On a phone the menu is behind a button. */
async function openMenu() {
  if (width >= 900) return;
  await page.locator('.burger').click();
  await page.waitForTimeout(300);
}

async function streamAddress() {
  await go('/streams');
  await page.locator('table.data tbody tr a.name').first().waitFor();
  return (await page.locator('table.data tbody tr a.name').first().getAttribute('href')).replace('#', '');
}

let failed = null;
try {
  await walk();
} catch (error) {
  failed = error;
  await page.screenshot({ path: join(SHOTS, 'failed.png') }).catch(() => {});
}
await browser.close();
await rm(profile, { recursive: true, force: true });
mock?.kill();
for (const complaint of complaints) console.log(`! ${complaint}`);
if (failed) console.log(failed.stack ?? failed);
console.log(failed || complaints.length ? `failed; screenshots in ${SHOTS}` : `all is well: ${number} screenshots`);
process.exit(failed || complaints.length ? 1 : 0);
