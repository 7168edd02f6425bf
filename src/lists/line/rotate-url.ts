import { webUrlProblem } from '../../model/web-url.ts';

/**
 * Whether a text after a proxy is a URL at its provider that changes the exit address when it is requested. It has a path or
 * query, since a bare address may be another proxy.
 */
export function isRotateUrl(text: string): boolean {
  if (webUrlProblem(text) !== null || /["<>\\^`{|}]/.test(text)) return false;
  const { pathname, search } = new URL(text);
  return pathname !== '/' || search !== '';
}
