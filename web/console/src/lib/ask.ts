/** A question before something that cannot be undone. One dialog, in App.vue, asks them all. */

import { shallowRef } from 'vue';

export interface Choice {
  value: string;
  label: string;
  note?: string;
}

export interface Question {
  title: string;
  text?: string;
  confirm: string;
  danger?: boolean;
  choices?: Choice[];
  initial?: string;
}

export const question = shallowRef<(Question & { answer: (value: string | null) => void }) | null>(null);

/** The chosen value, `yes` where there is nothing to choose, null when it is not wanted. */
export function ask(of: Question): Promise<string | null> {
  question.value?.answer(null);
  return new Promise((resolve) => {
    question.value = {
      ...of,
      answer(value) {
        question.value = null;
        resolve(value);
      },
    };
  });
}
