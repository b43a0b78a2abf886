/** How good a password is, as far as one can tell by looking at it. */

export const PASSWORD_MIN = 10;
export const PASSWORD_MAX = 128;

/** 0: not allowed; 1: weak; 2: fair; 3: good; 4: strong. */
export function strength(password: string, login = ''): 0 | 1 | 2 | 3 | 4 {
  const length = [...password].length;
  if (length < PASSWORD_MIN || length > PASSWORD_MAX) return 0;
  const distinct = new Set(password.toLowerCase()).size;
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9]/].filter((kind) => kind.test(password)).length;
  if (distinct < 5 || isRun(password)) return 1;
  if (login.length > 2 && password.toLowerCase().includes(login.toLowerCase())) return 1;
  const score = (length >= 14 ? 1 : 0) + (length >= 18 ? 1 : 0) + (kinds >= 3 ? 1 : 0) + (distinct >= 10 ? 1 : 0);
  // What is short is never good, whatever it is made of.
  return Math.min(length < 12 ? 2 : 4, 1 + score) as 1 | 2 | 3 | 4;
}

/** Whether most of it counts up or down, or stays: 12345..., abcde..., aaaa.... */
function isRun(text: string): boolean {
  let steps = 0;
  for (let i = 1; i < text.length; i += 1) {
    if (Math.abs(text.charCodeAt(i) - text.charCodeAt(i - 1)) <= 1) steps += 1;
  }
  return steps >= (text.length - 1) * 0.6;
}
