import { defineConfig } from 'vitest/config';

export default defineConfig({
  build: {
    lib: {
      entry: {
        index: 'src/index.ts',
        live: 'src/live-only.ts',
        wire: 'src/wire.ts',
        // Found by its URL, beside whoever loads it.
        'audio-worklet': 'src/audio-worklet.ts',
      },
      formats: ['es'],
    },
    target: 'es2022',
    minify: false,
    sourcemap: true,
    rolldownOptions: { output: { chunkFileNames: 'part-[name].js' } },
  },
  test: { include: ['tests/**/*.test.ts'] },
});
