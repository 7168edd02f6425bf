import dns from 'node:dns';
import { getEventListeners } from 'node:events';
import { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';

import type { ProxyVaultError } from '../../src/errors.ts';
import { PROXY_PROTOCOLS } from '../../src/model/proxy.ts';
import { dial } from '../../src/upstream/index.ts';
import { certificate } from './certificate.ts';
import { ASKED, GRANTED } from './dialogues.ts';
import { leavingNothing } from './leftovers.ts';
import { CERTIFICATE, details, failure, open, proxyOf, upstreamAt } from './opening.ts';
import { fakeServer } from './peer.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a connection to the proxy itself', () => {
  it.each(PROXY_PROTOCOLS)('carries what the caller sends, and nothing else: %s', async (protocol) => {
    const [upstream, server] = await proxyOf(protocol, async (peer) => {
      await peer.until('\r\n\r\n');
      peer.socket.end('HTTP/1.1 204 No Content\r\n\r\n');
    });
    await leavingNothing(async () => {
      const socket = await dial(upstream, { ca: CERTIFICATE.cert });
      socket.write('GET http://a.example/ HTTP/1.1\r\n\r\n');
      expect(String(Buffer.concat(await socket.toArray()))).toBe('HTTP/1.1 204 No Content\r\n\r\n');
      await server.quiet();
    });
    expect(String(server.peers[0]?.received)).toBe('GET http://a.example/ HTTP/1.1\r\n\r\n');
  });
});

describe('a proxy at an IPv6 address', () => {
  it('is reached, and named with brackets', async (context) => {
    if (!Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1')))
      context.skip('this machine has no IPv6');
    const server = await fakeServer(
      async (peer) => {
        await ASKED.http(peer);
        peer.write('HTTP/1.1 502 Bad Gateway\r\n\r\n');
      },
      { host: '::1' },
    );
    const upstream = { ...upstreamAt('http', server.port), host: '::1' };
    const error = (await failure(upstream)) as ProxyVaultError;
    expect(error.details).toEqual({ kind: 'status', phase: 'handshake', status: 502 });
    expect(error.message).toContain(`http://[::1]:${server.port}`);
  });
});

describe('TLS to a proxy', () => {
  it.each([
    ['is not trusted', certificate(), {}],
    ['is of another host', certificate({ names: ['other.example'] }), { ca: true }],
    ['has expired', certificate({ days: -1 }), { ca: true }],
  ])('fails if its certificate %s', async (_, its, { ca = false }: { ca?: boolean }) => {
    const server = await fakeServer(() => undefined, { certificate: its });
    const error = (await failure(
      upstreamAt('https', server.port),
      ca ? { ca: [its.cert] } : {},
    )) as ProxyVaultError;
    expect(error.details).toEqual({ kind: 'tls', phase: 'tls' });
    expect(error.cause).toHaveProperty('code');
    expect(server.peers.map(({ received }) => received.length)).toEqual(server.peers.map(() => 0));
  });

  it('fails if it does not speak TLS, says nothing, or ends', async () => {
    const plain = await fakeServer((peer) => peer.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await details(upstreamAt('https', plain.port))).toEqual({ kind: 'tls', phase: 'tls' });
    const silent = await fakeServer(() => undefined);
    const late = await details(upstreamAt('https', silent.port), { handshakeMs: 200 });
    expect(late).toEqual({ kind: 'tls', phase: 'tls' });
    const ending = await fakeServer(async (peer) => {
      await peer.take(1);
      peer.socket.end();
    });
    expect(await details(upstreamAt('https', ending.port))).toEqual({ kind: 'tls', phase: 'tls' });
    await Promise.all([plain.quiet(), silent.quiet(), ending.quiet()]);
  });

  it('is given up when the signal is aborted', async () => {
    const caller = new AbortController();
    const reason = new Error('left');
    const server = await fakeServer(async (peer) => {
      await peer.take(1);
      caller.abort(reason);
    });
    expect(await failure(upstreamAt('https', server.port), { signal: caller.signal })).toBe(reason);
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
    await server.quiet();
  });
});

describe('names', () => {
  it.each(PROXY_PROTOCOLS)('of targets are resolved by the proxy: %s', async (protocol) => {
    const [upstream] = await proxyOf(protocol, async (peer) => {
      await ASKED[protocol](peer);
      peer.write(GRANTED[protocol] as string);
    });
    const lookup = vi.spyOn(dns, 'lookup');
    (await open({ ...upstream, host: 'localhost' })).destroy();
    expect(new Set(lookup.mock.calls.map(([name]) => name))).toEqual(new Set(['localhost']));
  });

  it('of a proxy that are not known are a failure of the kind `connect`', async () => {
    const unknown = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
    vi.spyOn(dns, 'lookup').mockImplementation(((_: string, __: object, done: (error: Error) => void) => {
      setImmediate(done, unknown);
    }) as never);
    const upstream = { ...upstreamAt('socks5', 1080), host: 'nowhere.example' };
    expect(await details(upstream)).toEqual({ kind: 'connect', phase: 'connect' });
  });

  it.each([
    [undefined, 1_667],
    [60_000, 20_000],
    [2_000, 667],
  ])('of a proxy share the time for a connection of %s ms', async (connectMs, each) => {
    const asked = vi.spyOn(Socket.prototype, 'connect');
    const server = await fakeServer(() => undefined);
    (await dial({ ...upstreamAt('http', server.port), host: 'localhost' }, { connectMs })).destroy();
    expect(asked.mock.calls.flat(2)).toContainEqual(
      expect.objectContaining({ autoSelectFamilyAttemptTimeout: each }),
    );
  });

  it('of a proxy that nobody resolves end the wait for a connection', async () => {
    vi.spyOn(dns, 'lookup').mockImplementation((() => undefined) as never);
    const upstream = { ...upstreamAt('http', 8080), host: 'slow.example' };
    expect(await details(upstream, { connectMs: 50 })).toEqual({ kind: 'connect', phase: 'connect' });
  });
});
