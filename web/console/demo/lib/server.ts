/** What the pages ask their server. */

/** What it says of itself: crates/console/src/demo.rs. */
export interface Room {
  clock_path: string;
  watch: { name: string; url: string }[];
  secure: string | null;
  console: string | null;
  fingerprint: string | null;
}

/** What New gives, under the names of the vendor's demo. */
export interface NewUrls {
  url_push: string;
  url_play_rtmp: string;
  url_play_flv: string;
  /** Not there when UDP is switched off. */
  url_play_acc?: string;
}

/** A refusal, in the server's words; `status` 0 when it did not answer. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
  }
}

export const room = () => ask<Room>('/demo/data.json');
export const newUrls = () => ask<NewUrls>('/weapp/utils/get_test_pushurl');

/**
 * The clock's URL for RTC mode. One that was given before is good for an hour, and the server gives five URLs a
 * minute: it is kept for as long as the tab is open.
 */
export async function clockUrl(): Promise<string> {
  const kept = sessionStorage.getItem(KEPT);
  const url = kept && JSON.parse(kept);
  if (url && url.until > Date.now()) return String(url.url);
  const { url_rtmpacc } = await ask<{ url_rtmpacc: string }>('/weapp/utils/get_test_rtmpaccurl');
  sessionStorage.setItem(KEPT, JSON.stringify({ url: url_rtmpacc, until: Date.now() + KEPT_MS }));
  return url_rtmpacc;
}

async function ask<T>(path: string): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { cache: 'no-store' });
  } catch {
    throw new Refused(0, '');
  }
  const body = (await response.json().catch(() => null)) as (T & { message?: unknown }) | null;
  if (response.ok && body) return body;
  const words = typeof body?.message === 'string' ? body.message : `HTTP ${response.status}`;
  const after = Number(response.headers.get('retry-after'));
  throw new Refused(response.status, words, after > 0 ? after : null);
}

const KEPT = 'thalweg.clock';
/** Ten minutes less than the URL is good for. */
const KEPT_MS = 50 * 60_000;
