/** What a program that speaks these protocols itself needs of them: the pusher does. */

export * as amf0 from './amf0';
export { Misbehaved } from './misbehaved';
export { Clock } from './rtmp-udp/clock';
export * as control from './rtmp-udp/control';
export * as media from './rtmp-udp/media';
export * as session from './rtmp-udp/session';
