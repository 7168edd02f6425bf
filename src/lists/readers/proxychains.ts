import { parsePort } from '../../model/host.ts';
import { acceptProxy } from '../line/parse-line.ts';
import { toAddress } from '../parts/address.ts';
import { MASK } from '../parts/mask.ts';
import { Refused, verdictOf } from '../parts/refused.ts';
import { requireScheme, schemeOf } from '../parts/scheme.ts';
import type { LineVerdict, ListVerdict } from '../verdicts.ts';
import { LineReader, type ListReader, placed } from './list-reader.ts';

/** What proxychains and proxychains-ng call their settings. */
const SETTING =
  /^(?:(?:strict|dynamic|random|round_robin)_chain|chain_len|quiet_mode|proxy_dns(?:_old|_daemon)?|remote_dns_subnet|tcp_(?:read|connect)_time_out|localnet|dnat|log_level)(?![\w-])/i;

/** Whether the beginning of a list is a configuration of proxychains. */
export function isProxychains(head: string): boolean {
  return /^[ \t]*(?:\[ProxyList\]|(?:strict|dynamic|random|round_robin)_chain[ \t]*(?:#.*)?$)/im.test(head);
}

/**
 * Reads proxychains.conf: `type host port [user pass]` in a line, under `[ProxyList]` or without it, and settings. A line that
 * is neither is rejected.
 */
export class ProxychainsReader implements ListReader {
  readonly #lines = new LineReader((line) => [this.#readLine(line.trim())]);
  #hasRead = false;

  push(text: string): Iterable<ListVerdict> {
    return this.#lines.push(text);
  }

  *finish(): Generator<ListVerdict, void, undefined> {
    yield* this.#lines.finish();
    if (this.#hasRead) return;
    const reason = 'this configuration of proxychains has no proxy, as in: socks5 192.0.2.1 1080';
    yield placed({ kind: 'refused', code: 'not-a-list', reason, column: 1 }, 1, () => MASK);
  }

  #readLine(text: string): LineVerdict {
    if (text === '') return { kind: 'blank' };
    if (/^[#;]/.test(text) || /^\[ProxyList\]/i.test(text) || SETTING.test(text)) return { kind: 'comment' };
    this.#hasRead = true;
    return verdictOf(() => readEntry(text));
  }
}

function readEntry(text: string): LineVerdict {
  const [type = '', host = '', port = '', username = '', password = '', ...more] = text.split(/\s+/);
  // Prose and settings of another program have no address.
  if (schemeOf(type) === null && parsePort(port) === null)
    throw new Refused('not-a-proxy', 'this is neither a setting of proxychains nor a proxy: type host port');
  const { note, ...scheme } = requireScheme(type);
  const number = parsePort(port);
  if (number === null) throw new Refused('bad-port', 'the port is not a number from 1 to 65535');
  const address = toAddress(host, number);
  if (!address) throw new Refused('bad-host', 'the host is neither an IP address nor a name');
  const endpoint = { ...scheme, host: address.host, port: number };
  if (username === '' || username.startsWith('#')) return acceptProxy(endpoint, [note]);
  if (password === '' || password.startsWith('#'))
    throw new Refused('ambiguous', 'a username stands without a password');
  if (more.length > 0 && !more[0]?.startsWith('#'))
    throw new Refused('trailing-text', 'there is text after the password');
  return acceptProxy({ ...endpoint, username, password }, [note]);
}
