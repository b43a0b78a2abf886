/** A sink on the stage: what its element shows, and whether it still moves. */

import type { Kinds } from './lineup';
import { MseSink, type SinkEvents } from './sink/mse';
import type { Stage } from './stage';

export interface ShowingEvents extends SinkEvents {
  /** There is media, or the picture has another size. */
  changed(): void;
  /** The first picture is on the screen. */
  pictured(): void;
}

export class Showing {
  readonly sink: MseSink;
  readonly kinds: Kinds;
  readonly #stage: Stage;
  readonly #events: ShowingEvents;
  #callback: number | null = null;
  #movedAt: number | null = null;
  #movedTo = -1;
  isFailed = false;
  #isWaiting = false;

  constructor(stage: Stage, kinds: Kinds, muted: boolean, events: ShowingEvents) {
    this.#stage = stage;
    this.kinds = kinds;
    this.#events = events;
    this.sink = new MseSink(stage.document, kinds, events);
    const { video } = this.sink;
    video.muted = muted;
    for (const name of CHANGES) video.addEventListener(name, this.#onChange);
    video.addEventListener('waiting', this.#onWaiting);
    stage.prepare(video);
    if (kinds.video) this.#awaitPicture();
  }

  get video(): HTMLVideoElement {
    return this.sink.video;
  }

  /** Whether there is something to show or hear. */
  get hasMedia(): boolean {
    return this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
  }

  /** Whether the element waits for media that has not come. It does not say when that has come while it is paused. */
  get isDry(): boolean {
    this.#isWaiting &&= this.sink.ahead < DRY_S;
    return this.#isWaiting;
  }

  /** Pictures shown so far. */
  get shownPictures(): number {
    const { totalVideoFrames, droppedVideoFrames } = this.video.getVideoPlaybackQuality();
    return totalVideoFrames - droppedVideoFrames;
  }

  /**
   * Whether it has stood still for long though there is media. A hole is the usual reason, and is stepped over first.
   */
  isStuck(now: number, shouldMove: boolean): boolean {
    const { video } = this;
    const isMoving = video.currentTime !== this.#movedTo;
    const isExcused = !shouldMove || this.#stage.document.hidden || this.sink.ahead < STUCK_AHEAD_S;
    if (!this.hasMedia) this.sink.stepOverHole();
    if (isMoving || isExcused || this.#movedAt === null) {
      this.#movedAt = now;
      this.#movedTo = video.currentTime;
      return false;
    }
    const still = now - this.#movedAt;
    if (still > HOLE_MS && this.sink.stepOverHole()) return false;
    return still > STUCK_MS;
  }

  /** Puts it on the stage. Sound alone takes no picture away. */
  show(): void {
    if (this.kinds.video || this.#stage.shown === null) this.#stage.show(this.video);
  }

  /** Lets go of everything; with `keepPicture` the last one stays on the stage. */
  close(keepPicture: boolean): void {
    const { video } = this;
    for (const name of CHANGES) video.removeEventListener(name, this.#onChange);
    video.removeEventListener('waiting', this.#onWaiting);
    if (this.#callback !== null) video.cancelVideoFrameCallback(this.#callback);
    this.#callback = null;
    const still = keepPicture && this.#stage.shown === video ? stillOf(video) : null;
    if (still !== null) this.#stage.show(still);
    this.sink.close();
    this.#stage.dismiss(video);
  }

  readonly #onChange = () => {
    this.#isWaiting = false;
    this.#events.changed();
  };

  readonly #onWaiting = () => {
    this.#isWaiting = !this.video.seeking;
    this.#events.changed();
  };

  /** Asks for the first picture only: for each answer the page draws itself anew. */
  #awaitPicture(): void {
    const { video } = this;
    if (CAN_WATCH) {
      this.#callback = video.requestVideoFrameCallback(() => {
        this.#callback = null;
        this.#events.pictured();
      });
    } else {
      // Firefox learned it late.
      video.addEventListener('loadeddata', () => this.#events.pictured(), { once: true });
    }
  }
}

/** The picture of a video as a canvas, which holds no decoder; `null` where there is none. */
function stillOf(video: HTMLVideoElement): HTMLCanvasElement | null {
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || video.videoWidth === 0) return null;
  const canvas = video.ownerDocument.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext('2d');
  if (context === null) return null;
  context.drawImage(video, 0, 0);
  return canvas;
}

const CAN_WATCH = 'requestVideoFrameCallback' in (globalThis.HTMLVideoElement?.prototype ?? {});
/** Events after which a showing may be another one. */
const CHANGES = ['loadedmetadata', 'loadeddata', 'canplay', 'resize', 'playing', 'ended', 'seeked'] as const;
/** The element waits: with so little left it has run dry, with more it decodes. */
const DRY_S = 0.3;
/** Media that should be enough to move on. */
const STUCK_AHEAD_S = 0.5;
const HOLE_MS = 300;
/** A decoder that takes so long for the next picture will not come to it. */
const STUCK_MS = 4000;
