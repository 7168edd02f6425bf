import type { Duplex } from 'node:stream';

import { ByteReader } from './byte-reader.ts';
import type { Handling } from './handling.ts';
import { connectTo, type Place } from './route.ts';

/** The reply codes of SOCKS5 that are used here, and those of SOCKS4. */
const FIVE = { done: 0, failure: 1, unreachable: 4, command: 7, address: 8 } as const;
const FOUR = { done: 90, failure: 91, login: 93 } as const;
/** SOCKS4a: the address 0.0.0.x says that a name follows. */
const NAMED = /^0\.0\.0\.[^0]/;

/** Speaks SOCKS5 (CONNECT, with or without a login). */
export async function socks5Upstream(handling: Handling, stream: Duplex): Promise<void> {
  const { login, seen } = handling;
  const bytes = new ByteReader(stream);
  const [version, count = 0] = await bytes.take(2);
  if (handling.interferes(stream)) return;
  const methods = await bytes.take(count);
  const method = login === null ? 0 : 2;
  if (version !== 5 || !methods.includes(method)) {
    if (login !== null) seen.rejectedLogins++;
    stream.end(Buffer.of(5, 0xff));
    return;
  }
  stream.write(Buffer.of(5, method));
  let username = '';
  if (login !== null) {
    const [, length = 0] = await bytes.take(2);
    username = (await bytes.take(length)).toString();
    const password = (await bytes.take((await bytes.take(1))[0] ?? 0)).toString();
    const isRight = username === login.username && password === login.password;
    if (!isRight) {
      seen.rejectedLogins++;
      stream.end(Buffer.of(1, 1));
      return;
    }
    stream.write(Buffer.of(1, 0));
  }
  const [, command, , type = 0] = await bytes.take(4);
  const host = await hostOf(bytes, type);
  const reply = (code: number): Buffer => Buffer.of(5, code, 0, 1, 0, 0, 0, 0, 0, 0);
  if (host === null || command !== 1) {
    stream.end(reply(host === null ? FIVE.address : FIVE.command));
    return;
  }
  const place = { host, port: (await bytes.take(2)).readUInt16BE() };
  bytes.release();
  await open(handling, stream, place, username, (outcome) => reply(FIVE[outcome]), reply);
}

/** Speaks SOCKS4 and SOCKS4a (CONNECT). The only login that they have is a username. */
export async function socks4Upstream(handling: Handling, stream: Duplex): Promise<void> {
  const bytes = new ByteReader(stream);
  const head = await bytes.take(8);
  if (handling.interferes(stream)) return;
  const reply = (code: number): Buffer => Buffer.of(0, code, 0, 0, 0, 0, 0, 0);
  const address = [...head.subarray(4)].join('.');
  const username = (await bytes.takeUntilZero()).toString();
  const host = NAMED.test(address) ? (await bytes.takeUntilZero()).toString() : address;
  if (head[0] !== 4 || head[1] !== 1) {
    stream.end(reply(FOUR.failure));
    return;
  }
  if (handling.login !== null && username !== handling.login.username) {
    handling.seen.rejectedLogins++;
    stream.end(reply(FOUR.login));
    return;
  }
  const place = { host, port: head.readUInt16BE(2) };
  bytes.release();
  const outcomes = { done: FOUR.done, failure: FOUR.failure, unreachable: FOUR.failure };
  await open(handling, stream, place, username, (outcome) => reply(outcomes[outcome]), reply);
}

/** The host of a SOCKS5 request; null for an unknown type of address. */
async function hostOf(bytes: ByteReader, type: number): Promise<string | null> {
  if (type === 1) return [...(await bytes.take(4))].join('.');
  if (type === 3) return (await bytes.take((await bytes.take(1))[0] ?? 0)).toString();
  if (type !== 4) return null;
  const groups = (await bytes.take(16)).toString('hex').match(/.{4}/g) ?? [];
  // As URLs have it: `::1`.
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

async function open(
  handling: Handling,
  stream: Duplex,
  { host, port }: Place,
  username: string,
  replyTo: (outcome: 'done' | 'failure' | 'unreachable') => Buffer,
  replyWith: (code: number) => Buffer,
): Promise<void> {
  const refusal = handling.refusal();
  if (refusal !== null) {
    const { status = 0 } = refusal;
    stream.end(status > 0 && status < 256 ? replyWith(status) : replyTo('failure'));
    return;
  }
  const target = await connectTo(handling.resolve, host, port);
  if (target === null) {
    stream.end(replyTo('unreachable'));
    return;
  }
  handling.count('tunnels', host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, username);
  stream.write(replyTo('done'));
  handling.relay(stream, target);
}
