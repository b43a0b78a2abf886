/** Which of the two languages is spoken. */

import { ref, watch } from 'vue';

export type Language = 'en' | 'zh';

/** The same shape, with any text for a text. */
export type Loose<T> = T extends string
  ? string
  : T extends (...args: infer A) => string
    ? (...args: A) => string
    : { [K in keyof T]: Loose<T[K]> };

const KEPT = 'thalweg.language';

/** Whose language is kept, or else the browser's. */
export function firstLanguage(kept: string | null, browser: readonly string[]): Language {
  if (kept === 'en' || kept === 'zh') return kept;
  return browser[0]?.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

function kept(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

export const language = ref<Language>(
  typeof navigator === 'undefined' ? 'en' : firstLanguage(kept(), navigator.languages ?? [navigator.language]),
);

export function speak(next: Language): void {
  language.value = next;
  try {
    localStorage.setItem(KEPT, next);
  } catch {
    // Then it is asked of the browser next time.
  }
}

if (typeof document !== 'undefined') {
  watch(language, (now) => { document.documentElement.lang = now === 'zh' ? 'zh-CN' : 'en'; }, { immediate: true });
}
