/**
 * What is pushed, before anybody knows where to: devices, filter, preview and encoders. Coded frames come out while
 * {@link Studio.code} says so.
 */

import type { Frame } from '@thalweg/player/wire';
import { RECOMMENDED } from './bitrate';
import { Booth } from './booth';
import { Capture } from './capture';
import { type Filter, filterOf, type Look, type Picture } from './filter';
import { readPictures } from './pictures';
import { boundsOf, type Settings } from './settings';
import { Timeline } from './timeline';
import { canCode, VideoCoder } from './video';
import { wordsOf } from './words';

/** Whom a studio tells. */
export interface StudioListener {
  /** 1003, 1004, 1007, 1008, 1103, 1104, 5000 and what is negative, as it happens. */
  state(code: number, message: string): void;
  /** A coded frame, while it codes. */
  frame(frame: Frame): void;
  /** The source has this shape: another one than before. */
  shape(shape: { width: number; height: number }): void;
  /** Loudness of what is pushed, 0 to 100, about five times a second. */
  volume(volume: number): void;
}

export class Studio {
  readonly #canvas: HTMLCanvasElement;
  readonly #listener: StudioListener;
  readonly #capture: Capture;
  /** What time is counted from. */
  readonly #began = performance.now();
  readonly booth: Booth;
  #settings: Settings;
  #size: { width: number; height: number };
  #kbps: number;
  #filter: Filter | null = null;
  #coder: VideoCoder | null = null;
  #stopReading: (() => void) | null = null;
  #pictures = new Timeline();
  #repeat: ReturnType<typeof setInterval> | null = null;
  #shape: { width: number; height: number } | null = null;
  #isCoding = false;
  #isProbing = false;
  #isOver = false;
  #hasPicture = false;
  #lastAt = Number.NEGATIVE_INFINITY;
  #dueAt = 0;
  /** When the last picture came, or its source was opened, or pictures could come again. */
  #cameAt = 0;
  /** When it was last looked whether the source stands still. */
  #lookedAt = 0;
  /** The processor of the track gave nothing. */
  #byElement = false;
  #zoom = 1;
  /** What is shown instead of the source: a picture, or black. */
  #waiting: ImageBitmap | 'black' | null = null;
  #hidden = false;
  #paused = false;
  /** Pictures that the encoder had no time for. */
  skipped = 0;

  constructor(canvas: HTMLCanvasElement, settings: Settings, kbps: number, listener: StudioListener) {
    this.#canvas = canvas;
    this.#listener = listener;
    this.#settings = settings;
    this.#size = boundsOf(settings, null);
    this.#kbps = kbps;
    this.booth = new Booth(this.#began, listener);
    this.#capture = new Capture({
      state: (code, message) => this.#listener.state(code, message),
      video: (track) => this.#onTrack(track),
      audio: (tracks) => this.booth.setTracks(tracks),
    });
  }

  /** Opens devices, and shows the preview. Answers when what can open is open. */
  async open(): Promise<void> {
    this.#filter = filterOf(this.#canvas);
    this.#repeat = setInterval(() => this.#repeatIfDue(), REPEAT_MS);
    document.addEventListener('visibilitychange', this.#onVisibility);
    document.addEventListener('freeze', this.#onFreeze);
    this.#hidden = document.hidden;
    await this.#capture.open(this.#wishes());
  }

  get hasPictures(): boolean {
    return this.#capture.video !== null;
  }

  get hasSound(): boolean {
    return this.#capture.hasSound;
  }

  /** Begins to hear and to code sound. */
  openSound(): Promise<void> {
    this.#level();
    this.booth.setReverb(this.#settings.reverb);
    return this.booth.open(this.#settings.quality);
  }

  /** Whether the browser codes pictures of this size. */
  canCode(): Promise<boolean> {
    const { width, height } = this.#size;
    return canCode(width, height, this.#settings.fps);
  }

  /** Codes one picture, which goes nowhere: 1008 tells that it can be done. */
  probe(): void {
    this.#isProbing = true;
  }

  /** From now on coded frames come out, or no more. They begin with a key frame. */
  code(on: boolean): void {
    this.#isCoding = on;
    this.booth.code(on);
    if (on) this.wantKey();
  }

  /** The next picture is a key frame; if the source is slow, the last one is coded again for it. */
  wantKey(): void {
    this.#coder?.wantKey();
  }

  setSize(width: number, height: number): void {
    this.#size = { width, height };
    this.#setCoder();
  }

  setKbps(kbps: number): void {
    this.#kbps = kbps;
    this.#setCoder();
  }

  set(settings: Settings): void {
    const before = this.#settings;
    this.#settings = settings;
    this.#level();
    this.booth.setReverb(settings.reverb);
    if (before.quality !== settings.quality) void this.booth.open(settings.quality);
    if (before.fps !== settings.fps) this.#setCoder();
    if (before.waitingImage !== settings.waitingImage) this.#setWaiting();
    const isOther = CAPTURED.some((name) => before[name] !== settings[name]);
    if (isOther) void this.#capture.open(this.#wishes());
    this.#mirrorPreview();
  }

  /** What viewers see is the waiting picture, or black; what they hear is silence. */
  pause(on: boolean): void {
    this.#paused = on;
    this.#level();
    this.#setWaiting();
  }

  /** 1 and more. The camera does it where it can, else the middle is enlarged. */
  async setZoom(zoom: number): Promise<void> {
    const range = this.#capture.zoomRange;
    const lens = range ? Math.min(range.max, Math.max(range.min, zoom)) : 1;
    if (range) await this.#capture.setZoom(lens);
    this.#zoom = Math.min(MAGNIFY_MAX, Math.max(1, zoom / lens));
  }

  get maxZoom(): number {
    return (this.#capture.zoomRange?.max ?? 1) * MAGNIFY_MAX;
  }

  setTorch(on: boolean): Promise<void> {
    return this.#capture.setTorch(on);
  }

  sendMessage(text: string): boolean {
    return this.#coder?.sendMessage(text) ?? false;
  }

  /** What viewers see; or what the preview shows, which may be that in a mirror. */
  async snapshot(ofPreview: boolean): Promise<ImageBitmap> {
    const { width, height } = this.#size;
    if (!this.#filter?.again(width, height, this.#look())) throw new Error('there is no picture');
    if (!ofPreview || !this.#isMirrored) return createImageBitmap(this.#canvas);
    const mirror = new OffscreenCanvas(width, height);
    const context = mirror.getContext('2d');
    context?.scale(-1, 1);
    context?.drawImage(this.#canvas, -width, 0);
    return mirror.transferToImageBitmap();
  }

  /** Lets go of everything. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isCoding = false;
    if (this.#repeat) clearInterval(this.#repeat);
    document.removeEventListener('visibilitychange', this.#onVisibility);
    document.removeEventListener('freeze', this.#onFreeze);
    this.#stopReading?.();
    this.#stopReading = null;
    this.#capture.close();
    this.#coder?.close();
    this.#filter?.close();
    if (this.#waiting instanceof ImageBitmap) this.#waiting.close();
    this.#waiting = null;
    await this.booth.close();
  }

  #onTrack(track: MediaStreamTrack | null): void {
    this.#read(track);
    this.#mirrorPreview();
    if (!track && this.#hasPicture) this.#blank(performance.now());
    this.#hasPicture = false;
  }

  #read(track: MediaStreamTrack | null): void {
    this.#stopReading?.();
    const take = (picture: VideoFrame) => this.#onPicture(picture);
    this.#stopReading = track ? readPictures(track, take, this.#byElement) : null;
    this.#pictures = new Timeline();
    this.#cameAt = performance.now();
  }

  /** A camera sends something, whatever it sees: what gives nothing is read in another way, and then opened anew. */
  #unstick(): void {
    const track = this.#capture.video;
    if (this.#settings.source !== 'camera' || !track || track.muted) return;
    if (this.#byElement) this.#capture.reopenCamera();
    else {
      this.#byElement = true;
      this.#read(track);
    }
    this.#cameAt = performance.now();
  }

  #onPicture(picture: VideoFrame): void {
    try {
      if (this.#isOver) return;
      const now = performance.now();
      this.#cameAt = now;
      const at = this.#pictures.map(picture.timestamp / 1000, now);
      this.#heedShape(picture);
      if (this.#waiting || !this.#isDue(at)) return;
      this.#draw(picture, at);
    } catch {
      // A GPU that is being reset gives no picture; the next one tells whether it is back.
      this.skipped += 1;
    } finally {
      picture.close();
    }
  }

  /** Half a picture early is due: sources are uneven, and the next one would be late by more. */
  #isDue(at: number): boolean {
    const step = 1000 / this.#settings.fps;
    if (at < this.#dueAt - step / 2 && at > this.#dueAt - 3 * step) return false;
    this.#dueAt = Math.abs(at - this.#dueAt) > 2 * step ? at + step : this.#dueAt + step;
    return true;
  }

  #draw(picture: Picture, at: number): void {
    const { width, height } = this.#size;
    if (!this.#filter?.draw(picture, width, height, this.#look())) return;
    if (!this.#hasPicture) {
      this.#hasPicture = true;
      this.#listener.state(1007, 'first frame captured');
    }
    this.#encode(at);
  }

  /** Codes what is on the canvas. */
  #encode(at: number): void {
    if (!this.#isCoding && !this.#isProbing) return;
    this.#isProbing = false;
    this.#coder ??= this.#makeCoder();
    const time = Math.max(at - this.#began, this.#lastAt + 1);
    if (this.#coder.isBusy(time)) {
      this.skipped += 1;
      return;
    }
    this.#lastAt = time;
    this.#coder.encode(new VideoFrame(this.#canvas, { timestamp: Math.round(time * 1000) }));
  }

  /** A screen that stands still sends no pictures; viewers need some, and key frames. */
  #repeatIfDue(): void {
    const now = performance.now();
    // The machine slept, and the camera with it: that is no fault of the camera's.
    if (now - this.#lookedAt > STALLED_MS / 2) this.#cameAt = now;
    this.#lookedAt = now;
    if (now - this.#cameAt > STALLED_MS && !this.#hidden) this.#unstick();
    const age = now - this.#began - this.#lastAt;
    if (this.#waiting) {
      if (age >= 1000 / WAITING_FPS) this.#drawWaiting(now);
      return;
    }
    if (!(this.#isCoding || this.#isProbing) || !this.#hasPicture) return;
    const isDue = this.#isProbing || age > STILL_MS || (this.#coder?.isKeyWanted && age > 2 * REPEAT_MS);
    const { width, height } = this.#size;
    if (isDue && this.#filter?.again(width, height, this.#look())) this.#encode(now);
  }

  #drawWaiting(now: number): void {
    const look = { ...this.#look(), fit: 'contain', mirror: false, zoom: 1, beauty: 0, whiteness: 0 } as const;
    const { width, height } = this.#size;
    const isImage = this.#waiting instanceof ImageBitmap;
    if (isImage && this.#filter?.draw(this.#waiting as ImageBitmap, width, height, look)) this.#encode(now);
    if (!isImage) this.#blank(now);
  }

  /** Black: the last picture, too small to be seen. */
  #blank(now: number): void {
    const { width, height } = this.#size;
    const look = { ...this.#look(), fit: 'contain', zoom: VANISHING, beauty: 0, whiteness: 0 } as const;
    if (this.#filter?.again(width, height, look)) this.#encode(now);
  }

  /** The waiting picture stands in while it pauses, and in the background if there is one. */
  #setWaiting(): void {
    const { waitingImage } = this.#settings;
    const isWanted = this.#paused || (this.#hidden && waitingImage !== '');
    if (this.#waiting instanceof ImageBitmap) this.#waiting.close();
    this.#waiting = isWanted ? 'black' : null;
    if (isWanted && waitingImage) void this.#loadWaiting(waitingImage);
  }

  async #loadWaiting(url: string): Promise<void> {
    try {
      const answer = await fetch(url, { credentials: 'omit' });
      if (!answer.ok) throw new Error(`${answer.status}`);
      const picture = await createImageBitmap(await answer.blob());
      if (this.#waiting === 'black' && this.#settings.waitingImage === url) this.#waiting = picture;
      else picture.close();
    } catch (error) {
      const words = wordsOf(error);
      if (!this.#isOver) this.#listener.state(10004, `the waiting image cannot be loaded: ${words}`);
    }
  }

  readonly #onVisibility = (): void => {
    this.#hidden = document.hidden;
    // Where pictures rest with the page, none has come for as long.
    this.#cameAt = performance.now();
    this.#level();
    this.#setWaiting();
  };

  /** The browser lets nothing of the page run from now on. */
  readonly #onFreeze = (): void => {
    if (this.#isCoding) this.#listener.state(5000, 'the page is suspended');
  };

  #makeCoder(): VideoCoder {
    const coder = new VideoCoder({
      frame: (frame) => {
        if (this.#isCoding) this.#listener.frame(frame);
      },
      state: (code, message) => this.#listener.state(code, message),
    });
    coder.set(this.#coded());
    return coder;
  }

  #setCoder(): void {
    this.#coder?.set(this.#coded());
  }

  #coded() {
    const { fps, mode } = this.#settings;
    return { ...this.#size, kbps: this.#kbps, fps, gopMs: RECOMMENDED[mode].gopMs };
  }

  #heedShape({ displayWidth: width, displayHeight: height }: VideoFrame): void {
    if (this.#shape?.width === width && this.#shape.height === height) return;
    this.#shape = { width, height };
    this.#listener.shape(this.#shape);
  }

  #look(): Look {
    const { source, beauty, whiteness, style, colours, remoteMirror } = this.#settings;
    const fit = source === 'camera' ? 'cover' : 'contain';
    return { fit, mirror: remoteMirror, zoom: this.#zoom, beauty, whiteness, style, colours };
  }

  /** The canvas has what viewers see; the preview is that in a mirror, where the two are not to be the same. */
  #mirrorPreview(): void {
    this.#canvas.style.transform = this.#isMirrored ? 'scaleX(-1)' : '';
  }

  get #isMirrored(): boolean {
    const { localMirror, remoteMirror } = this.#settings;
    const isMirror = localMirror === 'auto' ? this.#capture.isFront : localMirror === 'enable';
    return isMirror !== remoteMirror;
  }

  #level(): void {
    const { muted, backgroundMute } = this.#settings;
    this.booth.setMuted(muted || this.#paused || (this.#hidden && backgroundMute));
  }

  #wishes() {
    const { source, camera, mic, position, fps, gainControl, noiseSuppression, autoFocus } = this.#settings;
    return { source, camera, mic, position, ...this.#size, fps, gainControl, noiseSuppression, autoFocus };
  }
}

const CAPTURED = ['source', 'camera', 'mic', 'position', 'gainControl', 'noiseSuppression', 'autoFocus'] as const;
/** How often it is looked whether the source stands still. */
const REPEAT_MS = 50;
/** A source that has sent nothing for so long stands still: two pictures a second are enough of it. */
const STILL_MS = 500;
/** A camera in the dark still sends five pictures a second. */
const STALLED_MS = 2000;
/** A picture that does not move: for those who come, and for bit rates that are looked at. */
const WAITING_FPS = 5;
/** More is a mosaic. */
const MAGNIFY_MAX = 4;
const VANISHING = 1e-3;
