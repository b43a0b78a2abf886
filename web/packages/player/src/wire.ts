/** What a program that speaks these protocols itself needs of them: the pusher does. */

export * as amf0 from './amf0';
export * as aac from './codec/aac';
export * as avc from './codec/avc';
export * as body from './flv/body';
export * as mux from './flv/mux';
export type { Codec, Frame } from './frame';
export { Misbehaved } from './misbehaved';
export { Clock } from './rtmp-udp/clock';
export * as control from './rtmp-udp/control';
export * as media from './rtmp-udp/media';
export * as session from './rtmp-udp/session';
export { addressOf, discover, Unreachable } from './source/webtransport';
export * as url from './url';
