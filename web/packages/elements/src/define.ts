/** Registers `<live-player>` and `<live-pusher>`. A page that has them already keeps those. */

import { LivePlayer } from './live-player';
import { LivePusher } from './live-pusher';

if (!customElements.get('live-player')) customElements.define('live-player', LivePlayer);
if (!customElements.get('live-pusher')) customElements.define('live-pusher', LivePusher);

declare global {
  interface HTMLElementTagNameMap {
    'live-player': LivePlayer;
    'live-pusher': LivePusher;
  }
}

export * from './index';
