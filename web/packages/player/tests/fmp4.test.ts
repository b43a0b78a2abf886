import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import * as aac from '../src/codec/aac';
import { Demuxer } from '../src/flv/demux';
import { initSegment, mediaSegment, mimeType, type Track } from '../src/fmp4';
import { Remuxer, type Segment } from '../src/remux';
import { bytesOf, hex, joined } from './bytes';

const VIDEO: Track = {
  kind: 'video',
  codec: 'avc',
  name: 'avc1.42c01e',
  config: bytesOf('0142c01e'),
  timescale: 1000,
  width: 640,
  height: 360,
  channels: 0,
};
const AUDIO: Track = {
  kind: 'audio',
  codec: 'aac',
  name: 'mp4a.40.2',
  config: bytesOf('1288'),
  timescale: 32_000,
  width: 0,
  height: 0,
  channels: 1,
};

/** The body of the box at a path, each step the first of its name. */
function box(file: Uint8Array, path: string): string {
  let within = file;
  for (const step of path.split('/')) {
    const [name = '', skip = '0'] = step.split('+');
    within = find(within, name).subarray(Number(skip));
  }
  return hex(within);
}

function find(within: Uint8Array, name: string): Uint8Array {
  for (let at = 0; at + 8 <= within.length; ) {
    const size = new DataView(within.buffer, within.byteOffset + at).getUint32(0);
    if (String.fromCharCode(...within.subarray(at + 4, at + 8)) === name) return within.subarray(at + 8, at + size);
    at += size;
  }
  throw new Error(`no ${name}`);
}

const tight = (text: string) => text.replaceAll(/\s/g, '');
/** A dozen short programs on a machine that does other things too. */
const FFMPEG_MS_MAX = 60_000;
const MATRIX = '00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000';
const STBL = 'moov/trak/mdia/minf/stbl';

describe('an initialization segment', () => {
  for (const [name, track, path, want] of [
    ['brand', VIDEO, 'ftyp', '69736f6d 00000200 69736f6d 69736f36 6d703431'],
    [
      'movie',
      VIDEO,
      'moov/mvhd',
      `00000000 00000000 00000000 000003e8 00000000 00010000 0100 0000 00000000 00000000 ${MATRIX} ${'00000000'.repeat(6)} 00000002`,
    ],
    [
      'track of pictures',
      VIDEO,
      'moov/trak/tkhd',
      `00000003 00000000 00000000 00000001 00000000 00000000 00000000 00000000 0000 0000 0000 0000 ${MATRIX} 02800000 01680000`,
    ],
    [
      'track of sound',
      AUDIO,
      'moov/trak/tkhd',
      `00000003 00000000 00000000 00000001 00000000 00000000 00000000 00000000 0000 0000 0100 0000 ${MATRIX} 00000000 00000000`,
    ],
    ['time of pictures', VIDEO, 'moov/trak/mdia/mdhd', '00000000 00000000 00000000 000003e8 00000000 55c4 0000'],
    ['time of sound', AUDIO, 'moov/trak/mdia/mdhd', '00000000 00000000 00000000 00007d00 00000000 55c4 0000'],
    ['pictures are handled', VIDEO, 'moov/trak/mdia/hdlr', '00000000 00000000 76696465 00000000 00000000 00000000 00'],
    ['sound is handled', AUDIO, 'moov/trak/mdia/hdlr', '00000000 00000000 736f756e 00000000 00000000 00000000 00'],
    ['it is in this file', VIDEO, 'moov/trak/mdia/minf/dinf/dref', '00000000 00000001 0000000c 75726c20 00000001'],
    [
      'H.264',
      VIDEO,
      `${STBL}/stsd+8/avc1`,
      `000000000000 0001 ${'00000000'.repeat(4)} 0280 0168 00480000 00480000 00000000 0001 ${'00000000'.repeat(8)} 0018 ffff 0000000c 61766343 0142c01e`,
    ],
    ['H.265', { ...VIDEO, codec: 'hevc' }, `${STBL}/stsd+8/hvc1+78/hvcC`, '0142c01e'],
    ['AV1', { ...VIDEO, codec: 'av1' }, `${STBL}/stsd+8/av01+78/av1C`, '0142c01e'],
    ['VP9', { ...VIDEO, codec: 'vp9' }, `${STBL}/stsd+8/vp09+78/vpcC`, '01000000 0142c01e'],
    [
      'AAC',
      AUDIO,
      `${STBL}/stsd+8/mp4a`,
      `000000000000 0001 00000000 00000000 0001 0010 00000000 7d000000 00000033 65736473 00000000 0380808022 0001 00 0480808014 40 15 000000 00000000 00000000 0580808002 1288 0680808001 02`,
    ],
    [
      'MP3',
      { ...AUDIO, codec: 'mp3', config: new Uint8Array(0) },
      `${STBL}/stsd+8/mp4a+28/esds+17`,
      '6b 15 000000 00000000 00000000 0680808001 02',
    ],
    ['a rate that has no room', { ...AUDIO, timescale: 96_000 }, `${STBL}/stsd+8/mp4a+24`, /^00000000/],
    [
      'Opus',
      { ...AUDIO, codec: 'opus', config: bytesOf('4f707573 48656164 01 02 3801 80bb0000 0100 00') },
      `${STBL}/stsd+8/Opus+28/dOps`,
      '00 02 0138 0000bb80 0001 00',
    ],
    ['no samples here', VIDEO, `${STBL}/stsz`, '00000000 00000000 00000000'],
    ['fragments follow', VIDEO, 'moov/mvex/trex', '00000000 00000001 00000001 00000000 00000000 00000000'],
  ] as const) {
    it(name, () => {
      const got = box(initSegment(track as Track), path);
      if (want instanceof RegExp) expect(got).toMatch(want);
      else expect(got).toBe(tight(want));
    });
  }

  it('says what its source buffer is made for', () => {
    expect(mimeType(VIDEO)).toBe('video/mp4; codecs="avc1.42c01e"');
    expect(mimeType(AUDIO)).toBe('audio/mp4; codecs="mp4a.40.2"');
  });
});

it('a media segment has times, sizes, flags, offsets and data', () => {
  const segment = mediaSegment(7, 2 ** 32 + 5, [
    { data: bytesOf('aabbcc'), duration: 40, offset: 80, key: true },
    { data: bytesOf('dd'), duration: 33, offset: -40, key: false },
  ]);
  expect(box(segment, 'moof/mfhd')).toBe(tight('00000000 00000007'));
  expect(box(segment, 'moof/traf/tfhd')).toBe(tight('00020000 00000001'));
  expect(box(segment, 'moof/traf/tfdt')).toBe(tight('01000000 00000001 00000005'));
  const moofBytes = 8 + box(segment, 'moof').length / 2;
  expect(box(segment, 'moof/traf/trun')).toBe(
    tight(`01000f01 00000002 ${(moofBytes + 8).toString(16).padStart(8, '0')}
      00000028 00000003 02000000 00000050
      00000021 00000001 01010000 ffffffd8`),
  );
  expect(box(segment, 'mdat')).toBe('aabbccdd');
});

describe('what ffmpeg makes of it', { timeout: FFMPEG_MS_MAX }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'thalweg-fmp4-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, ['-v', 'error', ...args], { encoding: 'utf8', cwd: folder }).trim();
  const of = (segments: Segment[], kind: string) =>
    joined(...segments.filter((segment) => segment.kind === kind).map(({ data }) => data));
  const times = (file: string, stream: string) =>
    run('ffprobe', '-select_streams', stream, '-show_entries', 'packet=pts_time,dts_time,flags', '-of', 'csv=p=0', file)
      .split('\n')
      .map((line) =>
        line.split(',').map((field) => (/^[\d.-]+$/.test(field) ? Number(Number(field).toFixed(3)) : field[0])),
      );

  it('pictures with B-frames, and sound: the same frames, at the same times', () => {
    run(
      'ffmpeg',
      '-f',
      'lavfi',
      '-i',
      'testsrc=s=320x182:r=25:d=2',
      '-f',
      'lavfi',
      '-i',
      'sine=r=48000:d=2',
      '-c:v',
      'libx264',
      '-bf',
      '2',
      '-g',
      '25',
      '-pix_fmt',
      'yuv420p',
      '-c:a',
      'aac',
      'in.flv',
    );
    const remuxer = new Remuxer({ video: true, audio: true });
    const segments: Segment[] = [];
    const demuxer = new Demuxer();
    const file = readFileSync(join(folder, 'in.flv'));
    for (let at = 0; at < file.length; at += 5000) {
      for (const frame of demuxer.read(file.subarray(at, at + 5000))) if (frame.kind !== 'data') remuxer.push(frame);
      segments.push(...remuxer.take());
    }
    segments.push(...remuxer.finish());
    writeFileSync(join(folder, 'video.mp4'), of(segments, 'video'));
    writeFileSync(join(folder, 'audio.mp4'), of(segments, 'audio'));
    const want = times('in.flv', 'v');
    expect(want).toHaveLength(50);
    expect(times('video.mp4', 'v')).toEqual(want);
    expect(run('ffprobe', '-show_entries', 'stream=codec_name,width,height', '-of', 'csv=p=0', 'video.mp4')).toBe(
      'h264,320,182',
    );
    expect(
      run('ffprobe', '-show_entries', 'stream=codec_name,sample_rate,channels', '-of', 'csv=p=0', 'audio.mp4'),
    ).toBe('aac,48000,1');
    // Sound is counted in samples: as far apart as it is, where FLV has milliseconds.
    const [first = Number.NaN] = times('in.flv', 'a').map(([pts]) => Number(pts));
    const sound = times('audio.mp4', 'a').map(([pts]) => Number(pts));
    expect(sound.length).toBeGreaterThan(90);
    sound.forEach((pts, n) => {
      expect(pts).toBeCloseTo(first + (n * 1024) / 48_000, 2);
    });
    const [video, audio] = ['video.mp4', 'audio.mp4'].map((name) => run('ffmpeg', '-i', name, '-f', 'null', '-'));
    expect([video, audio]).toEqual(['', '']);
  });

  it('silence is silent, for every number of channels', () => {
    for (const [channels, config] of [
      [1, '1188'],
      [2, '1190'],
      [3, '1198'],
      [4, '11a0'],
      [5, '11a8'],
      [6, '11b0'],
      [8, '11b8'],
    ] as const) {
      const data = aac.silence(channels);
      if (data === null) throw new Error(`no silence of ${channels} channels`);
      const track: Track = { ...AUDIO, config: bytesOf(config), timescale: 48_000, channels };
      const samples = Array.from({ length: 10 }, () => ({ data, duration: 1024, offset: 0, key: true }));
      writeFileSync(join(folder, 'silence.mp4'), joined(initSegment(track), mediaSegment(1, 0, samples)));
      run('ffmpeg', '-y', '-i', 'silence.mp4', '-f', 's16le', 'silence.pcm');
      const pcm = readFileSync(join(folder, 'silence.pcm'));
      expect(pcm.length).toBe(10 * 1024 * 2 * channels);
      expect(pcm.every((byte) => byte === 0)).toBe(true);
    }
  });
});
