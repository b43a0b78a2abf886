/** What an element has said, newest first. */

import { type Ref, shallowRef } from 'vue';
import type { StateDetail } from './sdk';

export interface Entry extends StateDetail {
  id: number;
  /** UNIX ms. */
  at: number;
}

export interface Log {
  entries: Ref<readonly Entry[]>;
  add(detail: StateDetail): void;
  clear(): void;
}

export function useLog(): Log {
  const entries = shallowRef<readonly Entry[]>([]);
  let last = 0;
  return {
    entries,
    add({ code, message, reason }) {
      last += 1;
      entries.value = [{ id: last, at: Date.now(), code, message, reason }, ...entries.value].slice(0, ENTRIES_MAX);
    },
    clear() {
      entries.value = [];
    },
  };
}

/** More than fit on a page; a stream that stutters all day does not fill the memory. */
const ENTRIES_MAX = 60;
