/** `<live-player>` and `<live-pusher>` in Vue's templates: `import '@thalweg/elements/vue'`. */

import type { HTMLAttributes, PublicProps } from 'vue';
import type {
  LivePlayer,
  LivePlayerEvents,
  LivePusher,
  LivePusherEvents,
  Mirrored,
  PLAYER,
  PUSHER,
} from '../dist/index.js';

/** What Vue wants to know of a tag: its properties, and what it emits. */
type Tag<Element, Attributes, Events> = new () => Element & {
  $props: HTMLAttributes &
    Partial<Attributes> &
    PublicProps & { [Name in keyof Events & string as `on${Capitalize<Name>}`]?: (event: Events[Name]) => void };
};

declare module 'vue' {
  interface GlobalComponents {
    'live-player': Tag<LivePlayer, Mirrored<typeof PLAYER>, LivePlayerEvents>;
    'live-pusher': Tag<LivePusher, Mirrored<typeof PUSHER> & Pick<LivePusher, 'srcObject'>, LivePusherEvents>;
  }
}
