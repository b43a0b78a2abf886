/**
 * The way to the server: over UDP where that gets through, else over a WebSocket; again when it breaks off, three times
 * with three seconds between, and then no more.
 */

import type { Place } from './place';
import { type Failure, Unconnected, type Uplink, type UplinkListener } from './uplink';
import { wordsOf } from './words';

/** Whom a line tells. */
export interface LineListener {
  /** 1001, 1002; 1102 and 3001 to 3005 when it breaks off; -1307 at the end, which is the last call there is. */
  state(code: number, message: string, reason?: string): void;
  /** Frames go here now. `null`: nowhere, until it is told again. */
  uplink(uplink: Uplink | null): void;
  keyWanted(): void;
}

export type Connect = (place: Place, listener: UplinkListener, signal: AbortSignal) => Promise<Uplink>;

export interface Ways {
  udp: Connect;
  ws: Connect;
  /** Waits; ends early, without a word, when it is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  now(): number;
}

export interface Retries {
  /** 1 to 10. */
  count: number;
  /** 3 to 30. */
  intervalS: number;
}

export class Line {
  readonly #ways: Ways;
  readonly #listener: LineListener;
  readonly #abort = new AbortController();
  #uplink: Uplink | null = null;

  constructor(ways: Ways, listener: LineListener) {
    this.#ways = ways;
    this.#listener = listener;
  }

  /** Connects and stays connected, until {@link close} or -1307. Once. */
  async run(place: Place, retries: Retries): Promise<void> {
    const { signal } = this.#abort;
    let failures = 0;
    while (!signal.aborted) {
      const since = this.#ways.now();
      const failure = await this.#once(place);
      if (signal.aborted || failure === null) return;
      // What went well for a while and breaks off is another fault, with its own attempts.
      if (this.#ways.now() - since > WELL_MS) failures = 0;
      this.#tell(failure);
      const reason = failure.kind === 'refused' ? failure.reason : undefined;
      if (isFinal(reason)) {
        this.#listener.state(-1307, 'disconnected, and another attempt would be of no use', reason);
        return;
      }
      if (failures >= retries.count) {
        this.#listener.state(-1307, 'disconnected, and the attempts are used up: start again', reason);
        return;
      }
      failures += 1;
      this.#listener.state(1102, `connecting again, ${failures} of ${retries.count}`);
      await this.#ways.sleep(retries.intervalS * 1000, signal);
    }
  }

  /** Ends it, politely: what is on its way may arrive. Nothing is told afterwards. */
  async close(): Promise<void> {
    this.#abort.abort();
    const uplink = this.#uplink;
    this.#uplink = null;
    await uplink?.close();
  }

  /** One connection, from its beginning to its end. `null`: it was closed by us. */
  async #once(place: Place): Promise<Failure | null> {
    const { signal } = this.#abort;
    let over: (failure: Failure | null) => void = () => {};
    const ended = new Promise<Failure | null>((resolve) => {
      over = resolve;
    });
    const listener = { keyWanted: () => this.#listener.keyWanted(), ended: over };
    try {
      const uplink = await this.#connect(place, listener);
      if (signal.aborted) {
        uplink.abort();
        return null;
      }
      this.#uplink = uplink;
    } catch (error) {
      return failureOf(error);
    }
    signal.addEventListener('abort', () => over(null), { once: true });
    this.#listener.state(1001, `connected to the server by ${this.#uplink.transport}`);
    this.#listener.uplink(this.#uplink);
    this.#listener.state(1002, 'pushing');
    const failure = await ended;
    // Who closed it looks after it.
    if (failure === null) return null;
    this.#uplink = null;
    this.#listener.uplink(null);
    return failure;
  }

  async #connect(place: Place, listener: UplinkListener): Promise<Uplink> {
    const { udp, ws, now } = this.#ways;
    const { signal } = this.#abort;
    if (now() < (blockedUntil.get(place.origin) ?? 0)) return ws(place, listener, signal);
    try {
      return await udp(place, listener, signal);
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind !== 'blocked' || signal.aborted) throw error;
      if (failure.why === 'no-handshake') noteBlocked(place.origin, now());
      return ws(place, listener, signal);
    }
  }

  #tell(failure: Failure): void {
    if (failure.kind === 'refused') {
      const words = `the server closed the stream: ${failure.message}`;
      this.#listener.state(3004, words, failure.reason);
    } else {
      this.#listener.state(failure.kind === 'lost' ? failure.code : 3002, failure.message);
    }
  }
}

/**
 * Whether the same would be said again (docs/ref/signing.md, Refusals). Where another publisher took over, whoever came
 * back would take over in turn, without end.
 */
function isFinal(reason = ''): boolean {
  return FINAL.has(reason);
}

const FINAL: ReadonlySet<string> = new Set([
  'address-barred',
  'auth-bad',
  'auth-expired',
  'auth-malformed',
  'auth-missing',
  'auth-weak',
  'bad-name',
  'foreign-account',
  'not-eligible',
  'pusher-off',
  'referer-barred',
  'remote-refused',
  'replaced',
  'reserved-app',
  'revoked',
  'service-closed',
  'wrong-action',
  'wrong-address',
]);

function failureOf(error: unknown): Failure {
  if (error instanceof Unconnected) return error.failure;
  return { kind: 'lost', code: 3002, message: wordsOf(error) };
}

/** Where UDP did not get through it is not tried again for a while, by nobody on the page. */
const blockedUntil = new Map<string, number>();

function noteBlocked(origin: string, now: number): void {
  blockedUntil.set(origin, now + BLOCKED_MS);
  const [first] = blockedUntil.keys();
  if (blockedUntil.size > BLOCKED_MAX && first !== undefined) blockedUntil.delete(first);
}

/** As if nothing had been tried yet. */
export function forgetBlocked(): void {
  blockedUntil.clear();
}

const BLOCKED_MS = 60_000;
/** Servers of one page, and more than there are. */
const BLOCKED_MAX = 32;
const WELL_MS = 10_000;
