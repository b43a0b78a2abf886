export { Player } from './player';
export * from './types';
