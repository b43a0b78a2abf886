/** The server's clock, which the pictures of the test clock show; a phone's own may be seconds away. */

import { ref } from 'vue';

/** Server's time minus this device's, ms; `null` until it is known. */
export const ahead = ref<number | null>(null);
/** How far off that may be, ms. */
export const unsure = ref(0);

/** Now by the server's clock, UNIX ms. */
export function serverNow(): number {
  return pageNow() + (ahead.value ?? 0);
}

/** Now by this device's clock, UNIX ms; finer than `Date`, and it does not leap. */
function pageNow(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * Asks the server for its time. The answer was written between question and arrival, so the quickest of a few says
 * most: it is wrong by half its way at most.
 */
export async function askTime(): Promise<void> {
  let best: { way: number; ahead: number } | null = null;
  for (let i = 0; i < QUESTIONS; i++) {
    const asked = pageNow();
    const response = await fetch('/demo/time', { cache: 'no-store' });
    const came = pageNow();
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const { unix_ms } = (await response.json()) as { unix_ms: number };
    const way = came - asked;
    if (!best || way < best.way) best = { way, ahead: unix_ms - (asked + came) / 2 };
  }
  if (!best) return;
  ahead.value = best.ahead;
  unsure.value = best.way / 2;
}

/** Enough for one of them to meet an idle network; the first also pays for the connection. */
const QUESTIONS = 6;
