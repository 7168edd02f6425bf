import { joinAddress, type Piece } from '../parts/address.ts';
import { Refused } from '../parts/refused.ts';
import { decodePercent } from '../parts/url.ts';
import type { ListedProxy } from '../verdicts.ts';

/** `tg://socks?…`, `https://t.me/socks?…`, and the same of `proxy`. */
const LINK =
  /^(?:tg:(?:\/\/)?|(?:https?:\/\/)?(?:www\.)?(?:t\.me|telegram\.(?:me|dog))\/)(socks|proxy)\/?\?(.*)$/is;

const NAMES: ReadonlySet<string> = new Set(['server', 'port', 'user', 'pass']);

/** A proxy that Telegram shares as a link; null for any other text. @throws Refused for a link that is not all understood. */
export function readLink({ text, at }: Piece): ListedProxy | null {
  const [, kind, query] = LINK.exec(text) ?? [];
  if (kind === undefined || query === undefined) return null;
  if (/[\s#]/.test(query))
    throw new Refused(
      'trailing-text',
      'there is text after the link, or its password is not percent-encoded',
      at,
    );
  const values = valuesOf(query, at);
  if (kind.toLowerCase() === 'proxy' || values.has('secret'))
    throw new Refused('unknown-scheme', 'this is an MTProto proxy of Telegram, which is not supported', at);
  if ([...values.keys()].some((name) => !NAMES.has(name)))
    throw new Refused('trailing-text', 'the link has more than server, port, user and pass', at);
  const { server = '', port = '', user = '', pass = '' } = Object.fromEntries(values);
  if (server === '') throw new Refused('not-a-proxy', 'the link has no server', at);
  if (port === '') throw new Refused('missing-port', 'there is no port, and none is assumed', at);
  const login = user === '' && pass === '' ? {} : { username: user, password: pass };
  return { protocol: 'socks5', ...joinAddress(server, port, at, 'server'), ...login };
}

function valuesOf(query: string, at: number): Map<string, string> {
  const values = new Map<string, string>();
  for (const pair of query.split('&')) {
    const [name = '', ...value] = pair.split('=');
    if (name === '' && value.length === 0) continue;
    if (values.has(name)) throw new Refused('ambiguous', 'the link has two values of one name', at);
    // A plus sign is a plus sign: these are links, not forms.
    values.set(name, decodePercent(value.join('=')));
  }
  return values;
}
