/**
 * The client's side of the control stream (`docs/ref/rtmp-udp.md`, section 3). Everything is asked in one flight, so
 * that the first media is one round trip behind the handshake.
 *
 * Nothing here knows of a socket or a clock: bytes of the server go in by {@link Session.handleBytes}, which answers
 * what happened; bytes for the server come out of {@link Session.pollTransmit}.
 */

import { decode, encode, property, text, type Value } from '../amf0';
import { Misbehaved } from '../misbehaved';
import {
  type ClockResponse,
  ControlReader,
  decodeClockRequest,
  decodeClockResponse,
  decodeReport,
  decodeServerStat,
  encodeClockRequest,
  encodeClockResponse,
  encodeMessage,
  isKind,
  type Message,
  message,
  PREAMBLE,
  type Report,
  type ServerStat,
  Type,
} from './control';

/** What is asked of the server. */
export interface Request {
  verb: 'play' | 'publish';
  /** `rtmp://HOST[:PORT]/APP`, without the query. */
  tcUrl: string;
  app: string;
  /** `STREAM?QUERY`: the signature belongs to the name. */
  name: string;
  /** Begin with the whole GOP, or with its key frame as a still. */
  start?: 'gop' | 'key';
  /** The decoder hides missing pictures. */
  conceal?: boolean;
  /** The session whose place this one takes: the viewer's network changed. */
  resume?: string;
}

/** What an `onStatus` or an `_error` says. */
export interface Status {
  isError: boolean;
  code: string;
  description: string;
  /** A word for programs: `auth-expired`, `viewer-limit`. Empty where there is none. */
  reason: string;
}

/** What happened. */
export type SessionEvent =
  /** The server knows us: `connect` was accepted. */
  | { kind: 'connected' }
  /** It accepted the play or publish. */
  | { kind: 'started' }
  /** It refused, and says why. The session is over. */
  | { kind: 'refused'; status: Status }
  /** It ended the stream. The session is over. */
  | { kind: 'ended'; status: Status }
  /** It says something without ending anything. */
  | { kind: 'status'; status: Status }
  /** Metadata or a sequence header. */
  | { kind: 'config'; message: Message }
  /** How it fares with what we publish. */
  | { kind: 'report'; report: Report }
  /** It wants a key frame. */
  | { kind: 'key-request' }
  | { kind: 'stat'; stat: ServerStat }
  | { kind: 'clock'; response: ClockResponse }
  /** It asks for our clock: answer with {@link Session.answerClock}. */
  | { kind: 'clock-request'; id: number; asked: number }
  /** It wants us elsewhere, at this URL, or here again. */
  | { kind: 'reconnect'; url: string | null };

export class Session {
  readonly #verb: 'play' | 'publish';
  readonly #reader = new ControlReader();
  #phase: 'asking' | 'running' | 'over' = 'asking';
  #out: Uint8Array<ArrayBuffer>[] = [];
  #name: string | null = null;

  constructor(request: Request) {
    this.#verb = request.verb;
    this.#out.push(PREAMBLE);
    this.#ask(request);
  }

  /** What the server calls this session: to come back under. */
  get name(): string | null {
    return this.#name;
  }

  get isRunning(): boolean {
    return this.#phase === 'running';
  }

  /** Bytes for the control stream; `null` when there are none. */
  pollTransmit(): Uint8Array<ArrayBuffer> | null {
    if (this.#out.length === 0) return null;
    const all = new Uint8Array(this.#out.reduce((sum, bytes) => sum + bytes.length, 0));
    let at = 0;
    for (const bytes of this.#out) {
      all.set(bytes, at);
      at += bytes.length;
    }
    this.#out = [];
    return all;
  }

  /** Takes bytes of the server, and answers what they say. What is on its way when it has ended says nothing more. */
  *handleBytes(bytes: Uint8Array): Generator<SessionEvent> {
    for (const message of this.#reader.read(bytes)) {
      if (this.#phase === 'over') return;
      const event = this.#event(message);
      if (event) yield event;
    }
  }

  /** Says a message: configuration, or feedback. */
  say(message: Message): void {
    if (this.#phase !== 'over') this.#out.push(encodeMessage(message));
  }

  askKey(): void {
    this.say(message(Type.KeyRequest));
  }

  /** Asks for the server's clock; `now` is ours. */
  askClock(id: number, now: number): void {
    this.say(encodeClockRequest(id, now));
  }

  /** Answers a `clock-request` with our wall clock, ms since 1970. */
  answerClock(id: number, asked: number, now: number): void {
    this.say(encodeClockResponse({ id, asked, came: now, answered: now }));
  }

  /** Pauses a play, or goes on with it. */
  pause(paused: boolean): void {
    this.#command('pause', 0, null, paused, 0);
  }

  /** Ends the stream politely. */
  close(): void {
    this.#command('deleteStream', 0, null, 1);
    this.#phase = 'over';
  }

  #ask({ verb, tcUrl, app, name, start, conceal, resume }: Request): void {
    const any = { '*': CAN_FORWARD };
    const ull: Record<string, Value> = { ver: 1, targetMs: TARGET_MS, reportMs: REPORT_MS, keepaliveMs: KEEP_ALIVE_MS };
    if (verb === 'play') Object.assign(ull, { start: start ?? 'gop', conceal: conceal ?? false });
    if (resume !== undefined) ull.resume = resume;
    this.#command('connect', 1, {
      app,
      tcUrl,
      flashVer: 'Thalweg',
      objectEncoding: 0,
      fourCcList: ['*'],
      videoFourCcInfoMap: any,
      audioFourCcInfoMap: any,
      capsEx: CAN_RECONNECT,
      ull,
    });
    this.#command('createStream', 2, null);
    // -2: live if there is one.
    this.#command(verb, 0, null, name, verb === 'play' ? -2 : 'live');
  }

  #command(name: string, transaction: number, ...values: Value[]): void {
    this.say(message(Type.Command, encode(name, transaction, ...values)));
  }

  #event(message: Message): SessionEvent | null {
    const { type, body } = message;
    switch (type) {
      case Type.Command:
        return this.#onCommand(body);
      case Type.Report:
        return { kind: 'report', report: decodeReport(body) };
      case Type.KeyRequest:
        return { kind: 'key-request' };
      case Type.ClockResponse:
        return { kind: 'clock', response: decodeClockResponse(body) };
      case Type.ClockRequest:
        return { kind: 'clock-request', ...decodeClockRequest(body) };
      case Type.ServerStat:
        return { kind: 'stat', stat: decodeServerStat(body) };
      default:
        return isKind(type) && message.config ? { kind: 'config', message } : null;
    }
  }

  #onCommand(body: Uint8Array): SessionEvent | null {
    const [name, transaction, ...values] = decode(body);
    if (typeof name !== 'string') throw new Misbehaved('a command without a name');
    const status = statusOf(values);
    if (name === '_result' && transaction === 1) {
      const ull = property(
        values.find((value) => property(value, 'ull') !== undefined),
        'ull',
      );
      this.#name = text(ull, 'session') || null;
      return { kind: 'connected' };
    }
    if (name === '_error' && (transaction === 1 || transaction === 2)) {
      return this.#end({ kind: 'refused', status: status ?? NO_REASON });
    }
    return name === 'onStatus' && status ? this.#onStatus(status, values) : null;
  }

  #onStatus(status: Status, values: Value[]): SessionEvent {
    const isRunning = this.#phase === 'running';
    if (status.code === 'NetConnection.Connect.ReconnectRequest') {
      const info = values.find((value) => property(value, 'code') !== undefined);
      return { kind: 'reconnect', url: text(info, 'tcUrl') || null };
    }
    if (!isRunning && status.code === STARTED[this.#verb]) {
      this.#phase = 'running';
      return { kind: 'started' };
    }
    if (!isRunning && status.isError) return this.#end({ kind: 'refused', status });
    const isEnd = status.isError ? status.code !== INSUFFICIENT : ENDING.has(status.code);
    return isEnd ? this.#end({ kind: 'ended', status }) : { kind: 'status', status };
  }

  #end(event: SessionEvent): SessionEvent {
    this.#phase = 'over';
    return event;
  }
}

/** The first value that has a code. */
function statusOf(values: Value[]): Status | null {
  const info = values.find((value) => property(value, 'code') !== undefined);
  if (info === undefined) return null;
  const [code, description, reason] = [text(info, 'code'), text(info, 'description'), text(info, 'reason')];
  return { isError: text(info, 'level') === 'error', code, description, reason };
}

/** A status that says that the path is too narrow for the stream. */
export const INSUFFICIENT = 'NetStream.Play.InsufficientBW';
const NO_REASON: Status = {
  isError: true,
  code: 'NetConnection.Connect.Rejected',
  description: 'the server gave no reason',
  reason: '',
};
const STARTED = { play: 'NetStream.Play.Start', publish: 'NetStream.Publish.Start' } as const;
/** Statuses that end a stream although their level is not "error". */
const ENDING: ReadonlySet<string> = new Set([
  'NetStream.Play.UnpublishNotify',
  'NetStream.Play.Stop',
  'NetStream.Publish.Replaced',
  'NetStream.Unpublish.Success',
  'NetConnection.Connect.AppShutdown',
]);
const TARGET_MS = 300;
/** How often a player reports. */
export const REPORT_MS = 500;
const KEEP_ALIVE_MS = 2000;
/** E-RTMP `capsEx`: the server may ask us to connect elsewhere. */
const CAN_RECONNECT = 1;
/** E-RTMP FourCC capability: what is sent is handed on as it is. */
const CAN_FORWARD = 4;
