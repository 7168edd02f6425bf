import { parsePort } from '../../network/host.ts';
import { toAddress } from '../address.ts';
import { acceptProxy } from '../line.ts';
import { requireScheme } from '../protocol.ts';
import { Refused, verdictOf } from '../refused.ts';
import type { LineVerdict } from '../types.ts';
import { LineReader, type ListReader } from './reader.ts';

/** A reader of proxychains.conf: `type host port [user pass]` behind `[ProxyList]`; what stands before it are settings. */
export function readProxychains(): ListReader {
  let inList = false;
  return new LineReader((line) => {
    const text = line.trim();
    if (text === '') return [{ kind: 'blank' }];
    if (!inList || /^[#;[]/.test(text)) {
      inList ||= /^\[ProxyList\]/i.test(text);
      return [{ kind: 'comment' }];
    }
    return [verdictOf(() => readEntry(text))];
  });
}

function readEntry(text: string): LineVerdict {
  const [type = '', host = '', port = '', username = '', password = '', ...more] = text.split(/\s+/);
  const { protocol, note } = requireScheme(type);
  const number = parsePort(port);
  if (number === null) throw new Refused('bad-port', 'the port is not a number from 1 to 65535');
  const address = toAddress(host, number);
  if (!address) throw new Refused('bad-host', 'the host is neither an IP address nor a name');
  if (more.length > 0 && !more[0]?.startsWith('#'))
    throw new Refused('trailing-text', 'there is more than type, host, port, user and password');
  const login = username === '' || username.startsWith('#') ? {} : { username, password };
  return acceptProxy({ protocol, host: address.host, port: number, ...login }, [note]);
}
