/**
 * Frames to fMP4, for one source buffer a kind: init segments where a configuration is new, media segments of all that
 * has come since the last call. Pure: no clock, no element.
 *
 * A picture waits for the next one, which says how long it lasts; so there are no holes between pictures, however
 * unevenly they were taken. Sound is counted in samples, because milliseconds would leave a hole or a fold after each
 * frame; where it drifts from its timestamps by more than {@link DRIFT_MS_MAX}, a frame of silence goes in or one of
 * sound is left out. Where sound is missing beside pictures, silence stands in for it, until there is sound.
 */

import { isSame } from './bytes';
import * as aac from './codec/aac';
import type { AudioConfig } from './codec/config';
import * as opus from './codec/opus';
import { type AudioTrack, audioTrack, videoTrack } from './codec/track';
import * as vp9 from './codec/vp9';
import { initSegment, mediaSegment, type Sample, type Track } from './fmp4';
import type { Frame } from './frame';
import { Timeline } from './timeline';

export interface Segment {
  kind: 'video' | 'audio';
  /** Of an init segment: what follows is of this track. */
  track: Track | null;
  /** Media time of the first key frame within, ms; of pictures. */
  key: number | null;
  data: Uint8Array<ArrayBuffer>;
}

export class Remuxer {
  readonly #timeline = new Timeline();
  readonly #video: Video;
  readonly #audio: Audio;
  readonly #hasVideo: boolean;
  readonly #out: Segment[] = [];

  /** Of a kind that there shall not be, frames are passed over. */
  constructor(kinds: { video: boolean; audio: boolean }) {
    this.#hasVideo = kinds.video;
    this.#video = new Video(this.#out);
    this.#audio = new Audio(this.#out);
  }

  /** Takes a frame of a kind that there shall be. */
  push(frame: Frame): void {
    if (frame.config) {
      if (frame.kind === 'video') this.#video.configure(frame);
      else if (frame.kind === 'audio') this.#audio.configure(frame);
      return;
    }
    // Media begins with a picture that can be decoded, where there are pictures.
    if (frame.kind === 'video' && this.#video.wants(frame)) {
      this.#video.push(frame, this.#timeline.place('video', frame.dts));
    } else if (frame.kind === 'audio' && (!this.#hasVideo || this.#video.hasBegun)) {
      const time = this.#timeline.place('audio', frame.dts);
      if (time >= 0) this.#audio.push(frame, time);
    }
  }

  /** What is whole since the last call, in order. */
  take(): Segment[] {
    if (this.#hasVideo && this.#video.hasBegun) this.#audio.fill(this.#video.end);
    this.#video.cut();
    this.#audio.cut();
    return this.#out.splice(0);
  }

  /** The same, with the picture that waits for the next one: there is none. */
  finish(): Segment[] {
    this.#video.release(null);
    return this.take();
  }
}

interface Picture {
  frame: Frame;
  time: number;
}

class Video {
  readonly #out: Segment[];
  #track: Track | null = null;
  /** A configuration that holds from the next key frame on. */
  #next: Frame | null = null;
  #isDecodable = false;
  #held: Picture | null = null;
  #lastDuration = USUAL_DURATION_MS;
  #samples: Sample[] = [];
  #from = 0;
  #key: number | null = null;
  #sequence = 0;
  hasBegun = false;

  constructor(out: Segment[]) {
    this.#out = out;
  }

  /** Media time of the latest picture, ms. */
  get end(): number {
    return this.#held?.time ?? 0;
  }

  configure(frame: Frame): void {
    const isKnown = this.#track?.codec === frame.codec && isSame(this.#track.config, frame.data);
    this.#next = isKnown ? null : { ...frame, data: frame.data.slice() };
  }

  /** Whether a picture can be decoded: from a key frame on, of a configuration that can be read. */
  wants(frame: Frame): boolean {
    if (frame.key && this.#next !== null) this.#begin(this.#next, frame);
    else if (this.#next !== null) this.#isDecodable = false;
    if (frame.key && this.#track !== null) this.#isDecodable = true;
    return this.#isDecodable && frame.codec === this.#track?.codec;
  }

  push(frame: Frame, time: number): void {
    const at = this.#held === null ? time : Math.max(time, this.#held.time + 1);
    this.release(at);
    this.#held = { frame, time: at };
    this.hasBegun = true;
  }

  /** The picture that waits lasts until `next`, ms; as long as the one before where nobody knows. */
  release(next: number | null): void {
    if (this.#held === null) return;
    const { frame, time } = this.#held;
    this.#lastDuration = next === null ? this.#lastDuration : next - time;
    if (this.#samples.length === 0) this.#from = time;
    const { data, cts, key } = frame;
    if (key) this.#key ??= time + cts;
    this.#samples.push({ data, duration: this.#lastDuration, offset: cts, key });
    this.#held = null;
  }

  cut(): void {
    if (this.#samples.length === 0) return;
    this.#sequence += 1;
    const data = mediaSegment(this.#sequence, this.#from, this.#samples);
    this.#out.push({ kind: 'video', track: null, key: this.#key, data });
    this.#samples = [];
    this.#key = null;
  }

  #begin(config: Frame, key: Frame): void {
    this.#next = null;
    const track = videoTrack(config);
    if (track === null) return;
    // Only the pictures say how large they are, and a browser takes none of no size.
    if (track.codec === 'vp9') Object.assign(track, vp9.frameSize(key.data));
    // The picture before is of the old configuration, and goes before the new one.
    this.release(null);
    this.cut();
    this.#track = track;
    this.#out.push({ kind: 'video', track, key: null, data: initSegment(track) });
  }
}

class Audio {
  readonly #out: Segment[];
  #track: Track | null = null;
  #config: AudioConfig | null = null;
  /** Where the next frame goes, samples. */
  #next: number | null = null;
  /** From here on there is only silence that stands in, samples. */
  #silentFrom: number | null = null;
  #drift = 0;
  #samples: Sample[] = [];
  #from = 0;
  #sequence = 0;

  constructor(out: Segment[]) {
    this.#out = out;
  }

  configure(frame: Frame): void {
    const found = audioTrack(frame);
    if (found !== null) this.#begin(found);
  }

  push(frame: Frame, time: number): void {
    // What needs no configuration says what it is with each frame, or never.
    if (frame.codec === 'mp3' || (frame.codec === 'opus' && this.#config === null)) this.configure(frame);
    if (this.#config === null || frame.codec !== this.#track?.codec) return;
    const { sampleRate, frameSamples } = this.#config;
    const duration = frameSamples || opus.packetSamples(frame.data);
    if (duration === 0 || !this.#align((time * sampleRate) / 1000, duration)) return;
    this.#silentFrom = null;
    this.#add(frame.data, duration);
  }

  /** Lets silence stand in where sound is far behind the pictures, which are at `time`, ms. */
  fill(time: number): void {
    const frame = this.#silence();
    if (this.#config === null || frame === null) return;
    const { sampleRate } = this.#config;
    const samples = (ms: number) => Math.round((ms * sampleRate) / 1000);
    const end = this.#next ?? 0;
    if (samples(time - MISSING_MS_MIN) < end) return;
    this.#next = end;
    this.#silentFrom ??= end;
    // Sound that is merely late finds its place still free.
    while (this.#next < samples(time - LATE_MS_MAX)) this.#add(frame.data, frame.samples);
  }

  cut(): void {
    if (this.#samples.length === 0) return;
    this.#sequence += 1;
    const data = mediaSegment(this.#sequence, this.#from, this.#samples);
    this.#out.push({ kind: 'audio', track: null, key: null, data });
    this.#samples = [];
  }

  /** Makes room at `at` for a frame, both in samples. `false`: the place is taken. */
  #align(at: number, duration: number): boolean {
    if (this.#next === null) {
      this.#next = Math.round(at);
      return true;
    }
    const ms = 1000 / (this.#config?.sampleRate ?? 1000);
    const off = at - this.#next;
    if (off < 0 && this.#silentFrom !== null) {
      // What stood in makes room: the sound that comes is written over it.
      this.cut();
      this.#next = Math.max(Math.round(at), this.#silentFrom);
      return true;
    }
    this.#drift += (off * ms - this.#drift) / DRIFT_FRAMES;
    const isFar = Math.abs(off) * ms > HOLE_MS_MIN;
    if (!isFar && Math.abs(this.#drift) <= DRIFT_MS_MAX) return true;
    this.#drift = 0;
    if (off < 0) return false;
    this.#fillHole(at - duration / 2);
    return true;
  }

  /** Silence up to `at`, where the codec has any; otherwise a hole. */
  #fillHole(at: number): void {
    const frame = this.#silence();
    const next = this.#next ?? 0;
    if (frame === null) {
      this.cut();
      this.#next = Math.round(at);
      return;
    }
    for (let left = Math.ceil((at - next) / frame.samples); left > 0; left--) this.#add(frame.data, frame.samples);
  }

  #add(data: Uint8Array, duration: number): void {
    const at = this.#next ?? 0;
    if (this.#samples.length === 0) this.#from = at;
    this.#samples.push({ data, duration, offset: 0, key: true });
    this.#next = at + duration;
  }

  #silence(): { data: Uint8Array; samples: number } | null {
    if (this.#track?.codec === 'opus') return { data: opus.SILENCE, samples: opus.packetSamples(opus.SILENCE) };
    if (this.#track?.codec !== 'aac' || this.#config === null) return null;
    const data = aac.silence(this.#config.channels);
    return data && { data, samples: this.#config.frameSamples };
  }

  #begin({ track, config }: AudioTrack): void {
    const isSameTrack = this.#track?.codec === track.codec && isSame(this.#track.config, track.config);
    const isSameSound = this.#config?.sampleRate === config.sampleRate && this.#config.channels === config.channels;
    if (isSameTrack && isSameSound) return;
    this.cut();
    const before = this.#config?.sampleRate ?? config.sampleRate;
    const scaled = (samples: number | null) => samples && Math.ceil((samples * config.sampleRate) / before);
    this.#next = scaled(this.#next);
    this.#silentFrom = scaled(this.#silentFrom);
    this.#config = config;
    this.#track = track;
    this.#out.push({ kind: 'audio', track, key: null, data: initSegment(track) });
  }
}

/** 25 pictures a second. */
const USUAL_DURATION_MS = 40;
/** A hole in the sound, or a fold, is longer than the jitter of the timestamps of any known encoder. */
const HOLE_MS_MIN = 100;
/** Sound may be off by so much: less than the 40 ms at which lips are seen to lag. */
const DRIFT_MS_MAX = 25;
/** Frames that the drift is a mean of: half a second. */
const DRIFT_FRAMES = 16;
/** Sound that is so far behind the pictures is missing; less than the smallest buffer, which would run dry. */
const MISSING_MS_MIN = 700;
/** Sound may come so much later than pictures of the same time. */
const LATE_MS_MAX = 300;
