/** The bar code of the test clock, docs/ref/clock.md: the number of a picture in its minute, 25 a second. */

/** Pictures a minute: what the code counts. */
export const MINUTE_PICTURES = 1500;
/** How long a picture of the clock is shown, ms. */
export const PICTURE_MS = 40;
/** Cells of a row; one bit each. */
export const CELLS = 16;

/** How much of a picture's height, from the bottom, the two rows take. */
export const STRIP = 40 / 360;

/** The two rows: bits of the number from the highest, and the same inverted. `true` is white. */
export function rows(number: number): [boolean[], boolean[]] {
  const bits = Array.from({ length: CELLS }, (_, i) => ((number >> (CELLS - 1 - i)) & 1) === 1);
  return [bits, bits.map((bit) => !bit)];
}

/**
 * The number in a strip: the bottom {@link STRIP} of a picture and nothing else, RGBA, of any size. `null` if it is
 * damaged or no clock's.
 */
export function read(pixels: Uint8ClampedArray, width: number, height: number): number | null {
  if (width < CELLS || height < 2 || pixels.length < width * height * 4) return null;
  const [upper, lower] = [Math.floor(height / 4), Math.floor((height * 3) / 4)];
  let number = 0;
  for (let cell = 0; cell < CELLS; cell++) {
    const x = Math.floor(((cell + 0.5) / CELLS) * width);
    const bit = isLight(pixels, (upper * width + x) * 4);
    // Exactly one of a cell and its parity is light.
    if (bit === isLight(pixels, (lower * width + x) * 4)) return null;
    number = number * 2 + (bit ? 1 : 0);
  }
  return number < MINUTE_PICTURES ? number : null;
}

/** A browser has stretched 16..235 to 0..255, so the middle is the middle. Weights are BT.601's. */
function isLight(pixels: Uint8ClampedArray, at: number): boolean {
  const [r = 0, g = 0, b = 0] = pixels.subarray(at, at + 3);
  return 0.299 * r + 0.587 * g + 0.114 * b >= 128;
}

/** The number that a clock shows at a moment, UNIX ms. */
export function numberAt(unixMs: number): number {
  return Math.floor((unixMs % 60_000) / PICTURE_MS);
}

/**
 * How old a picture is, ms, when its number appears at `unixMs`. The code tells minutes not apart: what seems older
 * than 55 s is a picture from the future of a clock that is a little slow.
 */
export function age(number: number, unixMs: number): number {
  const ms = (((unixMs - number * PICTURE_MS) % 60_000) + 60_000) % 60_000;
  return ms > 55_000 ? ms - 60_000 : ms;
}
