/** What a player or a pusher is at, read from the codes it says. */

export type Phase = 'idle' | 'connecting' | 'on' | 'loading' | 'reconnecting' | 'ended' | 'failed';

/** A player's after a code of `statechange`; docs/ref of the elements has them all. */
export function playerPhase(before: Phase, code: number): Phase {
  switch (code) {
    case 2004:
    case 2032:
      return 'on';
    case 2001:
    case 2002:
    case 2003:
      return before === 'on' ? before : 'connecting';
    case 2007:
      return 'loading';
    case 2103:
      return 'reconnecting';
    case 2006:
      return 'ended';
    case -2301:
    case -2303:
    case -2304:
    case -2305:
    case -2306:
      return 'failed';
    default:
      // -2302 among them: it goes on, without acceleration.
      return before;
  }
}

/** A pusher's. A device that fails is not its end: it goes on with what is left. */
export function pusherPhase(before: Phase, code: number): Phase {
  switch (code) {
    case 1001:
      return before === 'on' ? before : 'connecting';
    case 1002:
      return 'on';
    case 1102:
      return 'reconnecting';
    case -1307:
      return 'failed';
    default:
      return before;
  }
}

/** The server's word for a refusal, docs/ref/signing.md, where a message has one. */
export function reasonIn(message: string): string | null {
  return /\b(auth-[a-z-]+|viewer-limit|wrong-action|wrong-address|not-allowed|revoked|url-in-use|server-full|not-found|busy|player-off|pusher-off|service-closed|not-eligible)\b/.exec(message)?.[1] ?? null;
}

/** Why there is no low delay after -2302: a key of the words for it. docs/ref/elements.md has the reasons. */
export function lackOf(reason: string | undefined): 'seats' | 'signature' | 'notAllowed' | 'blocked' | 'unsupported' | 'codec' | 'slow' | 'broken' | 'refused' {
  switch (reason) {
    case 'viewer-limit':
    case 'limit':
      return 'seats';
    case 'auth':
    case 'wrong-action':
    case 'wrong-address':
    case 'revoked':
      return 'signature';
    case 'not-allowed':
      return 'notAllowed';
    case 'not-supported':
      return 'unsupported';
    case 'codec':
      return 'codec';
    case 'too-slow':
      return 'slow';
    case 'broken-off':
      return 'broken';
    case 'udp-blocked':
    case undefined:
      return 'blocked';
    default:
      return reason.startsWith('auth-') ? 'signature' : 'refused';
  }
}

/** How grave a code is. */
export function gravity(code: number): 'good' | 'plain' | 'warn' | 'bad' {
  if (code < 0 || (code >= 10001 && code <= 10004)) return 'bad';
  if ((code >= 1101 && code <= 1107) || (code >= 2101 && code <= 2108) || (code >= 3001 && code <= 3005) || code === 5000 || code === 5001) return 'warn';
  return code === 2004 || code === 1002 ? 'good' : 'plain';
}
