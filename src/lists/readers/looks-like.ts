/** Files that are no list, by how they begin. */
const BEGINNINGS: readonly (readonly [RegExp, string])[] = [
  [/^PK\p{Cc}{2}/u, 'a ZIP archive or an Excel workbook: export it as CSV'],
  [/^\p{Cc}\p{Cs}/u, 'compressed data: unpack it first'],
  [/^SQLite format 3/, 'an SQLite database'],
  [/^%PDF-/, 'a PDF document'],
  [/^.{0,4}(?:PNG|GIF8|JFIF)/s, 'an image'],
  [/^<(?:!doctype html|html|head|body|script)\b/i, 'an HTML page, as a provider sends it in place of a list'],
  // Not a URL or an address in angle brackets.
  [/^<(?:[?!]|[a-z][\w.:-]{0,99}(?<!:\d{1,5})(?:\s|\/?>))/i, 'an XML document'],
  [/^\{\\rtf/, 'a document of a word processor: save it as plain text'],
  [
    /^(?:(?![[{]).*[\n;}])?[ \t]*(?:function\s+FindProxyForURL\b|(?:(?:var|let|const)\s+)?FindProxyForURL\s*=)/s,
    'a proxy auto-configuration (PAC) script',
  ],
  [
    /^(?:Windows Registry Editor|REGEDIT4)|^"Proxy(?:Server|Enable|Override)"=/im,
    'an export of the Windows registry, whose proxy settings are not read: write the proxy of "ProxyServer" as a line',
  ],
  [
    /^user_pref\("/m,
    'preferences of Firefox, which are not read: write network.proxy.http and its port as a line',
  ],
  [
    /^\[(?:Proxy|General|server_local|server_remote)\]/im,
    'a configuration of Surge, Loon or Quantumult X, which is not supported',
  ],
  [
    /^proxy_?type[ \t]*=[ \t]*\w/im,
    'settings in blocks, as AdsPower reads them: write each proxy as a line, such as socks5://user:pass@host:port',
  ],
  [/^\[Interface\]/im, 'a WireGuard configuration'],
  [/^-----BEGIN /, 'a key or certificate'],
];

const LOOKED_AT = 4096;
const LEAST_BASE64 = 40;

/** What a text that is no list looks like, from its beginning; null if it may be a list. */
export function looksLike(text: string): string | null {
  const head = text.slice(0, LOOKED_AT);
  for (const [pattern, what] of BEGINNINGS) if (pattern.test(head)) return what;
  if (head[0] === '\0' || head[1] === '\0') return 'UTF-16 without a byte order mark: save it as UTF-8';
  if (isBinary(head)) return 'binary data';
  return describeBase64(head);
}

function isBinary(head: string): boolean {
  if (head.includes('\0')) return true;
  const strange = head.match(/[\p{Cc}\p{Cs}\uFFFD]/gu)?.filter((character) => !/\s/.test(character)) ?? [];
  return strange.length * 10 > head.length;
}

/** What one long word of Base64 holds, if it is URLs or JSON. */
function describeBase64(head: string): string | null {
  const [word = ''] = /^[a-z\d+/_-]+/i.exec(head) ?? [];
  if (word.length < LEAST_BASE64) return null;
  const decoded = Buffer.from(word, 'base64').toString('latin1');
  if (/^\s*\{\s*"/.test(decoded))
    return 'Base64 of JSON, such as a backup of Proxy SwitchySharp, which is not supported: export its proxies as a list';
  return decoded.includes('://') ? 'base64, as subscriptions are sent: decode it first' : null;
}
