/** What a fake camera sees and a fake microphone hears, and how it is found again. */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * A tone, as a WAV of 48 kHz. It is a whole number of waves long: repeated, it goes on. With `beat`, so many seconds of
 * it, and as many of silence: what never stops is noise to a browser that suppresses noise.
 */
export async function writeTone(file, { hz, seconds = 4, level = 0.5, beat = 0 }) {
  const samples = 48_000 * seconds;
  const out = Buffer.alloc(44 + 2 * samples);
  out.write('RIFF', 0);
  out.writeUInt32LE(36 + 2 * samples, 4);
  out.write('WAVEfmt ', 8);
  out.writeUInt32LE(16, 16);
  out.writeUInt16LE(1, 20);
  out.writeUInt16LE(1, 22);
  out.writeUInt32LE(48_000, 24);
  out.writeUInt32LE(96_000, 28);
  out.writeUInt16LE(2, 32);
  out.writeUInt16LE(16, 34);
  out.write('data', 36);
  out.writeUInt32LE(2 * samples, 40);
  for (let n = 0; n < samples; n++) {
    if (beat && Math.floor(n / (48_000 * beat)) % 2) continue;
    out.writeInt16LE(Math.round(32_767 * level * Math.sin((2 * Math.PI * hz * n) / 48_000)), 44 + 2 * n);
  }
  await writeFile(file, out);
}

/**
 * The bar code of the test clock (docs/ref/clock.md) under tiles that change with each picture, so that an encoder uses
 * what it is given, as Y4M: 25 pictures a second, numbered on from `from`. With a tint there are waves instead, of one
 * colour (Cb and Cr), for people to look at.
 */
export async function writeBars(file, { width = 320, height = 180, frames = 250, from = 0, tint = null } = {}) {
  const out = createWriteStream(file);
  out.write(`YUV4MPEG2 W${width} H${height} F25:1 Ip A1:1 C420jpeg\n`);
  let state = 1;
  const bars = height - height / 9;
  for (let n = from; n < from + frames; n++) {
    const picture = Buffer.alloc((width * height * 3) / 2, 128);
    if (tint) wave(picture, { width, height, bars, turn: (n - from) / frames, tint });
    for (let y = 0; !tint && y < bars; y += TILE)
      for (let x = 0; x < width; x += TILE) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        const level = 90 + (state >>> 26);
        for (let line = y; line < Math.min(y + TILE, bars); line++)
          picture.fill(level, line * width + x, line * width + x + TILE);
      }
    for (let y = bars; y < height; y++)
      for (let x = 0; x < width; x++) {
        const bit = (n >> (15 - Math.floor((x * 16) / width))) & 1;
        picture[y * width + x] = (y < bars + height / 18 ? bit : 1 - bit) ? 235 : 16;
      }
    if (!out.write(Buffer.concat([Buffer.from('FRAME\n'), picture]))) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
}

/** A landscape of hills before a sky, whose front ones go by faster; after all pictures it is as at the beginning. */
function wave(picture, { width, height, bars, turn, tint }) {
  const luma = width * height;
  const chroma = luma / 4;
  picture.fill(tint.u, luma, luma + chroma);
  picture.fill(tint.v, luma + chroma);
  for (let y = 0; y < bars; y++) picture.fill(150 + Math.round((70 * y) / bars), y * width, (y + 1) * width);
  for (let hill = 1; hill <= 3; hill++)
    for (let x = 0; x < width; x++) {
      const at = 2 * Math.PI * (x / width + hill * turn + hill / 5);
      const top = Math.round(bars * (0.3 + 0.15 * hill + 0.07 * Math.sin(at) + 0.03 * Math.sin(2 * at + hill)));
      for (let y = top; y < bars; y++) picture[y * width + x] = 150 - 32 * hill;
    }
}

/** Pixels: with smaller ones even the lowest quality is more than a narrow path takes. */
const TILE = 16;

/** The number in the bar code of a grey picture; `null` where there is none. */
export function readBars(picture, width, height) {
  let number = 0;
  for (let cell = 0; cell < 16; cell++) {
    const x = Math.floor(((cell + 0.5) / 16) * width);
    const [bit, parity] = [330 / 360, 350 / 360].map((y) => picture[Math.floor(y * height) * width + x] > 125);
    if (bit === parity) return null;
    number = number * 2 + Number(bit);
  }
  return number;
}

/** What is in a stream, by Debian's ffprobe. */
export async function probe(url) {
  const entries = 'stream=codec_type,codec_name,profile,width,height,has_b_frames,sample_rate,channels';
  const { stdout } = await run(
    'ffprobe',
    ['-v', 'error', '-analyzeduration', '1000000', '-show_entries', entries, '-of', 'json', url],
    { timeout: 20_000 },
  );
  const { streams } = JSON.parse(stdout);
  return Object.fromEntries(streams.map((stream) => [stream.codec_type, stream]));
}

/** So many seconds of a stream, decoded by ffmpeg: numbers of its bar codes, and its sound at 16 kHz. */
export async function record(url, { seconds, width = 320, height = 180 }) {
  const picture = [
    '-map',
    '0:v',
    '-t',
    seconds,
    '-vf',
    `scale=${width}:${height}`,
    '-pix_fmt',
    'gray',
    '-f',
    'rawvideo',
  ];
  const sound = ['-map', '0:a', '-t', seconds, '-ac', '1', '-ar', '16000', '-f', 's16le'];
  // Both from one connection, onto two descriptors.
  const args = [
    '-v',
    'error',
    '-analyzeduration',
    '500000',
    '-i',
    url,
    ...picture,
    '-fps_mode',
    'passthrough',
    'pipe:3',
    ...sound,
    'pipe:4',
  ];
  const child = spawn('ffmpeg', args.map(String), { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const said = gather(child.stderr);
  const [pictures, samples] = await Promise.all([gather(child.stdio[3]), gather(child.stdio[4])]);
  clearTimeout(timer);
  const size = width * height;
  const count = Math.floor(pictures.length / size);
  if (count === 0) throw new Error(`no picture of ${url}: ${await said}`);
  const numbers = Array.from({ length: count }, (_, n) =>
    readBars(pictures.subarray(n * size, (n + 1) * size), width, height),
  );
  return { numbers, samples: new Int16Array(samples.buffer, samples.byteOffset, samples.length >> 1) };
}

async function gather(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The pieces in the midst of what is not as good as silent: where it begins and ends is every frequency. */
export function loudOf(samples, rate = 16_000, pieceMs = 50) {
  const isLoud = (piece) => piece.reduce((sum, it) => sum + it * it, 0) > piece.length * LOUD ** 2;
  const pieces = piecesOf(samples, (rate * pieceMs) / 1000);
  const loud = pieces.map(isLoud);
  const inner = pieces.filter((_, n) => loud[n - 1] && loud[n] && loud[n + 1]);
  return Int16Array.from(inner.flatMap((piece) => [...piece]));
}

/** Of 32 767: what an encoder makes of silence is far below, a voice far above. */
const LOUD = 1500;

/** In what part of a sound's pieces a tone is most of what is heard. A machine that is busy makes gaps. */
export function toneShare(samples, hz, rate = 16_000, pieceMs = 50) {
  const pieces = piecesOf(samples, (rate * pieceMs) / 1000);
  return pieces.filter((piece) => powerShare(piece, hz, rate) > 0.8).length / Math.max(1, pieces.length);
}

function piecesOf(samples, length) {
  const count = Math.floor(samples.length / length);
  return Array.from({ length: count }, (_, n) => samples.subarray(n * length, (n + 1) * length));
}

/** How much of a sound's power is at a frequency, 0 to 1 (Goertzel). */
function powerShare(samples, hz, rate) {
  const turn = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let [before, last, power] = [0, 0, 0];
  for (const sample of samples) {
    [before, last] = [last, sample + turn * last - before];
    power += sample * sample;
  }
  const found = before * before + last * last - turn * before * last;
  return power === 0 ? 0 : (2 * found) / (samples.length * power);
}
