import { join } from 'node:path';
import { type ConnectionOptions, type Lease, openVault, type RequestLog, type Vault } from 'proxyvault';
import { ProxyAgent, fetch as undiciFetch } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';

import type { ProxyProtocol } from '../../src/model/proxy.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { certificate } from './certificate.ts';
import { forwardingProxy, website } from './forwarding-proxy.ts';
import { fakeServer } from './peer.ts';

/** A vault with one proxy, without a login. */
async function vaultWith(
  protocol: ProxyProtocol,
  port: number,
  connections?: ConnectionOptions,
): Promise<Vault> {
  const folder = temporaryFolder();
  const vault = await openVault({ path: join(folder, 'pool.db'), keyFile: join(folder, 'key'), connections });
  onTestFinished(() => vault.close());
  vault.proxies.create({ protocol, host: '127.0.0.1', port });
  return vault;
}

/** The kind of failure of a request. */
async function kindOf(lease: Lease): Promise<unknown> {
  const error = await lease.fetch('http://shop.example/').catch((reason: unknown) => reason);
  return (error as { cause: { details?: { kind: string } } }).cause.details?.kind;
}

describe('connections of openVault', () => {
  it('say how long a proxy may take, and which certificate it may have', async () => {
    const silent = await fakeServer(() => undefined);
    const own = certificate();
    const site = await website();
    const proxy = await forwardingProxy('https', own);
    const slow = await vaultWith('socks5', silent.port, { handshakeMs: 50 });
    expect(await kindOf(await slow.pool.acquire())).toBe('timeout');
    const url = `http://127.0.0.1:${site.port}/`;
    for (const [ca, status] of [
      [undefined, 502],
      [own.cert, 200],
    ] as const) {
      const vault = await vaultWith('https', proxy.port, { ca });
      const lease = await vault.pool.acquire();
      const gateway = await vault.serve({ port: 0, allowTargets: 'all', ca: undefined });
      if (ca === undefined) expect(await kindOf(lease)).toBe('tls');
      else expect((await lease.fetch(url)).status).toBe(200);
      vault.pool.reset(vault.proxies.findAll().map(({ id }) => id));
      expect(
        (await undiciFetch(url, { dispatcher: new ProxyAgent({ uri: gateway.url, proxyTunnel: false }) }))
          .status,
      ).toBe(status);
      await vault.close();
    }
  });

  it.each([
    ['a gateway has no other', { handshakeMs: 50 }, {}],
    ['the own options of a gateway go before', { handshakeMs: 60_000 }, { handshakeMs: 50 }],
  ])('are defaults of gateways: %s', async (_, connections, own) => {
    const silent = await fakeServer(() => undefined);
    const vault = await vaultWith('socks5', silent.port, connections);
    const log: RequestLog[] = [];
    const note = (fields: object): void => void log.push(fields as RequestLog);
    const gateway = await vault.serve({ port: 0, logger: { info: note, warn: note }, ...own });
    const dispatcher = new ProxyAgent({ uri: gateway.url, proxyTunnel: false });
    expect((await undiciFetch('http://shop.example/', { dispatcher })).status).toBe(502);
    expect(log).toMatchObject([{ tried: [{ kind: 'timeout' }] }]);
    expect(log[0]?.tried?.[0]?.ms).toBeLessThan(5_000);
  });

  it.each([{ connectMs: 0 }, { handshakeMs: 1.5 }, { ca: 7 }, { timeoutMs: 1 }, 'fast', null])(
    'are checked: %o',
    async (connections) => {
      await expect(vaultWith('http', 9, connections as ConnectionOptions)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      });
    },
  );
});
