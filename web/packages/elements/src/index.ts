/** The elements as classes, which nothing here registers: `define.ts` does. */

export { type Attribute, type Mirrored, propertyOf, type Table, type Value, type Values } from './attributes';
export type { Scope } from './context';
export { type Callbacks, Failed } from './element';
export {
  createLivePlayerContext,
  type FullScreenChange,
  LivePlayer,
  type LivePlayerContext,
  type LivePlayerEvents,
  PLAYER_METHODS,
  type StateChange,
} from './live-player';
export {
  createLivePusherContext,
  LivePusher,
  type LivePusherContext,
  type LivePusherEvents,
  type MusicProgress,
  PUSHER_METHODS,
  type PushError,
  type PushStateChange,
  UNABLE_METHODS,
} from './live-pusher';
export { PLAYER_MEANS, PUSHER_MEANS } from './means';
export { PLAYER, type PlayerValues } from './play/attributes';
export type { Direction } from './play/full-screen';
export { PUSHER, type PusherValues } from './push/attributes';
export type { PushStatus } from './push/status';
export type { Quality, Snapshot } from './snapshot';
