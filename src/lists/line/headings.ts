import type { ParseOptions } from '../options.ts';
import { schemesNamed } from '../parts/scheme.ts';
import type { LineVerdict } from '../verdicts.ts';
import { readProxyLine } from './parse-line.ts';

const LONGEST = 40;
/** A protocol alone, as `SOCKS5`, `[socks5]`, `# HTTP proxies:`, `Type: SOCKS4`, `=== SOCKS4 list ===` or a YAML key. */
const HEADING =
  /^[\s#;/*=\-[(<"']*(?:(?:proxy[ _-]?)?(?:type|protocol) ?[:=] ?)?((?:https?|socks?)[\w\s()/+&-]{0,20}?)(?:\s+list)?(?:\s*\(\d+\))?[\s*=\-\])>"':./]*$/i;
/** Nobody knows which version. */
const SOCKS = /^socks?(?:\s*prox(?:y|ies))?$/i;

/** Reads lines: those below a line that is only a protocol have it by default. Below `SOCKS` or `SOCKS4/5` they must name theirs. */
export function readHeadedLines(options: ParseOptions): (line: string) => readonly LineVerdict[] {
  let asked = options;
  return (line) => {
    const below = optionsBelow(line, options);
    if (below === null) return readProxyLine(line, asked);
    asked = below;
    return [{ kind: 'comment' }];
  };
}

/** The options for the lines below a heading; null if the line is not a heading. */
export function optionsBelow(line: string, options: ParseOptions): ParseOptions | null {
  const heading = line.length > LONGEST ? undefined : HEADING.exec(line)?.[1];
  if (heading === undefined) return null;
  if (SOCKS.test(heading)) return { ...options, strictProtocol: true };
  const schemes = schemesNamed(heading);
  if (schemes === null) return null;
  const [scheme, ...others] = schemes;
  const isOne = others.length === 0 && scheme?.remoteDns === undefined;
  return { ...options, protocol: scheme?.protocol, strictProtocol: !isOne };
}
