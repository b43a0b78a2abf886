/**
 * When a picture is shown: the jitter buffer of RTC mode (`docs/ref/rtmp-udp.md`, section 7).
 *
 * Media has a clock of its own, which runs a little behind the live edge: by the *target*, which is as long as frames
 * are late of late, and no longer. Where there is sound, what is heard is that clock, and the rate chosen here is that
 * at which the sound is played; without sound it runs by itself. When it is too far behind it runs faster, and when
 * the buffer runs dry it runs slower; only far behind does it leap.
 *
 * Nothing here reads a clock or decodes: coded pictures and the time go in, and pictures to decode come out. Times are
 * ms; `now` is that of any clock that is not set.
 */

/** A coded picture. */
export interface Coded {
  dts: number;
  /** When it is shown: `dts` and the composition offset. */
  pts: number;
  key: boolean;
  /** To be decoded, not to be shown. */
  catchup: boolean;
  data: Uint8Array;
}

/** A picture to decode now, and whether it is to be shown. */
export interface Due<P> {
  picture: P;
  show: boolean;
}

/** How playing goes. */
export interface Stats {
  shown: number;
  /** Pictures that came after their moment, or only to catch up with: decoded, not shown. */
  late: number;
  /** Pictures passed over to come back to the live edge. */
  skipped: number;
  /** Times that a picture stood still for longer than {@link FREEZE_MS}. */
  freezes: number;
  /** Times that the buffer ran dry. */
  misses: number;
}

export class Playout<P extends Coded> {
  readonly stats: Stats = { shown: 0, late: 0, skipped: 0, freezes: 0, misses: 0 };
  #waiting: P[] = [];
  #waitingBytes = 0;
  /** Pictures were passed over, and what waits refers to them. */
  #wantsKey = false;
  readonly #arrivals = new Arrivals();
  readonly #target = new Target();
  /** A media time, and when it was that. */
  #clock: { media: number; at: number } | null = null;
  /** The latest decoding time of any frame. */
  #newest = Number.NEGATIVE_INFINITY;
  /** The first frame that is not only there to catch up with. */
  #first: number | null = null;
  #pictureAt = Number.NEGATIVE_INFINITY;
  #rate = 1;
  #leapTo: number | null = null;
  #interval = 40;
  #shown: { pts: number; at: number } | null = null;

  /** How far the clock is to be behind the live edge. */
  get target(): number {
    return this.#target.ms;
  }

  /** How unevenly frames come: by how much 95 of 100 are later than the earliest. */
  get lateness(): number {
    return this.#arrivals.lateness;
  }

  /** How fast the clock runs: 1 is as fast as time. */
  get rate(): number {
    return this.#rate;
  }

  /** How long a missing frame is worth waiting for: until its moment, and one picture more. */
  get patience(): number {
    return this.#target.ms + this.#interval;
  }

  /** Between two pictures, ms, smoothed. */
  get interval(): number {
    return this.#interval;
  }

  /** Whether pictures were passed over, and nothing can be decoded before a key frame. */
  get wantsKey(): boolean {
    return this.#wantsKey;
  }

  /** Pictures that wait to be decoded. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** The one that {@link take} hands out next. */
  get next(): P | null {
    return this.#waiting[0] ?? null;
  }

  /** From the first to the last of them, ms. */
  get span(): number {
    return (this.#waiting.at(-1)?.dts ?? 0) - (this.#waiting[0]?.dts ?? 0);
  }

  /** The latest decoding time of any frame. */
  get newest(): number | null {
    return Number.isFinite(this.#newest) ? this.#newest : null;
  }

  /** What the clock says; `null` before anything has come. */
  media(now: number): number | null {
    return this.#clock && this.#clock.media + (now - this.#clock.at) * this.#rate;
  }

  /** How far the clock is behind the live edge. */
  behind(now: number): number {
    const [edge, media] = [this.#arrivals.edge(now), this.media(now)];
    return edge === null || media === null ? 0 : Math.max(0, edge - media);
  }

  /** What sound needs to have ahead of what is heard: the way from here to the loudspeaker. */
  reserve(ms: number): void {
    this.#target.reserve = ms;
  }

  /** Learns from a frame of any kind how late frames come. */
  learn(dts: number, came: number, catchup: boolean): void {
    this.#newest = Math.max(this.#newest, dts);
    if (catchup) return;
    this.#first ??= dts;
    this.#arrivals.add(came, dts);
    this.#target.aim(this.#arrivals.lateness, came);
  }

  /** Takes a picture, in the order of decoding. */
  push(picture: P, came: number, now: number): void {
    this.learn(picture.dts, came, picture.catchup);
    this.#pictureAt = now;
    if (picture.key) this.#wantsKey = false;
    if (this.#wantsKey) {
      this.stats.skipped += 1;
      return;
    }
    this.#waiting.push(picture);
    this.#waitingBytes += picture.data.length;
    if (this.#isFull) this.#leap(now);
    if (!this.#isFull) return;
    // With nothing to leap to, all is passed over up to the next key frame.
    this.#skip(this.#waiting.length);
    this.#wantsKey = true;
  }

  /**
   * Moves the clock on to `now`, and chooses its rate. `heard` is the media time of what is heard now; `null` while
   * nothing is. The clock does not run past what there is: then everything stands still, and nothing becomes late.
   */
  run(now: number, heard: number | null): void {
    if (heard !== null) this.#clock = { media: heard, at: now };
    else if (this.#clock === null) {
      if (this.#first === null) return;
      this.#clock = { media: this.#first - this.#target.ms, at: now };
    } else this.#clock = { media: this.#clock.media + (now - this.#clock.at) * this.#rate, at: now };
    const end = this.#newest + this.#interval;
    if (this.#clock.media > end) {
      this.#clock.media = end;
      this.miss(now);
    }
    this.#steer(now);
  }

  /** The buffer, or that of the sound, has run dry. */
  miss(now: number): void {
    const media = this.media(now);
    const edge = this.#arrivals.edge(now);
    // Before it has filled to its target that is no wonder.
    if (media === null || edge === null || edge - media < this.#target.ms) return;
    if (this.#target.miss(now)) this.stats.misses += 1;
  }

  /**
   * Sound waits, and comes too late to join: the clock goes back to where the target wants it, which takes the sound's
   * way to the loudspeaker into account. Where it is there already, that is as if the buffer had run dry.
   */
  giveWay(now: number): void {
    const media = this.media(now);
    const edge = this.#arrivals.edge(now);
    if (media === null || edge === null) return;
    if (edge - media >= this.#target.ms) this.miss(now);
    else this.#clock = { media: edge - this.#target.ms, at: now };
  }

  /** Where the clock has leapt to since it was asked last: sound has to follow. */
  pollLeap(): number | null {
    const to = this.#leapTo;
    this.#leapTo = null;
    return to;
  }

  /** The next picture for the decoder. */
  take(now: number): Due<P> | null {
    const media = this.media(now);
    // A decoder that does not keep up, or was not asked for a while, is not given what nobody will see.
    const front = this.#waiting[0];
    if (front && media !== null && media - front.pts > SKIP_MS) this.trim();
    const picture = this.#waiting.shift();
    if (picture === undefined) return null;
    this.#waitingBytes -= picture.data.length;
    const isOvertaken = media !== null && this.#waiting.some((later) => !later.catchup && later.pts <= media);
    const show = !picture.catchup && !isOvertaken;
    if (!show) this.stats.late += 1;
    return { picture, show };
  }

  /** What waits and the newest key frame does not need is passed over: nobody is looking. */
  trim(): void {
    const key = this.#newestKey();
    if (key > 0) this.#skip(key);
  }

  /** A picture is on the screen. Answers how long the one before stood there; `null` for the first. */
  show(pts: number, now: number): number | null {
    this.stats.shown += 1;
    const before = this.#shown;
    this.#shown = { pts, at: now };
    if (before === null) return null;
    const step = pts - before.pts;
    if (step >= 1 && step <= INTERVAL_MAX_MS) this.#interval += (step - this.#interval) / 8;
    const still = now - before.at;
    if (still > Math.max(FREEZE_MS, 3 * this.#interval)) this.stats.freezes += 1;
    return still;
  }

  /** Begins anew with what comes next: after a pause, or a leap of the publisher's time. */
  reset(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#wantsKey = false;
    this.#arrivals.clear();
    this.#clock = null;
    this.#newest = Number.NEGATIVE_INFINITY;
    this.#first = null;
    this.#shown = null;
    this.#rate = 1;
    this.#leapTo = null;
  }

  /** Nobody is looking, or has been: that the picture stood still meanwhile is no freeze. */
  forgive(): void {
    this.#shown = null;
  }

  /** Chooses the rate by how far the clock is behind the live edge. */
  #steer(now: number): void {
    const edge = this.#arrivals.edge(now);
    if (edge === null || this.#clock === null) return;
    const behind = edge - this.#clock.media;
    const excess = behind - this.#target.ms;
    const faster = RATES.find(([over]) => excess > over)?.[1];
    // Once it runs faster it does so until it is where it should be.
    if (faster !== undefined) this.#rate = faster;
    else if (this.#rate > 1 && excess > 0) this.#rate = Math.min(this.#rate, RATE_FAST);
    else this.#rate = behind < this.#target.ms / 2 ? RATE_SLOW : 1;
    if (excess > LEAP_MS) this.#leap(now);
    // At first the clock is put where it should be: nobody has got used to anything yet.
    else if (excess > PLACE_MS && this.#arrivals.isNew(now)) this.#place(edge - this.#target.ms, now);
  }

  #place(media: number, now: number): void {
    this.#clock = { media, at: now };
    this.#rate = 1;
    this.#leapTo = media;
  }

  /** Goes on with the newest key frame that is here, or at the edge where there are no pictures, if that is ahead. */
  #leap(now: number): void {
    const key = this.#newestKey();
    const hasPictures = this.#waiting.length > 0 || now - this.#pictureAt < SPAN_MS;
    const to = hasPictures ? this.#waiting[key]?.dts : this.#newest - this.#target.ms;
    if (to === undefined || (this.#clock !== null && to <= this.#clock.media)) return;
    if (key > 0) this.#skip(key);
    this.#place(to, now);
  }

  #newestKey(): number {
    let at = this.#waiting.length - 1;
    while (at >= 0 && !this.#waiting[at]?.key) at -= 1;
    return at;
  }

  get #isFull(): boolean {
    return this.#waiting.length > WAITING_MAX || this.#waitingBytes > WAITING_BYTES_MAX;
  }

  #skip(count: number): void {
    for (const picture of this.#waiting.splice(0, count)) {
      this.#waitingBytes -= picture.data.length;
      if (!picture.catchup) this.stats.skipped += 1;
    }
  }
}

/** How far the clock is to be behind the live edge. */
class Target {
  ms = TARGET_MIN_MS;
  reserve = 0;
  #moved: number | null = null;
  #missed = Number.NEGATIVE_INFINITY;

  /** Grows at once to what frames need of late, and shrinks slowly. */
  aim(lateness: number, now: number): void {
    const wanted = clamp(lateness + TARGET_MORE_MS, TARGET_MIN_MS, TARGET_MAX_MS) + this.reserve;
    const shrunk = this.ms - (SHRINK_MS_PER_S * Math.max(0, now - (this.#moved ?? now))) / 1000;
    this.#moved = now;
    this.ms = Math.max(wanted, shrunk);
  }

  miss(now: number): boolean {
    if (now - this.#missed < MISS_PAUSE_MS) return false;
    this.#missed = now;
    this.ms = Math.min(this.ms + MISS_MS, TARGET_MAX_MS + this.reserve);
    return true;
  }
}

/** How late frames come, of late. */
class Arrivals {
  /** When each came, and how much later that is than its time says: of an arbitrary zero. */
  #recent: { came: number; late: number }[] = [];
  #began: number | null = null;
  #least: number | null = null;
  #lateness = 0;

  /** By how much 95 of 100 are later than the earliest, at most. */
  get lateness(): number {
    return this.#lateness;
  }

  add(came: number, dts: number): void {
    this.#began ??= came;
    const late = came - dts;
    this.#least = Math.min(this.#least ?? late, late);
    // At first it is the page that is late, which has decoders to start, and not the network.
    if (came - this.#began < SETTLE_MS) return;
    this.#recent.push({ came, late });
    const old = this.#recent.findIndex((arrival) => came - arrival.came <= SPAN_MS);
    this.#recent.splice(0, Math.max(old, this.#recent.length - ARRIVALS_MAX));
    const sorted = Float64Array.from(this.#recent, (arrival) => arrival.late).sort();
    const [least = late] = sorted;
    // What came at first counts until there is enough of the rest.
    this.#least = came - this.#began < SPAN_MS ? Math.min(least, this.#least) : least;
    this.#lateness = (sorted[Math.min(Math.floor(sorted.length * 0.95), sorted.length - 1)] ?? 0) - this.#least;
  }

  /** Whether it has only just begun. */
  isNew(now: number): boolean {
    return this.#began !== null && now - this.#began < SETTLE_MS;
  }

  /** The media time that would come just now, if nothing were late. */
  edge(now: number): number | null {
    return this.#least === null ? null : now - this.#least;
  }

  clear(): void {
    this.#recent = [];
    this.#began = null;
    this.#least = null;
    this.#lateness = 0;
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.max(min, Math.min(value, max));
}

/** A picture that stands still for longer is a freeze. */
export const FREEZE_MS = 200;
const TARGET_MIN_MS = 30;
const TARGET_MAX_MS = 250;
/** Above what 95 of 100 frames need. */
const TARGET_MORE_MS = 10;
const SHRINK_MS_PER_S = 5;
const MISS_MS = 20;
const MISS_PAUSE_MS = 500;
const RATE_FAST = 1.05;
const RATE_SLOW = 0.97;
/** More than so much behind the target, ms, and how fast that is made good. */
const RATES: readonly (readonly [number, number])[] = [
  [250, 1.2],
  [120, 1.1],
  [30, RATE_FAST],
];
/** More than this is not made good by running. */
const LEAP_MS = 600;
/** More than this is not made good by running either, at first. */
const PLACE_MS = 30;
/** Pictures that are later than this are not decoded, if a key frame behind them is there. */
const SKIP_MS = 250;
/** Lateness is that of the last 5 s. */
const SPAN_MS = 5000;
/** From the first frame on: until then it is the page that makes frames late, and the clock finds its place. */
const SETTLE_MS = 500;
/** The same in frames: 5 s at 120 pictures and 43 sounds a second. */
const ARRIVALS_MAX = 900;
/** 10 s at 100 pictures a second. */
const WAITING_MAX = 1024;
/** 10 s at 25 Mbit/s. */
const WAITING_BYTES_MAX = 32 << 20;
const INTERVAL_MAX_MS = 500;
