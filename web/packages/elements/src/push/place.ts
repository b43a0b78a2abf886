/** Where a push URL leads to: RTMP's names, and the HTTP origin that a page reaches the server by. */

export interface Place {
  /** `rtmp://HOST[:PORT]/APP`, without the query. */
  tcUrl: string;
  app: string;
  /** `STREAM?QUERY`: the signature belongs to the name. */
  name: string;
  /** `GET` tells where RTMP-UDP is served. */
  ull: string;
  /** FLV over WebSocket. */
  ws: string;
}

/**
 * The place of `rtmp://HOST[:PORT]/APP/STREAM?QUERY`; `null` of what is none. HTTP is asked at `httpOrigin`, else at
 * the page's origin where that is the same host, else at HOST by the page's scheme.
 */
export function placeOf(url: string, httpOrigin: string, page: { origin: string; protocol: string }): Place | null {
  const parts = /^(rtmps?):\/\/([^/?#\s@]+)\/([^?#\s]+)\/([^/?#\s]+)(\?[^#\s]*)?$/i.exec(url);
  if (!parts) return null;
  const [, scheme = '', authority = '', app = '', stream = '', query = ''] = parts;
  const origin = originOf(authority, httpOrigin, page);
  if (!origin) return null;
  return {
    tcUrl: `${scheme.toLowerCase()}://${authority}/${app}`,
    app,
    name: stream + query,
    ull: `${origin}/ull`,
    ws: `${origin.replace(/^http/, 'ws')}/${app}/${stream}.flv${query}`,
  };
}

function originOf(authority: string, httpOrigin: string, page: { origin: string; protocol: string }): string | null {
  try {
    if (httpOrigin) {
      const { protocol, origin } = new URL(httpOrigin);
      return protocol === 'http:' || protocol === 'https:' ? origin : null;
    }
    const { hostname } = new URL(`http://${authority}`);
    const isWeb = page.protocol === 'http:' || page.protocol === 'https:';
    if (isWeb && new URL(page.origin).hostname === hostname) return page.origin;
    return `${isWeb ? page.protocol : 'https:'}//${hostname}`;
  } catch {
    return null;
  }
}
