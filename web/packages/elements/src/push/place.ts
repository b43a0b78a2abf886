/** Where a push URL leads to. */

import { url } from '@thalweg/player/wire';

export interface Place {
  /** `rtmp://HOST[:PORT]/APP`, without the query. */
  tcUrl: string;
  app: string;
  /** `STREAM?QUERY`: the signature belongs to the name. */
  name: string;
  /** Whose `/ull` tells where RTMP-UDP is served. */
  origin: string;
  /** FLV over WebSocket. */
  ws: string;
}

/** The place of `rtmp://HOST[:PORT]/APP/STREAM?QUERY`; `null` of what is none. */
export function placeOf(src: string, httpOrigin: string, page: url.Page): Place | null {
  const source = url.parse(src);
  if (source?.scheme !== 'rtmp' && source?.scheme !== 'rtmps') return null;
  const { origin, tcUrl, app, name } = url.rtcPlace(source, page, httpOrigin);
  return {
    tcUrl,
    app,
    name,
    origin,
    ws: url.livePlace(source, page, httpOrigin).url.replace(/^http/i, 'ws'),
  };
}
