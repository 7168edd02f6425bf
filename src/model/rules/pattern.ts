import { re2 } from './re2.ts';

/** A regular expression that takes time in proportion to the text, whatever the expression is. */
export interface Pattern {
  /** Whether some part of the text matches. */
  test(text: string): boolean;
}

/** Larger ones come from nested repeats, and take milliseconds for each request. */
const MAX_SIZE = 5_000;

/** @throws if the expression is not valid: `patternProblem` says why. */
export function compilePattern(pattern: string, { caseSensitive = false } = {}): Pattern {
  const { CASE_INSENSITIVE } = re2();
  return re2().compile(pattern, caseSensitive ? 0 : CASE_INSENSITIVE);
}

/** Why a text is not a regular expression that rules can use; null if it is. */
export function patternProblem(pattern: string): string | null {
  try {
    const size = re2().compile(pattern).programSize();
    return size > MAX_SIZE ? 'is a regular expression that repeats too much: use smaller counts' : null;
  } catch (error) {
    const reason = String((error as Error).message).replace(/^error parsing regexp: /, '');
    return `is not a regular expression in RE2 syntax: ${withoutSecrets(reason)}`;
  }
}

/** The reason repeats a part of the pattern, which may be a URL with a login. */
function withoutSecrets(reason: string): string {
  const [description = ''] = reason.split(': `');
  return /[@/]/.test(reason) || reason.length > 100 ? description : reason;
}
