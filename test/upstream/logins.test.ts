import fc from 'fast-check';
import { SocksClient } from 'socks';
import { describe, expect, it } from 'vitest';

import { ProxyVaultError } from '../../src/errors.ts';
import { connect, type Upstream } from '../../src/upstream/index.ts';
import { ASKED, type Asked, GRANTED } from './dialogues.ts';
import { TARGET } from './opening.ts';
import { fakeServer } from './peer.ts';

/** Any text of JavaScript, also one that is not well-formed. */
const TEXT = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: fc.constantFrom(':', '@', '%', '\0', '\r', '\n', ' ', 'a', 'é', '😀', '\ud800') }),
);
const LOGIN = fc.record({ username: TEXT, password: TEXT });
const { host, port } = TARGET;

describe.each(['http', 'socks4', 'socks5'] as const)('a login of a proxy of %s', (protocol) => {
  it('arrives exactly, or is rejected before anything is sent', async () => {
    const asked: Asked[] = [];
    const server = await fakeServer(async (peer) => {
      asked.push(await ASKED[protocol](peer));
      peer.write(GRANTED[protocol] as string);
    });
    let arrived = 0;
    await fc.assert(
      fc.asyncProperty(LOGIN, async ({ username, password }) => {
        const login = { username, password: protocol === 'socks4' && password.length < 20 ? '' : password };
        const before = server.peers.length;
        asked.length = 0;
        try {
          const upstream: Upstream = { protocol, host: '127.0.0.1', port: server.port, ...login };
          (await connect(upstream, TARGET)).destroy();
          arrived++;
          expect(asked).toEqual([{ host, port, ...login }]);
        } catch (error) {
          if (!(error instanceof ProxyVaultError)) throw error;
          expect(error).toMatchObject({ code: 'PROXY_FAILED', details: { kind: 'protocol' } });
          expect(server.peers.length).toBe(before);
        }
      }),
      { numRuns: 150 },
    );
    expect(arrived).toBeGreaterThan(10);
  });
});

describe.each(['socks4', 'socks5'] as const)('a request of %s', (protocol) => {
  it('has the same bytes as that of the package socks', async () => {
    const server = await fakeServer(async (peer) => {
      await ASKED[protocol](peer);
      peer.write(GRANTED[protocol] as string);
    });
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}\.example$/);
    const part = fc.string({ unit: fc.constantFrom('a', '-', '%', 'é', '😀'), minLength: 1, maxLength: 60 });
    const hosts = protocol === 'socks4' ? [name, fc.ipV4()] : [name, fc.ipV4(), fc.ipV6()];
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(...hosts),
        fc.integer({ min: 1, max: 65_535 }),
        part,
        part,
        async (to, targetPort, username, secret) => {
          const password = protocol === 'socks4' ? '' : secret;
          const target = { host: to, port: targetPort };
          const at = { host: '127.0.0.1', port: server.port };
          (await connect({ protocol, ...at, username, password }, target)).destroy();
          const { socket } = await SocksClient.createConnection({
            command: 'connect',
            proxy: { ...at, type: protocol === 'socks4' ? 4 : 5, userId: username, password },
            destination: target,
          });
          socket.destroy();
          const [ours, theirs] = server.peers.slice(-2).map(({ received }) => received.toString('hex'));
          expect(ours).toBe(theirs);
        },
      ),
      { numRuns: 60 },
    );
  });
});
