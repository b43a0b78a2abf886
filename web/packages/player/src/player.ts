import { Core, type PlayerOptions } from './core';
import type { Listener } from './events';
import { makeLive } from './live';
import { makeRtc } from './rtc';

/** Plays a stream in `host`, live or with low delay. */
export class Player extends Core {
  /** Tells `listener` from the first {@link play} on. */
  constructor(host: HTMLElement, listener: Listener, options: PlayerOptions = {}) {
    super(host, listener, options, { live: makeLive, rtc: makeRtc });
  }
}
