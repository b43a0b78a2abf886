import type { Frame } from '@thalweg/player/wire';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { QUALITY, soundCoder } from '../src/push/sound';
import { canCode, VideoCoder } from '../src/push/video';

/** An encoder of the browser's: it codes at once, or fails when a test says so. */
class FakeEncoder {
  static all: FakeEncoder[] = [];
  static supported = true;
  static isConfigSupported = async () => ({ supported: FakeEncoder.supported });
  state: 'unconfigured' | 'configured' | 'closed' = 'unconfigured';
  encodeQueueSize = 0;
  config: Record<string, unknown> = {};
  readonly keys: boolean[] = [];

  constructor(readonly init: { output: (chunk: object, metadata?: object) => void; error: (error: Error) => void }) {
    FakeEncoder.all.push(this);
  }
  static get last(): FakeEncoder {
    return FakeEncoder.all.at(-1)!;
  }
  configure(config: Record<string, unknown>): void {
    [this.config, this.state] = [config, 'configured'];
  }
  encode({ timestamp }: { timestamp: number }, { keyFrame = false } = {}): void {
    this.keys.push(keyFrame);
    const chunk = {
      type: keyFrame ? 'key' : 'delta',
      timestamp,
      byteLength: 3,
      copyTo: (to: Uint8Array) => to.fill(7),
    };
    this.init.output(chunk, keyFrame ? { decoderConfig: { description: Uint8Array.of(1, 2) } } : undefined);
  }
  close(): void {
    this.state = 'closed';
  }
  /** As the browser tells of an encoder that failed: it is closed. */
  fail(words = 'the encoder is gone'): void {
    this.close();
    this.init.error(new Error(words));
  }
}

beforeEach(() => {
  FakeEncoder.all = [];
  FakeEncoder.supported = true;
  vi.useFakeTimers({ toFake: ['performance'] });
  vi.stubGlobal('VideoEncoder', FakeEncoder);
  vi.stubGlobal('AudioEncoder', FakeEncoder);
  vi.stubGlobal(
    'AudioData',
    class {
      timestamp: number;
      constructor({ timestamp }: { timestamp: number }) {
        this.timestamp = timestamp;
      }
      close() {}
    },
  );
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const SETTINGS = { width: 360, height: 640, kbps: 800, fps: 15, gopMs: 1000 };

function coding() {
  const said: number[] = [];
  const frames: Frame[] = [];
  const coder = new VideoCoder({
    frame: (frame) => void frames.push(frame),
    state: (code) => void said.push(code),
  });
  coder.set(SETTINGS);
  const closed: number[] = [];
  const encode = (ms: number) => {
    coder.encode({ timestamp: ms * 1000, close: () => closed.push(ms) } as unknown as VideoFrame);
  };
  return { coder, said, frames, encode, closed };
}

describe('pictures', () => {
  it('are coded, said once, with their configuration before each key frame', () => {
    const { said, frames, encode, closed } = coding();
    for (const ms of [0, 500, 1000]) encode(ms);
    expect(said).toEqual([1008]);
    expect(frames.map(({ config, key, dts }) => [config, key, dts])).toEqual([
      [true, false, 0],
      [false, true, 0],
      [false, false, 500],
      [true, false, 1000],
      [false, true, 1000],
    ]);
    expect(closed).toEqual([0, 500, 1000]);
  });

  it('go on by software where the hardware fails: 1103, and 1104 where that fails too', () => {
    const { said, encode } = coding();
    encode(0);
    expect(FakeEncoder.last.config).toMatchObject({ bitrateMode: 'constant', hardwareAcceleration: 'no-preference' });
    // Not every encoder keeps to a constant rate: that is nobody's concern.
    FakeEncoder.last.fail();
    encode(66);
    expect(FakeEncoder.last.config).toMatchObject({ bitrateMode: 'variable', hardwareAcceleration: 'no-preference' });
    expect(said).toEqual([1008]);
    FakeEncoder.last.fail();
    encode(133);
    expect(FakeEncoder.last.config).toMatchObject({ hardwareAcceleration: 'prefer-software' });
    expect(said).toEqual([1008, 1103]);
    FakeEncoder.last.fail();
    encode(200);
    expect(said).toEqual([1008, 1103, 1104]);
    expect(FakeEncoder.all.map(({ state }) => state)).toEqual(['closed', 'closed', 'closed', 'configured']);
  });

  it('begin with a key frame after each failure', () => {
    const { encode } = coding();
    encode(0);
    encode(66);
    FakeEncoder.last.fail();
    encode(133);
    encode(200);
    expect(FakeEncoder.all.map(({ keys }) => keys)).toEqual([
      [true, false],
      [true, false],
    ]);
  });

  it('are given up, -1303, when nothing helps; and nothing is tried again', () => {
    const { said, encode } = coding();
    for (let ms = 0; ms < 700; ms += 66) {
      encode(ms);
      if (FakeEncoder.last.state !== 'closed') FakeEncoder.last.fail();
    }
    expect(said).toEqual([1008, 1103, 1104, 1104, -1303]);
    expect(FakeEncoder.all).toHaveLength(5);
  });

  it('are not given up for failures that are hours apart', () => {
    const { said, encode } = coding();
    for (let hour = 0; hour < 10; hour++) {
      encode(hour * 3_600_000);
      FakeEncoder.last.fail();
      vi.advanceTimersByTime(3_600_000);
    }
    expect(said).toEqual([1008, 1103, ...Array(8).fill(1104)]);
  });

  it('fail the same way where the browser throws', () => {
    const { said, encode, closed } = coding();
    vi.spyOn(FakeEncoder.prototype, 'configure').mockImplementation(() => {
      throw new DOMException('no such profile', 'NotSupportedError');
    });
    for (const ms of [0, 66, 133, 200, 266]) encode(ms);
    vi.restoreAllMocks();
    expect(said).toEqual([1103, 1104, 1104, -1303]);
    expect(closed).toEqual([0, 66, 133, 200, 266]);
  });

  it('that are over say nothing more', () => {
    const { coder, said, frames, encode, closed } = coding();
    encode(0);
    const encoder = FakeEncoder.last;
    coder.close();
    encoder.fail();
    encode(66);
    expect([said, frames.length, encoder.state, closed]).toEqual([[1008], 2, 'closed', [0, 66]]);
  });

  it('can be coded where the browser says so', async () => {
    expect(await canCode(360, 640, 15)).toBe(true);
    FakeEncoder.supported = false;
    expect(await canCode(360, 640, 15)).toBe(false);
    vi.stubGlobal('VideoEncoder', undefined);
    expect(await canCode(360, 640, 15)).toBe(false);
  });
});

describe('sound', () => {
  it("is coded by the browser's encoder, after its configuration", async () => {
    const frames: Frame[] = [];
    const coder = await soundCoder(QUALITY.low, { frame: (frame) => void frames.push(frame), failed: () => {} });
    expect(FakeEncoder.last.config).toMatchObject({ codec: 'mp4a.40.2', sampleRate: 16_000, bitrate: 24_000 });
    coder.encode(new Float32Array(1024), 64);
    expect(frames.map(({ config, dts }) => [config, dts])).toEqual([
      [true, 0],
      [false, 64],
    ]);
    coder.close();
    expect(FakeEncoder.last.state).toBe('closed');
  });

  it('is over when that fails, which is told once', async () => {
    const failed: string[] = [];
    const listener = { frame: () => {}, failed: (message: string) => void failed.push(message) };
    const coder = await soundCoder(QUALITY.high, listener);
    FakeEncoder.last.fail('no memory');
    coder.encode(new Float32Array(1024), 64);
    coder.close();
    expect(failed).toEqual(['no memory']);
    expect(FakeEncoder.last.keys).toEqual([]);
  });
});
