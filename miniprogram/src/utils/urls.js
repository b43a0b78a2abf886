/**
 * Which URLs the tags take. Each check gives the key of a sentence in `problems` of the words, or '' where nothing
 * is wrong. Mini-programs have no `URL`, and it would not know `rtmp:` anyway.
 */

/** @typedef {'' | 'empty' | 'blank' | 'long' | 'notRtmp' | 'noStream' | 'hls' | 'notPlay' | 'unsigned'} Problem */

/**
 * `<live-pusher>` takes `rtmp://` alone.
 * @param {string} url
 * @returns {Problem}
 */
function pushProblem(url) {
  return anyProblem(url) || (url.startsWith('rtmp://') ? streamProblem(url) : 'notRtmp');
}

/**
 * `<live-player>` takes RTMP and HTTP-FLV in live mode; in RTC mode RTMP alone, and signed.
 * @param {string} url
 * @param {'live' | 'RTC'} mode
 * @returns {Problem}
 */
function playProblem(url, mode) {
  const problem = anyProblem(url);
  if (problem) return problem;
  if (mode === 'RTC') return url.startsWith('rtmp://') ? streamProblem(url) || signatureProblem(url) : 'notRtmp';
  const path = url.split(/[?#]/)[0];
  if (/\.m3u8$/i.test(path)) return 'hls';
  if (url.startsWith('rtmp://')) return streamProblem(url);
  return /^https?:\/\/[^/]+\/.+\.flv$/i.test(path) ? '' : 'notPlay';
}

/** @param {string} url @returns {Problem} */
function anyProblem(url) {
  if (!url) return 'empty';
  if (/\s/.test(url)) return 'blank';
  return url.length > LENGTH_MAX ? 'long' : '';
}

/** rtmp://HOST/APP/STREAM?QUERY. @param {string} url @returns {Problem} */
function streamProblem(url) {
  return /^rtmp:\/\/[^/?#]+\/[^?#]*[^/?#]\/[^/?#]+(?:[?#]|$)/.test(url) ? '' : 'noStream';
}

/**
 * The vendor's signature, under both names that its documents write, or the strong one.
 * @param {string} url
 * @returns {Problem}
 */
function signatureProblem(url) {
  const query = url.slice(url.indexOf('?') + 1).split('#')[0];
  const names = url.includes('?') ? query.split('&').map((pair) => pair.split('=')[0]) : [];
  const has = (/** @type {string} */ name) => names.includes(name);
  const signed = ((has('txSecret') || has('txSerect')) && has('txTime')) || (has('tw') && has('sig'));
  return signed ? '' : 'unsigned';
}

/** Characters. A signed URL has about 250; what is longer by far is some other QR code. */
const LENGTH_MAX = 1024;

module.exports = { pushProblem, playProblem, LENGTH_MAX };
