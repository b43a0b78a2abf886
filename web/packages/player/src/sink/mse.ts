/**
 * Media Source Extensions: a `<video>` and what is fed to it. It decides nothing about delay; it appends in order, keeps
 * what has been played short, steps over holes, and says when it cannot go on.
 */

import { mimeType, type Track } from '../fmp4';
import type { Kinds } from '../lineup';
import { wordsOf } from '../misbehaved';
import type { Segment } from '../remux';

/** Whom a sink tells. */
export interface SinkEvents {
  /** The decoder took, or could not take, what came: nothing more can be appended. */
  failed(message: string): void;
  /** There was no room, and what should have been appended is gone. */
  overflowed(): void;
}

/** Whether this browser has Media Source Extensions. */
export function hasMse(): boolean {
  return sourceClass() !== null;
}

/** Whether a track can be decoded here. */
export function canPlay(track: Track): boolean {
  return sourceClass()?.isTypeSupported(mimeType(track)) ?? false;
}

export class MseSink {
  readonly video: HTMLVideoElement;
  readonly #source: MediaSource;
  readonly #url: string;
  readonly #events: SinkEvents;
  readonly #kinds: Kinds;
  readonly #feeds = new Map<'video' | 'audio', Feed>();
  /** Segments that came before the source was open and every kind's track was known. */
  #early: Segment[] = [];
  #isOpen = false;
  #isOver = false;
  #isLast = false;

  constructor(document: Document, kinds: Kinds, events: SinkEvents) {
    const Source = sourceClass();
    if (Source === null) throw new Error('this browser has no Media Source Extensions');
    this.#kinds = kinds;
    this.#events = events;
    this.#source = new Source();
    this.video = document.createElement('video');
    this.video.playsInline = true;
    this.video.preload = 'auto';
    // Safari gives a managed source to no element that may play elsewhere.
    this.video.disableRemotePlayback = true;
    this.video.onerror = () => this.#fail(this.video.error?.message || `media error ${this.video.error?.code}`);
    this.#source.onsourceopen = () => {
      this.#isOpen = true;
      URL.revokeObjectURL(this.#url);
      this.#begin();
    };
    this.#url = URL.createObjectURL(this.#source);
    this.video.src = this.#url;
  }

  /** Appends, when there is a moment. */
  append(segments: readonly Segment[]): void {
    if (this.#isOver) return;
    if (this.#feeds.size === 0) {
      this.#early.push(...segments);
      this.#begin();
      return;
    }
    for (const segment of segments) this.#feeds.get(segment.kind)?.push(segment);
  }

  /** Nothing more comes: what there is, is played to its end. */
  finish(): void {
    this.#isLast = true;
    this.#endIfDone();
  }

  /** Media from what is shown to the newest that can be shown, s. */
  get ahead(): number {
    const { buffered } = this.video;
    const end = buffered.length > 0 ? buffered.end(buffered.length - 1) : 0;
    return Math.max(0, end - this.video.currentTime);
  }

  /** The same of one kind, s; 0 of one that there is not. */
  aheadOf(kind: 'video' | 'audio'): number {
    const end = this.#feeds.get(kind)?.end ?? 0;
    return Math.max(0, end - this.video.currentTime);
  }

  /** Goes to so many seconds before the newest. */
  seekToEdge(before: number): void {
    const { buffered } = this.video;
    const last = buffered.length - 1;
    if (last < 0) return;
    const to = Math.max(buffered.start(last), buffered.end(last) - before);
    if (to > this.video.currentTime) this.video.currentTime = to;
  }

  /** Steps over a hole at the moment that is shown; answers whether there was one. */
  stepOverHole(): boolean {
    const { buffered, currentTime } = this.video;
    for (let n = 0; n < buffered.length; n++) {
      if (currentTime + HOLE_EDGE_S >= buffered.start(n)) {
        if (currentTime + HOLE_EDGE_S < buffered.end(n)) return false;
        continue;
      }
      this.video.currentTime = buffered.start(n) + 0.001;
      return true;
    }
    return false;
  }

  /** Lets what was played go. */
  trim(): void {
    const { currentTime } = this.video;
    for (const feed of this.#feeds.values()) feed.trim(currentTime);
  }

  /** Lets go of everything. The element stays where it is, and shows nothing. */
  close(): void {
    this.#isOver = true;
    this.#early = [];
    this.#source.onsourceopen = null;
    this.video.onerror = null;
    for (const feed of this.#feeds.values()) feed.close();
    this.#feeds.clear();
    URL.revokeObjectURL(this.#url);
    this.video.pause();
    this.video.removeAttribute('src');
    // Without this the decoders live on until the element is collected.
    this.video.load();
  }

  /** Makes the source buffers: all of them before the first media, or the browser takes no more. */
  #begin(): void {
    if (!this.#isOpen || this.#isOver || this.#feeds.size > 0) return;
    const tracks = new Map<'video' | 'audio', Track>();
    for (const { kind, track } of this.#early) if (track !== null && !tracks.has(kind)) tracks.set(kind, track);
    if (tracks.has('video') !== this.#kinds.video || tracks.has('audio') !== this.#kinds.audio) return;
    try {
      this.#source.duration = Number.POSITIVE_INFINITY;
      for (const [kind, track] of tracks) this.#feeds.set(kind, this.#feed(track));
    } catch (error) {
      this.#fail(`no source buffer: ${wordsOf(error)}`);
      return;
    }
    const early = this.#early;
    this.#early = [];
    this.append(early);
  }

  #feed(track: Track): Feed {
    const buffer = this.#source.addSourceBuffer(mimeType(track));
    return new Feed(buffer, track, {
      currentTime: () => this.video.currentTime,
      failed: (message) => this.#fail(message),
      overflowed: () => this.#isOver || this.#events.overflowed(),
      idle: () => this.#endIfDone(),
    });
  }

  #endIfDone(): void {
    const isIdle = [...this.#feeds.values()].every((feed) => feed.isIdle);
    if (!this.#isLast || this.#isOver || this.#source.readyState !== 'open' || !isIdle) return;
    this.#source.endOfStream();
  }

  #fail(message: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.failed(message);
  }
}

interface FeedEvents {
  currentTime(): number;
  failed(message: string): void;
  overflowed(): void;
  idle(): void;
}

/** One source buffer, and what waits for it. */
class Feed {
  readonly #buffer: SourceBuffer;
  readonly #events: FeedEvents;
  #queue: Segment[] = [];
  #waitingBytes = 0;
  #track: Track;
  #removeTo: number | null = null;
  /** Where pictures can be decoded from, s: what is removed ends at one, or those after it would go too. */
  #keys: number[] = [];
  /** Something is missing: what comes is of no use. */
  #isGated = false;
  #isClosed = false;

  constructor(buffer: SourceBuffer, track: Track, events: FeedEvents) {
    this.#buffer = buffer;
    this.#track = track;
    this.#events = events;
    buffer.onupdateend = () => this.#next();
    buffer.onerror = () => events.failed(`${track.kind} of ${track.name} could not be taken in`);
  }

  get isIdle(): boolean {
    return this.#queue.length === 0 && !this.#buffer.updating;
  }

  /** Where the newest media ends, s. */
  get end(): number {
    if (this.#isClosed) return 0;
    const { buffered } = this.#buffer;
    return buffered.length > 0 ? buffered.end(buffered.length - 1) : 0;
  }

  push(segment: Segment): void {
    if (this.#isGated) return;
    if (this.#waitingBytes + segment.data.length > WAITING_BYTES_MAX) {
      // The browser takes nothing in any more, or far too slowly.
      this.#overflow();
      return;
    }
    this.#queue.push(segment);
    this.#waitingBytes += segment.data.length;
    this.#next();
  }

  trim(currentTime: number): void {
    if (this.#isClosed || this.#removeTo !== null) return;
    const { buffered } = this.#buffer;
    if (buffered.length === 0 || currentTime - buffered.start(0) < PLAYED_S_MAX) return;
    this.#remove(currentTime - PLAYED_S_KEPT);
  }

  /** Removes what is before `time`; of pictures, before a key frame. Answers whether that is anything. */
  #remove(time: number): boolean {
    if (this.#track.kind === 'video') {
      const at = this.#keys.filter((key) => key <= time).length - 1;
      const key = this.#keys[at] ?? 0;
      this.#keys = this.#keys.slice(Math.max(at, 0));
      time = key - KEY_EDGE_S;
    }
    const { buffered } = this.#buffer;
    if (buffered.length === 0 || time <= buffered.start(0)) return false;
    this.#removeTo = time;
    this.#next();
    return true;
  }

  close(): void {
    this.#isClosed = true;
    this.#queue = [];
    this.#buffer.onupdateend = null;
    this.#buffer.onerror = null;
  }

  #next(): void {
    if (this.#isClosed || this.#buffer.updating) return;
    try {
      if (this.#removeTo !== null) {
        const to = this.#removeTo;
        this.#removeTo = null;
        this.#buffer.remove(0, to);
        return;
      }
      const segment = this.#queue[0];
      if (segment === undefined) this.#events.idle();
      else this.#append(segment);
    } catch (error) {
      this.#events.failed(wordsOf(error));
    }
  }

  #append({ track, key, data }: Segment): void {
    if (track !== null && mimeType(track) !== mimeType(this.#track)) {
      this.#buffer.changeType(mimeType(track));
      this.#track = track;
    }
    try {
      this.#buffer.appendBuffer(data);
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'QuotaExceededError') throw error;
      this.#makeRoom();
      return;
    }
    this.#queue.shift();
    this.#waitingBytes -= data.length;
    if (key !== null) this.#keys.push(key / 1000);
  }

  /** What was played goes at once; where that is nothing, what should have come goes. */
  #makeRoom(): void {
    const { buffered } = this.#buffer;
    const currentTime = this.#events.currentTime();
    const played = buffered.length > 0 ? currentTime - buffered.start(0) : 0;
    if (played < QUOTA_S_MIN || !this.#remove(currentTime - QUOTA_S_MIN / 2)) this.#overflow();
  }

  #overflow(): void {
    this.#queue = [];
    this.#waitingBytes = 0;
    this.#isGated = true;
    this.#events.overflowed();
  }
}

function sourceClass(): typeof MediaSource | null {
  // Safari on a phone has only the managed one.
  const all = globalThis as { MediaSource?: typeof MediaSource; ManagedMediaSource?: typeof MediaSource };
  return all.ManagedMediaSource ?? all.MediaSource ?? null;
}

/** What was played is let go when it is so long, and then so much of it is kept. */
const PLAYED_S_MAX = 20;
const PLAYED_S_KEPT = 5;
/** Where there is no room, this much of what was played is worth removing. */
const QUOTA_S_MIN = 1;
/** Before a key frame, and after the picture before it. */
const KEY_EDGE_S = 0.001;
/** A hole begins where so little is left: less than two pictures at 25 a second. */
const HOLE_EDGE_S = 0.05;
/** Two seconds at 64 Mbit/s: a browser that works takes everything in within milliseconds. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;
