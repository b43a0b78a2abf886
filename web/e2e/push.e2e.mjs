/**
 * `<live-pusher>` with a fake camera, which sees the clock's bar code, and a fake microphone, which hears a tone: over
 * WebTransport and over a WebSocket, to a real server; and by Debian's ffmpeg what then comes out of it. Then what may
 * befall it: a narrow path, none by UDP, a server that restarts, a refusal, devices that are denied or unplugged, the
 * screen, the background, and its end.
 *
 *   node e2e/push.e2e.mjs [WORD]     only what has WORD in its name
 */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { SHOTS } from './lib.mjs';
import { beauty, colours, mirrors, ownWindow } from './push/looks.mjs';
import { openRoom } from './push/room.mjs';
import { hidden, music, musicAndPause } from './push/sounds.mjs';
import { asked, devices, insecure, screen } from './push/sources.mjs';
import {
  keyRequest,
  leaves,
  narrowPath,
  overUdp,
  overWebSocket,
  refused,
  serverRestarts,
  udpBlocked,
  udpSwallowed,
} from './push/ways.mjs';

/** Each on a page of its own. The first ones measure: they have the machine to themselves. */
const ALONE = {
  'goes over UDP, and ffmpeg sees and hears it': overUdp,
  'goes over a WebSocket, and ffmpeg sees and hears it': overWebSocket,
  'a viewer asks for a key frame': keyRequest,
  'the path gets narrow': narrowPath,
  'UDP does not get through, and is told so': udpBlocked,
  'UDP does not get through, and nothing answers': udpSwallowed,
  'leaves nothing behind, whenever it leaves': leaves,
};
const TOGETHER = {
  'music is heard, and a pause is black and silent': musicAndPause,
  'music begins and ends where it is told to': music,
  'the tab is hidden and comes back': hidden,
  'the server restarts': serverRestarts,
  'the server refuses': refused,
  'devices are denied, and unplugged': devices,
  'an attribute changes while the browser asks': asked,
  'the page is not secure': insecure,
  'the screen is shared, ended and refused': screen,
  'skin is smoothed, and grass is not': beauty,
  'mirrors are where they are asked for': mirrors,
  'filters have their colours': colours,
  'the preview has a window of its own': ownWindow,
};
const AT_ONCE = 2;

const only = process.argv[2] ?? '';
const report = { load: loadavg()[0], checks: {} };
const room = await openRoom();
try {
  const [alone, waiting] = [wanted(ALONE), wanted(TOGETHER)];
  assert.ok(alone.length + waiting.length > 0, `there is no check with ${only} in its name`);
  for (const entry of alone) await run(entry);
  // A few at a time: much of what they do is wait.
  await Promise.all(Array.from({ length: AT_ONCE }, () => lane(waiting)));
  assert.deepEqual(room.complaints.filter(isUnexpected), [], 'what the browser complained of');
} finally {
  await writeFile(join(SHOTS, 'push.json'), `${JSON.stringify(report, null, 2)}\n`);
  await room.close();
}
console.log('the pusher does what it says');

function wanted(checks) {
  return Object.entries(checks).filter(([name]) => name.includes(only));
}

async function lane(waiting) {
  for (let next = waiting.shift(); next; next = waiting.shift()) await run(next);
}

async function run([name, check]) {
  const began = performance.now();
  const page = await room.openPage();
  try {
    const found = await check(page, room);
    report.checks[name] = { seconds: Math.round(performance.now() - began) / 1000, ...found };
    console.log(`${name}: ${JSON.stringify(report.checks[name])}`);
  } catch (error) {
    const codes = await page.evaluate(() => lab.codes()).catch(() => null);
    throw new Error(`${name}: ${error.message}; it said ${codes}`, { cause: error });
  } finally {
    await page.close();
  }
}

/** A server that is killed or refuses is complained of by the browser as well; an exception is never expected. */
function isUnexpected(complaint) {
  const isKnown = /WebSocket|Failed to load resource|ERR_|WebTransport|GL Driver/.test(complaint);
  return !isKnown || complaint.startsWith('exception:');
}
