/** What is around a real server: an encoder, a viewer, and a customer's back end. Each ends by its own handle. */

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';

/** No process of the walk lives longer than this. */
const LONGEST_S = 60;

function started(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (data) => { said += data; });
  const ended = new Promise((resolve) => {
    child.once('exit', (code) => resolve({ code, said }));
    child.once('error', (error) => resolve({ code: -1, said: String(error) }));
  });
  return { ended, stop: () => child.kill('SIGKILL') };
}

/** Pushes a test picture with a tone, as the page says. */
export function encoder(url) {
  return started('ffmpeg', [
    '-hide_banner', '-loglevel', 'error', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25', '-f', 'lavfi', '-i', 'sine=frequency=440',
    '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-g', '25', '-b:v', '400k', '-c:a', 'aac', '-t', String(LONGEST_S), '-f', 'flv', url,
  ]);
}

/** Reads a stream until it ends. */
export function viewer(url) {
  return started('curl', ['--silent', '--show-error', '--fail', '--max-time', String(LONGEST_S), '--output', '/dev/null', url]);
}

/** Hears callbacks, and answers them. */
export async function backEnd() {
  const heard = [];
  const server = createServer(async (req, res) => {
    let text = '';
    for await (const chunk of req) text += chunk;
    heard.push(JSON.parse(text));
    res.writeHead(200, { 'Content-Type': 'application/json' }).end('{"code":0}');
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { url: `http://127.0.0.1:${server.address().port}/events?secret=of-the-walk`, heard, stop: () => { server.closeAllConnections(); server.close(); } };
}

/** Waits until something is so. */
export async function until(what, is, withinMs = 20_000) {
  for (const end = Date.now() + withinMs; Date.now() < end; ) {
    if (await is()) return;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  throw new Error(`not so in time: ${what}`);
}
