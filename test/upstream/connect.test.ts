import { getEventListeners } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';

import type { ProxyVaultError } from '../../src/errors.ts';
import { PROXY_PROTOCOLS } from '../../src/model/proxy.ts';
import { ASKED, GRANTED } from './dialogues.ts';
import { leavingNothing } from './leftovers.ts';
import { details, failure, open, proxyOf, upstreamAt } from './opening.ts';
import { closedPort } from './peer.ts';

/** All that comes; then this side ends too. */
async function readAll(socket: Socket): Promise<string> {
  let text = '';
  for await (const bytes of socket) text += bytes;
  socket.end();
  return text;
}

describe.each(PROXY_PROTOCOLS)('a tunnel through a proxy of %s', (protocol) => {
  it('carries bytes both ways, also those that come with the answer', async () => {
    const [upstream, server] = await proxyOf(protocol, async (peer) => {
      await ASKED[protocol](peer);
      peer.write(Buffer.concat([Buffer.from(GRANTED[protocol] as string), Buffer.from('early ')]));
      expect((await peer.until('ping')).toString()).toContain('ping');
      peer.socket.end('late');
    });
    await leavingNothing(async () => {
      const socket = await open(upstream);
      expect(socket.listenerCount('error') + socket.listenerCount('readable')).toBe(0);
      socket.write('ping');
      expect(await readAll(socket)).toBe('early late');
      await server.quiet();
    });
  });

  it('is as good if the answer comes byte by byte', async () => {
    const [upstream, server] = await proxyOf(protocol, async (peer) => {
      await ASKED[protocol](peer);
      await peer.drip(GRANTED[protocol] as string);
      await peer.drip('hello');
      peer.socket.end();
    });
    await leavingNothing(async () => {
      const socket = await open(upstream);
      expect(await readAll(socket)).toBe('hello');
      await server.quiet();
    });
  });

  it('outlives the end of what the target sends', async () => {
    const [upstream, server] = await proxyOf(protocol, async (peer) => {
      await ASKED[protocol](peer);
      peer.write(GRANTED[protocol] as string);
      peer.socket.end('done');
    });
    const socket = await open(upstream);
    let text = '';
    await new Promise<void>((resolve) => {
      socket.on('data', (bytes) => {
        text += bytes;
      });
      socket.on('end', resolve);
    });
    expect([text, socket.writable]).toEqual(['done', true]);
    socket.end('and thanks');
    await server.quiet();
    expect(server.peers[0]?.received.toString('latin1')).toMatch(/and thanks$/);
  });

  it('leads to names, IPv4 and IPv6, with the login of the proxy', async () => {
    const hosts = ['target.example', '192.0.2.7', '2001:db8::1', '::ffff:192.0.2.7', '[2001:db8::2]'];
    for (const host of hosts.filter((each) => protocol !== 'socks4' || !each.includes(':'))) {
      const asked = Promise.withResolvers<unknown>();
      const [upstream] = await proxyOf(protocol, async (peer) => {
        asked.resolve(await ASKED[protocol](peer));
        peer.write(GRANTED[protocol] as string);
      });
      const socket = await open(upstream, {}, { host, port: 8443 });
      socket.destroy();
      const { username, password } = upstream;
      const bare = host
        .replace(/[[\]]/g, '')
        .replace('192.0.2.7', (text) => (host.startsWith('::') && protocol === 'socks5' ? 'c000:207' : text));
      const seen = (await asked.promise) as { host: string };
      const sameForm = new URL(`http://${seen.host.includes(':') ? `[${seen.host}]` : seen.host}`).hostname;
      const wanted = new URL(`http://${bare.includes(':') ? `[${bare}]` : bare}`).hostname;
      expect({ ...seen, host: sameForm }).toEqual({ host: wanted, port: 8443, username, password });
    }
  });

  it('fails with `connect` if nobody listens', async () => {
    const upstream = upstreamAt(protocol, await closedPort());
    const error = (await failure(upstream)) as ProxyVaultError;
    expect(error.details).toEqual({ kind: 'connect', phase: 'connect' });
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('fails with `timeout` if the proxy never answers', async () => {
    const [upstream, server] = await proxyOf(protocol, () => undefined);
    expect(await details(upstream, { handshakeMs: 300 })).toEqual({ kind: 'timeout', phase: 'handshake' });
    await server.quiet();
  });

  it('fails with `timeout` if the answer does not end', async () => {
    const [upstream, server] = await proxyOf(protocol, (peer) => {
      peer.write(Buffer.from(GRANTED[protocol] as string).subarray(0, 1));
    });
    expect(await details(upstream, { handshakeMs: 300 })).toEqual({ kind: 'timeout', phase: 'handshake' });
    await server.quiet();
  });

  it.each(['before', 'amid'])('fails with `reset` if the proxy ends %s its answer', async (when) => {
    const [upstream, server] = await proxyOf(protocol, async (peer) => {
      await peer.take(1);
      const answer = Buffer.from(GRANTED[protocol] as string);
      peer.socket.end(answer.subarray(0, when === 'amid' ? 1 : 0));
    });
    expect(await details(upstream)).toEqual({ kind: 'reset', phase: 'handshake' });
    await server.quiet();
  });

  it('fails with `reset` if the proxy resets the connection', async () => {
    const [upstream, server] = await proxyOf(protocol, async (peer) => {
      await peer.take(1);
      // Of TLS the socket beneath.
      const { socket } = peer as unknown as { socket: { _parent?: Socket } & Socket };
      (socket._parent ?? socket).resetAndDestroy();
    });
    expect(await details(upstream)).toEqual({ kind: 'reset', phase: 'handshake' });
    await server.quiet();
  });

  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['zeros', '\0'.repeat(64)],
    ['noise', '\x05\x77\xfe\x01'.repeat(20_000)],
  ])('fails with `protocol` if the answer is %s', async (_, answer) => {
    const [upstream, server] = await proxyOf(protocol, (peer) => peer.write(Buffer.from(answer, 'latin1')));
    expect(await details(upstream)).toEqual({ kind: 'protocol', phase: 'handshake' });
    await server.quiet();
  });

  it('is given up when the signal is aborted, at each step', async () => {
    const reason = new Error('the caller has left');
    const [upstream, server] = await proxyOf(protocol, () => undefined);
    await leavingNothing(async () => {
      await expect(open(upstream, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      expect(server.peers).toHaveLength(0);
    });
    // While it connects.
    await leavingNothing(async () => {
      const caller = new AbortController();
      const opening = open(upstream, { signal: caller.signal });
      caller.abort(reason);
      await expect(opening).rejects.toBe(reason);
      expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
    });
    // Each time that bytes have come to the proxy.
    const answer = Buffer.from(GRANTED[protocol] as string);
    for (let sent = 0; sent < answer.length; sent += Math.ceil(answer.length / 4)) {
      const caller = new AbortController();
      const [slow, its] = await proxyOf(protocol, async (peer) => {
        await ASKED[protocol](peer);
        peer.write(answer.subarray(0, sent));
        caller.abort(reason);
      });
      await leavingNothing(() => expect(open(slow, { signal: caller.signal })).rejects.toBe(reason));
      expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
      await its.quiet();
    }
  });

  it('leaves no listener at the signal of a caller', async () => {
    const { signal } = new AbortController();
    const [upstream] = await proxyOf(protocol, async (peer) => {
      await ASKED[protocol](peer);
      peer.write(GRANTED[protocol] as string);
    });
    (await open(upstream, { signal })).destroy();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('a target', () => {
  const upstream = upstreamAt('http', 9);

  it.each([
    '',
    'a b',
    'a\r\nX-Evil: 1',
    'a\nb',
    'a/b',
    'a@b',
    'a:80',
    'fe80::1%eth0',
    'é.example',
    'x'.repeat(256),
  ])('is no host if it is %j', async (host) => {
    expect(await failure(upstream, {}, { host, port: 80 })).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it.each([0, -1, 65_536, 1.5, Number.NaN])('has no port %s', async (port) => {
    expect(await failure(upstream, {}, { host: 'a.example', port })).toMatchObject({ code: 'INVALID_INPUT' });
  });
});
