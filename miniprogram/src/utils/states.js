/**
 * What a push and a play are doing, as their tag's codes tell. Pure: a state and a code give the next state.
 *
 * The tags try again by themselves, three times; what is counted here is only shown. When they have given up
 * (-1307, -2301) the page stops them, and it is for the user to start again.
 */

/** @typedef {'idle' | 'connecting' | 'pushing' | 'reconnecting' | 'suspended' | 'failed'} PushPhase */
/** @typedef {'idle' | 'connecting' | 'playing' | 'buffering' | 'reconnecting' | 'ended' | 'failed'} PlayPhase */
/**
 * `code` is the last one that somebody should read, 0 if all is well; `cause` what went before it, where that says
 * more; `tries` how many times the tag has tried again.
 * @typedef {{ phase: PushPhase, code: number, cause: number, tries: number }} PushState
 */
/**
 * The same of a play. `plain`: it is not accelerated although it was to be (-2302). `stalls`: how many times the
 * picture stood still.
 * @typedef {{ phase: PlayPhase, code: number, cause: number, tries: number, plain: boolean, stalls: number }} PlayState
 */

/** @type {PushState} */
const PUSH_IDLE = { phase: 'idle', code: 0, cause: 0, tries: 0 };
/** @type {PushState} */
const PUSH_BEGUN = { ...PUSH_IDLE, phase: 'connecting' };
/** @type {PlayState} */
const PLAY_IDLE = { phase: 'idle', code: 0, cause: 0, tries: 0, plain: false, stalls: 0 };
/** @type {PlayState} */
const PLAY_BEGUN = { ...PLAY_IDLE, phase: 'connecting' };

/**
 * @param {PushState} state
 * @param {number} code
 * @returns {PushState}
 */
function nextPush(state, code) {
  // A tag that was stopped has a few codes left to say; they are of a push that is over.
  if (!isPushing(state)) return state;
  switch (code) {
    case 1002:
      return { phase: 'pushing', code: 0, cause: 0, tries: 0 };
    case 1102:
      return { ...state, phase: 'reconnecting', code, cause: networkCause(state), tries: state.tries + 1 };
    case 3001:
    case 3002:
    case 3003:
    case 3004:
    case 3005:
      return { ...state, phase: 'reconnecting', code };
    case 5000:
    case 5001:
      return { ...state, phase: 'suspended', code };
    case -1307:
      return { ...state, phase: 'failed', code, cause: networkCause(state) };
    case -1301:
    case -1302:
    case 10001:
    case 10002:
      return { ...state, phase: 'failed', code, cause: 0 };
    case 1101:
      return { ...state, code };
    default:
      return code < 0 ? { ...state, code } : state;
  }
}

/**
 * @param {PlayState} state
 * @param {number} code
 * @returns {PlayState}
 */
function nextPlay(state, code) {
  if (!isPlaying(state)) return state;
  switch (code) {
    case 2004:
      return { ...state, phase: 'playing', code: 0, cause: 0, tries: 0 };
    case 2006:
      return { ...state, phase: 'ended', code };
    case 2007:
      // Before the first 2004 it is still connecting, and says so.
      return state.phase === 'playing' ? { ...state, phase: 'buffering' } : state;
    case 2103:
      return { ...state, phase: 'reconnecting', code, cause: networkCause(state), tries: state.tries + 1 };
    case 3001:
    case 3002:
    case 3003:
    case 3004:
    case 3005:
      return { ...state, phase: 'reconnecting', code };
    case 2105:
      return { ...state, stalls: state.stalls + 1 };
    case -2301:
      return { ...state, phase: 'failed', code, cause: networkCause(state) };
    case -2302:
      // The player goes on by itself, with the plain stream.
      return { ...state, plain: true };
    default:
      return code < 0 ? { ...state, code } : state;
  }
}

/**
 * A slow network (1101) is over when the tag calls it fair or better; there is no code for that.
 * @param {PushState} state
 * @param {{ netQualityLevel?: number }} info
 */
function afterNetStatus(state, info) {
  const level = info.netQualityLevel || 0;
  return state.code === 1101 && level >= 1 && level <= 3 ? { ...state, code: 0 } : state;
}

/** Whether the tag is at work, or will be again by itself. @param {PushState} state */
const isPushing = (state) => state.phase !== 'idle' && state.phase !== 'failed';
/** @param {PlayState} state */
const isPlaying = (state) => state.phase !== 'idle' && state.phase !== 'failed' && state.phase !== 'ended';
/** Whether something should turn. @param {PlayState} state */
const isLoading = (state) => isPlaying(state) && state.phase !== 'playing';

/**
 * What the user has not allowed, if that is what a push failed of.
 * @param {number} code
 * @returns {'' | 'scope.camera' | 'scope.record'}
 */
function scopeOf(code) {
  if (code === 10001 || code === -1301) return 'scope.camera';
  return code === 10002 || code === -1302 ? 'scope.record' : '';
}

/** 3001 to 3005 say why; 1102 and 2103 only that. @param {{ code: number, cause: number }} state */
function networkCause(state) {
  return state.code >= 3001 && state.code <= 3005 ? state.code : state.cause;
}

module.exports = {
  PUSH_IDLE,
  PUSH_BEGUN,
  PLAY_IDLE,
  PLAY_BEGUN,
  nextPush,
  nextPlay,
  afterNetStatus,
  isPushing,
  isPlaying,
  isLoading,
  scopeOf,
};
