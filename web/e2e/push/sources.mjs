/** What is pushed: devices that are denied and unplugged, the screen, streams of a page. */

import assert from 'node:assert/strict';
import { until } from '../lib.mjs';
import { probe } from '../media.mjs';

export async function devices(page, room) {
  const urls = await room.urls();
  await page.evaluate(() => {
    lab.denies = ['audio', 'video'];
  });
  await page.mount({ url: urls.push });
  await page.evaluate(() => lab.start());
  await page.says(-1302);
  assert.deepEqual(await page.codes(), [1005, 10001, -1301, 10002, -1302]);
  assert.deepEqual(
    (await page.evaluate(() => lab.events('error'))).map(({ errCode }) => errCode),
    [10001, 10002],
  );
  assert.equal(await page.evaluate(() => lab.element().pushing), false);
  // Allowed, it begins; unplugged, it says so, and takes what is plugged in.
  await page.evaluate(() => {
    lab.denies = null;
    lab.forget();
    return lab.start();
  });
  await page.says(1002);
  await page.evaluate(() => {
    lab.forget();
    lab.unplug('video');
  });
  await page.says(-1301);
  await page.evaluate(() => navigator.mediaDevices.dispatchEvent(new Event('devicechange')));
  await page.says(1003);
  await until(async () => (await page.info())?.videoFPS > 3, 10_000, 'there are pictures again');
  // The microphone as well; without it there is silence, and pictures go on.
  await page.evaluate(() => lab.unplug('audio'));
  await page.says(-1302);
  await until(async () => !(await page.evaluate(() => lab.isLoud())), 5000, 'nothing is heard');
  assert.ok((await page.info()).videoFPS > 3, 'pictures go on');
  await page.evaluate(() => navigator.mediaDevices.dispatchEvent(new Event('devicechange')));
  await until(() => page.evaluate(() => lab.isLoud()), 10_000, 'it is heard again');
  assert.equal(await page.evaluate(() => lab.element().pushing), true);
  return { codes: await page.codes() };
}

/** What is wished for changes while the browser still asks whether the page may: then that is what opens. */
export async function asked(page, room) {
  await page.evaluate(() => {
    lab.asking = new Promise((resolve) => {
      lab.answer = resolve;
    });
  });
  await page.mount({ url: (await room.urls()).push, autopush: '' });
  await page.says(1005);
  await page.set('enable-agc');
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
  assert.deepEqual(await page.codes(), [1005]);
  await page.evaluate(() => lab.answer());
  await page.says(1002);
  await until(() => page.evaluate(() => lab.isLoud()), 5000, 'the microphone is heard');
  const live = await page.evaluate(() =>
    lab.opened.tracks
      .filter(({ readyState }) => readyState === 'live')
      .map((track) => [track.kind, track.getSettings().autoGainControl ?? null]),
  );
  assert.deepEqual(live.sort(), [
    ['audio', true],
    ['video', null],
  ]);
}

/** A page of `http:` on another host has no devices: it says so, and has ended. */
export async function insecure(_page, room) {
  const page = await room.openInsecure();
  try {
    assert.equal(await page.evaluate(() => isSecureContext), false);
    const urls = await room.urls();
    await page.mount({ url: urls.push, autopush: '' });
    await page.says(-1302);
    assert.deepEqual(await page.codes(), [1005, 10001, -1301, 10002, -1302]);
    const errors = await page.evaluate(() => lab.events('error'));
    assert.deepEqual(
      errors.map(({ errCode }) => errCode),
      [10001, 10002],
    );
    for (const { errMsg } of errors) assert.match(errMsg, /no secure context: use https/);
    assert.equal(await page.evaluate(() => lab.element().pushing), false);
  } finally {
    await page.close();
  }
}

/**
 * The screen that the browser chooses where nobody can, with the microphone: in its own shape; ended from outside, the
 * sound goes on; refused, it does too.
 */
export async function screen(page, room) {
  const urls = await room.urls();
  await page.mount({ url: urls.push, source: 'screen', orientation: 'vertical' });
  // A page may ask for a screen at a click.
  await page.mouse.click(50, 50);
  await page.evaluate(() => lab.start());
  await page.says(1002);
  assert.deepEqual((await page.codes()).filter((code) => code !== 1005).slice(0, 5), [1004, 1007, 1008, 1001, 1002]);
  await until(async () => (await page.info())?.videoFPS > 0, 10_000, 'there are pictures');
  const { video } = await probe(urls.rtmp);
  const size = `${video.width}x${video.height}`;
  assert.ok(video.width > video.height, `as the screen is, not upright and cut: ${size}`);
  await page.evaluate(() => lab.unplug('video'));
  await page.says(-1310);
  await until(() => page.evaluate(() => lab.isLoud()), 5000, 'the microphone is heard');
  assert.equal(await page.evaluate(() => lab.element().pushing), true);
  await page.evaluate(() => lab.stop());
  await page.evaluate(() => {
    lab.forget();
    lab.denies = ['screen'];
    return lab.start();
  });
  await page.says(1002);
  assert.deepEqual(await page.codes(), [1005, -1308, 1001, 1002]);
  await page.evaluate(() => lab.stop());
  return { size };
}
