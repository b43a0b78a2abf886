import { describe, expect, test } from 'vitest';
import { State } from '../src/events';
import { endOfClose, endOfFailure, endOfStatus, isUnexplained } from '../src/rtc-end';
import { Close } from '../src/rtmp-udp/control';

const status = (code: string, reason = '', description = 'words') => ({ isError: true, code, description, reason });

describe('how a play ends', () => {
  test.each([
    ['NetStream.Play.Failed', 'auth-expired', { kind: 'refused', reason: 'auth-expired', message: 'words' }],
    ['NetStream.Play.Failed', 'viewer-limit', { kind: 'refused', reason: 'viewer-limit', message: 'words' }],
    ['NetStream.Play.Failed', '', { kind: 'refused', reason: 'refused', message: 'words' }],
    ['NetStream.Play.StreamNotFound', 'not-found', { kind: 'not-found', message: 'words' }],
    ['NetStream.Play.StreamNotFound', '', { kind: 'not-found', message: 'words' }],
    ['NetStream.Play.StreamNotFound', 'bad-name', { kind: 'refused', reason: 'bad-name', message: 'words' }],
    ['NetStream.Play.UnpublishNotify', '', { kind: 'ended' }],
    ['NetConnection.Connect.Rejected', 'stopping', { kind: 'lost', code: State.ServerClosed, message: 'words' }],
    ['NetConnection.Connect.AppShutdown', '', { kind: 'lost', code: State.ServerClosed, message: 'words' }],
    ['NetConnection.Connect.Closed', '', { kind: 'lost', code: State.TransportFailed, message: 'words' }],
    ['NetStream.Play.Stop', '', { kind: 'lost', code: State.ServerClosed, message: 'words' }],
  ])('%s %s', (code, reason, end) => {
    expect(endOfStatus(status(code, reason))).toEqual(end);
  });

  test('too slow is no refusal that another try would change', () => {
    const end = { kind: 'refused', reason: 'too-slow' };
    const closed = status('NetConnection.Connect.Closed', '', 'the viewer reads less than the stream brings');
    expect(isUnexplained(closed)).toBe(true);
    expect(endOfStatus(closed)).toMatchObject(end);
    expect(endOfClose(Close.TooSlow, '')).toMatchObject(end);
  });

  test.each([
    [Close.Auth, { kind: 'refused', reason: 'auth' }],
    [Close.Limit, { kind: 'refused', reason: 'limit' }],
    [Close.NotFound, { kind: 'not-found' }],
    [Close.GoingAway, { kind: 'lost', code: State.ServerClosed }],
    [Close.None, { kind: 'lost', code: State.TransportFailed }],
    [Close.Internal, { kind: 'lost', code: State.TransportFailed }],
    [99, { kind: 'lost', code: State.TransportFailed }],
    [null, { kind: 'lost', code: State.TransportFailed, message: 'the connection is lost' }],
  ])('by the close alone: %s', (code, end) => {
    expect(endOfClose(code, '')).toMatchObject(end);
  });

  test('without a connection', () => {
    expect(endOfFailure('no-server', 'x')).toMatchObject({ kind: 'lost', code: State.ConnectFailed });
    expect(endOfFailure('no-handshake', 'x')).toMatchObject({ kind: 'lost', code: State.HandshakeFailed });
    expect(endOfFailure('no-udp', 'x')).toMatchObject({ kind: 'unsupported', code: State.NoAcceleration });
  });
});
