import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { FromWorklet, ToWorklet } from '../src/audio-worklet';
import { Sound } from '../src/sink/audio';

const CONFIG = { codec: 'mp4a.40.2', sampleRate: 32_000, channels: 1, frameSamples: 1024 };
const FRAME = new Uint8Array([1]);

/** A decoder that counts samples, as browsers' do, and hands a piece out when it is told to. */
class FakeDecoder {
  static made: FakeDecoder[] = [];
  state = 'unconfigured';
  decodeQueueSize = 0;
  #inside = 0;
  #next: number | null = null;

  constructor(readonly init: { output: (data: unknown) => void; error: (error: Error) => void }) {
    FakeDecoder.made.push(this);
  }

  configure() {
    this.state = 'configured';
  }

  decode({ timestamp }: { timestamp: number }) {
    this.#next ??= timestamp;
    this.#inside += 1;
  }

  handOut() {
    for (; this.#inside > 0; this.#inside--) {
      const timestamp = this.#next as number;
      this.#next = timestamp + 32_000;
      const data = { timestamp, sampleRate: 32_000, numberOfChannels: 1, numberOfFrames: 1024 };
      this.init.output({ ...data, copyTo: () => {}, close: () => {} });
    }
  }

  reset() {
    this.state = 'unconfigured';
  }

  close() {
    this.state = 'closed';
  }
}

class FakeContext {
  static made: FakeContext[] = [];
  state = 'running';
  readonly sampleRate: number;
  readonly baseLatency = 0.01;
  readonly outputLatency = 0.03;
  readonly currentTime = 0;
  readonly destination = {};
  load!: () => void;
  readonly audioWorklet = {
    addModule: () =>
      new Promise<void>((resolve) => {
        this.load = resolve;
      }),
  };
  readonly addEventListener = vi.fn();
  readonly removeEventListener = vi.fn();
  readonly resume = vi.fn(async () => {});

  constructor({ sampleRate }: { sampleRate: number }) {
    this.sampleRate = sampleRate;
    FakeContext.made.push(this);
  }

  createGain() {
    return { gain: { setTargetAtTime: vi.fn() }, connect: vi.fn(), disconnect: vi.fn() };
  }

  /** What comes out now is what was played 30 ms ago. */
  getOutputTimestamp() {
    return { contextTime: performance.now() / 1000 - 0.03, performanceTime: performance.now() };
  }

  async close() {
    this.state = 'closed';
  }
}

class FakeNode {
  static made: FakeNode[] = [];
  readonly said: ToWorklet[] = [];
  readonly port = {
    postMessage: (message: ToWorklet) => void this.said.push(message),
    close: vi.fn(),
    onmessage: null as ((event: { data: FromWorklet }) => void) | null,
  };
  readonly connect = vi.fn();
  readonly disconnect = vi.fn();

  constructor() {
    FakeNode.made.push(this);
  }

  tell(told: Partial<FromWorklet>) {
    const context = performance.now() / 1000;
    const still = {
      context,
      media: null,
      state: 'waiting' as const,
      buffered: 0,
      generation: 0,
      underruns: 0,
      level: 0,
    };
    this.port.onmessage?.({ data: { ...still, ...told } });
  }

  /** Media times of the pieces that it was given. */
  get times() {
    return this.said.filter((message) => message.type === 'push').map((message) => message.time);
  }
}

beforeEach(() => {
  FakeDecoder.made = [];
  FakeContext.made = [];
  FakeNode.made = [];
  vi.stubGlobal('AudioDecoder', FakeDecoder);
  vi.stubGlobal(
    'EncodedAudioChunk',
    class {
      readonly timestamp: number;
      constructor({ timestamp }: { timestamp: number }) {
        this.timestamp = timestamp;
      }
    },
  );
  vi.stubGlobal('AudioContext', FakeContext);
  vi.stubGlobal('AudioWorkletNode', FakeNode);
  vi.stubGlobal('document', { addEventListener: vi.fn(), removeEventListener: vi.fn() });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const settle = () => new Promise((resolve) => setTimeout(resolve, 2));

function made() {
  const events = { failed: vi.fn(), progress: vi.fn(), dry: vi.fn(), late: vi.fn(), volume: vi.fn() };
  const sound = new Sound(events);
  sound.configure(CONFIG, new Uint8Array([0x15, 0x88]));
  return { sound, events };
}

/** A sound whose worklet is there. */
async function playing() {
  const { sound, events } = made();
  sound.decode(0, FRAME);
  FakeDecoder.made[0]?.handOut();
  FakeContext.made[0]?.load();
  await settle();
  sound.begin(0, performance.now());
  return { sound, events, node: FakeNode.made[0] as FakeNode, decoder: FakeDecoder.made[0] as FakeDecoder };
}

describe('sound', () => {
  test('keeps its place where pieces are missing, whatever the decoder counts', async () => {
    const { sound, node, decoder } = await playing();
    for (const time of [32, 64, 160, 192]) sound.decode(time, FRAME);
    decoder.handOut();
    sound.decode(224, FRAME);
    decoder.handOut();
    expect(node.times).toEqual([0, 32, 64, 160, 192, 224]);
  });

  test('that was told to wait before its worklet was there is the clock all the same', async () => {
    const { sound } = made();
    sound.decode(0, FRAME);
    FakeDecoder.made[0]?.handOut();
    sound.wait(false);
    FakeContext.made[0]?.load();
    await settle();
    const node = FakeNode.made[0] as FakeNode;
    sound.begin(0, performance.now());
    node.tell({ state: 'playing', media: 500 });
    expect(sound.waits).toBe(false);
    expect(sound.heard(performance.now()), 'what was played 30 ms ago').toBeCloseTo(470, -1);
  });

  test('that was told to wait is no clock before it has heard so', async () => {
    const { sound, node } = await playing();
    node.tell({ state: 'playing', media: 500 });
    sound.wait(false);
    expect(sound.heard(performance.now())).toBeNull();
    node.tell({ state: 'playing', media: 520 });
    expect(sound.heard(performance.now()), 'of before').toBeNull();
    node.tell({ state: 'playing', media: 900, generation: 1 });
    expect(sound.heard(performance.now())).toBeCloseTo(870, -1);
  });

  test('that may not play is kept back, so much of it', async () => {
    const { sound, node, decoder } = await playing();
    const context = FakeContext.made[0] as FakeContext;
    context.state = 'suspended';
    expect(sound.heard(performance.now())).toBeNull();
    for (let n = 1; n <= 200; n++) {
      sound.decode(n * 32, FRAME);
      decoder.handOut();
    }
    expect(node.times, 'nothing piles up there').toEqual([0]);
    context.state = 'running';
    sound.begin(6300, performance.now() + 1000);
    expect(node.times.length).toBeLessThanOrEqual(61);
    expect(node.times.at(-1)).toBe(6400);
  });

  test('that is too late for its moment again and again says so, and so often', async () => {
    const { sound, events, node, decoder } = await playing();
    const come = (from: number, count: number) => {
      for (let n = 0; n < count; n++) sound.decode(from + n * 32, FRAME);
      decoder.handOut();
    };
    come(32, 3);
    node.tell({ buffered: 0 });
    expect(events.late, 'what is on its way').not.toHaveBeenCalled();
    come(128, 1);
    node.tell({ buffered: 0 });
    node.tell({ buffered: 0 });
    expect(events.late).toHaveBeenCalledTimes(1);
    come(160, 5);
    node.tell({ buffered: 32 });
    node.tell({ state: 'playing', media: 160, buffered: 0 });
    expect(events.late, 'what waits for its moment, and what plays').toHaveBeenCalledTimes(1);
  });

  test('is there while it comes and may be played', async () => {
    const { sound } = await playing();
    const now = performance.now();
    expect([sound.comes(now), sound.comes(now + 2000)]).toEqual([true, false]);
    (FakeContext.made[0] as FakeContext).state = 'suspended';
    expect(sound.comes(now)).toBe(false);
  });

  test('that cannot be decoded says so, and goes on', async () => {
    const { sound, events, decoder, node } = await playing();
    sound.decode(32, FRAME);
    decoder.init.error(new Error('damaged'));
    expect(events.failed).toHaveBeenCalledWith('damaged');
    expect(decoder.state).toBe('closed');
    sound.decode(64, FRAME);
    FakeDecoder.made[1]?.handOut();
    expect(node.times).toEqual([0, 64]);
  });

  test('that is closed leaves nothing open, while its worklet loads too', async () => {
    for (const isLoaded of [true, false]) {
      const { sound } = isLoaded ? await playing() : made();
      if (!isLoaded) {
        sound.decode(0, FRAME);
        FakeDecoder.made.at(-1)?.handOut();
      }
      sound.close();
      FakeContext.made.at(-1)?.load();
      await settle();
      await vi.waitFor(() => expect(FakeContext.made.map((context) => context.state)).not.toContain('running'));
      expect(FakeDecoder.made.every((decoder) => decoder.state === 'closed')).toBe(true);
    }
    expect(FakeNode.made, 'the second never came to be').toHaveLength(1);
  });
});
