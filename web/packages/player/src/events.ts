/**
 * What a player says while it plays: the codes of the mini-program's `<live-player>`, under which an app that is
 * ported already looks for them.
 */

/** Codes of `statechange`. Below zero it has given up; from 2101 on it goes on, worse. */
export const State = {
  /** Connected to the server. */
  Connected: 2001,
  /** The server begins to send the stream. Over RTMP-UDP only. */
  StreamBegins: 2002,
  /** The first key frame has come. */
  FirstKeyFrame: 2003,
  /** Playing, at first or again after {@link State.Loading}. */
  Playing: 2004,
  /** The stream has ended. Never over HTTP-FLV, where an end looks like a lost connection. */
  Ended: 2006,
  /** The buffer has run dry, and is filled; {@link State.Playing} follows. */
  Loading: 2007,
  /** The decoder has started. */
  DecoderStarted: 2008,
  /** The picture has another size: `width` and `height` say which. */
  SizeChanged: 2009,
  /** The first picture is on the screen. */
  FirstPicture: 2032,
  /** A picture could not be decoded. */
  VideoDecodeFailed: 2101,
  /** A piece of sound could not be decoded. */
  AudioDecodeFailed: 2102,
  /** The connection is lost; it is made anew, three times at most. */
  Reconnecting: 2103,
  /** What arrives, arrives unevenly. */
  Uneven: 2104,
  /** The picture stood still for longer than the threshold. */
  Stutter: 2105,
  /** The hardware's decoder failed, and software decodes. */
  HardwareFailed: 2106,
  /** Pictures are missing. */
  Discontinuous: 2107,
  /** The host has no address. */
  NameUnknown: 3001,
  /** No connection to the server. */
  ConnectFailed: 3002,
  /** The handshake with the server failed. */
  HandshakeFailed: 3003,
  /** The server has closed: the URL is not valid, or not any more. */
  ServerClosed: 3004,
  /** Reading or writing failed. */
  TransportFailed: 3005,
  /** Disconnected, and the attempts to come back are used up: it has stopped. */
  GaveUp: -2301,
  /** No low-delay stream: the signature is missing or wrong, the seats are taken, or UDP does not get through. */
  NoAcceleration: -2302,
  /** The codec cannot be decoded here. */
  CodecUnsupported: -2304,
} as const;

/** A code of {@link State}. */
export type State = (typeof State)[keyof typeof State];

/** What comes with a code, where there is something. */
export interface Details {
  /** Of {@link State.SizeChanged}, pixels. */
  width?: number;
  height?: number;
  /** Of {@link State.Stutter}: how long the picture stood still, ms. */
  gapMs?: number;
  /** Why the server refused, in the words of its reference: `auth-expired`, `viewer-limit`. */
  reason?: string;
}

/** Who is told. Calls come one after the other, never from within a call of the player's. */
export interface Listener {
  state(code: State, message: string, details: Details): void;
  /** About once a second while there is a stream. */
  status(status: NetStatus): void;
  /** Loudness of what is heard, 0 to 100, about five times a second while it is not silent. */
  volume?(volume: number): void;
}

/** How it fares: the keys of the mini-program's `netstatus`. */
export interface NetStatus {
  /** kbit/s of the pictures that came. */
  videoBitrate: number;
  /** kbit/s of the sound that came. */
  audioBitrate: number;
  /** Pictures shown in a second. */
  videoFPS: number;
  /** Seconds between key frames. */
  videoGOP: number;
  /** kbit/s received. */
  netSpeed: number;
  /** How unevenly frames come, ms. */
  netJitter: number;
  /** 0 unknown, 1 best to 6 unusable. */
  netQualityLevel: number;
  videoWidth: number;
  videoHeight: number;
  /** Pictures that wait to be shown, ms. */
  videoCache: number;
  /** Sound that waits to be heard, ms. */
  audioCache: number;
  /** Pictures within the decoder. */
  vDecCacheSize: number;
  /** Pictures that wait in all. */
  vSumCacheSize: number;
  /** Picture minus sound, ms: as they are played. */
  avPlayInterval: number;
  /** Picture minus sound, ms: as they came. */
  avRecvInterval: number;
  /** From so much sound on the delay is brought down, ms. */
  audioCacheThreshold: number;
  /** Over RTMP-UDP: from the server's ingest to the screen, ms. Not one of the mini-program's. */
  delay?: number;
  /** How it comes. Not one of the mini-program's. */
  transport: 'flv' | 'ws-flv' | 'rtmp-udp' | 'none';
  /** Times the picture stood still. Not one of the mini-program's. */
  freezes: number;
}

export const NO_STATUS: Readonly<NetStatus> = {
  videoBitrate: 0,
  audioBitrate: 0,
  videoFPS: 0,
  videoGOP: 0,
  netSpeed: 0,
  netJitter: 0,
  netQualityLevel: 0,
  videoWidth: 0,
  videoHeight: 0,
  videoCache: 0,
  audioCache: 0,
  vDecCacheSize: 0,
  vSumCacheSize: 0,
  avPlayInterval: 0,
  avRecvInterval: 0,
  audioCacheThreshold: 0,
  transport: 'none',
  freezes: 0,
};
