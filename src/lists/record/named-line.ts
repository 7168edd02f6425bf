import type { ProxyProtocol } from '../../model/proxy.ts';
import { readProxyLine } from '../line/parse-line.ts';
import type { ParseOptions } from '../options.ts';
import { refused } from '../parts/refused.ts';
import type { Scheme } from '../parts/scheme.ts';
import type { LineVerdict, ListedProxy } from '../verdicts.ts';

/** An address and nothing else, as most lines are. */
const ADDRESS = /^[\w.-]+:\d{1,5}$/;
const URL = /^\s*[a-z][a-z\d+.-]*:\/\//i;

/**
 * Reads a line whose protocols a column or member names: one proxy for each. A protocol in the line must be one of them. With
 * `ofTargets`, `http` and `https` may name the targets, as in `{"https": "http://192.0.2.1:80"}`, and the line decides.
 */
export function readNamedLine(
  line: string,
  schemes: readonly Scheme[],
  options: ParseOptions,
  { ofTargets = false } = {},
): LineVerdict[] {
  if (!lineNamesProtocol(line, options))
    return schemes.flatMap((scheme) =>
      readProxyLine(line, { ...options, protocol: scheme.protocol, strictProtocol: false }).map((verdict) =>
        withScheme(verdict, scheme),
      ),
    );
  return readProxyLine(line, options).map((verdict) => {
    if (verdict.kind !== 'proxy') return verdict;
    const { protocol } = verdict.proxy;
    const scheme = schemes.find((each) => each.protocol === protocol);
    if (scheme) return withScheme(verdict, scheme);
    const isHttp = [verdict.proxy, ...schemes].every((each) => each.protocol.startsWith('http'));
    if (ofTargets && isHttp) return verdict;
    return refused('ambiguous', 'the protocol beside the address is not the one that it names itself');
  });
}

/** Whether a line names its protocol itself, before, beside or after the address. */
export function lineNamesProtocol(line: string, options: ParseOptions): boolean {
  if (URL.test(line)) return true;
  if (ADDRESS.test(line)) return false;
  const protocolWith = (protocol: ProxyProtocol): ProxyProtocol | null => {
    const [verdict] = readProxyLine(line, { ...options, protocol, strictProtocol: false });
    return verdict?.kind === 'proxy' ? verdict.proxy.protocol : null;
  };
  return protocolWith('http') !== 'http' || protocolWith('https') !== 'https';
}

function withScheme(verdict: LineVerdict, { remoteDns, note }: Scheme): LineVerdict {
  if (verdict.kind !== 'proxy' || (!remoteDns && note === undefined)) return verdict;
  const proxy: ListedProxy = remoteDns ? { ...verdict.proxy, remoteDns } : verdict.proxy;
  return { ...verdict, proxy, notes: note === undefined ? verdict.notes : [note, ...verdict.notes] };
}
