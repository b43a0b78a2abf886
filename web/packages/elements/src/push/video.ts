/** Coding pictures as H.264: for now, without B-frames, key frames when they are due or wanted. */

import type { Frame } from '@thalweg/player/wire';
import { MESSAGE_BYTES_MAX, withMessages } from './sei';
import { wordsOf } from './words';

export interface VideoSettings {
  width: number;
  height: number;
  kbps: number;
  fps: number;
  gopMs: number;
}

/** Whom an encoder tells. */
export interface VideoListener {
  frame(frame: Frame): void;
  /** 1008 when the first picture is coded; 1103, 1104 when it had to begin anew; -1303 when it gives up. */
  state(code: number, message: string): void;
}

export class VideoCoder {
  readonly #listener: VideoListener;
  #encoder: VideoEncoder | null = null;
  #settings: VideoSettings | null = null;
  #software = false;
  #constant = true;
  #started = false;
  #isOver = false;
  #keyWanted = true;
  #lastKeyAt = Number.NEGATIVE_INFINITY;
  #config: Uint8Array | null = null;
  #messages: Uint8Array[] = [];
  readonly #debt = new Debt();
  #failures: number[] = [];

  constructor(listener: VideoListener) {
    this.#listener = listener;
  }

  /** Sets up, or changes, what is coded. Another size begins with a key frame. */
  set(settings: VideoSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    if (!this.#encoder || this.#isOver) return;
    const isSame = before && before.width === settings.width && before.height === settings.height;
    if (!isSame) this.#keyWanted = true;
    this.#configure(this.#encoder);
  }

  /** The next picture is a key frame. */
  wantKey(): void {
    this.#keyWanted = true;
  }

  get isKeyWanted(): boolean {
    return this.#keyWanted;
  }

  /** Whether a picture at this moment, ms, would only be late: the encoder is behind, or was told to make fewer bits. */
  isBusy(at: number): boolean {
    if ((this.#encoder?.encodeQueueSize ?? 0) > QUEUE_MAX) return true;
    return !this.#keyWanted && this.#debt.isTooMuch(at, this.#settings?.kbps ?? 0);
  }

  /** Puts a message into the next picture. Answers whether there was room. */
  sendMessage(text: string): boolean {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > MESSAGE_BYTES_MAX || this.#messages.length >= MESSAGES_MAX) return false;
    this.#messages.push(bytes);
    return true;
  }

  /** Codes a picture, which is closed. */
  encode(picture: VideoFrame): void {
    try {
      if (this.#isOver || !this.#settings) return;
      this.#encoder ??= this.#make();
      const at = picture.timestamp / 1000;
      const keyFrame = this.#keyWanted || at - this.#lastKeyAt >= this.#settings.gopMs - KEY_SLACK_MS;
      if (keyFrame) [this.#keyWanted, this.#lastKeyAt] = [false, at];
      this.#encoder.encode(picture, { keyFrame });
    } catch (error) {
      this.#failed(error);
    } finally {
      picture.close();
    }
  }

  close(): void {
    this.#isOver = true;
    this.#drop();
  }

  #make(): VideoEncoder {
    const encoder = new VideoEncoder({
      output: (chunk, metadata) => this.#coded(chunk, metadata),
      error: (error) => {
        if (this.#encoder === encoder) this.#failed(error);
      },
    });
    this.#configure(encoder);
    this.#keyWanted = true;
    return encoder;
  }

  #configure(encoder: VideoEncoder): void {
    const { width, height, kbps, fps } = this.#settings!;
    encoder.configure({
      codec: codecOf(width, height, fps),
      width,
      height,
      bitrate: kbps * 1000,
      framerate: fps,
      latencyMode: 'realtime',
      bitrateMode: this.#constant ? 'constant' : 'variable',
      hardwareAcceleration: this.#software ? 'prefer-software' : 'no-preference',
      // As RTMP has it: lengths before NAL units, avcC beside them.
      avc: { format: 'avc' },
    });
  }

  #coded(chunk: EncodedVideoChunk, metadata: EncodedVideoChunkMetadata | undefined): void {
    if (this.#isOver) return;
    const dts = chunk.timestamp / 1000;
    const description = metadata?.decoderConfig?.description;
    if (description) this.#config = bytesOf(description);
    if (!this.#started) {
      this.#started = true;
      this.#listener.state(1008, 'encoder started');
    }
    const key = chunk.type === 'key';
    this.#debt.add(dts, chunk.byteLength, this.#settings?.kbps ?? 0);
    const common = { kind: 'video', codec: 'avc', dts, cts: 0 } as const;
    // Said again before each key frame: whoever carries it says it once.
    if (key && this.#config) this.#listener.frame({ ...common, config: true, key: false, data: this.#config });
    let data = new Uint8Array(chunk.byteLength);
    chunk.copyTo(data);
    const messages = this.#messages.splice(0);
    if (messages.length > 0) data = withMessages(data, messages);
    this.#listener.frame({ ...common, config: false, key, data });
  }

  /** Hardware that fails is not tried again; software that does begins anew, but not for ever. */
  #failed(error: unknown): void {
    this.#drop();
    if (this.#isOver) return;
    const words = wordsOf(error);
    const now = performance.now();
    this.#failures = [...this.#failures.filter((at) => now - at < FAILURES_SPAN_MS), now];
    if (this.#failures.length > FAILURES_MAX) {
      this.#isOver = true;
      this.#listener.state(-1303, `pictures cannot be coded: ${words}`);
    } else if (this.#constant) {
      // Not every encoder keeps to a constant rate; nobody need hear of it.
      this.#constant = false;
    } else if (!this.#software) {
      this.#software = true;
      this.#listener.state(1103, `the hardware's encoder failed, software codes: ${words}`);
    } else {
      this.#listener.state(1104, `the encoder failed and begins anew: ${words}`);
    }
  }

  #drop(): void {
    const encoder = this.#encoder;
    this.#encoder = null;
    if (encoder && encoder.state !== 'closed') encoder.close();
  }
}

/**
 * What was coded beyond the rate. Some pictures cannot be coded with as few bits as an encoder is told: then there have
 * to be fewer of them, or they pile up behind a narrow path. Pure.
 */
export class Debt {
  #bits = 0;
  #at = 0;

  /** So many bytes were coded of the picture of this moment, ms. */
  add(at: number, bytes: number, kbps: number): void {
    this.#pay(at, kbps);
    this.#bits += 8 * bytes;
  }

  /** Whether another picture had better not be coded. */
  isTooMuch(at: number, kbps: number): boolean {
    this.#pay(at, kbps);
    return this.#bits > kbps * DEBT_MS_MAX;
  }

  #pay(at: number, kbps: number): void {
    this.#bits = Math.max(0, this.#bits - kbps * Math.max(0, at - this.#at));
    this.#at = Math.max(this.#at, at);
  }
}

/** Whether this browser codes H.264 at all. */
export async function canCode(width: number, height: number, fps: number): Promise<boolean> {
  if (typeof VideoEncoder === 'undefined') return false;
  const config = { codec: codecOf(width, height, fps), width, height, framerate: fps };
  const answer = await VideoEncoder.isConfigSupported(config).catch(() => null);
  return answer?.supported === true;
}

/**
 * Constrained baseline, of the lowest level that holds the picture (ITU-T H.264 table A-1): it has no B-frames by
 * definition, and every decoder has it.
 */
export function codecOf(width: number, height: number, fps: number): string {
  const macroblocks = Math.ceil(width / 16) * Math.ceil(height / 16);
  const found = LEVELS.find(([, size, rate]) => macroblocks <= size && macroblocks * fps <= rate) ?? LEVELS.at(-1)!;
  return `avc1.42e0${found[0].toString(16).padStart(2, '0')}`;
}

function bytesOf(source: AllowSharedBufferSource): Uint8Array {
  const view = ArrayBuffer.isView(source) ? source : new Uint8Array(source);
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}

/** Level, macroblocks of a picture, macroblocks of a second. */
const LEVELS: readonly (readonly [level: number, size: number, rate: number])[] = [
  [30, 1620, 40_500],
  [31, 3600, 108_000],
  [32, 5120, 216_000],
  [40, 8192, 245_760],
  [42, 8704, 522_240],
  [51, 36_864, 983_040],
];
/** Pictures within the encoder: more is a processor that does not keep up. */
const QUEUE_MAX = 2;
/** Half a picture at 30 a second: which of two is nearer to the GOP's end. */
const KEY_SLACK_MS = 16;
/** A key frame has the bits of several pictures: half a second's is none too many. */
const DEBT_MS_MAX = 700;
const MESSAGES_MAX = 16;
const FAILURES_MAX = 4;
const FAILURES_SPAN_MS = 10_000;
