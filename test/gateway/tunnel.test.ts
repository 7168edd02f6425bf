import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Tunnel } from '../../src/gateway/tunnel.ts';
import type { Lease } from '../../src/rotation/index.ts';
import { socks5Login, socks5Request } from './inbound.ts';
import { expectNothingLeft, openGateway, until } from './open-gateway.ts';
import { RawClient } from './raw-client.ts';
import { Scripted } from './scripted.ts';

const CONNECT = 'CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n';

/** Both ends of a connection. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  const accepted = new Promise<Socket>((resolve) => void server.once('connection', resolve));
  await new Promise<void>((resolve) => void server.once('listening', resolve));
  const near = connect({ port: (server.address() as AddressInfo).port, allowHalfOpen: true });
  const far = await accepted;
  onTestFinished(() => {
    for (const end of [near, far]) end.destroy();
    server.close();
  });
  return [near, far];
}

it.each([
  ['client', 120_000, 30_000],
  ['server', 120_000, 30_000],
  ['client', 50, 50],
] as const)(
  'a tunnel whose %s has ended its half waits less long for traffic: %i, %i',
  async (who, idleMs, then) => {
    const [client, farClient] = await pair();
    const [upstream, farServer] = await pair();
    let ended = '';
    const settings = { idleMs, handshakeMs: 1_000, maxTunnelAgeMs: undefined };
    const answered = (): void => undefined;
    const owner = {
      settings,
      answered,
      ended: (_: Tunnel, { reason }: { reason: string }): void => {
        ended = reason;
      },
    };
    const open = new Tunnel(client, upstream, {} as Lease, owner, Buffer.alloc(0));
    expect([client.timeout, upstream.timeout]).toEqual([idleMs, idleMs]);
    const [ending, other] = who === 'client' ? [farClient, farServer] : [farServer, farClient];
    other.resume();
    ending.end('last');
    await new Promise<void>((resolve) => void other.once('end', resolve));
    expect([client.timeout, upstream.timeout]).toEqual([then, then]);
    if (idleMs > then) open.close('TOO_OLD');
    await until(() => ended !== '', 'the end');
    expect(ended).toBe(who === 'client' ? 'CLIENT_CLOSED' : 'SERVER_CLOSED');
  },
);

it('what a client sends before its tunnel is open reaches the target, also if it has ended its half by then', async () => {
  for (const size of [1, 1_000, 200_000]) {
    const sent = `${'x'.repeat(size - 1)}.`;
    const proxy = await Scripted.start(async (peer) => {
      await peer.until('\r\n\r\n');
      await until(() => isSent);
      peer.write('HTTP/1.1 200 OK\r\n\r\n');
      const got = await peer.rest();
      peer.socket.end(`${got.length} ${got === sent}`);
    });
    let isSent = false;
    const opened = await openGateway([proxy]);
    const client = await RawClient.connect(opened.port);
    client.write(CONNECT);
    client.socket.end(sent);
    await until(() => proxy.connections === 1, 'an attempt');
    isSent = true;
    await client.until('\r\n\r\n');
    expect(await client.rest()).toBe(`${size} true`);
    await expectNothingLeft(opened, 1);
    expect(opened.log).toMatchObject([{ outcome: 'ok', bytesOut: size }]);
  }
});

it('a client that has closed its connection before its tunnel is open leaves nothing', async () => {
  let isGone = false;
  const proxy = await Scripted.start(async (peer) => {
    await peer.until('\r\n\r\n');
    await until(() => isGone);
    peer.write('HTTP/1.1 200 OK\r\n\r\n');
  });
  const opened = await openGateway([proxy], { idleMs: 100 });
  for (let round = 1; round <= 10; round++) {
    isGone = false;
    const client = await RawClient.connect(opened.port);
    client.write(`${CONNECT}early`);
    await until(() => proxy.connections === round, 'an attempt');
    client.socket.destroy();
    await client.closed;
    isGone = true;
    // Nobody can tell it from one that has ended its half, so the time without traffic ends it..
    await expectNothingLeft(opened, round);
    await until(() => proxy.peers[round - 1]?.isEnded === true, 'the end at the proxy');
  }
});

it('a client that ends its half before its request fails gets the answer', async () => {
  const proxy = await Scripted.start(async (peer) => {
    await peer.until('\r\n\r\n');
    await until(() => isEnded);
    peer.write('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  let isEnded = false;
  const opened = await openGateway([proxy], { attempts: 1 });
  const client = await RawClient.connect(opened.port);
  client.write(`${CONNECT}early`);
  await until(() => proxy.connections === 1, 'an attempt');
  await new Promise<void>((resolve) => void client.socket.end(resolve));
  isEnded = true;
  expect((await client.answer()).status).toBe(502);
  await expectNothingLeft(opened, 1);
});

it('a client of SOCKS5 that ends its half in the handshake gets no tunnel, though its login is right', async () => {
  const proxy = await Scripted.start(() => undefined);
  const opened = await openGateway([proxy], { users: USERS });
  const [, asks] = AS_USER[1] as (typeof AS_USER)[number];
  const client = await RawClient.connect(opened.port);
  client.socket.end(asks.subarray(0, -1));
  await expectNothingLeft(opened, 1);
  expect(opened.log).toMatchObject([{ outcome: 'aborted' }]);
  expect(proxy.connections).toBe(0);
});

const USERS = [{ name: 'a', password: 'p' }];
const LOGIN = `Proxy-Authorization: Basic ${btoa('a:p')}\r\n`;
const AS_USER: readonly (readonly [string, Buffer])[] = [
  ['connect', Buffer.from(CONNECT.replace('\r\n\r\n', `\r\n${LOGIN}\r\n`))],
  [
    'socks5',
    Buffer.from([
      ...[5, 1, 2, ...socks5Login({ username: 'a', password: 'p' })],
      ...socks5Request({ host: 'shop.example', port: 443 }),
    ]),
  ],
];

describe.each(AS_USER)('a client of %s that ends its half while its login is checked', (_, asks) => {
  it('gets the answer to what it has sent', async () => {
    const proxy = await Scripted.start(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.write('HTTP/1.1 200 OK\r\n\r\n');
      peer.socket.end(`got ${await peer.rest()}`);
    });
    const opened = await openGateway([proxy], { users: USERS });
    const client = await RawClient.connect(opened.port);
    client.socket.end(Buffer.concat([asks, Buffer.from('early')]));
    expect(await client.rest()).toMatch(/got early$/);
    await expectNothingLeft(opened, 1);
    expect(opened.log).toMatchObject([{ outcome: 'ok', bytesOut: 5, bytesIn: 9 }]);
  });

  it('needs no proxy if it has sent nothing', async () => {
    const silent = await Scripted.start(() => undefined);
    const opened = await openGateway([silent], { users: USERS, deadlineMs: 2_000 });
    const client = await RawClient.connect(opened.port);
    client.socket.end(asks);
    await expectNothingLeft(opened, 1);
    expect(opened.log).toMatchObject([{ outcome: 'aborted' }]);
    expect(opened.outcomes().requests).toBe(0);
  });
});
