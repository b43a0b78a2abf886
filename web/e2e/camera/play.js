/** Plays what a camera pushes, and notes when each of its pictures is drawn, and whether it is heard. */

import { watchDrawing } from '/rtc/drawn.js';

/** What the test reads. */
const seen = { codes: [], pictures: [], volumes: [], info: null };
window.seen = seen;
watchDrawing((record) => seen.pictures.push(record));

window.begin = (attributes) => {
  const player = document.createElement('live-player');
  for (const [name, value] of Object.entries(attributes)) player.setAttribute(name, value);
  player.addEventListener('statechange', ({ detail }) => seen.codes.push(detail.code));
  player.addEventListener('audiovolumenotify', ({ detail }) => seen.volumes.push(detail.volume));
  player.addEventListener('netstatus', ({ detail }) => {
    seen.info = detail.info;
  });
  document.querySelector('main').append(player);
};
window.end = () => document.querySelector('live-player').remove();

await import('/sdk/live-elements.js');
window.isReady = true;
