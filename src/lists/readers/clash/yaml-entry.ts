import { readProxyLine } from '../../line/parse-line.ts';
import type { ParseOptions } from '../../options.ts';
import { MASK, maskLine } from '../../parts/mask.ts';
import { refused } from '../../parts/refused.ts';
import { Fields } from '../../record/fields.ts';
import { maskRecord, readRecord } from '../../record/record.ts';
import type { UnreadNames } from '../../record/unread-names.ts';
import { isObject, textOf } from '../../record/values.ts';
import type { LineVerdict, RefusalCode } from '../../verdicts.ts';
import { readSimpleEntry, readSimpleMapping } from './simple-entry.ts';
import { parseYaml } from './yaml.ts';

const URL = /^(?:https?|socks[45][ah]?):\/\//i;
/** What a record of a proxy has beside its host. */
const MORE = ['port', 'protocol', 'username', 'password', 'login'] as const;

/** The options of the list that entries are in, and what was not read of it. */
export interface HowToRead {
  options: ParseOptions;
  names: UnreadNames;
}

/** The verdicts on an entry, and how it is shown if it is rejected. */
export interface EntryVerdicts {
  verdicts: LineVerdict[];
  mask: (code: RefusalCode) => string;
}

/** Reads an entry of a list of proxies, a record or a text, with its dash unless the list is in brackets (`isFlow`). */
export function readEntry(text: string, isFlow: boolean, how: HowToRead): EntryVerdicts {
  const members = isFlow ? readSimpleMapping(text) : readSimpleEntry(text);
  if (members) return readMembers(members, how);
  const value = parseEntry(text, isFlow);
  if (value === undefined) return rejected(whyMalformed(text));
  if (typeof value === 'string')
    return { verdicts: readProxyLine(value, how.options), mask: (code) => maskLine(value, code) };
  if (value === null) return { verdicts: [{ kind: 'blank' }], mask: () => MASK };
  return isObject(value) ? readMembers(Object.entries(value), how) : rejected('the entry has no members');
}

/** Reads the proxies at any depth of an entry that need not hold any: records with a host and more, URLs, texts with a login. */
export function readProxiesInside(text: string, isFlow: boolean, how: HowToRead): EntryVerdicts[] {
  const value = parseEntry(text, isFlow);
  return value === undefined ? [rejected(whyMalformed(text))] : [...proxiesInside(value, how)];
}

/** The value of an entry; undefined if it is not YAML, or refers to another place. */
export function parseEntry(text: string, isFlow = false): unknown {
  const entries = parseYaml(isFlow ? `[${text}\n]` : text);
  return Array.isArray(entries) && entries.length === 1 ? entries[0] : undefined;
}

function* proxiesInside(value: unknown, how: HowToRead): Generator<EntryVerdicts, void, undefined> {
  if (typeof value === 'string') {
    const isUrl = URL.test(value);
    const verdicts = isUrl || value.includes(':') ? readProxyLine(value, how.options) : [];
    const [first] = verdicts;
    if (isUrl || (first?.kind === 'proxy' && first.proxy.username !== undefined))
      yield { verdicts, mask: (code) => maskLine(value, code) };
    else if (first?.kind === 'proxy')
      yield rejected('this may be a proxy or another address: put it below proxies:');
  } else if (Array.isArray(value)) {
    for (const each of value) yield* proxiesInside(each, how);
  } else if (isObject(value)) {
    const entries = Object.entries(value);
    if (isProxyRecord(new Fields(entries))) yield readMembers(entries, how);
    else for (const [, each] of entries) if (typeof each === 'object') yield* proxiesInside(each, how);
  }
}

/** Whether members say where a proxy is, and more of it: other lists have hosts too. */
function isProxyRecord(fields: Fields): boolean {
  const url = textOf(fields.get('url'));
  if (url !== undefined && readProxyLine(url)[0]?.kind === 'proxy') return true;
  const host = textOf(fields.get('host'));
  return host !== undefined && (/:\d+$/.test(host) || MORE.some((field) => fields.has(field)));
}

function readMembers(
  entries: readonly (readonly [string, unknown])[],
  { options, names }: HowToRead,
): EntryVerdicts {
  return { verdicts: readRecord(entries, options, names), mask: (code) => maskRecord(entries, code) };
}

function whyMalformed(text: string): string {
  return /^ *\t/m.test(text)
    ? 'YAML is indented with spaces, not with tabs'
    : 'the entry is not YAML that stands for itself';
}

function rejected(reason: string): EntryVerdicts {
  return { verdicts: [refused('bad-record', reason)], mask: () => MASK };
}
