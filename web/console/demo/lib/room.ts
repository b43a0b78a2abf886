/** What the server says of itself, asked once a page. */

import { ref, shallowRef } from 'vue';
import { t } from '../lang';
import { Refused, room as ask, type Room } from './server';

const room = shallowRef<Room | null>(null);
const problem = ref<unknown>(null);
let asked = false;

export function useRoom() {
  if (!asked) void load();
  return { room, problem, load };
}

async function load(): Promise<void> {
  asked = true;
  problem.value = null;
  try {
    room.value = await ask();
  } catch (error) {
    problem.value = error;
  }
}

/** An error in words. */
export function inWords(error: unknown): string {
  if (!(error instanceof Refused)) return error instanceof Error ? error.message : String(error);
  if (error.status === 0) return t.value.errors.unreachable;
  if (error.status !== 429) return t.value.errors.server(error.message);
  // The server's words say of what there were too many.
  const wait = error.retryAfterS === null ? '' : `${t.value.errors.tooMany(error.retryAfterS)} `;
  return wait + t.value.errors.server(error.message);
}

/** Whether the page came from this machine by a name that no other machine has for it. */
export const isLocal = /^(localhost$|127\.|\[::1\]$)/.test(location.hostname);
