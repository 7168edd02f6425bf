import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

import { describe, expect, it } from 'vitest';
import { Loops } from '../../src/gateway/loops.ts';
import { hasPassed } from '../../src/gateway/raw-headers.ts';
import { tunnel } from './inbound.ts';
import { expectNothingLeft, openGateway } from './open-gateway.ts';
import { RawClient } from './raw-client.ts';
import { answering, ok, readRequest, Scripted } from './scripted.ts';

it('knows a client that is its own connection, until that is closed', async () => {
  const loops = new Loops();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const own = connect({ port, host: '127.0.0.1' });
  const [[client]] = (await Promise.all([once(server, 'connection'), once(own, 'connect')])) as [
    [Socket],
    unknown,
  ];
  expect(loops.isLoop(client)).toBe(false);
  loops.made(own);
  expect(loops.isLoop(client)).toBe(true);
  const { remotePort = 0, localAddress = '', localPort = 0 } = client;
  own.destroy();
  await once(own, 'close');
  expect(loops.isLoop({ remotePort, localAddress, localPort })).toBe(false);
  client.destroy();
  server.close();
});

it('lets a client in that only has the same local port as a connection to a proxy', () => {
  const loops = new Loops();
  const own = { localPort: 40_000, remoteAddress: '127.0.0.1', remotePort: 3128, on() {} };
  loops.made(own as unknown as Socket);
  const client = { remotePort: 40_000, localAddress: '127.0.0.1', localPort: 8888 };
  expect(loops.isLoop(client)).toBe(false);
  expect(loops.isLoop({ ...client, localPort: 3128 })).toBe(true);
  expect(loops.isLoop({ ...client, localPort: 3128, localAddress: '::ffff:127.0.0.1' })).toBe(true);
});

describe('a proxy that leads back to its gateway', () => {
  /** A proxy that passes each request on as it came, and how many it got. */
  async function leadingTo(port: () => number) {
    return Scripted.start(async (peer) => {
      const request = await readRequest(peer);
      const onward = connect({ port: port(), host: '127.0.0.1' }, () => onward.write(request?.head ?? ''));
      const end = (): void => {
        onward.destroy();
        peer.socket.destroy();
      };
      onward.on('error', end).on('close', end).pipe(peer.socket);
      peer.socket.once('end', end);
    });
  }
  const PLAIN = 'GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n';

  it('is known by `Via`, for tunnels and for plain requests', async () => {
    const proxy = await leadingTo(() => port);
    const opened = await openGateway([proxy], { via: true, reuse: 'never' });
    const { port } = opened;
    const { client, code, body } = await tunnel('connect', port, { host: 'shop.example' });
    expect([code, JSON.parse(body)]).toMatchObject([
      502,
      { error: { tried: [{ kind: 'status', status: 508 }] } },
    ]);
    client.socket.destroy();
    opened.vault.pool.reset(opened.ids);
    const plain = await RawClient.connect(port);
    plain.write(PLAIN);
    const answer = await plain.answer();
    expect(answer).toMatchObject({ status: 508, body: expect.stringContaining('"LOOP"') });
    plain.socket.destroy();
    await expectNothingLeft(opened, 4);
    expect(opened.log.filter(({ reason }) => reason === 'LOOP')).toHaveLength(2);
    expect(proxy.connections).toBe(2);
  });

  it('ends by handshakeMs without `Via`; a new proxy is asked once', async () => {
    const proxy = await leadingTo(() => port);
    const opened = await openGateway([proxy], { handshakeMs: 300, attempts: 1 });
    const { port } = opened;
    const { client, code } = await tunnel('connect', port, { host: 'shop.example' });
    expect(code).toBe(502);
    client.socket.destroy();
    await expectNothingLeft(opened, 2);
    // The second attempt may begin just before its client is gone.
    expect(proxy.connections).toBeLessThanOrEqual(2);
  });
});

it('two gateways with `via` may be chained, and each is another hop', async () => {
  const heads: string[] = [];
  const proxy = await Scripted.start(
    answering(({ head }) => {
      heads.push(head);
      return ok('fine');
    }),
  );
  const second = await openGateway([proxy], { via: true });
  const first = await openGateway([{ kind: 'http', host: '127.0.0.1', port: second.port }], { via: true });
  const client = await RawClient.connect(first.port);
  client.write(
    'GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\nVia: 1.1 other, 1.0 proxyvault\r\n\r\n',
  );
  expect((await client.answer()).body).toBe('fine');
  const names = [...(heads[0] ?? '').matchAll(/^Via: 1\.1 (proxyvault-[\da-f]{12})\r$/gm)].map(
    ([, name]) => name,
  );
  expect(new Set(names).size).toBe(2);
  client.socket.destroy();
});

it('knows the names of `Via` among comments and other hops, in any case', () => {
  const is = (...values: string[]): boolean =>
    hasPassed(
      values.flatMap((value) => ['VIA', value]),
      'proxyvault-a1',
    );
  expect(is('1.1 proxyvault-a1')).toBe(true);
  expect(is('1.0 fred, HTTP/1.1\tProxyVault-A1 (Squid)')).toBe(true);
  expect(is('1.1 other', '1.1 proxyvault-a1')).toBe(true);
  expect(is('1.1 proxyvault-a12', 'proxyvault-a1', '1.1')).toBe(false);
  expect(hasPassed(undefined, 'proxyvault-a1')).toBe(false);
});
