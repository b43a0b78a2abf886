/** What can happen to somebody who watches live. Each story has a page of its own; many are told at the same time. */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { sleep, until } from '../lib.mjs';
import { END, moved } from './crafted.mjs';
import { enhancedTags, hevcStart } from './enhanced.mjs';

const CONNECTED = 2001;
const FIRST_KEY = 2003;
const PLAYING = 2004;
const ENDED = 2006;
const LOADING = 2007;
const DECODER = 2008;
const SIZE = 2009;
const FIRST_PICTURE = 2032;
const DECODE_FAILED = 2101;
const RECONNECTING = 2103;
const STUTTER = 2105;
const SERVER_CLOSED = 3004;
const GAVE_UP = -2301;
const NO_ACCELERATION = -2302;
const NO_CODEC = -2304;
/** A machine that has a dozen pages open at once may be slow. */
const PATIENCE_MS = 25_000;

/** A page that plays. */
export class Viewer {
  constructor(page) {
    this.page = page;
  }

  play(url, options = {}) {
    return this.page.evaluate(([where, how]) => window.playOurs(where, how), [url, options]);
  }

  do(what, ...given) {
    return this.page.evaluate(([name, args]) => window.player[name](...args), [what, given]);
  }

  seen() {
    return this.page.evaluate(() => window.seen);
  }

  async codes() {
    return (await this.seen()).states.map(({ code }) => code);
  }

  /** Waits until a code was said, or said so often. */
  said(code, times = 1) {
    const words = `${code} said ${times} times`;
    return until(
      async () => (await this.codes()).filter((one) => one === code).length >= times,
      PATIENCE_MS,
      words,
    ).catch(async (error) => {
      throw new Error(`${error.message}: ${JSON.stringify((await this.seen()).states)}`);
    });
  }

  /** What the element that is shown is at. */
  video() {
    return this.page.evaluate(() => {
      const shown = [...document.querySelectorAll('#host video')].find((video) => !video.hidden);
      if (!shown) return null;
      const { currentTime, paused, videoWidth, videoHeight, muted, buffered, playbackRate } = shown;
      const end = buffered.length > 0 ? buffered.end(buffered.length - 1) : 0;
      const start = buffered.length > 0 ? buffered.start(0) : 0;
      return { currentTime, paused, videoWidth, videoHeight, muted, playbackRate, ahead: end - currentTime, start };
    });
  }

  /** Sees it move for so long, ms. */
  async moves(ms = 1000) {
    const from = await until(
      async () => {
        const video = await this.video();
        return video && !video.paused && video.ahead > 0 ? video : null;
      },
      PATIENCE_MS,
      'it plays',
    );
    await until(
      async () => ((await this.video())?.currentTime ?? 0) > from.currentTime + ms / 1000,
      PATIENCE_MS,
      'it moves on',
    );
  }

  async leaves() {
    await this.page.evaluate(() => window.quit());
    await this.page.close();
  }
}

/** Who and what stories are told with. */
export class Cast {
  #children = new Set();
  #streams = 0;

  constructor(house) {
    Object.assign(this, house);
  }

  get clockUrl() {
    return `${this.demo.origin}/live/clock.flv`;
  }

  async viewer(newPage = this.newPage, hash = '') {
    const page = await newPage();
    await page.goto(this.pageUrl + hash);
    if (!hash) await page.waitForFunction(() => window.playOurs);
    return new Viewer(page);
  }

  /** A stream of the story's own: where it is pushed to, and played from. */
  async stream() {
    this.#streams += 1;
    const name = `story-${this.#streams}`;
    const { stdout } = await promisify(execFile)(this.program, [
      'sign',
      name,
      '--json',
      '--host',
      '127.0.0.1',
      '--data-dir',
      this.dataDir,
    ]);
    const push = JSON.parse(stdout).push.replace('127.0.0.1/', `127.0.0.1:${this.demo.ports.rtmp}/`);
    return { push, url: `${this.demo.origin}/live/${name}.flv` };
  }

  /** Pushes what ffmpeg makes of itself; answers how to break it off. */
  push(url, { size = '320x180', sound = true, rate = 44_100 } = {}) {
    const inputs = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25`];
    if (sound) inputs.push('-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=${rate}`);
    const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '25', '-bf', '0'];
    const args = ['-v', 'error', '-re', ...inputs, ...x264, ...(sound ? ['-c:a', 'aac'] : []), '-f', 'flv', url];
    const child = spawn('ffmpeg', args, { stdio: 'ignore' });
    this.#children.add(child);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    return async () => {
      child.kill('SIGKILL');
      await gone;
      this.#children.delete(child);
    };
  }

  end() {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

export const STORIES = {
  async 'the codes come in their order'({ clockUrl, viewer }) {
    const page = await viewer();
    await page.play(clockUrl);
    await page.said(FIRST_PICTURE);
    await page.said(PLAYING);
    const { states } = await page.seen();
    // A machine that is busy is told of besides.
    const order = states.map(({ code }) => code).filter((code) => code < DECODE_FAILED);
    assert.deepEqual(order, [CONNECTED, LOADING, FIRST_KEY, DECODER, SIZE, FIRST_PICTURE, PLAYING]);
    assert.deepEqual(
      states.filter(({ code }) => code === SIZE).map(({ width, height }) => [width, height]),
      [[640, 360]],
    );
    await until(async () => (await page.seen()).statuses.length >= 3);
    const status = (await page.seen()).statuses.at(-1);
    assert.equal(status.transport, 'flv');
    assert.equal(status.videoGOP, 1);
    assert.ok(status.videoBitrate > 50 && status.audioBitrate > 5 && status.netSpeed > 60, JSON.stringify(status));
    assert.ok(status.videoCache > 300 && status.audioCache > 300 && status.vSumCacheSize > 5, JSON.stringify(status));
    const [width, height] = await page.page.evaluate(async () => {
      const picture = await window.player.snapshot();
      return [picture.width, picture.height];
    });
    assert.deepEqual([width, height], [640, 360]);
    await page.leaves();
  },

  async 'by WebSocket, and its end is told'({ demo, viewer, stream, push }) {
    const { push: to, url } = await stream();
    const end = push(to);
    const page = await viewer();
    await page.play(url.replace('http', 'ws'));
    await page.said(PLAYING);
    await page.moves();
    await until(async () => (await page.seen()).statuses.at(-1)?.transport === 'ws-flv');
    await end();
    await page.said(ENDED);
    const { states } = await page.seen();
    assert.equal(states.at(-1).code, ENDED, JSON.stringify(states));
    assert.ok(demo.origin);
    await page.leaves();
  },

  async 'a publisher that comes back, with another size and another sound, is seen again'({ viewer, stream, push }) {
    const { push: to, url } = await stream();
    const first = push(to, { size: '320x180', rate: 44_100 });
    const page = await viewer();
    await page.play(url);
    await page.said(PLAYING);
    await page.moves();
    await first();
    const second = push(to, { size: '480x270', rate: 48_000 });
    await page.said(SIZE, 2);
    await page.moves(2000);
    const { states } = await page.seen();
    const sizes = states.filter(({ code }) => code === SIZE).map(({ width, height }) => `${width}x${height}`);
    assert.deepEqual(sizes, ['320x180', '480x270']);
    // The server keeps its viewers meanwhile.
    assert.ok(!states.some(({ code }) => code === RECONNECTING), JSON.stringify(states));
    await second();
    await page.leaves();
  },

  async 'a stream that begins later is found'({ viewer, stream, push }) {
    const { push: to, url } = await stream();
    const page = await viewer();
    await page.play(url);
    await page.said(RECONNECTING);
    const end = push(to);
    await page.said(PLAYING);
    await end();
    await page.leaves();
  },

  async 'a signature that is refused is told, and not tried again'({ demo, viewer }) {
    for (const scheme of ['http', 'ws']) {
      const page = await viewer();
      await page.play(`${demo.origin.replace('http', scheme)}/live/clock.flv?vhost=signed.test&txSecret=00&txTime=00`);
      await page.said(GAVE_UP);
      const { states } = await page.seen();
      assert.deepEqual(
        states.map(({ code, reason }) => [code, reason]),
        [
          [SERVER_CLOSED, 'auth-malformed'],
          [GAVE_UP, 'auth-malformed'],
        ],
      );
      await page.leaves();
    }
  },

  async 'nobody there: three attempts, and it gives up'({ viewer }) {
    const page = await viewer();
    await page.play('http://127.0.0.1:9/live/a.flv', { retries: 1 });
    await page.said(GAVE_UP);
    assert.deepEqual(await page.codes(), [3002, RECONNECTING, 3002, GAVE_UP]);
    await page.leaves();
  },

  async 'a pause keeps the picture, and goes on at the live edge'({ clockUrl, viewer }) {
    const page = await viewer();
    await page.play(clockUrl);
    await page.said(PLAYING);
    await page.do('pause');
    const before = await page.video();
    await sleep(5000);
    const paused = await page.video();
    assert.equal(paused.currentTime, before.currentTime);
    assert.ok(paused.ahead > 4, JSON.stringify(paused));
    await page.do('resume');
    await page.moves();
    const after = await page.video();
    assert.ok(after.ahead < 3.2, JSON.stringify(after));
    await page.leaves();
  },

  async 'a page that was hidden comes back to the live edge'({ clockUrl, viewer }) {
    const page = await viewer();
    await page.play(clockUrl);
    await page.said(PLAYING);
    // What a browser does to a muted video of a page that nobody sees.
    await page.page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { get: () => window.isHidden, configurable: true });
      window.isHidden = true;
      document.dispatchEvent(new Event('visibilitychange'));
      document.querySelector('#host video').pause();
    });
    await sleep(4000);
    await page.page.evaluate(() => {
      window.isHidden = false;
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.moves();
    assert.ok((await page.video()).ahead < 3.2, JSON.stringify(await page.video()));
    assert.ok(!(await page.codes()).includes(STUTTER));
    await page.leaves();
  },

  async 'asked for RTC mode it plays live, and says so'({ clockUrl, viewer }) {
    const page = await viewer();
    await page.play(clockUrl, { mode: 'RTC' });
    await page.said(PLAYING);
    assert.equal((await page.codes())[0], NO_ACCELERATION);
    await page.leaves();
  },

  async 'stopped at any moment it lets go of everything'({ clockUrl, viewer }) {
    const page = await viewer();
    for (let ms = 0; ms < 300; ms += 15) {
      await page.play(clockUrl);
      await sleep(ms);
      await page.do('stop');
      assert.equal(await page.page.evaluate(() => document.querySelectorAll('#host *').length), 0);
    }
    const said = (await page.codes()).length;
    await sleep(500);
    assert.equal((await page.codes()).length, said, 'it says nothing more');
    await page.leaves();
  },

  async 'the caches are held: speedy'({ clockUrl, viewer }) {
    const page = await viewer();
    await page.play(clockUrl, { minCache: 1, maxCache: 1 });
    await page.said(PLAYING);
    await until(async () => (await page.video()).ahead < 1.45, PATIENCE_MS, 'the delay comes down');
    assert.ok(!(await page.codes()).includes(STUTTER));
    await page.leaves();
  },

  async 'the caches are held: smooth'({ clockUrl, viewer }) {
    const page = await viewer();
    await page.play(clockUrl, { maxCache: 4, autoCache: false });
    await page.said(FIRST_PICTURE);
    await page.said(PLAYING);
    const { ahead } = await page.video();
    assert.ok(ahead > 3.6 && ahead < 6, `${ahead} s`);
    await page.leaves();
  },
};

/** Streams from {@link import('./crafted.mjs').serveCrafted}. */
export const CRAFTED = {
  plain: (tag) => tag,
  'no-sound': (tag) => (tag.type === 'audio' ? null : tag),
  'no-pictures': (tag) => (tag.type === 'video' ? null : tag),
  'late-sound': (tag) => (tag.type === 'audio' && (tag.config || tag.ms < 3000) ? lateConfig(tag) : tag),
  'sound-stops': (tag) => (tag.type === 'audio' && tag.ms > 3000 && tag.ms < 6000 ? null : tag),
  'pictures-stop': (tag) => (tag.type === 'video' && tag.ms > 3000 && tag.ms < 7000 ? null : tag),
  leaps: (tag) => (tag.ms > 3000 ? moved(tag, tag.ms + 10_000_000) : tag),
  'leaps-back': (tag) => (tag.ms > 3000 ? moved(tag, tag.ms - 3000) : tag),
  damaged: (tag) => (tag.ms > 3000 ? Buffer.alloc(tag.bytes.length, 0xa5) : tag),
  'broken-picture': (tag) =>
    tag.type === 'video' && !tag.config && tag.ms > 3000 && tag.ms < 3500 ? garbled(tag) : tag,
  closes: (tag) => (tag.ms > 3000 ? END : tag),
  'not-flv': () => Buffer.from('<html>'.repeat(100)),
};
CRAFTED.thin = (tag) => tag;
CRAFTED.thin.burstMs = 300;
CRAFTED['only-sound-announced'] = (tag) => (tag.type === 'video' ? null : tag);
CRAFTED['only-sound-announced'].flags = 4;

let heldConfig = null;
/** The configuration comes with the first sound. */
function lateConfig(tag) {
  if (tag.config) heldConfig = tag;
  return null;
}
const late = CRAFTED['late-sound'];
CRAFTED['late-sound'] = (tag) => {
  const is = tag.type === 'audio' && !tag.config && tag.ms >= 3000 && heldConfig !== null;
  if (!is) return late(tag);
  const config = moved(heldConfig, tag.ms);
  heldConfig = null;
  return { bytes: Buffer.concat([config.bytes, tag.bytes]) };
};

function garbled(tag) {
  const bytes = Buffer.from(tag.bytes);
  bytes.fill(0xa5, 16, bytes.length - 4);
  return { ...tag, bytes };
}

/** Streams of codecs that FLV has learned lately. `file` is what the others are made of. */
export async function enhancedStreams(folder, file) {
  const [vp9, av1, hevc] = await Promise.all([
    enhancedTags(folder, 'vp09'),
    enhancedTags(folder, 'av01'),
    hevcStart(folder),
  ]);
  const pictures = file.filter(({ type, ms }) => type === 'video' && ms < CODEC_CHANGES_MS);
  const later = vp9.map((tag) => moved(tag, tag.ms + CODEC_CHANGES_MS));
  const of = (tags) => Object.assign((tag) => tag, { tags });
  return { vp9: of(vp9), av1: of(av1), hevc: of(hevc), 'avc-vp9': of([...pictures, ...later]) };
}
const CODEC_CHANGES_MS = 4000;

/** Plays a crafted stream until its tenth second is shown, and answers what was seen. */
async function watch({ viewer, crafted }, name, { seconds = 9, options } = {}) {
  const page = await viewer();
  await page.play(crafted.url(name), options);
  await page.said(PLAYING);
  await until(async () => (await page.video())?.currentTime > seconds, PATIENCE_MS, `${seconds} s of ${name}`);
  const seen = await page.seen();
  const video = await page.video();
  await page.leaves();
  return { ...seen, codes: seen.states.map(({ code }) => code), video };
}

export const CRAFTED_STORIES = {
  async 'VP9 and AV1 are played, with Opus'(cast) {
    for (const name of ['vp9', 'av1']) {
      const page = await cast.viewer();
      await page.play(cast.crafted.url(name));
      await page.said(PLAYING);
      await page.moves(2000);
      const { videoWidth, videoHeight } = await page.video();
      assert.deepEqual([videoWidth, videoHeight], [320, 180], name);
      const sound = await page.page.evaluate(() => document.querySelector('#host video').webkitAudioDecodedByteCount);
      assert.ok(sound > 1000, `${name}: ${sound} bytes of sound are decoded`);
      const { states } = await page.seen();
      assert.ok(!states.some(({ code }) => code >= DECODE_FAILED || code < 0), JSON.stringify(states));
      await page.leaves();
    }
  },

  async 'a codec that changes in the middle of a stream is played on'(cast) {
    // Sound begins with it, so there is another element, whose time begins anew: the first one's ends at 4 s.
    const { states, codes, stalls } = await watch(cast, 'avc-vp9', { seconds: 5 });
    assert.deepEqual([codes.includes(RECONNECTING), codes.includes(GAVE_UP), stalls], [false, false, []]);
    assert.ok(!codes.includes(DECODE_FAILED), JSON.stringify(states));
  },

  async 'a codec that is not decoded here is named, and ends it'(cast) {
    const page = await cast.viewer();
    await page.play(cast.crafted.url('hevc'));
    await page.said(NO_CODEC);
    const { states } = await page.seen();
    assert.equal(states.at(-1).code, NO_CODEC);
    assert.match(states.at(-1).message, /hvc1|HEVC|hevc/);
    assert.equal(await page.page.evaluate(() => window.player.playing), false);
    await page.leaves();
  },

  async 'the first picture comes at once, and it plays when there is enough'(cast) {
    const { states } = await watch(cast, 'thin', { seconds: 2 });
    const [first, playing] = [FIRST_PICTURE, PLAYING].map((wanted) => states.find(({ code }) => code === wanted));
    assert.ok(first.ahead < 0.9 && playing.ahead > 0.9, JSON.stringify(states));
    assert.ok(first.ms < playing.ms, JSON.stringify(states));
  },

  async 'B-frames are in order'(cast) {
    const { codes, stalls } = await watch(cast, 'plain', { seconds: 4 });
    assert.deepEqual([codes.includes(STUTTER), stalls], [false, []]);
  },

  async 'sound that is announced and never comes is not waited for'(cast) {
    const { states, codes } = await watch(cast, 'no-sound', { seconds: 4 });
    const { ms } = states.find(({ code }) => code === PLAYING);
    assert.ok(ms < 5000, `${ms} ms`);
    assert.ok(!codes.includes(STUTTER));
  },

  async 'pictures that are announced and never come are not waited for'(cast) {
    const { codes } = await watch(cast, 'no-pictures', { seconds: 4 });
    assert.ok(!codes.includes(FIRST_PICTURE));
  },

  async 'sound alone'(cast) {
    const { codes, statuses } = await watch(cast, 'only-sound-announced', { seconds: 4 });
    assert.ok(!codes.includes(FIRST_PICTURE));
    assert.ok(statuses.at(-1).audioBitrate > 20, JSON.stringify(statuses.at(-1)));
  },

  async 'sound that begins later is heard'(cast) {
    const page = await cast.viewer();
    await page.play(cast.crafted.url('late-sound'));
    await page.said(PLAYING);
    await until(
      () =>
        page.page.evaluate(() =>
          [...document.querySelectorAll('#host video')].some((v) => !v.hidden && v.webkitAudioDecodedByteCount > 1000),
        ),
      PATIENCE_MS,
      'sound is decoded',
    );
    await page.moves();
    assert.ok(!(await page.codes()).includes(RECONNECTING));
    await page.leaves();
  },

  async 'sound that stops for three seconds stops nothing'(cast) {
    const { codes, stalls } = await watch(cast, 'sound-stops');
    assert.deepEqual([codes.includes(STUTTER), codes.includes(RECONNECTING), stalls], [false, false, []]);
  },

  async 'pictures that stop are seen again, and the sound goes on'(cast) {
    const page = await cast.viewer();
    await page.play(cast.crafted.url('pictures-stop'));
    await page.said(PLAYING);
    // The last picture stays while there is only sound, and then there are pictures again.
    const isStill = () =>
      page.page.evaluate(() => {
        const [canvas, video] = ['canvas', 'video'].map((name) => document.querySelector(`#host ${name}`));
        return canvas?.width === 320 && !canvas.hidden && video?.hidden === true && !video.paused;
      });
    await until(isStill, PATIENCE_MS, 'the last picture, and sound');
    await until(async () => (await page.video())?.videoWidth === 320, PATIENCE_MS, 'pictures');
    await page.moves();
    assert.equal(await page.page.evaluate(() => document.querySelectorAll('#host *').length), 1);
    assert.ok(!(await page.codes()).includes(RECONNECTING));
    await page.leaves();
  },

  async 'a clock that leaps, forward or back, is not seen'(cast) {
    for (const name of ['leaps', 'leaps-back']) {
      const { codes, stalls } = await watch(cast, name, { seconds: 6 });
      assert.deepEqual([codes.includes(STUTTER), codes.includes(RECONNECTING), stalls], [false, false, []], name);
    }
  },

  async 'FLV that is damaged, or none, ends the connection and is tried again'(cast) {
    for (const name of ['damaged', 'not-flv']) {
      const page = await cast.viewer();
      await page.play(cast.crafted.url(name), { retries: 1 });
      await page.said(RECONNECTING);
      if (name === 'not-flv') await page.said(GAVE_UP);
      else await page.said(PLAYING, 2);
      await page.leaves();
    }
  },

  async 'a picture that cannot be decoded is not the end'(cast) {
    const { codes } = await watch(cast, 'broken-picture', { seconds: 3 });
    assert.ok(!codes.includes(GAVE_UP));
    const page = await cast.viewer();
    await page.play(cast.crafted.url('broken-picture'));
    await page.said(DECODE_FAILED);
    await sleep(3000);
    await page.moves(2000);
    assert.ok(!(await page.codes()).includes(GAVE_UP));
    await page.leaves();
  },

  async 'what is there when a server closes is played to its end, and it comes back'(cast) {
    const page = await cast.viewer();
    await page.play(cast.crafted.url('closes'));
    await page.said(RECONNECTING);
    const at = (await page.video()).currentTime;
    await until(async () => (await page.video())?.currentTime > at + 0.5, PATIENCE_MS, 'it goes on meanwhile');
    await page.said(PLAYING, 2);
    await page.leaves();
  },
};
