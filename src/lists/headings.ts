import { readProxyLine } from './line.ts';
import { isUnsupported, schemesNamed } from './protocol.ts';
import type { LineVerdict, ParseOptions } from './types.ts';

/** Marks around a heading, and words after its protocol. */
const HEADING =
  /^[\s#;/*=_~[({<|-]*([a-z][\w /,+&|()-]{2,30}?)(?:\s+(?:prox(?:y|ies)|lists?))*[\s#;/*=_~\])}>|:-]*$/i;

/**
 * Reads the lines of a text. A line with nothing but a protocol, such as `# SOCKS5` or `[HTTP]`, is a heading: its protocol holds for
 * the lines after it that name none. If it names several, one that is not supported, or
 * `SOCKS` without a version, these lines are rejected.
 */
export function lineReaderWithHeadings(options: ParseOptions): (line: string) => LineVerdict[] {
  let asked = options;
  return (line) => {
    const verdicts = readProxyLine(line, asked);
    const kind = verdicts[0]?.kind;
    if (kind === 'proxy' || kind === 'blank') return verdicts;
    const below = optionsBelow(line, options);
    if (below === null) return verdicts;
    asked = below;
    return [{ kind: 'comment' }];
  };
}

/** The options for the lines below a heading; null if the line is none. */
export function optionsBelow(line: string, options: ParseOptions): ParseOptions | null {
  const word = line.length > 80 ? undefined : HEADING.exec(line)?.[1];
  if (word === undefined) return null;
  const schemes = schemesNamed(word);
  if (schemes?.length === 1) return { ...options, protocol: schemes[0]?.protocol, strictProtocol: false };
  return schemes || isUnsupported(word) ? { ...options, strictProtocol: true } : null;
}
