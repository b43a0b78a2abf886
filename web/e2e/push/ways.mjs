/** Pushing over each way to the server, and what befalls a way. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PROGRAM, SHOTS, startDemo, until } from '../lib.mjs';
import { probe, record, toneShare } from '../media.mjs';
import { startRelay } from '../relay.mjs';
import { left, TONE_HZ, urlsOf } from './room.mjs';

const ORDER = [1005, 1003, 1007, 1008, 1001, 1002];

export async function overUdp(page, room) {
  const urls = await room.urls();
  await page.pushes(urls, { debug: '' });
  const found = await seenByFfmpeg(page, urls);
  const info = await page.info();
  assert.equal(info.transport, 'rtmp-udp');
  assert.ok(info.videoGOP > 0.8 && info.videoGOP < 1.3, `a key frame a second, not each ${info.videoGOP} s`);
  await page.evaluate(() => lab.element().sendMessage({ msg: 'a word for viewers' }));
  const flv = await bytesOf(urls.flv, (bytes) => bytes.includes('a word for viewers'));
  assert.ok(flv, 'a message comes with the pictures');
  await page.screenshot({ path: join(SHOTS, 'push.png') });
  return { ...found, info };
}

export async function overWebSocket(page, room) {
  await page.evaluate(() => delete globalThis.WebTransport);
  const urls = await room.urls();
  await page.pushes(urls, { mode: 'HD', muted: 'false' });
  const found = await seenByFfmpeg(page, urls, { width: 960, height: 540 });
  const info = await page.info();
  assert.equal(info.transport, 'ws-flv');
  await page.evaluate(() => lab.element().setAttribute('muted', ''));
  await until(async () => (await page.info()).audioBitrate < 8, 5000, 'silence takes next to nothing');
  return { ...found, info, silentKbps: (await page.info()).audioBitrate };
}

/** The order of the codes, the codecs, the numbers of the pictures, and the tone. */
async function seenByFfmpeg(page, urls, size = { width: 640, height: 360 }) {
  assert.deepEqual((await page.codes()).slice(0, 6), ORDER);
  await until(() => page.info(), 5000);
  const { video, audio } = await probe(urls.rtmp);
  const { codec_name, width, height, has_b_frames } = video;
  assert.deepEqual({ codec_name, width, height, has_b_frames }, { codec_name: 'h264', ...size, has_b_frames: 0 });
  assert.equal(audio.codec_name, 'aac');
  assert.equal(audio.profile, 'LC');
  assert.equal(audio.sample_rate, '48000');
  const { numbers, samples } = await record(urls.rtmp, { seconds: 3 });
  const read = numbers.filter((number) => number !== null);
  assert.ok(read.length > numbers.length * 0.9, `${read.length} of ${numbers.length} pictures have their number`);
  const steps = read.slice(1).map((number, n) => (number - read[n] + 250) % 250);
  assert.ok(
    steps.every((step) => step < 125),
    `in their order: ${read}`,
  );
  const share = toneShare(samples, TONE_HZ);
  assert.ok(share > 0.8, `the tone is heard: ${share}`);
  assert.equal(toneShare(samples, 1.5 * TONE_HZ), 0, 'and no other');
  return { profile: video.profile, pictures: numbers.length, read: read.length, toneShare: Number(share.toFixed(3)) };
}

export async function keyRequest(page, room) {
  const urls = await room.urls();
  // A key frame each 3 s, if nobody asks.
  await page.pushes(urls, { mode: 'SD' });
  const viewer = await room.openPage();
  try {
    const waits = await viewer.evaluate(
      async ([origin, url]) => {
        const udp = await import('/peers/rtmp_udp.js');
        const transport = udp.open(await udp.discover(origin));
        await transport.ready;
        const control = await udp.Control.on(transport);
        await control.ask('play', url);
        const listen = async () => {
          for await (const _ of control.messages());
        };
        listen().catch(() => {});
        const keys = [];
        const read = async (stream) => {
          for await (const { kind, isKey } of udp.mediaOf(stream))
            if (kind === udp.VIDEO && isKey) keys.push(performance.now());
        };
        const receive = async () => {
          for await (const stream of transport.incomingUnidirectionalStreams) read(stream).catch(() => {});
        };
        receive().catch(() => {});
        const next = async () => {
          const before = keys.length;
          while (keys.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
          return keys.at(-1);
        };
        const waits = [];
        await next();
        for (let n = 0; n < 3; n++) {
          // Not before the server passes one on again.
          await new Promise((resolve) => setTimeout(resolve, 1100));
          const asked = performance.now();
          await control.say(udp.KEY_REQUEST);
          waits.push(Math.round((await next()) - asked));
        }
        transport.close();
        return waits;
      },
      [room.server.origin, urls.rtc],
    );
    assert.ok(Math.max(...waits) < 1000, `long before the next one is due: ${waits} ms`);
    return { waits };
  } finally {
    await viewer.close();
  }
}

export async function narrowPath(page, room) {
  const relay = await startRelay({ to: room.server.ports.rtmp, rttMs: 20 });
  try {
    await goesBy(relay, page, room);
    const urls = await room.urls();
    await page.pushes(urls, { 'min-bitrate': '100', 'max-bitrate': '1200' });
    await until(async () => (await page.info())?.videoBitrate > 600, 10_000, 'the pictures take what they are given');
    const wide = await page.info();
    relay.path.upKbps = 450;
    const began = performance.now();
    await until(
      async () => (await rates(page)).some((kbps) => kbps < 400),
      10_000,
      'the rate goes below what the path takes',
    );
    const downMs = Math.round(performance.now() - began);
    // It settles: what goes out is what the path takes, and viewers see pictures.
    await new Promise((resolve) => setTimeout(resolve, 3500));
    const narrow = (await page.evaluate(() => lab.events('netstatus').map(({ info }) => info))).slice(-3);
    const speed = narrow.reduce((sum, { netSpeed }) => sum + netSpeed, 0) / narrow.length;
    assert.ok(speed < 520, `${speed} kbit/s on a path of 450`);
    const { numbers } = await record(urls.rtmp, { seconds: 2 });
    const read = numbers.filter((number) => number !== null);
    assert.ok(read.length >= 15, `viewers see pictures: ${read.length} in 2 s`);
    assert.ok((await page.codes()).includes(1006), 'it says so');
    return { wide, narrow, downMs, seen: read.length, rates: await rates(page) };
  } finally {
    await relay.close();
  }
}

/** Of UDP, what this page sends to the server and hears from it. */
function goesBy(relay, page, { server }) {
  return page.route(`${server.origin}/ull`, async (route) => {
    const answer = await (await route.fetch()).json();
    await route.fulfill({
      json: { ...answer, udpPort: relay.port },
      headers: { 'access-control-allow-origin': '*' },
    });
  });
}

function rates(page) {
  return page.evaluate(() => lab.events('statechange').flatMap(({ code, kbps }) => (code === 1006 ? [kbps] : [])));
}

/** On its own ports with its own keys, as a program that was stopped and started. */
export async function serverRestarts(page) {
  const first = await startDemo();
  let second = null;
  // Whatever another check trips over, it goes with the rest.
  const end = () => second?.kill('SIGKILL');
  process.once('exit', end);
  try {
    const urls = await urlsOf(first);
    await page.pushes(urls, { 'http-origin': first.origin });
    await first.kill();
    await page.says(1102);
    const { rtmp, http, https, operator } = first.ports;
    const args = ['demo', '--rtmp-port', rtmp, '--http-port', http, '--https-port', https, '--operator-port', operator];
    second = spawn(PROGRAM, args.map(String), { cwd: first.folder, stdio: 'ignore' });
    await page.says(1002, 15_000, 2);
    const since = await page.evaluate(() => lab.events('netstatus').length);
    const told = () => page.evaluate((since) => lab.events('netstatus')[since]?.info.transport, since);
    assert.equal(await until(told, 5000, 'it says how it fares'), 'rtmp-udp', 'as before');
    const { video } = await probe(urls.rtmp);
    assert.equal(video.codec_name, 'h264');
    return { codes: await page.codes() };
  } finally {
    end();
    process.off('exit', end);
    await first.stop();
  }
}

export async function refused(page, room) {
  const urls = await room.urls();
  const url = urls.push.replace(/txSecret=./, (found) => `txSecret=${found.endsWith('0') ? '1' : '0'}`);
  await page.mount({ url, autopush: '' });
  await page.says(-1307, 20_000);
  const [refusal] = await page.evaluate(() => lab.events('statechange').filter(({ code }) => code === 3004));
  assert.equal(refusal.reason, 'auth-bad');
  const codes = (await page.codes()).slice(4);
  assert.deepEqual(codes, [3004, 1102, 3004, 1102, 3004, 1102, 3004, -1307]);
  assert.equal((await left(page)).tracks, 0, 'the camera is let go of');
  return { codes };
}

/** The server names a port at which nobody listens: then it goes over a WebSocket, and at once the next time. */
export async function udpBlocked(page, { folder }) {
  const config = join(folder, 'blocked.toml');
  await writeFile(config, '[udp]\npublic_port = 9\n');
  const own = await startDemo('--config', config, '--data-dir', join(folder, 'blocked'));
  try {
    const urls = await urlsOf(own, '--config', config, '--data-dir', join(folder, 'blocked'));
    const waits = [];
    for (let n = 0; n < 2; n++) {
      await page.evaluate(() => lab.forget());
      if (n === 0) await page.mount({ url: urls.push, 'http-origin': own.origin });
      await page.evaluate(() => lab.start());
      await page.says(1002);
      waits.push(await page.evaluate(() => lab.between(1008, 1002)));
      await until(async () => (await page.info())?.transport === 'ws-flv', 5000, 'FLV');
      assert.deepEqual((await page.codes()).slice(0, 6), ORDER);
      await probe(urls.rtmp);
      await page.evaluate(() => lab.stop());
    }
    assert.ok(Math.max(...waits) < 5000, `${waits} ms`);
    assert.equal(await page.evaluate(() => lab.opened.transports.length), 1, 'the second time UDP is not tried');
    return { waits };
  } finally {
    await own.stop();
  }
}

/** Nothing answers, as behind a firewall that drops: a handshake is waited for a second. */
export async function udpSwallowed(page, room) {
  const relay = await startRelay({ to: room.server.ports.rtmp });
  relay.path.cut = true;
  try {
    await goesBy(relay, page, room);
    await page.pushes(await room.urls());
    const waits = await page.evaluate(() => lab.between(1008, 1002));
    await until(async () => (await page.info())?.transport === 'ws-flv', 5000, 'FLV');
    assert.ok(waits >= 1000 && waits < 5000, `${waits} ms`);
    assert.ok(relay.path.lost > 0, 'it was tried');
    return { waits };
  } finally {
    await relay.close();
  }
}

/** At once, on its way, and while it pushes, over either way; stopped, and taken from the page. */
export async function leaves(page, room) {
  const urls = await room.urls();
  await leavesBehindNothing(page, urls, [null, 1005, 1003, 1008, 1002]);
  await page.evaluate(() => delete globalThis.WebTransport);
  await leavesBehindNothing(page, urls, [1008, 1002]);
  return { left: await left(page) };
}

async function leavesBehindNothing(page, urls, moments) {
  for (const after of moments) {
    for (const how of ['stop', 'remove']) {
      await page.evaluate(() => {
        lab.element()?.remove();
        lab.forget();
      });
      await page.mount({ url: urls.push, autopush: '' });
      if (after) await page.says(after);
      if (after === 1002) await until(() => page.info(), 5000);
      await page.evaluate((word) => (word === 'stop' ? lab.stop() : lab.element().remove()), how);
      const isEmpty = async () => Object.values(await left(page)).every((count) => count === 0);
      await until(isEmpty, 8000, `nothing is left after ${after} and ${how}`).catch(async (error) => {
        throw new Error(`${error.message}: ${JSON.stringify(await left(page))}`);
      });
    }
  }
}

/** Whether `is` of what has come of a stream, within some seconds. */
async function bytesOf(url, is) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(6000) });
  let bytes = Buffer.alloc(0);
  try {
    for await (const chunk of answer.body) {
      bytes = Buffer.concat([bytes, chunk]);
      if (is(bytes)) return true;
    }
  } catch {
    // Its time is over.
  }
  return false;
}
