/** A page that pushes: it notes what the elements say, and what they opened and did not close. */

const opened = { tracks: [], contexts: [], encoders: [], sockets: [], transports: [], workers: [], bitmaps: [] };

function watch(name, into) {
  const Real = globalThis[name];
  // A page that is not secure has not all of it.
  if (!Real) return;
  globalThis[name] = class extends Real {
    constructor(...given) {
      super(...given);
      into.push(this);
    }
  };
}
watch('AudioContext', opened.contexts);
watch('VideoEncoder', opened.encoders);
watch('WebSocket', opened.sockets);
watch('WebTransport', opened.transports);
watch('Worker', opened.workers);

const over = new WeakSet();
const terminate = Worker.prototype.terminate;
Worker.prototype.terminate = function () {
  over.add(this);
  terminate.call(this);
};
const { mediaDevices } = navigator;
if (mediaDevices) {
  const ask = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async (constraints) => {
    const name = lab.denies?.find((kind) => constraints[kind]);
    if (name) throw new DOMException('', 'NotAllowedError');
    await lab.asking;
    return note(await ask(constraints));
  };
  const share = mediaDevices.getDisplayMedia.bind(mediaDevices);
  mediaDevices.getDisplayMedia = async (constraints) => {
    if (lab.denies?.includes('screen')) throw new DOMException('', 'NotAllowedError');
    return note(await share(constraints));
  };
}

function note(stream) {
  opened.tracks.push(...stream.getTracks());
  return stream;
}

const TYPES = [
  'statechange',
  'netstatus',
  'error',
  'audiovolumenotify',
  'bgmstart',
  'bgmprogress',
  'bgmcomplete',
  'enterpictureinpicture',
  'leavepictureinpicture',
];
const noted = [];
let codes = [];

globalThis.lab = {
  /** What is denied: `audio`, `video`, `screen`. */
  denies: null,
  /** Devices are given when this resolves: so long people are asked. */
  asking: null,
  opened,
  /** As if devices of this kind were unplugged, or capture ended from outside. */
  unplug(kind) {
    for (const track of opened.tracks)
      if (track.kind === kind && track.readyState === 'live') track.dispatchEvent(new Event('ended'));
  },
  /** Whether something was heard lately. */
  isLoud: () => lab.events('audiovolumenotify').slice(-3).some(({ volume }) => volume > 10),
  /** As if the tab went to the background, or came back. */
  hide(hidden) {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event('visibilitychange'));
  },
  mount(attributes) {
    const element = document.createElement('live-pusher');
    element.id = 'it';
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    for (const type of TYPES)
      element.addEventListener(type, ({ detail }) => {
        noted.push({ type, detail, at: performance.now() });
        if (type === 'statechange') codes.push(detail.code);
      });
    document.querySelector('main').append(element);
  },
  element: () => document.getElementById('it'),
  start: () => lab.element().start(),
  stop: () => lab.element().stop(),
  codes: () => codes,
  forget() {
    codes = [];
    noted.length = 0;
  },
  events: (type) => noted.filter((event) => event.type === type).map(({ detail }) => detail),
  info: () => noted.findLast(({ type }) => type === 'netstatus')?.detail.info ?? null,
  /** Ms from one code to another. */
  between(one, other) {
    const at = (code) => noted.find(({ type, detail }) => type === 'statechange' && detail.code === code).at;
    return Math.round(at(other) - at(one));
  },
  /** How many of what was opened are open still. */
  async left() {
    const isOpen = async (transport) => {
      const closed = transport.closed.then(() => false, () => false);
      return Promise.race([closed, new Promise((resolve) => setTimeout(() => resolve(true), 50))]);
    };
    const transports = await Promise.all(opened.transports.map(isOpen));
    return {
      tracks: opened.tracks.filter(({ readyState }) => readyState === 'live').length,
      contexts: opened.contexts.filter(({ state }) => state !== 'closed').length,
      encoders: opened.encoders.filter(({ state }) => state !== 'closed').length,
      sockets: opened.sockets.filter(({ readyState }) => readyState !== WebSocket.CLOSED).length,
      transports: transports.filter(Boolean).length,
      workers: opened.workers.filter((worker) => !over.has(worker)).length,
    };
  },
  /** A picture of the preview as pixels. */
  async pixels(options) {
    const { tempImagePath, width, height } = await lab.element().snapshot(options);
    const image = new Image();
    image.src = tempImagePath;
    await image.decode();
    const context = new OffscreenCanvas(width, height).getContext('2d');
    context.drawImage(image, 0, 0);
    return { width, height, data: context.getImageData(0, 0, width, height).data };
  },
  /** A stream whose left half is skin with pores, and whose right half is grass with blades. */
  skin() {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [160, 160];
    const context = canvas.getContext('2d');
    const draw = () => {
      for (let y = 0; y < 160; y += 2)
        for (let x = 0; x < 160; x += 2) {
          const noise = ((x * 7919 + y * 104729) % 23) - 11;
          const [r, g, b] = x < 80 ? [205, 150, 120] : [60, 150, 50];
          context.fillStyle = `rgb(${r + noise} ${g + noise} ${b + noise})`;
          context.fillRect(x, y, 2, 2);
        }
    };
    draw();
    const timer = setInterval(draw, 100);
    const stream = canvas.captureStream(10);
    stream.getVideoTracks()[0].addEventListener('ended', () => clearInterval(timer));
    return stream;
  },
};

await import('/sdk/live-elements.js');
globalThis.isReady = true;
