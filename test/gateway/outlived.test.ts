import { describe, expect, it, onTestFinished } from 'vitest';
import { TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { tunnel } from './inbound.ts';
import { type OpenedGateway, openGateway, until } from './open-gateway.ts';
import type { RawClient } from './raw-client.ts';

async function opened(
  openTunnels: 'drain' | 'close',
): Promise<OpenedGateway & { to: { host: string; port: number } }> {
  const upstreams = await Promise.all([1, 2].map(() => UpstreamServer.start({ kind: 'http' })));
  const target = await TargetServer.start({ kind: 'http' });
  onTestFinished(async () => void (await Promise.all([...upstreams, target].map((each) => each.close()))));
  const gateway = await openGateway(upstreams, { openTunnels });
  return { ...gateway, to: { host: '127.0.0.1', port: target.port } };
}

const ENDINGS: [string, (gateway: OpenedGateway, proxyId: string) => void][] = [
  ['is banned', ({ vault }, id) => vault.pool.cool(id, { forMs: 60_000 })],
  [
    'is banned for the target',
    ({ vault }, id) => vault.pool.cool(id, { forMs: 60_000, domain: '127.0.0.1' }),
  ],
  ['is disabled', ({ vault }, id) => void vault.proxies.update(id, { status: 'disabled' })],
  ['is removed', ({ vault }, id) => void vault.proxies.delete(id)],
  ['is no longer that of the session', ({ vault }) => void vault.pool.rotate({ session: 'a' })],
];

/** A tunnel of the session `a`, and the id of its proxy. */
async function open({
  port,
  to,
}: Awaited<ReturnType<typeof opened>>): Promise<{ client: RawClient; id: string }> {
  const { client, head } = await tunnel('connect', port, to, { username: 'session-a' });
  const [, id = ''] = /x-proxyvault-proxy: (\S+)/i.exec(head) ?? [];
  return { client, id };
}

describe('an open tunnel whose proxy', () => {
  it.each(ENDINGS)('%s is closed if openTunnels is close', async (_, end) => {
    const gateway = await opened('close');
    const { client, id } = await open(gateway);
    end(gateway, id);
    await client.until('nothing');
    await until(() => gateway.log.length > 0);
    expect(gateway.gateway.stats().tunnels).toBe(0);
    expect(gateway.log).toEqual([expect.objectContaining({ proxy: id, session: 'a' })]);
  });

  it.each(ENDINGS)('%s lasts if openTunnels is drain', async (_, end) => {
    const gateway = await opened('drain');
    const { client, id } = await open(gateway);
    end(gateway, id);
    client.write('GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n');
    expect(await client.until('\r\n')).toBe('HTTP/1.1 200 OK\r\n');
    client.socket.destroy();
  });

  it('is out for another target, or the session of somebody else, stays open', async () => {
    const gateway = await opened('close');
    const { client, id } = await open(gateway);
    gateway.vault.pool.cool(id, { forMs: 60_000, domain: 'other.example' });
    gateway.vault.pool.choose({ session: 'b' });
    gateway.vault.pool.rotate({ session: 'b' });
    client.write('GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n');
    expect(await client.until('\r\n')).toBe('HTTP/1.1 200 OK\r\n');
    client.socket.destroy();
  });

  it('has lost its session by time is closed', async () => {
    const gateway = await opened('close');
    const { client } = await tunnel('socks5', gateway.port, gateway.to, { username: 'session-a-ttl-1s' });
    await client.until('nothing');
    await until(() => gateway.gateway.stats().tunnels === 0);
  });
});

it('tunnels of one session share a proxy that nobody had used before: each that has answered lets more come', async () => {
  const gateway = await opened('drain');
  const use = async (): Promise<string> => {
    const { client, id } = await open(gateway);
    client.write('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n');
    await client.until('\r\n');
    return id;
  };
  const ids = new Set(await Promise.all(Array.from({ length: 20 }, use)));
  expect(ids.size).toBe(1);
  expect(gateway.gateway.stats().tunnels).toBe(20);
});
