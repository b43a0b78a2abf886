/** Reads a clock's bar code from what an element shows, at every picture. */

import { age, CELLS, read, STRIP } from './barcode';
import type { Delays } from './delays';
import { serverNow } from './time';

/** Four pixels a cell: its middle is well away from what scaling blurs. */
const WIDTH = CELLS * 4;
const HEIGHT = 8;

/**
 * Until the returned function is called. `told` hears of every look, 60 a second or what the screen does: whether there
 * is a code. A delay counts when a number appears for the first time: its picture came onto the screen just then.
 */
export function measure(element: () => HTMLElement | null, delays: Delays, told: (hasCode: boolean | null) => void): () => void {
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  let before: number | null = null;
  let frame = 0;

  const look = () => {
    frame = requestAnimationFrame(look);
    const picture = shown(element());
    if (!context || !picture) return told(null);
    const [width, height] = sizeOf(picture);
    if (!width || !height) return told(null);
    const strip = height * STRIP;
    try {
      context.drawImage(picture, 0, height - strip, width, strip, 0, 0, WIDTH, HEIGHT);
    } catch {
      // A picture that is not there yet.
      return told(null);
    }
    const number = read(context.getImageData(0, 0, WIDTH, HEIGHT).data, WIDTH, HEIGHT);
    if (number !== null && number !== before) delays.add(performance.now(), age(number, serverNow()));
    before = number;
    told(number !== null);
  };
  frame = requestAnimationFrame(look);
  return () => cancelAnimationFrame(frame);
}

/** The canvas or video within an element that is on the screen now. */
export function shown(element: HTMLElement | null): HTMLCanvasElement | HTMLVideoElement | null {
  const within = element?.shadowRoot?.querySelectorAll<HTMLCanvasElement | HTMLVideoElement>('canvas, video') ?? [];
  for (const one of within) if (!one.hidden && one.getClientRects().length > 0) return one;
  return null;
}

function sizeOf(picture: HTMLCanvasElement | HTMLVideoElement): [number, number] {
  return 'videoWidth' in picture ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
}
