/** The overview is asked for on every page: its problems are everybody's. */

import { effectScope, shallowRef, triggerRef, watch } from 'vue';
import { get } from '@/api/client';
import type { Overview } from '@/api/types';
import { Recent } from './rates';
import { session } from './session';
import { useLoad, type Loaded } from './use';

export const overview = shallowRef<Overview | null>(null);
export const recent = shallowRef(new Recent(300));
export const loaded = shallowRef<Loaded<Overview> | null>(null);

/** With what the server takes to notice (3.5 s), somebody who looks sees within five seconds that its store does not work. */
export const EVERY_MS = 1000;

/** Asks as long as somebody is logged in and looks. */
export function followOverview(): void {
  let scope: ReturnType<typeof effectScope> | null = null;
  watch(
    () => session.value?.user.login,
    (login) => {
      scope?.stop();
      scope = null;
      overview.value = null;
      loaded.value = null;
      recent.value = new Recent(300);
      if (!login) return;
      scope = effectScope(true);
      scope.run(() => {
        loaded.value = useLoad(async (signal) => {
          const now = await get<Overview>('/overview', { signal });
          overview.value = now;
          recent.value.push(Date.now() / 1000, now);
          triggerRef(recent);
          return now;
        }, { every: EVERY_MS });
      });
    },
    { immediate: true },
  );
}
