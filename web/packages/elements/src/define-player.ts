/** Registers `<live-player>` alone, for pages that only play. */

import { LivePlayer } from './live-player';

if (!customElements.get('live-player')) customElements.define('live-player', LivePlayer);

export {
  createLivePlayerContext,
  type FullScreenChange,
  LivePlayer,
  type LivePlayerContext,
  type LivePlayerEvents,
  type StateChange,
} from './live-player';
