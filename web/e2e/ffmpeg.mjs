/** Streams that ffmpeg makes and pushes. */

import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

/** A moving picture with a tone, H.264 and AAC if not told otherwise, with a key frame each second. */
export async function makeFlv(file, { seconds, size, profile, rate = 44_100, title = 'a test', ...codecs }) {
  const picture = `testsrc2=size=${size}:rate=25:duration=${seconds}`;
  const tone = `sine=frequency=440:sample_rate=${rate}:duration=${seconds}`;
  const { video = h264(profile), sound = ['-c:a', 'aac', '-b:a', '64k'] } = codecs;
  const inputs = ['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', tone];
  const output = ['-g', '25', '-metadata', `title=${title}`, '-f', 'flv', file];
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-y', ...inputs, ...video, ...sound, ...output]);
  return file;
}

function h264(profile = 'baseline') {
  return ['-c:v', 'libx264', '-preset', 'ultrafast', '-profile:v', profile, '-pix_fmt', 'yuv420p', '-bf', '0'];
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
