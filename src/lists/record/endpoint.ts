import { readProxyLine } from '../line/parse-line.ts';
import type { ParseOptions } from '../options.ts';
import { requirePort, toAddress } from '../parts/address.ts';
import { Refused, refused } from '../parts/refused.ts';
import { type Scheme, unnamedScheme } from '../parts/scheme.ts';
import type { LineVerdict } from '../verdicts.ts';
import type { Fields, Member } from './fields.ts';
import { lineNamesProtocol, readNamedLine } from './named-line.ts';
import { withTls } from './protocol.ts';
import { plainText, readFlag, textOf } from './values.ts';

const ROTATE_URL = { field: 'rotateUrl', rank: 0, isLoginLike: false } as const;

/** The members of a record, the protocols that they name, and the options of its list. */
interface SchemedRecord {
  fields: Fields;
  schemes: readonly Scheme[];
  options: ParseOptions;
}

/** The proxies of a record without what other members say: from a URL or line, or from host and port. */
export function readEndpoints(record: SchemedRecord): LineVerdict[] {
  const { fields } = record;
  const url = fields.member('url');
  const host = textOf(fields.get('host'));
  const port = fields.get('port');
  if (url !== undefined) {
    const verdicts = typeof url.value === 'string' ? readUrl(url.value, record) : [];
    if (verdicts.length > 0) return verdicts;
    setAside(url, fields);
  }
  if (host === undefined) throw new Refused('not-a-proxy', 'the record has no host');
  if (port === undefined || host.includes('://'))
    return agreeing(readWhole(withPort(host, port), record), undefined, portOf(port));
  const number = requirePort(plainText(port).trim());
  const address = toAddress(host.trim(), number);
  if (address) return withSchemes(address.host, number, record);
  if (/:\d+$/.test(host.trim())) return agreeing(readWhole(host, record), undefined, number);
  throw new Refused('bad-host', 'the host is neither an IP address nor a name');
}

/** The proxies of a URL member; an empty list if it is something else, and the record has host and port beside it. */
function readUrl(text: string, record: SchemedRecord): LineVerdict[] {
  const { fields } = record;
  const host = textOf(fields.get('host'));
  const port = fields.get('port');
  const verdicts = readWhole(host === undefined ? withPort(text, port) : text, record);
  if (verdicts.every(({ kind }) => kind === 'proxy')) {
    const isWhole = host !== undefined && port !== undefined;
    return agreeing(verdicts, isWhole ? host : undefined, portOf(port));
  }
  const mayHoldLogin = text.includes('@') || (text.includes(':') && !text.includes('://'));
  const isElsewhere = host !== undefined && port !== undefined && !mayHoldLogin;
  return isElsewhere ? [] : verdicts;
}

/** Reads a member that holds all of it, as a line does. */
function readWhole(text: string, { fields, schemes, options }: SchemedRecord): LineVerdict[] {
  const isTls = readFlag(fields.get('tls')) === true;
  const named =
    schemes.length > 0 || !isTls || lineNamesProtocol(text, options)
      ? schemes
      : [withTls(unnamedScheme(options))];
  const verdicts = named.length > 0 ? readNamedLine(text, named, options) : readProxyLine(text, options);
  return verdicts.map((verdict) =>
    verdict.kind === 'proxy' || verdict.kind === 'refused'
      ? verdict
      : refused('not-a-proxy', 'the record has no host'),
  );
}

function withSchemes(host: string, port: number, { fields, schemes, options }: SchemedRecord): LineVerdict[] {
  const isTls = readFlag(fields.get('tls')) === true;
  const unnamed = (): Scheme => (isTls ? withTls(unnamedScheme(options)) : unnamedScheme(options));
  return (schemes.length > 0 ? schemes : [unnamed()]).map(({ note, ...scheme }) => ({
    kind: 'proxy',
    proxy: { ...scheme, host, port },
    notes: note === undefined ? [] : [note],
  }));
}

/** Verdicts on a URL, rejected if host or port beside it are not its own. */
function agreeing(
  verdicts: readonly LineVerdict[],
  host: string | undefined,
  port: number | undefined,
): LineVerdict[] {
  const address = host === undefined ? null : toAddress(host.trim(), 1);
  return verdicts.map((verdict) => {
    if (verdict.kind !== 'proxy') return verdict;
    const isOther =
      (address !== null && address.host !== verdict.proxy.host) ||
      (port !== undefined && port !== verdict.proxy.port);
    return isOther
      ? refused('ambiguous', 'the URL and the members beside it name different addresses')
      : verdict;
  });
}

/** A URL that is not the proxy's is a link to a page, or, in AdsPower, what changes the exit address. */
function setAside(member: Member, fields: Fields): void {
  const isAdsPower = fields.unread.some(({ name }) => name === 'proxy_soft');
  if (isAdsPower && member.name === 'proxy_url') fields.known.push({ ...member, meaning: ROTATE_URL });
  else fields.unread.push(member);
}

function portOf(value: unknown): number | undefined {
  return value === undefined ? undefined : Number(plainText(value));
}

function withPort(text: string, port: unknown): string {
  const plain = text.trim();
  return port === undefined || /:\d+\/?$/.test(plain)
    ? plain
    : `${plain.replace(/\/$/, '')}:${plainText(port).trim()}`;
}
