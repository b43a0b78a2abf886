/** The elements, from where any page would have them: nothing of theirs is built into these pages. */

/** What the pages use of `<live-player>`; docs/ref/elements.md. */
export interface LivePlayer extends HTMLElement {
  play(): unknown;
  stop(): unknown;
  requestFullScreen(options?: { direction?: number }): unknown;
}

/** What they use of `<live-pusher>`. */
export interface LivePusher extends HTMLElement {
  readonly pushing: boolean;
  start(): unknown;
  stop(): unknown;
  switchCamera(): unknown;
  /** A picture and sound of the page's own, instead of camera and microphone. */
  srcObject: MediaStream | null;
}

/** `detail` of `statechange`. */
export interface StateDetail {
  code: number;
  message?: string;
  reason?: string;
}

let loading: Promise<unknown> | null = null;

/** Loads them once; a failure may be tried again. */
export function loadElements(): Promise<unknown> {
  loading ??= import(/* @vite-ignore */ SDK)
    .then(() => Promise.all(['live-player', 'live-pusher'].map((name) => customElements.whenDefined(name))))
    .catch((error: unknown) => {
      loading = null;
      throw error;
    });
  return loading;
}

/** Calls a method that answers by a promise, and by events as well: those say what went wrong. */
export function quietly(answer: unknown): void {
  if (answer instanceof Promise) answer.catch(() => {});
}

const SDK = '/sdk/live-elements.js';
