import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CaptureListener } from '../src/push/capture';
import { DEFAULTS, type Settings } from '../src/push/settings';
import { Studio } from '../src/push/studio';

/** The camera that a studio has opened: it notes how often it was opened anew, and is read. */
const camera = { reopened: 0, read: 0, isFront: true, muted: false };
const drawn: string[] = [];
const booth = { muted: false };

vi.mock('../src/push/capture', () => ({
  Capture: class {
    video = camera;
    tracks = [];
    hasSound = true;
    readonly #listener: CaptureListener;
    constructor(listener: CaptureListener) {
      this.#listener = listener;
    }
    get isFront() {
      return camera.isFront;
    }
    async open() {
      this.#listener.video(camera as unknown as MediaStreamTrack);
    }
    reopenCamera = () => {
      camera.reopened += 1;
    };
    close() {}
  },
}));
let give: (picture: VideoFrame) => void = () => {};
vi.mock('../src/push/pictures', () => ({
  readPictures: (_track: unknown, take: typeof give) => {
    camera.read += 1;
    give = take;
    return () => {};
  },
}));
vi.mock('../src/push/filter', () => ({
  filterOf: () => ({
    draw: (picture: { name?: string }) => drawn.push(picture.name ?? 'source') > 0,
    again: (_width: number, _height: number, { zoom }: { zoom: number }) =>
      drawn.push(zoom < 0.1 ? 'black' : 'again') > 0,
    close: () => {},
  }),
}));
vi.mock('../src/push/booth', () => ({
  Booth: class {
    setTracks() {}
    setReverb() {}
    setMuted = (muted: boolean) => {
      booth.muted = muted;
    };
    code() {}
    async close() {}
  },
}));

class FakeDocument extends EventTarget {
  hidden = false;
  hide(hidden: boolean): void {
    this.hidden = hidden;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}
class FakeBitmap {
  closed = false;
  constructor(readonly name: string) {}
  close(): void {
    this.closed = true;
  }
}

let page: FakeDocument;
let fetched: string[];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'performance'] });
  Object.assign(camera, { reopened: 0, read: 0, isFront: true });
  drawn.length = 0;
  booth.muted = false;
  page = new FakeDocument();
  fetched = [];
  vi.stubGlobal('document', page);
  vi.stubGlobal('ImageBitmap', FakeBitmap);
  vi.stubGlobal('fetch', async (url: string) => {
    fetched.push(url);
    return url.endsWith('missing.png') ? new Response('', { status: 404 }) : new Response('a picture');
  });
  vi.stubGlobal('createImageBitmap', async () => new FakeBitmap('waiting'));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

async function studioWith(settings: Partial<Settings> = {}) {
  const said: number[] = [];
  const canvas = { style: { transform: '' } };
  const listener = {
    state: (code: number) => void said.push(code),
    frame: () => {},
    shape: () => {},
    volume: () => {},
  };
  let set: Settings = { ...DEFAULTS, ...settings };
  const studio = new Studio(canvas as HTMLCanvasElement, set, 500, listener);
  await studio.open();
  /** The camera gives pictures for so long, 25 a second. */
  const film = async (ms: number) => {
    for (let at = 0; at < ms; at += 40) {
      give({ timestamp: at * 1000, displayWidth: 640, displayHeight: 360, close: () => {} } as VideoFrame);
      await pass(40);
    }
  };
  const change = (more: Partial<Settings>) => {
    set = { ...set, ...more };
    studio.set(set);
  };
  return { studio, said, canvas, film, change };
}

describe('a camera', () => {
  it('that gives nothing is read in another way, and then opened anew', async () => {
    const { studio } = await studioWith();
    expect(camera.read).toBe(1);
    await pass(2100);
    expect([camera.read, camera.reopened]).toEqual([2, 0]);
    await pass(2100);
    expect([camera.read, camera.reopened]).toEqual([2, 1]);
    await studio.close();
  });

  it('that rested while the page was hidden is not opened anew when that is back', async () => {
    const { studio, film } = await studioWith();
    await film(1000);
    page.hide(true);
    await pass(60_000);
    page.hide(false);
    await pass(1000);
    expect([camera.read, camera.reopened]).toEqual([1, 0]);
    await studio.close();
  });

  it('is not opened anew after a sleep of the whole machine', async () => {
    const { studio, film } = await studioWith();
    await film(1000);
    // Time has gone on, and no timer has.
    const now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now + 3_600_000);
    vi.advanceTimersByTime(60);
    expect([camera.read, camera.reopened]).toEqual([1, 0]);
    vi.restoreAllMocks();
    await studio.close();
  });
});

describe('the background', () => {
  it('goes on with pictures and sound, unless it was told not to', async () => {
    const { studio, film } = await studioWith();
    page.hide(true);
    drawn.length = 0;
    await film(400);
    expect([new Set(drawn), booth.muted]).toEqual([new Set(['source']), false]);
    await studio.close();
  });

  it('has the waiting image, and silence, where they are asked for', async () => {
    const { studio, film } = await studioWith({ waitingImage: '/waiting.png', backgroundMute: true });
    await film(400);
    page.hide(true);
    await pass(0);
    drawn.length = 0;
    await film(1000);
    expect([new Set(drawn), booth.muted]).toEqual([new Set(['waiting']), true]);
    page.hide(false);
    drawn.length = 0;
    await film(400);
    expect([new Set(drawn), booth.muted]).toEqual([new Set(['source']), false]);
    await studio.close();
  });

  it('is said to be one where the browser suspends the page', async () => {
    const { studio, said, film } = await studioWith();
    await film(400);
    page.dispatchEvent(new Event('freeze'));
    expect(said).toEqual([1007]);
    studio.code(true);
    page.dispatchEvent(new Event('freeze'));
    expect(said).toEqual([1007, 5000]);
    await studio.close();
    page.dispatchEvent(new Event('freeze'));
    expect(said).toEqual([1007, 5000]);
  });
});

describe('a pause', () => {
  it('is black and silent, or the waiting image', async () => {
    const { studio, film, change } = await studioWith();
    await film(400);
    studio.pause(true);
    drawn.length = 0;
    await film(1000);
    expect([new Set(drawn), booth.muted]).toEqual([new Set(['black']), true]);
    change({ waitingImage: '/waiting.png' });
    await pass(0);
    drawn.length = 0;
    await film(1000);
    expect([fetched, new Set(drawn)]).toEqual([['/waiting.png'], new Set(['waiting'])]);
    await studio.close();
  });

  it('stays black where the waiting image cannot be loaded: 10004', async () => {
    const { studio, said, film } = await studioWith({ waitingImage: '/missing.png' });
    await film(400);
    studio.pause(true);
    await pass(0);
    drawn.length = 0;
    await film(400);
    expect([said, new Set(drawn)]).toEqual([[1007, 10004], new Set(['black'])]);
    await studio.close();
  });

  it('keeps what was muted before', async () => {
    const { studio, change } = await studioWith();
    studio.pause(true);
    change({ muted: true });
    studio.pause(false);
    expect(booth.muted).toBe(true);
    change({ muted: false });
    expect(booth.muted).toBe(false);
    await studio.close();
  });
});

describe('the preview', () => {
  it.each([
    ['auto', false, true, 'scaleX(-1)'],
    ['auto', false, false, ''],
    ['auto', true, true, ''],
    ['enable', false, false, 'scaleX(-1)'],
    ['disable', false, true, ''],
    ['disable', true, true, 'scaleX(-1)'],
  ] as const)('mirror %s, viewers mirrored %s, front %s: %s', async (localMirror, remoteMirror, isFront, transform) => {
    camera.isFront = isFront;
    const { studio, canvas } = await studioWith({ localMirror, remoteMirror });
    expect(canvas.style.transform).toBe(transform);
    await studio.close();
  });
});
