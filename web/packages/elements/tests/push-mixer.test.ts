import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Mixer } from '../src/push/mixer';

/** WebAudio's graph as far as a mixer builds it: who is connected to whom, and with which gain. */
class FakeNode {
  readonly to = new Set<FakeNode>();
  readonly port = { onmessage: null, postMessage: () => {}, close: () => {} };

  connect(node: FakeNode): FakeNode {
    this.to.add(node);
    return node;
  }
  disconnect(): void {
    this.to.clear();
  }
  /** Of what goes in here, so much comes to `end`: by all ways together. */
  reaches(end: FakeNode): number {
    if (this === end) return 1;
    return this.#own * [...this.to].reduce((sum, node) => sum + node.reaches(end), 0);
  }
  get #own(): number {
    return this instanceof FakeGain ? this.gain.value : 1;
  }
}

class FakeGain extends FakeNode {
  readonly gain;

  constructor(_context?: unknown, { gain = 1 }: { gain?: number } = {}) {
    super();
    this.gain = {
      value: gain,
      cancelScheduledValues: () => {},
      setValueAtTime: (value: number) => this.#set(value),
      linearRampToValueAtTime: (value: number) => this.#set(value),
    };
  }
  #set(value: number): void {
    this.gain.value = value;
  }
}

const taps: FakeNode[] = [];
const sources: FakeNode[] = [];

class FakeContext {
  state = 'running';
  readonly sampleRate: number;
  readonly currentTime = 0;
  readonly destination = new FakeNode();
  readonly audioWorklet = { addModule: async () => {} };

  constructor({ sampleRate }: { sampleRate: number }) {
    this.sampleRate = sampleRate;
  }
  createGain = () => new FakeGain();
  createMediaStreamSource(): FakeNode {
    sources.push(new FakeNode());
    return sources.at(-1)!;
  }
  resume = async () => {};
  async close(): Promise<void> {
    this.state = 'closed';
  }
}

beforeEach(() => {
  taps.length = sources.length = 0;
  const Tap = class extends FakeNode {
    constructor() {
      super();
      taps.push(this);
    }
  };
  const Impulse = class {
    getChannelData = () => new Float32Array(1 << 18);
  };
  vi.stubGlobal('AudioContext', FakeContext);
  vi.stubGlobal('GainNode', FakeGain);
  vi.stubGlobal('AudioWorkletNode', Tap);
  vi.stubGlobal('ConvolverNode', class extends FakeNode {});
  vi.stubGlobal('AudioBuffer', Impulse);
  vi.stubGlobal('MediaStream', class {});
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('removeEventListener', () => {});
});
afterEach(() => vi.unstubAllGlobals());

/** A mixer that hears a microphone and plays music; `pushed` says how much of each is pushed. */
async function mixing() {
  const mixer = new Mixer(48_000, { piece: () => {} });
  await mixer.start();
  mixer.setTracks([{} as MediaStreamTrack]);
  const music = new FakeNode();
  mixer.connectMusic(music as unknown as AudioNode);
  const [mic, tap] = [sources[0]!, taps[0]!];
  const here = (mixer.context as unknown as FakeContext).destination;
  const pushed = () => ({ mic: mic.reaches(tap), music: music.reaches(tap) });
  // What comes through the tap is silent: it only keeps it running.
  const heardHere = () => [...music.to].reduce((sum, node) => sum + (node === here ? 1 : 0), 0);
  return { mixer, pushed, heardHere };
}

describe('what is pushed of microphone and music', () => {
  it('is both, each as loud as it comes', async () => {
    const { pushed, heardHere } = await mixing();
    expect(pushed()).toEqual({ mic: 1, music: 1 });
    expect(heardHere()).toBe(1);
  });

  it('is nothing while it is muted, also of the music', async () => {
    const { mixer, pushed, heardHere } = await mixing();
    mixer.setMuted(true);
    expect(pushed()).toEqual({ mic: 0, music: 0 });
    // Whoever pushes goes on hearing where the music is.
    expect(heardHere()).toBe(1);
    mixer.setMuted(false);
    expect(pushed()).toEqual({ mic: 1, music: 1 });
  });

  it('is of the microphone as much as its volume, which leaves the music alone', async () => {
    const { mixer, pushed } = await mixing();
    mixer.setVolume(0.25);
    expect(pushed()).toEqual({ mic: 0.25, music: 1 });
    mixer.setMuted(true);
    mixer.setVolume(0.5);
    expect(pushed()).toEqual({ mic: 0, music: 0 });
    mixer.setMuted(false);
    expect(pushed()).toEqual({ mic: 0.5, music: 1 });
  });

  it('is the microphone in a room, and the music outside of it', async () => {
    const { mixer, pushed } = await mixing();
    mixer.setReverb(3);
    expect(pushed()).toEqual({ mic: 1.5, music: 1 });
    mixer.setMuted(true);
    expect(pushed()).toEqual({ mic: 0, music: 0 });
    mixer.setMuted(false);
    mixer.setReverb(0);
    expect(pushed()).toEqual({ mic: 1, music: 1 });
  });

  it('is nothing of tracks that were given back', async () => {
    const { mixer, pushed } = await mixing();
    mixer.setTracks([]);
    expect(pushed()).toEqual({ mic: 0, music: 1 });
  });
});
