/**
 * Who sits before the demo: a camera and a microphone of one's own, and what is seen and heard on a page. Two people
 * never show the same numbers, nor sound alike, so that nobody is taken for the other.
 */

import { join } from 'node:path';
import { until } from '../lib.mjs';
import { loudOf, readBars, toneShare, writeBars, writeTone } from '../media.mjs';

/**
 * Numbers of their pictures, which the clock never shows so that no page reads a delay off them, and what they sing; the
 * colours are for whoever looks at the screenshots.
 */
export const ANN = { name: 'ann', from: 2000, hz: 1000, tint: { u: 150, v: 100 } };
export const BEN = { name: 'ben', from: 4000, hz: 1700, tint: { u: 105, v: 155 } };
const FRAMES = 125;
const BEAT_S = 0.25;

/** The flags of a browser that has somebody's camera, held as a phone is or as a computer stands. */
export async function devicesOf({ name, from, hz, tint }, folder, isTall) {
  const [bars, tone] = [join(folder, `${name}.y4m`), join(folder, `${name}.wav`)];
  const size = isTall ? { width: 184, height: 324 } : { width: 320, height: 180 };
  await Promise.all([writeBars(bars, { ...size, from, tint, frames: FRAMES }), writeTone(tone, { hz, beat: BEAT_S })]);
  return [`--use-file-for-fake-video-capture=${bars}`, `--use-file-for-fake-audio-capture=${tone}`];
}

/** In a page, before its own scripts: what goes to the loudspeaker goes to an ear too, and tracks that are taken are kept. */
export function withSenses() {
  globalThis.senses = { ears: [], tracks: [] };
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to === this.context.destination) {
      const ear = new AnalyserNode(this.context, { fftSize: 32_768 });
      connect.call(this, ear);
      globalThis.senses.ears.push(ear);
    }
    return connect.call(this, to, ...rest);
  };
  const take = navigator.mediaDevices?.getUserMedia;
  if (!take) return;
  navigator.mediaDevices.getUserMedia = async function (wanted) {
    const stream = await take.call(this, wanted);
    globalThis.senses.tracks.push(...stream.getTracks());
    return stream;
  };
}

/** Waits until a page's player shows somebody's pictures, one after the other, and nobody else's. */
export async function sees(page, { name, from }, what) {
  const numbers = [];
  await until(
    async () => {
      const number = await numberOn(page);
      if (number !== null && number !== numbers.at(-1)) numbers.push(number);
      return numbers.length >= 5;
    },
    20_000,
    `${what}: pictures with a number, not only ${numbers}`,
  );
  const others = numbers.filter((number) => number < from || number >= from + FRAMES);
  if (others.length > 0) throw new Error(`${what}: ${numbers} are not all pictures of ${name}`);
}

/** What is in the bar code of the largest picture that a player of the page shows. */
async function numberOn(page) {
  const grey = await page.evaluate((side) => {
    const pictures = [...document.querySelectorAll('live-player')].flatMap((one) => [
      ...one.shadowRoot.querySelectorAll('canvas, video'),
    ]);
    const shown = pictures.filter((it) => (it.videoWidth ?? it.width) > 1);
    if (shown.length === 0) return null;
    const context = new OffscreenCanvas(side, side).getContext('2d');
    for (const picture of shown) context.drawImage(picture, 0, 0, side, side);
    const { data } = context.getImageData(0, 0, side, side);
    return Array.from({ length: side * side }, (_, n) => data[4 * n + 1]);
  }, SIDE);
  return grey && readBars(grey, SIDE, SIDE);
}

/**
 * Waits until somebody is heard on a page, clearly and for a while, and never anybody else, in whatever pieces a busy
 * machine makes of it: a player that has just begun may still look for its pace.
 */
export async function hears(page, { name, hz }, other, what) {
  let loud = [];
  let found = {};
  const isHeard = async () => {
    const { samples, rate } = await listen(page);
    const now = loudOf(samples, rate, PIECE_MS);
    const shareOf = (tone, of) => toneShare(Int16Array.from(of), tone, rate, PIECE_MS);
    loud = [...loud, ...now].slice(-Math.ceil(HEARD_S * rate));
    found = { seconds: loud.length / rate, [name]: shareOf(hz, loud), [other.name]: shareOf(other.hz, now) };
    if (now.length > 0 && found[other.name] > 0) throw new Error(`${what}: ${other.name} is heard`);
    return found.seconds >= HEARD_S && found[name] >= 0.8;
  };
  await until(isHeard, HEARD_WITHIN_MS, `${what}: ${name} is heard`).catch(async (error) => {
    const status = await page.evaluate(() => document.querySelector('live-player').status);
    throw new Error(`${error.message}: ${JSON.stringify({ found, status })}`);
  });
}

/** The last two thirds of a second of what a page plays: of the loudest, where there are several. */
async function listen(page) {
  const { rate, packed } = await page.evaluate(async (ms) => {
    // A video's sound does not go through nodes of the page's; what it would play is taken beside it.
    for (const video of [...document.querySelectorAll('live-player')].flatMap((one) => [
      ...one.shadowRoot.querySelectorAll('video'),
    ])) {
      if (video.isHeard || !video.captureStream || video.muted || video.volume === 0) continue;
      const stream = video.captureStream();
      if (stream.getAudioTracks().length === 0) continue;
      video.isHeard = true;
      const context = new AudioContext();
      const ear = new AnalyserNode(context, { fftSize: 32_768 });
      new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(ear);
      globalThis.senses.ears.push(ear);
    }
    await new Promise((resolve) => setTimeout(resolve, ms));
    const sounds = globalThis.senses.ears.map((ear) => {
      const samples = new Float32Array(ear.fftSize);
      ear.getFloatTimeDomainData(samples);
      return { rate: ear.context.sampleRate, samples, power: samples.reduce((sum, it) => sum + it * it, 0) };
    });
    const loudest = sounds.reduce((a, b) => (a.power >= b.power ? a : b), { rate: 48_000, samples: [], power: -1 });
    // A page that takes calls has other things to do than to write numbers out.
    const words = Int16Array.from(loudest.samples, (it) => Math.round(Math.max(-1, Math.min(1, it)) * 32_767));
    let packed = '';
    for (const byte of new Uint8Array(words.buffer)) packed += String.fromCharCode(byte);
    return { rate: loudest.rate, packed: btoa(packed) };
  }, EAR_MS);
  const bytes = Uint8Array.from(Buffer.from(packed, 'base64'));
  return { rate, samples: new Int16Array(bytes.buffer) };
}

/** What the browser was asked to do with a microphone, and does. */
export function soundSettings(page) {
  return page.evaluate(() => {
    const track = globalThis.senses.tracks.findLast(
      ({ kind, readyState }) => kind === 'audio' && readyState === 'live',
    );
    const { echoCancellation, autoGainControl, noiseSuppression } = track?.getSettings() ?? {};
    return { echoCancellation, autoGainControl, noiseSuppression };
  });
}

/** Twenty waves of the lower tone. */
const PIECE_MS = 20;
/** A beat and a half. */
const HEARD_S = 0.4;
/** Two browsers that draw without a graphics card leave a busy machine's sound its gaps for a while. */
const HEARD_WITHIN_MS = 40_000;
/** Pixels; the bar code has 16 cells. */
const SIDE = 160;
/** As long as the ear remembers: 32 768 samples at 48 kHz. */
const EAR_MS = 700;
