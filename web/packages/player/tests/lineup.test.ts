import { describe, expect, it } from 'vitest';
import type { Frame } from '../src/frame';
import { type Go, Lineup, PATIENCE_MS } from '../src/lineup';
import { bytesOf } from './bytes';

const AVC = bytesOf('0142c01e ffe10019 6742c01e d900a02f f9701100 00030001 00000300 320f162e 4801');
const make = (kind: 'video' | 'audio', dts: number, more: Partial<Frame>): Frame => ({
  kind,
  codec: kind === 'video' ? 'avc' : 'aac',
  config: false,
  key: kind === 'audio',
  dts,
  cts: 0,
  data: Uint8Array.of(1),
  ...more,
});
const sps = () => make('video', 0, { config: true, data: AVC });
const asc = () => make('audio', 0, { config: true, key: false, data: bytesOf('1288') });
const key = (dts = 0) => make('video', dts, { key: true });
const picture = (dts: number) => make('video', dts, {});
const sound = (dts: number) => make('audio', dts, {});
const mp3 = (dts: number) => make('audio', dts, { codec: 'mp3', data: bytesOf('fffb9064') });

const BOTH = { video: true, audio: true };
const PICTURES = { video: true, audio: false };
const SOUND = { video: false, audio: true };

/** A lineup that is told of a file, and what it answers in a word. */
function tell(lineup: Lineup, announced = BOTH) {
  return (frame: Frame | null, now = 0) => {
    const go = frame ? lineup.push(frame, now, announced) : lineup.tick(now, announced);
    return inWords(go);
  };
}
function inWords(go: Go | null): string {
  if (go === null) return '';
  const kinds =
    go.begin &&
    Object.entries(go.begin)
      .filter(([, is]) => is)
      .map(([kind]) => kind)
      .join('+');
  return `${kinds ? `begin ${kinds}, ` : ''}${go.frames.length}`;
}

describe('it begins', () => {
  it('when both are there, with their configurations and no more', () => {
    const say = tell(new Lineup());
    expect([sps(), asc(), picture(0), sound(0)].map((frame) => say(frame))).toEqual(['', '', '', '']);
    expect(say(key(40))).toBe('begin video+audio, 3');
    expect(say(sound(64))).toBe('1');
  });

  it('with pictures alone when announced sound does not come, after a bounded wait', () => {
    const say = tell(new Lineup());
    say(sps());
    expect(say(key())).toBe('');
    expect(say(picture(40), PATIENCE_MS - 1)).toBe('');
    expect(say(null, PATIENCE_MS)).toBe('begin video, 3');
  });

  it('at once where only one kind is announced', () => {
    const pictures = tell(new Lineup(), PICTURES);
    pictures(sps());
    expect(pictures(key())).toBe('begin video, 2');
    const music = tell(new Lineup(), SOUND);
    expect(music(mp3(0))).toBe('begin audio, 1');
  });

  it('with sound alone when no picture can be decoded for long', () => {
    const say = tell(new Lineup());
    say(asc());
    say(picture(0));
    expect(say(sound(0), 4000)).toBe('');
    expect(say(sound(32), 5000)).toBe('begin audio, 3');
  });

  it('with what there is when it is too much to wait with', () => {
    const say = tell(new Lineup());
    say(sps());
    expect(say(make('video', 0, { key: true, data: new Uint8Array(9 * 1024 * 1024) }))).toBe('begin video, 2');
  });

  it('keeps a bounded amount of sound while it waits for a picture', () => {
    const lineup = new Lineup();
    const say = tell(lineup);
    say(asc());
    for (let n = 0; n < 10_000; n++) say(sound(n * 32), 0);
    expect(say(null, 500)).toBe('begin audio, 101');
  });
});

describe('it begins anew', () => {
  const begun = (announced: typeof BOTH, ...frames: Frame[]) => {
    const lineup = new Lineup();
    const say = tell(lineup, announced);
    for (const frame of frames) say(frame);
    return { lineup, say };
  };

  it('when sound comes later: at a key frame', () => {
    const { say } = begun(PICTURES, sps(), key());
    expect(say(asc())).toBe('');
    expect(say(sound(100))).toBe('');
    expect(say(picture(120))).toBe('1');
    expect(say(key(160))).toBe('begin video+audio, 3');
  });

  it('when pictures come later, or again', () => {
    const { say } = begun(SOUND, asc(), sound(0));
    say(sps());
    expect(say(picture(40))).toBe('');
    expect(say(key(80))).toBe('begin video+audio, 3');
  });

  it('with sound alone when pictures stop', () => {
    const { say } = begun(BOTH, sps(), asc(), key());
    const answers = Array.from({ length: 40 }, (_, n) => say(sound(n * 32)));
    const at = answers.indexOf('begin audio, 2');
    expect(at * 32).toBeGreaterThan(1000);
    expect(at * 32).toBeLessThan(1100);
  });

  it('not because pictures are rare', () => {
    const { say } = begun(BOTH, sps(), asc(), key());
    for (let ms = 0; ms < 20_000; ms += 32) {
      expect(say(sound(ms))).not.toMatch('begin');
      if (ms % 960 === 0) expect(say(picture(ms))).not.toMatch('begin');
    }
  });

  it('without MP3 that stops, for which no silence stands in', () => {
    const { say } = begun(BOTH, sps(), mp3(0), key(0));
    for (let ms = 40; ms < 1200; ms += 40) say(picture(ms));
    expect(say(key(1200))).toBe('begin video, 2');
    expect(say(key(1240))).toBe('1');
    expect(say(mp3(1250))).toBe('');
    expect(say(key(1280))).toBe('begin video+audio, 2');
  });

  it('but not all the time', () => {
    const { say } = begun(PICTURES, sps(), key());
    let begins = 0;
    for (let round = 0; round < 50; round++) {
      const from = round * 2000;
      say(asc(), from);
      for (let ms = 0; ms < 1500; ms += 32) begins += Number(say(sound(from + ms), from).includes('begin'));
      begins += Number(say(key(from + 1600), from).includes('begin'));
    }
    expect(begins).toBeLessThanOrEqual(2 * 6);
  });

  it('after a failure, with what comes next', () => {
    const { lineup, say } = begun(BOTH, sps(), asc(), key());
    lineup.restart();
    expect(say(picture(40))).toBe('');
    expect(say(sound(40))).toBe('');
    expect(say(key(80))).toBe('begin video+audio, 3');
  });
});

it('does not wait for what cannot be decoded', () => {
  const lineup = new Lineup();
  lineup.exclude('audio');
  const say = tell(lineup);
  say(sps());
  expect(say(asc())).toBe('');
  expect(say(key())).toBe('begin video, 2');
});
