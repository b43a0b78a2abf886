/**
 * QR codes (ISO/IEC 18004): bytes, error correction level M, versions 1 to 20, which is 666 bytes. A URL has to get
 * from one phone to the other, and mini-programs have a scanner but nothing that draws.
 */

/**
 * @param {string} text
 * @returns {boolean[][] | null} rows of modules, true is dark, without the quiet zone; null if the text is too long
 */
function encode(text) {
  const bytes = utf8(text);
  const version = versionFor(bytes.length);
  if (!version) return null;
  const codewords = withCorrection(dataCodewords(bytes, version), version);
  const fixed = fixedModules(version);
  const masked = MASKS.map((mask, number) => draw(fixed, codewords, mask, number));
  return masked.reduce((best, other) => (penalty(other) < penalty(best) ? other : best));
}

/** Level M, by version: codewords of correction in a block, and blocks. */
const CORRECTION = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];

/** @type {((x: number, y: number) => boolean)[]} */
const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** @param {string} text */
function utf8(text) {
  const escaped = encodeURIComponent(text);
  return (escaped.match(/%[0-9A-F]{2}|./g) || []).map((c) =>
    c.length === 3 ? Number.parseInt(c.slice(1), 16) : c.charCodeAt(0),
  );
}

/** The smallest version with room for so many bytes, 0 if there is none. @param {number} length */
function versionFor(length) {
  for (let version = 1; version <= BLOCKS.length; version++) {
    if (4 + lengthBits(version) + 8 * length <= 8 * dataLength(version)) return version;
  }
  return 0;
}

const lengthBits = (/** @type {number} */ version) => (version < 10 ? 8 : 16);
const sizeOf = (/** @type {number} */ version) => 17 + 4 * version;
const dataLength = (/** @type {number} */ version) =>
  allLength(version) - CORRECTION[version - 1] * BLOCKS[version - 1];

/** Codewords of a version: the modules that no pattern takes, in bytes. @param {number} version */
function allLength(version) {
  let free = 0;
  for (const row of fixedModules(version)) for (const module of row) if (module === undefined) free++;
  return Math.floor(free / 8);
}

/**
 * Mode, length, bytes, terminator and padding.
 * @param {number[]} bytes
 * @param {number} version
 */
function dataCodewords(bytes, version) {
  /** @type {number[]} */
  const bits = [];
  const put = (/** @type {number} */ value, /** @type {number} */ width) => {
    for (let i = width - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  const room = 8 * dataLength(version);
  put(0b0100, 4);
  put(bytes.length, lengthBits(version));
  for (const byte of bytes) put(byte, 8);
  put(0, Math.min(4, room - bits.length));
  put(0, (8 - (bits.length % 8)) % 8);
  for (let i = 0; bits.length < room; i++) put(i % 2 ? 0x11 : 0xec, 8);
  const words = [];
  for (let i = 0; i < bits.length; i += 8) words.push(Number.parseInt(bits.slice(i, i + 8).join(''), 2));
  return words;
}

/**
 * Cut into blocks, each with its Reed-Solomon codewords, and interleaved. The last blocks are one longer where it
 * does not come out even.
 * @param {number[]} data
 * @param {number} version
 */
function withCorrection(data, version) {
  const count = BLOCKS[version - 1];
  const length = Math.floor(data.length / count);
  const longer = data.length % count;
  const divisor = generator(CORRECTION[version - 1]);
  /** @type {number[][]} */
  const blocks = [];
  for (let i = 0, at = 0; i < count; i++) {
    const end = at + length + (i >= count - longer ? 1 : 0);
    blocks.push(data.slice(at, end));
    at = end;
  }
  const checks = blocks.map((block) => remainder(block, divisor));
  return [...interleave(blocks), ...interleave(checks)];
}

/** @param {number[][]} blocks */
function interleave(blocks) {
  const all = [];
  for (let i = 0; i < Math.max(...blocks.map((block) => block.length)); i++) {
    for (const block of blocks) if (i < block.length) all.push(block[i]);
  }
  return all;
}

/** In GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1. @param {number} a @param {number} b */
function multiply(a, b) {
  let product = 0;
  for (let i = 7; i >= 0; i--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((b >> i) & 1) * a;
  }
  return product;
}

/** (x - 1)(x - 2)(x - 4)..., without the leading 1. @param {number} degree */
function generator(degree) {
  const result = Array(degree).fill(0);
  result[degree - 1] = 1;
  let root = 1;
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < degree; j++) result[j] = multiply(result[j], root) ^ (result[j + 1] || 0);
    root = multiply(root, 2);
  }
  return result;
}

/** @param {number[]} data @param {number[]} divisor */
function remainder(data, divisor) {
  const result = Array(divisor.length).fill(0);
  for (const byte of data) {
    const factor = byte ^ result.shift();
    result.push(0);
    divisor.forEach((coefficient, i) => {
      result[i] ^= multiply(coefficient, factor);
    });
  }
  return result;
}

/**
 * Finders, timing, alignment and version; places of the format are taken with false. Undefined is free.
 * @param {number} version
 */
function fixedModules(version) {
  const size = sizeOf(version);
  /** @type {(boolean | undefined)[][]} */
  const rows = Array.from({ length: size }, () => Array(size).fill(undefined));
  const set = (/** @type {number} */ x, /** @type {number} */ y, /** @type {boolean} */ dark) => {
    if (rows[y] && x >= 0 && x < size) rows[y][x] = dark;
  };
  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  const square = (/** @type {number} */ cx, /** @type {number} */ cy, /** @type {number} */ reach) => {
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        set(cx + dx, cy + dy, reach === 4 ? ring !== 2 && ring !== 4 : ring !== 1);
      }
    }
  };
  const centres = alignmentCentres(version);
  for (const y of centres) {
    for (const x of centres) {
      const atFinder = (x === 6 && (y === 6 || y === size - 7)) || (x === size - 7 && y === 6);
      if (!atFinder) square(x, y, 2);
    }
  }
  for (const [x, y] of formatPlaces(size).flat()) set(x, y, false);
  square(3, 3, 4);
  square(size - 4, 3, 4);
  square(3, size - 4, 4);
  set(8, size - 8, true);
  if (version >= 7) {
    const bits = (version << 12) | checkBits(version, 12, 0x1f25);
    for (let i = 0; i < 18; i++) {
      const [a, b, dark] = [size - 11 + (i % 3), Math.floor(i / 3), ((bits >> i) & 1) === 1];
      set(a, b, dark);
      set(b, a, dark);
    }
  }
  return rows;
}

/** @param {number} version */
function alignmentCentres(version) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const last = sizeOf(version) - 7;
  // Even steps from the end; what is left over goes between the first two.
  const step = Math.ceil((last - 6) / (count - 1) / 2) * 2;
  const centres = [6];
  for (let i = count - 2; i >= 0; i--) centres.push(last - i * step);
  return centres;
}

/**
 * Where the 15 bits of the format stand, lowest first, twice: [x, y].
 * @param {number} size
 * @returns {[number, number][][]}
 */
function formatPlaces(size) {
  /** @type {[number, number][]} */
  const first = [];
  /** @type {[number, number][]} */
  const second = [];
  for (let i = 0; i < 15; i++) {
    // Around the upper left finder, past the timing patterns; and along the other two.
    const along = i < 6 ? i : i < 8 ? i + 1 : 0;
    if (i < 8) first.push([8, along]);
    else first.push([i === 8 ? 7 : 14 - i, 8]);
    second.push(i < 8 ? [size - 1 - i, 8] : [8, size - 15 + i]);
  }
  return [first, second];
}

/**
 * Fills the free modules in columns of two, from the right, up and down in turn.
 * @param {(boolean | undefined)[][]} fixed
 * @param {number[]} codewords
 * @param {(x: number, y: number) => boolean} mask
 * @param {number} number
 */
function draw(fixed, codewords, mask, number) {
  const size = fixed.length;
  const rows = fixed.map((row) => row.map((dark) => dark === true));
  let bit = 0;
  for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
    if (right === 6) right = 5;
    for (let i = 0; i < size; i++) {
      const y = up ? size - 1 - i : i;
      for (const x of [right, right - 1]) {
        if (fixed[y][x] !== undefined) continue;
        const dark = (((codewords[bit >> 3] || 0) >> (7 - (bit & 7))) & 1) === 1;
        rows[y][x] = dark !== mask(x, y);
        bit++;
      }
    }
  }
  // Level M is 0 0.
  const format = ((number << 10) | checkBits(number, 10, 0x537)) ^ 0x5412;
  for (const places of formatPlaces(size)) {
    places.forEach(([x, y], i) => {
      rows[y][x] = ((format >> i) & 1) === 1;
    });
  }
  return rows;
}

/** The remainder of a BCH code. @param {number} value @param {number} degree @param {number} divisor */
function checkBits(value, degree, divisor) {
  let rest = value;
  for (let i = 0; i < degree; i++) rest = (rest << 1) ^ ((rest >> (degree - 1)) * divisor);
  return rest;
}

/** How hard a picture is to read: long runs, blocks, what looks like a finder, and too much of one shade. */
function penalty(/** @type {boolean[][]} */ rows) {
  const columns = rows.map((_, x) => rows.map((row) => row[x]));
  let points = 0;
  for (const line of [...rows, ...columns]) {
    const text = line.map((dark) => (dark ? '1' : '0')).join('');
    for (const run of text.match(/0{5,}|1{5,}/g) || []) points += run.length - 2;
    for (const finder of ['10111010000', '00001011101']) points += 40 * (text.split(finder).length - 1);
  }
  for (let y = 1; y < rows.length; y++) {
    for (let x = 1; x < rows.length; x++) {
      const dark = rows[y][x];
      if (rows[y][x - 1] === dark && rows[y - 1][x] === dark && rows[y - 1][x - 1] === dark) points += 3;
    }
  }
  const share = rows.flat().filter(Boolean).length / rows.length ** 2;
  return points + 10 * Math.floor(Math.abs(share - 0.5) * 20);
}

module.exports = { encode };
