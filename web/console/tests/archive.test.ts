import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { describe, expect, test } from 'vitest';
import { type Entry, miniProgramFiles, zip } from '../archive';

/** The files of a ZIP, read from its end as whoever unpacks it does. */
function unpack(archive: Buffer): (Entry & { crc: number })[] {
  const end = archive.length - 22;
  expect(archive.toString('latin1', end, end + 4)).toBe('PK\x05\x06');
  const files = [];
  let at = archive.readUInt32LE(end + 16);
  for (let n = 0; n < archive.readUInt16LE(end + 10); n++) {
    expect(archive.toString('latin1', at, at + 4)).toBe('PK\x01\x02');
    const [crc, size, length, offset] = [archive.readUInt32LE(at + 16), archive.readUInt32LE(at + 24), archive.readUInt16LE(at + 28), archive.readUInt32LE(at + 42)];
    expect(archive.toString('latin1', offset, offset + 4)).toBe('PK\x03\x04');
    const begin = offset + 30 + archive.readUInt16LE(offset + 26) + archive.readUInt16LE(offset + 28);
    files.push({ path: archive.toString('utf8', at + 46, at + 46 + length), data: archive.subarray(begin, begin + size), crc });
    at += 46 + length;
  }
  expect(at).toBe(end);
  return files;
}

describe('the archive', () => {
  test('has what went in, with the checksum that the format asks for', () => {
    const given = [
      { path: 'a/一.txt', data: Buffer.from('123456789') },
      { path: 'b', data: Buffer.alloc(0) },
    ];
    // Of these nine digits every table of CRC-32 has 0xCBF43926.
    expect(unpack(zip(given))).toEqual([{ ...given[0], crc: 0xcbf43926 }, { ...given[1], crc: 0 }]);
  });

  test('has every page of the mini-program, and whatever its texts link to', () => {
    const files = miniProgramFiles();
    const paths = files.map(({ path }) => path);
    const { pages } = JSON.parse(readFileSync('../../miniprogram/src/app.json', 'utf8')) as { pages: string[] };
    for (const page of pages) expect(paths).toContain(`thalweg/miniprogram/src/${page}.js`);
    const readme = files.find(({ path }) => path === 'thalweg/miniprogram/README.md')!;
    for (const [, to] of readme.data.toString().matchAll(/\]\(([^)#]+)/g)) expect(paths).toContain(join(dirname(readme.path), to!));
    expect(paths.filter((path) => /node_modules|\.lock|\.log|DS_Store/.test(path))).toEqual([]);
  });
});
