export { Player } from '../../packages/player/src/player';
export { makeRtc } from '../../packages/player/src/rtc';
export { Stage } from '../../packages/player/src/stage';
