/** Degrees that the screen is turned by: 90 to the left, -90 to the right. */
export type Direction = 0 | 90 | -90;

/** Fills the screen with an element of a shadow tree, turned as the mini-program's player turns. */
export class FullScreen {
  readonly #root: ShadowRoot;
  readonly #frame: HTMLElement;
  readonly #turned: () => void;
  #direction: Direction = 0;
  #isTurned = false;

  /** `turned` is told when {@link quarters} changes. */
  constructor(
    root: ShadowRoot,
    frame: HTMLElement,
    changed: (detail: { direction: Direction; fullScreen: boolean }) => void,
    turned: () => void,
  ) {
    this.#root = root;
    this.#frame = frame;
    this.#turned = turned;
    // The browser's own event has the same name and no detail: it ends here, and ours goes out.
    root.addEventListener('fullscreenchange', (event) => {
      event.stopPropagation();
      const isOn = root.fullscreenElement === frame;
      const direction = this.#direction;
      if (!isOn) this.#upright();
      changed({ direction, fullScreen: isOn });
    });
  }

  /** Quarters to the right that the picture has to be turned by, because the screen was not. */
  get quarters(): number {
    return this.#isTurned ? (this.#direction === 90 ? 1 : 3) : 0;
  }

  async enter(direction: Direction): Promise<object> {
    if (![0, 90, -90].includes(direction)) throw new Error(`direction is 0, 90 or -90, not ${direction}`);
    this.#direction = direction;
    if (!this.#frame.requestFullscreen) throw new Error('not supported: this browser fills its screen with no element');
    await this.#frame.requestFullscreen();
    this.#isTurned = direction !== 0 && !(await turnScreen(direction)) && isPortrait();
    this.#turned();
    return {};
  }

  async leave(): Promise<object> {
    if (this.#root.fullscreenElement === this.#frame) await this.#frame.ownerDocument.exitFullscreen();
    return {};
  }

  #upright(): void {
    this.#direction = 0;
    this.#isTurned = false;
    this.#turned();
    (screen.orientation as Lockable | undefined)?.unlock?.();
  }
}

/** Turns the screen, where the system lets a page: `false` where it does not. */
async function turnScreen(direction: Direction): Promise<boolean> {
  const orientation = screen.orientation as Lockable | undefined;
  if (!orientation?.lock) return false;
  return orientation.lock(direction === 90 ? 'landscape-primary' : 'landscape-secondary').then(
    () => true,
    () => false,
  );
}

function isPortrait(): boolean {
  return innerHeight > innerWidth;
}

/** TypeScript's own type lost it, for Safari does not have it. */
interface Lockable {
  lock?(orientation: 'landscape-primary' | 'landscape-secondary'): Promise<void>;
  unlock?(): void;
}
