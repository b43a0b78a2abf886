/** `<live-player>` and `<live-pusher>` in JSX, for React 19: `import '@thalweg/elements/react'`. */

import type { DetailedHTMLProps, HTMLAttributes } from 'react';
import type {
  LivePlayer,
  LivePlayerEvents,
  LivePusher,
  LivePusherEvents,
  Mirrored,
  PLAYER,
  PUSHER,
} from '../dist/index.js';

/** An event `statechange` is the property `onstatechange`: React listens by the name as it stands. */
type Handlers<Events> = { [Name in keyof Events & string as `on${Name}`]?: (event: Events[Name]) => void };

type Props<Element, Attributes, Events> = Omit<
  DetailedHTMLProps<HTMLAttributes<Element>, Element>,
  keyof Attributes | keyof Handlers<Events>
> &
  Partial<Attributes> &
  Handlers<Events>;

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'live-player': Props<LivePlayer, Mirrored<typeof PLAYER>, LivePlayerEvents>;
      'live-pusher': Props<LivePusher, Mirrored<typeof PUSHER> & Pick<LivePusher, 'srcObject'>, LivePusherEvents>;
    }
  }
}
