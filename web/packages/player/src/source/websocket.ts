/** FLV over WebSocket (`docs/ref/ws-flv.md`). */

import type { End } from '../engine';
import { State } from '../events';
import { wordsOf } from '../misbehaved';
import { REASON_CHARS_MAX, type Receiver, refusal, SENTENCE_CHARS_MAX, type Source, worded } from './source';

export function openWebSocket(url: string, receiver: Receiver): Source {
  let socket: WebSocket | null = null;
  let isOpen = false;
  let isOver = false;
  const close = () => {
    isOver = true;
    if (socket !== null) {
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
  };
  try {
    socket = new WebSocket(url);
  } catch (error) {
    // A page of HTTPS may not open `ws:`.
    const message = wordsOf(error);
    queueMicrotask(() => isOver || receiver.end({ kind: 'lost', code: State.ConnectFailed, message }));
    return { close };
  }
  socket.binaryType = 'arraybuffer';
  socket.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (!(data instanceof ArrayBuffer)) return;
    // A refusal comes after the handshake too: only media says that the server said yes.
    if (!isOpen) receiver.opened();
    isOpen = true;
    if (!isOver) receiver.data(new Uint8Array(data));
  };
  socket.onclose = (event) => {
    close();
    receiver.end(whyClosed(event, isOpen));
  };
  return { close };
}

/** What a close means. */
export function whyClosed({ code, reason }: { code: number; reason: string }, wasOpen: boolean): End {
  if (code === 1000) return { kind: 'ended' };
  if (code >= 4400 && code < 4600) {
    const [word = '', ...sentence] = reason.split(': ');
    const message = worded(sentence.join(': '), SENTENCE_CHARS_MAX);
    return refusal(code - 4000, worded(word, REASON_CHARS_MAX), message);
  }
  const message = `the connection was closed: ${code} ${worded(reason, SENTENCE_CHARS_MAX)}`.trimEnd();
  if (code !== NO_CLOSE) return { kind: 'lost', code: State.ServerClosed, message };
  return { kind: 'lost', code: wasOpen ? State.TransportFailed : State.ConnectFailed, message };
}

/** The connection ended without a word. */
const NO_CLOSE = 1006;
