/** Reading and changing, as every page does it. */

import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef, type WatchSource } from 'vue';
import { ApiError } from '@/api/client';

export interface Loaded<T> {
  data: ShallowRef<T | null>;
  error: ShallowRef<ApiError | null>;
  /** Nothing to show yet. */
  loading: Ref<boolean>;
  reload: () => Promise<void>;
}

export interface LoadOptions {
  /** Reads again when one of these changes. */
  on?: WatchSource[];
  /** Reads again after so many milliseconds, while the page can be seen. */
  every?: number;
  /** What is shown stays while something else is read. */
  keep?: boolean;
}

export function useLoad<T>(read: (signal: AbortSignal) => Promise<T>, options: LoadOptions = {}): Loaded<T> {
  const data = shallowRef<T | null>(null);
  const error = shallowRef<ApiError | null>(null);
  const loading = ref(true);
  let current: AbortController | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;

  async function reload(): Promise<void> {
    current?.abort();
    clearTimeout(timer);
    const mine = new AbortController();
    current = mine;
    try {
      const value = await read(mine.signal);
      if (current !== mine || over) return;
      data.value = value;
      error.value = null;
    } catch (problem) {
      if (current !== mine || over || mine.signal.aborted) return;
      error.value = asApiError(problem);
    }
    loading.value = false;
    if (options.every && !document.hidden && !over) timer = setTimeout(reload, options.every);
  }

  function onVisible(): void {
    if (!document.hidden) void reload();
    else clearTimeout(timer);
  }

  if (options.on?.length) {
    watch(options.on, () => {
      if (!options.keep) { data.value = null; }
      loading.value = true;
      void reload();
    });
  }
  if (options.every) document.addEventListener('visibilitychange', onVisible);
  onScopeDispose(() => {
    over = true;
    current?.abort();
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', onVisible);
  });
  void reload();
  return { data, error, loading, reload };
}

export interface Doing {
  busy: Ref<boolean>;
  error: ShallowRef<ApiError | null>;
  /** Does it, keeps what went wrong, and says whether all went well. */
  run: (work: () => Promise<unknown>) => Promise<boolean>;
  clear: () => void;
}

export function useAction(): Doing {
  const busy = ref(false);
  const error = shallowRef<ApiError | null>(null);
  async function run(work: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false;
    busy.value = true;
    error.value = null;
    try {
      await work();
      return true;
    } catch (problem) {
      error.value = asApiError(problem);
      return false;
    } finally {
      busy.value = false;
    }
  }
  return { busy, error, run, clear: () => { error.value = null; } };
}

function asApiError(problem: unknown): ApiError {
  if (problem instanceof ApiError) return problem;
  console.error(problem);
  return new ApiError(0, 'page', problem instanceof Error ? problem.message : String(problem));
}

export { wordsOf } from './words';
