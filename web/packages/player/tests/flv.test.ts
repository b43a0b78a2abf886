import { describe, expect, it } from 'vitest';
import { decodeBody, encodeBody, TagType } from '../src/flv/body';
import { Demuxer } from '../src/flv/demux';
import { fileHeader, tag } from '../src/flv/mux';
import type { Frame } from '../src/frame';
import { Misbehaved } from '../src/misbehaved';
import { bytesOf, everyCut, hex, joined } from './bytes';

const ascii = (text: string) => hex(new TextEncoder().encode(text));

/** What a body says in a line: codec, config or key, offset, data. */
function said(type: number, body: string): string | null {
  const frame = decodeBody(type, 0, bytesOf(body));
  if (frame === null) return null;
  const { codec, config, key, cts, data } = frame;
  return [codec, config ? 'config' : key ? 'key' : '-', cts, hex(data)].join(' ');
}

describe('the body of a picture', () => {
  for (const [name, body, want] of [
    ['empty', '', null],
    ['H.264 sequence header', '17 00 000000 0142', 'avc config 0 0142'],
    ['H.264 key frame', '17 01 000000 65', 'avc key 0 65'],
    ['H.264 inter frame, shown later', '27 01 000050 41', 'avc - 80 41'],
    ['H.264, shown before it is decoded', '27 01 ffffd8 41', 'avc - -40 41'],
    ['a generated key frame', '47 01 000000 65', 'avc key 0 65'],
    ['command, not a sequence header', '57 00', null],
    ['H.264 end of sequence', '17 02 000000', null],
    ['cut after the first byte', '17', null],
    ['cut within the offset', '27 01 0000', null],
    ['legacy H.265', '1c 01 000000 26', 'hevc key 0 26'],
    ['Flash video of 2003', '12 0000', 'unknown key 0 0000'],
    ['enhanced H.265 sequence start', `90 ${ascii('hvc1')} 01`, 'hevc config 0 01'],
    ['enhanced H.265 key frame with offset', `91 ${ascii('hvc1')} 000028 26`, 'hevc key 40 26'],
    ['enhanced H.265 without offset', `a3 ${ascii('hvc1')} 02`, 'hevc - 0 02'],
    ['AV1 has no offset', `91 ${ascii('av01')} 0a`, 'av1 key 0 0a'],
    ['VP9', `a1 ${ascii('vp09')} 82`, 'vp9 - 0 82'],
    ['colour metadata', `94 ${ascii('hvc1')} 02`, null],
    ['end of sequence', `92 ${ascii('hvc1')}`, null],
    ['a nanosecond ModEx', `97 02 000001 01 ${ascii('av01')} 0a`, 'av1 key 0 0a'],
    ['a long ModEx', `97 ff 0003 00000000 01 ${ascii('av01')} 0a`, 'av1 key 0 0a'],
    ['ModEx cut short', '97 ff 10', null],
    ['one track, number 0', `96 01 ${ascii('hvc1')} 00 000000 26`, 'hevc key 0 26'],
    ['one track, number 3', `96 01 ${ascii('hvc1')} 03 000000 26`, null],
    ['many tracks of one codec', `96 11 ${ascii('av01')} 01 000002 aabb 00 000001 cc`, 'av1 key 0 cc'],
    ['many codecs', `96 21 ${ascii('hvc1')} 01 000001 aa ${ascii('av01')} 00 000001 cc`, 'av1 key 0 cc'],
    ['a track longer than the body', `96 11 ${ascii('av01')} 00 0000ff cc`, null],
    ['FourCC nobody knows', `91 ${ascii('what')} 00`, 'unknown key 0 00'],
    ['FourCC cut short', '91 6876', null],
  ] as const) {
    it(name, () => expect(said(TagType.Video, body)).toBe(want));
  }
});

describe('the body of sound', () => {
  for (const [name, body, want] of [
    ['AAC sequence header', 'af 00 1210', 'aac config 0 1210'],
    ['AAC frame', 'af 01 21', 'aac key 0 21'],
    ['AAC cut short', 'af', null],
    ['MP3', '2f fffb', 'mp3 key 0 fffb'],
    ['Speex', 'b6 00', 'unknown key 0 00'],
    ['enhanced Opus head', `90 ${ascii('Opus')} 4f`, 'opus config 0 4f'],
    ['enhanced Opus frame', `91 ${ascii('Opus')} fc`, 'opus key 0 fc'],
    ['enhanced AAC', `91 ${ascii('mp4a')} 21`, 'aac key 0 21'],
    ['channels', `94 ${ascii('Opus')} 00`, null],
    ['a second track', `95 01 ${ascii('Opus')} 01 fc`, null],
  ] as const) {
    it(name, () => expect(said(TagType.Audio, body)).toBe(want));
  }
});

it('metadata is configuration, and cue points are not', () => {
  expect(said(TagType.Script, `02 000a ${ascii('onMetaData')} 05`)).toMatch(/^script config/);
  expect(said(TagType.Script, `02 000a ${ascii('onCuePoint')} 05`)).toMatch(/^script -/);
});

const frame = (more: Partial<Frame>): Frame => ({
  kind: 'video',
  codec: 'avc',
  config: false,
  key: false,
  dts: 0,
  cts: 0,
  data: Uint8Array.of(1, 2, 3),
  ...more,
});
const type = ({ kind }: Frame) => ({ video: TagType.Video, audio: TagType.Audio, data: TagType.Script })[kind];

it('what is encoded is decoded', () => {
  for (const codec of ['avc', 'hevc', 'av1', 'vp9'] as const) {
    for (const more of [{ config: true }, { key: true }, { cts: codec === 'avc' || codec === 'hevc' ? -33 : 0 }]) {
      const want = frame({ codec, ...more });
      expect(decodeBody(TagType.Video, 0, encodeBody(want))).toEqual(want);
    }
  }
  for (const codec of ['aac', 'opus'] as const) {
    for (const config of [true, false]) {
      const want = frame({ kind: 'audio', codec, config, key: !config });
      expect(decodeBody(TagType.Audio, 0, encodeBody(want))).toEqual(want);
    }
  }
});

const FRAMES = [
  frame({ config: true, dts: 0 }),
  frame({ key: true, dts: 0 }),
  frame({ kind: 'audio', codec: 'aac', key: true, dts: 23 }),
  frame({ dts: 0x01234567, cts: 40, data: new Uint8Array(300).fill(7) }),
];
const FILE = joined(fileHeader(true, true), ...FRAMES.map((f) => tag(type(f), f.dts, encodeBody(f))));

it('what is written is read, however it is cut', () => {
  for (const parts of everyCut(FILE)) {
    const demuxer = new Demuxer();
    const got = parts.flatMap((part) => [...demuxer.read(part)]);
    expect(got).toEqual(FRAMES);
    // The size that follows the last tag is not asked for.
    expect(demuxer.heldBytes).toBe(0);
    expect(demuxer.announced).toEqual({ audio: true, video: true });
  }
});

it('time goes on past 32 bits', () => {
  const at = (dts: number) => tag(TagType.Audio, dts, bytesOf('af0121'));
  const demuxer = new Demuxer();
  const file = joined(fileHeader(true, false), at(0xfffffff0), at(0x10), at(0xfffffff8));
  expect([...demuxer.read(file)].map(({ dts }) => dts)).toEqual([0xfffffff0, 0x100000010, 0xfffffff8]);
});

it('a tag says its length and its whole time', () => {
  expect(hex(tag(9, 0xfe010203, bytesOf('0a0b0c')))).toBe(
    '090000030102 03fe 000000 0a0b0c 0000000e'.replaceAll(' ', ''),
  );
});

it('what is not FLV is told so, and what came before damage is there', () => {
  for (const bad of ['474946383961 5f5f5f', '464c5601 05 00000008', '464c5601 05 ff000009']) {
    expect(() => [...new Demuxer().read(bytesOf(bad))]).toThrow(Misbehaved);
  }
  for (const damage of ['a5a5a5a5a5a5a5a5a5a5a5', '464c56010500000009 0000', '09000001 00000000 000001']) {
    const demuxer = new Demuxer();
    const got: Frame[] = [];
    const file = joined(FILE, bytesOf(damage));
    expect(() => {
      for (const one of demuxer.read(file)) got.push(one);
    }).toThrow(Misbehaved);
    expect(got).toEqual(FRAMES);
  }
});

it('a tag over the limit is refused before its bytes come, and nothing is kept on the word of a length', () => {
  const demuxer = new Demuxer(100);
  const header = (length: number) => tag(9, 0, new Uint8Array(length)).subarray(0, 11);
  [...demuxer.read(joined(fileHeader(false, true), header(100)))];
  expect(demuxer.heldBytes).toBe(0);
  expect(() => [...new Demuxer(100).read(joined(fileHeader(false, true), header(101)))]).toThrow(Misbehaved);
});

it('tags that mean nothing are passed over', () => {
  const file = joined(
    fileHeader(true, true),
    tag(15, 5, bytesOf('00')),
    tag(9, 7, new Uint8Array(0)),
    FILE.subarray(13),
  );
  expect([...new Demuxer().read(file)]).toEqual(FRAMES);
});
