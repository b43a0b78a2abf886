import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Booth } from '../src/push/booth';

/** A file that plays as a test says. */
class FakeAudio {
  static readonly all: FakeAudio[] = [];
  static loads: (src: string) => Promise<void> = async () => {};
  src = '';
  currentTime = 0;
  duration = 20;
  paused = true;
  ontimeupdate: (() => void) | null = null;
  onended: (() => void) | null = null;

  constructor() {
    FakeAudio.all.push(this);
  }
  async play(): Promise<void> {
    const { src } = this;
    await FakeAudio.loads(src);
    if (this.src !== src) throw new DOMException('interrupted by a new load request', 'AbortError');
    this.paused = false;
  }
  pause(): void {
    this.paused = true;
  }
  removeAttribute(): void {
    this.src = '';
  }
  load() {}
  /** It has come to this second. */
  reach(second: number): void {
    this.currentTime = second;
    this.ontimeupdate?.();
  }
}

const gain = { value: 1 };
const node = () => ({ gain, connect: () => {}, disconnect: () => {} });
vi.mock('../src/push/mixer', () => ({
  Mixer: class {
    context = { createMediaElementSource: node, createGain: node };
    async start() {}
    setTracks() {}
    setMuted() {}
    setVolume() {}
    setReverb() {}
    connectMusic() {}
    async close() {}
  },
}));
vi.mock('../src/push/sound', async (original) => ({
  ...(await original<object>()),
  soundCoder: async () => ({ encode: () => {}, close: () => {} }),
}));

beforeEach(() => {
  FakeAudio.all.length = 0;
  FakeAudio.loads = async () => {};
  vi.stubGlobal('Audio', FakeAudio);
});
afterEach(() => vi.unstubAllGlobals());

async function playing(range: { startTimeMs?: number; endTimeMs?: number } = {}) {
  const booth = new Booth(0, { state: () => {}, frame: () => {}, volume: () => {} });
  await booth.open('high');
  const heard: string[] = [];
  const listener = (name: string) => ({
    start: () => void heard.push(`${name} starts`),
    progress: (progress: number, duration: number) => void heard.push(`${name} ${progress} of ${duration}`),
    complete: () => void heard.push(`${name} is over`),
  });
  await booth.playMusic('/a.mp3', range, listener('a'));
  return { booth, heard, listener, file: FakeAudio.all[0]! };
}

describe('background music', () => {
  it('tells where it is, and when it is over', async () => {
    const { heard, file } = await playing();
    file.reach(1.5);
    file.onended?.();
    file.onended?.();
    expect(heard).toEqual(['a starts', 'a 1500 of 20000', 'a is over']);
    expect([file.paused, file.src]).toEqual([true, '']);
  });

  it('plays from and to a moment of it', async () => {
    const { heard, file } = await playing({ startTimeMs: 3000, endTimeMs: 5000 });
    expect(file.currentTime).toBe(3);
    file.reach(4.9);
    file.reach(5);
    file.reach(5.1);
    expect(heard).toEqual(['a starts', 'a 4900 of 20000', 'a 5000 of 20000', 'a is over']);
  });

  it('has a duration of 0 where that is not known', async () => {
    const { heard, file } = await playing();
    file.duration = Number.POSITIVE_INFINITY;
    file.reach(1);
    expect(heard.at(-1)).toBe('a 1000 of 0');
  });

  it('pauses, goes on, and is as loud as it is told', async () => {
    const { booth, file } = await playing();
    booth.music?.pause();
    expect(file.paused).toBe(true);
    await booth.music?.resume();
    expect(file.paused).toBe(false);
    booth.music?.setVolume(0.25);
    expect(gain.value).toBe(0.25);
  });

  it('stopped, it says nothing more and does not go on', async () => {
    const { booth, heard, file } = await playing();
    const { music } = booth;
    booth.stopMusic();
    file.reach(2);
    await music?.resume();
    expect([heard, file.paused, booth.music]).toEqual([['a starts'], true, null]);
  });

  it('that cannot be loaded is thrown, and nothing plays', async () => {
    const { booth, listener, heard } = await playing();
    FakeAudio.loads = () => Promise.reject(new Error('404'));
    await expect(booth.playMusic('/b.mp3', {}, listener('b'))).rejects.toThrow('404');
    expect([heard, booth.music, FakeAudio.all.map(({ paused }) => paused)]).toEqual([['a starts'], null, [true, true]]);
  });

  it('is the one that was asked for last, whichever loads first', async () => {
    const { booth, listener, heard } = await playing();
    const loaded: (() => void)[] = [];
    FakeAudio.loads = () => new Promise((resolve) => loaded.push(resolve));
    const b = booth.playMusic('/b.mp3', {}, listener('b'));
    const c = booth.playMusic('/c.mp3', {}, listener('c'));
    loaded[0]?.();
    await b;
    loaded[1]?.();
    await c;
    expect(heard).toEqual(['a starts', 'c starts']);
    expect(FakeAudio.all.map(({ paused }) => paused)).toEqual([true, true, false]);
  });

  it('ends with the push, also while it loads', async () => {
    const { booth, listener, heard } = await playing();
    let load = () => {};
    FakeAudio.loads = () => new Promise((resolve) => (load = resolve));
    const b = booth.playMusic('/b.mp3', {}, listener('b'));
    await booth.close();
    load();
    await b;
    expect([heard, FakeAudio.all.map(({ paused }) => paused)]).toEqual([['a starts'], [true, true]]);
    await expect(booth.playMusic('/c.mp3', {}, listener('c'))).rejects.toThrow('nothing is pushed');
  });
});
