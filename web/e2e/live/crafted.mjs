/**
 * Serves streams that no server of ours would send: an FLV file as if it were live, with its tags changed on the way.
 * A second of it comes at once, as a viewer's first second does.
 */

import { createServer } from 'node:http';

const FILE_HEADER_BYTES = 13;
const BURST_MS = 1300;
const STEP_MS = 40;

/** The tags of a file: `{ type, ms, config, bytes }`. */
export function tagsOf(file) {
  const tags = [];
  for (let at = FILE_HEADER_BYTES; at + 11 <= file.length; ) {
    const length = file.readUIntBE(at + 1, 3);
    const bytes = file.subarray(at, at + 15 + length);
    const ms = file.readUIntBE(at + 4, 3) + file[at + 7] * 2 ** 24;
    const type = { 8: 'audio', 9: 'video', 18: 'data' }[file[at]];
    tags.push({ type, ms, config: type !== 'data' && file[at + 12] === 0, bytes });
    at += bytes.length;
  }
  return tags;
}

/** A tag at another time. */
export function moved(tag, ms) {
  const bytes = Buffer.from(tag.bytes);
  bytes.writeUIntBE(ms & 0xffffff, 4, 3);
  bytes[7] = (ms >>> 24) & 0xff;
  return { ...tag, ms, bytes };
}

/**
 * `streams` are by name: a function that is given each tag and answers it, another, bytes, `null` for nothing, or `END`
 * to close; `flags` of it say what the file announces, `tags` are others than the file's, and `burstMs` of media come at
 * once. A tag keeps its moment, whatever is done to it.
 */
export async function serveCrafted(file, streams) {
  const server = createServer((request, response) => {
    const name = /^\/live\/([\w-]+)\.flv/.exec(request.url)?.[1];
    const change = streams[name];
    if (!change) return response.writeHead(404, { 'access-control-allow-origin': '*' }).end();
    response.writeHead(200, { 'content-type': 'video/x-flv', 'access-control-allow-origin': '*' });
    response.write(Buffer.from([0x46, 0x4c, 0x56, 1, change.flags ?? 5, 0, 0, 0, 9, 0, 0, 0, 0]));
    const { tags = file, burstMs = BURST_MS } = change;
    const began = performance.now();
    let next = 0;
    const timer = setInterval(() => {
      const until = performance.now() - began + burstMs;
      for (; next < tags.length && tags[next].ms <= until; next++) {
        const changed = change(tags[next]);
        if (changed === END) {
          clearInterval(timer);
          return response.end();
        }
        if (changed !== null) response.write(changed.bytes ?? changed);
      }
      if (next === tags.length) {
        clearInterval(timer);
        response.end();
      }
    }, STEP_MS);
    response.on('close', () => clearInterval(timer));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: (name) => `http://127.0.0.1:${server.address().port}/live/${name}.flv`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

export const END = Symbol('end');
