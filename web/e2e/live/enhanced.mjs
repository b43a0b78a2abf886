/**
 * Streams of enhanced RTMP as FLV tags: what ffmpeg makes of VP9, AV1, HEVC and Opus, in the headers of E-RTMP v2, which
 * Debian's ffmpeg does not write.
 */

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SECONDS = 8;
const FPS = 25;
const SEQUENCE_START = 0;
const VIDEO_FRAMES_X = 3;
const AUDIO_FRAMES = 1;
const PICTURES = {
  vp09: { codec: ['libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8'], box: 'vpcC', isKey: isVp9Key },
  av01: { codec: ['libsvtav1', '-preset', '12'], box: 'av1C', isKey: isAv1Key },
};

/** Tags of a stream of these pictures with Opus, `vp09` or `av01`. */
export async function enhancedTags(folder, fourCc) {
  const { codec, box, isKey } = PICTURES[fourCc];
  const [mp4, ivf, ogg] = ['mp4', 'ivf', 'ogg'].map((kind) => join(folder, `${fourCc}.${kind}`));
  const pictures = ['-f', 'lavfi', '-i', `testsrc2=s=320x180:r=${FPS}:d=${SECONDS}`];
  await ffmpeg(...pictures, '-pix_fmt', 'yuv420p', '-g', FPS, '-c:v', ...codec, mp4);
  await ffmpeg('-i', mp4, '-c', 'copy', ivf);
  await ffmpeg('-f', 'lavfi', '-i', `sine=f=440:r=48000:d=${SECONDS}`, '-c:a', 'libopus', ogg);
  const [head, , ...packets] = oggPackets(await readFile(ogg));
  const config = boxOf(await readFile(mp4), box);
  return [
    // Of `vpcC` without the version and flags that a box has.
    video(fourCc, SEQUENCE_START, 0, true, fourCc === 'vp09' ? config.subarray(4) : config),
    audio(SEQUENCE_START, 0, head),
    ...[
      ...ivfFrames(await readFile(ivf)).map((data, n) =>
        video(fourCc, VIDEO_FRAMES_X, (n * 1000) / FPS, isKey(data), data),
      ),
      ...packets.map((data, n) => audio(AUDIO_FRAMES, n * 20, data)),
    ].sort((a, b) => a.ms - b.ms),
  ];
}

/** The front of a stream of HEVC. */
export async function hevcStart(folder) {
  const mp4 = join(folder, 'hevc.mp4');
  await ffmpeg('-f', 'lavfi', '-i', 'testsrc2=s=320x180:d=0.2', '-pix_fmt', 'yuv420p', '-c:v', 'libx265', mp4);
  return [video('hvc1', SEQUENCE_START, 0, true, boxOf(await readFile(mp4), 'hvcC'))];
}

function ffmpeg(...args) {
  return promisify(execFile)('ffmpeg', ['-v', 'error', '-y', ...args.map(String)]);
}

/** `| 1:1 | frame type:3 | packet type:4 | FourCC | data` */
function video(fourCc, packetType, ms, isKey, data) {
  const first = 0x80 | ((isKey ? 1 : 2) << 4) | packetType;
  return tag('video', ms, packetType === SEQUENCE_START, Buffer.concat([Buffer.of(first), Buffer.from(fourCc), data]));
}

/** `| 9:4 | packet type:4 | FourCC | data` */
function audio(packetType, ms, data) {
  const front = Buffer.concat([Buffer.of(0x90 | packetType), Buffer.from('Opus')]);
  return tag('audio', ms, packetType === SEQUENCE_START, Buffer.concat([front, data]));
}

function tag(type, ms, config, body) {
  const bytes = Buffer.alloc(15 + body.length);
  bytes[0] = { audio: 8, video: 9 }[type];
  bytes.writeUIntBE(body.length, 1, 3);
  bytes.writeUIntBE(ms & 0xffffff, 4, 3);
  body.copy(bytes, 11);
  bytes.writeUInt32BE(11 + body.length, 11 + body.length);
  return { type, ms, config, bytes };
}

/** What is in the first box of this name. */
function boxOf(file, name) {
  const at = file.indexOf(name);
  return file.subarray(at + 4, at - 4 + file.readUInt32BE(at - 4));
}

function ivfFrames(file) {
  const frames = [];
  for (let at = file.readUInt16LE(6); at + 12 <= file.length; ) {
    const length = file.readUInt32LE(at);
    frames.push(file.subarray(at + 12, at + 12 + length));
    at += 12 + length;
  }
  return frames;
}

/** Packets of the only stream in a file: a page has the lengths of its pieces, and a piece of 255 bytes is not the last. */
function oggPackets(file) {
  const packets = [];
  let open = [];
  for (let at = 0; at + 27 <= file.length; ) {
    const lengths = file.subarray(at + 27, at + 27 + file[at + 26]);
    at += 27 + lengths.length;
    for (const length of lengths) {
      open.push(file.subarray(at, at + length));
      at += length;
      if (length === 255) continue;
      packets.push(Buffer.concat(open));
      open = [];
    }
  }
  return packets;
}

/** Of profile 0: neither one that is shown again nor one that refers to others. */
function isVp9Key([first]) {
  return (first & 0x0c) === 0;
}

/** A sequence header stands before each key frame, behind the delimiter. */
function isAv1Key(unit) {
  return unit[2] >> 3 === 1;
}
