/** What the mini-program's `create…Context(id)` answer: the methods of an element that is found when they are called. */

/** Where an element with an id is looked for: a document, or a shadow root. */
export interface Scope {
  getElementById(id: string): Element | null;
}

/** `methods` of the element with this id, or of this element. They fail while there is none. */
export function contextOf<E extends HTMLElement, M extends keyof E & string>(
  tag: string,
  methods: readonly M[],
  found: string | E,
  scope: Scope = document,
): Pick<E, M> {
  const find = () => {
    const element = typeof found === 'string' ? scope.getElementById(found) : found;
    return element?.localName === tag ? (element as E) : null;
  };
  const call = (name: M) => (options?: Answerable) => {
    const element = find();
    if (element) return (element[name] as (options?: Answerable) => unknown).call(element, options);
    const errMsg = `${name}:fail there is no <${tag}> with the id ${String(found)}`;
    options?.fail?.({ errMsg });
    options?.complete?.({ errMsg });
    const failed = Promise.reject(Object.assign(new Error(errMsg), { errMsg }));
    if (options?.fail || options?.complete) failed.catch(() => {});
    return failed;
  };
  return Object.fromEntries(methods.map((name) => [name, call(name)])) as Pick<E, M>;
}

interface Answerable {
  fail?: (error: { errMsg: string }) => void;
  complete?: (result: { errMsg: string }) => void;
}
