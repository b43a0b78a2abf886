/**
 * What goes out over RTMP-UDP, in which order, and what is given up (`docs/ref/rtmp-udp.md`, sections 4, 5 and 8).
 * Pure: frames and times go in, streams to open and to reset come out.
 *
 * A page sees neither the congestion window nor when a packet goes out. It sees when the server has all of a stream;
 * so what is on its way is bounded here, that sound need not wait behind pictures within the browser, and the path
 * is known by how long streams take.
 */

import { avc, control, type Frame, media } from '@thalweg/player/wire';
import { isSame } from './uplink';

/** A stream to open. */
export interface Outgoing {
  id: number;
  /** The higher goes first. */
  sendOrder: number;
  /** Header and body; then the stream's end. */
  chunks: Uint8Array<ArrayBuffer>[];
}

export type Given = keyof typeof control.Reset;

interface Item {
  id: number;
  kind: Kind;
  worth: Worth;
  gop: number;
  entered: number;
  /** When it got its stream. */
  opened: number;
  deadline: number;
  bytes: number;
  /** Until it has a stream. */
  chunks: Uint8Array<ArrayBuffer>[] | null;
}

type Kind = control.Kind;
const Kind = control.Kind;

export class Outbox {
  readonly #tracks = new Map<Kind, Track>();
  /** Everything that the server does not yet have, oldest first. */
  readonly #items = new Map<number, Item>();
  readonly #resets: { id: number; code: number }[] = [];
  readonly #said: control.Message[] = [];
  #lastId = 0;
  #flying = 0;
  #rtt = INITIAL_RTT_MS;
  /** Of the last seconds, by the second: the least is the path without a queue. */
  #least: { at: number; ms: number }[] = [];
  #window: Window;
  /** What the server took lately, bytes a millisecond. */
  #rate = 0;
  #keyAt = Number.NEGATIVE_INFINITY;
  /** What was given up so far. */
  given = 0;

  constructor(now: number) {
    this.#window = new Window(now);
  }

  /** Frames that the server does not yet have: pictures, sound. */
  get waiting(): { video: number; audio: number } {
    let video = 0;
    for (const { kind } of this.#items.values()) video += Number(kind === Kind.Video);
    return { video, audio: this.#items.size - video };
  }

  /** Whether pictures are held back until the next key frame. */
  get isGated(): boolean {
    return this.#track(Kind.Video).isGated;
  }

  /** Pictures are held back, and the path has room again: the encoder should not wait for the end of its GOP. */
  isKeyDue(now: number): boolean {
    return this.isGated && this.#oldestPictureAge(now) < DUE_MS && now - this.#keyAt > KEY_EVERY_MS;
  }

  /** Takes a frame in. Configuration is said on the control stream when it is new. `body` is that of RTMP. */
  push(frame: Frame, body: Uint8Array<ArrayBuffer>, now: number): void {
    this.handleTimeout(now);
    const kind = KINDS[frame.kind];
    const track = this.#track(kind);
    if (frame.config) {
      this.#say(kind, track, frame, body);
      return;
    }
    track.seq += 1;
    const disposable = kind === Kind.Video && !frame.key && frame.codec === 'avc' && avc.isDisposable(frame.data);
    const afterDisposable = Math.min(track.disposables, 3);
    track.disposables = disposable ? track.disposables + 1 : 0;
    if (kind === Kind.Video && !this.#letsThrough(track, frame.key, now)) {
      this.given += 1;
      return;
    }
    const gop = kind === Kind.Video ? track.gop : 0;
    const start = (kind !== Kind.Video || frame.key) && !track.isWhole;
    if (start) track.isWhole = true;
    const { seq, cfg } = track;
    const key = kind === Kind.Video && frame.key;
    const flags = { key, disposable, start, catchup: false, afterDisposable };
    const header = { kind, ...flags, track: 0, cfg, seq, gop, timestamp: Math.round(frame.dts), ingest: null };
    this.#enter(kind, worthOf(kind, key, disposable), gop, [media.encodeHeader(header), body], now);
  }

  /** The server cannot go on without a key frame: its decoders begin anew with the next one. */
  handleKeyRequest(): void {
    this.#track(Kind.Video).isWhole = false;
  }

  /** The server has all of a stream. */
  handleDone(id: number, now: number): void {
    const item = this.#items.get(id);
    if (!item) return;
    this.#forget(item);
    const took = now - item.entered;
    this.#window.take(item, took);
    this.#rtt += (Math.min(now - item.opened, RTT_MS_MAX) - this.#rtt) / 8;
    const second = Math.floor(now / 1000);
    const last = this.#least.at(-1);
    if (last && last.at === second) last.ms = Math.min(last.ms, took);
    else this.#least.push({ at: second, ms: took });
    while ((this.#least[0]?.at ?? second) < second - LEAST_SPAN_S) this.#least.shift();
  }

  /** So long nobody here could take note of anything: what is on its way, or waits, is not later for it. */
  excuse(ms: number): void {
    for (const item of this.#items.values()) {
      item.entered += ms;
      item.opened += ms;
      item.deadline += ms;
    }
  }

  /** Lets go of what is too late (D1). */
  handleTimeout(now: number): void {
    for (const item of [...this.#items.values()]) if (item.deadline <= now) this.#giveUp(item, 'Late');
  }

  /** The best of what waits, for a stream that may be opened now. */
  next(now: number): Outgoing | null {
    this.handleTimeout(now);
    if (this.#flying >= this.#allowance()) return null;
    let best: Item | null = null;
    for (const item of this.#items.values()) {
      if (item.chunks && (best === null || LEVELS[item.worth] > LEVELS[best.worth])) best = item;
    }
    if (!best?.chunks) return null;
    const { id, chunks, worth } = best;
    best.chunks = null;
    best.opened = now;
    this.#flying += best.bytes;
    // By urgency, then by age: no two are equal.
    return { id, chunks, sendOrder: LEVELS[worth] * 2 ** AGE_BITS - (id % 2 ** AGE_BITS) };
  }

  /** Streams to reset. */
  takeResets(): { id: number; code: number }[] {
    return this.#resets.splice(0);
  }

  /** Messages for the control stream. */
  takeMessages(): control.Message[] {
    return this.#said.splice(0);
  }

  /** What the path was like since the last look. */
  look(now: number): { backlogMs: number; takenKbps: number; jitterMs: number } {
    const window = this.#window;
    this.#window = new Window(now);
    this.#rate = window.bytes / Math.max(1, now - window.since);
    const least = this.#leastMs();
    // If even the quickest picture took long, there is a queue; a key frame alone takes its time on any path.
    const took = window.leastPictureMs ?? this.#oldestPictureAge(now);
    const backlogMs = Math.max(0, took - (Number.isFinite(least) ? least : 0));
    return { backlogMs, takenKbps: Math.round(this.#rate * 8), jitterMs: Math.round(window.spreadMs) };
  }

  #say(kind: Kind, track: Track, frame: Frame, body: Uint8Array<ArrayBuffer>): void {
    if (track.config && isSame(track.config, body)) return;
    track.config = body;
    track.cfg = control.nextCfg(track.cfg);
    this.#said.push(control.config(kind, track.cfg, Math.round(frame.dts), body));
  }

  /** Whether a picture is sent: after a key frame, and while the path keeps up (D2, D3). */
  #letsThrough(track: Track, key: boolean, now: number): boolean {
    if (key) {
      this.#supersede(now);
      this.#keyAt = now;
      track.gop = track.seq;
      track.isGated = false;
      return true;
    }
    if (this.#oldestPictureAge(now) > this.#patience()) this.#gate();
    return track.gop > 0 && !track.isGated && track.seq - track.gop < media.GOP_FRAMES_MAX;
  }

  #enter(kind: Kind, worth: Worth, gop: number, chunks: Uint8Array<ArrayBuffer>[], now: number): void {
    this.#lastId += 1;
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const deadline = now + worthMs(worth, this.#rtt);
    const id = this.#lastId;
    this.#items.set(id, { id, kind, worth, gop, entered: now, opened: now, deadline, bytes, chunks });
  }

  /** D2: of older GOPs, what is older than S is not worth repairing. */
  #supersede(now: number): void {
    const worthRepairing = Math.max(WORTH_REPAIRING_MS, 2 * this.#rtt);
    for (const item of [...this.#items.values()]) {
      if (item.kind === Kind.Video && now - item.entered > worthRepairing) this.#giveUp(item, 'Superseded');
    }
  }

  /** Gives a message up; and with a picture the rest of its GOP (D4). */
  #giveUp(item: Item, why: Given): void {
    this.#drop(item, why);
    if (item.kind !== Kind.Video || item.worth === 'disposable') return;
    for (const other of [...this.#items.values()]) {
      if (other.kind === Kind.Video && other.gop === item.gop && other.id > item.id) this.#drop(other, why);
    }
    const track = this.#track(Kind.Video);
    track.isWhole = false;
    if (track.gop === item.gop) this.#gate();
  }

  #drop(item: Item, why: Given): void {
    this.given += 1;
    if (!item.chunks) this.#resets.push({ id: item.id, code: control.Reset[why] });
    this.#forget(item);
  }

  #forget(item: Item): void {
    this.#items.delete(item.id);
    if (!item.chunks) this.#flying -= item.bytes;
  }

  #gate(): void {
    const track = this.#track(Kind.Video);
    track.isGated = true;
    track.isWhole = false;
  }

  /** What may be on its way: what the path took lately in a round trip without a queue, and a little more. */
  #allowance(): number {
    return Math.max(FLYING_BYTES_MIN, this.#rate * (Math.min(this.#rtt, this.#leastMs()) + QUEUE_MS));
  }

  #leastMs(): number {
    return this.#least.reduce((min, { ms }) => Math.min(min, ms), Number.POSITIVE_INFINITY);
  }

  #patience(): number {
    return Math.max(GATE_MS, 5 * this.#rtt);
  }

  #oldestPictureAge(now: number): number {
    for (const { kind, entered } of this.#items.values()) if (kind === Kind.Video) return now - entered;
    return 0;
  }

  #track(kind: Kind): Track {
    const track = this.#tracks.get(kind) ?? new Track();
    this.#tracks.set(kind, track);
    return track;
  }
}

class Track {
  /** Of the last frame that entered. */
  seq = 0;
  /** Of the last key frame; 0 before the first. */
  gop = 0;
  cfg = 0;
  config: Uint8Array | null = null;
  /** Disposable pictures right before the next one. */
  disposables = 0;
  isGated = false;
  /** Nothing was left out since the decoder began. */
  isWhole = false;
}

/** What the server took since a moment. */
class Window {
  bytes = 0;
  leastPictureMs: number | null = null;
  #most = 0;

  constructor(readonly since: number) {}

  take({ bytes, kind }: Item, tookMs: number): void {
    this.bytes += bytes;
    this.#most = Math.max(this.#most, tookMs);
    if (kind === Kind.Video) this.leastPictureMs = Math.min(this.leastPictureMs ?? tookMs, tookMs);
  }

  get spreadMs(): number {
    return this.leastPictureMs === null ? 0 : this.#most - this.leastPictureMs;
  }
}

type Worth = keyof typeof LEVELS;

function worthOf(kind: Kind, key: boolean, disposable: boolean): Worth {
  if (kind === Kind.Audio) return 'audio';
  if (kind === Kind.Data) return 'data';
  return key ? 'key' : disposable ? 'disposable' : 'delta';
}

/** D1: how long it is worth sending, ms. */
function worthMs(worth: Worth, rtt: number): number {
  switch (worth) {
    case 'audio':
      return 400;
    case 'disposable':
      return 250;
    case 'delta':
    case 'data':
      return Math.max(800, 8 * rtt);
    case 'key':
      return Math.max(1500, 12 * rtt);
  }
}

/** How urgent each is. */
const LEVELS = { audio: 5, key: 4, data: 3, delta: 2, disposable: 1 } as const;
const KINDS = { video: Kind.Video, audio: Kind.Audio, data: Kind.Data } as const;
/** Of a send order: the age. */
const AGE_BITS = 40;
/** Of the path before anything is known of it. */
const INITIAL_RTT_MS = 100;
/** A stream that took longer than this waited for something else. */
const RTT_MS_MAX = 1000;
const LEAST_SPAN_S = 10;
/** G: how old the oldest picture may be before no more are sent. */
const GATE_MS = 450;
const WORTH_REPAIRING_MS = 150;
/** Pictures on their way are no older: a new key frame gets through. */
const DUE_MS = 150;
/** Key frames are what a narrow path can bear least of. */
const KEY_EVERY_MS = 500;
/** A key frame of 360x640; 0.3 s of the narrowest path that pictures are worth it on, 400 kbit/s. */
const FLYING_BYTES_MIN = 16 << 10;
/** Beside a round trip: acknowledgements come up to 25 ms late, and this page has other things to do. */
const QUEUE_MS = 100;
