import { defineConfig } from 'vitest/config';

export default defineConfig({
  build: {
    lib: {
      // The audio thread loads a file of its own, which index.js asks for by this name.
      entry: { index: 'src/index.ts', wire: 'src/wire.ts', 'audio-worklet': 'src/audio-worklet.ts' },
      formats: ['es'],
    },
    target: 'es2022',
    minify: false,
    sourcemap: true,
  },
  test: { include: ['tests/**/*.test.ts'] },
});
