/**
 * What both elements are made on: attributes read by their table, properties that mirror them, events with a `detail`,
 * methods that answer in the mini-program's way and with a promise.
 */

import { propertyOf, read, type Table, takes, type Value, type Values } from './attributes';

/** What a method of the mini-program's contexts takes. */
export interface Callbacks<R extends object = object> {
  success?: (result: R & { errMsg: string }) => void;
  fail?: (error: { errMsg: string; errCode?: number }) => void;
  complete?: (result: { errMsg: string }) => void;
}

/** Why a method failed, in words and maybe by code. */
export class Failed extends Error {
  override readonly name = 'Failed';

  constructor(
    message: string,
    readonly code?: number,
  ) {
    super(message);
  }
}

// On a server that renders pages there are no elements; there this may be imported, and is not used.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

export abstract class LiveElement<T extends Table> extends Base {
  readonly #table: T;
  readonly #warned = new Set<string>();

  constructor(table: T) {
    super();
    this.#table = table;
  }

  /** What an attribute says: its default where it is missing or bad, which is then warned of. */
  value<N extends keyof T & string>(name: N): Values<T>[N] {
    const attribute = this.#table[name] as T[N];
    const given = this.getAttribute(name);
    const value = read(attribute, given);
    if (value !== null) return value as Values<T>[N];
    this.warn(`${name}=${given}`, `${name}="${given}" is not ${takes(attribute)}; it stays ${attribute.initial}`);
    return attribute.initial as Values<T>[N];
  }

  /** Warns of attributes that a browser cannot honour, where they ask for anything. */
  protected warnOfUnable(): void {
    for (const [name, attribute] of Object.entries(this.#table)) {
      if (!attribute.unable || !this.hasAttribute(name) || this.value(name) === attribute.initial) continue;
      this.warn(name, `${name} has no effect here: ${attribute.unable}`);
    }
  }

  /** Writes to the console, once for each `about`. */
  protected warn(about: string, message: string): void {
    if (this.#warned.has(about) || this.#warned.size >= WARNINGS_MAX) return;
    this.#warned.add(about);
    console.warn(`<${this.localName}> ${message}`);
  }

  /** Tells whoever listens: `detail` is what the mini-program's handlers find as `e.detail`. */
  protected emit<D extends object>(type: string, detail: D): void {
    this.dispatchEvent(new CustomEvent<D>(type, { detail }));
  }

  /**
   * Does what a method is to do, and answers by callbacks and by promise. With callbacks a failure is theirs: the
   * promise then rejects for whoever waits for it, and nobody has to.
   */
  protected answer<R extends object>(name: string, callbacks: Callbacks<R>, work: () => R | Promise<R>): Promise<R> {
    const { success, fail, complete } = callbacks ?? {};
    const done = new Promise<R>((resolve) => resolve(work())).then(
      (result) => {
        const said = { ...result, errMsg: `${name}:ok` };
        success?.(said);
        complete?.(said);
        return said;
      },
      (error: unknown) => {
        const errMsg = `${name}:fail ${error instanceof Error ? error.message : String(error)}`;
        const said = error instanceof Failed && error.code !== undefined ? { errMsg, errCode: error.code } : { errMsg };
        fail?.(said);
        complete?.(said);
        throw Object.assign(error instanceof Error ? error : new Error(errMsg), said);
      },
    );
    if (fail || complete) done.catch(() => {});
    return done;
  }
}

/** Gives an element the properties of its attributes: `element.minBitrate = 300`. */
export function mirror<T extends Table>(element: typeof LiveElement<T>, table: T): void {
  for (const name of Object.keys(table)) {
    const property = propertyOf(name);
    if (property in element.prototype) continue;
    Object.defineProperty(element.prototype, property, {
      configurable: true,
      enumerable: true,
      get(this: LiveElement<T>) {
        return this.value(name as keyof T & string);
      },
      set(this: LiveElement<T>, value: Value | null | undefined) {
        if (value === null || value === undefined) this.removeAttribute(name);
        else this.setAttribute(name, String(value));
      },
    });
  }
}

/** A page that makes up values without end does not fill the console, or the memory. */
const WARNINGS_MAX = 200;
