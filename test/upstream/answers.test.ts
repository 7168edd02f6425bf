import { describe, expect, it } from 'vitest';

import { ASKED, GRANTED_HTTP } from './dialogues.ts';
import { details, open, proxyOf } from './opening.ts';

describe('what an HTTP proxy answers to CONNECT', () => {
  const answering = (answer: string) =>
    proxyOf('http', async (peer) => {
      await ASKED.http(peer);
      peer.write(answer);
    });

  it.each([
    [407, 'auth'],
    [403, 'blocked'],
    [429, 'blocked'],
    [408, 'timeout'],
    [504, 'timeout'],
    [500, 'status'],
    [502, 'status'],
    [503, 'status'],
    [400, 'status'],
    [404, 'status'],
    [301, 'status'],
    [101, 'status'],
  ])('is a failure for %i, of the kind %s', async (status, kind) => {
    const [upstream, server] = await answering(
      `HTTP/1.1 ${status} Whatever\r\nContent-Length: 900\r\n\r\nhm`,
    );
    expect(await details(upstream)).toEqual({ kind, phase: 'handshake', status });
    await server.quiet();
  });

  it.each([
    ['Retry-After: 120', 120_000],
    ['retry-after:\t30 ', 30_000],
    ['Retry-After: 99999999999999', 7 * 86_400_000],
    ['Retry-After: Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['Retry-After: soon', undefined],
    ['Retry-After: -5', undefined],
    ['X-Retry-After: 5', undefined],
  ])('says with %j when to ask again', async (header, retryAfterMs) => {
    const [upstream] = await answering(`HTTP/1.1 429 Slow down\r\nVia: x\r\n${header}\r\n\r\n`);
    expect((await details(upstream)).retryAfterMs).toBe(retryAfterMs);
  });

  it('may give a date at which to ask again', async () => {
    const at = new Date(Date.now() + 60_000).toUTCString();
    const [upstream] = await answering(`HTTP/1.1 503 Busy\r\nRetry-After: ${at}\r\n\r\n`);
    const { retryAfterMs } = await details(upstream);
    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  it.each([
    ['no reason', 'HTTP/1.1 200\r\n\r\n'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\n'],
    ['another success', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['bare line feeds', 'HTTP/1.1 200 OK\nVia: x\n\n'],
    [
      'answers of 1xx before',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n${GRANTED_HTTP}`,
    ],
    [
      'a length, which means nothing',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
  ])('opens the tunnel with %s, and keeps what follows', async (_, answer) => {
    const [upstream] = await answering(`${answer}early`);
    const socket = await open(upstream);
    const [bytes] = await socket.take(1).toArray();
    expect(String(bytes)).toBe('early');
    socket.destroy();
  });

  it.each([
    ['a status line with letters', 'HTTP/1.1 2OO OK\r\n\r\n'],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
    ['no status', 'HTTP/1.1\r\n\r\n'],
    ['a head without an end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(17_000)}`],
    ['a head that is too long', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`],
    ['answers of 1xx for ever', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(1_000)],
  ])('is garbage if it is %s', async (_, answer) => {
    const [upstream, server] = await answering(answer);
    expect(await details(upstream)).toEqual({ kind: 'protocol', phase: 'handshake' });
    await server.quiet();
  });
});

describe('what a SOCKS5 proxy answers', () => {
  const codes = [
    ...[1, 3, 4, 5, 7, 8, 9, 0x55, 0xff].map((code) => [code, 'status'] as const),
    [2, 'blocked'] as const,
    [6, 'timeout'] as const,
  ];

  it.each(codes)('with the reply %i is a failure of the kind %s', async (code, kind) => {
    // Some send the whole reply, some the part that says all.
    for (const answer of [
      [5, code, 0, 1, 0, 0, 0, 0, 0, 0],
      [5, code],
    ]) {
      const [upstream, server] = await proxyOf('socks5', async (peer) => {
        await ASKED.socks5(peer);
        peer.write(answer);
      });
      expect(await details(upstream)).toEqual({ kind, phase: 'handshake' });
      await server.quiet();
    }
  });

  it.each([
    ['no method', [5, 0xff], 'auth'],
    ['a method that was not offered', [5, 1], 'protocol'],
    ['another version', [4, 0], 'protocol'],
    ['a rejected login', [5, 2, 1, 1], 'auth'],
    ['a login of another version', [5, 2, 9, 0], 'protocol'],
    ['a reply of another version', [5, 0, 4, 0, 0, 1], 'protocol'],
    ['an address of no kind', [5, 0, 5, 0, 0, 2, 0, 0, 0, 0, 0, 0], 'protocol'],
  ])('with %s is a failure', async (_, answer, kind) => {
    const [upstream, server] = await proxyOf('socks5', (peer) => peer.drip(answer));
    expect(await details(upstream)).toEqual({ kind, phase: 'handshake' });
    await server.quiet();
  });

  it('wants a login that the proxy does not have: it fails with `auth`', async () => {
    for (const answer of [
      [5, 0xff],
      [5, 2],
    ]) {
      const [upstream] = await proxyOf('socks5', (peer) => peer.write(answer));
      const open = { ...upstream, username: '', password: '' };
      expect(await details(open)).toEqual({ kind: 'auth', phase: 'handshake' });
    }
  });

  it.each([
    ['IPv4', [1, 127, 0, 0, 1, 0, 80]],
    ['IPv6', [4, ...new Array<number>(16).fill(1), 0, 80]],
    ['a name', [3, 3, 97, 98, 99, 0, 80]],
    ['an empty name', [3, 0, 0, 80]],
  ])('may name %s as its own address, and what follows is of the target', async (_, address) => {
    const [upstream] = await proxyOf('socks5', async (peer) => {
      await ASKED.socks5(peer);
      peer.write([5, 0, 0, ...address, ...Buffer.from('early')]);
    });
    const socket = await open(upstream);
    const [bytes] = await socket.take(1).toArray();
    expect(String(bytes)).toBe('early');
    socket.destroy();
  });
});

describe('what a SOCKS4 proxy answers', () => {
  it.each([
    [91, 'status'],
    [92, 'auth'],
    [93, 'auth'],
    [94, 'protocol'],
    [89, 'protocol'],
  ])('with the code %i is a failure of the kind %s', async (code, kind) => {
    const [upstream, server] = await proxyOf('socks4', async (peer) => {
      await ASKED.socks4(peer);
      peer.write([0, code, 0, 0, 0, 0, 0, 0]);
    });
    expect(await details(upstream)).toEqual({ kind, phase: 'handshake' });
    await server.quiet();
  });

  it('has no IPv6', async () => {
    const [upstream, server] = await proxyOf('socks4', () => undefined);
    const target = { host: '2001:db8::1', port: 443 };
    expect(await details(upstream, {}, target)).toEqual({ kind: 'protocol', phase: 'handshake' });
    expect(server.peers).toHaveLength(0);
  });
});
