/** A part of an element's shadow tree: `name` is its class for our styles, and its part for the page's. */
export function box(document: Document, name: string): HTMLElement {
  const element = document.createElement('div');
  element.className = name;
  element.setAttribute('part', name);
  return element;
}
