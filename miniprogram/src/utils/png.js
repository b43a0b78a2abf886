/** A picture of black and white modules as a PNG in a `data:` URL, which `<image>` shows on every phone. */

/**
 * @param {boolean[][]} rows true is dark
 * @returns {string}
 */
function picture(rows) {
  const side = (rows.length + 2 * QUIET) * SCALE;
  const raw = pixels(rows, side);
  const header = [...big(side), ...big(side), 1, 0, 0, 0, 0];
  // One block that is not compressed: nothing here inflates it to a size of someone else's choosing.
  const length = raw.length;
  const block = [1, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255];
  const data = [0x78, 0x01, ...block, ...raw, ...big(adler32(raw))];
  const bytes = [...SIGNATURE, ...chunk('IHDR', header), ...chunk('IDAT', data), ...chunk('IEND', [])];
  return `data:image/png;base64,${base64(bytes)}`;
}

/** A row is a filter byte and a bit a pixel, 1 is white. @param {boolean[][]} rows @param {number} side */
function pixels(rows, side) {
  const all = [];
  for (let y = 0; y < side; y++) {
    const row = rows[Math.floor(y / SCALE) - QUIET];
    all.push(0);
    for (let x = 0; x < side; x += 8) {
      let byte = 0;
      for (let i = 0; i < 8; i++) {
        const dark = row ? row[Math.floor((x + i) / SCALE) - QUIET] : false;
        byte = (byte << 1) | (dark ? 0 : 1);
      }
      all.push(byte);
    }
  }
  return all;
}

/** @param {string} kind @param {number[]} data */
function chunk(kind, data) {
  const body = [...[...kind].map((c) => c.charCodeAt(0)), ...data];
  return [...big(data.length), ...body, ...big(crc32(body))];
}

/** @param {number} n */
const big = (n) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];

/** @param {number[]} bytes */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** @param {number[]} bytes */
function adler32(bytes) {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}

/** @param {number[]} bytes */
function base64(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const three = (bytes[i] << 16) | ((bytes[i + 1] || 0) << 8) | (bytes[i + 2] || 0);
    for (let j = 0; j < 4; j++) text += i + j > bytes.length ? '=' : DIGITS[(three >> (18 - 6 * j)) & 63];
  }
  return text;
}

/** Modules of white around the code, which a scanner needs. */
const QUIET = 4;
/** Pixels a module. The largest code has 105 modules with the white: 420 pixels a side, 23 kB in one block of 64. */
const SCALE = 4;
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

module.exports = { picture };
