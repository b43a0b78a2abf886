/** Streams that ffmpeg makes and pushes. */

import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

/** A moving picture with a tone, H.264 and AAC, with a key frame each second. */
export async function makeFlv(file, { seconds, size, profile = 'baseline', rate = 44_100, title = 'a test' }) {
  const picture = `testsrc2=size=${size}:rate=25:duration=${seconds}`;
  const tone = `sine=frequency=440:sample_rate=${rate}:duration=${seconds}`;
  const video = [
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-profile:v',
    profile,
    '-pix_fmt',
    'yuv420p',
    '-g',
    '25',
    '-bf',
    '0',
  ];
  const inputs = ['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', tone];
  const output = ['-c:a', 'aac', '-b:a', '64k', '-metadata', `title=${title}`, '-f', 'flv', file];
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-y', ...inputs, ...video, ...output]);
  return file;
}

/** Pushes a file as fast as it is meant to be seen. `stop()` breaks it off; `ended` is its own end. */
export function pushFlv(file, url) {
  const child = spawn('ffmpeg', ['-v', 'error', '-re', '-i', file, '-c', 'copy', '-f', 'flv', url], {
    stdio: 'ignore',
  });
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  const ended = new Promise((resolve) => child.once('exit', resolve)).finally(() => process.off('exit', end));
  return {
    ended,
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}
