import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const player = (file: string) => fileURLToPath(new URL(`../player/src/${file}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^@thalweg\/player\/wire$/, replacement: player('wire.ts') },
      { find: /^@thalweg\/player$/, replacement: player('index.ts') },
    ],
  },
  test: { include: ['tests/**/*.test.ts'] },
});
