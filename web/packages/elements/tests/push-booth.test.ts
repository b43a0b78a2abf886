import type { Frame } from '@thalweg/player/wire';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Booth } from '../src/push/booth';
import type { MixerListener } from '../src/push/mixer';
import type { SoundListener } from '../src/push/sound';

/** What would mix and code: each notes what it is told, and lets a test speak in its place. */
const mixers: FakeMixer[] = [];
const coders: FakeCoder[] = [];

class FakeMixer {
  isOpen = true;
  muted = false;
  tracks: readonly unknown[] = [];

  constructor(
    readonly sampleRate: number,
    readonly listener: MixerListener,
  ) {
    mixers.push(this);
  }
  start = async () => {};
  setTracks = (tracks: readonly unknown[]) => {
    this.tracks = tracks;
  };
  setMuted = (muted: boolean) => {
    this.muted = muted;
  };
  setVolume() {}
  setReverb() {}
  async close(): Promise<void> {
    // A worklet takes its time to end.
    await new Promise((resolve) => setTimeout(resolve, 100));
    this.isOpen = false;
  }
}

class FakeCoder {
  readonly coded: number[] = [];
  isOpen = true;

  constructor(readonly listener: SoundListener) {
    coders.push(this);
  }
  encode = (_samples: unknown, at: number) => void this.coded.push(at);
  close = () => {
    this.isOpen = false;
  };
}

let canCode = true;
vi.mock('../src/push/mixer', () => ({
  Mixer: vi.fn(function (this: unknown, rate: number, listener: MixerListener) {
    return new FakeMixer(rate, listener);
  }),
}));
vi.mock('../src/push/sound', async (original) => ({
  ...(await original<object>()),
  soundCoder: async (_settings: unknown, listener: SoundListener) => {
    if (!canCode) throw new Error('no encoder');
    return new FakeCoder(listener);
  },
}));

beforeEach(() => {
  mixers.length = coders.length = 0;
  canCode = true;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => vi.useRealTimers());
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function boothThatCodes() {
  const said: number[] = [];
  const frames: Frame[] = [];
  const listener = {
    state: (code: number) => void said.push(code),
    frame: (frame: Frame) => void frames.push(frame),
    volume: () => {},
  };
  const booth = new Booth(0, listener);
  booth.code(true);
  return { booth, said, frames };
}

const piece = () => new Float32Array(1024);
const openOf = (all: readonly { isOpen: boolean }[]) => all.filter(({ isOpen }) => isOpen).length;

describe('the sound of what is pushed', () => {
  it('is mixed and coded', async () => {
    const { booth, said } = boothThatCodes();
    await booth.open('high');
    mixers[0]?.listener.piece(piece(), 1000);
    expect([mixers[0]?.sampleRate, coders[0]?.coded.length, said]).toEqual([48_000, 1, []]);
    expect(booth.isOpen).toBe(true);
    void booth.close();
    expect(booth.isOpen).toBe(false);
  });

  it('is -1304 where there is no encoder', async () => {
    canCode = false;
    const { booth, said } = boothThatCodes();
    await booth.open('high');
    expect(said).toEqual([-1304]);
    mixers[0]?.listener.piece(piece(), 1000);
    expect(said).toEqual([-1304]);
  });

  it('is -1304 once, when its encoder fails', async () => {
    const { booth, said, frames } = boothThatCodes();
    await booth.open('high');
    coders[0]?.listener.failed('the encoder is gone');
    mixers[0]?.listener.piece(piece(), 1000);
    expect([said, coders[0]?.isOpen, coders[0]?.coded, frames]).toEqual([[-1304], false, [], []]);
  });

  it('changes its quality twice at once, and leaves no mixer behind', async () => {
    const { booth } = boothThatCodes();
    booth.setTracks([{} as MediaStreamTrack]);
    booth.setMuted(true);
    await booth.open('high');
    void booth.open('low');
    void booth.open('high');
    void booth.open('low');
    await pass(1000);
    expect([openOf(mixers), openOf(coders)]).toEqual([1, 1]);
    const last = mixers.at(-1);
    expect([last?.isOpen, last?.sampleRate, last?.muted, last?.tracks.length]).toEqual([true, 16_000, true, 1]);
  });

  it('closed while its quality changes, it leaves nothing open', async () => {
    const { booth } = boothThatCodes();
    await booth.open('high');
    void booth.open('low');
    void booth.close();
    await pass(1000);
    expect([openOf(mixers), openOf(coders)]).toEqual([0, 0]);
  });

  it('is coded of one mixer only', async () => {
    const { booth } = boothThatCodes();
    await booth.open('high');
    void booth.open('low');
    await pass(1000);
    mixers[0]?.listener.piece(piece(), 1000);
    expect(coders.map(({ coded }) => coded.length)).toEqual([0, 0]);
  });

  it('has a time that does not go back', async () => {
    const { booth, frames } = boothThatCodes();
    await booth.open('high');
    const frame: Frame = {
      kind: 'audio',
      codec: 'aac',
      config: false,
      key: true,
      dts: 0,
      cts: 0,
      data: new Uint8Array(1),
    };
    for (const dts of [20, 40, 30, 60]) coders[0]?.listener.frame({ ...frame, dts });
    expect(frames.map(({ dts }) => dts)).toEqual([20, 40, 40, 60]);
  });
});
