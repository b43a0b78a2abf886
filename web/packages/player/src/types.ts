/** What is public beside the players. */

export type { Mode, PlayerOptions } from './core';
export type { Settings } from './engine';
export { DEFAULTS } from './engine';
export type { Details, Listener, NetStatus } from './events';
export { NO_STATUS, State } from './events';
