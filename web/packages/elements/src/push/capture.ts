/** Where pictures and sound come from: camera and microphone, the screen, or a stream that the page made. */

import { wordsOf } from './words';

/** `camera` stands for the microphone too. */
export type Source = 'camera' | 'screen' | MediaStream;

export interface Wishes {
  source: Source;
  camera: boolean;
  mic: boolean;
  position: 'front' | 'back';
  /** What the picture will be: the camera is asked for one that holds it. */
  width: number;
  height: number;
  fps: number;
  gainControl: boolean;
  noiseSuppression: boolean;
  autoFocus: boolean;
}

/** Whom a capture tells. */
export interface CaptureListener {
  /** 1003 and 1004 when something opened; what is negative, or 10001 and 10002, when it did not, or is gone. */
  state(code: number, message: string): void;
  /** There is another track of pictures, or none any more. */
  video(track: MediaStreamTrack | null): void;
  /** There are other tracks of sound. */
  audio(tracks: readonly MediaStreamTrack[]): void;
}

export class Capture {
  readonly #listener: CaptureListener;
  #wishes: Wishes | null = null;
  #video: MediaStreamTrack | null = null;
  #mic: MediaStreamTrack | null = null;
  /** Sound that came with pictures: of the screen, or of a given stream. */
  #along: MediaStreamTrack[] = [];
  /** Moves with each change: who finds another one when a device has opened lets go of it. */
  #turn = 0;
  /** The newest opening, until all that it can open is open. */
  #opening: Promise<void> = Promise.resolve();
  /** Devices were asked for, until they are given or denied. */
  #asking: Promise<void> = Promise.resolve();
  #retry: ReturnType<typeof setTimeout> | null = null;
  /** What could not be opened, or is gone, and may come. */
  readonly #missing = new Set<'camera' | 'mic'>();

  constructor(listener: CaptureListener) {
    this.#listener = listener;
  }

  get video(): MediaStreamTrack | null {
    return this.#video;
  }

  /** What is heard. */
  get tracks(): readonly MediaStreamTrack[] {
    return this.#mic ? [this.#mic, ...this.#along] : this.#along;
  }

  /** Whether there is a microphone, or sound that came with pictures. */
  get hasSound(): boolean {
    return this.tracks.length > 0;
  }

  /** Whether the picture is one that people expect to see as in a mirror. */
  get isFront(): boolean {
    const { source, position } = this.#wishes ?? {};
    return source === 'camera' && (this.#video?.getSettings().facingMode ?? facingOf(position ?? 'front')) === 'user';
  }

  /**
   * Opens what is wished for, and lets go of what is not any more. Answers when all that can open is open: of what was
   * wished for last, if that changed meanwhile.
   */
  async open(wishes: Wishes): Promise<void> {
    const before = this.#wishes;
    this.#wishes = wishes;
    this.#turn += 1;
    const turn = this.#turn;
    const isOther = before?.source !== wishes.source;
    if (isOther || !wishes.camera || before?.position !== wishes.position) this.#dropVideo();
    if (isOther || !wishes.mic || !isSameMic(before, wishes)) this.#dropMic();
    // A screen's own sound is no microphone.
    if (isOther || (!wishes.mic && wishes.source !== 'screen')) this.#dropAlong();
    if (before?.autoFocus !== wishes.autoFocus) void this.#focus();
    navigator.mediaDevices?.addEventListener('devicechange', this.#again);
    this.#opening = this.#openSource(wishes, turn);
    for (let opening: Promise<void> | null = null; opening !== this.#opening; ) {
      opening = this.#opening;
      await opening;
    }
  }

  /** Opens the camera anew: it is there, and sends nothing. */
  reopenCamera(): void {
    const wishes = this.#wishes;
    if (!wishes) return;
    this.#dropVideo();
    void this.open(wishes);
  }

  /** Lets go of everything. */
  close(): void {
    this.#turn += 1;
    this.#wishes = null;
    this.#opening = Promise.resolve();
    if (this.#retry) clearTimeout(this.#retry);
    this.#retry = null;
    navigator.mediaDevices?.removeEventListener('devicechange', this.#again);
    this.#missing.clear();
    this.#dropVideo();
    this.#dropMic();
    this.#dropAlong();
  }

  /** Turns the lamp on or off. @throws where there is none. */
  async setTorch(on: boolean): Promise<void> {
    await this.#constrain('torch', on);
  }

  /** How far the camera itself magnifies; `null` where it does not. */
  get zoomRange(): { min: number; max: number } | null {
    const range = (capabilities(this.#video) as { zoom?: { min: number; max: number } }).zoom;
    return range && range.max > range.min ? range : null;
  }

  async setZoom(zoom: number): Promise<void> {
    await this.#constrain('zoom', zoom);
  }

  async #openSource(wishes: Wishes, turn: number): Promise<void> {
    if (wishes.source === 'camera') await this.#openDevices(wishes, turn);
    else if (wishes.source === 'screen') await this.#openScreen(wishes, turn);
    else this.#openGiven(wishes.source, wishes);
  }

  async #constrain(name: string, value: unknown): Promise<void> {
    if (!this.#video || !(name in capabilities(this.#video))) throw new Error(`the camera has no ${name}`);
    await this.#video.applyConstraints({ advanced: [{ [name]: value } as MediaTrackConstraintSet] });
  }

  async #openDevices(wishes: Wishes, turn: number): Promise<void> {
    const video = wishes.camera && !this.#video ? videoConstraints(wishes, await otherCamera(wishes)) : false;
    const audio = wishes.mic && !this.#mic ? audioConstraints(wishes) : false;
    if (!video && !audio) return;
    if (turn !== this.#turn) return;
    if (!navigator.mediaDevices) {
      // A page that is no secure context has no devices, and would not get them.
      const why = window.isSecureContext ? 'this browser has no devices' : 'the page is no secure context: use https';
      if (video) this.#denied('camera', why);
      if (audio) this.#denied('mic', why);
      return;
    }
    // Asked for at once, so that people are asked once; one by one only to learn which of them is missing.
    if (video && audio && (await this.#ask({ video, audio }, turn, () => {}))) return;
    const fail = (kind: 'camera' | 'mic') => (error: unknown) => this.#deviceFailed(kind, error);
    if (video) await this.#ask({ video }, turn, fail('camera'));
    if (audio) await this.#ask({ audio }, turn, fail('mic'));
  }

  /** Answers whether it opened, or nobody wants it any more. */
  async #ask(constraints: MediaStreamConstraints, turn: number, fail: (error: unknown) => void): Promise<boolean> {
    // One after the other: people are asked one thing at a time, and a device that is open twice has the settings of
    // whoever came first.
    const isWanted = () => turn === this.#turn;
    const given = this.#asking.then(() => (isWanted() ? navigator.mediaDevices.getUserMedia(constraints) : null));
    this.#asking = given.then(
      () => {},
      () => {},
    );
    let stream: MediaStream | null;
    try {
      stream = await given;
    } catch (error) {
      if (!isWanted()) return true;
      fail(error);
      return false;
    }
    if (!stream) return true;
    const [video, mic] = [stream.getVideoTracks()[0], stream.getAudioTracks()[0]];
    if (!isWanted()) {
      for (const track of stream.getTracks()) track.stop();
      return true;
    }
    if (video) {
      this.#listener.state(1003, 'camera opened');
      this.#setVideo(video, () => this.#failed('camera', 'the camera is gone'));
      void this.#focus();
    }
    if (mic) this.#setMic(mic);
    return true;
  }

  async #openScreen(wishes: Wishes, turn: number): Promise<void> {
    if (wishes.camera && !this.#video) {
      try {
        const { fps } = wishes;
        const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: fps }, audio: true });
        if (turn !== this.#turn) {
          for (const track of stream.getTracks()) track.stop();
          return;
        }
        this.#listener.state(1004, 'screen capture started');
        this.#take(stream, wishes);
      } catch (error) {
        if (turn !== this.#turn) return;
        this.#listener.state(-1308, `the screen is not captured: ${wordsOf(error)}`);
      }
    }
    if (wishes.mic && !this.#mic && turn === this.#turn) {
      await this.#ask({ audio: audioConstraints(wishes) }, turn, (error) => this.#deviceFailed('mic', error));
    }
  }

  #openGiven(stream: MediaStream, wishes: Wishes): void {
    this.#take(stream, wishes);
    if (this.#video || this.hasSound) return;
    if (wishes.camera) this.#listener.state(-1301, 'the stream has no pictures');
    if (wishes.mic) this.#listener.state(-1302, 'the stream has no sound');
  }

  /** Takes a stream's tracks; copies of them, because who made a stream may use it elsewhere. */
  #take(stream: MediaStream, wishes: Wishes): void {
    const isScreen = wishes.source === 'screen';
    const ours = (track: MediaStreamTrack) => (isScreen ? track : track.clone());
    const video = stream.getVideoTracks()[0];
    if (video && wishes.camera && !this.#video) {
      const gone = () => this.#listener.state(isScreen ? -1310 : -1301, 'the pictures have ended');
      this.#setVideo(ours(video), gone);
    }
    if (this.#along.length > 0) return;
    this.#along = (isScreen || wishes.mic ? stream.getAudioTracks() : []).map(ours);
    this.#tellAudio();
  }

  #setVideo(track: MediaStreamTrack, gone: () => void): void {
    this.#video = track;
    track.onended = () => {
      if (this.#video !== track) return;
      this.#dropVideo();
      gone();
    };
    this.#listener.video(track);
  }

  #setMic(track: MediaStreamTrack): void {
    this.#mic = track;
    track.onended = () => {
      if (this.#mic !== track) return;
      this.#dropMic();
      this.#failed('mic', 'the microphone is gone');
    };
    track.onmute = () => {
      if (this.#mic === track) this.#listener.state(-1311, 'the microphone is silent: the system gives no sound of it');
    };
    this.#tellAudio();
  }

  #deviceFailed(kind: 'camera' | 'mic', error: unknown): void {
    const isDenied =
      error instanceof DOMException && (error.name === 'NotAllowedError' || error.name === 'SecurityError');
    if (isDenied) this.#denied(kind, wordsOf(error));
    else this.#failed(kind, wordsOf(error));
  }

  /** Not asked for again by itself. */
  #denied(kind: 'camera' | 'mic', why: string): void {
    this.#listener.state(kind === 'camera' ? 10001 : 10002, `${NAMES[kind]} is denied: ${why}`);
    this.#listener.state(CANNOT_OPEN[kind], `${NAMES[kind]} cannot be opened: ${why}`);
  }

  /** What is missing may be plugged in. */
  #failed(kind: 'camera' | 'mic', why: string): void {
    this.#listener.state(CANNOT_OPEN[kind], `${NAMES[kind]} cannot be opened: ${why}`);
    this.#missing.add(kind);
  }

  /** A device came or went: tries what is missing, once things have calmed down. */
  readonly #again = (): void => {
    if (this.#missing.size === 0 || this.#retry) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#missing.clear();
      if (this.#wishes) void this.open(this.#wishes);
    }, CALM_MS);
  };

  /** As is wished for; a camera of the page's own is not ours to turn. */
  async #focus(): Promise<void> {
    const track = this.#video;
    if (!track || this.#wishes?.source !== 'camera') return;
    const modes = (capabilities(track) as { focusMode?: string[] }).focusMode ?? [];
    const mode = this.#wishes.autoFocus ? 'continuous' : 'manual';
    if (!modes.includes(mode)) return;
    await track.applyConstraints({ advanced: [{ focusMode: mode } as MediaTrackConstraintSet] }).catch(() => {});
  }

  #dropVideo(): void {
    if (!this.#video) return;
    this.#video.onended = null;
    this.#video.stop();
    this.#video = null;
    this.#listener.video(null);
  }

  #dropMic(): void {
    if (!this.#mic) return;
    this.#mic.onended = this.#mic.onmute = null;
    this.#mic.stop();
    this.#mic = null;
    this.#tellAudio();
  }

  #dropAlong(): void {
    for (const track of this.#along) track.stop();
    if (this.#along.length === 0) return;
    this.#along = [];
    this.#tellAudio();
  }

  #tellAudio(): void {
    this.#listener.audio(this.tracks);
  }
}

function videoConstraints({ position, width, height, fps }: Wishes, deviceId: string | null): MediaTrackConstraints {
  // Phones turn the camera's picture with the phone; computers do not: its long side has to hold ours.
  const [long, short] = [Math.max(width, height), Math.min(width, height)];
  const size = { width: { ideal: long }, height: { ideal: short }, frameRate: { ideal: Math.max(fps, 15) } };
  return deviceId ? { ...size, deviceId: { exact: deviceId } } : { ...size, facingMode: { ideal: facingOf(position) } };
}

function audioConstraints({ gainControl, noiseSuppression }: Wishes): MediaTrackConstraints {
  return { echoCancellation: true, autoGainControl: gainControl, noiseSuppression, channelCount: { ideal: 1 } };
}

/** Where no camera says which way it looks, the second one is the back. */
async function otherCamera({ position, camera }: Wishes): Promise<string | null> {
  if (position === 'front' || !camera || !navigator.mediaDevices?.enumerateDevices) return null;
  const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
  const cameras = devices.filter(({ kind }) => kind === 'videoinput');
  const isKnown = cameras.some((device) => facingModes(device).length > 0);
  return isKnown ? null : cameras[1]?.deviceId || null;
}

function facingModes(device: MediaDeviceInfo): readonly string[] {
  return (device as Partial<InputDeviceInfo>).getCapabilities?.().facingMode ?? [];
}

function capabilities(track: MediaStreamTrack | null): MediaTrackCapabilities {
  return track?.getCapabilities?.() ?? {};
}

function isSameMic(before: Wishes | null, { gainControl, noiseSuppression }: Wishes): boolean {
  return before?.gainControl === gainControl && before.noiseSuppression === noiseSuppression;
}

function facingOf(position: 'front' | 'back'): string {
  return position === 'front' ? 'user' : 'environment';
}

const CANNOT_OPEN = { camera: -1301, mic: -1302 } as const;
const NAMES = { camera: 'the camera', mic: 'the microphone' } as const;
/** A device that is plugged in is told of several times. */
const CALM_MS = 500;
