/** What the server says, in the language spoken: by its code where it has one, else by the sentence. */

import type { ApiError } from '@/api/client';
import { language, t } from '@/lang';
import { sentences } from '@/lang/sentences';

interface Sentence {
  is: RegExp;
  words: (typeof sentences)[string];
  /** Letters that are not filled in: whoever has most of them is meant. */
  weight: number;
}

const patterns: Sentence[] = Object.entries(sentences)
  .map(([key, words]) => {
    const parts = key.split('{}').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return { is: new RegExp(`^${parts.join('(.*?)')}$`, 's'), words, weight: key.replaceAll('{}', '').length };
  })
  .sort((a, b) => b.weight - a.weight);

/** How deep sentences within sentences go: a reason in a refusal in a finding. */
const DEEPEST = 4;
/** Fewer letters than this are no sentence. */
const LIGHT = 5;

/** A sentence of the server's in Chinese; null where nobody has written it down. */
export function inChinese(text: string, depth = 0): string | null {
  const found = patterns.find(({ is }) => is.test(text));
  if (!found || depth > DEEPEST) return null;
  const parts = found.is.exec(text)!.slice(1);
  const known = parts.map((part) => (part && inChinese(part, depth + 1)) || reason(part));
  // Little but what is filled in: that has to be known, or a number.
  if (parts.length && found.weight < LIGHT && !parts.some((part, i) => known[i] || /^\d+$/.test(part))) return null;
  const filled = parts.map((part, i) => known[i] || part);
  const { words } = found;
  return typeof words === 'function' ? words(...filled) : words.replace(/\{(\d)\}/g, (_all, n: string) => filled[Number(n) - 1] ?? '');
}

/** The words of a code in a sentence: `auth-bad`, or `auth-bad: the signature is wrong`. */
function reason(part: string): string | null {
  const code = /^([a-z]+(?:-[a-z]+)*)(?:: .*)?$/s.exec(part)?.[1];
  const words = code ? (t.value.codes.reasons as Record<string, string>)[code] : undefined;
  return words ? words.replace(/[。.]$/, '') : null;
}

/** A sentence of the server's in the language spoken, or as it is. */
export function said(text: string): string {
  return (language.value === 'zh' && text && inChinese(text)) || text;
}

/** Whether a sentence of the server's is one in the language spoken. */
const isSpoken = (text: string) => language.value === 'en' || inChinese(text) !== null;

const of = (list: object, code: string | number | null | undefined) => (list as Record<string, string>)[String(code)];

/** Why a push or a play is refused. */
export function reasonWords(code: string | null, otherwise = ''): string {
  return of(t.value.codes.reasons, code) ?? said(otherwise);
}

/** Why a publication ended: in words by its number, in the server's where there are none. */
export function endWords(errcode: number | null, cause: string | null): string {
  return of(t.value.codes.ends, errcode) ?? said(cause ?? '');
}

/** What a finding of the check is about. */
export function ruleWords(rule: string | undefined): string {
  return of(t.value.codes.rules, rule) ?? rule ?? '';
}

export function auditWords(what: string): string {
  return of(t.value.codes.audit, what) ?? what;
}

/** What the refusal says of a field, if it is about that one. */
export function wordsAtField(error: ApiError | null | undefined, name: string | undefined): string {
  const at = error?.field;
  if (!error || !at || !name || at !== name) return '';
  const codes = { ...t.value.codes.errors, ...t.value.codes.reasons };
  return said(error.message) || of(codes, error.code) || t.value.errors.unknown(error.code);
}

/** What the store says when something was changed meanwhile; other conflicts have sentences of their own. */
const CHANGED = 'it has been changed meanwhile: read it again';

/** A refusal: what it is in the language spoken, and what the server says besides. */
export function wordsOf(error: ApiError): { title: string; more: string } {
  const { code, status, message } = error;
  const more = said(message);
  const plain = (title: string) => ({ title, more });
  if (code === 'unreachable') return plain(t.value.errors.unreachable);
  if (status === 429) return plain(error.retryAfter ? t.value.errors.tooMany(error.retryAfter) : t.value.errors.tooManyPlain);
  // These are many things, and only their sentence says which.
  const isVague = code === 'bad-request' || (code === 'conflict' && message !== CHANGED);
  if (isVague && message && isSpoken(message)) return { title: more, more: '' };
  const known = of(t.value.codes.errors, code) ?? of(t.value.codes.reasons, code);
  if (known) return code === 'conflict' && !isVague ? { title: known, more: '' } : plain(known);
  return message ? { title: more, more: '' } : plain(t.value.errors.unknown(code));
}
