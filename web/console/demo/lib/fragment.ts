/**
 * What a link of these pages carries behind its `#`, which browsers keep to themselves: no server learns from it who
 * calls whom, and no URL to push stands in a log.
 */

/** Of the two pages that play. */
export interface Watch {
  src: string;
}

/** Of a call: where one pushes, and what one watches. Who has called keeps the other's two as well. */
export interface Call {
  push: string;
  play: string;
  other?: { push: string; play: string };
}

const PUSH = /^rtmps?:$/;
const PLAY = /^(rtmps?|https?|wss?):$/;
/** Longest URL that is taken from a link; signed ones have about 200 characters. */
const URL_CHARS_MAX = 1000;

export function readWatch(fragment: string): Watch | null {
  const src = url(fields(fragment).get('src'), PLAY);
  return src ? { src } : null;
}

export function writeWatch({ src }: Watch): string {
  return written({ src });
}

export function readCall(fragment: string): Call | null {
  const from = fields(fragment);
  const push = url(from.get('push'), PUSH);
  const play = url(from.get('play'), PLAY);
  if (!push || !play) return null;
  const other = { push: url(from.get('other-push'), PUSH), play: url(from.get('other-play'), PLAY) };
  return other.push && other.play ? { push, play, other: { push: other.push, play: other.play } } : { push, play };
}

export function writeCall({ push, play, other }: Call): string {
  return written(other ? { push, play, 'other-push': other.push, 'other-play': other.play } : { push, play });
}

function fields(fragment: string): URLSearchParams {
  return new URLSearchParams(fragment.replace(/^#/, ''));
}

function written(from: Record<string, string>): string {
  return `#${Object.entries(from).map(([name, value]) => `${name}=${sparely(value)}`).join('&')}`;
}

/** Encoded no more than it must be: a code of fewer characters has larger squares. */
function sparely(value: string): string {
  return encodeURIComponent(value).replace(/%(3A|2F|3F|3D)/g, decodeURIComponent);
}

/** A URL as it stands there, if it is one of the kind. */
function url(text: string | null, schemes: RegExp): string | null {
  if (!text || text.length > URL_CHARS_MAX) return null;
  try {
    const { protocol, hostname } = new URL(text);
    return schemes.test(protocol) && hostname ? text : null;
  } catch {
    return null;
  }
}

/** Whether a text may be played. */
export function canPlay(text: string): boolean {
  return url(text, PLAY) !== null;
}

/** When a signed URL ends, UNIX ms; `null` if it does not say. The vendor's `txTime`: eight digits are hexadecimal. */
export function endOf(text: string): number | null {
  const time = /[?&]txTime=([0-9A-Fa-f]{1,16})(?:&|$)/.exec(text)?.[1];
  if (!time) return null;
  return (/^\d{10}$/.test(time) ? Number(time) : Number.parseInt(time, 16)) * 1000;
}
