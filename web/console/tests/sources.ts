/** What the server's sources say, read as text: the lists that the dictionaries have to know. */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** A source without its comments and its tests. */
export function source(path: string): string {
  const text = readFileSync(ROOT + path, 'utf8').split(/^#\[cfg\(test\)\]/m)[0]!;
  return text.replace(/^\s*\/\/.*$/gm, '');
}

/** Every Rust source below a folder. */
export function sources(folder: string): string[] {
  return readdirSync(ROOT + folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.rs')).map((name) => `${folder}/${name}`).sort();
}

const LITERAL = /"((?:[^"\\]|\\[\s\S])*)"/g;

/** The literals of a text, as they are printed; what is filled in is `{}`. */
export function literals(text: string): string[] {
  // `{{` is a brace that is printed.
  const plain = (inside: string) => inside.replace(/\\\n\s*/g, '').replace(/\\(.)/g, '$1').replaceAll('{{', '\u0001').replaceAll('}}', '\u0002').replace(/\{[^{}]*\}/g, '{}').replaceAll('\u0001', '{').replaceAll('\u0002', '}');
  return [...text.matchAll(LITERAL)].map((found) => plain(found[1]!));
}

/** What stands between the parenthesis at `open` and the one that closes it. */
function within(text: string, open: number): string {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    if (text[at] === '"') { at += /^"(?:[^"\\]|\\[\s\S])*"/.exec(text.slice(at))![0].length - 1; continue; }
    if (text[at] === '(') depth += 1;
    if (text[at] === ')' && --depth === 0) return text.slice(open, at);
  }
  return text.slice(open);
}

/** The sentences of refusals: what is given to these, what is called `words` on the way there, and what errors say. */
export function refusals(text: string): string[] {
  const calls = [...text.matchAll(/(?:ApiError::(?:bad|conflict|forbidden|too_many|not_found|new|unknown)|BadField::new|#\[error|Outcome::Hopeless|Outcome::Missed)\(/g)];
  const named = [...text.matchAll(/let (?:words|message|text) =(\s*(?:format!\(\s*)?\"[\s\S]*?);/g)];
  const all = [...calls.flatMap((call) => literals(within(text, call.index + call[0].length - 1))), ...named.flatMap((found) => literals(found[1]!))];
  return all.filter(isSentence);
}

/** Whether a person reads it: a name of a field or a code has no space. */
export function isSentence(text: string): boolean {
  return /[A-Za-z]{2,}.* |\s[A-Za-z]{2,}/.test(text);
}
