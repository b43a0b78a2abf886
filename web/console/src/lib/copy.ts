import { MessagePlugin } from 'tdesign-vue-next/es/message';
import { t } from '@/lang';

/** Copies a text; where a page has no clipboard (plain http) the older way is tried. */
export async function copy(text: string): Promise<void> {
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.style.position = 'fixed';
    area.style.opacity = '0';
    document.body.append(area);
    area.select();
    done = document.execCommand('copy');
    area.remove();
  }
  if (done) void MessagePlugin.success({ content: t.value.common.copied, duration: 1500 });
  else void MessagePlugin.warning(t.value.common.copyByHand);
}

/** A word of success. */
export function well(text?: string): void {
  void MessagePlugin.success({ content: text ?? t.value.common.saved, duration: 2000 });
}
