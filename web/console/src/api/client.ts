/** One way to ask the API, and what its answers mean for the whole page. */

import { ref } from 'vue';
import { language } from '@/lang';

/** A refusal, or no answer at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    /** A word for programs: `not-eligible`. */
    readonly code: string,
    message: string,
    /** Which field of the request is wrong. */
    readonly field?: string,
    /** Whom the gate admits instead. */
    readonly categories: unknown[] = [],
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** Whether the last answer said that the store does not work. */
export const storeDown = ref(false);
/** Whether the last question got no answer. */
export const unreachable = ref(false);

let onLoggedOut: () => void = () => {};

/** Who is told when the session has ended. */
export function whenLoggedOut(tell: () => void): void {
  onLoggedOut = tell;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Asked {
  signal?: AbortSignal;
  /** 401 is an answer here, not the end of the session. */
  quiet?: boolean;
}

async function ask<T>(method: Method, path: string, body?: unknown, how: Asked = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': language.value };
  if (method !== 'GET') headers['Content-Type'] = 'application/json';
  let answer: Response;
  try {
    answer = await fetch('/api/v1' + path, {
      method,
      headers,
      body: method === 'GET' ? null : JSON.stringify(body ?? {}),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: how.signal ?? null,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    unreachable.value = true;
    throw new ApiError(0, 'unreachable', '');
  }
  unreachable.value = false;
  const text = await answer.text();
  let value: any = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    // An answer of somebody in between, such as a proxy's page.
  }
  if (answer.ok) {
    storeDown.value = false;
    return value as T;
  }
  const code = typeof value?.error === 'string' ? value.error : `http-${answer.status}`;
  if (answer.status === 503 && code === 'store') storeDown.value = true;
  if (answer.status === 401 && !how.quiet) onLoggedOut();
  throw new ApiError(
    answer.status,
    code,
    typeof value?.message === 'string' ? value.message : '',
    value?.field ?? undefined,
    Array.isArray(value?.categories) ? value.categories : [],
    Number(answer.headers.get('Retry-After')) || undefined,
  );
}

export const get = <T>(path: string, how?: Asked) => ask<T>('GET', path, undefined, how);
export const post = <T>(path: string, body?: unknown, how?: Asked) => ask<T>('POST', path, body, how);
export const put = <T>(path: string, body?: unknown) => ask<T>('PUT', path, body);
export const patch = <T>(path: string, body?: unknown) => ask<T>('PATCH', path, body);
export const del = <T>(path: string, body?: unknown) => ask<T>('DELETE', path, body);

/** `?a=1&b=2` of what is there. */
export function query(of: Record<string, string | number | boolean | null | undefined>): string {
  const parts = Object.entries(of)
    .filter(([, value]) => value !== undefined && value !== null && value !== '')
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return parts.length ? '?' + parts.join('&') : '';
}

/** The path of a stream; a `/` in an app becomes `%2F`. */
export function streamPath(of: { account: string; app: string; name: string }): string {
  return `/streams/${[of.account, of.app, of.name].map(encodeURIComponent).join('/')}`;
}
