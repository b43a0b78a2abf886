/** What bytes of a stream come from: HTTP ({@link import('./fetch').openFetch}) or WebSocket. */

import type { End } from '../engine';
import { State } from '../events';

/** Who gets the bytes. */
export interface Receiver {
  /** The server has said yes. */
  opened(): void;
  data(bytes: Uint8Array): void;
  /** It is over. The last call there is. */
  end(end: End): void;
}

/** A connection that is being made, or is there. */
export interface Source {
  /** Ends it; nothing is said afterwards. */
  close(): void;
}

export type OpenSource = (url: string, receiver: Receiver) => Source;

/** How a server said no: by a status of HTTP, and by a word and a sentence of its own. */
export function refusal(status: number, reason: string, sentence: string): End {
  const words = reason || status !== 404 ? sentence : 'is it http-origin?';
  const message = `${status}${reason && ` ${reason}`}${words && `: ${words}`}`;
  if (status === 404) return { kind: 'not-found', message };
  // Too many now, or a server that stops: later it may be otherwise.
  if (status === 429 || status >= 500) return { kind: 'lost', code: State.ServerClosed, message };
  return { kind: 'refused', reason: reason || `http-${status}`, message };
}

/** The text of an answer: cut off where it is longer than it can be. */
export async function textOf(answer: Response): Promise<string> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (reader && text.length <= ANSWER_CHARS_MAX) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += value;
  }
  await reader?.cancel();
  return text;
}

/** A word and a sentence are shown to people: letters only, and no more than fits. */
export function worded(text: string, charsMax: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  return text.replaceAll(/[\u0000-\u001f\u007f]/g, ' ').slice(0, charsMax);
}

/** A place, or a refusal with its reason, with room for much that nobody asked for. */
const ANSWER_CHARS_MAX = 16_384;
export const REASON_CHARS_MAX = 64;
export const SENTENCE_CHARS_MAX = 300;
