import { fieldOf } from '../../record/field-names.ts';

export interface Setting {
  /** Without quotes. */
  key: string;
  /** Without anchors and tags before it and the comment after it. */
  value: string;
}

/** What the list is called: `Proxy` in old configurations. */
const LISTS = /^(?:prox(?:y|ies)|prox(?:y|ies)[-_]?list|proxy[-_]?urls)$/i;

/** Settings of Clash and Mihomo that hold lists and addresses, and no proxies, without case, `-` and blanks. */
const WITHOUT_PROXIES: ReadonlySet<string> = new Set([
  ...['proxygroups', 'proxygroup', 'rules', 'rule', 'subrules', 'ruleproviders', 'script', 'profile'],
  ...['dns', 'hosts', 'ntp', 'tun', 'sniffer', 'listeners', 'tunnels', 'experimental', 'geoxurl'],
  ...['authentication', 'skipauthprefixes', 'lanallowedips', 'landisallowedips', 'externalcontrollercors'],
]);

/** Settings that only Clash and Mihomo have. */
const SURE = /^(?:proxy-groups|proxy-providers|rule-providers|Proxy Group)$/;
/** Settings of theirs that say enough if there are two. */
const LIKELY =
  /^(?:proxies|rules|dns|mode|log-level|allow-lan|mixed-port|socks-port|redir-port|tproxy-port|external-controller)$/;

export function namesProxies(key: string): boolean {
  return LISTS.test(key);
}

export function isWithoutProxies(key: string): boolean {
  return WITHOUT_PROXIES.has(key.toLowerCase().replace(/[-\s]/g, ''));
}

/** Whether a value that is no list may hold proxies all the same, so that it must not be passed over. */
export function isUnread(key: string, value: string): boolean {
  if (value === '' || /^(?:~|null)$/i.test(value)) return false;
  if (/^(?:proxies|server)$/i.test(key) || (namesProxies(key) && /[.:]/.test(value))) return true;
  return /^["']?(?:socks[45][ah]?:\/\/|https?:\/\/[^\s/]*@)/i.test(value);
}

/** Reads a setting, without its indentation; null if the line is not a setting. */
export function settingOf(text: string): Setting | null {
  const quoted = /^(["'])([^"'\\]*)\1\s*:/.exec(text);
  const end = quoted ? quoted[0].length - 1 : text.search(/:(?:\s|$)/);
  if (end === -1) return null;
  const key = quoted?.[2] ?? text.slice(0, end).trimEnd();
  if (key === '' || (!quoted && /^[-?"'[\]{}#&*!|>%@`,]/.test(key))) return null;
  const value = text
    .slice(end + 1)
    .trim()
    .replace(/^(?:[&!]\S*(?:\s+|$))+/, '');
  return { key, value: value.startsWith('#') ? '' : value };
}

/** Whether a list begins as YAML with proxies does: a key with a list of them, entries with known members, or settings of Clash. */
export function isClash(head: string): boolean {
  if (/^\s*(?:\[\s*)?\{\s*(?:[a-z][\w-]{0,63}|'[^'\n]{0,63}')\s*:\s|^\s*\[\s*'/i.test(head)) return true;
  let pending: { key: string; indent: number } | null = null;
  let isFirst = true;
  let hasProse = false;
  let likely = 0;
  for (const line of head.split(/\r\n?|\n/)) {
    const text = line.trim();
    if (text === '' || text.startsWith('#') || /^(?:---|\.\.\.)$/.test(text)) continue;
    const indent = line.length - line.trimStart().length;
    const isEntry = isRecordEntry(text);
    if (isEntry && (isFirst || pending !== null)) return true;
    if (pending && namesProxies(pending.key) && belongsTo(text, indent, pending.indent)) return true;
    isFirst = false;
    const setting = settingOf(text);
    pending = setting?.value === '' ? { key: setting.key, indent } : null;
    if (setting && namesProxies(setting.key) && /^(?:[[{*]|(?:~|null)$)/i.test(setting.value)) return true;
    if (setting && indent === 0 && (SURE.test(setting.key) || (LIKELY.test(setting.key) && ++likely > 1)))
      return true;
    hasProse ||= setting === null && indent === 0 && !text.startsWith('-');
  }
  return pending !== null && namesProxies(pending.key) && !hasProse;
}

/** `- {name: a` or `- name: a`, with a member that proxies have. */
function isRecordEntry(text: string): boolean {
  const name = /^-\s+(?:\{\s*)?(["']?)([a-z][\w-]{0,63})\1\s*:(?:\s|$)/i.exec(text)?.[2];
  return name !== undefined && fieldOf(name) !== null;
}

/** Whether a line belongs to the key above it. */
function belongsTo(text: string, indent: number, indentOfKey: number): boolean {
  if (/^-(?:\s|$)/.test(text)) return indent >= indentOfKey;
  return indent > indentOfKey && (/^[[{]/.test(text) || settingOf(text) !== null);
}
