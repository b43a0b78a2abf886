/** States, codes and figures as a page shows them. Pure but for the phone's language. */

const { describe, PUSH, PLAY } = require('./codes.js');
const { language } = require('./device.js');
const { book, fill } = require('./words.js');

/** @typedef {{ text: string, why: string, tone: 'off' | 'busy' | 'good' | 'bad' }} Says */
/** @typedef {{ id: number, text: string }} Line */

/** @param {import('./states.js').PushState} state @returns {Says} */
const pushSays = (state) => says(state, PUSH);
/** @param {import('./states.js').PlayState} state @returns {Says} */
const playSays = (state) => says(state, PLAY);

/**
 * @param {import('./states.js').PushState | import('./states.js').PlayState} state
 * @param {import('./codes.js').Table} table
 * @returns {Says}
 */
function says(state, table) {
  const { phases, common } = book();
  const tries = state.phase === 'reconnecting' && state.tries ? ` · ${fill(common.try, { n: state.tries })}` : '';
  const codes = [state.code, state.cause].filter((code, i, all) => code && all.indexOf(code) === i);
  const why = codes.map((code) => `${describe(table, code, language())} (${code})`).join('\n');
  return { text: phases[state.phase] + tries, why, tone: TONES[state.phase] };
}

/** @type {Record<import('./states.js').PushPhase | import('./states.js').PlayPhase, Says['tone']>} */
const TONES = {
  idle: 'off',
  connecting: 'busy',
  pushing: 'good',
  playing: 'good',
  buffering: 'busy',
  reconnecting: 'busy',
  suspended: 'busy',
  ended: 'off',
  failed: 'bad',
};

/**
 * What `bindnetstatus` tells of a push: frames that wait are frames that the network does not take.
 * @param {Record<string, number>} info
 */
function pushFigures(info) {
  return figures(info, fill(book().common.queue, { n: (info.videoCache || 0) + (info.audioCache || 0) }));
}

/** And of a play, whose cache is its delay. @param {Record<string, number>} info */
function playFigures(info) {
  return figures(info, fill(book().common.cache, { ms: Math.max(info.videoCache || 0, info.audioCache || 0) }));
}

/** @param {Record<string, number>} info @param {string} last */
function figures(info, last) {
  const { videoWidth, videoHeight, videoFPS, videoBitrate = 0, audioBitrate = 0 } = info;
  const size = videoWidth && videoHeight ? [`${videoWidth}×${videoHeight}`] : [];
  const rate = videoFPS ? [`${Math.round(videoFPS)} fps`] : [];
  return [...size, ...rate, `${Math.round(videoBitrate + audioBitrate)} kbps`, last].join('  ');
}

/**
 * The log of a tag with one more code, newest first.
 * @param {Line[]} lines
 * @param {number} code
 * @param {import('./codes.js').Table} table
 * @param {Date} at
 * @returns {Line[]}
 */
function logged(lines, code, table, at = new Date()) {
  const [h, m, s] = [at.getHours(), at.getMinutes(), at.getSeconds()].map((n) => String(n).padStart(2, '0'));
  const id = lines.length ? lines[0].id + 1 : 1;
  const line = { id, text: `${h}:${m}:${s}  ${code}  ${describe(table, code, language())}` };
  return [line, ...lines].slice(0, LINES_MAX);
}

/** As many as one scrolls through; a page's data stays small. */
const LINES_MAX = 40;

module.exports = { pushSays, playSays, pushFigures, playFigures, logged, LINES_MAX };
