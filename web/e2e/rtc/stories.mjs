/** What happens to a play when something goes wrong, or another way than usual. Each has a page of its own. */

import { strict as assert } from 'node:assert';
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { sleep, until } from '../lib.mjs';

const CODE = {
  connected: 2001,
  begins: 2002,
  firstKey: 2003,
  playing: 2004,
  decoder: 2008,
  sizeChanged: 2009,
  firstPicture: 2032,
  worse: 2101,
  uneven: 2104,
  hardwareFailed: 2106,
  missing: 2107,
  connectFailed: 3002,
  handshakeFailed: 3003,
  transportFailed: 3005,
};

/** `rtmp://H:P/app/name?query`, and where its `/ull` is. */
export function placeOf(url, origin) {
  const [, tcUrl, app, name] = /^(rtmp:\/\/[^/]+\/([^?]+))\/([^/]+)$/.exec(url);
  return { origin, tcUrl, app, name };
}

/** What each story has: the clock's stream, a stream of its own, and a page. */
export class Cast {
  #children = new Set();
  #clock = null;
  #streams = 0;

  constructor(house) {
    Object.assign(this, house);
  }

  /** Where the clock is: asked for once, because it is not given more often than that. */
  clock() {
    this.#clock ??= this.demo.clockRtc().then((url) => placeOf(url, this.demo.origin));
    return this.#clock;
  }

  /** Where a stream of the story's own is pushed to, and played from. */
  async stream() {
    this.#streams += 1;
    const args = ['sign', `story-${this.#streams}`, '--json', '--host', '127.0.0.1', '--data-dir', this.dataDir];
    const { stdout } = await promisify(execFile)(this.program, args);
    const { push, play } = JSON.parse(stdout);
    const here = (url) => url.replace('127.0.0.1/', `127.0.0.1:${this.demo.ports.rtmp}/`);
    return { place: placeOf(here(play.rtc), this.demo.origin), push: here(push) };
  }

  /** Pushes what ffmpeg makes of itself: test pictures, and a tone. */
  pushMade(url, { size = '320x180', pictures = true, sound = true, bFrames = 0 } = {}) {
    const inputs = [
      ...(pictures ? ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25`] : []),
      ...(sound ? ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100'] : []),
    ];
    const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '25', '-bf', `${bFrames}`];
    const aac = ['-c:a', 'aac', '-b:a', '64k'];
    const codecs = [...(pictures ? x264 : []), ...(sound ? aac : [])];
    return this.#start('ffmpeg', ['-v', 'error', '-re', ...inputs, ...codecs, '-f', 'flv', url]);
  }

  #start(program, args) {
    const child = spawn(program, args, { stdio: 'ignore' });
    this.#children.add(child);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    return async () => {
      child.kill('SIGKILL');
      await gone;
      this.#children.delete(child);
    };
  }

  /** A page that plays. */
  async viewer(place, { settings, before, how = 'play' } = {}) {
    const page = await this.newPage();
    await page.goto(this.pageUrl);
    if (before) await page.evaluate(before);
    await page.evaluate(([name, where, all]) => window[name](where, all), [how, place, settings]);
    return new Viewer(page);
  }

  end() {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

class Viewer {
  constructor(page) {
    this.page = page;
  }

  seen() {
    return this.page.evaluate(() => window.seen);
  }

  async codes() {
    return (await this.seen()).states.map((state) => state.code);
  }

  async hears(code, ms = 10_000) {
    const find = async () => (await this.seen()).states.find((state) => state.code === code);
    return until(find, ms, `state ${code}`);
  }

  async ends(ms = 10_000) {
    return until(async () => (await this.seen()).ends[0], ms, 'an end');
  }

  /** Stops it, and sees that nothing stays open. */
  async quits() {
    await this.page.evaluate(() => window.quit());
    const isClean = async () => {
      const { transports, contexts, decoders } = await this.page.evaluate(() => window.leaks());
      return transports + contexts + decoders === 0;
    };
    await until(isClean, 3000, 'everything is closed');
    await this.page.close();
  }
}

export const STORIES = {
  async 'the codes come in their order'(cast) {
    const viewer = await cast.viewer(await cast.clock(), { how: 'playUrl' });
    await viewer.hears(CODE.playing);
    const { connected, begins, firstKey, decoder, sizeChanged, firstPicture, playing } = CODE;
    const order = [connected, begins, firstKey, decoder, sizeChanged, firstPicture, playing];
    // A machine that is busy is told of besides.
    const said = (await viewer.codes()).filter((code) => code < CODE.worse);
    assert.deepEqual(said.slice(0, order.length), order);
    await viewer.quits();
  },

  async 'a wrong signature is refused, with the word for it, every time'(cast) {
    const place = await cast.clock();
    const name = place.name.replace(/txSecret=./, (found) => `txSecret=${found.endsWith('0') ? '1' : '0'}`);
    for (let n = 0; n < 5; n++) {
      const viewer = await cast.viewer({ ...place, name });
      const end = await viewer.ends();
      assert.deepEqual([end.kind, end.reason], ['refused', 'auth-bad']);
      await viewer.quits();
    }
  },

  async 'stopped at any moment it leaves nothing open'(cast) {
    const place = await cast.clock();
    for (const ms of [0, 3, 10, 25, 60, 120, 400]) {
      const viewer = await cast.viewer(place);
      await sleep(ms);
      await viewer.quits();
    }
  },

  async 'paused it keeps the picture, and goes on at the live edge'(cast) {
    const viewer = await cast.viewer(await cast.clock());
    await viewer.hears(CODE.playing);
    await sleep(500);
    await viewer.page.evaluate(() => window.engine.pause());
    await sleep(300);
    const before = (await viewer.seen()).pictures.length;
    await sleep(1700);
    assert.equal((await viewer.seen()).pictures.length, before, 'nothing moves');
    const size = await viewer.page.evaluate(async () => (await window.engine.snapshot()).width);
    assert.equal(size, 640, 'the picture is there');
    await viewer.page.evaluate(() => window.engine.resume());
    await until(async () => (await viewer.seen()).pictures.length > before + 20, 5000, 'pictures again');
    const late = lateness((await viewer.seen()).pictures.slice(before + 5));
    assert.ok(Math.max(...late) < 500, `at the live edge: ${late}`);
    await viewer.quits();
  },

  async 'a tab that nobody looks at hears on, and is at the live edge when it is back'(cast) {
    const viewer = await cast.viewer(await cast.clock());
    await viewer.hears(CODE.playing);
    await sleep(1500);
    await viewer.page.evaluate(() => window.hide(true));
    // A frame that was asked for before still comes.
    await sleep(200);
    const before = await viewer.seen();
    await sleep(3500);
    const hidden = await viewer.seen();
    assert.ok(hidden.beeps.length >= before.beeps.length + 3, 'it is heard');
    assert.equal(hidden.pictures.length, before.pictures.length);
    const waiting = await viewer.page.evaluate(() => window.engine.status().vSumCacheSize);
    assert.ok(waiting <= 40, `a GOP at most waits: ${waiting}`);
    await viewer.page.evaluate(() => window.hide(false));
    await until(async () => (await viewer.seen()).pictures.length > hidden.pictures.length + 20, 5000, 'pictures');
    const after = (await viewer.seen()).pictures.slice(hidden.pictures.length);
    assert.ok(Math.max(...lateness(after.slice(3))) < 500, `${lateness(after)}`);
    assert.ok(!(await viewer.codes()).includes(2105), 'nobody saw it stand still');
    await viewer.quits();
  },

  async 'a publisher that comes back with another size is played on, and its end is told'(cast) {
    const { place, push } = await cast.stream();
    const stopFirst = cast.pushMade(push, { size: '320x180' });
    const viewer = await cast.viewer(place);
    await viewer.hears(CODE.firstPicture);
    await stopFirst();
    const stopSecond = cast.pushMade(push, { size: '480x270', bFrames: 2 });
    const isResized = async () => (await viewer.seen()).states.filter((s) => s.code === CODE.sizeChanged).length > 1;
    await until(isResized, 15_000, 'the other size');
    const resized = (await viewer.seen()).states.filter((s) => s.code === CODE.sizeChanged);
    assert.deepEqual(
      resized.map(({ width, height }) => [width, height]),
      [
        [320, 180],
        [480, 270],
      ],
    );
    const from = (await viewer.seen()).pictures.length;
    await until(async () => (await viewer.seen()).pictures.length > from + 35, 8000, 'B-frames too');
    const times = (await viewer.seen()).pictures.slice(from).map(([, , time]) => time);
    assert.ok(
      times.every((time, n) => n === 0 || time > times[n - 1]),
      'in the order of their times',
    );
    await stopSecond();
    assert.deepEqual(await viewer.ends(15_000), { kind: 'ended' });
    await viewer.quits();
  },

  async 'sound without pictures, and pictures without sound, are played'(cast) {
    for (const [what, is] of [
      [{ pictures: false }, (seen) => seen.volumes.length > 3],
      [{ sound: false }, (seen) => seen.pictures.length > 40],
    ]) {
      const { place, push } = await cast.stream();
      const stop = cast.pushMade(push, what);
      const viewer = await cast.viewer(place);
      await viewer.hears(CODE.playing);
      await until(async () => is(await viewer.seen()), 8000, JSON.stringify(what));
      await viewer.quits();
      await stop();
    }
  },

  async 'muted it says nothing of its loudness'(cast) {
    const { place, push } = await cast.stream();
    const stop = cast.pushMade(push);
    const viewer = await cast.viewer(place, { settings: { muted: true } });
    await viewer.hears(CODE.playing);
    await sleep(1500);
    assert.deepEqual((await viewer.seen()).volumes, []);
    await viewer.page.evaluate(() => window.engine.set({ muted: false, stutterMs: 800 }));
    await until(async () => (await viewer.seen()).volumes.length > 2, 3000, 'it is heard');
    await viewer.quits();
    await stop();
  },

  async 'a decoder that fails begins anew with software and the next key frame'(cast) {
    const viewer = await cast.viewer(await cast.clock(), {
      before: () => {
        let calls = 0;
        const decode = VideoDecoder.prototype.decode;
        VideoDecoder.prototype.decode = function (chunk) {
          calls += 1;
          // What no decoder takes.
          const data = new Uint8Array([0, 0, 0, 2, 0xff, 0xff]);
          return decode.call(
            this,
            calls === 60 ? new EncodedVideoChunk({ ...{ type: 'key', timestamp: 0 }, data }) : chunk,
          );
        };
      },
    });
    await viewer.hears(CODE.hardwareFailed);
    const from = (await viewer.seen()).pictures.length;
    await until(async () => (await viewer.seen()).pictures.length > from + 20, 8000, 'pictures again');
    assert.deepEqual((await viewer.seen()).ends, []);
    await viewer.quits();
  },

  async 'a stream that nobody publishes is waited for, and can be left'(cast) {
    const { place } = await cast.stream();
    const viewer = await cast.viewer(place);
    await viewer.hears(CODE.connected);
    await sleep(1500);
    assert.deepEqual(await viewer.codes(), [CODE.connected]);
    assert.deepEqual((await viewer.seen()).ends, []);
    await viewer.quits();
  },

  async 'without a server there is no connection; with another certificate no handshake'(cast) {
    const place = await cast.clock();
    const gone = await cast.viewer({ ...place, origin: 'http://127.0.0.1:9' });
    const end = await gone.ends();
    assert.deepEqual([end.kind, end.code], ['lost', CODE.connectFailed]);
    await gone.quits();
    const page = await cast.newPage();
    let asked = 0;
    await page.route('**/ull', async (route) => {
      asked += 1;
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), certSha256: [`${'ab'.repeat(32)}`] } });
    });
    await page.goto(cast.pageUrl);
    await page.evaluate((where) => window.play(where), place);
    const viewer = new Viewer(page);
    const wrong = await viewer.ends(12_000);
    assert.deepEqual([wrong.kind, wrong.code], ['lost', CODE.handshakeFailed]);
    assert.equal(asked, 2, 'it has asked again where the server is');
    await viewer.quits();
  },

  async 'a page that is not secure is told so'(cast) {
    const page = await cast.newPage();
    await page.goto(cast.pageUrl.replace('127.0.0.1', 'insecure.test'));
    await page.evaluate((where) => window.play(where), await cast.clock());
    const end = await new Viewer(page).ends();
    assert.equal(end.kind, 'unsupported');
    assert.match(end.message, /not secure/);
    await page.close();
  },
};

/** Those that change the path: one after the other. */
export const PATH_STORIES = {
  async 'a server that falls silent is a lost connection'(cast) {
    const viewer = await cast.viewer(await cast.clock());
    await viewer.hears(CODE.playing);
    cast.relay.path.cut = true;
    const at = Date.now();
    const end = await viewer.ends(12_000);
    cast.relay.path.cut = false;
    assert.deepEqual([end.kind, end.code], ['lost', CODE.transportFailed]);
    assert.ok(Date.now() - at < 6500, `${Date.now() - at} ms`);
    await viewer.quits();
  },

  async 'what is late, and what is missing, is told'(cast) {
    const viewer = await cast.viewer(await cast.clock());
    await viewer.hears(CODE.playing);
    await sleep(1000);
    cast.relay.path.cut = true;
    await sleep(2500);
    cast.relay.path.cut = false;
    await viewer.hears(CODE.missing);
    await viewer.hears(CODE.uneven);
    const from = (await viewer.seen()).pictures.length;
    await until(async () => (await viewer.seen()).pictures.length > from + 20, 8000, 'pictures again');
    assert.deepEqual((await viewer.seen()).ends, []);
    await viewer.quits();
  },

  async 'half a second of nothing is made good'(cast) {
    const viewer = await cast.viewer(await cast.clock());
    await viewer.hears(CODE.playing);
    await sleep(1500);
    cast.relay.path.cut = true;
    await sleep(500);
    cast.relay.path.cut = false;
    await sleep(3000);
    const seen = await viewer.seen();
    assert.deepEqual(seen.ends, []);
    const late = lateness(seen.pictures.slice(-25));
    assert.ok(Math.max(...late) < 600, `${late}`);
    await viewer.quits();
  },
};

/** Without leave to play sound: another browser. */
export const BLOCKED_STORIES = {
  async 'where sound needs a touch, pictures go on without, and it joins them'(cast) {
    const page = await cast.newPage();
    await page.goto(`${cast.pageUrl}#${encodeURIComponent(JSON.stringify(await cast.clock()))}`);
    await sleep(2500);
    await page.mouse.click(100, 100);
    const viewer = new Viewer(page);
    await until(async () => (await viewer.seen()).beeps.length >= 3, 6000, 'beeps');
    const seen = await viewer.seen();
    const shown = seen.pictures.filter(([at]) => at < seen.touchedAt);
    assert.ok(shown.length > 25, `${shown.length} pictures`);
    assert.ok(
      seen.beeps.every((at) => at > seen.touchedAt),
      'and no sound',
    );
    const apart = offsets(seen);
    assert.ok(Math.abs(apart.at(-1)) < 60, `with the pictures: ${apart}`);
    await viewer.quits();
  },
};

/** ms from what is seen to now, of pictures of the clock. */
export function lateness(pictures) {
  return pictures
    .filter(([, number]) => number !== null)
    .map(([at, number]) => around((at - number * 40) % 60_000, 60_000));
}

/** Picture minus sound, ms, for each beep: when the picture of that second was drawn, less when the beep began. */
export function offsets({ pictures, beeps }) {
  return allOffsets({ pictures, beeps }).filter((apart) => Math.abs(apart) < 500);
}

/** The same, also of beeps that have no picture near them. */
export function allOffsets({ pictures, beeps }) {
  const first = pictures.filter(([, number]) => number !== null && number % 25 === 0);
  const nearest = (beep) => first.map(([at]) => at - beep).sort((a, b) => Math.abs(a) - Math.abs(b))[0];
  return beeps.map((beep) => nearest(beep) ?? Number.POSITIVE_INFINITY);
}

function around(ms, turn) {
  const positive = ((ms % turn) + turn) % turn;
  return positive > turn / 2 ? positive - turn : positive;
}
