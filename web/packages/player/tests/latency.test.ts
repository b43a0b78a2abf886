import { describe, expect, it } from 'vitest';
import { type CacheSettings, decide, levelsOf } from '../src/latency';

const AUTO: CacheSettings = { minCache: 1, maxCache: 3, autoCache: true };
const SPEEDY: CacheSettings = { minCache: 1, maxCache: 1, autoCache: true };
const SMOOTH: CacheSettings = { minCache: 1, maxCache: 5, autoCache: false };

/** A tank that is filled by a network and emptied by a screen, in steps of 100 ms. */
class Story {
  buffered = 0;
  jitter = 0;
  playing = false;
  hasPlayed = false;
  isLast = false;
  rate = 1;
  seconds = 0;
  waits = 0;
  seeks = 0;
  rates = new Set<number>();

  constructor(readonly settings: CacheSettings) {}

  /** So much media comes in this time, s. */
  for(seconds: number, media = seconds): this {
    const steps = Math.round(seconds * 10);
    for (let n = 0; n < steps; n++) {
      this.buffered += media / steps;
      if (this.playing) this.buffered = Math.max(0, this.buffered - 0.1 * this.rate);
      this.seconds += 0.1;
      this.act();
    }
    return this;
  }

  /** So much media comes at once, s. */
  at(media: number): this {
    this.buffered += media;
    this.act();
    return this;
  }

  act(): void {
    const { buffered, jitter, playing, hasPlayed, isLast, rate } = this;
    const act = decide({ buffered, jitter, playing, hasPlayed, isLast, rate }, this.settings);
    if (act.wait && playing) this.waits += 1;
    this.playing = !act.wait;
    this.hasPlayed ||= this.playing;
    this.rate = act.rate;
    this.rates.add(act.rate);
    if (act.seek === null) return;
    this.seeks += 1;
    this.buffered = Math.min(this.buffered, act.seek);
  }
}

describe('automatic', () => {
  it('plays at once when a server begins deep enough, and not before there is a second', () => {
    expect(new Story(AUTO).at(1.2).playing).toBe(true);
    const slow = new Story(AUTO).at(0.5);
    expect(slow.playing).toBe(false);
    expect(slow.for(0.4).playing).toBe(false);
    expect(slow.for(0.2).playing).toBe(true);
  });

  it('starts where it should, however deep the server begins', () => {
    const story = new Story(AUTO).at(4.7);
    expect([story.playing, story.seeks]).toEqual([true, 1]);
    expect(story.buffered).toBeCloseTo(1.1);
    expect(story.for(60).seeks).toBe(1);
  });

  it('shows what came late, as long as that is not too much', () => {
    const story = new Story(AUTO).at(1.2).for(2, 0).at(2.5);
    expect([story.playing, story.seeks]).toEqual([true, 0]);
    expect(story.buffered).toBeCloseTo(2.5);
  });

  it('stays between min and max on a good network, without a wait or a skip', () => {
    const story = new Story(AUTO).at(1.2).for(1).at(0.7).for(600);
    expect(story.buffered).toBeGreaterThan(0.9);
    expect(story.buffered).toBeLessThan(1.4);
    expect([story.waits, story.seeks]).toEqual([0, 0]);
    expect([...story.rates].every((rate) => rate <= 1.03)).toBe(true);
  });

  it('brings down what a hiccup of the network has added, rate first', () => {
    const story = new Story(AUTO).at(1.2).for(10).at(3);
    expect(story.rate).toBeGreaterThan(1.05);
    expect(story.rate).toBeLessThanOrEqual(1.1);
    story.for(60);
    expect(story.buffered).toBeLessThan(2);
    expect(story.seeks).toBe(0);
  });

  it('skips when it is far behind', () => {
    const story = new Story(AUTO).at(1.2).for(5).at(20);
    expect(story.seeks).toBe(1);
    expect(story.buffered).toBeCloseTo(1);
    expect(story.for(5).seeks).toBe(1);
  });

  it('waits when it has run dry, and gathers the more the more unevenly it comes', () => {
    const story = new Story(AUTO).at(1.2).for(3, 0);
    expect([story.playing, story.waits]).toEqual([false, 1]);
    story.jitter = 1;
    expect(story.for(1.5).playing).toBe(false);
    expect(story.for(0.7).playing).toBe(true);
    story.jitter = 9;
    expect(levelsOf(story.jitter, AUTO).target).toBe(3);
  });

  it('plays to the end what there is when nothing more comes', () => {
    const story = new Story(AUTO).at(1.2);
    story.isLast = true;
    story.for(1.5, 0);
    expect([story.waits, story.buffered]).toEqual([0, 0]);
    const short = new Story(AUTO);
    short.isLast = true;
    expect(short.at(0.4).playing).toBe(true);
  });
});

describe('speedy', () => {
  it('holds the least delay', () => {
    const story = new Story(SPEEDY).at(1.2).for(1).at(1.2).for(60);
    expect(story.buffered).toBeGreaterThan(0.8);
    expect(story.buffered).toBeLessThan(1.3);
    expect(story.waits).toBe(0);
  });

  it('is not hurried by waves', () => {
    const story = new Story(SPEEDY).at(1.1);
    for (let n = 0; n < 100; n++) story.for(0.1, 0.2).for(0.1, 0);
    expect([...story.rates]).toEqual([1]);
  });
});

describe('smooth', () => {
  it('gathers as much as it may, and stays there', () => {
    const story = new Story(SMOOTH).at(1.5);
    expect(story.playing).toBe(false);
    story.for(3.6).for(600);
    expect(story.playing).toBe(true);
    expect(story.buffered).toBeGreaterThan(4.9);
    expect(story.buffered).toBeLessThan(5.4);
    expect([story.waits, story.seeks]).toEqual([0, 0]);
  });

  it('brings down what is over', () => {
    const story = new Story(SMOOTH).at(5.1).for(1).at(1.5).for(60);
    expect(story.buffered).toBeLessThan(5.4);
    expect(story.seeks).toBe(0);
  });
});

it('holds no less than a second, whatever is asked', () => {
  const eager: CacheSettings = { minCache: 0, maxCache: 0.2, autoCache: true };
  expect(levelsOf(0, eager)).toMatchObject({ start: 1, target: 1 });
  expect(new Story(eager).at(0.9).playing).toBe(false);
});
