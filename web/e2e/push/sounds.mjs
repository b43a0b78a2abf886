/** What viewers hear, and see while they hear nothing, by ffmpeg. */

import assert from 'node:assert/strict';
import { until } from '../lib.mjs';
import { record, toneShare } from '../media.mjs';
import { MUSIC_HZ, TONE_HZ, WAITING } from './room.mjs';

/** The music plays all the time: what is not heard of it is what a pause, or `muted`, keeps back. */
export async function musicAndPause(page, room) {
  const urls = await room.urls();
  await page.pushes(urls, { 'audio-quality': 'low' });
  await page.evaluate(() => lab.element().setMICVolume({ volume: 0 }));
  await page.evaluate(() => lab.element().playBGM({ url: '/media/music.wav', endTimeMs: 120_000 }));
  const hearsMusic = () => hears(urls, MUSIC_HZ);
  await until(hearsMusic, 15_000, 'the music is heard');
  const { progress, duration } = (await page.evaluate(() => lab.events('bgmprogress'))).at(-1);
  assert.ok(progress > 0 && duration === 60_000, `${progress} of ${duration} ms`);
  await page.set('waiting-image', '/media/missing.png');
  await page.evaluate(() => lab.element().pause());
  await page.says(10004);
  await until(async () => (await page.info()).videoBitrate < 60, 5000, 'black takes next to nothing');
  const pausedKbps = (await page.info()).videoBitrate;
  // The GOP in which it paused still shows what was before.
  const isBlackAndSilent = async () => {
    const { numbers, samples } = await taken(urls, 1);
    return isAll(numbers, (number) => number === null) && isSilent(samples);
  };
  await until(isBlackAndSilent, 10_000, 'nothing is seen and nothing heard');
  await page.evaluate(() => lab.element().resume());
  const seen = async () => (await taken(urls, 1)).numbers.some((number) => number !== null);
  await until(seen, 10_000, 'it is back');
  await until(hearsMusic, 10_000, 'and the music, which has played on');
  await page.set('muted');
  await until(async () => isSilent((await taken(urls, 1)).samples), 10_000, 'muted it is silent');
  await page.unset('muted');
  await until(hearsMusic, 10_000, 'not muted the music is heard');
  await page.evaluate(() => lab.element().stopBGM());
  assert.equal((await page.evaluate(() => lab.events('bgmcomplete'))).length, 0, 'it had not ended');
  return { pausedKbps };
}

/** From and to moments of a file, with a pause; and what is no file. */
export async function music(page, room) {
  await page.pushes(await room.urls());
  const progress = () => page.evaluate(() => lab.events('bgmprogress').map((event) => event.progress));
  const call = (name, options) => page.evaluate(([name, options]) => lab.element()[name](options), [name, options]);
  // Of a server that answers with all of a file a browser plays its beginning; this is a file that it has.
  const url = await page.evaluate(async () => URL.createObjectURL(await (await fetch('/media/music.wav')).blob()));
  await call('playBGM', { url, startTimeMs: 10_000, endTimeMs: 13_000 });
  await until(async () => (await progress()).length > 2, 5000, 'it tells where it is');
  await call('pauseBGM');
  const before = await progress();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const after = await progress();
  // A last one is told as it halts.
  assert.ok(after.length - before.length <= 1, `it does not go on: ${after}`);
  await call('resumeBGM');
  const ended = () => page.evaluate(() => lab.events('bgmcomplete').length);
  await until(async () => (await ended()) === 1, 10_000, 'it has ended');
  const all = await progress();
  assert.ok(all[0] >= 10_000 && all[0] < 13_000 && all.at(-1) >= 13_000 && all.at(-1) < 20_000, `${all}`);
  assert.equal((await page.evaluate(() => lab.events('bgmstart'))).length, 1);
  await assert.rejects(call('playBGM', { url: '/media/none.wav' }), 'what is not there is not played');
  await page.says(10003);
  assert.deepEqual(
    (await page.evaluate(() => lab.events('error'))).map(({ errCode }) => errCode),
    [10003],
  );
  return { progress: all };
}

/** In the background viewers see the waiting image and hear nothing, if that was asked for; then what is there. */
export async function hidden(page, room) {
  const urls = await room.urls();
  await page.pushes(urls, { 'waiting-image': '/media/waiting.png', 'background-mute': '' });
  await until(() => hears(urls, TONE_HZ), 15_000, 'the tone is heard');
  await page.evaluate(() => lab.hide(true));
  const isWaiting = async () => {
    const { numbers, samples } = await taken(urls, 2);
    return isAll(numbers, (number) => number === WAITING) && isSilent(samples);
  };
  await until(isWaiting, 15_000, 'the waiting image is seen, and nothing heard');
  const { videoFPS } = await page.info();
  assert.ok(videoFPS > 0 && videoFPS <= 6, `some pictures a second are enough: ${videoFPS}`);
  await page.evaluate(() => lab.hide(false));
  const isBack = async () => {
    const { numbers, samples } = await taken(urls, 1);
    return isAll(numbers, (number) => number !== WAITING) && toneShare(samples, TONE_HZ) > 0.5;
  };
  await until(isBack, 15_000, 'camera and microphone are back');
  // Without either it goes on as if nobody had left.
  await page.unset('waiting-image');
  await page.unset('background-mute');
  await page.evaluate(() => lab.hide(true));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await until(isBack, 10_000, 'hidden, it is seen and heard');
  assert.ok(!(await page.codes()).some((code) => code < 0), 'nothing is complained of');
  return { videoFPS };
}

async function hears(urls, hz) {
  return toneShare((await taken(urls, 1)).samples, hz) > 0.5;
}

/** What has come of a stream in so many seconds: nothing, where there was no picture or no sound yet. */
async function taken({ rtmp }, seconds) {
  try {
    return await record(rtmp, { seconds });
  } catch (error) {
    if (!/no picture/.test(error.message)) throw error;
    return { numbers: [], samples: new Int16Array(0) };
  }
}

function isSilent(samples) {
  return samples.length > 0 && samples.every((sample) => Math.abs(sample) < 200);
}

/** Of no picture nothing is true. */
function isAll(numbers, is) {
  return numbers.length > 0 && numbers.every(is);
}
