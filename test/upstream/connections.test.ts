import { expect, it, onTestFinished } from 'vitest';

import { Connections } from '../../src/upstream/index.ts';
import { forwardingProxy, website } from './forwarding-proxy.ts';

it('keeps the connections of 256 identities; those that go first end their requests', async () => {
  const site = await website();
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
  const url = `http://127.0.0.1:${site.port}/`;
  const statuses = await Promise.all(
    Array.from({ length: 300 }, async (_, number) => {
      const identity = { proxyId: 'one', session: `session-${number}`, upstream };
      const response = await connections.fetch(identity, url, undefined);
      await response.text();
      return response.status;
    }),
  );
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(proxy.connections()).toBe(300);
  // Idle ones would be closed some seconds later.
  await expect.poll(() => proxy.open.size, { timeout: 2_000 }).toBeLessThanOrEqual(256);
});
