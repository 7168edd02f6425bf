import { networkInterfaces } from 'node:os';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import type { GatewayOptions } from '../../src/gateway/index.ts';
import { get, INBOUND, TUNNELS, tunnel } from './inbound.ts';
import { expectNothingLeft, openGateway, until } from './open-gateway.ts';
import { RawClient } from './raw-client.ts';
import { ok, readRequest, Scripted } from './scripted.ts';

const CONNECT = 'CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n';

/** A gateway with one proxy, and a target. */
async function started(options: GatewayOptions = {}) {
  const [target, upstream] = await Promise.all([
    TargetServer.start({ kind: 'http' }),
    UpstreamServer.start({ kind: 'http' }),
  ]);
  onTestFinished(async () => void (await Promise.all([target.close(), upstream.close()])));
  return { target, upstream, ...(await openGateway([upstream], { reuse: 'never', ...options })) };
}

/** As `started`, and the proxy has served some requests: one that is new gets more at a time only as it proves itself. */
async function proven(options: GatewayOptions = {}) {
  const opened = await started(options);
  for (let n = 1; n <= 4; n++) {
    await get('http', opened.port, { host: '127.0.0.1', port: opened.target.port });
    await expectNothingLeft(opened, n);
  }
  opened.log.length = 0;
  return opened;
}

/** How a refusal looks to a client that came so. */
const NOT_ALLOWED = { connect: 407, http: 407, upgrade: 407, socks5: 257, socks4: 93 };

describe('a gateway with users', () => {
  const USERS = [
    { name: 'ann', password: 'r1ght' },
    { name: 'bob', password: '0ther', maxConnections: 1, tags: ['paid'] },
  ];

  it.each([
    ['no login', undefined],
    ['a wrong password', { username: 'ann', password: 'wr0ng' }],
    ['the password of somebody else', { username: 'ann', password: '0ther' }],
    ['an unknown user', { username: 'eve', password: 'r1ght' }],
    ['a user whose name only begins so', { username: 'anna', password: 'r1ght' }],
  ])('lets nobody in with %s', async (_, login) => {
    const opened = await started({ users: USERS });
    const { port, target, upstream, log } = opened;
    for (const inbound of INBOUND) {
      const { status, head } = await get(inbound, port, { host: '127.0.0.1', port: target.port }, login);
      // Without a login SOCKS5 has no method that both sides know.
      const expected = inbound === 'socks5' && login === undefined ? 511 : NOT_ALLOWED[inbound];
      expect({ inbound, status }).toEqual({ inbound, status: expected });
      if (status === 407) expect(head).toMatch(/^Proxy-Authenticate: Basic /m);
    }
    await expectNothingLeft(opened, INBOUND.length);
    expect(upstream.seen.connections).toBe(0);
    expect(JSON.stringify(log)).not.toMatch(/r1ght|wr0ng|0ther/);
  });

  it('lets those in who log in, and says who asked', async () => {
    const opened = await started({ users: USERS });
    for (const inbound of ['connect', 'http', 'socks5'] as const) {
      const to = { host: '127.0.0.1', port: opened.target.port };
      const login = { username: 'ann-session-x', password: 'r1ght' };
      expect((await get(inbound, opened.port, to, login)).status).toBe(200);
    }
    await expectNothingLeft(opened, 3);
    expect(opened.log.map(({ user, session }) => `${user} ${session}`)).toEqual(Array(3).fill('ann x'));
  });

  it('gives a user only proxies with their tags, and so many connections', async () => {
    const opened = await started({ users: USERS });
    const to = { host: '127.0.0.1', port: opened.target.port };
    const bob = { username: 'bob', password: '0ther' };
    expect((await get('http', opened.port, to, bob)).status).toBe(503);
    const paid = await UpstreamServer.start({ kind: 'socks5' });
    onTestFinished(() => paid.close());
    await opened.vault.import(`socks5://${paid.host}:${paid.port}`, { tag: 'paid' });
    const first = await tunnel('connect', opened.port, to, bob);
    expect(first.code).toBe(200);
    expect((await get('http', opened.port, to, bob)).status).toBe(429);
    expect((await get('http', opened.port, to, { username: 'ann', password: 'r1ght' })).status).toBe(200);
    first.client.socket.destroy();
    await until(() => opened.gateway.stats().tunnels === 0);
    expect((await get('http', opened.port, to, bob)).status).toBe(200);
    expect(paid.seen.tunnels).toBe(2);
  });
});

describe('an identity', () => {
  it('with an unknown word is 407 with what is allowed', async () => {
    const { port } = await started();
    const { status, body } = await get('http', port, { host: 'shop.example' }, { username: 'planet-mars' });
    expect(status).toBe(407);
    expect(JSON.parse(body).error.message).toMatch(/country.*session/);
  });

  it('of a port is that of all who come by it, and cannot be changed', async () => {
    const opened = await started();
    const { url, port } = await opened.gateway.listen({ session: 'a' });
    expect(url).toBe(`http://127.0.0.1:${port}`);
    const to = { host: '127.0.0.1', port: opened.target.port };
    for (const inbound of INBOUND) await get(inbound, port, to);
    expect((await get('http', port, to, { username: 'session-b' })).status).toBe(407);
    expect((await get('http', port, to, { username: 'country-de' })).status).toBe(503);
    await expectNothingLeft(opened, 7);
    const sessions = opened.log.filter(({ outcome }) => outcome !== 'refused').map(({ session }) => session);
    expect(new Set(sessions)).toEqual(new Set(['a']));
  });

  it('that headers give is theirs, and none of them leaves', async () => {
    const proxy = await Scripted.start(async (peer) => peer.write(ok((await readRequest(peer))?.head ?? '')));
    const { port, log } = await openGateway([proxy], { reuse: 'never' });
    const client = await RawClient.connect(port);
    client.write(
      'GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\nX-Proxyvault-Session: abc\r\nA: b\r\n\r\n',
    );
    expect((await client.answer()).body).toBe(
      'GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\nA: b\r\nConnection: close\r\n\r\n',
    );
    await until(() => log.length === 1);
    expect(log[0]?.session).toBe('abc');
  });
});

describe('a target', () => {
  it.each(['127.0.0.1', 'localhost', '::1', '169.254.169.254', '0.0.0.0', '::ffff:127.0.0.1', 'a.localhost'])(
    '%s is denied unless it is allowed',
    async (host) => {
      const opened = await started({ allowTargets: [] });
      for (const inbound of INBOUND) {
        if (inbound === 'socks4' && host.includes(':')) continue;
        const { status } = await get(inbound, opened.port, { host, port: 80 });
        expect(status).toBe({ connect: 403, http: 403, upgrade: 403, socks5: 2, socks4: 91 }[inbound]);
      }
      expect(opened.upstream.seen.connections).toBe(0);
      const allowed = await started({ allowTargets: [host] });
      await get('connect', allowed.port, { host, port: 80 });
      expect(allowed.upstream.seen.connections).toBe(1);
    },
  );
});

describe('a proxy that is the gateway itself', () => {
  it.each(['127.0.0.1', 'localhost', '::1'])('is not connected to: %s', async (host) => {
    const opened = await started();
    const { vault, gateway, ids } = opened;
    vault.proxies.update(ids[0] ?? '', { status: 'disabled' });
    vault.proxies.create({ protocol: 'http', host, port: gateway.port });
    for (const inbound of INBOUND) {
      const { status } = await get(inbound, opened.port, { host: 'shop.example' });
      expect(status).not.toBe(200);
      expect(opened.log.at(-1)?.tried ?? []).not.toEqual(expect.arrayContaining([{ kind: 'reset' }]));
    }
    await expectNothingLeft(opened, INBOUND.length);
    // No request has come back to the gateway.
    expect(opened.log).toHaveLength(INBOUND.length);
  });

  it('by way of another proxy serves nobody, and comes to an end', async () => {
    // This one sends on whatever it gets to the gateway, as a proxy of a second gateway would.
    const there = { port: 0 };
    const around = await Scripted.start(async (peer) => {
      const onward = await RawClient.connect(there.port);
      peer.socket.removeAllListeners('data').setEncoding('latin1');
      peer.socket.on('data', (text) => onward.write(String(text)));
      onward.socket.on('data', (text) => peer.write(String(text)));
      onward.socket.once('close', () => peer.socket.destroy());
      peer.socket.once('close', () => onward.socket.destroy());
      if (peer.received !== '') onward.write(peer.received);
    });
    const opened = await openGateway([around], { attempts: 1, handshakeMs: 500, deadlineMs: 2_000 });
    there.port = opened.port;
    const { status } = await get('connect', opened.port, { host: 'shop.example' });
    expect(status).not.toBe(200);
    await expectNothingLeft(opened);
    // Once around and no more often than the attempts allow.
    expect(opened.log.length).toBeLessThan(10);
  });
});

describe('a gateway', () => {
  it('listens for other machines only with users', async () => {
    const { vault } = await started();
    const refused = { code: 'INVALID_INPUT' };
    const outer = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.internal === false)?.address;
    for (const host of ['0.0.0.0', '::', ...(outer === undefined ? [] : [outer])])
      await expect(vault.serve({ port: 0, host })).rejects.toMatchObject(refused);
    const open = await vault.serve({ port: 0, host: '0.0.0.0', users: [{ name: 'ann', password: 'r1ght' }] });
    expect((await get('connect', open.port, { host: 'shop.example' })).status).toBe(407);
    await open.close({ drainMs: 0 });
    const loopback = await vault.serve({ port: 0, host: '::1' });
    await expect(loopback.listen({ host: '0.0.0.0', session: 'a' })).rejects.toMatchObject(refused);
    await expect(vault.serve({ port: loopback.port, host: '::1' })).rejects.toMatchObject({
      code: 'CANNOT_LISTEN',
    });
  });

  it('closes what is more than maxConnections, of all and of one client', async () => {
    for (const limit of [{ maxConnections: 3 }, { maxConnectionsPerClient: 3 }]) {
      const opened = await proven(limit);
      const clients = await Promise.all(
        [1, 2, 3].map(() => tunnel('connect', opened.port, { host: '127.0.0.1', port: opened.target.port })),
      );
      expect(clients.map(({ code }) => code)).toEqual([200, 200, 200]);
      const more = await RawClient.connect(opened.port);
      await more.rest();
      clients[0]?.client.socket.destroy();
      await until(() => opened.gateway.stats().connections === 2);
      expect((await get('http', opened.port, { host: '127.0.0.1', port: opened.target.port })).status).toBe(
        200,
      );
      for (const { client } of clients) client.socket.destroy();
      await expectNothingLeft(opened, 4);
    }
  });

  it('closes clients that are too slow with their first byte, header or handshake', async () => {
    const opened = await started({ headerMs: 200 });
    const slow = ['', 'C', CONNECT.slice(0, 40), '\x05', '\x05\x01\x00', '\x04\x01'];
    const since = performance.now();
    await Promise.all(
      slow.map(async (bytes) => {
        const client = await RawClient.connect(opened.port);
        client.write(bytes);
        // A byte now and then does not help.
        const drip = setInterval(
          () => client.socket.writable && client.write(bytes.startsWith('C') ? 'a' : ''),
          50,
        );
        await client.rest();
        clearInterval(drip);
        client.socket.destroy();
      }),
    );
    expect(performance.now() - since).toBeLessThan(5_000);
    await expectNothingLeft(opened);
  });

  it('refuses a header that is too long', async () => {
    const opened = await started({ maxHeaderBytes: 2048 });
    for (const start of [
      CONNECT.slice(0, -2),
      'GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\n',
    ]) {
      const client = await RawClient.connect(opened.port);
      client.write(`${start}A: ${'x'.repeat(3000)}\r\n\r\n`);
      expect((await client.answer()).status).toBe(431);
      client.socket.destroy();
    }
    await expectNothingLeft(opened);
    expect(opened.upstream.seen.connections).toBe(0);
  });

  it.each(TUNNELS)(
    'closes a tunnel without traffic after idleMs, and any after maxTunnelAgeMs: %s',
    async (inbound) => {
      const silent = await Scripted.start(async (peer) => {
        await peer.until('\r\n\r\n');
        peer.write('HTTP/1.1 200 OK\r\n\r\n');
      });
      const to = { host: 'shop.example' };
      const idle = await openGateway([silent], { idleMs: 150 });
      const first = await tunnel(inbound, idle.port, to);
      await first.client.rest();
      await expectNothingLeft(idle, 1);
      // Nothing was asked, so that nothing has failed.
      expect(idle.log[0]).toMatchObject({ outcome: 'aborted', reason: 'IDLE' });

      const asked = await openGateway([silent], { idleMs: 150 });
      const second = await tunnel(inbound, asked.port, to);
      second.client.write('hello');
      await second.client.rest();
      await expectNothingLeft(asked, 1);
      expect(asked.log[0]?.outcome).toBe('failed');

      const old = await openGateway([silent], { maxTunnelAgeMs: 200 });
      const third = await tunnel(inbound, old.port, to);
      const chatter = setInterval(() => third.client.socket.writable && third.client.write('x'), 20);
      await third.client.rest();
      clearInterval(chatter);
      await expectNothingLeft(old, 1);
      expect(old.log[0]?.reason).toBe('TOO_OLD');
    },
  );

  it('that is closed takes nobody more, lets tunnels end for some time, and then ends them', async () => {
    const opened = await proven();
    const { gateway, port, target } = opened;
    const to = { host: '127.0.0.1', port: target.port };
    const [ending, staying] = [await tunnel('connect', port, to), await tunnel('socks5', port, to)];
    const since = performance.now();
    const closed = gateway.close({ drainMs: 600 });
    await expect(RawClient.connect(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    ending.client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(await ending.client.rest()).toMatch(/^HTTP\/1\.1 200 /);
    ending.client.socket.end();
    await closed;
    expect(performance.now() - since).toBeGreaterThan(500);
    await staying.client.rest();
    await expectNothingLeft(opened, 2);
    await expect(gateway.listen({})).rejects.toMatchObject({ code: 'CLOSED' });
    expect(opened.log.map(({ outcome }) => outcome)).toEqual(['ok', 'aborted']);
  });

  it('is closed at once if there is nobody, also with a connection that is kept', async () => {
    const opened = await started();
    const client = await RawClient.connect(opened.port);
    client.write(
      `GET ${opened.target.url}/bytes/3 HTTP/1.1\r\nHost: 127.0.0.1:${opened.target.port}\r\n\r\n`,
    );
    expect((await client.answer()).body).toBe('xxx');
    const since = performance.now();
    await opened.gateway.close({ drainMs: 20_000 });
    expect(performance.now() - since).toBeLessThan(5_000);
    await client.rest();
  });
});
