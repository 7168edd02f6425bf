import { z } from 'zod';

const MAX_LENGTH = 2048;

/** Why a text is not an http or https URL of at most 2048 characters; null if it is. Never holds the text. */
export function webUrlProblem(text: string): string | null {
  if (text.length > MAX_LENGTH) return `it is longer than ${MAX_LENGTH} characters`;
  const isUrl = /^https?:\/\/[^\s\p{Cc}]+$/iu.test(text) && text.isWellFormed() && URL.canParse(text);
  return isUrl ? null : 'it must be an http or https URL without spaces and control characters';
}

export const webUrlSchema = z.string().transform((value, context) => {
  const problem = webUrlProblem(value);
  if (problem === null) return value;
  context.addIssue(problem);
  return z.NEVER;
});

/** Removes the login from a URL, or from the beginning of one. */
export function withoutLogin(url: string): string {
  return url.replace(/^((?:[a-z][a-z\d+.-]*:)?\/\/)[^/?#\\]*@/i, '$1');
}
