import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

/**
 * The AAC encoder's package makes its worker of a text within itself, by a `blob:` URL. Pages with a strict policy
 * allow no such scripts, ours among them. So the text, as it is, becomes a file beside the others, and what started
 * it starts that (`src/push/aac-worker.ts`).
 */
export function aacWorker(): Plugin {
  return {
    name: 'aac-worker',
    apply: 'build',
    transform(code, id) {
      if (!id.includes('@mediabunny/aac-encoder/')) return null;
      const found = /return inlineWorker\((`(?:[^`\\]|\\[\s\S])*`)\);/.exec(code);
      if (!found?.[1]) throw new Error('@mediabunny/aac-encoder makes its worker in another way now');
      // A template without anything to fill in: what it says is what it evaluates to.
      const source: string = new Function(`return ${found[1]}`)();
      this.emitFile({ type: 'asset', fileName: 'aac-encoder-worker.js', source });
      return {
        code: `import { openWorker } from ${JSON.stringify(OPENER)};\n${code.replace(found[0], () => 'return openWorker();')}`,
        map: null,
      };
    },
  };
}

const OPENER = fileURLToPath(new URL('src/push/aac-worker.ts', import.meta.url));
