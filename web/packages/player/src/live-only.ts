/** The player without RTC mode: less than half of the code. */

import { Core, type PlayerOptions } from './core';
import type { Listener } from './events';
import { makeLive } from './live';

export * from './types';

/** Plays a stream in `host`, live. Asked for RTC mode it plays live as well, and says so (-2302). */
export class LivePlayer extends Core {
  /** Tells `listener` from the first {@link play} on. */
  constructor(host: HTMLElement, listener: Listener, options: PlayerOptions = {}) {
    super(host, listener, options, { live: makeLive, rtc: null });
  }
}
