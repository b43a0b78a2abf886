/** Points over time, made ready to be drawn. */

import { get, query } from '@/api/client';
import type { Point } from '@/api/types';
import { clock, day } from './format';
import type { Language } from '@/lang';

/** `values[0]` are moments, the others what was measured then. */
export type Columns = (number | null)[][];

/** Whoever polls may be this much late before a line is broken. */
const LATE = 3;

/** Nulls where nothing was measured: a line across such a time would tell of what nobody saw. */
export function broken(values: Columns, every: number): Columns {
  const times = values[0] ?? [];
  const out: Columns = values.map(() => []);
  times.forEach((at, row) => {
    const before = row > 0 ? times[row - 1]! : null;
    if (before !== null && at! - before > every * LATE) out.forEach((column, i) => column.push(i === 0 ? before + every : null));
    out.forEach((column, i) => column.push(values[i]![row] ?? null));
  });
  return out;
}

/** Every step from `from` to `to`: where the server has nothing to say of one, nothing was live in it. */
export function filled(points: readonly Point[], from: number, to: number, step: number): Point[] {
  const had = new Map(points.map((point) => [point.at, point]));
  const out: Point[] = [];
  for (let at = from; at < to; at += step) out.push(had.get(at) ?? { at, bytes_in: 0, bytes_out: 0, viewers_max: 0, streams_max: 0, gap: false });
  return out;
}

export interface Graph {
  points: Point[];
  /** Seconds from point to point. */
  step: number;
  from: number;
  /** Up to now: the last step may not be over. */
  to: number;
}

/** What is counted: all, an account, or one stream of it. */
export interface Whose {
  account?: string;
  app?: string;
  name?: string;
}

/** The statistics of the last `span` seconds, in steps that begin at round times. */
export async function readGraph(span: number, step: number, { account, app, name }: Whose, signal: AbortSignal): Promise<Graph> {
  const to = Math.floor(Date.now() / 1000);
  const from = Math.ceil((to - span) / step) * step;
  const found = await get<{ points: Point[]; step: number }>('/statistics' + query({ account, app, name, from, to, step }), { signal });
  return { points: filled(found.points, from, to, found.step), step: found.step, from, to };
}

/** What of a step has passed, seconds: its bytes came within that. */
export function passed(graph: Pick<Graph, 'step' | 'to'>, at: number): number {
  return Math.max(60, Math.min(graph.step, graph.to - at));
}

/** The words below a tick of the time's axis; `every` is the time from tick to tick, seconds. */
export function tickWords(at: number, every: number, language: Language): string {
  const when = new Date(at * 1000);
  const isMidnight = when.getHours() === 0 && when.getMinutes() === 0 && when.getSeconds() === 0;
  return every >= 86_400 || isMidnight ? day(at, language) : clock(at, language, every < 60);
}
