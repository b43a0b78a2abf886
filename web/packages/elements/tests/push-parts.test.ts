import { avc } from '@thalweg/player/wire';
import { describe, expect, it } from 'vitest';
import { placement, strengths } from '../src/push/filter';
import { MESSAGE_UUID, withMessages } from '../src/push/sei';
import { boundsOf, DEFAULTS } from '../src/push/settings';
import { loudness } from '../src/push/sound';
import { Timeline } from '../src/push/timeline';
import { codecOf, Debt } from '../src/push/video';

const text = (words: string) => new TextEncoder().encode(words);
const SLICE = Uint8Array.of(0, 0, 0, 3, 0x65, 1, 2);

describe('a message in a picture', () => {
  it('is a NAL unit before the slices, as user data with our UUID', () => {
    const picture = withMessages(SLICE, [text('hello')]);
    const [sei, slice, ...more] = [...avc.nalUnits(picture)];
    expect(more).toEqual([]);
    expect([...sei!]).toEqual([6, 5, 16 + 5, ...MESSAGE_UUID, ...text('hello'), 0x80]);
    expect([...slice!]).toEqual([0x65, 1, 2]);
  });

  it('comes behind a delimiter', () => {
    const picture = withMessages(Uint8Array.of(0, 0, 0, 2, 9, 0xf0, ...SLICE), [text('a'), text('b')]);
    expect([...avc.nalUnits(picture)].map(avc.nalType)).toEqual([9, 6, 6, 5]);
  });

  it('of over 255 bytes says its size in several', () => {
    const [sei] = [...avc.nalUnits(withMessages(SLICE, [new Uint8Array(600).fill(65)]))];
    expect([...sei!.subarray(0, 5)]).toEqual([6, 5, 255, 255, 616 - 510]);
  });

  it('never looks like the start of another unit', () => {
    const message = Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3);
    const [sei] = [...avc.nalUnits(withMessages(SLICE, [message]))];
    const bytes = [...sei!];
    for (let at = 2; at < bytes.length; at++) {
      expect(bytes[at - 2] === 0 && bytes[at - 1] === 0 && bytes[at]! < 3).toBe(false);
    }
    const plain = avc.withoutEmulationPrevention(sei!);
    expect([...plain.subarray(3 + 16, -1)]).toEqual([...message]);
  });
});

describe('a source on our clock', () => {
  it('keeps the spacing of the source, whatever the queue before us does', () => {
    const timeline = new Timeline();
    const late = [12, 3, 40, 7, 3, 25, 3, 60, 5, 3];
    const times = late.map((ms, n) => timeline.map(5000 + n * 40, n * 40 + ms));
    const steps = times.slice(1).map((time, n) => time - times[n]!);
    // The first ones only find out how late the first one was.
    for (const step of steps) expect(Math.abs(step - 40)).toBeLessThan(0.2);
    expect(times[0]).toBe(12);
  });

  it('follows a clock that drifts', () => {
    const timeline = new Timeline();
    let apart = 0;
    // 100 parts in a million, for ten minutes.
    for (let now = 0; now < 600_000; now += 40) apart = timeline.map(now * 1.0001, now + 5) - (now + 5);
    expect(Math.abs(apart)).toBeLessThan(10);
  });

  it('begins anew after a source that stood still', () => {
    const timeline = new Timeline();
    for (let at = 0; at < 1000; at += 40) timeline.map(at, at + 10);
    // Five seconds are missing.
    let apart = 0;
    for (let at = 1000; at < 3000; at += 40) apart = timeline.map(at, at + 5010) - (at + 5010);
    expect(apart).toBe(0);
  });

  it('is not misled by a page that was busy', () => {
    const timeline = new Timeline();
    for (let at = 0; at < 1000; at += 40) timeline.map(at, at + 10);
    expect(timeline.map(1000, 1600)).toBeCloseTo(1010, 0);
    expect(timeline.map(1040, 1601)).toBeCloseTo(1050, 0);
  });

  it('takes a source that leaps ahead as it is', () => {
    const timeline = new Timeline();
    timeline.map(0, 10);
    expect(timeline.map(9000, 50)).toBe(50);
  });
});

describe('size and rate', () => {
  const bounds = (settings: Partial<typeof DEFAULTS>, shape: { width: number; height: number } | null = null) => {
    const { width, height, minKbps, maxKbps } = boundsOf({ ...DEFAULTS, ...settings }, shape);
    return [width, height, minKbps, maxKbps];
  };

  it.each([
    [{}, [360, 640, 200, 1000]],
    [{ mode: 'SD' }, [360, 640, 300, 800]],
    [{ mode: 'HD' }, [540, 960, 600, 1200]],
    [{ mode: 'FHD', orientation: 'horizontal' }, [1280, 720, 600, 1800]],
    [{ aspect: '3:4' }, [360, 480, 200, 1000]],
    [{ width: 480, aspect: '3:4' }, [480, 640, 200, 1000]],
    [{ height: 480 }, [270, 480, 200, 1000]],
    [{ width: 333, height: 777 }, [334, 778, 200, 1000]],
    [{ maxKbps: 100 }, [360, 640, 100, 100]],
    [{ minKbps: 1500 }, [360, 640, 1500, 1500]],
    [{ minKbps: 900, maxKbps: 500 }, [360, 640, 500, 500]],
  ] as const)('of %j', (settings, expected) => {
    expect(bounds(settings as Partial<typeof DEFAULTS>)).toEqual(expected);
  });

  it('of a screen have its shape, and as many pixels as the mode', () => {
    expect(bounds({ source: 'screen' }, { width: 1920, height: 1080 })).toEqual([640, 360, 200, 1000]);
    expect(bounds({ source: 'screen' }, { width: 320, height: 200 })).toEqual([320, 200, 200, 1000]);
    expect(bounds({ source: 'screen', width: 360, height: 640 }, { width: 1920, height: 1080 })).toEqual([
      360, 640, 200, 1000,
    ]);
  });

  it('say the lowest level of H.264 that holds them', () => {
    expect(codecOf(360, 640, 15)).toBe('avc1.42e01e');
    expect(codecOf(720, 1280, 30)).toBe('avc1.42e01f');
    expect(codecOf(1920, 1080, 30)).toBe('avc1.42e028');
  });
});

describe('where the source lies in the picture', () => {
  const at = (matrix: number[], x: number, y: number) =>
    [0, 1].map((row) => matrix[row]! * x + matrix[3 + row]! * y + matrix[6 + row]!);
  const [wide, tall] = [
    { width: 640, height: 360 },
    { width: 360, height: 640 },
  ];
  const look = { fit: 'cover', mirror: false, zoom: 1 } as const;

  it('has its top at the top', () => {
    expect(at(placement(wide, wide, look), 0, 1)).toEqual([0, 0]);
    expect(at(placement(wide, wide, look), 1, 0)).toEqual([1, 1]);
  });

  it('is mirrored, cut, fitted and magnified about its middle', () => {
    expect(at(placement(wide, wide, { ...look, mirror: true }), 0, 1)).toEqual([1, 0]);
    const cut = at(placement(wide, tall, look), 0, 1);
    expect(cut[0]).toBeCloseTo(0.5 - (9 / 16) ** 2 / 2);
    expect(cut[1]).toBe(0);
    const fitted = at(placement(wide, tall, { ...look, fit: 'contain' }), 0, 1);
    expect(fitted[0]).toBe(0);
    expect(fitted[1]).toBeCloseTo(0.5 - (16 / 9) ** 2 / 2);
    expect(at(placement(wide, wide, { ...look, zoom: 2 }), 0, 1)).toEqual([0.25, 0.25]);
  });

  it('is left as it is without beauty, and more so with more', () => {
    const of = (beauty: number) =>
      strengths({ ...look, beauty, whiteness: beauty, style: 'smooth', colours: 'standard' });
    expect(of(0)).toMatchObject({ beauty: 0, white: 0, gain: [1, 1, 1], saturation: 1 });
    expect(of(9).beauty).toBe(1);
    expect(of(9).tolerance).toBeGreaterThan(of(3).tolerance);
  });
});

describe('an encoder that makes more bits than it was told', () => {
  /** Pictures of one size at 15 a second, for 10 s: how many are coded. */
  function coded(bytes: number, kbps: number): number {
    const debt = new Debt();
    let count = 0;
    for (let n = 0; n < 150; n++) {
      const at = (n * 1000) / 15;
      if (debt.isTooMuch(at, kbps)) continue;
      debt.add(at, bytes, kbps);
      count += 1;
    }
    return count;
  }

  it('codes fewer pictures, so that the rate is kept', () => {
    // 600 kbit/s at 15 pictures a second.
    const bytes = 5000;
    const count = coded(bytes, 200);
    expect((count * bytes * 8) / 10_000).toBeLessThan(220);
    expect(count).toBeGreaterThan(45);
  });

  it('is left alone while it keeps to what it was told', () => {
    expect(coded(1600, 200)).toBe(150);
  });

  it('may make a key frame of half a second', () => {
    const debt = new Debt();
    debt.add(0, 12_500, 200);
    expect(debt.isTooMuch(66, 200)).toBe(false);
  });
});

describe('loudness', () => {
  it('is 0 of silence and 100 of what is as loud as can be', () => {
    expect(loudness(new Float32Array(1024))).toBe(0);
    expect(loudness(new Float32Array(1024).fill(1))).toBe(100);
    const quiet = loudness(new Float32Array(1024).fill(0.03));
    expect(quiet).toBeGreaterThan(20);
    expect(quiet).toBeLessThan(60);
  });
});
