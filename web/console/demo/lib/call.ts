/** A call between two: who pushes where, and what it is at. */

import { type Call, writeCall } from './fragment';
import type { Phase } from './phase';
import type { NewUrls } from './server';

/** One's own room, of the two that New has given. RTC mode where it is, for what is said. */
export function callOf(mine: NewUrls, theirs: NewUrls): Call {
  return {
    push: mine.url_push,
    play: theirs.url_play_acc ?? theirs.url_play_rtmp,
    other: { push: theirs.url_push, play: mine.url_play_acc ?? mine.url_play_rtmp },
  };
}

/** The link for the other one; `null` for whoever has been called. */
export function inviteOf({ other }: Call, base: string): string | null {
  return other ? new URL(`/demo/call${writeCall(other)}`, base).href : null;
}

export type Talk = 'connecting' | 'waiting' | 'talking' | 'gone' | 'failed';

/**
 * What it is at, by what the pusher and the player are. `met` is whether the other one was ever there, `isSilent` whether
 * nothing has come for {@link SILENT_MS}: until then it is a network that hesitates.
 */
export function talkOf(pusher: Phase, player: Phase, met: boolean, isSilent: boolean): Talk {
  if (pusher === 'failed') return 'failed';
  if (player === 'on' || (player === 'loading' && met && !isSilent)) return 'talking';
  if (met) return 'gone';
  return pusher === 'on' ? 'waiting' : 'connecting';
}

/** Longer than a phone takes from one network to the next. */
export const SILENT_MS = 3000;

/** Whether the player is to be started again: it gives up when nobody is there, and a call waits. */
export function isOver(player: Phase): boolean {
  return player === 'failed' || player === 'ended';
}
