/** The two languages' texts, and words for codes. */

import { computed, watch } from 'vue';
import { type Language, language, type Loose } from '@/lang/speech';
import { en } from './en';
import { zh } from './zh';

export { type Language, language, speak } from '@/lang/speech';

/** What every language has to have. */
export type Dictionary = Loose<typeof en>;

export const dictionaries: Record<Language, Dictionary> = { en, zh };

/** The texts of the language spoken. */
export const t = computed(() => dictionaries[language.value]);

/** A code of `statechange` in words; the code itself if there are none. */
export function codeWords(of: 'player' | 'pusher', code: number, words: Dictionary = t.value): string {
  const all: Record<string, string> = words[of];
  return all[code < 0 ? `m${-code}` : `c${code}`] ?? String(code);
}

/** The page's title. */
export function entitle(name: () => string | null): void {
  watch([language, name], () => { document.title = [name(), t.value.title].filter(Boolean).join(' · '); }, { immediate: true });
}
