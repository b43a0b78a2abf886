import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DEFAULTS, type End } from '../src/engine';
import { State } from '../src/events';
import * as mux from '../src/flv/mux';
import { makeLive } from '../src/live';
import type { ShowingEvents } from '../src/showing';
import type { Receiver } from '../src/source/source';
import type { Stage } from '../src/stage';
import { bytesOf, joined } from './bytes';

/** What is shown, without a browser: the test says how much there is and what becomes of it. */
class FakeShowing {
  static made: FakeShowing[] = [];
  /** Whether the browser plays without a gesture. */
  static mayPlay = true;
  ahead = 1.5;
  hasMedia = true;
  isDry = false;
  isFailed = false;
  isClosed = false;
  shownPictures = 0;
  readonly sink = {
    append: vi.fn(),
    finish: vi.fn(),
    trim: vi.fn(),
    aheadOf: () => this.ahead,
    seekToEdge: vi.fn((before: number) => {
      this.ahead = Math.min(this.ahead, before);
    }),
    get ahead() {
      return 0;
    },
  };
  readonly video = Object.assign(new EventTarget(), {
    paused: true,
    muted: false,
    ended: false,
    seeking: false,
    playbackRate: 1,
    readyState: 4,
    videoWidth: 320,
    videoHeight: 180,
    pause: vi.fn(),
    play: async () => {
      if (!FakeShowing.mayPlay) throw new DOMException('', 'NotAllowedError');
    },
  });
  readonly show = vi.fn();
  readonly isStuck = () => false;

  constructor(
    readonly stage: unknown,
    readonly kinds: unknown,
    readonly muted: boolean,
    readonly events: ShowingEvents,
  ) {
    Object.defineProperty(this.sink, 'ahead', { get: () => this.ahead });
    FakeShowing.made.push(this);
  }

  close() {
    this.isClosed = true;
  }
}

const { sources } = vi.hoisted(() => ({ sources: [] as Receiver[] }));
vi.mock('../src/showing', () => ({
  Showing: function Showing(...given: ConstructorParameters<typeof FakeShowing>) {
    return new FakeShowing(...given);
  },
}));
vi.mock('../src/sink/mse', () => ({ hasMse: () => true, canPlay: () => true }));
vi.mock('../src/source/fetch', () => ({
  openFetch: (_: string, receiver: Receiver) => {
    sources.push(receiver);
    return { close: vi.fn() };
  },
}));

const AVC = bytesOf('0142c01e ffe10019 6742c01e d900a02f f9701100 00030001 00000300 320f162e 4801');
const FRONT = [mux.fileHeader(false, true), mux.tag(9, 0, joined(bytesOf('1700000000'), AVC))];
const keyAt = (ms: number) => mux.tag(9, ms, bytesOf('1701000000 00000001 65'));

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('HTMLMediaElement', { HAVE_METADATA: 1, HAVE_CURRENT_DATA: 2 });
  FakeShowing.made = [];
  FakeShowing.mayPlay = true;
  sources.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Live mode that has begun to show a stream of pictures. */
function begun() {
  const codes: State[] = [];
  const reasons: (string | undefined)[] = [];
  const ends: End[] = [];
  const stage = { document: Object.assign(new EventTarget(), { hidden: false }), shown: null } as unknown as Stage;
  const engine = makeLive({ transport: 'flv', url: 'http://h/live/a.flv' }, stage, DEFAULTS, {
    state: (code, _, details) => {
      codes.push(code);
      reasons.push(details?.reason);
    },
    end: (end) => ends.push(end),
  });
  engine.start();
  const source = sources.at(-1) as Receiver;
  source.opened();
  source.data(joined(...FRONT, keyAt(0)));
  let ms = 0;
  /** Lets time pass, in which a picture comes each second. */
  const pass = async (seconds: number) => {
    for (let n = 0; n < seconds; n++) {
      ms += 1000;
      source.data(keyAt(ms));
      await vi.advanceTimersByTimeAsync(1000);
    }
  };
  return { engine, stage, codes, reasons, ends, pass, shown: () => FakeShowing.made.at(-1) as FakeShowing };
}

describe('before a gesture', () => {
  it('it waits at the live edge, however long: what has passed is let go', async () => {
    FakeShowing.mayPlay = false;
    const { codes, reasons, ends, pass, shown } = begun();
    await pass(1);
    expect([codes.at(-1), reasons.at(-1)]).toEqual([State.Loading, 'autoplay']);
    for (let n = 0; n < 20; n++) {
      shown().ahead += 1;
      await pass(1);
    }
    expect(shown().ahead).toBeLessThanOrEqual(DEFAULTS.maxCache + 1);
    expect(shown().sink.trim).toHaveBeenCalled();
    expect([FakeShowing.made.length, ends]).toEqual([1, []]);
  });

  it('it plays at the edge with the first', async () => {
    FakeShowing.mayPlay = false;
    const { stage, pass, shown } = begun();
    await pass(1);
    FakeShowing.mayPlay = true;
    const play = vi.spyOn(shown().video, 'play');
    shown().ahead = 8;
    stage.document.dispatchEvent(new Event('click'));
    expect(play).toHaveBeenCalled();
    expect(shown().ahead).toBeLessThanOrEqual(DEFAULTS.maxCache);
  });
});

describe('a decoder that cannot go on', () => {
  it('begins anew at a key frame, and says so', async () => {
    const { codes, pass, shown } = begun();
    await pass(1);
    shown().events.failed('damaged');
    shown().ahead = 0;
    await pass(1);
    expect(codes.filter((code) => code === State.VideoDecodeFailed)).toHaveLength(1);
    expect(FakeShowing.made.map(({ isClosed }) => isClosed)).toEqual([true, false]);
  });

  it('again and again is no stream for it', async () => {
    const { ends, pass, shown } = begun();
    for (let n = 0; n < 6; n++) {
      await pass(2);
      shown().events.failed('damaged');
      shown().ahead = 0;
    }
    expect(ends).toMatchObject([{ kind: 'unsupported', code: State.CodecUnsupported }]);
  });

  it('now and then is healed for as long as it plays', async () => {
    const { ends, pass, shown } = begun();
    for (let n = 0; n < 20; n++) {
      await pass(30);
      shown().events.failed('damaged');
      shown().ahead = 0;
    }
    await pass(2);
    expect(ends).toEqual([]);
    expect(FakeShowing.made).toHaveLength(21);
  });
});

describe('stopped at any moment', () => {
  it('it lets go of what it shows, and says nothing more', async () => {
    const { engine, codes, ends, pass } = begun();
    await pass(1);
    const said = codes.length;
    engine.stop();
    await vi.advanceTimersByTimeAsync(20_000);
    expect([codes.length, ends, FakeShowing.made.map(({ isClosed }) => isClosed)]).toEqual([said, [], [true]]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
