/** What only a real server can show: a push arrives, is told, is watched, and is refused once its key is gone. */

import { backEnd, encoder, until, viewer } from './world.mjs';

const NAME = 'walk-live';

/** `path` is the account's page. */
export async function story({ page, go, shot, step, must, input, copied, confirm, dialog, path }) {
  const account = path.split('/').pop();
  const receiver = await backEnd();
  const running = [receiver];
  try {
    step('a back end is to be told');
    await go(`${path}?tab=callbacks`);
    await input('callback-url').fill(receiver.url);
    await page.locator('button[type=submit]').first().click();
    await page.locator('.t-message').first().waitFor();

    step('pushes with a URL made here, and sees it live');
    await go('/urls');
    await page.waitForFunction(() => document.querySelector('.account-select input')?.value);
    await input('stream').fill(NAME);
    await page.locator('[data-act="make"]').click();
    await page.locator('[data-copy="push-rtmp"]').waitFor();
    const [push, flv] = [await copied('push-rtmp'), await copied('play-flv')];
    running.push(encoder(push));
    await go(`/streams?account=${account}&live=1`);
    const row = page.locator('table.data tbody tr', { hasText: `live/${NAME}` });
    await row.locator('.tag.live').waitFor({ timeout: 20_000 });
    await shot('pushed');

    step('the back end was told');
    const begun = () => receiver.heard.find((one) => one.event_type === 1 && one.stream_id === NAME);
    await until('a callback that the push began', begun);
    await go(`/callbacks?account=${account}&state=delivered`);
    const told = page.locator('table.data tbody tr', { hasText: `live/${NAME}` });
    await told.first().waitFor();
    await shot('callback-delivered', false);
    await told.first().locator('td').nth(1).click();
    await dialog().locator('pre').waitFor();
    const shown = await dialog().locator('pre').innerText();
    const secret = /(?:txSecret|sig)=([\w-]+)/.exec(push)[1];
    must('the page shows what was told, without its signature', shown.includes(begun().sequence) && begun().stream_param.includes(secret) && !shown.includes(secret));
    await shot('callback-body', false);
    await page.keyboard.press('Escape');

    step('sends a real viewer away');
    const watching = viewer(flv);
    running.push(watching);
    await go(`/streams/${account}/live/${NAME}`);
    await page.locator('[data-tab="viewers"]').click();
    await page.locator('[data-act="kick"]').first().waitFor();
    await page.locator('[data-act="kick"]').first().click();
    await confirm();
    let gone = false;
    void watching.ended.then(() => { gone = true; });
    await until('the viewer is gone', () => gone);
    const again = await viewer(flv).ended;
    must(`the viewer may not come back: ${again.said}`, again.code === 22 && /403/.test(again.said));
    await page.locator('.empty').waitFor();

    step('a key is replaced without a backup: its URLs are refused, and why');
    await go(`${path}?tab=domains`);
    await page.locator('[data-act="rotate"]').first().click();
    await dialog().locator('label.choice').nth(1).click();
    await shot('key-lost', false);
    await confirm();
    const refused = encoder(push);
    running.push(refused);
    const { code, said } = await refused.ended;
    must(`the old URL is refused with the reason: ${said}`, code !== 0 && said.includes('the signature is wrong'));
    await go('/urls?tab=check');
    await input('check-url').fill(push);
    await page.locator('[data-act="check"]').click();
    await page.locator('.verdict:not(.good)').waitFor();
    must('the check says the same', (await page.locator('.verdict').innerText()).includes('auth-bad'));
    await shot('old-url', false);
    await go(`${path}?tab=callbacks`);
    await input('callback-url').fill('');
    await page.locator('button[type=submit]').first().click();
    await page.locator('.t-message').first().waitFor();
  } finally {
    for (const one of running) one.stop();
  }
}
