import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

/** A file, by its path in the archive. */
export interface Entry {
  path: string;
  data: Buffer;
}

/**
 * The mini-program's source, as `miniprogram.zip`, for visitors of a demo who have no repository: what WeChat's tools
 * open, and the guide where its links say that it is.
 */
export function miniProgram(): Plugin {
  return {
    name: 'mini-program',
    apply: 'build',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'miniprogram.zip', source: zip(miniProgramFiles()) });
    },
  };
}

export function miniProgramFiles(): Entry[] {
  const top = fileURLToPath(new URL('../../', import.meta.url));
  const sources = readdirSync(join(top, 'miniprogram/src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(top.length));
  const others = ['miniprogram/README.md', 'miniprogram/project.config.json', 'docs/guide/mini-program.md', 'LICENSE-MIT', 'LICENSE-APACHE'];
  return [...sources, ...others].sort().map((path) => ({ path: `thalweg/${path}`, data: readFileSync(join(top, path)) }));
}

/**
 * A ZIP that is the same wherever it is made: nothing is compressed, because that differs from one Node to the next, and
 * everything is of the first day that a ZIP can name.
 */
export function zip(entries: Entry[]): Buffer {
  const [files, directory]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const { path, data } of entries) {
    const name = Buffer.from(path);
    // Version 1.0, names in UTF-8, stored, midnight of 1 January 1980; then checksum, both sizes, and the name's.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(10, 0);
    common.writeUInt16LE(1 << 11, 2);
    common.writeUInt16LE((1 << 5) | 1, 8);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    files.push(Buffer.from('PK\x03\x04'), common, name, data);
    // As above, made by version 1.0; no comment, first disk, no attributes, and where the file is.
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    directory.push(Buffer.from('PK\x01\x02\x0a\x00'), common, rest, name);
    at += 30 + name.length + data.length;
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directory.reduce((sum, { length }) => sum + length, 0), 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...files, ...directory, Buffer.from('PK\x05\x06'), end]);
}

function crc32(data: Buffer): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
