/** The sound of what is pushed: mixed, coded, and with music if there is some. */

import type { Frame } from '@thalweg/player/wire';
import { Mixer } from './mixer';
import { Music, type MusicListener } from './music';
import { loudness, QUALITY, type SoundCoder, soundCoder } from './sound';
import { Timeline } from './timeline';
import { wordsOf } from './words';

/** Whom a booth tells. */
export interface BoothListener {
  /** -1304. */
  state(code: number, message: string): void;
  frame(frame: Frame): void;
  /** Loudness of what is pushed, 0 to 100, about five times a second. */
  volume(volume: number): void;
}

export class Booth {
  readonly #listener: BoothListener;
  /** What time is counted from, on `performance.now()`'s clock. */
  readonly #began: number;
  #mixer: Mixer | null = null;
  #coder: SoundCoder | null = null;
  #music: Music | null = null;
  #timeline = new Timeline();
  #tracks: readonly MediaStreamTrack[] = [];
  #quality: 'high' | 'low' | null = null;
  /** Moves with each opening and closing: who finds another one when the last mixer has closed has nothing to open. */
  #turn = 0;
  #reverb = 0;
  #volume = 1;
  #muted = false;
  #config: Frame | null = null;
  #isCoding = false;
  #lastAt = 0;
  #volumeAt = 0;

  constructor(began: number, listener: BoothListener) {
    this.#began = began;
    this.#listener = listener;
  }

  /** Begins to listen and to code; anew, if it did with another quality. An encoder may have to be loaded first. */
  async open(quality: 'high' | 'low'): Promise<void> {
    if (this.#quality === quality) return;
    const closing = this.close();
    this.#quality = quality;
    const turn = this.#turn;
    await closing;
    if (turn !== this.#turn) return;
    const settings = QUALITY[quality];
    const { sampleRate } = settings;
    let mixer: Mixer | null = null;
    try {
      const piece = (samples: Float32Array<ArrayBuffer>, end: number) => this.#onPiece(mixer, samples, end, sampleRate);
      mixer = new Mixer(sampleRate, { piece });
      this.#mixer = mixer;
      mixer.setMuted(this.#muted);
      mixer.setVolume(this.#volume);
      mixer.setReverb(this.#reverb);
      mixer.setTracks(this.#tracks);
      const failed = (message: string) => this.#failed(mixer, message);
      const frame = (frame: Frame) => this.#onFrame(mixer, frame);
      const [coder] = await Promise.all([soundCoder(settings, { frame, failed }), mixer.start()]);
      if (this.#mixer === mixer) this.#coder = coder;
      else coder.close();
    } catch (error) {
      this.#failed(mixer, wordsOf(error));
    }
  }

  setTracks(tracks: readonly MediaStreamTrack[]): void {
    this.#tracks = tracks;
    this.#mixer?.setTracks(tracks);
  }

  setMuted(muted: boolean): void {
    this.#muted = muted;
    this.#mixer?.setMuted(muted);
  }

  setVolume(volume: number): void {
    this.#volume = volume;
    this.#mixer?.setVolume(volume);
  }

  setReverb(reverb: number): void {
    if (this.#reverb === reverb) return;
    this.#reverb = reverb;
    this.#mixer?.setReverb(reverb);
  }

  /** From now on coded frames come out, or no more. */
  code(on: boolean): void {
    this.#isCoding = on;
    if (on && this.#config) this.#listener.frame(this.#config);
  }

  /** Whether there is something that music could go into. */
  get isOpen(): boolean {
    return this.#mixer !== null;
  }

  /** Instead of what played before. @throws when it cannot be loaded, or nothing is pushed. */
  async playMusic(
    url: string,
    range: { startTimeMs?: number; endTimeMs?: number },
    listener: MusicListener,
  ): Promise<void> {
    const mixer = this.#mixer;
    if (!mixer) throw new Error('nothing is pushed');
    this.#music?.stop();
    const music = new Music(url, range, mixer, listener);
    this.#music = music;
    try {
      await music.begin();
    } catch (error) {
      if (this.#music === music) this.#music = null;
      throw error;
    }
  }

  get music(): Music | null {
    return this.#music;
  }

  stopMusic(): void {
    this.#music?.stop();
    this.#music = null;
  }

  async close(): Promise<void> {
    this.#turn += 1;
    const mixer = this.#mixer;
    this.#mixer = null;
    this.#quality = null;
    this.#config = null;
    this.#timeline = new Timeline();
    this.stopMusic();
    this.#coder?.close();
    this.#coder = null;
    await mixer?.close();
  }

  #onPiece(mixer: Mixer | null, samples: Float32Array<ArrayBuffer>, end: number, sampleRate: number): void {
    if (this.#mixer !== mixer) return;
    const now = performance.now();
    if (now - this.#volumeAt >= VOLUME_MS) {
      this.#volumeAt = now;
      this.#listener.volume(loudness(samples));
    }
    const at = this.#timeline.map(end, now) - (samples.length / sampleRate) * 1000 - this.#began;
    if (this.#isCoding) this.#coder?.encode(samples, at);
  }

  #onFrame(mixer: Mixer | null, frame: Frame): void {
    if (this.#mixer !== mixer) return;
    if (frame.config) this.#config = frame;
    if (!this.#isCoding) return;
    // Time does not go back, also where two clocks are put together anew.
    this.#lastAt = Math.max(frame.dts, this.#lastAt);
    this.#listener.frame({ ...frame, dts: this.#lastAt });
  }

  #failed(mixer: Mixer | null, message: string): void {
    if (this.#mixer !== mixer) return;
    this.#coder?.close();
    this.#coder = null;
    this.#listener.state(-1304, `sound cannot be coded: ${message}`);
  }
}

const VOLUME_MS = 200;
