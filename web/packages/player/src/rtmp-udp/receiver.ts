/**
 * The receiver of media: what came, in the order in which it can be decoded (`docs/ref/rtmp-udp.md`, section 4).
 *
 * Every message has a stream of its own, so they come in any order. Here they are put back into that of their
 * numbers, kind by kind and track by track. A hole is waited for as long as the caller has patience; then what
 * depends on it is given up: sound and data go on without it, pictures with the next key frame that is whole. Until
 * there is one they stand still; what was missing may still come, and then everything held is decoded at once.
 *
 * Times are ms of any clock that is not set.
 */

import { Misbehaved } from '../misbehaved';
import { isKind, Kind, type Message } from './control';
import { type Flags, GOP_FRAMES_MAX, type Header, NO_FLAGS } from './media';
import { Unwrapper } from './unwrap';

/** A frame whose turn has come. */
export interface Arrived {
  kind: Kind;
  track: number;
  /** A configuration: it comes right before the first frame that needs it. */
  config: boolean;
  /** What its header said. `start` is set as well where the receiver jumped. */
  flags: Flags;
  /** Its number; 0 for a configuration. */
  seq: number;
  /** Decoding time, ms, unwrapped; of a configuration 0. */
  dts: number;
  /** When the stream's server got it, ms since 1970 on its clock. */
  ingest: number | null;
  /** When the last of it came. */
  came: number;
  /** The body of the FLV tag. */
  body: Uint8Array;
}

/** What came and what did not. */
export interface Counts {
  /** The latest picture. */
  videoSeqMax: number;
  videoReceived: number;
  /** Pictures that did not come in time, or at all. */
  videoLost: number;
  /** Pictures that came and could not be decoded, because of one that did not. */
  videoUndecodable: number;
  audioReceived: number;
  audioLost: number;
  /** Times that pictures stood still until a key frame. */
  jumps: number;
  /** Bytes of bodies. */
  bytes: number;
}

interface Whole {
  seq: number;
  header: Header;
  body: Uint8Array;
  came: number;
}

/** Its sender has given it up. */
interface Gone {
  seq: number;
  header: null;
  disposable: boolean;
}

export class Receiver {
  readonly #conceal: boolean;
  readonly #heldBytesMax: number;
  readonly #lanes = new Map<number, Lane>();
  readonly #clock = new Unwrapper();
  #patience = PATIENCE_AT_FIRST_MS;
  #ready: Arrived[] = [];
  readonly #counts: Counts = {
    videoSeqMax: 0,
    videoReceived: 0,
    videoLost: 0,
    videoUndecodable: 0,
    audioReceived: 0,
    audioLost: 0,
    jumps: 0,
    bytes: 0,
  };

  /** With `conceal`, pictures that refer to missing ones are decoded all the same. */
  constructor(conceal: boolean, bodyBytesMax: number) {
    this.#conceal = conceal;
    this.#heldBytesMax = Math.max(HELD_BYTES_MIN, 2 * bodyBytesMax);
  }

  get counts(): Readonly<Counts> {
    return this.#counts;
  }

  /** Bytes that wait for what comes before them. */
  get heldBytes(): number {
    return [...this.#lanes.values()].reduce((sum, lane) => sum + lane.heldBytes, 0);
  }

  /** Whether pictures stand still for want of a key frame. */
  get wantsKey(): boolean {
    return [...this.#lanes.values()].some((lane) => lane.kind === Kind.Video && lane.gop === null && lane.done > 0);
  }

  /** The next frame whose turn has come. */
  pollFrame(): Arrived | null {
    return this.#ready.shift() ?? null;
  }

  /** When {@link handleTimeout} is to be called next. */
  pollTimeout(): number | null {
    let next: number | null = null;
    for (const { lookAt } of this.#lanes.values()) if (lookAt !== null) next = Math.min(next ?? lookAt, lookAt);
    return next;
  }

  /** How long holes are waited for from now on. */
  handlePatience(patience: number): void {
    this.#patience = patience;
  }

  /** Takes a configuration of the control stream. */
  handleConfig(message: Message, now: number): void {
    const kind = message.type;
    if (!isKind(kind)) throw new Misbehaved('a configuration of no kind of media');
    const lane = this.#lane(kind, message.track);
    lane.knownCfg = message.cfg;
    const frame = { kind, track: message.track, config: true, flags: NO_FLAGS, seq: 0, dts: 0, ingest: null };
    const arrived = { ...frame, came: now, body: message.body };
    if (kind === Kind.Data) {
      this.#ready.push(arrived);
      return;
    }
    if (lane.configs.length >= CONFIGS_MAX) throw new Misbehaved('too many configurations that nothing needs');
    lane.configs.push({ cfg: message.cfg, arrived });
    this.#advance(lane, now);
  }

  /** Takes a message of media. One that came before, or too late, is ignored. */
  handleMedia(header: Header, body: Uint8Array, now: number): void {
    const lane = this.#lane(header.kind, header.track);
    const seq = lane.unwrap(header.seq);
    if (seq === null || !lane.hold({ seq, header, body, came: now })) return;
    this.#counts.bytes += body.length;
    if (header.kind === Kind.Audio) this.#counts.audioReceived += 1;
    if (header.kind === Kind.Video) {
      this.#counts.videoReceived += 1;
      const isNewer = ((header.seq - this.#counts.videoSeqMax) | 0) > 0;
      if (isNewer) this.#counts.videoSeqMax = header.seq;
    }
    this.#advance(lane, now);
    this.#keepBounds(lane, now);
  }

  /** The sender has reset a message's stream after its header came: it is not waited for. */
  handleReset(header: Header, now: number): void {
    const lane = this.#lane(header.kind, header.track);
    const seq = lane.unwrap(header.seq);
    if (seq === null) return;
    lane.hold({ seq, header: null, disposable: header.disposable });
    this.#advance(lane, now);
    this.#keepBounds(lane, now);
  }

  /** Gives up what has been waited for long enough. */
  handleTimeout(now: number): void {
    for (const lane of this.#lanes.values()) this.#advance(lane, now);
  }

  #lane(kind: Kind, track: number): Lane {
    const key = kind * 256 + track;
    const lane = this.#lanes.get(key);
    if (lane) return lane;
    if (this.#lanes.size >= TRACKS_MAX) throw new Misbehaved('too many tracks');
    const made = new Lane(kind);
    this.#lanes.set(key, made);
    return made;
  }

  /** Hands out what can be, and gives up what has been waited for long enough. */
  #advance(lane: Lane, now: number): void {
    for (;;) {
      this.#handOut(lane);
      lane.lookAt = null;
      if (lane.held.length === 0) {
        lane.stuckSince = null;
        return;
      }
      if (this.#passGone(lane)) continue;
      const configCame = lane.waitsForConfig();
      // A hole is there since what comes after it came, not since its turn has come.
      if (configCame === null) lane.stuckSince ??= lane.firstWhole()?.came ?? now;
      const since = configCame ?? lane.stuckSince ?? now;
      const waited = now - since;
      if (!this.#giveUp(lane, waited)) {
        const next = Math.min(...[this.#patience, CONFIG_WAIT_MS, HOLD_MAX_MS].filter((wait) => wait > waited));
        lane.lookAt = Number.isFinite(next) ? since + next : null;
        return;
      }
      lane.stuckSince = null;
    }
  }

  /** Hands out everything up to the first hole. */
  #handOut(lane: Lane): void {
    for (;;) {
      const next = lane.next();
      if (!next?.header || isAhead(next.header.cfg, lane.knownCfg)) return;
      lane.takeNext();
      const { header, body, came } = next;
      if (lane.kind === Kind.Video && !lane.decodes(header)) {
        this.#counts.videoUndecodable += 1;
        continue;
      }
      // Those that are no longer needed too: whoever keeps them has all.
      while (lane.configs[0] && !isAhead(lane.configs[0].cfg, header.cfg)) {
        this.#ready.push(lane.configs[0].arrived);
        lane.configs.shift();
      }
      const { kind, track, key, disposable, start, catchup, afterDisposable, ingest } = header;
      const flags = { key, disposable, start, catchup, afterDisposable };
      const dts = this.#clock.unwrap(header.timestamp);
      this.#ready.push({ kind, track, config: false, flags, seq: header.seq, dts, ingest, came, body });
    }
  }

  /** Passes over what its sender has given up, and over nothing else: what is missing behind it may still come. */
  #passGone(lane: Lane): boolean {
    const next = lane.next();
    if (!next || next.header) return false;
    if (lane.kind === Kind.Video && !next.disposable) {
      const key = lane.nextKey(() => true);
      if (key) {
        this.#jump(lane, key);
        return true;
      }
      if (!this.#conceal) lane.gop = null;
    }
    this.#countLost(lane.kind, 1);
    lane.takeNext();
    return true;
  }

  /** Gives up a hole, or what stands behind it; answers whether anything changed. */
  #giveUp(lane: Lane, waited: number): boolean {
    if (lane.waitsForConfig() !== null) return waited >= CONFIG_WAIT_MS && this.#dropNext(lane);
    const isOver = waited >= this.#patience;
    if (lane.kind !== Kind.Video || (isOver && lane.holeIsDisposable())) return isOver && this.#skipHole(lane);
    // A key frame that begins anew says that what is missing before it was given up.
    const key = lane.nextKey((flags) => isOver || flags.start);
    if (key) {
      this.#jump(lane, key);
      return true;
    }
    const conceals = this.#conceal && lane.holeIsInGop();
    if (!isOver || !(conceals || waited >= HOLD_MAX_MS)) return false;
    if (!conceals) lane.gop = null;
    return this.#skipHole(lane);
  }

  /** Goes on behind the hole. */
  #skipHole(lane: Lane): boolean {
    // With nothing but what was given up, what comes next is not missing it.
    const next = lane.firstWhole()?.seq ?? (lane.held.at(-1)?.seq ?? lane.done) + 1;
    this.#countLost(lane.kind, next - lane.done - 1);
    lane.dropBefore(next);
    return true;
  }

  #dropNext(lane: Lane): boolean {
    this.#countLost(lane.kind, 1);
    lane.gop = null;
    lane.takeNext();
    return true;
  }

  /** Goes on with a key frame, whatever is missing before it. */
  #jump(lane: Lane, key: Whole): void {
    const between = key.seq - lane.done - 1;
    const whole = lane.dropBefore(key.seq);
    this.#counts.videoUndecodable += whole;
    this.#countLost(Kind.Video, between - whole);
    this.#counts.jumps += 1;
    key.header = { ...key.header, start: true };
  }

  #countLost(kind: Kind, frames: number): void {
    if (kind === Kind.Video) this.#counts.videoLost += frames;
    if (kind === Kind.Audio) this.#counts.audioLost += frames;
  }

  /** A peer that leaves holes on purpose makes us keep so much, and no more. */
  #keepBounds(lane: Lane, now: number): void {
    while (lane.heldBytes > this.#heldBytesMax || lane.held.length > HELD_FRAMES_MAX) {
      lane.gop = null;
      this.#skipHole(lane);
      this.#handOut(lane);
      if (lane.waitsForConfig() !== null) this.#dropNext(lane);
    }
    this.#advance(lane, now);
  }
}

/** One kind and track. */
class Lane {
  readonly kind: Kind;
  /** The number whose turn it is, unwrapped, less one. */
  done = 0;
  /** In the order of their numbers. */
  held: (Whole | Gone)[] = [];
  heldBytes = 0;
  /** Since when a hole is waited for. */
  stuckSince: number | null = null;
  /** When that is looked at again. */
  lookAt: number | null = null;
  /** Number of the key frame that the decoder goes by; `null` while it waits for one. */
  gop: number | null = null;
  /** Generation of the configuration that came last. */
  knownCfg = 0;
  /** Configurations that came before the media that needs them. */
  readonly configs: { cfg: number; arrived: Arrived }[] = [];

  constructor(kind: Kind) {
    this.kind = kind;
  }

  /** The full number that the low 32 bits of one mean; `null` for one whose turn is over. */
  unwrap(seq: number): number | null {
    const next = this.done + 1;
    const distance = (seq - next) | 0;
    if (distance > AHEAD_MAX) throw new Misbehaved('a number of media is too far ahead');
    return distance >= 0 ? next + distance : null;
  }

  /** Keeps a message in its place; answers whether it is new. What came whole is not forgotten for a reset. */
  hold(message: Whole | Gone): boolean {
    let at = this.held.length;
    while (at > 0 && (this.held[at - 1]?.seq ?? 0) >= message.seq) at -= 1;
    const there = this.held[at];
    const isThere = there?.seq === message.seq;
    if (isThere && (there?.header || !message.header)) return false;
    this.held.splice(at, isThere ? 1 : 0, message);
    if (message.header) this.heldBytes += message.body.length;
    return true;
  }

  /** What has come under the number whose turn it is. */
  next(): Whole | Gone | null {
    const first = this.held[0];
    return first?.seq === this.done + 1 ? first : null;
  }

  takeNext(): void {
    this.dropBefore(this.done + 2);
    this.stuckSince = null;
  }

  /** Lets go of all before `seq`, whose turn it is then; answers how many of them had come whole. */
  dropBefore(seq: number): number {
    let count = 0;
    let whole = 0;
    for (const message of this.held) {
      if (message.seq >= seq) break;
      count += 1;
      if (!message.header) continue;
      whole += 1;
      this.heldBytes -= message.body.length;
    }
    this.held.splice(0, count);
    this.done = seq - 1;
    return whole;
  }

  /** Since when the message whose turn it is has been there without its configuration. */
  waitsForConfig(): number | null {
    const next = this.next();
    return next?.header && isAhead(next.header.cfg, this.knownCfg) ? next.came : null;
  }

  firstWhole(): Whole | null {
    return this.held.find(isWhole) ?? null;
  }

  /** The next key frame that is whole, if `accepts` takes it. */
  nextKey(accepts: (flags: Flags) => boolean): Whole | null {
    const isKey = (message: Whole | Gone): message is Whole => !!message.header?.key && accepts(message.header);
    return this.held.find(isKey) ?? null;
  }

  /** Whether nobody will miss what is missing: the first picture after the hole says so. */
  holeIsDisposable(): boolean {
    const after = this.firstWhole();
    return after !== null && this.gop !== null && after.seq - this.done - 1 <= after.header.afterDisposable;
  }

  /** Whether the key frame of the first picture after the hole is there. If it is what is missing, nothing hides it. */
  holeIsInGop(): boolean {
    return this.gop !== null && this.firstWhole()?.header.gop === this.gop >>> 0;
  }

  /**
   * Whether the decoder has everything that this picture needs; a key frame begins a GOP. Its turn has come: the
   * numbers of the GOP so far are done.
   */
  decodes(header: Header): boolean {
    if (header.key) this.gop = this.done;
    // The key frame of another GOP never came.
    if (this.gop !== null && this.gop >>> 0 !== header.gop) this.gop = null;
    return this.gop !== null;
  }
}

function isWhole(message: Whole | Gone): message is Whole {
  return message.header !== null;
}

/**
 * Whether a receiver that was told generation `known` last still waits for `needed`. The nearest reading wins: up to
 * half the circle ahead is to come, the rest has been.
 */
export function isAhead(needed: number, known: number): boolean {
  if (needed === 0 || needed === known) return false;
  return (needed + 255 - known) % 255 < 128;
}

/** Before a caller knows better: three round trips of 50 ms. */
const PATIENCE_AT_FIRST_MS = 150;
/** A picture that has stood still for so long is not brought back by what comes now. */
const HOLD_MAX_MS = 2000;
/** Media overtakes the control stream by a repair or two. */
const CONFIG_WAIT_MS = 500;
/**
 * How far ahead of its turn a message may be: pictures that are held back up to the next key frame are counted, so as
 * far as a GOP is long.
 */
const AHEAD_MAX = GOP_FRAMES_MAX;
/** Messages of a lane that wait for one before them: half a minute at 120 a second. */
const HELD_FRAMES_MAX = 4096;
/** Their bytes: 2 s at 32 Mbit/s. Two of the longest messages, where those are longer. */
const HELD_BYTES_MIN = 8 << 20;
/** Configurations that wait for their media. */
const CONFIGS_MAX = 32;
/** Kinds and tracks of one stream. */
const TRACKS_MAX = 16;
