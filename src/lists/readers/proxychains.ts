import { parsePort } from '../../model/host.ts';
import { acceptProxy } from '../line/parse-line.ts';
import { joinAddress } from '../parts/address.ts';
import { Refused, verdictOf } from '../parts/refused.ts';
import { requireScheme, schemeOf } from '../parts/scheme.ts';
import type { LineVerdict } from '../verdicts.ts';
import { type ListReader, lineReader, rejected } from './list-reader.ts';

/** What proxychains and proxychains-ng call their settings. */
const SETTING =
  /^(?:(?:strict|dynamic|random|round_robin)_chain|chain_len|quiet_mode|proxy_dns(?:_old|_daemon)?|remote_dns_subnet|tcp_(?:read|connect)_time_out|localnet|dnat|log_level)(?![\w-])/i;

/** Whether the beginning of a list is a configuration of proxychains. */
export function isProxychains(head: string): boolean {
  return /^[ \t]*(?:\[ProxyList\]|(?:strict|dynamic|random|round_robin)_chain[ \t]*(?:#.*)?$)/im.test(head);
}

/** Reads proxychains.conf: lines of `type host port [user pass]`, with or without `[ProxyList]`, and settings. */
export function proxychainsReader(): ListReader {
  let hasRead = false;
  const lines = lineReader((line): LineVerdict[] => {
    const text = line.trim();
    if (text === '') return [{ kind: 'blank' }];
    if (/^[#;]/.test(text) || /^\[ProxyList\]/i.test(text) || SETTING.test(text))
      return [{ kind: 'comment' }];
    hasRead = true;
    return [verdictOf(() => readEntry(text))];
  });
  const reason = 'this configuration of proxychains has no proxy, as in: socks5 192.0.2.1 1080';
  return {
    push: (text) => lines.push(text),
    *finish() {
      yield* lines.finish();
      if (!hasRead) yield rejected('not-a-list', reason);
    },
  };
}

function readEntry(text: string): LineVerdict {
  const [type = '', host = '', port = '', username = '', password = '', ...more] = text.split(/\s+/);
  // Prose and settings of another program have no address.
  if (schemeOf(type) === null && parsePort(port) === null)
    throw new Refused('not-a-proxy', 'this is neither a setting of proxychains nor a proxy: type host port');
  const { note, ...scheme } = requireScheme(type);
  const endpoint = { ...scheme, ...joinAddress(host, port) };
  if (username === '' || username.startsWith('#')) return acceptProxy(endpoint, [note]);
  if (password === '' || password.startsWith('#'))
    throw new Refused('ambiguous', 'a username stands without a password');
  if (more.length > 0 && !more[0]?.startsWith('#'))
    throw new Refused('trailing-text', 'there is text after the password');
  return acceptProxy({ ...endpoint, username, password }, [note]);
}
