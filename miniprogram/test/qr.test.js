/** Codes that the call page draws are read by a scanner of somebody else's. */

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { crc32, inflateSync } = require('node:zlib');
const jsQR = require('jsqr').default ?? require('jsqr');
const { encode } = require('../src/utils/qr.js');
const { picture } = require('../src/utils/png.js');

/** How many bytes each version has room for at level M, as the standard's table has it. */
const CAPACITY = [14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412, 450, 504, 560, 624, 666];

test('a scanner reads every version, full or with room, and what it reads is what was written', () => {
  CAPACITY.forEach((capacity, i) => {
    // With room left there is padding: in one of the small versions, and one of those with a longer count.
    for (const length of i === 2 || i === 11 ? [capacity, capacity - 11] : [capacity]) {
      const text = 'rtmp://192.168.1.7/live/1_user?txSecret=0123456789abcdef&txTime=65A4D380&'
        .repeat(10)
        .slice(0, length);
      const rows = encode(text);
      assert.equal(rows.length, 21 + 4 * i, `${length} bytes`);
      assert.equal(read(picture(rows)), text);
    }
  });
});

test('the longest text that fits, one that does not, and one beyond ASCII', () => {
  assert.equal(read(picture(encode('x'.repeat(666)))), 'x'.repeat(666));
  assert.equal(encode('x'.repeat(667)), null);
  assert.equal(read(picture(encode('rtmp://主机/直播/流'))), 'rtmp://主机/直播/流');
});

/** The text of a QR code in a PNG. */
function read(dataUrl) {
  const { width, height, bits } = unpack(Buffer.from(dataUrl.split(',')[1], 'base64'));
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  bits.forEach((white, i) => {
    if (!white) rgba.fill(0, 4 * i, 4 * i + 3);
  });
  return jsQR(rgba, width, height)?.data;
}

/** A PNG with a bit a pixel and no filter, as strictly as node's inflater and the format's checks are. */
function unpack(png) {
  assert.equal(png.subarray(1, 4).toString(), 'PNG');
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    const end = at + 8 + png.readUInt32BE(at);
    assert.equal(png.readUInt32BE(end), crc32(png.subarray(at + 4, end)));
  }
  const idat = png.indexOf('IDAT');
  const raw = inflateSync(png.subarray(idat + 4, idat + 4 + png.readUInt32BE(idat - 4)));
  const bits = [];
  const stride = 1 + Math.ceil(width / 8);
  assert.equal(raw.length, stride * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) bits.push((raw[y * stride + 1 + (x >> 3)] >> (7 - (x & 7))) & 1);
  }
  return { width, height, bits };
}
