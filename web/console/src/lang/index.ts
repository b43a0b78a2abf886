/** The two languages' texts. */

import { computed } from 'vue';
import { en } from './en';
import { type Language, language, type Loose } from './speech';
import { zh } from './zh';

export { firstLanguage, type Language, language, speak } from './speech';

/** What every language has to have. */
export type Dictionary = Loose<typeof en>;

export const dictionaries: Record<Language, Dictionary> = { en, zh };

/** The texts of the language spoken. */
export const t = computed(() => dictionaries[language.value]);
