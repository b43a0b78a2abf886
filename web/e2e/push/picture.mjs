/** A picture with a bar code, as a file. */

import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A grey PNG under which the bar code of the test clock (docs/ref/clock.md) says a number. */
export async function writePicture(file, number, { width = 320, height = 180 } = {}) {
  const bars = height - height / 9;
  const grey = Buffer.alloc(width * height, 128);
  for (let y = bars; y < height; y++)
    for (let x = 0; x < width; x++) {
      const bit = (number >> (15 - Math.floor((x * 16) / width))) & 1;
      grey[y * width + x] = (y < bars + height / 18 ? bit : 1 - bit) ? 235 : 16;
    }
  const raw = `${file}.pgm`;
  await writeFile(raw, Buffer.concat([Buffer.from(`P5 ${width} ${height} 255\n`), grey]));
  await run('ffmpeg', ['-v', 'error', '-y', '-i', raw, file], { timeout: 20_000 });
  await rm(raw);
}
