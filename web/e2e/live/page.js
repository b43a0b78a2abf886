/**
 * Plays live, with our player or with mpegts.js, and keeps what it sees: when the first picture was there, and a few
 * times a second the number of the clock's bar code (docs/ref/clock.md). Neither player knows of it.
 */

import { LivePlayer } from '/sdk/live.js';

const host = document.getElementById('host');
const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
const context = canvas.getContext('2d', { willReadFrequently: true });

/** What the test reads. */
const seen = {
  states: [],
  statuses: [],
  playedAt: 0,
  firstPictureMs: null,
  /** Glass to glass: [ms since play, delay in ms, what waits in ms] */
  delays: [],
  /** When the picture had stood still for 800 ms though it played. */
  stalls: [],
  /** Since {@link listen}: [ms since 1970 at showing, number on the bar code or null], and ms since 1970 at the loudspeaker. */
  pictures: [],
  beeps: [],
};
window.seen = seen;
/** Of mpegts.js, like our listener's states. */
const say = (code, message, details = {}) =>
  seen.states.push({ ms: Math.round(performance.now() - seen.playedAt), code, message, ahead: ahead(), ...details });

/** What waits to be shown, s. */
function ahead() {
  const video = host.querySelector('video:not([hidden])');
  return video && video.buffered.length > 0 ? video.buffered.end(video.buffered.length - 1) - video.currentTime : 0;
}

window.playOurs = (url, options = {}) => {
  begin();
  const listener = { state: say, status: (status) => seen.statuses.push(status) };
  window.player ??= new LivePlayer(host, listener, options);
  window.player.set(options);
  window.player.play(url);
};

/** Told to hold the delay between the same bounds, by its own means. */
window.playTheirs = (url) => {
  begin();
  const video = document.createElement('video');
  host.append(video);
  const player = window.mpegts.createPlayer(
    { type: 'flv', isLive: true, url },
    {
      isLive: true,
      enableStashBuffer: false,
      liveBufferLatencyChasing: true,
      liveBufferLatencyMaxLatency: 3,
      liveBufferLatencyMinRemain: 1,
      enableWorker: false,
    },
  );
  player.attachMediaElement(video);
  player.load();
  player.play();
  window.theirs = player;
};

/** Looks at every picture from now on, and hears each beep begin. */
window.listen = async () => {
  const video = host.querySelector('video:not([hidden])');
  const audio = new AudioContext();
  await audio.audioWorklet.addModule('/rtc/ear.js');
  const ear = new AudioWorkletNode(audio, 'ear');
  const source = audio.createMediaElementSource(video);
  source.connect(audio.destination);
  // It has to be heard to be run.
  source.connect(ear).connect(audio.destination);
  ear.port.onmessage = ({ data }) => {
    const { contextTime, performanceTime } = audio.getOutputTimestamp();
    seen.beeps.push(performance.timeOrigin + performanceTime + (data - contextTime) * 1000);
  };
  const look = (_, { expectedDisplayTime }) => {
    context.drawImage(video, 0, 0, 640, 360);
    seen.pictures.push([performance.timeOrigin + expectedDisplayTime, barCode()]);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
};

function begin() {
  seen.playedAt = performance.now();
  seen.firstPictureMs = null;
}

window.quit = () => {
  window.player?.destroy();
  window.theirs?.destroy();
  host.replaceChildren();
};

// What a script does for the test counts as a person's gesture; this page plays without one.
if (location.hash) addEventListener('load', () => window.playOurs(decodeURIComponent(location.hash.slice(1))));

// Whoever puts a video there is watched.
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) for (const node of addedNodes) if (node.nodeName === 'VIDEO') watch(node);
}).observe(host, { childList: true });

const SAMPLE_MS = 200;
const STALL_MS = 800;

/** A timer, because a callback for each picture makes the page draw itself for each: the players shall pay for theirs. */
function watch(video) {
  video.requestVideoFrameCallback((_, { presentationTime }) => {
    seen.firstPictureMs ??= presentationTime - seen.playedAt;
  });
  let last = null;
  const timer = setInterval(() => {
    if (!video.isConnected) return clearInterval(timer);
    // What looking costs is more than what playing costs.
    if (window.isUnwatched) return;
    if (video.paused || video.hidden) {
      last = null;
      return;
    }
    const { totalVideoFrames: frames } = video.getVideoPlaybackQuality();
    const now = performance.now();
    if (frames === last?.frames && now - last.at > STALL_MS && !last.told) {
      last.told = true;
      seen.stalls.push({ ms: Math.round(now - seen.playedAt) });
    }
    if (frames !== last?.frames) last = { frames, at: now, told: false };
    context.drawImage(video, 0, 0, 640, 360);
    const shownAt = performance.timeOrigin + performance.now();
    const number = barCode();
    if (number === null) return;
    const delay = (((shownAt - number * 40) % 60_000) + 60_000) % 60_000;
    seen.delays.push([Math.round(now - seen.playedAt), Math.round(delay), Math.round(ahead() * 1000)]);
  }, SAMPLE_MS);
}

function barCode() {
  const upper = context.getImageData(0, 330, 640, 1).data;
  const lower = context.getImageData(0, 350, 640, 1).data;
  let number = 0;
  for (let cell = 0; cell < 16; cell++) {
    const at = 4 * (cell * 40 + 20) + 1;
    if (upper[at] > 125 === lower[at] > 125) return null;
    number = number * 2 + Number(upper[at] > 125);
  }
  return number < 1500 ? number : null;
}
