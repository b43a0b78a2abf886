import { box } from './box';

/** What `debug` shows over a picture: what happened, and how it fares. Text only, whoever made up the words. */
export class Overlay {
  readonly element: HTMLElement;
  readonly #figures: HTMLElement;
  readonly #log: HTMLElement;

  constructor(document: Document) {
    this.element = box(document, 'overlay');
    this.element.setAttribute('aria-hidden', 'true');
    this.#figures = document.createElement('p');
    this.#log = document.createElement('ol');
    this.element.append(this.#figures, this.#log);
  }

  /** Something happened. */
  say(words: string): void {
    const line = this.element.ownerDocument.createElement('li');
    line.textContent = `${new Date().toLocaleTimeString('en-GB')} ${words.slice(0, LINE_CHARS_MAX)}`;
    this.#log.prepend(line);
    while (this.#log.childElementCount > LINES_MAX) this.#log.lastElementChild?.remove();
  }

  /** How it fares. */
  count(figures: object): void {
    const all = Object.entries(figures).map(([key, value]) => `${key} ${shorten(value)}`);
    this.#figures.textContent = all.join(' · ').slice(0, FIGURES_CHARS_MAX);
  }
}

function shorten(value: unknown): string {
  return typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(1) : String(value);
}

/** Both elements' styles have these. */
export const OVERLAY_STYLES = `
  .overlay {
    position: absolute; inset: 0; overflow: hidden; pointer-events: none; box-sizing: border-box; padding: 6px 8px;
    background: rgb(0 0 0 / 45%); color: #e8f6ff; font: 10px/1.4 ui-monospace, monospace; text-align: left;
    overflow-wrap: anywhere; white-space: pre-wrap;
  }
  .overlay p { margin: 0 0 4px; color: #b9f6ca; }
  .overlay ol { margin: 0; padding: 0; list-style: none; }
`;

/** More than what is seen at once even of an element that fills a screen. */
const LINES_MAX = 60;
const LINE_CHARS_MAX = 300;
const FIGURES_CHARS_MAX = 1000;
