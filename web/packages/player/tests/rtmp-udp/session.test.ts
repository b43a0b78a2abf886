import { describe, expect, test } from 'vitest';
import { decode, encode, type Value } from '../../src/amf0';
import {
  ControlReader,
  config,
  encodeClockRequest,
  encodeMessage,
  Kind,
  type Message,
  message,
  PREAMBLE,
  Type,
} from '../../src/rtmp-udp/control';
import { type Request, Session, type SessionEvent } from '../../src/rtmp-udp/session';
import { bytesOf, everyCut, joined } from '../bytes';

const PLAY: Request = { verb: 'play', tcUrl: 'rtmp://h/live', app: 'live', name: 's?txSecret=a&txTime=b' };

function command(name: string, transaction: number, ...values: Value[]): Message {
  return message(Type.Command, encode(name, transaction, ...values));
}

function status(code: string, level = 'status', more: Record<string, Value> = {}): Message {
  return command('onStatus', 0, null, { level, code, description: 'words', ...more });
}

const YES = command(
  '_result',
  1,
  { fmsVer: 'T' },
  { level: 'status', code: 'NetConnection.Connect.Success', ull: { session: 'ab' } },
);
const STARTED = status('NetStream.Play.Start');

/** What a session that has been asked makes of what a server says. */
function hears(session: Session, ...messages: Message[]): SessionEvent[] {
  return [...session.handleBytes(joined(...messages.map(encodeMessage)))];
}

function greeted(request: Request = PLAY): Session {
  const session = new Session(request);
  expect(said(session, bytesOf(''))).toHaveLength(3);
  expect([...session.handleBytes(PREAMBLE)]).toEqual([]);
  return session;
}

/** What a session says, behind what it said before. */
function said(session: Session, before: Uint8Array = PREAMBLE): Message[] {
  return [...new ControlReader().read(joined(before, session.pollTransmit() ?? bytesOf('')))];
}

/** Who is over says nothing more. */
function isOver(session: Session): boolean {
  session.pollTransmit();
  session.askKey();
  return session.pollTransmit() === null;
}

describe('a session', () => {
  test('asks for everything in one flight', () => {
    const session = new Session({ ...PLAY, resume: 'cd' });
    const flight = session.pollTransmit() ?? bytesOf('');
    const messages = [...new ControlReader().read(flight)];
    expect(messages.map((m) => m.type)).toEqual([Type.Command, Type.Command, Type.Command]);
    const [connect, createStream, play] = messages.map((m) => decode(m.body));
    expect(connect?.slice(0, 2)).toEqual(['connect', 1]);
    expect(connect?.[2]).toMatchObject({
      app: 'live',
      tcUrl: 'rtmp://h/live',
      ull: { ver: 1, start: 'gop', conceal: false, resume: 'cd' },
    });
    expect(createStream).toEqual(['createStream', 2, null]);
    expect(play).toEqual(['play', 0, null, 's?txSecret=a&txTime=b', -2]);
    expect(session.pollTransmit()).toBeNull();
  });

  test('publishes as it plays', () => {
    const session = new Session({ ...PLAY, verb: 'publish' });
    expect(decode(said(session, bytesOf(''))[2]?.body ?? bytesOf(''))).toEqual(['publish', 0, null, PLAY.name, 'live']);
    session.handleBytes(PREAMBLE).next();
    expect(hears(session, YES, status('NetStream.Publish.Start'))).toEqual([
      { kind: 'connected' },
      { kind: 'started' },
    ]);
    expect(session.isRunning).toBe(true);
  });

  test('is let in, and has a name', () => {
    const session = greeted();
    const header = config(Kind.Video, 1, 0, bytesOf('1700'));
    const events = hears(
      session,
      YES,
      command('_result', 2, null, 1),
      message(4, bytesOf('0000 00000001')),
      STARTED,
      header,
    );
    expect(events).toEqual([{ kind: 'connected' }, { kind: 'started' }, { kind: 'config', message: header }]);
    expect(session.name).toBe('ab');
  });

  test('hears the same however it is cut', () => {
    const stream = joined(PREAMBLE, ...[YES, STARTED, message(Type.KeyRequest)].map(encodeMessage));
    for (const parts of everyCut(stream)) {
      const session = new Session(PLAY);
      const kinds = parts.flatMap((part) => [...session.handleBytes(part)]).map((event) => event.kind);
      expect(kinds).toEqual(['connected', 'started', 'key-request']);
    }
  });

  test.each([
    [
      'connect',
      command('_error', 1, null, { level: 'error', code: 'NetConnection.Connect.Rejected', reason: 'stopping' }),
      'stopping',
    ],
    ['connect, without a word', command('_error', 1, null), ''],
    ['play', status('NetStream.Play.Failed', 'error', { reason: 'viewer-limit' }), 'viewer-limit'],
  ])('is refused at %s', (_, message, reason) => {
    const session = greeted();
    expect(hears(session, message, STARTED)).toMatchObject([{ kind: 'refused', status: { isError: true, reason } }]);
    expect(isOver(session)).toBe(true);
  });

  test.each([
    ['NetStream.Play.UnpublishNotify', 'status', 'ended'],
    ['NetStream.Play.Stop', 'status', 'ended'],
    ['NetConnection.Connect.AppShutdown', 'status', 'ended'],
    ['NetConnection.Connect.Closed', 'error', 'ended'],
    ['NetStream.Play.InsufficientBW', 'error', 'status'],
    ['NetStream.Pause.Notify', 'status', 'status'],
  ])('hears %s of level %s: %s', (code, level, kind) => {
    const session = greeted();
    hears(session, YES, STARTED);
    expect(hears(session, status(code, level))).toMatchObject([{ kind, status: { code } }]);
    expect(isOver(session)).toBe(kind === 'ended');
  });

  test('is asked elsewhere', () => {
    const session = greeted();
    const code = 'NetConnection.Connect.ReconnectRequest';
    expect(hears(session, status(code, 'status', { tcUrl: 'rtmp://x/live' }), status(code))).toEqual([
      { kind: 'reconnect', url: 'rtmp://x/live' },
      { kind: 'reconnect', url: null },
    ]);
  });

  test('answers with our clock, and says what it is told to', () => {
    const session = greeted();
    expect(hears(session, encodeClockRequest(3, 5))).toEqual([{ kind: 'clock-request', id: 3, asked: 5 }]);
    session.answerClock(3, 5, 9);
    session.pause(true);
    session.askKey();
    session.close();
    session.askKey();
    const [clock, ...rest] = said(session);
    expect(clock?.type).toBe(Type.ClockResponse);
    const words = rest.map((m) => (m.type === Type.Command ? decode(m.body) : m.type));
    expect(words).toEqual([['pause', 0, null, true, 0], Type.KeyRequest, ['deleteStream', 0, null, 1]]);
  });

  test('believes no nonsense', () => {
    for (const bad of [
      message(Type.Command, bytesOf('')),
      message(Type.Command, bytesOf('00 3ff0000000000000')),
      message(Type.Command, bytesOf('02 0004 6c69')),
      message(Type.ServerStat, bytesOf('00')),
      message(Type.ClockResponse, bytesOf('00000001')),
    ]) {
      expect(() => hears(greeted(), bad)).toThrow();
    }
    // Configuration without its bit, and what nobody knows, is skipped.
    expect(hears(greeted(), message(Kind.Video, bytesOf('17')), message(0x33), command('onFoo', 0))).toEqual([]);
    expect(hears(greeted(), command('onStatus', 0, null, { level: 'error' }))).toEqual([]);
  });
});
