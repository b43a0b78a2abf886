/** Who is logged in, and what that person may do. */

import { computed, ref, shallowRef } from 'vue';
import { del, get, post } from '@/api/client';
import type { Session } from '@/api/types';

export const session = shallowRef<Session | null>(null);
/** Whether it has been asked at all. */
export const asked = ref(false);
/** Whether the session ended by itself. */
export const expired = ref(false);

export const isAdmin = computed(() => session.value?.user.role === 'admin' && session.value.user.account === null);
/** Whether the user looks after the whole server, not one account. */
export const isStaff = computed(() => session.value !== null && session.value.user.account === null);
export const mayChange = computed(() => session.value !== null && session.value.user.role !== 'read-only');

export async function readSession(): Promise<void> {
  session.value = await get<Session>('/session', { quiet: true }).catch((error) => {
    if (error?.status === 401) return null;
    throw error;
  });
  asked.value = true;
}

export async function logIn(login: string, password: string): Promise<void> {
  await post('/session', { login, password }, { quiet: true });
  expired.value = false;
  await readSession();
}

export async function logOut(): Promise<void> {
  await del('/session');
  session.value = null;
}
