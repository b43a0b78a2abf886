// @vitest-environment happy-dom

import { type NetStatus, NO_STATUS, State } from '@thalweg/player';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { createLivePlayerContext, LivePlayer, PLAYER_METHODS } from '../src/live-player';

/** What would play: it notes what it is told, and lets a test speak in its place. */
const players: FakePlayer[] = [];
class FakePlayer {
  readonly told: string[] = [];
  readonly settings: Record<string, unknown>[] = [];

  constructor(
    readonly host: HTMLElement,
    readonly listener: {
      state(code: number, message: string, details: object): void;
      status(status: NetStatus): void;
      volume(volume: number): void;
    },
    options: object,
  ) {
    this.settings.push({ ...options });
    players.push(this);
  }

  set(options: object): void {
    this.settings.push({ ...options });
  }
  play(src: string): void {
    this.told.push(`play ${src}`);
  }
  stop(): void {
    this.told.push('stop');
  }
  pause(): void {
    this.told.push('pause');
  }
  resume(): void {
    this.told.push('resume');
  }
  destroy(): void {
    this.told.push('destroy');
  }
  snapshot(): Promise<never> {
    return Promise.reject(new Error('nothing is on the screen'));
  }
  get last(): Record<string, unknown> | undefined {
    return this.settings.at(-1);
  }
}

vi.mock('@thalweg/player', async (original) => ({
  ...(await original<object>()),
  Player: vi.fn(function (this: unknown, ...args: ConstructorParameters<typeof FakePlayer>) {
    return new FakePlayer(...args);
  }),
}));

customElements.define('live-player', LivePlayer);

/** An element in the page, with these attributes, once it has read them. */
async function place(attributes: Record<string, string> = {}): Promise<LivePlayer> {
  const element = document.createElement('live-player') as LivePlayer;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  document.body.append(element);
  await turn();
  return element;
}

/** One turn of the page's: what was put off within a task is done. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

const A = 'rtmp://host/live/a?txSecret=1&txTime=2';
const B = 'http://host/live/b.flv';
let warn: MockInstance<typeof console.warn>;

beforeEach(() => {
  players.length = 0;
  warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
});

afterEach(async () => {
  document.body.replaceChildren();
  await turn();
  vi.restoreAllMocks();
});

describe('its attributes', () => {
  it('are properties too, both ways', async () => {
    const element = await place({ 'min-cache': '2', 'object-fit': 'fillCrop', muted: '' });
    expect([element.minCache, element.objectFit, element.muted, element.maxCache]).toEqual([2, 'fillCrop', true, 3]);
    element.maxCache = 5;
    element.autoplay = true;
    element.autoPauseIfNavigate = false;
    expect(element.getAttribute('max-cache')).toBe('5');
    expect(element.getAttribute('autoplay')).toBe('true');
    expect(element.getAttribute('auto-pause-if-navigate')).toBe('false');
  });

  it('keep their defaults when they are bad, and say so once', async () => {
    const element = await place({ mode: 'rtc', 'min-cache': 'much', src: A, autoplay: '' });
    expect(players[0]?.last).toMatchObject({ mode: 'live', minCache: 1, maxCache: 3 });
    element.setAttribute('max-cache', '-1');
    await turn();
    expect(players[0]?.last).toMatchObject({ maxCache: 3 });
    element.muted = true;
    await turn();
    expect(warn.mock.calls.map(([said]) => said)).toEqual([
      '<live-player> mode="rtc" is not live, RTC; it stays live',
      '<live-player> min-cache="much" is not a number from 0 to 30; it stays 1',
      '<live-player> max-cache="-1" is not a number from 0 to 30; it stays 3',
    ]);
  });

  it('that a browser cannot honour are warned of once, where they ask for something', async () => {
    const element = await place({ 'sound-mode': 'ear', 'enable-casting': 'false' });
    element.debug = true;
    await turn();
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn).toHaveBeenCalledWith(
      '<live-player> sound-mode has no effect here: the system decides where it is heard',
    );
  });

  const CACHES: [min: string, max: string, minCache: number, maxCache: number][] = [
    ['0.1', '0.3', 1, 1],
    ['1', '1', 1, 1],
    ['5', '2', 5, 5],
    ['3', '5', 3, 5],
  ];
  it.each(CACHES)('min-cache %s and max-cache %s are %d and %d', async (min, max, minCache, maxCache) => {
    await place({ 'min-cache': min, 'max-cache': max, src: A, autoplay: '' });
    expect(players[0]?.last).toMatchObject({ minCache, maxCache });
    expect(warn).not.toHaveBeenCalled();
  });
});

describe('playing', () => {
  it('begins by itself with autoplay, whichever attribute comes first', async () => {
    await place({ autoplay: 'true', src: A });
    const late = await place({ src: B });
    expect(late.playing).toBe(false);
    late.autoplay = true;
    await turn();
    const later = await place({ autoplay: '' });
    later.src = A;
    await turn();
    expect(players.map((player) => player.told)).toEqual([[`play ${A}`], [`play ${B}`], [`play ${A}`]]);
  });

  it('goes over to another src, and with it to another mode', async () => {
    const element = await place({ src: A });
    await element.play();
    element.setAttribute('mode', 'RTC');
    element.src = B;
    await turn();
    expect(players[0]?.told).toEqual([`play ${A}`, `play ${B}`]);
    expect(players[0]?.last).toMatchObject({ mode: 'RTC' });
    element.removeAttribute('src');
    await turn();
    expect(players[0]?.told.at(-1)).toBe('stop');
    expect(element.playing).toBe(false);
  });

  it('once, when src is set and play is called in one task', async () => {
    const element = await place({ src: A, autoplay: '' });
    element.src = B;
    await element.play();
    await turn();
    expect(players[0]?.told).toEqual([`play ${A}`, `play ${B}`]);
  });

  it('does not begin by itself after a stop', async () => {
    const element = await place({ src: A, autoplay: '' });
    await element.stop();
    element.debug = true;
    await turn();
    expect(players[0]?.told).toEqual([`play ${A}`, 'stop']);
    element.src = B;
    await turn();
    expect(players[0]?.told.at(-1)).toBe(`play ${B}`);
  });

  it('goes on while the element moves within a task, and ends when it has left', async () => {
    const element = await place({ src: A, autoplay: '' });
    const other = document.createElement('section');
    document.body.append(other);
    other.append(element);
    await turn();
    expect(players[0]?.told).toEqual([`play ${A}`]);
    element.remove();
    await turn();
    expect(players[0]?.told).toEqual([`play ${A}`, 'destroy']);
    expect(element.playing).toBe(false);
    document.body.append(element);
    await turn();
    expect(players[1]?.told).toEqual([`play ${A}`]);
  });

  it('is over with the last code', async () => {
    for (const code of [State.GaveUp, State.Ended, State.CodecUnsupported]) {
      const element = await place({ src: A, autoplay: '' });
      const player = players.at(-1);
      player?.listener.state(code, 'it is over', {});
      expect(element.playing, String(code)).toBe(false);
      await expect(element.pause()).rejects.toThrow('it does not play');
      await element.play();
      expect(player?.told).toEqual([`play ${A}`, `play ${A}`]);
    }
  });
});

describe('the background', () => {
  let hidden = false;
  const hide = (is: boolean) => {
    hidden = is;
    document.dispatchEvent(new Event('visibilitychange'));
  };
  beforeEach(() => {
    hidden = false;
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  });

  it('is silent, unless it was asked not to be', async () => {
    const element = await place({ src: A, autoplay: '' });
    hide(true);
    expect(players[0]?.last).toMatchObject({ muted: true });
    await element.requestBackgroundPlayback();
    expect(players[0]?.last).toMatchObject({ muted: false });
    await element.exitBackgroundPlayback();
    expect(players[0]?.last).toMatchObject({ muted: true });
    hide(false);
    expect(players[0]?.last).toMatchObject({ muted: false });
  });

  it('of a page that was left is a pause', async () => {
    await place({ src: A, autoplay: '' });
    const other = await place({ src: B, autoplay: '', 'auto-pause-if-navigate': 'false' });
    window.dispatchEvent(new Event('pagehide'));
    window.dispatchEvent(new Event('pageshow'));
    expect(players.map((player) => player.told.slice(1))).toEqual([['pause', 'resume'], []]);
    expect(other.playing).toBe(true);
  });

  it("of a page that was left leaves the page's own pause alone", async () => {
    const element = await place({ src: A, autoplay: '' });
    await element.pause();
    window.dispatchEvent(new Event('pagehide'));
    window.dispatchEvent(new Event('pageshow'));
    expect(players[0]?.told.slice(1)).toEqual(['pause']);
  });
});

describe('events', () => {
  it('have the detail that a mini-program finds', async () => {
    const element = await place({ src: A, autoplay: '' });
    const heard: unknown[] = [];
    for (const type of ['statechange', 'netstatus', 'audiovolumenotify'] as const)
      element.addEventListener(type, (event) => heard.push([type, event.detail]));
    const { listener } = players[0] as FakePlayer;
    listener.state(State.SizeChanged, 'another size', { width: 640, height: 360 });
    listener.status({ ...NO_STATUS, videoFPS: 25 });
    listener.volume(40);
    expect(heard).toEqual([
      ['statechange', { code: 2009, message: 'another size', width: 640, height: 360 }],
      ['netstatus', { info: { ...NO_STATUS, videoFPS: 25 } }],
      ['audiovolumenotify', { volume: 40 }],
    ]);
    expect(element.status.videoFPS).toBe(25);
  });

  it('are shown as text by debug, whatever they say', async () => {
    const element = await place({ src: A, autoplay: '', debug: '' });
    const hostile = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
    players[0]?.listener.state(State.ConnectFailed, hostile, { reason: hostile });
    const overlay = element.shadowRoot?.querySelector('[part=overlay]');
    expect(overlay?.querySelectorAll('img, script')).toHaveLength(0);
    expect(overlay?.textContent).toContain(hostile);
    for (let i = 0; i < 100; i += 1) players[0]?.listener.state(State.Loading, `event ${i}`, {});
    expect(overlay?.querySelectorAll('li')).toHaveLength(60);
    element.debug = false;
    await turn();
    expect(element.shadowRoot?.querySelector('[part=overlay]')).toBeNull();
  });
});

describe('its looks', () => {
  const turnOf = (element: LivePlayer) => element.shadowRoot?.querySelector('.frame')?.className;

  it('are turned and cropped as attributes say', async () => {
    const element = await place();
    expect(turnOf(element)).toBe('frame');
    element.orientation = 'horizontal';
    element.objectFit = 'fillCrop';
    await turn();
    expect(turnOf(element)?.split(' ').sort()).toEqual(['crop', 'frame', 'left']);
    element.removeAttribute('orientation');
    await turn();
    expect(turnOf(element)).toBe('frame crop');
  });

  it("hide the browser's own fullscreenchange, and tell ours", async () => {
    const element = await place();
    const heard: unknown[] = [];
    document.body.addEventListener('fullscreenchange', (event) => heard.push((event as CustomEvent).detail));
    const frame = element.shadowRoot?.querySelector('.frame');
    frame?.dispatchEvent(new Event('fullscreenchange', { bubbles: true, composed: true }));
    expect(heard).toEqual([{ direction: 0, fullScreen: false }]);
  });
});

describe('methods', () => {
  it('answer by callbacks and by promise', async () => {
    const element = await place({ src: A });
    const said: unknown[] = [];
    const success = (result: object) => said.push(['success', result]);
    const fail = (error: object) => said.push(['fail', error]);
    const complete = (result: object) => said.push(['complete', result]);
    await element.play({ success, fail, complete });
    await expect(element.snapshot({ success, fail })).rejects.toThrow('nothing is on the screen');
    element.removeAttribute('src');
    await turn();
    await expect(element.play({ fail })).rejects.toThrow();
    await expect(element.startCasting({ complete })).rejects.toThrow('not supported');
    expect(said).toEqual([
      ['success', { errMsg: 'play:ok' }],
      ['complete', { errMsg: 'play:ok' }],
      ['fail', { errMsg: 'snapshot:fail nothing is on the screen' }],
      ['fail', { errMsg: 'play:fail there is no src', errCode: -1 }],
      ['complete', { errMsg: 'startCasting:fail not supported: a browser does not cast it' }],
    ]);
  });

  it('mute turns the sound off and on', async () => {
    const element = await place({ muted: 'false' });
    await element.mute();
    expect(element.muted).toBe(true);
    await element.mute();
    expect(element.muted).toBe(false);
  });

  it('are those of its context, which looks for it each time', async () => {
    const context = createLivePlayerContext('it');
    const fail = vi.fn();
    await expect(context.play({ fail })).rejects.toThrow('there is no <live-player> with the id it');
    expect(fail).toHaveBeenCalledOnce();
    const element = await place({ id: 'it', src: A });
    await context.play();
    expect(element.playing).toBe(true);
    await context.stop();
    expect(players[0]?.told).toEqual([`play ${A}`, 'stop']);
    expect(Object.keys(context)).toEqual([...PLAYER_METHODS]);
  });
});
