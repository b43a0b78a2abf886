/**
 * Plays in RTC mode and keeps what it sees and hears: of each picture that is drawn the number of the clock's bar code
 * (docs/ref/clock.md), and when each beep begins at the loudspeaker. The player does not know of it.
 */

import { makeRtc, Player, Stage } from '/sdk/rtc.js';
import { watchDrawing } from './drawn.js';

/** What the test reads. */
const seen = {
  states: [],
  ends: [],
  statuses: [],
  volumes: [],
  /** [ms since 1970 at drawing, number on the bar code or null, media time in ms] */
  pictures: [],
  /** ms since 1970 at the loudspeaker. */
  beeps: [],
  playedAt: 0,
  firstPictureMs: null,
};
window.seen = seen;

let engine = null;

window.play = (place, settings = {}) => {
  const stage = new Stage(document.getElementById('host'));
  const all = { minCache: 1, maxCache: 3, autoCache: true, muted: false, stutterMs: 800, ...settings };
  seen.playedAt = performance.now();
  engine = makeRtc(place, stage, all, {
    state: (code, message, details) =>
      seen.states.push({ ms: Math.round(performance.now() - seen.playedAt), code, message, ...details }),
    volume: (volume) => seen.volumes.push(volume),
    end: (end) => seen.ends.push(end),
  });
  window.engine = engine;
  window.stage = stage;
  engine.start();
};

/** As a page does it: by a URL, and with all that a player adds to an engine. */
window.playUrl = ({ tcUrl, name, origin }) => {
  seen.playedAt = performance.now();
  const listener = {
    state: (code, message, details) =>
      seen.states.push({ ms: Math.round(performance.now() - seen.playedAt), code, message, ...details }),
    status: () => {},
    volume: (volume) => seen.volumes.push(volume),
  };
  const player = new Player(document.getElementById('host'), listener, { mode: 'RTC', httpOrigin: origin });
  engine = { stop: () => player.destroy(), status: () => player.status };
  player.play(`${tcUrl}/${name}`);
};

const statusTimer = setInterval(() => engine && seen.statuses.push(engine.status()), 1000);
window.quit = () => {
  engine?.stop();
  clearInterval(statusTimer);
};

watchDrawing((record) => {
  seen.firstPictureMs ??= performance.now() - seen.playedAt;
  seen.pictures.push(record);
});

// What goes to the loudspeaker goes to our ear too, with the context's time of its onset.
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  const made = connect.call(this, to, ...rest);
  if (to === this.context.destination && !this.isEar) listen(this).catch((error) => console.error(String(error)));
  return made;
};

async function listen(node) {
  const context = node.context;
  await context.audioWorklet.addModule('ear.js');
  const ear = new AudioWorkletNode(context, 'ear');
  ear.isEar = true;
  connect.call(node, ear);
  // It has to be heard to be run.
  connect.call(ear, context.destination);
  ear.port.onmessage = ({ data }) => {
    const { contextTime, performanceTime } = context.getOutputTimestamp();
    const at = performanceTime + (data - contextTime) * 1000;
    seen.beeps.push(performance.timeOrigin + at);
  };
}

/**
 * What a page in a tab that nobody looks at goes through: no animation frames. Headless browsers never hide a tab, so
 * it is played here.
 */
window.hide = (hidden) => {
  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
  Object.defineProperty(document, 'visibilityState', { value: hidden ? 'hidden' : 'visible', configurable: true });
  window.requestAnimationFrame = hidden ? (run) => -postponed.push(run) : requestFrame;
  if (!hidden) for (const run of postponed.splice(0)) requestFrame(run);
  document.dispatchEvent(new Event('visibilitychange'));
};
const requestFrame = window.requestAnimationFrame.bind(window);
const postponed = [];

// What is open, to see that it is closed.
const opened = { transports: [], contexts: [], decoders: [] };
window.opened = opened;
for (const [name, list] of [
  ['WebTransport', opened.transports],
  ['AudioContext', opened.contexts],
  ['VideoDecoder', opened.decoders],
  ['AudioDecoder', opened.decoders],
]) {
  const Original = window[name];
  // A page that is not secure has none of them.
  if (!Original) continue;
  window[name] = class extends Original {
    constructor(...values) {
      super(...values);
      list.push(this);
      if (name === 'WebTransport') {
        this.isOver = false;
        const over = () => {
          this.isOver = true;
        };
        this.closed.then(over, over);
      }
    }
  };
}

/** How many of what was opened are not closed. */
window.leaks = () => ({
  transports: opened.transports.filter((t) => !t.isOver).length,
  contexts: opened.contexts.filter((c) => c.state !== 'closed').length,
  decoders: opened.decoders.filter((d) => d.state !== 'closed').length,
});

// By the address: a script of the browser's driver would count as a touch.
if (location.hash) window.play(JSON.parse(decodeURIComponent(location.hash.slice(1))));
addEventListener('pointerdown', () => {
  seen.touchedAt ??= performance.timeOrigin + performance.now();
});
