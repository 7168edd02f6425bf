import { expect, it, onTestFinished } from 'vitest';

import { Connections } from '../../src/upstream/index.ts';
import { forwardingProxy, website } from './forwarding-proxy.ts';

/** The `Connections` of a test, and an identity of a proxy for each session. */
async function opened(): Promise<{
  connections: Connections;
  proxy: Awaited<ReturnType<typeof forwardingProxy>>;
  identity: (number: number) => Parameters<Connections['fetch']>[0];
}> {
  const proxy = await forwardingProxy('http');
  const connections = new Connections();
  onTestFinished(() => connections.close());
  const upstream = {
    protocol: 'http',
    host: '127.0.0.1',
    port: proxy.port,
    username: '',
    password: '',
  } as const;
  return {
    connections,
    proxy,
    identity: (number) => ({ proxyId: 'one', session: `session-${number}`, upstream }),
  };
}

it('keeps the connections of 256 identities; those that go first end their requests', async () => {
  const site = await website();
  const { connections, proxy, identity } = await opened();
  const url = `http://127.0.0.1:${site.port}/`;
  const statuses = await Promise.all(
    Array.from({ length: 300 }, async (_, number) => {
      const response = await connections.fetch(identity(number), url, undefined);
      await response.text();
      return response.status;
    }),
  );
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(proxy.connections()).toBe(300);
  // Idle ones would be closed some seconds later.
  await expect.poll(() => proxy.open.size, { timeout: 2_000 }).toBeLessThanOrEqual(256);
});

it('ends the requests of identities that are not kept any more when it is closed', async () => {
  const site = await website();
  const { connections, proxy, identity } = await opened();
  const url = `http://127.0.0.1:${site.port}/`;
  const waiting = connections.fetch(identity(0), `${url}silent`, undefined);
  const ended = expect(waiting).rejects.toMatchObject({ cause: { code: 'CLOSED' } });
  await expect.poll(() => proxy.asked.length).toBe(1);
  for (let number = 1; number <= 256; number++)
    await (await connections.fetch(identity(number), url, undefined)).text();
  await connections.close();
  await ended;
  await expect.poll(() => proxy.open.size).toBe(0);
});
