/** Magnifies by two fingers, or by the wheel. */
export class Fingers {
  readonly #element: HTMLElement;
  readonly #zoomed: (zoom: number) => void;
  readonly #down = new Map<number, { x: number; y: number }>();
  #listening: AbortController | null = null;
  #zoom = 1;

  constructor(element: HTMLElement, zoomed: (zoom: number) => void) {
    this.#element = element;
    this.#zoomed = zoomed;
  }

  set(on: boolean): void {
    if (on === (this.#listening !== null)) return;
    this.#listening?.abort();
    this.#listening = on ? new AbortController() : null;
    this.#down.clear();
    if (!this.#listening) return;
    const { signal } = this.#listening;
    const listen = <K extends keyof HTMLElementEventMap>(types: K[], take: (event: HTMLElementEventMap[K]) => void) => {
      for (const type of types) this.#element.addEventListener(type, take, { signal, passive: false });
    };
    listen(['pointerdown'], ({ pointerId, x, y }) => this.#down.set(pointerId, { x, y }));
    listen(['pointerup', 'pointercancel', 'pointerleave'], ({ pointerId }) => this.#down.delete(pointerId));
    listen(['pointermove'], (event) => this.#move(event));
    listen(['wheel'], (event) => {
      event.preventDefault();
      this.#by(Math.exp(-event.deltaY / WHEEL));
    });
  }

  #move({ pointerId, x, y }: PointerEvent): void {
    if (!this.#down.has(pointerId)) return;
    const before = this.#apart();
    this.#down.set(pointerId, { x, y });
    if (before > 0) this.#by(this.#apart() / before);
  }

  #apart(): number {
    const [one, other] = [...this.#down.values()];
    return one && other ? Math.hypot(one.x - other.x, one.y - other.y) : 0;
  }

  #by(factor: number): void {
    this.#zoom = Math.min(ZOOM_MAX, Math.max(1, this.#zoom * factor));
    this.#zoomed(this.#zoom);
  }
}

/** Of a wheel's turns: three notches double. */
const WHEEL = 500;
const ZOOM_MAX = 10;
