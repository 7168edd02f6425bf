import type { ProxyProtocol } from '../../src/model/proxy.ts';
import type { Peer } from './peer.ts';

/** What a proxy was asked. */
export interface Asked {
  host: string;
  port: number;
  username: string;
  password: string;
}

const GRANTED_5 = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const GRANTED_4 = [0, 90, 0, 0, 0, 0, 0, 0];
export const GRANTED_HTTP = 'HTTP/1.1 200 Connection established\r\n\r\n';

/** The answer that opens a tunnel. */
export const GRANTED: Record<ProxyProtocol, string | number[]> = {
  http: GRANTED_HTTP,
  https: GRANTED_HTTP,
  socks4: GRANTED_4,
  socks5: GRANTED_5,
};

/** Reads the request of a client as a proxy does, up to the answer that says whether the tunnel is open. */
export const ASKED: Record<ProxyProtocol, (peer: Peer) => Promise<Asked>> = {
  http: askedByHttp,
  https: askedByHttp,
  socks4: askedBySocks4,
  socks5: askedBySocks5,
};

async function askedByHttp(peer: Peer): Promise<Asked> {
  const head = (await peer.until('\r\n\r\n')).toString('latin1');
  const [, authority = ''] = /^CONNECT (\S+) HTTP\/1\.1\r\n/.exec(head) ?? [];
  const [, encoded = ''] = /^proxy-authorization: Basic (\S*)\r$/im.exec(head) ?? [];
  const login = Buffer.from(encoded, 'base64').toString();
  const colon = login.indexOf(':');
  const { hostname, port } = new URL(`tcp://${authority}`);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port),
    username: colon === -1 ? login : login.slice(0, colon),
    password: colon === -1 ? '' : login.slice(colon + 1),
  };
}

async function askedBySocks4(peer: Peer): Promise<Asked> {
  const [version, command, high = 0, low = 0, ...address] = await peer.take(8);
  if (version !== 4 || command !== 1) throw new Error('not a CONNECT of SOCKS4');
  const username = (await peer.until('\0')).subarray(0, -1).toString();
  const isName = address.slice(0, 3).every((byte) => byte === 0) && address[3] !== 0;
  const host = isName ? (await peer.until('\0')).subarray(0, -1).toString() : address.join('.');
  return { host, port: high * 256 + low, username, password: '' };
}

async function askedBySocks5(peer: Peer): Promise<Asked> {
  const [, count = 0] = await peer.take(2);
  const methods = [...(await peer.take(count))];
  const login = { username: '', password: '' };
  if (methods.includes(2)) {
    peer.write([5, 2]);
    const [, userLength = 0] = await peer.take(2);
    login.username = (await peer.take(userLength)).toString();
    const [passwordLength = 0] = await peer.take(1);
    login.password = (await peer.take(passwordLength)).toString();
    peer.write([1, 0]);
  } else peer.write([5, 0]);
  const [, , , kind] = await peer.take(4);
  const length = kind === 1 ? 4 : kind === 4 ? 16 : ((await peer.take(1))[0] ?? 0);
  const field = await peer.take(length);
  const [high = 0, low = 0] = await peer.take(2);
  const host = kind === 3 ? field.toString() : kind === 1 ? field.join('.') : ipv6(field);
  return { host, port: high * 256 + low, ...login };
}

function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
