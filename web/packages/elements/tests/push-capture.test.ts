import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Capture, type Wishes } from '../src/push/capture';

/** A track as a device gives it: it notes what is asked of it. */
class FakeTrack extends EventTarget {
  readyState: 'live' | 'ended' = 'live';
  onended: (() => void) | null = null;
  onmute: (() => void) | null = null;
  readonly asked: object[] = [];

  constructor(
    readonly kind: 'audio' | 'video',
    readonly capabilities: object = {},
  ) {
    super();
  }
  getSettings = () => ({});
  getCapabilities = () => this.capabilities;
  async applyConstraints({ advanced }: { advanced: object[] }): Promise<void> {
    this.asked.push(...advanced);
  }
  clone = () => new FakeTrack(this.kind, this.capabilities);
  stop(): void {
    this.readyState = 'ended';
  }
}

class FakeStream {
  constructor(readonly tracks: FakeTrack[]) {}
  getTracks = () => this.tracks;
  getVideoTracks = () => this.tracks.filter(({ kind }) => kind === 'video');
  getAudioTracks = () => this.tracks.filter(({ kind }) => kind === 'audio');
}

type Asked = { video?: object | boolean; audio?: object | boolean };

/** What a browser has: `ask` and `share` answer what is asked for, at once. */
class FakeDevices extends EventTarget {
  readonly asked: Asked[] = [];
  capabilities: object = {};
  ask = async ({ video, audio }: Asked): Promise<FakeStream> => this.stream(video, audio);
  share = async (): Promise<FakeStream> => this.stream(true, true);

  stream(video: unknown, audio: unknown): FakeStream {
    const tracks = [...(video ? [new FakeTrack('video', this.capabilities)] : [])];
    return new FakeStream([...tracks, ...(audio ? [new FakeTrack('audio')] : [])]);
  }
  getUserMedia = (asked: Asked) => {
    this.asked.push(asked);
    return this.ask(asked);
  };
  getDisplayMedia = () => this.share();
  enumerateDevices = async () => [];
}

const WISHES: Wishes = {
  source: 'camera',
  camera: true,
  mic: true,
  position: 'front',
  width: 360,
  height: 640,
  fps: 15,
  gainControl: false,
  noiseSuppression: false,
  autoFocus: true,
};

let devices: FakeDevices;
beforeEach(() => {
  devices = new FakeDevices();
  vi.stubGlobal('navigator', { mediaDevices: devices });
  vi.stubGlobal('window', { isSecureContext: true });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function capturing() {
  const said: number[] = [];
  const heard: FakeTrack[][] = [];
  const capture = new Capture({
    state: (code) => said.push(code),
    video: () => {},
    audio: (tracks) => heard.push(tracks as unknown as FakeTrack[]),
  });
  const video = () => capture.video as unknown as FakeTrack | null;
  const sound = () => capture.tracks as unknown as FakeTrack[];
  return { capture, said, heard, video, sound };
}

const settle = () => new Promise((resolve) => setTimeout(resolve));
const denied = async () => {
  throw new DOMException('', 'NotAllowedError');
};
const none = async () => {
  throw new DOMException('', 'NotFoundError');
};

describe('camera and microphone', () => {
  it('are asked for at once, and told of', async () => {
    const { capture, said, video, sound } = capturing();
    await capture.open(WISHES);
    expect(said).toEqual([1003]);
    expect(devices.asked).toEqual([{ video: expect.anything(), audio: expect.anything() }]);
    expect([video()?.readyState, sound().length]).toEqual(['live', 1]);
  });

  it('denied are 10001 and 10002, and not asked for again by themselves', async () => {
    vi.useFakeTimers();
    devices.ask = denied;
    const { capture, said } = capturing();
    await capture.open(WISHES);
    expect(said).toEqual([10001, -1301, 10002, -1302]);
    const { length } = devices.asked;
    devices.dispatchEvent(new Event('devicechange'));
    await vi.advanceTimersByTimeAsync(2000);
    expect(devices.asked).toHaveLength(length);
  });

  it('are 10001 and 10002 as well where there are none to ask: the page is not secure', async () => {
    vi.stubGlobal('navigator', {});
    vi.stubGlobal('window', { isSecureContext: false });
    const { capture, said } = capturing();
    await capture.open(WISHES);
    expect(said).toEqual([10001, -1301, 10002, -1302]);
    expect([capture.video, capture.hasSound]).toEqual([null, false]);
  });

  it.each([
    ['video', -1301, 1003],
    ['audio', -1302, null],
  ] as const)('unplugged are said to be gone, and opened when they are back: %s', async (kind, gone, back) => {
    vi.useFakeTimers();
    const { capture, said, video, sound } = capturing();
    await capture.open(WISHES);
    const track = kind === 'video' ? video() : sound()[0];
    track?.onended?.();
    expect(said).toEqual([1003, gone]);
    devices.dispatchEvent(new Event('devicechange'));
    devices.dispatchEvent(new Event('devicechange'));
    await vi.advanceTimersByTimeAsync(1000);
    expect(devices.asked.slice(1)).toEqual([{ [kind]: expect.anything() }]);
    expect(said.slice(2)).toEqual(back === null ? [] : [back]);
    expect([video()?.readyState, sound()[0]?.readyState]).toEqual(['live', 'live']);
  });

  it('missing, they leave the other one', async () => {
    devices.ask = ({ video, audio }) => (video ? none() : Promise.resolve(devices.stream(false, audio)));
    const { capture, said, video, sound } = capturing();
    await capture.open(WISHES);
    expect(said).toEqual([-1301]);
    expect([video(), sound().length]).toEqual([null, 1]);
  });

  it('answers when what is wished for last is open, also where people were still being asked', async () => {
    const answers: (() => void)[] = [];
    devices.ask = ({ video, audio }) =>
      new Promise((resolve) => answers.push(() => resolve(devices.stream(video, audio))));
    const { capture, said, video } = capturing();
    let isOpen = false;
    const first = capture.open(WISHES).then(() => {
      isOpen = true;
    });
    await settle();
    void capture.open({ ...WISHES, gainControl: true });
    await settle();
    // People are asked one thing at a time; and of a device that is open twice both have the same settings.
    expect(answers).toHaveLength(1);
    answers[0]?.();
    await settle();
    expect([isOpen, video()]).toEqual([false, null]);
    answers[1]?.();
    expect(answers).toHaveLength(2);
    await first;
    expect(said).toEqual([1003]);
    expect(video()?.readyState).toBe('live');
  });

  it('says so when the microphone is silenced from outside', async () => {
    const { capture, said, sound } = capturing();
    await capture.open(WISHES);
    sound()[0]?.onmute?.();
    expect(said).toEqual([1003, -1311]);
  });

  it('lets go of what opens after it was closed', async () => {
    let answer = () => {};
    const stream = devices.stream(true, true);
    devices.ask = () => new Promise((resolve) => (answer = () => resolve(stream)));
    const { capture, said } = capturing();
    const opening = capture.open(WISHES);
    await settle();
    capture.close();
    answer();
    await opening;
    expect(stream.tracks.map(({ readyState }) => readyState)).toEqual(['ended', 'ended']);
    expect(said).toEqual([]);
  });
});

describe('the camera', () => {
  it('focuses as it is told, at once', async () => {
    devices.capabilities = { focusMode: ['manual', 'continuous'] };
    const { capture, video } = capturing();
    await capture.open(WISHES);
    await capture.open({ ...WISHES, autoFocus: false });
    await capture.open({ ...WISHES, autoFocus: true });
    expect(video()?.asked).toEqual([{ focusMode: 'continuous' }, { focusMode: 'manual' }, { focusMode: 'continuous' }]);
    await capture.open({ ...WISHES, autoFocus: true, noiseSuppression: true });
    expect(video()?.asked).toHaveLength(3);
  });

  it('is another one on the other side, and the microphone stays', async () => {
    const { capture, video, sound } = capturing();
    await capture.open(WISHES);
    const [front, mic] = [video(), sound()[0]];
    await capture.open({ ...WISHES, position: 'back' });
    expect(front?.readyState).toBe('ended');
    expect(devices.asked[1]).toMatchObject({ video: { facingMode: { ideal: 'environment' } } });
    expect(sound()).toEqual([mic]);
  });

  it('has a lamp and a lens where it says so', async () => {
    devices.capabilities = { torch: true, zoom: { min: 1, max: 5 } };
    const { capture, video } = capturing();
    await capture.open(WISHES);
    expect(capture.zoomRange).toEqual({ min: 1, max: 5 });
    await capture.setTorch(true);
    await capture.setZoom(3);
    expect(video()?.asked).toEqual([{ torch: true }, { zoom: 3 }]);
    devices.capabilities = {};
    await capture.open({ ...WISHES, position: 'back' });
    expect(capture.zoomRange).toBe(null);
    await expect(capture.setTorch(true)).rejects.toThrow('no torch');
  });
});

describe('the microphone', () => {
  it('is asked for anew with another gain control or noise suppression', async () => {
    const { capture, video, sound } = capturing();
    await capture.open(WISHES);
    const [camera, mic] = [video(), sound()[0]];
    await capture.open({ ...WISHES, gainControl: true, noiseSuppression: true });
    expect(mic?.readyState).toBe('ended');
    expect(devices.asked[1]).toEqual({
      audio: expect.objectContaining({ echoCancellation: true, autoGainControl: true, noiseSuppression: true }),
    });
    expect(video()).toBe(camera);
  });
});

describe('the screen', () => {
  const SCREEN: Wishes = { ...WISHES, source: 'screen' };

  it('is 1004, with its own sound and the microphone', async () => {
    const { capture, said, sound } = capturing();
    await capture.open(SCREEN);
    expect(said).toEqual([1004]);
    expect(sound()).toHaveLength(2);
    expect(devices.asked).toEqual([{ audio: expect.anything() }]);
  });

  it('that nobody chose is -1308', async () => {
    devices.share = denied;
    const { capture, said, video, sound } = capturing();
    await capture.open(SCREEN);
    expect(said).toEqual([-1308]);
    expect([video(), sound().length]).toEqual([null, 1]);
  });

  it('that is ended from outside is -1310', async () => {
    const { capture, said, video } = capturing();
    await capture.open(SCREEN);
    const track = video();
    track?.onended?.();
    expect(said).toEqual([1004, -1310]);
    expect([video(), track?.readyState]).toEqual([null, 'ended']);
  });

  it('goes when the camera comes', async () => {
    const { capture, said, video, sound } = capturing();
    await capture.open(SCREEN);
    const shared = [video(), ...sound()];
    await capture.open(WISHES);
    expect(said).toEqual([1004, 1003]);
    expect(shared.map((track) => track?.readyState)).toEqual(['ended', 'ended', 'ended']);
    expect(sound()).toHaveLength(1);
  });
});

describe("a stream of the page's", () => {
  const given = (video: boolean, audio: boolean) => new FakeStream(devices.stream(video, audio).tracks);
  const wishes = (stream: FakeStream, more: Partial<Wishes> = {}): Wishes => {
    return { ...WISHES, source: stream as unknown as MediaStream, ...more };
  };

  it("is copied, and stays the page's", async () => {
    const stream = given(true, true);
    const { capture, said, video, sound } = capturing();
    await capture.open(wishes(stream));
    expect([said, devices.asked]).toEqual([[], []]);
    const ours = [video(), ...sound()];
    capture.close();
    expect(ours.map((track) => track?.readyState)).toEqual(['ended', 'ended']);
    expect(stream.tracks.map(({ readyState }) => readyState)).toEqual(['live', 'live']);
  });

  it('is silenced by enable-mic at once, and heard again', async () => {
    const stream = given(true, true);
    const { capture, sound, heard } = capturing();
    await capture.open(wishes(stream));
    const before = sound();
    await capture.open(wishes(stream, { mic: false }));
    expect([sound(), heard.at(-1)]).toEqual([[], []]);
    expect(before[0]?.readyState).toBe('ended');
    await capture.open(wishes(stream));
    expect(heard.at(-1)?.map(({ readyState }) => readyState)).toEqual(['live']);
  });

  it('that has nothing of what is wished for is told of', async () => {
    const { capture, said } = capturing();
    await capture.open(wishes(given(false, false)));
    expect(said).toEqual([-1301, -1302]);
    await capture.open(wishes(given(false, true)));
    expect(said).toHaveLength(2);
  });

  it('whose pictures end is -1301', async () => {
    const { capture, said, video } = capturing();
    await capture.open(wishes(given(true, false)));
    video()?.onended?.();
    expect(said).toEqual([-1301]);
  });
});
