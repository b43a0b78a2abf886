/** A page with elements on it, which notes what they say. */

import '/sdk/live-elements.js';

const noted = new Map();

/** Puts a `<live-player>` on the page, under a name. */
function mount(name, attributes) {
  const element = document.createElement('live-player');
  const events = [];
  noted.set(name, { element, events });
  for (const type of ['statechange', 'netstatus', 'fullscreenchange', 'audiovolumenotify'])
    element.addEventListener(type, (event) => events.push({ type, detail: event.detail, at: performance.now() }));
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  document.querySelector('main').append(element);
  return element;
}

globalThis.lab = {
  mount: (name, attributes) => void mount(name, attributes),
  element: (name) => noted.get(name).element,
  unmount(name) {
    noted.get(name).element.remove();
    noted.delete(name);
  },
  /** What it said: `from` leaves out what came before. */
  events: (name, from = 0) => noted.get(name).events.slice(from),
  codes: (name, from = 0) =>
    noted
      .get(name)
      .events.slice(from)
      .flatMap(({ type, detail }) => (type === 'statechange' ? [detail.code] : [])),
  everything: () => Object.fromEntries([...noted].map(([name]) => [name, lab.codes(name)])),
  /** The last that it counted. */
  info: (name) => noted.get(name).events.findLast(({ type }) => type === 'netstatus')?.detail.info ?? null,
  /** Whether what is shown moves: pixels of two moments differ. */
  async moves(name) {
    const look = async () => {
      const { tempImagePath, width, height } = await noted.get(name).element.snapshot();
      const image = new Image(width, height);
      image.src = tempImagePath;
      await image.decode();
      const canvas = new OffscreenCanvas(64, 36);
      const context = canvas.getContext('2d');
      context.drawImage(image, 0, 0, 64, 36);
      return context.getImageData(0, 0, 64, 36).data.join();
    };
    const before = await look();
    await new Promise((resolve) => setTimeout(resolve, 300));
    return before !== (await look());
  },
};
