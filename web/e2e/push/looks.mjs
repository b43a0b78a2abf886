/** What a picture looks like before it is pushed, by pixels of the preview. */

import assert from 'node:assert/strict';
import { until } from '../lib.mjs';

/** How rough the skin and the grass are, without beauty and with it. */
export async function beauty(page) {
  await preview(page);
  const roughness = () => page.evaluate(roughnessOf);
  const plain = await roughness();
  await page.set('beauty', '9');
  const smooth = await roughness();
  await page.set('beauty-style', 'nature');
  const natural = await roughness();
  await page.unset('beauty-style');
  await page.set('whiteness', '9');
  const white = await roughness();
  assert.ok(plain.skin > 4, `the skin is rough at first: ${plain.skin}`);
  assert.ok(smooth.skin < plain.skin / 2, `and smooth then: ${smooth.skin}`);
  assert.ok(smooth.grass > plain.grass * 0.9, `the grass stays: ${plain.grass}, ${smooth.grass}`);
  assert.ok(white.light > smooth.light + 10, `and the skin is lighter: ${smooth.light}, ${white.light}`);
  const keeps = `texture stays where it is to look natural: ${smooth.skin}, ${natural.skin}, ${plain.skin}`;
  assert.ok(natural.skin > smooth.skin && natural.skin < plain.skin, keeps);
  await page.evaluate(() => lab.stop());
  return { plain, smooth, natural, white };
}

/** Skin is on the left of the source: where it is in what viewers see, and in the preview. */
export async function mirrors(page) {
  await preview(page);
  const sides = () =>
    page.evaluate(async () => {
      const sideOf = async (sourceType) => {
        const { width, data } = await lab.pixels({ sourceType });
        const at = 4 * (20 * width + 20);
        return data[at] > data[at + 1] ? 'left' : 'right';
      };
      return { stream: await sideOf('stream'), view: await sideOf('view') };
    });
  assert.deepEqual(await sides(), { stream: 'left', view: 'left' });
  await page.set('local-mirror', 'enable');
  assert.deepEqual(await sides(), { stream: 'left', view: 'right' });
  await page.set('remote-mirror');
  assert.deepEqual(await sides(), { stream: 'right', view: 'right' });
  await page.set('local-mirror', 'disable');
  assert.deepEqual(await sides(), { stream: 'right', view: 'left' });
  await page.evaluate(() => lab.stop());
}

/** Each filter has colours of its own. */
export async function colours(page) {
  await preview(page);
  const found = {};
  for (const name of FILTERS) {
    await page.set('filter', name);
    found[name] = await page.evaluate(async () => {
      const { width, data } = await lab.pixels();
      const mean = (from, channel) => {
        let sum = 0;
        for (let y = 40; y < 120; y++)
          for (let x = from; x < from + 40; x++) sum += data[4 * (y * width + x) + channel];
        return Math.round(sum / 3200);
      };
      return [20, 100].flatMap((from) => [0, 1, 2].map((channel) => mean(from, channel)));
    });
  }
  const apart = (one, other) => Math.max(...found[one].map((level, at) => Math.abs(level - found[other][at])));
  for (const one of FILTERS)
    for (const other of FILTERS)
      assert.ok(one === other || apart(one, other) > 2, `${one} is not ${other}: ${found[one]}, ${found[other]}`);
  await page.evaluate(() => lab.stop());
  return found;
}

/** A window of its own, which goes with the element. */
export async function ownWindow(page) {
  await preview(page);
  const events = () =>
    page.evaluate(() => ['enter', 'leave'].map((word) => lab.events(`${word}pictureinpicture`).length));
  const isOpen = () => page.evaluate(() => document.pictureInPictureElement !== null);
  const enter = async () => {
    // At a click, as browsers have it.
    await page.mouse.click(50, 50);
    await page.evaluate(() => lab.element().requestPictureInPicture());
  };
  await enter();
  await until(async () => String(await events()) === '1,0', 5000, 'it has been entered');
  assert.equal(await isOpen(), true);
  await page.evaluate(() => lab.element().exitPictureInPicture());
  await until(async () => String(await events()) === '1,1', 5000, 'it has been left');
  assert.equal(await isOpen(), false);
  await enter();
  assert.equal(await isOpen(), true);
  await page.evaluate(() => lab.element().remove());
  await until(async () => !(await isOpen()), 5000, 'it goes with the element');
}

/** A preview of skin beside grass. */
async function preview(page) {
  await page.evaluate(() => {
    lab.mount({ 'video-width': '160', 'video-height': '160' });
    lab.element().srcObject = lab.skin();
    return lab.element().startPreview();
  });
  const isThere = () =>
    page.evaluate(() =>
      lab.pixels().then(
        ({ data }) => data[0] > 50,
        () => false,
      ),
    );
  await until(isThere, 10_000, 'a preview');
}

const FILTERS = [
  'standard',
  'pink',
  'nostalgia',
  'blues',
  'romantic',
  'cool',
  'fresher',
  'solor',
  'aestheticism',
  'whitening',
  'cerisered',
];

/** How much skin and grass vary, and how light the skin is. */
async function roughnessOf() {
  const { width, height, data } = await lab.pixels();
  const spread = (from, to) => {
    const values = [];
    for (let y = 20; y < height - 20; y++) for (let x = from; x < to; x++) values.push(data[4 * (y * width + x) + 1]);
    const mean = values.reduce((a, b) => a + b) / values.length;
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  };
  const mean = (at) => (data[at] + data[at + 1] + data[at + 2]) / 3;
  const middle = 4 * ((height / 2) * width + 40);
  return { skin: spread(20, width / 2 - 20), grass: spread(width / 2 + 20, width - 20), light: mean(middle) };
}
