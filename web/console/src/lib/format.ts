/** Numbers, sizes and moments as people read them. */

import type { Language } from '@/lang';

const locale = (language: Language) => (language === 'zh' ? 'zh-CN' : 'en-GB');

function scaled(value: number, base: number, units: readonly string[]): string {
  let at = 0;
  let rest = Math.max(0, value);
  // 999.5 would be shown as 1000 of the smaller unit.
  while (rest >= base - base / 2000 && at < units.length - 1) {
    rest /= base;
    at += 1;
  }
  const digits = at === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return `${rest.toFixed(digits)} ${units[at]}`;
}

/** `1.25 Mbit/s`. */
export function bitrate(bitsPerSecond: number): string {
  return scaled(bitsPerSecond, 1000, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s']);
}

/** `1.25 GB`. */
export function bytes(count: number): string {
  return scaled(count, 1000, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);
}

/** `12,345`. */
export function count(value: number, language: Language): string {
  return new Intl.NumberFormat(locale(language)).format(value);
}

/** `2d 4h`, `4 min 10 s`: the two largest parts. */
export function duration(seconds: number, language: Language): string {
  const whole = Math.max(0, Math.floor(seconds));
  const names = language === 'zh' ? ['天', '小时', '分', '秒'] : ['d', 'h', 'min', 's'];
  const parts = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  const first = parts.findIndex((part) => part > 0);
  if (first < 0) return language === 'zh' ? '0 秒' : '0 s';
  const shown = [first, first + 1].filter((i) => i < 4 && (i === first || parts[i]! > 0));
  return shown.map((i) => `${parts[i]} ${names[i]}`).join(' ');
}

/** Day and time, of this browser's clock. */
export function moment(at: number, language: Language): string {
  return new Intl.DateTimeFormat(locale(language), {
    year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false,
  }).format(new Date(at * 1000));
}

/** `27 Jul`. */
export function day(at: number, language: Language): string {
  return new Intl.DateTimeFormat(locale(language), { day: 'numeric', month: 'short' }).format(new Date(at * 1000));
}

/** `14:05`. */
export function clock(at: number, language: Language, withSeconds = false): string {
  return new Intl.DateTimeFormat(locale(language), {
    hour: '2-digit', minute: '2-digit', ...(withSeconds ? { second: '2-digit' } : {}), hour12: false,
  }).format(new Date(at * 1000));
}

/** `3 min ago`, `in 2 d`. */
export function relative(at: number, now: number, language: Language): string {
  const far = at - now;
  const format = new Intl.RelativeTimeFormat(locale(language), { numeric: 'auto', style: 'short' });
  const size = Math.abs(far);
  if (size < 60) return format.format(Math.trunc(far), 'second');
  if (size < 3600) return format.format(Math.trunc(far / 60), 'minute');
  if (size < 86400) return format.format(Math.trunc(far / 3600), 'hour');
  return format.format(Math.trunc(far / 86400), 'day');
}
