/** What the demo's server is asked. A promise of these never fails: what went wrong is in the answer. */

const { HOST } = require('../config.js');

/**
 * `problem` is a key of `problems` in the words; `detail` what the server or WeChat said itself; `wait` after how
 * many seconds the server wants to be asked again.
 * @typedef {{ problem: string, detail: string, wait: number }} Refusal
 * @typedef {{ push: string, plays: { name: 'flv' | 'rtmp' | 'acc' | 'hls', url: string }[] }} Urls
 */

/**
 * *New*: a URL to push to, and those to watch it.
 * @returns {Promise<{ urls: Urls } | Refusal>}
 */
async function newUrls() {
  const answer = await ask('/weapp/utils/get_test_pushurl');
  if ('problem' in answer) return answer;
  const { url_push, url_play_flv, url_play_rtmp, url_play_acc, url_play_hls } = answer.body;
  if (!isUrl(url_push)) return refusal('oddAnswer');
  /** @type {Urls['plays']} */
  const plays = [
    { name: 'flv', url: url_play_flv },
    { name: 'rtmp', url: url_play_rtmp },
    { name: 'acc', url: url_play_acc },
    { name: 'hls', url: url_play_hls },
  ];
  // A server has no HLS, or no UDP, and then leaves that URL out.
  return { urls: { push: url_push, plays: plays.filter(({ url }) => isUrl(url)) } };
}

/**
 * The clock's URL for RTC mode.
 * @returns {Promise<{ url: string } | Refusal>}
 */
async function clockUrl() {
  const answer = await ask('/weapp/utils/get_test_rtmpaccurl');
  if ('problem' in answer) return answer;
  return isUrl(answer.body.url_rtmpacc) ? { url: answer.body.url_rtmpacc } : refusal('oddAnswer');
}

/**
 * @param {string} path
 * @returns {Promise<{ body: Record<string, any> } | Refusal>}
 */
function ask(path) {
  return new Promise((resolve) => {
    wx.request({
      url: `${HOST}${path}`,
      timeout: TIMEOUT_MS,
      success: ({ statusCode, data, header }) => {
        const body = data && typeof data === 'object' && !(data instanceof ArrayBuffer) ? data : {};
        const detail = typeof body.message === 'string' ? body.message : '';
        if (statusCode === 200) resolve({ body });
        else if (statusCode === 429) resolve(refusal('tooMany', detail, retryAfter(header)));
        else if (statusCode === 404) resolve(refusal('noDemo', detail));
        else resolve(refusal('refused', detail || `HTTP ${statusCode}`));
      },
      fail: ({ errMsg }) => resolve(refusal(/domain list/i.test(errMsg) ? 'notInList' : 'noServer', errMsg)),
    });
  });
}

/** @param {string} problem @returns {Refusal} */
const refusal = (problem, detail = '', wait = 0) => ({ problem, detail, wait });

/** @param {unknown} value @returns {value is string} */
const isUrl = (value) => typeof value === 'string' && /^[a-z]+:\/\//.test(value);

/** Seconds; whether header names keep their capitals depends on the phone. @param {Record<string, any>} header */
function retryAfter(header) {
  const name = Object.keys(header || {}).find((key) => key.toLowerCase() === 'retry-after');
  const seconds = name ? Number(header[name]) : 0;
  return seconds > 0 && seconds <= WAIT_MAX_S ? Math.ceil(seconds) : 0;
}

/** A phone that goes from one network to another needs some seconds. */
const TIMEOUT_MS = 10_000;
/** Longer than this nobody waits for a button. */
const WAIT_MAX_S = 600;

module.exports = { newUrls, clockUrl };
