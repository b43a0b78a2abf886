/**
 * Which kinds of media there are. Source buffers must be made before the first media, and a buffer that nothing comes
 * into stops everything; but streams announce sound that never comes, begin it later, or stop their pictures while
 * sound goes on. So it waits a little for what is announced, begins with what is there, and begins anew when that
 * changes: at a key frame, where there are pictures.
 */

import { videoTrack } from './codec/track';
import type { Announced } from './flv/demux';
import type { Frame } from './frame';

export interface Kinds {
  video: boolean;
  audio: boolean;
}

/** What to do with media that came. */
export interface Go {
  /** Begin anew, with these kinds; `null`: go on. */
  begin: Kinds | null;
  frames: Frame[];
}

export class Lineup {
  #kinds: Kinds | null = null;
  readonly #excluded: Kinds = { video: false, audio: false };
  readonly #configs: { video: Frame | null; audio: Frame | null } = { video: null, audio: null };
  #gathered: Frame[] = [];
  #gatheredBytes = 0;
  #since: number | null = null;
  #hasKey = false;
  readonly #seen: Kinds = { video: false, audio: false };
  /** A configuration that can be read has come. */
  #hasVideoConfig = false;
  /** Sound that needs no configuration has come. */
  #hasPlainSound = false;
  /** Stream time of the latest frames, and between the latest pictures, ms. */
  readonly #last = { video: 0, audio: 0 };
  #videoStep = 0;
  /** How much came of a kind since the latest frame of the other, ms. */
  readonly #alone = { video: 0, audio: 0 };
  readonly #begins: number[] = [];

  /** There is no such kind, whatever comes: it cannot be decoded here. */
  exclude(kind: 'video' | 'audio'): void {
    this.#excluded[kind] = true;
    // What plays goes on without it from the next key frame on, if it had it.
    this.#configs[kind] = null;
    if (kind === 'video') this.#hasVideoConfig = false;
    if (this.#kinds?.[kind]) this.restart();
  }

  isExcluded(kind: 'video' | 'audio'): boolean {
    return this.#excluded[kind];
  }

  /** Begins anew with what comes next. */
  restart(): void {
    this.#kinds = null;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#since = null;
    this.#hasKey = false;
  }

  /** Takes a frame that came at `now`, ms, of a file that announced this. */
  push(frame: Frame, now: number, announced: Announced): Go | null {
    const { kind } = frame;
    if (kind === 'data' || this.#excluded[kind]) return null;
    this.#seen[kind] = true;
    if (frame.config) this.#configure(kind, frame);
    this.#measure(kind, frame);
    if (this.#kinds === null) return this.#gather(frame, now, announced);
    const wanted = this.#wanted(frame, this.#kinds);
    if (wanted !== null && this.#mayBegin(now)) return this.#begin(wanted, [frame], now);
    return this.#kinds[kind] ? { begin: null, frames: [frame] } : null;
  }

  /** Takes the time: what was waited for may not come. */
  tick(now: number, announced: Announced): Go | null {
    return this.#kinds === null ? this.#ready(now, announced) : null;
  }

  #configure(kind: 'video' | 'audio', frame: Frame): void {
    this.#configs[kind] = { ...frame, data: frame.data.slice() };
    if (kind === 'video') this.#hasVideoConfig = videoTrack(frame) !== null;
  }

  #measure(kind: 'video' | 'audio', { config, codec, dts }: Frame): void {
    if (config) return;
    const step = dts - this.#last[kind];
    this.#last[kind] = dts;
    // A clock that leaps is no media.
    if (step > 0 && step < STEP_MS_MAX) this.#alone[kind] += step;
    if (kind === 'video') this.#videoStep = Math.abs(step);
    else this.#hasPlainSound ||= codec === 'mp3' || codec === 'opus';
    this.#alone[kind === 'video' ? 'audio' : 'video'] = 0;
  }

  #gather(frame: Frame, now: number, announced: Announced): Go | null {
    this.#since ??= now;
    if (frame.kind === 'video' && frame.key) {
      // What was before a first key frame is of no use.
      if (!this.#hasKey) this.#drop();
      this.#hasKey = this.#hasVideoConfig;
    }
    if (!frame.config && (frame.kind === 'audio' || this.#hasKey)) {
      this.#gathered.push({ ...frame, data: frame.data.slice() });
      this.#gatheredBytes += frame.data.length;
    }
    if (!this.#hasKey && this.#gathered.length > SOUND_FRAMES_MAX) this.#gathered.shift();
    return this.#ready(now, announced);
  }

  #ready(now: number, announced: Announced): Go | null {
    if (this.#since === null) return null;
    const has: Kinds = { video: this.#hasKey, audio: this.#hasAudio };
    const waited = now - this.#since;
    const isFull = this.#gatheredBytes > GATHERED_BYTES_MAX;
    const may = {
      video: !this.#excluded.video && (announced.video || this.#seen.video) && !isFull,
      audio: !this.#excluded.audio && (announced.audio || this.#seen.audio) && !isFull,
    };
    const patience = this.#seen.video ? KEY_PATIENCE_MS : PATIENCE_MS;
    const videoDone = has.video || !may.video || waited >= patience;
    const audioDone = has.audio || !may.audio || waited >= PATIENCE_MS;
    if (!(has.video || has.audio) || !videoDone || !audioDone) return null;
    const frames = this.#gathered;
    return this.#begin(has, frames, now);
  }

  #begin(kinds: Kinds, frames: Frame[], now: number): Go {
    this.#begins.push(now);
    this.#drop();
    this.#kinds = kinds;
    this.#alone.video = 0;
    this.#alone.audio = 0;
    const configs = [kinds.video && this.#configs.video, kinds.audio && this.#configs.audio].filter((c) => !!c);
    return { begin: kinds, frames: [...configs, ...frames.filter(({ kind }) => kind !== 'data' && kinds[kind])] };
  }

  /** Which kinds there should be from this frame on, where that is not what there is. */
  #wanted(frame: Frame, kinds: Kinds): Kinds | null {
    const isEntry = frame.kind === 'video' && frame.key && this.#hasVideoConfig;
    if (isEntry && (!kinds.video || (!kinds.audio && this.#hasAudio))) return { video: true, audio: this.#hasAudio };
    if (!kinds.video || !kinds.audio) return null;
    const patience = Math.max(ALONE_MS_MIN, 3 * Math.min(this.#videoStep, ALONE_MS_MIN));
    if (frame.kind === 'audio' && !frame.config && this.#alone.audio > patience) return { video: false, audio: true };
    if (isEntry && this.#alone.video > ALONE_MS_MIN && !this.#hasSilence) {
      this.#hasPlainSound = false;
      return { video: true, audio: false };
    }
    return null;
  }

  /** A stream that changes all the time is better stopped now and then than made anew all the time. */
  #mayBegin(now: number): boolean {
    while ((this.#begins[0] ?? now) < now - BEGINS_WITHIN_MS) this.#begins.shift();
    return this.#begins.length < BEGINS_MAX;
  }

  get #hasAudio(): boolean {
    return this.#configs.audio !== null || this.#hasPlainSound;
  }

  /** Whether silence can stand in for sound that is missing: there is none of MP3. */
  get #hasSilence(): boolean {
    return this.#configs.audio !== null;
  }

  #drop(): void {
    this.#gathered = [];
    this.#gatheredBytes = 0;
  }
}

/** So long it waits for a kind that was announced. Real streams have both within one group of pictures, at once. */
export const PATIENCE_MS = 500;
/** So long for a key frame, where pictures come: groups of pictures are rarely longer. */
const KEY_PATIENCE_MS = 5000;
/** A kind has stopped when so much of the other came alone; less than the least buffer and what is on its way. */
const ALONE_MS_MIN = 1000;
/** Longer from one frame to the next is a pause. */
const STEP_MS_MAX = 500;
/** Sound kept while a key frame is waited for: two seconds of AAC. */
const SOUND_FRAMES_MAX = 100;
/** A group of pictures of 5 s at 12 Mbit/s. */
const GATHERED_BYTES_MAX = 8 * 1024 * 1024;
const BEGINS_MAX = 6;
const BEGINS_WITHIN_MS = 60_000;
