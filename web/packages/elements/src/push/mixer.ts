/** The sound that is pushed: microphone, what came with pictures, and background music, mixed by WebAudio. */

import type { Piece } from '../tap-worklet';

/** Whom a mixer tells. */
export interface MixerListener {
  /** 1024 samples; `end` is when the last of them was, ms on the mixer's own clock. */
  piece(samples: Float32Array<ArrayBuffer>, end: number): void;
}

export class Mixer {
  readonly context: AudioContext;
  readonly #listener: MixerListener;
  readonly #voice: GainNode;
  readonly #bus: GainNode;
  /** Behind everything: closed while nothing is to be heard, of the music neither. */
  readonly #gate: GainNode;
  #tap: AudioWorkletNode | null = null;
  #sources: MediaStreamAudioSourceNode[] = [];
  #reverb: ConvolverNode | null = null;

  /** A context of this rate; it begins to run once a page may make sound, or listens already. */
  constructor(sampleRate: number, listener: MixerListener) {
    this.context = new AudioContext({ sampleRate, latencyHint: 'interactive' });
    this.#listener = listener;
    this.#voice = this.context.createGain();
    this.#bus = new GainNode(this.context, { channelCount: 1, channelCountMode: 'explicit' });
    this.#gate = this.context.createGain();
    this.#voice.connect(this.#bus);
    this.#bus.connect(this.#gate);
  }

  /** Loads the worklet. @throws where there is none. */
  async start(): Promise<void> {
    const { context } = this;
    await context.audioWorklet.addModule(new URL('./tap-worklet.js', import.meta.url));
    if (context.state === 'closed') return;
    const tap = new AudioWorkletNode(context, 'thalweg-tap', { channelCount: 1, channelCountMode: 'explicit' });
    tap.port.onmessage = ({ data }: MessageEvent<Piece>) => {
      this.#listener.piece(data.samples, (data.end / context.sampleRate) * 1000);
    };
    this.#gate.connect(tap);
    // What is not connected is not pulled. It is silent.
    tap.connect(context.destination);
    this.#tap = tap;
    this.#wake();
    if (context.state !== 'running') for (const type of GESTURES) addEventListener(type, this.#wake);
  }

  /** What is heard of the outside. The tracks stay their owner's. */
  setTracks(tracks: readonly MediaStreamTrack[]): void {
    for (const source of this.#sources) source.disconnect();
    this.#sources = tracks.map((track) => {
      const source = this.context.createMediaStreamSource(new MediaStream([track]));
      source.connect(this.#voice);
      return source;
    });
    this.#wake();
  }

  /** Nothing is pushed but silence, whatever is heard or played here. */
  setMuted(muted: boolean): void {
    this.#fade(this.#gate, muted ? 0 : 1);
  }

  /** 0 to 1, of the microphone. */
  setVolume(volume: number): void {
    this.#fade(this.#voice, volume);
  }

  /** 0 is none; 1 to 7 are rooms. */
  setReverb(type: number): void {
    this.#voice.disconnect();
    this.#reverb?.disconnect();
    this.#reverb = null;
    this.#voice.connect(this.#bus);
    const room = ROOMS[type];
    if (!room) return;
    const reverb = new ConvolverNode(this.context, { buffer: this.#impulse(room), disableNormalization: false });
    const wet = new GainNode(this.context, { gain: room.wet });
    this.#voice.connect(reverb).connect(wet).connect(this.#bus);
    this.#reverb = reverb;
  }

  /** Where music goes in: heard by viewers, and here by whoever pushes. */
  connectMusic(node: AudioNode): void {
    node.connect(this.#bus);
    node.connect(this.context.destination);
  }

  async close(): Promise<void> {
    for (const type of GESTURES) removeEventListener(type, this.#wake);
    for (const source of this.#sources) source.disconnect();
    this.#sources = [];
    const tap = this.#tap;
    this.#tap = null;
    if (tap) {
      tap.port.onmessage = null;
      // A context that closes before its worklet has ended is kept by Chromium for ever, and all that it refers to.
      tap.port.postMessage('end');
      await new Promise((resolve) => setTimeout(resolve, WORKLET_END_MS));
      tap.port.close();
      tap.disconnect();
    }
    await this.context.close().catch(() => {});
  }

  #fade({ gain }: GainNode, to: number): void {
    const { currentTime } = this.context;
    gain.cancelScheduledValues(currentTime);
    // Approached exponentially, zero would not be reached: silence is to be silence, which AAC codes in a few bytes.
    gain.setValueAtTime(gain.value, currentTime);
    gain.linearRampToValueAtTime(to, currentTime + FADE_S);
  }

  /** A page may make sound once somebody has touched it, or while it listens. */
  readonly #wake = (): void => {
    const { context } = this;
    if (context.state === 'closed' || context.state === 'running') return;
    context.resume().then(
      () => {
        for (const type of GESTURES) removeEventListener(type, this.#wake);
      },
      () => {},
    );
  };

  /** Noise that dies away: what a room answers to a clap. */
  #impulse({ seconds, decay, ring }: Room): AudioBuffer {
    const { sampleRate } = this.context;
    const length = Math.round(seconds * sampleRate);
    const buffer = new AudioBuffer({ length, sampleRate, numberOfChannels: 1 });
    const data = buffer.getChannelData(0);
    for (let n = 0; n < length; n++) {
      const noise = ring ? Math.sin((2 * Math.PI * ring * n) / sampleRate) : 2 * Math.random() - 1;
      data[n] = noise * (1 - n / length) ** decay;
    }
    return buffer;
  }
}

interface Room {
  seconds: number;
  /** How fast it dies away. */
  decay: number;
  wet: number;
  /** Hz: it rings instead. */
  ring?: number;
}

/** KTV, small room, hall, deep, loud, metallic, magnetic: the mini-program's names, our rooms. */
const ROOMS: readonly (Room | null)[] = [
  null,
  { seconds: 1.2, decay: 3, wet: 0.45 },
  { seconds: 0.4, decay: 4, wet: 0.4 },
  { seconds: 2.5, decay: 2.5, wet: 0.5 },
  { seconds: 1.5, decay: 6, wet: 0.7 },
  { seconds: 0.8, decay: 2, wet: 0.8 },
  { seconds: 0.15, decay: 2, wet: 0.5, ring: 880 },
  { seconds: 0.3, decay: 3, wet: 0.35, ring: 220 },
];
/** Without a click. */
const FADE_S = 0.01;
const GESTURES = ['pointerdown', 'keydown'] as const;
/** Several of its turns, of 3 ms each. */
const WORKLET_END_MS = 100;
