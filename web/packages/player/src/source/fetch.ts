/** HTTP-FLV, by `fetch`. */

import type { End } from '../engine';
import { State } from '../events';
import { wordsOf } from '../misbehaved';
import { REASON_CHARS_MAX, type Receiver, refusal, SENTENCE_CHARS_MAX, type Source, textOf, worded } from './source';

export function openFetch(url: string, receiver: Receiver, referrerPolicy: ReferrerPolicy = ''): Source {
  const abort = new AbortController();
  run(url, receiver, { signal: abort.signal, referrerPolicy }).then(
    (end) => abort.signal.aborted || receiver.end(end),
    () => undefined,
  );
  return { close: () => abort.abort() };
}

/** How this request is made. */
interface Asked {
  signal: AbortSignal;
  referrerPolicy: ReferrerPolicy;
}

/** Reads until it is over, and answers why. */
async function run(url: string, receiver: Receiver, asked: Asked): Promise<End> {
  const { signal } = asked;
  let response: Response;
  try {
    response = await fetch(url, { ...asked, credentials: 'omit', cache: 'no-store' });
  } catch (error) {
    return { kind: 'lost', code: State.ConnectFailed, message: `no connection: ${wordsOf(error)}` };
  }
  if (!response.ok) return refused(response);
  if (response.body === null) return { kind: 'lost', code: State.ServerClosed, message: 'the answer is empty' };
  receiver.opened();
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      // HTTP does not say whether the stream or only the connection has ended.
      if (done) return { kind: 'lost', code: State.ServerClosed, message: 'the server has closed' };
      if (signal.aborted) break;
      receiver.data(value);
    }
  } catch (error) {
    return { kind: 'lost', code: State.TransportFailed, message: `the connection broke: ${wordsOf(error)}` };
  }
  return { kind: 'ended' };
}

/** The server says why in JSON: `{"error":"auth-expired","message":"..."}`. */
async function refused(response: Response): Promise<End> {
  const body: unknown = await textOf(response)
    .then(JSON.parse)
    .catch(() => null);
  return refusal(response.status, field(body, 'error', REASON_CHARS_MAX), field(body, 'message', SENTENCE_CHARS_MAX));
}

function field(body: unknown, name: string, charsMax: number): string {
  const value = typeof body === 'object' && body !== null ? Object.getOwnPropertyDescriptor(body, name)?.value : '';
  return typeof value === 'string' ? worded(value, charsMax) : '';
}
