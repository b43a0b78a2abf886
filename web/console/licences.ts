import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

/**
 * What is built is partly other people's work: their licences go with it, as `licenses.txt`. `within` are those whose
 * files stand in others' packages, where a list of modules does not show them.
 */
export function licences(heading: string, within: string[] = []): Plugin {
  const folder = fileURLToPath(new URL('../node_modules/', import.meta.url));
  return {
    name: 'licences',
    apply: 'build',
    generateBundle(_options, bundle) {
      const names = new Set(within);
      for (const part of Object.values(bundle)) {
        if (part.type !== 'chunk') continue;
        for (const id of part.moduleIds) {
          const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1];
          if (name) names.add(name);
        }
      }
      const texts = [...names].sort().map((name) => {
        if (!existsSync(`${folder}${name}/package.json`)) throw new Error(`${name} is not installed at the top`);
        const about = JSON.parse(readFileSync(`${folder}${name}/package.json`, 'utf8')) as { version: string; license: string };
        const file = readdirSync(folder + name).find((entry) => /^licen[cs]e|^copying/i.test(entry));
        const text = file ? readFileSync(`${folder}${name}/${file}`, 'utf8').replace(/\r/g, '').trim() : about.license;
        return `${name} ${about.version} (${about.license})\n\n${text}\n`;
      });
      this.emitFile({ type: 'asset', fileName: 'licenses.txt', source: `${heading}\n\n${texts.join('\n---\n\n')}` });
    },
  };
}
