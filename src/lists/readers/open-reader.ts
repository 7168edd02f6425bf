import { readHeadedLines } from '../line/headings.ts';
import type { ListFormat, ParseOptions } from '../options.ts';
import { isClash } from './clash/keys.ts';
import { findHeader, separatorOf } from './header.ts';
import { jsonLinesReader, jsonReader } from './json/json-reader.ts';
import { type ListReader, lineReader, notAList } from './list-reader.ts';
import { looksLike } from './looks-like.ts';
import { isProxychains, proxychainsReader } from './proxychains.ts';

/** How much of a list is needed to detect its format, in UTF-16 units. */
export const HEAD_LENGTH = 65_536;

const PROXIFIER = /^(?:<\?xml\s[^>]*>\s*)?<ProxifierProfile[\s>]/;

/** A mapping or list in brackets that begins with a word without quotes, which no JSON does. */
const YAML_IN_BRACKETS = /^(?:\{|\[\s*\{)[\s[{]*[\p{L}_][\w -]*:\s/u;

/** The reader of a list's format, by its first `HEAD_LENGTH` units. What only some formats need is loaded when one is met. */
export async function openReader(head: string, options: ParseOptions): Promise<ListReader> {
  const { format = 'auto' } = options;
  const text = head.trimStart();
  if (PROXIFIER.test(text))
    return new (await import(/* webpackMode: "eager" */ './proxifier.ts')).ProxifierReader(options);
  const reason = looksLike(text);
  if (reason !== null) return otherReader(reason);
  switch (format === 'auto' ? detectFormat(head, text) : format) {
    case 'json':
      if (/^\{/.test(text) && /"outbounds"\s*:/.test(head))
        return otherReader('a configuration of sing-box or Xray, which is not supported');
      return isJsonLines(text) ? jsonLinesReader(options) : jsonReader(options);
    case 'proxychains':
      return proxychainsReader();
    case 'csv':
      return new (await import(/* webpackMode: "eager" */ './csv.ts')).CsvReader(options);
    case 'clash':
      return new (await import(/* webpackMode: "eager" */ './clash/clash-reader.ts')).ClashReader(options);
    default:
      return lineReader(readHeadedLines(options));
  }
}

/** Reads what is no list, and says what it looks like. */
function otherReader(what: string): ListReader {
  return { push: () => [], finish: () => [notAList(what)] };
}

function detectFormat(head: string, text: string): ListFormat {
  const isYamlInBrackets = YAML_IN_BRACKETS.test(text);
  // An IPv6 address in brackets begins a text. What Python prints is JSON to be corrected, not lines with quotes in them.
  const isTemplate = /^\{(?:session|country|ttl)\}/.test(text);
  if (!isYamlInBrackets && !isTemplate && (text.startsWith('{') || /^\[\s*(?:[{["'(\]]|$)/.test(text)))
    return 'json';
  if (isClash(head)) return 'clash';
  if (isProxychains(text)) return 'proxychains';
  return isCsv(text) ? 'csv' : 'text';
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
