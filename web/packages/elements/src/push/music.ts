/** Background music: a file that viewers hear beside the microphone. */

import type { Mixer } from './mixer';

export interface MusicListener {
  start(): void;
  /** Ms, of the file; a duration of 0 is not known. */
  progress(progress: number, duration: number): void;
  complete(): void;
}

export class Music {
  readonly #element = new Audio();
  readonly #gain: GainNode;
  readonly #node: MediaElementAudioSourceNode;
  readonly #listener: MusicListener;
  readonly #endMs: number;
  #isOver = false;

  /** Of `url`, from and to these moments of it. */
  constructor(
    url: string,
    { startTimeMs = 0, endTimeMs = Number.POSITIVE_INFINITY }: { startTimeMs?: number; endTimeMs?: number },
    mixer: Mixer,
    listener: MusicListener,
  ) {
    this.#listener = listener;
    this.#endMs = endTimeMs;
    this.#element.crossOrigin = 'anonymous';
    this.#element.src = url;
    this.#element.currentTime = startTimeMs / 1000;
    this.#node = mixer.context.createMediaElementSource(this.#element);
    this.#gain = mixer.context.createGain();
    this.#node.connect(this.#gain);
    mixer.connectMusic(this.#gain);
    this.#element.ontimeupdate = () => this.#progress();
    this.#element.onended = () => this.#complete();
  }

  /** Begins to play, unless it is stopped before it has loaded. @throws when it cannot be loaded. */
  async begin(): Promise<void> {
    try {
      await this.#element.play();
    } catch (error) {
      if (this.#isOver) return;
      this.stop();
      throw error;
    }
    if (!this.#isOver) this.#listener.start();
  }

  pause(): void {
    this.#element.pause();
  }

  async resume(): Promise<void> {
    if (!this.#isOver) await this.#element.play();
  }

  /** 0 to 1. */
  setVolume(volume: number): void {
    this.#gain.gain.value = volume;
  }

  stop(): void {
    this.#isOver = true;
    this.#element.ontimeupdate = this.#element.onended = null;
    this.#element.pause();
    this.#element.removeAttribute('src');
    this.#element.load();
    this.#node.disconnect();
    this.#gain.disconnect();
  }

  #progress(): void {
    const { currentTime, duration } = this.#element;
    const progress = Math.round(currentTime * 1000);
    // Of what is sent without its length the duration is not known before its end.
    this.#listener.progress(progress, Number.isFinite(duration) ? Math.round(duration * 1000) : 0);
    if (progress >= this.#endMs) this.#complete();
  }

  #complete(): void {
    if (this.#isOver) return;
    this.stop();
    this.#listener.complete();
  }
}
