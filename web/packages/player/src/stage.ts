/**
 * Where pictures appear: one element within the host's, a `<video>` or a `<canvas>`. The last picture of whoever
 * played before stays until the first one of whoever plays now.
 */
export class Stage {
  readonly #host: HTMLElement;
  #shown: HTMLElement | null = null;

  /** `host` is the caller's, who styles what is within: `video, canvas { width: 100%; object-fit: ... }`. */
  constructor(host: HTMLElement) {
    this.#host = host;
  }

  get document(): Document {
    return this.#host.ownerDocument;
  }

  /** What is shown now. */
  get shown(): HTMLElement | null {
    return this.#shown;
  }

  /**
   * Puts `element` into the page, behind what is shown: a video that is not in the page decodes no picture, and
   * nobody wants to see it before it has one.
   */
  prepare(element: HTMLElement): void {
    element.hidden = element !== this.#shown && this.#shown !== null;
    this.#host.append(element);
  }

  /** Shows `element` instead of what was shown. */
  show(element: HTMLElement): void {
    if (element === this.#shown) return;
    if (!this.#host.contains(element)) this.#host.append(element);
    element.hidden = false;
    this.#shown?.remove();
    this.#shown = element;
  }

  /** Takes `element` away, unless it is shown: then it stays until there is something else, or {@link clear}. */
  dismiss(element: HTMLElement): void {
    if (element !== this.#shown) element.remove();
  }

  /** Takes everything away. */
  clear(): void {
    this.#shown?.remove();
    this.#shown = null;
  }
}
