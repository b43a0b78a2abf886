/** What stands in a text, one a line. */
export function lines(text: string): string[] {
  return [...new Set(text.split(/[\n;,]/).map((line) => line.trim()).filter(Boolean))];
}
