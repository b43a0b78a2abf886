/** A stream that the server does not hold: nobody has published it for a while. Its history is kept all the same. */

import { ApiError, get, query, streamPath } from '@/api/client';
import type { Forbidden, Stream } from '@/api/types';

export interface StreamName {
  account: string;
  app: string;
  name: string;
}

/** The stream, as one that is not live. */
export function absent({ account, app, name }: StreamName): Stream {
  return {
    account, app, name, live: false, publisher: null, video: null, audio: null, viewers: {}, bytes_in: 0, bytes_out: {},
    jumps: 0, frames_skipped: 0, log: { bytes: 0, frames: 0, ms: 0 }, forbidden: null, seconds: [],
  };
}

/** Whether the server has something to say of it: it is there, or may not be published. */
async function isKnown(of: StreamName, signal: AbortSignal): Promise<boolean> {
  const is = (one: StreamName) => one.account === of.account && one.app === of.app && one.name === of.name;
  const found = await get<{ streams: Stream[] }>('/streams' + query({ account: of.account, query: `${of.app}/${of.name}`.slice(-100), page_size: 300 }), { signal });
  if (found.streams.some(is)) return true;
  const barred = await get<{ forbidden: Forbidden[] }>('/forbidden' + query({ account: of.account }), { signal });
  return barred.forbidden.some(is);
}

/**
 * Reads a stream. Once it was not there the lists are asked first: to be asked for what is missing, again and
 * again, is an error to a browser.
 */
export async function readStream(of: StreamName, wasAbsent: boolean, signal: AbortSignal): Promise<{ stream: Stream; isAbsent: boolean }> {
  try {
    if (wasAbsent && !(await isKnown(of, signal))) return { stream: absent(of), isAbsent: true };
    return { stream: await get<Stream>(streamPath(of), { signal }), isAbsent: false };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return { stream: absent(of), isAbsent: true };
    throw error;
  }
}
