import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

/**
 * What codes AAC is other people's work, in a file of its own: the licences go beside it. Nothing else may contain
 * anything of others.
 */
export function licences(): Plugin {
  return {
    name: 'licences',
    apply: 'build',
    generateBundle(_options, bundle) {
      const foreign = new Set<string>();
      for (const part of Object.values(bundle)) {
        if (part.type !== 'chunk') continue;
        const within = part.moduleIds.flatMap((id) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1] ?? []);
        if (within.length > 0 && part.name !== CODER) throw new Error(`${part.name} contains ${within.join(', ')}`);
        for (const name of within) foreign.add(name);
      }
      if (foreign.size === 0) return;
      const source = [HEADING, ...[...foreign].sort().map(licenceOf), FFMPEG, read('licences/LGPL-2.1.txt')].join(RULE);
      this.emitFile({ type: 'asset', fileName: `${CODER}.LICENSE.txt`, source });
    },
  };
}

function licenceOf(name: string): string {
  const folder = `../../node_modules/${name}`;
  const { version, license, repository } = JSON.parse(read(`${folder}/package.json`)) as About;
  return `${name} ${version} (${license})\nSource: ${repository.url.replace(/^git\+/, '')}\n\n${read(`${folder}/LICENSE`)}`;
}

function read(path: string): string {
  return readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8')
    .replace(/\r/g, '')
    .trim();
}

interface About {
  version: string;
  license: string;
  repository: { url: string };
}

const CODER = 'aac-encoder';
const HEADING = `${CODER}.js is loaded where a browser codes no AAC by itself. It contains these; everything else here is\nThalweg's own, under the MIT licence or the Apache licence 2.0.`;
const FFMPEG = `FFmpeg's AAC encoder, as WebAssembly within @mediabunny/aac-encoder (LGPL-2.1-or-later)
Source: https://github.com/FFmpeg/FFmpeg; how it is built, and into what: the README of @mediabunny/aac-encoder.
A version of your own takes its place when aac-encoder.js is built anew, or replaced by one with the same exports.`;
const RULE = '\n\n---\n\n';
