/**
 * Makes 32-bit times of one publication into times that do not begin anew. The nearest reading wins: a step of less
 * than 2^31 ms, forward or backward, is taken as that step. The first one is taken as it stands.
 */
export class Unwrapper {
  #last: number | null = null;

  unwrap(wire: number): number {
    this.#last = this.#last === null ? wire >>> 0 : this.#last + ((wire - this.#last) | 0);
    return this.#last;
  }
}
