import '@thalweg/elements/define';
import type { LivePlayer, StateChange } from '@thalweg/elements';
import type {} from '@thalweg/elements/react';
import { useRef, useState } from 'react';

/** A stream, and what it is at. React 19 sets properties and listens to events as they are named. */
export function Live({ src, httpOrigin = '' }: { src: string; httpOrigin?: string }) {
  const player = useRef<LivePlayer>(null);
  const [state, setState] = useState<StateChange | null>(null);
  const [kbps, setKbps] = useState(0);
  const isOver = state?.code === 2006 || state?.code === -2301;

  return (
    <figure>
      <live-player
        ref={player}
        src={src}
        httpOrigin={httpOrigin}
        mode="RTC"
        objectFit="fillCrop"
        autoplay
        muted
        style={{ width: '100%', height: 'auto', aspectRatio: '16 / 9' }}
        onstatechange={({ detail }) => setState(detail)}
        onnetstatus={({ detail }) => setKbps(detail.info.netSpeed)}
      />
      <figcaption>
        {state ? `${state.code} ${state.message}` : 'idle'}, {kbps} kbit/s
        {isOver && (
          <button type="button" onClick={() => player.current?.play()}>
            Again
          </button>
        )}
      </figcaption>
    </figure>
  );
}
