/**
 * The pictures of RTC mode: decoded as they come, held until their moment, drawn onto a canvas.
 *
 * The decoder may hand pictures out in any order: they are held by their time. At most {@link HELD_MAX} are held, and
 * every one is closed: a decoder has few.
 */

import { wordsOf } from '../misbehaved';
import type { PictureFormat } from './formats';

/** Whom the pictures tell. */
export interface PictureEvents {
  /** The decoder has been started; `size` is what the configuration says. */
  started(): void;
  /** There is a picture to look at, or room for one to decode. */
  progress(): void;
  /** The decoder failed, and begins anew with the next key frame; `software` where it goes on without the hardware. */
  failed(message: string, software: boolean): void;
  /** The codec cannot be decoded here. */
  unsupported(message: string): void;
}

export interface CodedPicture {
  pts: number;
  key: boolean;
  data: Uint8Array;
  format: PictureFormat;
  /** The decoder is to begin anew. */
  start: boolean;
  ingest: number | null;
}

/** A picture and what is known of it. */
export interface Picture {
  frame: VideoFrame;
  pts: number;
  ingest: number | null;
}

export class Pictures {
  readonly #events: PictureEvents;
  #decoder: VideoDecoder | null = null;
  #format: PictureFormat | null = null;
  #software = false;
  #wantsKey = true;
  #isClosed = false;
  #failures: number[] = [];
  /** Of pictures within the decoder, by time. */
  readonly #inside = new Map<number, { show: boolean; ingest: number | null }>();
  /** Decoded, in the order of their times. */
  #held: Picture[] = [];

  constructor(events: PictureEvents) {
    this.#events = events;
  }

  /** Whether it takes another one now; of those that are not shown it takes many. */
  hasRoom(show: boolean): boolean {
    return this.#held.length < HELD_MAX && this.queue < (show ? QUEUE_MAX : CATCHUP_MAX);
  }

  /** Pictures that wait for the decoder. */
  get queue(): number {
    return this.#decoder?.decodeQueueSize ?? 0;
  }

  /** Pictures within the decoder. */
  get decoding(): number {
    return this.#inside.size;
  }

  get held(): number {
    return this.#held.length;
  }

  /** Times of the first and the last picture that is held. */
  get span(): number {
    return (this.#held.at(-1)?.pts ?? 0) - (this.#held[0]?.pts ?? 0);
  }

  /** Decodes a picture, to show it or not; answers whether it was taken. */
  decode(picture: CodedPicture, show: boolean, now: number): boolean {
    if (this.#isClosed) return false;
    if (picture.key) this.#wantsKey = false;
    if (this.#wantsKey) return false;
    const timestamp = Math.round(picture.pts * 1000);
    try {
      if (picture.key && (picture.format !== this.#format || this.#decoder === null || picture.start)) {
        this.#begin(picture.format);
      }
      this.#inside.set(timestamp, { show, ingest: picture.ingest });
      if (this.#inside.size > INSIDE_MAX) this.#forgetOldest();
      const type = picture.key ? 'key' : 'delta';
      this.#decoder?.decode(new EncodedVideoChunk({ type, timestamp, data: picture.data }));
    } catch (error) {
      this.#fail(error, now);
      return false;
    }
    return true;
  }

  /** The picture to show when the clock says `media`: the newest whose time has come. It is the caller's to close. */
  due(media: number): Picture | null {
    let next = -1;
    while ((this.#held[next + 1]?.pts ?? Number.POSITIVE_INFINITY) <= media) next += 1;
    if (next < 0) return null;
    for (const { frame } of this.#held.splice(0, next)) frame.close();
    return this.#held.shift() ?? null;
  }

  /** The first there is, whatever the clock says. */
  first(): Picture | null {
    return this.#held.shift() ?? null;
  }

  /** Lets go of all, and begins anew with the next key frame. */
  reset(): void {
    this.#dropHeld();
    this.#inside.clear();
    this.#wantsKey = true;
    if (this.#decoder?.state === 'configured') this.#decoder.reset();
    this.#format = null;
  }

  close(): void {
    this.#isClosed = true;
    this.#dropHeld();
    this.#inside.clear();
    this.#closeDecoder();
  }

  #begin(format: PictureFormat): void {
    const isNew = this.#decoder === null;
    this.#decoder ??= this.#makeDecoder();
    const { codec, description, width, height } = format;
    const how: VideoDecoderConfig = { codec, optimizeForLatency: true };
    if (description !== null) how.description = description;
    if (width > 0 && height > 0) Object.assign(how, { codedWidth: width, codedHeight: height });
    if (this.#software) how.hardwareAcceleration = 'prefer-software';
    this.#decoder.configure(how);
    this.#format = format;
    if (isNew) this.#events.started();
  }

  #makeDecoder(): VideoDecoder {
    const decoder: VideoDecoder = new VideoDecoder({
      output: (frame) => {
        if (decoder === this.#decoder) this.#take(frame);
        else frame.close();
      },
      error: (error) => {
        if (decoder === this.#decoder) this.#fail(error, performance.now());
      },
    });
    // There is room again.
    decoder.ondequeue = () => decoder === this.#decoder && this.#events.progress();
    return decoder;
  }

  #take(frame: VideoFrame): void {
    const known = this.#inside.get(frame.timestamp);
    this.#inside.delete(frame.timestamp);
    if (known?.show !== true || this.#isClosed) {
      frame.close();
      return;
    }
    const pts = frame.timestamp / 1000;
    let at = this.#held.length;
    while (at > 0 && (this.#held[at - 1]?.pts ?? 0) > pts) at -= 1;
    this.#held.splice(at, 0, { frame, pts, ingest: known.ingest });
    // Whoever shows them is away.
    if (this.#held.length > HELD_MAX + QUEUE_MAX) this.#held.shift()?.frame.close();
    this.#events.progress();
  }

  /** A decoder that fails is a thing of the hardware, at first; then of the stream. */
  #fail(error: unknown, now: number): void {
    const message = wordsOf(error);
    const isUnsupported = error instanceof DOMException && error.name === 'NotSupportedError';
    this.#closeDecoder();
    this.#inside.clear();
    this.#wantsKey = true;
    this.#failures = [...this.#failures.filter((at) => now - at < FAILURES_SPAN_MS), now];
    const isHopeless = this.#software && (isUnsupported || this.#failures.length > FAILURES_MAX);
    if (isHopeless) this.#events.unsupported(message);
    else this.#events.failed(message, !this.#software);
    this.#software = true;
  }

  /** A picture that went in and never came out, because it was damaged. */
  #forgetOldest(): void {
    const [oldest] = this.#inside.keys();
    if (oldest !== undefined) this.#inside.delete(oldest);
  }

  #dropHeld(): void {
    for (const { frame } of this.#held.splice(0)) frame.close();
  }

  #closeDecoder(): void {
    const decoder = this.#decoder;
    this.#decoder = null;
    this.#format = null;
    if (decoder && decoder.state !== 'closed') decoder.close();
  }
}

/** A canvas that pictures are drawn on, as large as they are. */
export class Screen {
  readonly element: HTMLCanvasElement;
  readonly #drawing: CanvasRenderingContext2D | null;

  constructor(document: Document) {
    this.element = document.createElement('canvas');
    this.element.width = 0;
    this.element.height = 0;
    // Nothing shines through, and there is nothing to wait for but the next picture.
    this.#drawing = this.element.getContext('2d', { alpha: false, desynchronized: true });
  }

  /** Draws a picture, and answers whether its size is another one than before. */
  draw(frame: VideoFrame): boolean {
    const { displayWidth: width, displayHeight: height } = frame;
    const isResized = this.element.width !== width || this.element.height !== height;
    if (isResized) Object.assign(this.element, { width, height });
    this.#drawing?.drawImage(frame, 0, 0, width, height);
    return isResized;
  }

  /** What is on it; rejects when there is nothing. */
  snapshot(): Promise<ImageBitmap> {
    if (this.element.width === 0)
      return Promise.reject(new DOMException('there is no picture yet', 'InvalidStateError'));
    return createImageBitmap(this.element);
  }
}

/** Pictures that are decoded and wait for their moment: decoders of hardware have some ten to give. */
const HELD_MAX = 8;
/** Pictures given to the decoder that it has not begun with. */
const QUEUE_MAX = 4;
/** The same, of those that are only there to catch up with: a GOP of a second. */
const CATCHUP_MAX = 32;
/** Pictures within the decoder: those it reorders, and those it never hands out. */
const INSIDE_MAX = 64;
/** After so many failures within so long, software too cannot do it. */
const FAILURES_MAX = 5;
const FAILURES_SPAN_MS = 10_000;
