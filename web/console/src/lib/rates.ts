/** The last minutes of the overview, and rates made of its counters. */

import type { ByProtocol, Overview, Protocol } from '@/api/types';

export const PROTOCOLS: readonly Protocol[] = ['rtmp', 'http-flv', 'ws-flv', 'rtmp-udp'];

export interface Sample {
  /** UNIX seconds, with a fraction. */
  at: number;
  viewers: ByProtocol;
  /** Bits per second since the sample before. */
  bitsIn: number | null;
  bitsOut: number | null;
}

/** Samples of the last `keep` seconds. */
export class Recent {
  samples: Sample[] = [];
  #before: { at: number; in: number; out: number; uptime: number } | null = null;

  constructor(readonly keep: number) {}

  push(at: number, overview: Overview): void {
    const before = this.#before;
    const span = before ? at - before.at : 0;
    // A server that began anew counts from nothing, and so do we.
    const same = before !== null && span > 0 && overview.uptime_s >= before.uptime && overview.bytes_in >= before.in && overview.bytes_out >= before.out;
    this.samples.push({
      at,
      viewers: overview.viewers,
      bitsIn: same ? ((overview.bytes_in - before.in) * 8) / span : null,
      bitsOut: same ? ((overview.bytes_out - before.out) * 8) / span : null,
    });
    this.#before = { at, in: overview.bytes_in, out: overview.bytes_out, uptime: overview.uptime_s };
    const oldest = at - this.keep;
    while (this.samples.length && this.samples[0]!.at < oldest) this.samples.shift();
  }
}

export function total(of: ByProtocol): number {
  return Object.values(of).reduce((sum, value) => sum + (value ?? 0), 0);
}
