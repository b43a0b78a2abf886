/** Where a URL's stream is found, in either mode. */

/** The page that plays: `location` has all of it. */
export interface Page {
  /** `https:` */
  protocol: string;
  /** With its port, where that is not the usual one. */
  host: string;
  hostname: string;
}

/** A stream as FLV. */
export interface LivePlace {
  transport: 'flv' | 'ws-flv';
  url: string;
}

/** A stream over RTMP-UDP. */
export interface RtcPlace {
  /** Whom to ask for `/ull`: `https://live.example.com:8443`. */
  origin: string;
  /** `rtmp://HOST[:PORT]/APP` */
  tcUrl: string;
  app: string;
  /** `STREAM?QUERY`: the signature belongs to the name. */
  name: string;
}

/** What a URL names; `null` where it is none that can be played: rtmp(s), http(s) or ws(s), an app and a stream. */
export function parse(src: string): Source | null {
  const [, scheme = '', host = '', app = '', stream = '', query = ''] = SHAPE.exec(src.trim()) ?? [];
  const name = stream.replace(/\.flv$/i, '');
  const isHost = URL.canParse(`http://${host}/`);
  return isHost && name !== '' ? { scheme: scheme.toLowerCase() as Scheme, host, app, name, query } : null;
}

/** Where to get a stream as FLV. `httpOrigin` is the server's where it is neither the page's nor the stream's host. */
export function livePlace(source: Source, page: Page, httpOrigin = ''): LivePlace {
  const { scheme, host, app, name, query } = source;
  const transport = scheme === 'ws' || scheme === 'wss' ? 'ws-flv' : 'flv';
  if (!isRtmp(scheme)) return { transport, url: `${scheme}://${host}/${app}/${name}.flv${query}` };
  return { transport, url: `${originOf(source, page, httpOrigin)}/${app}/${name}.flv${query}` };
}

/** Where to get a stream over RTMP-UDP. */
export function rtcPlace(source: Source, page: Page, httpOrigin = ''): RtcPlace {
  const { scheme, host, app, name, query } = source;
  const origin = isRtmp(scheme)
    ? originOf(source, page, httpOrigin)
    : httpOrigin
      ? spelled(httpOrigin, page)
      : `${scheme.replace('ws', 'http')}://${host}`;
  // An HTTP URL's port is not that of RTMP.
  const rtmpHost = isRtmp(scheme) ? host : hostname(host);
  const rtmp = scheme === 'rtmps' ? 'rtmps' : 'rtmp';
  return { origin, tcUrl: `${rtmp}://${rtmpHost}/${app}`, app, name: `${name}${query}` };
}

/** A URL with a parameter more, unless it has that one. */
export function withParameter(url: string, name: string, value: string): string {
  const query = url.split('?')[1] ?? '';
  if (new URLSearchParams(query).has(name)) return url;
  return `${url}${url.includes('?') ? (query === '' ? '' : '&') : '?'}${name}=${value}`;
}

/** An RTMP URL says nothing of HTTP: it is the given origin, the page's if the host is the same, or the host. */
function originOf({ host }: Source, page: Page, httpOrigin: string): string {
  if (httpOrigin) return spelled(httpOrigin, page);
  const isPages = hostname(host).toLowerCase() === page.hostname.toLowerCase();
  return `${schemeOf(page)}://${isPages ? page.host : hostname(host)}`;
}

/** `live.example.com:8443` and `https://live.example.com:8443/` are the same on a page of HTTPS. */
function spelled(origin: string, page: Page): string {
  const whole = /^https?:\/\//i.test(origin) ? origin : `${schemeOf(page)}://${origin}`;
  return whole.replace(/\/+$/, '');
}

/** A page from a file can ask for anything. */
function schemeOf(page: Page): 'http' | 'https' {
  return page.protocol === 'https:' ? 'https' : 'http';
}

function hostname(host: string): string {
  return host.replace(/:\d*$/, '');
}

function isRtmp(scheme: Scheme): boolean {
  return scheme === 'rtmp' || scheme === 'rtmps';
}

export interface Source {
  scheme: Scheme;
  /** With its port, where it has one. */
  host: string;
  /** May have slashes within. */
  app: string;
  /** Without `.flv`. */
  name: string;
  /** With its `?`, or empty. */
  query: string;
}

export type Scheme = 'rtmp' | 'rtmps' | 'http' | 'https' | 'ws' | 'wss';

const SHAPE = /^(rtmps?|https?|wss?):\/\/([^/?#@\s]+)\/([^?#\s]+)\/([^/?#\s]+)(\?[^#\s]*)?(?:#.*)?$/i;
