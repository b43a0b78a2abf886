import { describe, expect, it } from 'vitest';
import type { Frame } from '../src/frame';
import { Remuxer, type Segment } from '../src/remux';
import { Timeline } from '../src/timeline';
import { bytesOf } from './bytes';

const AVC_360P = bytesOf('0142c01e ffe10019 6742c01e d900a02f f9701100 00030001 00000300 320f162e 4801');
const AVC_1080P = bytesOf('01640028 ffe1001b 67640028 acd94078 0227e5c0 44000003 00040000 0300f03c 60c65801');
/** AAC, 32 kHz, mono: a frame is exactly 32 ms. */
const AAC_32K = bytesOf('1288');
const AAC_48K = bytesOf('1188');

const picture = (dts: number, more: Partial<Frame> = {}): Frame => ({
  kind: 'video',
  codec: 'avc',
  config: false,
  key: false,
  dts,
  cts: 0,
  data: Uint8Array.of(1),
  ...more,
});
const key = (dts: number) => picture(dts, { key: true });
const sps = (data: Uint8Array, dts = 0) => picture(dts, { config: true, data });
const sound = (dts: number, data: Uint8Array = Uint8Array.of(0x21)): Frame => ({
  ...picture(dts),
  kind: 'audio',
  codec: 'aac',
  key: true,
  data,
});
const asc = (data: Uint8Array, dts = 0): Frame => ({ ...sound(dts, data), config: true, key: false });

/** Runs of samples: `[time, duration, ...]` of each media segment, and `init` for the others. */
function shape(segments: Segment[], kind: 'video' | 'audio'): (string | number[])[] {
  return segments
    .filter((segment) => segment.kind === kind)
    .map(({ track, data }) => (track ? `init ${track.name} ${track.timescale}` : samplesOf(data)));
}

/** When a segment begins, and how long its samples are. */
function samplesOf(segment: Uint8Array): number[] {
  const view = new DataView(segment.buffer, segment.byteOffset);
  const find = (name: string) => {
    for (let at = 4; at < segment.length; at++) {
      if (String.fromCharCode(...segment.subarray(at, at + 4)) === name) return at + 4;
    }
    throw new Error(name);
  };
  const run = find('trun');
  const durations = Array.from({ length: view.getUint32(run + 4) }, (_, n) => view.getUint32(run + 12 + 16 * n));
  return [Number(view.getBigUint64(find('tfdt') + 4)), ...durations];
}

function remux(kinds: { video: boolean; audio: boolean }, ...frames: (Frame | 'take')[]): Segment[] {
  const remuxer = new Remuxer(kinds);
  const out: Segment[] = [];
  for (const frame of frames) {
    if (frame === 'take') out.push(...remuxer.take());
    else remuxer.push(frame);
  }
  return [...out, ...remuxer.finish()];
}
const PICTURES = { video: true, audio: false };
const SOUND = { video: false, audio: true };
const BOTH = { video: true, audio: true };
const frames = (from: number, count: number, step: number, make: (dts: number) => Frame) =>
  Array.from({ length: count }, (_, n) => make(from + n * step));

describe('pictures', () => {
  it('begin at a key frame, at 0, and last until the next one', () => {
    const got = remux(
      PICTURES,
      sps(AVC_360P),
      picture(900),
      key(1000),
      picture(1033),
      picture(1066),
      'take',
      picture(1100),
    );
    expect(shape(got, 'video')).toEqual(['init avc1.42c01e 1000', [0, 33, 33], [66, 34, 34]]);
  });

  it('are continuous though they were taken unevenly, and however their clock stumbles', () => {
    const got = remux(PICTURES, sps(AVC_360P), key(0), picture(40), picture(30), picture(900), picture(940));
    expect(shape(got, 'video')[1]).toEqual([0, 40, 1, 859, 40, 40]);
  });

  it('a new configuration begins at the next key frame, and an old one again begins nothing', () => {
    const got = remux(
      PICTURES,
      sps(AVC_360P),
      key(0),
      sps(AVC_360P, 40),
      picture(40),
      sps(AVC_1080P, 80),
      picture(80),
      key(120),
      picture(160),
    );
    expect(shape(got, 'video')).toEqual(['init avc1.42c01e 1000', [0, 40, 40], 'init avc1.640028 1000', [120, 40, 40]]);
  });

  it('a configuration that cannot be read changes nothing', () => {
    const got = remux(PICTURES, sps(AVC_360P), key(0), sps(bytesOf('00'), 40), key(40), picture(80));
    expect(shape(got, 'video')).toEqual(['init avc1.42c01e 1000', [0, 40, 40, 40]]);
  });

  it('say where they can be decoded from', () => {
    const got = remux(PICTURES, sps(AVC_360P), key(500), picture(540), 'take', picture(580), key(620), picture(660));
    expect(got.map((segment) => segment.key)).toEqual([null, 0, 120]);
  });

  it('of another codec than the configuration are passed over', () => {
    const got = remux(PICTURES, sps(AVC_360P), key(0), picture(40, { codec: 'hevc' }), picture(80));
    expect(shape(got, 'video')[1]).toEqual([0, 80, 80]);
  });
});

describe('sound', () => {
  it('is counted in samples: what milliseconds round is neither a hole nor a fold', () => {
    const uneven = [0, 21, 43, 64, 85, 107].map((dts) => sound(dts));
    const got = remux(SOUND, asc(AAC_48K), ...uneven, 'take', sound(128));
    expect(shape(got, 'audio')).toEqual(['init mp4a.40.2 48000', [0, ...Array(6).fill(1024)], [6144, 1024]]);
  });

  it('that jumps ahead has silence before it', () => {
    const got = remux(SOUND, asc(AAC_32K), ...frames(0, 10, 32, sound), ...frames(960, 5, 32, sound));
    expect(shape(got, 'audio')[1]).toHaveLength(1 + 10 + 20 + 5);
  });

  it('that drifts is put right a frame at a time', () => {
    // The encoder's clock is two in a hundred fast: 32 ms of sound each 31.36 ms.
    const got = remux(SOUND, asc(AAC_32K), ...Array.from({ length: 1000 }, (_, n) => sound(Math.round(n * 31.36))));
    const count = shape(got, 'audio').reduce((sum, one) => sum + (Array.isArray(one) ? one.length - 1 : 0), 0);
    expect(count).toBeGreaterThan(970);
    expect(count).toBeLessThan(990);
  });

  it('of another rate goes on where the other ended', () => {
    const got = remux(SOUND, asc(AAC_32K), sound(0), sound(32), asc(AAC_48K, 64), sound(64));
    expect(shape(got, 'audio')).toEqual([
      'init mp4a.40.2 32000',
      [0, 1024, 1024],
      'init mp4a.40.2 48000',
      [3072, 1024],
    ]);
  });

  it('MP3 needs no configuration', () => {
    const mp3 = (dts: number): Frame => ({ ...sound(dts, bytesOf('fffb9064')), codec: 'mp3' });
    expect(shape(remux(SOUND, mp3(0), mp3(26)), 'audio')).toEqual(['init mp3 44100', [0, 1152, 1152]]);
  });

  it('Opus says how long each packet is', () => {
    const opus = (dts: number, packet: string): Frame => ({ ...sound(dts, bytesOf(packet)), codec: 'opus' });
    expect(shape(remux(SOUND, opus(0, 'fc'), opus(20, 'f9'), opus(60, '1b3f')), 'audio')).toEqual([
      'init opus 48000',
      [0, 960, 1920],
    ]);
  });
});

describe('both', () => {
  const lead = [sps(AVC_360P), asc(AAC_32K)];

  it('begin together: sound before the first key frame is of no use', () => {
    const got = remux(BOTH, ...lead, sound(960), key(1000), sound(992), sound(1024), picture(1040));
    expect(shape(got, 'audio')).toEqual(['init mp4a.40.2 32000', [Math.round(24 * 32), 1024]]);
  });

  it('silence stands in for sound that never comes', () => {
    const got = remux(BOTH, ...lead, key(0), ...frames(40, 50, 40, picture), 'take');
    const silence = shape(got, 'audio').flat().length - 2;
    expect(silence * 32).toBeGreaterThanOrEqual(2000 - 300);
    expect(silence * 32).toBeLessThan(2000);
  });

  it('and makes room for sound that was late', () => {
    const got = remux(BOTH, ...lead, key(0), ...frames(40, 25, 40, picture), 'take', sound(320), sound(352));
    expect(shape(got, 'audio').at(-1)).toEqual([10_240, 1024, 1024]);
  });

  it('leap together, and go on without a hole', () => {
    const leap = 10_000_000;
    const before = [key(0), sound(0), sound(32), picture(40), sound(64)];
    const after = [key(leap), sound(leap), picture(leap + 40), sound(leap + 32), picture(leap + 80)];
    const got = remux(BOTH, ...lead, ...before, ...after);
    const [, pictures] = shape(got, 'video') as [string, number[]];
    expect(pictures).toEqual([0, 40, 64, 40, 40, 40]);
    const samples = shape(got, 'audio')
      .flat()
      .filter((one) => one === 1024);
    expect(samples).toHaveLength(5);
  });
});

describe('the timeline', () => {
  it('is not moved by one kind that pauses', () => {
    const timeline = new Timeline();
    timeline.place('video', 1000);
    timeline.place('audio', 1010);
    for (let dts = 1040; dts <= 9000; dts += 40) timeline.place('video', dts);
    expect(timeline.place('audio', 9010)).toBe(8010);
  });

  it('takes a pause of both out', () => {
    const timeline = new Timeline();
    timeline.place('video', 0);
    timeline.place('audio', 0);
    timeline.place('video', 40);
    expect(timeline.place('video', 60_000)).toBe(80);
    expect(timeline.place('audio', 60_010)).toBe(90);
  });

  it('goes on when the clock begins anew', () => {
    const timeline = new Timeline();
    timeline.place('video', 500_000);
    timeline.place('video', 500_040);
    expect(timeline.place('video', 0)).toBe(80);
    expect(timeline.place('audio', 20)).toBe(100);
  });
});
