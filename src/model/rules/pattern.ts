import { re2 } from './re2.ts';

/** Larger ones come from nested repeats, and take milliseconds for each request. */
const MAX_SIZE = 5000;

/** Why a text is not a regular expression that rules can use; null if it is. */
export function patternProblem(pattern: string): string | null {
  try {
    const size = re2().RE2JS.compile(pattern).programSize();
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
