/**
 * The sound of RTC mode: decoded as it comes, and played by a worklet at the moments that the jitter buffer gives. What
 * is heard is the clock that pictures go by.
 */

import type { FromWorklet, ToWorklet } from '../audio-worklet';
import type { AudioConfig } from '../codec/config';
import { wordsOf } from '../misbehaved';

/** Whom the sound tells. */
export interface SoundEvents {
  /** A piece could not be decoded. */
  failed(message: string): void;
  /** It has played on: fifty times a second, also while timers sleep. */
  progress(): void;
  /** It has run dry. */
  dry(): void;
  /** It waits, and what comes is too late for its moment: where it is told to begin there is nothing yet. */
  late(): void;
  /** How loud it is, 0 to 100. */
  volume(volume: number): void;
}

export class Sound {
  readonly #events: SoundEvents;
  #decoder: AudioDecoder | null = null;
  #config: AudioDecoderConfig | null = null;
  #output: Output | null = null;
  #muted = false;
  #isClosed = false;
  #failures = 0;
  #rate = 1;
  #begunAt = Number.NEGATIVE_INFINITY;
  /**
   * Media times of pieces within the decoder. It hands out one for each, in order, and its own times do not know of
   * those that never came: they count samples.
   */
  #times: number[] = [];
  /** Decoded pieces that wait for the worklet to be there, or for the page to be let. */
  #early: Piece[] = [];

  constructor(events: SoundEvents) {
    this.#events = events;
  }

  /** A new configuration: `description` is what stands in the sequence header. */
  configure(config: AudioConfig, description: Uint8Array | null): void {
    const { codec, sampleRate, channels } = config;
    this.#config = { codec, sampleRate, numberOfChannels: channels };
    if (description !== null && description.length > 0) this.#config.description = description.slice();
    this.#closeDecoder();
    this.#failures = 0;
  }

  /** Decodes a piece; `time` is its media time, ms. */
  decode(time: number, data: Uint8Array): void {
    if (this.#isClosed || this.#config === null || this.#failures > FAILURES_MAX) return;
    try {
      this.#decoder ??= this.#makeDecoder(this.#config);
      if (this.#decoder.decodeQueueSize >= QUEUE_MAX - DELAY_MAX) return;
      this.#decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp: Math.round(time * 1000), data }));
      this.#times.push(time);
      if (this.#times.length > QUEUE_MAX) this.#times.shift();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The media time that is heard at `now`; `null` while nothing is, or the page may not play. */
  heard(now: number): number | null {
    return this.#output?.heard(now, this.#rate) ?? null;
  }

  /** Whether it is silent until it is told where to begin. */
  get waits(): boolean {
    return this.#output?.waits ?? true;
  }

  /** Whether there is sound, heard or not, and the page may play it. */
  comes(now: number): boolean {
    return this.#output?.isReady === true && now - this.#output.pushedAt < COMES_MS;
  }

  /** What is decoded and not heard, ms. */
  get buffered(): number {
    return this.#output?.told?.buffered ?? 0;
  }

  /** From the worklet to the loudspeaker, and how much it takes at once, ms. */
  get latency(): number {
    return this.#output?.latency ?? 0;
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    this.#output?.mute(muted);
  }

  set rate(rate: number) {
    if (rate !== this.#rate) this.#output?.say({ type: 'rate', rate });
    this.#rate = rate;
  }

  /** While it waits: `media` is what is to be heard at `now`. Said again now and then: the clock may have moved. */
  begin(media: number, now: number): void {
    if (now - this.#begunAt < LINE_MS) return;
    this.#begunAt = now;
    const output = this.#output;
    if (output?.isReady) for (const piece of this.#early.splice(0)) output.push(piece);
    const context = output?.contextTime(now);
    if (context !== null && context !== undefined) output?.say({ type: 'line', context, media });
  }

  /** Falls silent, until {@link begin}: what is there is kept for a leap, and forgotten for a pause. */
  wait(clear: boolean): void {
    this.#output?.wait(clear);
    this.#begunAt = Number.NEGATIVE_INFINITY;
    if (!clear) return;
    this.#early = [];
    if (this.#decoder?.state === 'configured') this.#decoder.reset();
    this.#closeDecoder();
  }

  close(): void {
    this.#isClosed = true;
    this.#closeDecoder();
    this.#output?.close();
    this.#output = null;
    this.#early = [];
  }

  #makeDecoder(config: AudioDecoderConfig): AudioDecoder {
    const decoder: AudioDecoder = new AudioDecoder({
      output: (data) => {
        try {
          if (decoder === this.#decoder) this.#take(data);
        } finally {
          data.close();
        }
      },
      error: (error) => decoder === this.#decoder && this.#fail(error),
    });
    decoder.configure(config);
    return decoder;
  }

  #take(data: AudioData): void {
    const { sampleRate, numberOfChannels, numberOfFrames } = data;
    const channels = Math.min(numberOfChannels, CHANNELS_MAX);
    const time = this.#times.shift() ?? data.timestamp / 1000;
    const piece = { time, planes: [] as Float32Array<ArrayBuffer>[] };
    for (let planeIndex = 0; planeIndex < channels; planeIndex++) {
      const plane = new Float32Array(numberOfFrames);
      data.copyTo(plane, { planeIndex, format: 'f32-planar' });
      piece.planes.push(plane);
    }
    this.#failures = 0;
    if (this.#output?.fits(sampleRate, channels) !== true) this.#open(sampleRate, channels);
    if (this.#output?.isReady && this.#early.length === 0) this.#output.push(piece);
    else {
      this.#early.push(piece);
      if (this.#early.length > EARLY_MAX) this.#early.shift();
    }
  }

  #open(sampleRate: number, channels: number): void {
    this.#output?.close();
    this.#output = new Output(sampleRate, channels, this.#events);
    this.#output.mute(this.#muted);
    this.#output.say({ type: 'rate', rate: this.#rate });
  }

  #fail(error: unknown): void {
    this.#closeDecoder();
    this.#failures += 1;
    this.#events.failed(wordsOf(error));
  }

  #closeDecoder(): void {
    if (this.#decoder && this.#decoder.state !== 'closed') this.#decoder.close();
    this.#decoder = null;
    this.#times = [];
  }
}

interface Piece {
  time: number;
  planes: Float32Array<ArrayBuffer>[];
}

/** An AudioContext and its worklet, of one sample rate. */
class Output {
  readonly #context: AudioContext;
  readonly #channels: number;
  readonly #gain: GainNode;
  readonly #events: SoundEvents;
  #node: AudioWorkletNode | null = null;
  #told: FromWorklet | null = null;
  #toldAt = 0;
  #generation = 0;
  #underruns = 0;
  #pushedAt = Number.NEGATIVE_INFINITY;
  /** Pieces it was given while it waits. */
  #unheard = 0;
  #loudest = 0;
  #volumeAt = 0;
  #isClosed = false;
  #isMuted = false;
  /** What is to be said to the worklet when it is there. */
  #rate: ToWorklet | null = null;

  constructor(sampleRate: number, channels: number, events: SoundEvents) {
    this.#channels = channels;
    this.#events = events;
    this.#context = new AudioContext({ sampleRate, latencyHint: 'interactive' });
    this.#gain = this.#context.createGain();
    this.#gain.connect(this.#context.destination);
    this.#context.addEventListener('statechange', this.#unblock);
    for (const event of GESTURES) document.addEventListener(event, this.#unblock, { capture: true, passive: true });
    void this.#load();
  }

  get told(): FromWorklet | null {
    return this.#told;
  }

  /** When it was given something last. */
  get pushedAt(): number {
    return this.#pushedAt;
  }

  get isReady(): boolean {
    return this.#node !== null && this.#context.state === 'running';
  }

  get waits(): boolean {
    return this.#told === null || this.#told.generation !== this.#generation || this.#told.state === 'waiting';
  }

  get latency(): number {
    const { outputLatency, baseLatency } = this.#context;
    return 1000 * Math.max(outputLatency || 0, baseLatency || 0);
  }

  fits(sampleRate: number, channels: number): boolean {
    return this.#context.sampleRate === sampleRate && this.#channels === channels;
  }

  /** The context's time of what comes out of the loudspeaker at `now`; `null` while that is not known. */
  contextTime(now: number): number | null {
    const { contextTime, performanceTime } = this.#context.getOutputTimestamp();
    if (!this.isReady || contextTime === undefined || performanceTime === undefined || performanceTime === 0)
      return null;
    return contextTime + (now - performanceTime) / 1000;
  }

  heard(now: number, rate: number): number | null {
    const told = this.#told;
    if (told === null || told.media === null || this.waits || now - this.#toldAt > SILENT_MS) return null;
    // What has run dry stands still.
    if (told.state === 'dry') return told.media - this.latency * rate;
    const context = this.contextTime(now);
    return context === null ? null : told.media + (context - told.context) * 1000 * rate;
  }

  push({ time, planes }: Piece): void {
    const message: ToWorklet = { type: 'push', time, planes };
    const buffers = planes.map((plane) => plane.buffer);
    this.#pushedAt = performance.now();
    this.#unheard += 1;
    this.#node?.port.postMessage(message, buffers);
  }

  say(message: ToWorklet): void {
    if (message.type === 'rate') this.#rate = message;
    this.#node?.port.postMessage(message);
  }

  wait(clear: boolean): void {
    // A worklet that is not there yet waits in any case, and would never hear of a new generation.
    if (this.#node === null) return;
    this.#generation += 1;
    this.say({ type: 'wait', generation: this.#generation, clear });
  }

  mute(muted: boolean): void {
    this.#isMuted = muted;
    // Within some hundredths of a second, so that it does not click.
    this.#gain.gain.setTargetAtTime(muted ? 0 : 1, this.#context.currentTime, MUTE_S);
  }

  close(): void {
    this.#isClosed = true;
    this.#context.removeEventListener('statechange', this.#unblock);
    for (const event of GESTURES) document.removeEventListener(event, this.#unblock, { capture: true });
    this.say({ type: 'end' });
    if (this.#node) this.#node.port.onmessage = null;
    this.#node?.port.close();
    this.#node?.disconnect();
    this.#gain.disconnect();
    // A context that closes before its worklet has ended is kept by Chromium for ever, and all that it refers to.
    const context = this.#context;
    setTimeout(() => context.close().catch(() => {}), this.#node ? WORKLET_END_MS : 0);
    this.#node = null;
  }

  async #load(): Promise<void> {
    try {
      await this.#context.audioWorklet.addModule(new URL('./audio-worklet.js', import.meta.url));
    } catch (error) {
      if (!this.#isClosed) this.#events.failed(`the audio worklet: ${String(error)}`);
      return;
    }
    this.#unblock();
    await this.#run();
    if (this.#isClosed) return;
    this.#node = new AudioWorkletNode(this.#context, 'thalweg-player', {
      numberOfInputs: 0,
      outputChannelCount: [this.#channels],
      processorOptions: { channels: this.#channels },
    });
    this.#node.connect(this.#gain);
    this.#node.port.onmessage = ({ data }: MessageEvent<FromWorklet>) => this.#hear(data);
    if (this.#rate) this.say(this.#rate);
  }

  /** Waits until it runs, or is closed: a worklet that has never run does not end, and is kept with its context. */
  #run(): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.#context.state !== 'running' && this.#context.state !== 'closed') return;
        this.#context.removeEventListener('statechange', look);
        resolve();
      };
      this.#context.addEventListener('statechange', look);
      look();
    });
  }

  #hear(told: FromWorklet): void {
    this.#told = told;
    this.#toldAt = performance.now();
    if (told.underruns > this.#underruns) this.#events.dry();
    this.#underruns = told.underruns;
    if (told.state !== 'waiting' || told.buffered > 0) this.#unheard = 0;
    else if (this.#unheard >= LATE_PIECES) {
      this.#unheard = 0;
      this.#events.late();
    }
    this.#loudest = Math.max(this.#loudest, told.level);
    if (this.#toldAt - this.#volumeAt >= VOLUME_MS) {
      this.#volumeAt = this.#toldAt;
      const volume = this.#isMuted ? 0 : volumeOf(this.#loudest);
      if (volume > 0) this.#events.volume(volume);
      this.#loudest = 0;
    }
    this.#events.progress();
  }

  /** A page that nobody has touched may not play: it is asked again with every touch. */
  readonly #unblock = (): void => {
    if (this.#isClosed || this.#context.state === 'running' || this.#context.state === 'closed') return;
    this.#context.resume().catch(() => {});
  };
}

/** -60 dB and less are silence, full scale is 100. */
function volumeOf(level: number): number {
  if (level <= 0) return 0;
  return Math.max(0, Math.min(100, Math.round(100 + (20 * Math.log10(level) * 100) / 60)));
}

const GESTURES = ['pointerdown', 'keydown', 'touchend'] as const;
/** A decoder that takes nothing more is given nothing more: 1.3 s of AAC. */
const QUEUE_MAX = 60;
/** Pieces that a decoder has begun with and keeps back. */
const DELAY_MAX = 4;
/** As much waits for the worklet. */
const EARLY_MAX = 60;
/** After so many pieces one after the other that it could not decode, it is left alone until the next configuration. */
const FAILURES_MAX = 10;
const CHANNELS_MAX = 8;
/** Sound comes many times a second. */
const COMES_MS = 1000;
/** So many pieces one after the other were too late: a tenth of a second of AAC, which is more than is on its way. */
const LATE_PIECES = 5;
/** When the worklet has said nothing for so long it is not the clock any more. */
const SILENT_MS = 500;
/** How often what waits is told where the clock is. */
const LINE_MS = 40;
const VOLUME_MS = 200;
const MUTE_S = 0.01;
/** Several of its turns, of 3 ms each. */
const WORKLET_END_MS = 100;
