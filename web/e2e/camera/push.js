/** Pushes a camera, and notes when each of its pictures came to the page. The element does not know of it. */

import { recordOf } from '/rtc/drawn.js';

/** What the test reads. */
const seen = { codes: [], pictures: [], info: null };
window.seen = seen;

// Whoever reads a track is read along with.
globalThis.MediaStreamTrackProcessor = class extends MediaStreamTrackProcessor {
  get readable() {
    const { readable } = { readable: super.readable };
    return { getReader: () => watched(readable.getReader()) };
  }
};

function watched(reader) {
  return {
    async read() {
      const result = await reader.read();
      if (result.value) seen.pictures.push(recordOf(result.value));
      return result;
    },
    cancel: (why) => reader.cancel(why),
  };
}

window.begin = (attributes) => {
  const pusher = document.createElement('live-pusher');
  for (const [name, value] of Object.entries(attributes)) pusher.setAttribute(name, value);
  pusher.addEventListener('statechange', ({ detail }) => seen.codes.push(detail.code));
  pusher.addEventListener('netstatus', ({ detail }) => {
    seen.info = detail.info;
  });
  document.querySelector('main').append(pusher);
};
window.end = () => document.querySelector('live-pusher').remove();

await import('/sdk/live-elements.js');
window.isReady = true;
