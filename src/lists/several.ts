import type { LineVerdict, ParseOptions } from './types.ts';

/** What stands between the proxies of a line. */
const SEPARATORS = [/\s*,\s*/, /\s*;\s*/, /\s*\|\s*/, /\s+/, /[\s,;|]+/];

/**
 * The proxies of a line that is nothing but proxies, each of which reads by itself with an address that is surely one;
 * null if it is something else.
 */
export function readSeveral(
  text: string,
  options: ParseOptions,
  read: (text: string, options: ParseOptions) => LineVerdict[],
): LineVerdict[] | null {
  // A port each; the second search is not made of most lines.
  if (!/:\d.*[\s,;|].*:\d/s.test(text)) return null;
  for (const separator of SEPARATORS) {
    const pieces = text.split(separator).filter((piece) => piece !== '');
    if (pieces.length < 2) continue;
    const verdicts = readAll(pieces, options, read);
    if (verdicts) return verdicts;
  }
  return null;
}

function readAll(
  pieces: readonly string[],
  options: ParseOptions,
  read: (text: string, options: ParseOptions) => LineVerdict[],
): LineVerdict[] | null {
  const all: LineVerdict[] = [];
  for (const piece of pieces) {
    const verdicts = read(piece, options);
    if (!verdicts.every(isSure)) return null;
    all.push(...verdicts);
  }
  // A protocol that only some of them name may be meant for all.
  const named = pieces.filter((piece) => read(piece, { ...options, strictProtocol: true }).every(isSure));
  return named.length === 0 || named.length === pieces.length ? all : null;
}

function isSure(verdict: LineVerdict): boolean {
  return verdict.kind === 'proxy' && /[.:]|^localhost$/.test(verdict.proxy.host);
}
