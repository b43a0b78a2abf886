/** The gate's table, read the way the server reads it. */

import type { Account, Category, Gate, GateRow, Subject, Title } from '@/api/types';

/** Whether the table admits a category and a subject. */
export function admits(gate: Pick<Gate, 'mode' | 'rows'>, subject: Subject, category: Category): boolean {
  if (gate.mode === 'off') return true;
  return gate.rows.some(
    (row) =>
      row.main === category.main &&
      row.subjects.includes(subject) &&
      (row.subs.length === 0 || row.subs.some((sub) => sub.id === category.sub)),
  );
}

/** Every category that the table or a preset knows: those that are not admitted have to be named too. */
export function known(gate: Pick<Gate, 'rows' | 'presets'>): GateRow[] {
  const all = new Map<string, GateRow>();
  for (const row of [...gate.rows, ...gate.presets.flatMap((preset) => preset.rows)]) {
    const had = all.get(row.main);
    if (!had) {
      all.set(row.main, { ...row, subs: [...row.subs], subjects: [...row.subjects] });
      continue;
    }
    for (const sub of row.subs) if (!had.subs.some((s) => s.id === sub.id)) had.subs.push(sub);
  }
  return [...all.values()];
}

export function titleOf(title: Title | undefined, language: 'en' | 'zh', otherwise: string): string {
  return title?.[language] || title?.en || otherwise;
}

/** `Education / Online education`, or the names where the table has no title. */
export function categoryTitle(gate: Pick<Gate, 'rows' | 'presets'> | null, category: Category, language: 'en' | 'zh'): string {
  const row = gate ? known(gate).find((r) => r.main === category.main) : undefined;
  const main = titleOf(row?.title, language, category.main);
  if (!category.sub) return main;
  return `${main} / ${titleOf(row?.subs.find((s) => s.id === category.sub)?.title, language, category.sub)}`;
}

/** Which of these accounts may be used now, and could not under another gate. */
export function losing(accounts: readonly Account[], now: Pick<Gate, 'mode' | 'rows'>, next: Pick<Gate, 'mode' | 'rows'>): Account[] {
  return accounts.filter((a) => a.service && (a.live_pusher || a.live_player) && admits(now, a.subject, a.category) && !admits(next, a.subject, a.category));
}
