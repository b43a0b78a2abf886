export { makeRtc } from '../../packages/player/src/rtc';
export { Stage } from '../../packages/player/src/stage';
