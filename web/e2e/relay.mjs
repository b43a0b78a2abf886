/**
 * A bad path for UDP, on loopback: whoever sends to its port talks to the server, with delay and loss in either
 * direction. Each direction has a generator of its own, so the same seed loses the same packets of the same traffic.
 */

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { PROGRAM } from './lib.mjs';

/**
 * Puts a path before a server; `path` may be changed at any time. `to` is the server's port; `rttMs` is added there and
 * back together; `loss` is a share of the packets of either direction, 0 to 1; while `cut` nothing comes through.
 */
export async function startRelay({ to = 0, rttMs = 0, loss = 0, seed = 1 } = {}) {
  const front = createSocket('udp4');
  const clients = new Map();
  const path = { to, rttMs, loss, cut: false, carried: 0, lost: 0, dropped: 0 };
  let isClosed = false;
  let waiting = 0;

  const line = (chance, queue) => (bytes, send) => {
    if (path.cut || chance() < path.loss) {
      path.lost += 1;
      return;
    }
    if (waiting >= WAITING_MAX) {
      path.dropped += 1;
      return;
    }
    const queueMs = queue(bytes);
    if (queueMs > QUEUE_MS_MAX) {
      path.dropped += 1;
      return;
    }
    path.carried += 1;
    const delay = path.rttMs / 2 + queueMs;
    if (delay === 0) return send();
    waiting += 1;
    setTimeout(() => {
      waiting -= 1;
      if (!isClosed) send();
    }, delay);
  };
  let freeAt = 0;
  /** How long a packet waits for those before it, and takes, ms. */
  const narrow = (bytes) => {
    if (path.upKbps === 0) return 0;
    const now = performance.now();
    const takes = (bytes * 8) / path.upKbps;
    const waits = Math.max(0, freeAt - now) + takes;
    if (waits <= QUEUE_MS_MAX) freeAt = now + waits;
    return waits;
  };
  const [up, down] = [line(generator(seed), narrow), line(generator(seed ^ 0x5bd1e995), () => 0)];

  front.on('message', (packet, from) => {
    const key = `${from.address}:${from.port}`;
    let back = clients.get(key);
    if (back === undefined) {
      if (clients.size >= CLIENTS_MAX) return;
      back = createSocket('udp4');
      back.on('error', () => {});
      back.on('message', (answer) => down(answer.length, () => front.send(answer, from.port, from.address)));
      clients.set(key, back);
    }
    up(packet.length, () => back.send(packet, path.to, '127.0.0.1'));
  });
  await new Promise((resolve, reject) => front.once('error', reject).bind(0, '127.0.0.1', resolve));
  return {
    port: front.address().port,
    path,
    async close() {
      isClosed = true;
      const sockets = [front, ...clients.values()];
      await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.close(resolve))));
    },
  };
}

/** A path of `thalweg lab` before a server's UDP port: the one that figures are measured with. */
export async function startLabPath(to, args) {
  const child = spawn(PROGRAM, ['lab', '--json', '--before', `127.0.0.1:${to}`, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  const gone = new Promise((resolve) => child.once('exit', resolve)).finally(() => process.off('exit', end));
  const said = await Promise.race([
    new Promise((resolve) => child.stdout.once('data', resolve)),
    gone.then((code) => Promise.reject(new Error(`thalweg lab ended with ${code}`))),
  ]);
  return {
    port: Number(JSON.parse(said).address.split(':')[1]),
    close() {
      child.kill('SIGTERM');
      return gone;
    },
  };
}

/** xorshift32: numbers from 0 to 1, the same for a seed. */
function generator(seed) {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** As many viewers as a test has; what others send is dropped. */
const CLIENTS_MAX = 50;
/** Packets on their way: 100 ms of 200 Mbit/s. */
const WAITING_MAX = 2000;
/** What a router holds of a narrow line before it drops. */
const QUEUE_MS_MAX = 500;
