/**
 * Fragmented MP4, written: what Media Source Extensions take (ISO/IEC 14496-12, 14496-14, 14496-15; the Opus, AV1 and
 * VP9 bindings). One track a file: pictures and sound have each a source buffer of their own.
 */

import { Writer } from './bytes';
import { type OpusConfig, parseConfig as parseOpus, STEREO } from './codec/opus';
import type { Codec } from './frame';

/** A track as its initialization segment describes it. */
export interface Track {
  kind: 'video' | 'audio';
  codec: Codec;
  /** RFC 6381. */
  name: string;
  /** What the sequence header holds; empty where the codec has none. */
  config: Uint8Array;
  /** Units a second that times and durations count. */
  timescale: number;
  /** Of pictures, pixels. */
  width: number;
  height: number;
  /** Of sound. */
  channels: number;
}

/** A coded picture or piece of sound. */
export interface Sample {
  data: Uint8Array;
  /** In units of the track's timescale. */
  duration: number;
  /** Shown so much later than it is decoded. */
  offset: number;
  key: boolean;
}

/** What a source buffer is made for: `video/mp4; codecs="avc1.4d401f"`. */
export function mimeType(track: Track): string {
  return `${track.kind}/mp4; codecs="${track.name}"`;
}

/** An initialization segment. */
export function initSegment(track: Track): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  box(out, 'ftyp', () => out.ascii('isom').u32(0x200).ascii('isomiso6mp41'));
  box(out, 'moov', () => {
    fullBox(out, 'mvhd', 0, 0, () => {
      out.zeros(8).u32(1000).u32(0).u32(0x10000).u16(0x100).zeros(10);
      matrix(out)
        .zeros(24)
        .u32(TRACK_ID + 1);
    });
    box(out, 'trak', () => trak(out, track));
    box(out, 'mvex', () => {
      fullBox(out, 'trex', 0, 0, () => out.u32(TRACK_ID).u32(1).zeros(12));
    });
  });
  return out.bytes.slice();
}

/**
 * A media segment: samples that begin at `time`, in the track's units. It is written ten times a second, so plainly:
 *
 * ```text
 * moof | mfhd: sequence | traf | tfhd: track | tfdt: time | trun: duration, size, flags, offset of each sample | mdat
 * ```
 */
export function mediaSegment(sequence: number, time: number, samples: readonly Sample[]): Uint8Array<ArrayBuffer> {
  const runBytes = 20 + 16 * samples.length;
  const moofBytes = 68 + runBytes;
  let dataBytes = 0;
  for (const { data } of samples) dataBytes += data.length;
  const out = new Uint8Array(moofBytes + BOX_HEADER_BYTES + dataBytes);
  const view = new DataView(out.buffer);
  let at = 0;
  const put = (value: number) => {
    view.setUint32(at, value);
    at += 4;
  };
  put(moofBytes);
  put(Box.moof);
  put(16);
  put(Box.mfhd);
  put(0);
  put(sequence);
  put(44 + runBytes);
  put(Box.traf);
  put(16);
  put(Box.tfhd);
  put(TFHD_BASE_IS_MOOF);
  put(TRACK_ID);
  put(20);
  put(Box.tfdt);
  put(VERSION_1);
  put(Math.floor(time / 2 ** 32));
  put(time % 2 ** 32);
  put(runBytes);
  put(Box.trun);
  put(VERSION_1 | TRUN_FLAGS);
  put(samples.length);
  put(moofBytes + BOX_HEADER_BYTES);
  let dataAt = moofBytes + BOX_HEADER_BYTES;
  for (const { duration, data, key, offset } of samples) {
    put(duration);
    put(data.length);
    put(key ? FLAGS_KEY : FLAGS_OTHER);
    put(offset);
    out.set(data, dataAt);
    dataAt += data.length;
  }
  put(dataBytes + BOX_HEADER_BYTES);
  put(Box.mdat);
  return out;
}

function trak(out: Writer, track: Track): void {
  const isVideo = track.kind === 'video';
  fullBox(out, 'tkhd', 0, TKHD_ENABLED | TKHD_IN_MOVIE, () => {
    out
      .zeros(8)
      .u32(TRACK_ID)
      .zeros(16)
      .u32(0)
      .u16(isVideo ? 0 : 0x100)
      .u16(0);
    matrix(out)
      .u32(track.width * 0x10000)
      .u32(track.height * 0x10000);
  });
  box(out, 'mdia', () => {
    fullBox(out, 'mdhd', 0, 0, () => out.zeros(8).u32(track.timescale).u32(0).u16(LANGUAGE_UND).u16(0));
    fullBox(out, 'hdlr', 0, 0, () =>
      out
        .u32(0)
        .ascii(isVideo ? 'vide' : 'soun')
        .zeros(12)
        .u8(0),
    );
    box(out, 'minf', () => {
      if (isVideo) fullBox(out, 'vmhd', 0, 1, () => out.zeros(8));
      else fullBox(out, 'smhd', 0, 0, () => out.zeros(4));
      box(out, 'dinf', () => {
        fullBox(out, 'dref', 0, 0, () => {
          out.u32(1);
          fullBox(out, 'url ', 0, URL_SAME_FILE, () => undefined);
        });
      });
      box(out, 'stbl', () => {
        fullBox(out, 'stsd', 0, 0, () => {
          out.u32(1);
          if (isVideo) videoEntry(out, track);
          else audioEntry(out, track);
        });
        for (const empty of ['stts', 'stsc', 'stco']) fullBox(out, empty, 0, 0, () => out.u32(0));
        fullBox(out, 'stsz', 0, 0, () => out.zeros(8));
      });
    });
  });
}

function videoEntry(out: Writer, track: Track): void {
  const [entry, configBox] = VIDEO_BOXES[track.codec] ?? ['', ''];
  box(out, entry, () => {
    out.zeros(6).u16(1).zeros(16).u16(track.width).u16(track.height);
    out.u32(DPI_72).u32(DPI_72).u32(0).u16(1).zeros(32).u16(DEPTH_24).u16(0xffff);
    if (track.codec === 'vp9') fullBox(out, configBox, 1, 0, () => out.raw(track.config));
    else box(out, configBox, () => out.raw(track.config));
  });
}

function audioEntry(out: Writer, track: Track): void {
  box(out, track.codec === 'opus' ? 'Opus' : 'mp4a', () => {
    out.zeros(6).u16(1).zeros(8).u16(track.channels).u16(16).zeros(4);
    // Rates over 65535 do not fit into 16.16, and are found in the configuration.
    out.u32(track.timescale > 0xffff ? 0 : track.timescale * 0x10000);
    if (track.codec === 'opus') box(out, 'dOps', () => opusBox(out, parseOpus(track.config) ?? STEREO));
    else fullBox(out, 'esds', 0, 0, () => elementaryStream(out, track));
  });
}

function opusBox(out: Writer, { channels, preSkip, inputRate, gain, mapping }: OpusConfig): void {
  out.u8(0, channels).u16(preSkip).u32(inputRate).u16(gain).raw(mapping);
}

/** The ES descriptor of ISO/IEC 14496-1 section 7.2.6.5, as 14496-14 has it in a file. */
function elementaryStream(out: Writer, { codec, config }: Track): void {
  const specific = config.length > 0 ? DESCRIPTOR_HEADER_BYTES + config.length : 0;
  const decoder = 13 + specific;
  descriptor(out, 0x03, 3 + DESCRIPTOR_HEADER_BYTES + decoder + DESCRIPTOR_HEADER_BYTES + 1)
    .u16(TRACK_ID)
    .u8(0);
  const object = codec === 'mp3' ? OBJECT_MP3 : OBJECT_AAC;
  descriptor(out, 0x04, decoder).u8(object, STREAM_AUDIO).zeros(11);
  if (config.length > 0) descriptor(out, 0x05, config.length).raw(config);
  descriptor(out, 0x06, 1).u8(2);
}

/** A tag and a length, of which four times seven bits are written. */
function descriptor(out: Writer, tag: number, length: number): Writer {
  return out.u8(tag, 0x80 | (length >> 21), 0x80 | (length >> 14), 0x80 | (length >> 7), length & 0x7f);
}

function matrix(out: Writer): Writer {
  return out.u32(0x10000).zeros(12).u32(0x10000).zeros(12).u32(0x40000000);
}

function box(out: Writer, name: string, write: () => unknown): void {
  const at = out.length;
  out.u32(0).ascii(name);
  write();
  out.setU32(at, out.length - at);
}

function fullBox(out: Writer, name: string, version: number, flags: number, write: () => unknown): void {
  box(out, name, () => {
    out.u8(version).u24(flags);
    write();
  });
}

/** The sample entry of each codec, and the box within it. */
const VIDEO_BOXES: Partial<Record<Codec, readonly [entry: string, config: string]>> = {
  avc: ['avc1', 'avcC'],
  hevc: ['hvc1', 'hvcC'],
  av1: ['av01', 'av1C'],
  vp9: ['vp09', 'vpcC'],
};
/** Names of boxes, as numbers. */
const Box = {
  moof: 0x6d6f6f66,
  mfhd: 0x6d666864,
  traf: 0x74726166,
  tfhd: 0x74666864,
  tfdt: 0x74666474,
  trun: 0x7472756e,
  mdat: 0x6d646174,
} as const;
const VERSION_1 = 0x01000000;
const TRACK_ID = 1;
const BOX_HEADER_BYTES = 8;
const DESCRIPTOR_HEADER_BYTES = 5;
const TKHD_ENABLED = 1;
const TKHD_IN_MOVIE = 2;
const URL_SAME_FILE = 1;
const TFHD_BASE_IS_MOOF = 0x020000;
/** There is an offset of the data; each sample has its duration, size, flags and composition offset. */
const TRUN_FLAGS = 0x000f01;
/** Depends on no other sample. */
const FLAGS_KEY = 0x02000000;
/** Depends on others, and is no place to begin. */
const FLAGS_OTHER = 0x01010000;
const LANGUAGE_UND = 0x55c4;
const DPI_72 = 0x00480000;
const DEPTH_24 = 0x18;
const OBJECT_AAC = 0x40;
const OBJECT_MP3 = 0x6b;
const STREAM_AUDIO = 0x15;
