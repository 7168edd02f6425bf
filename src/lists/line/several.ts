import type { ParseOptions } from '../options.ts';
import type { LineVerdict } from '../verdicts.ts';

type ReadPiece = (text: string, options: ParseOptions) => LineVerdict[];

const SEPARATORS = [',', ';', '|', /\s+/, /[\s,;|]+/];

/** The proxies of a line that has nothing else, each with an address that is surely one; null for any other line. */
export function readSeveral(text: string, options: ParseOptions, read: ReadPiece): LineVerdict[] | null {
  if (!hasTwoPorts(text)) return null;
  for (const separator of SEPARATORS) {
    const pieces = text
      .split(separator)
      .map((piece) => piece.trim())
      .filter((piece) => piece !== '');
    if (pieces.length < 2) continue;
    const verdicts = readAll(pieces, options, read);
    if (verdicts) return verdicts;
  }
  return null;
}

/** Whether there is a separator between two ports. */
function hasTwoPorts(text: string): boolean {
  const first = text.search(/:\d/);
  const separator = first === -1 ? -1 : text.slice(first).search(/[\s,;|]/);
  return separator !== -1 && /:\d/.test(text.slice(first + separator));
}

function readAll(pieces: readonly string[], options: ParseOptions, read: ReadPiece): LineVerdict[] | null {
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

/** A colon at the end of a password may be one more separator. */
function isSure(verdict: LineVerdict): boolean {
  if (verdict.kind !== 'proxy') return false;
  const { host, password = '' } = verdict.proxy;
  return /[.:]|^localhost$/.test(host) && !password.endsWith(':');
}
