import type { ListFormat } from '../options.ts';
import { isClash } from './clash/keys.ts';
import { findHeader, separatorOf } from './header.ts';
import { looksLike } from './looks-like.ts';
import { isProxychains } from './proxychains.ts';

/** What a list is written in. */
export type Detected =
  | { format: 'text' | 'csv' | 'clash' | 'proxychains' | 'proxifier' | 'json' | 'json-lines' }
  | { format: 'none'; reason: string };

/** How a profile of Proxifier begins. */
const PROXIFIER = /^(?:<\?xml\s[^>]*>\s*)?<ProxifierProfile[\s>]/;

/** A mapping or list in brackets that begins with a word without quotes, which no JSON does. */
const YAML_IN_BRACKETS = /^(?:\{|\[\s*\{)[\s[{]*[\p{L}_][\w -]*:\s/u;

/** What a list is written in, from its beginning and what was asked for. */
export function detectFormat(head: string, asked: ListFormat): Detected {
  const text = head.trimStart();
  if (PROXIFIER.test(text)) return { format: 'proxifier' };
  const reason = looksLike(text);
  if (reason !== null) return { format: 'none', reason };
  if (asked === 'json') return detectJson(head);
  if (asked === 'csv' || asked === 'clash' || asked === 'proxychains') return { format: asked };
  if (asked !== 'auto') return { format: 'text' };
  const isYamlInBrackets = YAML_IN_BRACKETS.test(text);
  // An IPv6 address in brackets begins a text. What Python prints is JSON to be corrected, not lines with quotes in them.
  const isTemplate = /^\{(?:session|country|ttl)\}/.test(text);
  if (!isYamlInBrackets && !isTemplate && (text.startsWith('{') || /^\[\s*(?:[{["'(\]]|$)/.test(text)))
    return detectJson(head);
  if (isClash(head)) return { format: 'clash' };
  if (isProxychains(text)) return { format: 'proxychains' };
  return { format: isCsv(text) ? 'csv' : 'text' };
}

function detectJson(head: string): Detected {
  const text = head.trimStart();
  if (/^\{/.test(text) && /"outbounds"\s*:/.test(head))
    return { format: 'none', reason: 'a configuration of sing-box or Xray, which is not supported' };
  return { format: isJsonLines(text) ? 'json-lines' : 'json' };
}

/** Whether the first line is a value of its own, and others follow it. A list on one line is a document. */
function isJsonLines(text: string): boolean {
  const end = text.search(/\r|\n/);
  if (end === -1 || text.slice(end).trim() === '') return false;
  try {
    const value: unknown = JSON.parse(text.slice(0, end));
    return !Array.isArray(value) || (value.length > 0 && value.every((cell) => typeof cell !== 'object'));
  } catch {
    return false;
  }
}

/** A header or `sep=;` says that a list is CSV; without one only quotes make a CSV of what is text else. */
function isCsv(text: string): boolean {
  const lines = text.split(/\r\n?|\n/);
  const line = lines.find((each) => each.trim() !== '' && !/^\s*(?:#|;|\/\/)/.test(each)) ?? '';
  return separatorOf(line) !== null || /^\s*"[^"]*"\s*[,;\t|]\s*\S/.test(line) || findHeader(lines) !== null;
}
