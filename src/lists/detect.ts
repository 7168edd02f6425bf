import { fieldOf } from './fields.ts';
import { looksLike } from './looks-like.ts';
import { isClash } from './readers/clash-keys.ts';
import { headerOf } from './readers/header.ts';
import { isProxychains } from './readers/proxychains.ts';
import type { ListFormat } from './types.ts';

/** So much of a list is looked at, in UTF-16 units. */
export const HEAD_LENGTH = 65_536;

/** What a list is written in; `before` is what stands before the first value of a JSON list. */
export type Detected =
  | { format: 'text' | 'csv' | 'clash' | 'proxychains' | 'proxifier' | 'json-lines' }
  | { format: 'json'; before: string }
  | { format: 'none'; reason: string };

/** Members under which providers put the list. */
const LIST_MEMBERS =
  /"(?:data|results?|proxies|proxy_?list|list|items|records|rows|entries|nodes)"\s*:\s*\[/i;

/** How a profile of Proxifier begins. */
const PROXIFIER = /^(?:<\?xml\s[^>]*>\s*)?<ProxifierProfile[\s>]/;

/** What a list is written in, from its beginning and what was asked for. */
export function detectFormat(head: string, asked: ListFormat): Detected {
  const text = head.trimStart();
  if (PROXIFIER.test(text)) return { format: 'proxifier' };
  const reason = looksLike(text);
  if (reason !== null) return { format: 'none', reason };
  if (asked === 'json') return detectJson(head);
  if (asked === 'csv' || asked === 'clash' || asked === 'proxychains') return { format: asked };
  if (asked !== 'auto') return { format: 'text' };
  if (isClash(head)) return { format: 'clash' };
  // An IPv6 address in brackets begins a text.
  if (text.startsWith('{') || /^\[\s*(?:[{["\]]|$)/.test(text)) return detectJson(head);
  if (isProxychains(text)) return { format: 'proxychains' };
  return { format: isCsv(text) ? 'csv' : 'text' };
}

function detectJson(head: string): Detected {
  const text = head.trimStart();
  const start = head.length - text.length;
  if (text.startsWith('[')) return { format: 'json', before: head.slice(0, start + 1) };
  const [line = ''] = text.split(/\r\n?|\n/, 1);
  const record = recordOf(line) ?? recordOf(text);
  if (record !== null && isProxy(record)) return { format: 'json-lines' };
  const list = LIST_MEMBERS.exec(head);
  if (list) return { format: 'json', before: head.slice(0, list.index + list[0].length) };
  return { format: 'none', reason: describeJson(record) };
}

function describeJson(record: object | null): string {
  if (record === null) return 'JSON that holds no list of proxies';
  const names = Object.keys(record).map((name) => name.toLowerCase());
  if (names.includes('outbounds')) return 'a configuration of sing-box or Xray, which is not supported';
  const isError = names.some((name) => /^(?:errors?|detail|message|msg|code|status|success)$/.test(name));
  return isError ? 'an error message in JSON, as a provider sends it' : 'JSON that holds no list of proxies';
}

/** The object that a text is, or null. */
function recordOf(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function isProxy(record: object): boolean {
  const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
  return Object.entries(record).some(
    ([name, value]) => ['host', 'url'].includes(fieldOf(name) ?? '') && isText(value),
  );
}

/** A header names its columns; without one only quotes make a CSV of what is text else. */
function isCsv(text: string): boolean {
  const line =
    text.split(/\r\n?|\n/).find((each) => each.trim() !== '' && !/^\s*(?:#|;|\/\/)/.test(each)) ?? '';
  return headerOf(line) !== null || /^\s*"[^"]*"\s*[,;\t|]/.test(line);
}
