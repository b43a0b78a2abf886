import { describe, expect, it } from 'vitest';
import * as aac from '../src/codec/aac';
import * as av1 from '../src/codec/av1';
import * as avc from '../src/codec/avc';
import * as hevc from '../src/codec/hevc';
import * as mp3 from '../src/codec/mp3';
import * as opus from '../src/codec/opus';
import * as vp9 from '../src/codec/vp9';
import { bytesOf, hex } from './bytes';

const BASELINE_360P = '0142c01e ffe10019 6742c01e d900a02f f9701100 00030001 00000300 320f162e 4801';
const X265 =
  '01016000 00009000 00000000 3ff000fc fdf8f800 000f0420 00010018 40010c01 ffff0160 00000300 90000003 00000300 3f959809' +
  '21000100 2b420101 01600000 03009000 00030000 03003fa0 05120171 f265959a 4932bc05 a0200000 03002000 00030321';

describe('records of real encoders', () => {
  for (const [name, parse, record, want] of [
    [
      'x264, baseline',
      avc.parseConfig,
      BASELINE_360P,
      { codec: 'avc1.42c01e', lengthBytes: 4, width: 640, height: 360 },
    ],
    [
      'x264, high, cropped from 1088',
      avc.parseConfig,
      '01640028 ffe1001b 67640028 acd94078 0227e5c0 44000003 00040000 0300f03c 60c65801',
      { codec: 'avc1.640028', lengthBytes: 4, width: 1920, height: 1080 },
    ],
    [
      'x264, interlaced, 4:2:2',
      avc.parseConfig,
      '017a001e ffe10018 677a001e bcd940b4 24d80880 00000300 80000019 0f8a14cb 01',
      { codec: 'avc1.7a001e', lengthBytes: 4, width: 720, height: 576 },
    ],
    ['x265, cropped', hevc.parseConfig, X265, { codec: 'hvc1.1.6.L63.90', width: 648, height: 362 }],
    [
      'libaom',
      av1.parseConfig,
      '81010c00 0a0b0000 000cc50f 6936be40 10',
      { codec: 'av01.0.01M.08', width: 648, height: 362 },
    ],
    ['libvpx', vp9.parseConfig, '00158202 02020000', { codec: 'vp09.00.21.08', width: 0, height: 0 }],
  ] as const) {
    it(name, () => expect(parse(bytesOf(record))).toEqual(want));
    it(`${name}, cut short: unreadable at worst`, () => {
      const bytes = bytesOf(record);
      for (let n = 0; n < bytes.length; n++) expect(() => parse(bytes.subarray(0, n))).not.toThrow();
      for (let n = 0; n < 4; n++) expect(parse(bytes.subarray(0, n))).toBeNull();
    });
  }
});

describe('sound', () => {
  for (const [name, config, want] of [
    ['LC, 44.1 kHz, stereo', '1210', { codec: 'mp4a.40.2', sampleRate: 44_100, channels: 2, frameSamples: 1024 }],
    ['LC, 32 kHz, mono', '1288', { codec: 'mp4a.40.2', sampleRate: 32_000, channels: 1, frameSamples: 1024 }],
    ['LC of 960 samples', '1194', { codec: 'mp4a.40.2', sampleRate: 48_000, channels: 2, frameSamples: 960 }],
    ['HE-AAC, told', '2b8a08', { codec: 'mp4a.40.5', sampleRate: 22_050, channels: 1, frameSamples: 1024 }],
    ['a rate in full', '1780 5dc0 08', { codec: 'mp4a.40.2', sampleRate: 48_000, channels: 1, frameSamples: 1024 }],
  ] as const) {
    it(name, () => expect(aac.parseConfig(bytesOf(config))).toEqual(want));
  }

  it('refuses reserved values, and what is cut short', () => {
    for (const config of ['', '12', '1680', '17ff']) expect(aac.parseConfig(bytesOf(config))).toBeNull();
  });

  it('writes the configuration that it reads', () => {
    expect(hex(aac.lcConfig(48_000, 1))).toBe('1188');
    for (const [rate, channels] of [
      [44_100, 2],
      [48_000, 1],
      [47_968, 2],
    ] as const) {
      expect(aac.parseConfig(aac.lcConfig(rate, channels))).toMatchObject({ sampleRate: rate, channels });
    }
  });

  it('reads heads of Opus and headers of MP3', () => {
    const head = '4f707573 48656164 01 02 3801 80bb0000 0000 00';
    expect(opus.parseConfig(bytesOf(head))).toMatchObject({ channels: 2, preSkip: 312, inputRate: 48_000, gain: 0 });
    expect(opus.parseConfig(bytesOf(head).subarray(0, 18))).toBeNull();
    expect(mp3.parseFrame(bytesOf('fffb9064'))).toMatchObject({ sampleRate: 44_100, channels: 2, frameSamples: 1152 });
    expect(mp3.parseFrame(bytesOf('fff364c4'))).toMatchObject({ sampleRate: 24_000, channels: 1, frameSamples: 576 });
    for (const bad of ['', 'fffb90', 'fffd9064', 'ffeb9064', 'fffb9c64', '12345678']) {
      expect(mp3.parseFrame(bytesOf(bad)), bad).toBeNull();
    }
  });

  it('reads the size in a key frame of VP9, and in no other picture', () => {
    for (const [frame, size] of [
      // As libvpx writes them: 8 bits of 4:2:0; and 10 bits.
      ['82498342 0013f00b 36', { width: 320, height: 180 }],
      ['92498342 0009f805 9b', { width: 320, height: 180 }],
      ['86000000 0013f00b 36', null],
      ['8a498342 0013f00b 36', null],
      ['82498343 0013f00b 36', null],
      ['82498342 0013', null],
      ['', null],
    ] as const) {
      expect(vp9.frameSize(bytesOf(frame)), frame).toEqual(size);
    }
  });

  it('knows how long a packet of Opus is', () => {
    for (const [packet, samples] of [
      ['', 0],
      ['f8fffe', 960],
      ['fc', 960],
      ['e0', 120],
      ['18', 2880],
      ['f9', 1920],
      ['fb03', 2880],
      ['1b3f', 0],
    ] as const) {
      expect(opus.packetSamples(bytesOf(packet)), packet).toBe(samples);
    }
  });
});

it('tells the disposable picture from the others, and passes SEI over', () => {
  const sei = '00000002 0605';
  expect(avc.isDisposable(bytesOf(`${sei} 00000002 0188`))).toBe(true);
  expect(avc.isDisposable(bytesOf(`${sei} 00000002 4188`))).toBe(false);
  expect(avc.isDisposable(bytesOf(sei))).toBe(false);
  expect(avc.isDisposable(bytesOf('000000ff 01'))).toBe(false);
  const units = [...avc.nalUnits(bytesOf(`${sei} 00000001 65 00000009 41`))];
  expect(units.map(avc.nalType)).toEqual([avc.Nal.Sei, avc.Nal.Idr]);
});
