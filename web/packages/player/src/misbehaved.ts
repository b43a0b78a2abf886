/** A peer that said what cannot be. The message is for whoever reads the console; nothing in it is the peer's text. */
export class Misbehaved extends Error {
  override readonly name = 'Misbehaved';
}

/** What was thrown, in words. */
export function wordsOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
