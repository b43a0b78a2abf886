/** A peer that said what cannot be. The message is for whoever reads the console; nothing in it is the peer's text. */
export class Misbehaved extends Error {
  override readonly name = 'Misbehaved';
}
