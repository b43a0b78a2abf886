/** Why a play over RTMP-UDP ended, in the words that a player decides by. */

import type { End } from './engine';
import { State } from './events';
import { Close } from './rtmp-udp/control';
import type { Status } from './rtmp-udp/session';
import type { Failure } from './source/webtransport';

/** Whether only the close says what this means. */
export function isUnexplained({ code, reason }: Status): boolean {
  return code === 'NetConnection.Connect.Closed' && reason === '';
}

/** The server said no, or its last word, on the control stream. */
export function endOfStatus({ code, description, reason }: Status): End {
  const message = description || code;
  if (reason === 'not-found') return { kind: 'not-found', message };
  if (PASSING.has(reason)) return { kind: 'lost', code: State.ServerClosed, message };
  if (reason !== '') return { kind: 'refused', reason, message };
  if (code === 'NetStream.Play.UnpublishNotify') return { kind: 'ended' };
  if (code === 'NetStream.Play.StreamNotFound') return { kind: 'not-found', message };
  // The close says whether it was too slow, broke the protocol or was silent. Chromium forgets some: then the words do.
  if (code === 'NetConnection.Connect.Closed') {
    return TOO_SLOW_WORDS.test(message) ? tooSlow(message) : { kind: 'lost', code: State.TransportFailed, message };
  }
  if (code.startsWith('NetStream.Play.Failed') || code === 'NetConnection.Connect.Rejected') {
    return { kind: 'refused', reason: 'refused', message };
  }
  return { kind: 'lost', code: State.ServerClosed, message };
}

/** Nothing was said there, or it did not come; `code` is that of the close, `null` where the connection was lost. */
export function endOfClose(code: number | null, words: string): End {
  const message = words || 'the connection is lost';
  switch (code) {
    case Close.Auth:
      return { kind: 'refused', reason: 'auth', message };
    case Close.Limit:
      return { kind: 'refused', reason: 'limit', message };
    case Close.NotFound:
      return { kind: 'not-found', message };
    case Close.TooSlow:
      return tooSlow(message);
    case Close.GoingAway:
      return { kind: 'lost', code: State.ServerClosed, message };
    default:
      return { kind: 'lost', code: State.TransportFailed, message };
  }
}

/** There was no connection. */
export function endOfFailure(failure: Failure, message: string): End {
  if (failure === 'no-udp') return { kind: 'unsupported', code: State.NoAcceleration, message };
  return { kind: 'lost', code: failure === 'no-server' ? State.ConnectFailed : State.HandshakeFailed, message };
}

function tooSlow(message: string): End {
  return { kind: 'refused', reason: TOO_SLOW, message };
}

/** The path brings less than the stream has: not a refusal of the server's, but no more worth another try. */
export const TOO_SLOW = 'too-slow';
/** Refusals that are over when the server is back. */
const PASSING: ReadonlySet<string> = new Set(['stopping']);
const TOO_SLOW_WORDS = /reads less|does not read/;
