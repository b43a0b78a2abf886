/**
 * What an element's attributes are: name, type, default and range in one table, from which the code reads them, the
 * properties are made and the documentation is written. What they mean is in `means.ts`.
 */

/** One attribute. */
export interface Attribute<V extends Value = Value> {
  readonly type: 'string' | 'number' | 'boolean';
  /** What holds where the attribute is missing, or is not what it should be. */
  readonly initial: V;
  /** The words that it takes. */
  readonly words?: readonly string[];
  /** The range of a number, both ends included. */
  readonly range?: readonly [min: number, max: number];
  /** Why a browser cannot do it: it is accepted, with one warning. */
  readonly unable?: string;
}

export type Value = string | number | boolean;
/** The attributes of an element, by name. */
export type Table = Readonly<Record<string, Attribute>>;
/** What they say. */
export type Values<T extends Table> = { [Name in keyof T]: T[Name] extends Attribute<infer V> ? V : never };
/** The properties that mirror them. */
export type Mirrored<T extends Table> = { [Name in keyof T & string as PropertyOf<Name>]: Values<T>[Name] };
type PropertyOf<Name extends string> = Name extends `${infer Word}-${infer More}`
  ? `${Word}${Capitalize<PropertyOf<More>>}`
  : Name;

/** Any text. */
export function text(more: Partial<Attribute<string>> = {}): Attribute<string> {
  return { type: 'string', initial: '', ...more };
}

/** One of some words, of which the first is the default. */
export function word<const W extends string>(
  words: readonly [W, ...W[]],
  more: Partial<Attribute<W>> = {},
): Attribute<W> {
  return { type: 'string', initial: words[0], words, ...more };
}

export function number(
  initial: number,
  range: readonly [min: number, max: number],
  more: Partial<Attribute<number>> = {},
): Attribute<number> {
  return { type: 'number', initial, range, ...more };
}

/** On or off: `name`, `name=""` and `name="true"` are on, `name="false"` is off, because some are on by default. */
export function flag(initial: boolean, more: Partial<Attribute<boolean>> = {}): Attribute<boolean> {
  return { type: 'boolean', initial, ...more };
}

/** What an attribute says; `null` where it does not keep to its table. `given` is `null` where it is missing. */
export function read<V extends Value>(attribute: Attribute<V>, given: string | null): V | null {
  if (given === null) return attribute.initial;
  return readGiven(attribute, given) as V | null;
}

function readGiven({ type, words, range }: Attribute, given: string): Value | null {
  switch (type) {
    case 'boolean': {
      const said = given.trim().toLowerCase();
      return said === 'false' ? false : said === '' || said === 'true' ? true : null;
    }
    case 'number': {
      const value = given.trim() === '' ? Number.NaN : Number(given);
      const [min, max] = range ?? [-Number.MAX_VALUE, Number.MAX_VALUE];
      return value >= min && value <= max ? value : null;
    }
    case 'string':
      return words && !words.includes(given) ? null : given;
  }
}

/** What an attribute takes, in words: for warnings and the documentation. */
export function takes({ type, words, range }: Attribute): string {
  if (words) return words.map((word) => word || '""').join(', ');
  if (type === 'boolean') return 'true, false';
  return range ? `a number from ${range[0]} to ${range[1]}` : type === 'number' ? 'a number' : 'text';
}

/** The property of an attribute: `min-bitrate` is `minBitrate`. */
export function propertyOf(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
