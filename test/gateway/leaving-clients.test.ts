import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { socks4Request, socks5Login, socks5Request } from './inbound.ts';
import { expectNothingLeft, openGateway, until } from './open-gateway.ts';
import { RawClient } from './raw-client.ts';
import { Scripted } from './scripted.ts';

const TO = { host: 'shop.example', port: 443 };
const CONNECT = 'CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n';
const PLAIN = 'GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n';
const POST = 'POST http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 9\r\n\r\n';
const UPGRADE =
  'GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

type Bytes = string | readonly number[];

/** How far the proxy goes with a connection: it answers to none, to the request for a tunnel, or with the start of an answer too. */
type Proxy = 'silent' | 'opens tunnels' | 'begins to answer';

interface Step {
  step: string;
  /** What the client sends, each after the answer to what it sent before. */
  sends: readonly Bytes[];
  proxy: Proxy;
  /** What is awaited before it leaves: bytes at the client, and whether a proxy was reached. */
  sees?: string;
  reaches?: true;
  /** What is logged: nothing before there is a request. */
  outcome?: 'aborted' | 'ok' | 'refused';
}

const GREETING = [5, 1, 0];
const OPEN = { proxy: 'opens tunnels', reaches: true } as const;
const WAITS = { proxy: 'silent', reaches: true, outcome: 'aborted' } as const;

const STEPS: Step[] = [
  { step: 'before its first byte', sends: [], proxy: 'silent' },
  { step: 'in a header of HTTP', sends: [CONNECT.slice(0, 30)], proxy: 'silent' },
  { step: 'in the greeting of SOCKS5', sends: [[5]], proxy: 'silent', outcome: 'aborted' },
  {
    step: 'after the greeting of SOCKS5',
    sends: [GREETING],
    sees: '\x05\0',
    proxy: 'silent',
    outcome: 'aborted',
  },
  {
    step: 'in the login of SOCKS5',
    sends: [[5, 1, 2], socks5Login({ username: 'session-a', password: 'x' }).slice(0, 5)],
    proxy: 'silent',
    outcome: 'aborted',
  },
  {
    step: 'in the request of SOCKS5',
    sends: [GREETING, socks5Request(TO).slice(0, 9)],
    proxy: 'silent',
    outcome: 'aborted',
  },
  {
    step: 'in the request of SOCKS4',
    sends: [socks4Request(TO).slice(0, 9)],
    proxy: 'silent',
    outcome: 'aborted',
  },
  { step: 'while CONNECT waits for a proxy', sends: [CONNECT], ...WAITS },
  { step: 'while SOCKS5 waits for a proxy', sends: [GREETING, socks5Request(TO)], ...WAITS },
  { step: 'while SOCKS4 waits for a proxy', sends: [socks4Request(TO)], ...WAITS },
  { step: 'while an upgrade waits for a tunnel', sends: [UPGRADE], ...WAITS },
  { step: 'while an upgrade waits for its answer', sends: [UPGRADE], ...OPEN, outcome: 'aborted' },
  { step: 'while a plain request waits for its answer', sends: [PLAIN], ...WAITS },
  { step: 'in the body of a plain request', sends: [`${POST}1234`], ...WAITS },
  { step: 'with a new tunnel of CONNECT', sends: [CONNECT], sees: '\r\n\r\n', ...OPEN, outcome: 'aborted' },
  {
    step: 'with a new tunnel of SOCKS5',
    sends: [GREETING, socks5Request(TO)],
    sees: '\x05\0\0\x01',
    ...OPEN,
    outcome: 'aborted',
  },
  {
    step: 'with a new tunnel of SOCKS4',
    sends: [socks4Request(TO)],
    sees: '\0\x5a',
    ...OPEN,
    outcome: 'aborted',
  },
  {
    step: 'with bytes in a tunnel of CONNECT that got no answer',
    sends: [CONNECT, 'hello'],
    sees: '\r\n\r\n',
    ...OPEN,
    outcome: 'aborted',
  },
  {
    step: 'in an answer in a tunnel of CONNECT',
    sends: [CONNECT, 'hello'],
    sees: 'part',
    proxy: 'begins to answer',
    reaches: true,
    outcome: 'ok',
  },
  {
    step: 'in an answer in a tunnel of SOCKS5',
    sends: [GREETING, socks5Request(TO), 'hello'],
    sees: 'part',
    proxy: 'begins to answer',
    reaches: true,
    outcome: 'ok',
  },
];

/** A proxy that goes so far. */
function proxyThat(does: Proxy, endsWithClient: boolean): Promise<Scripted> {
  return Scripted.start(async (peer) => {
    // A client that has closed its connection looks as one that has ended its half.
    if (endsWithClient) peer.socket.once('end', () => peer.socket.end());
    if (does === 'silent') return;
    await peer.until('\r\n\r\n');
    peer.write('HTTP/1.1 200 OK\r\n\r\n');
    if (does === 'opens tunnels') return;
    await peer.until('hello');
    peer.write('part');
  });
}

describe.each([
  ['closes its connection', (client: RawClient) => client.socket.destroy()],
  ['resets its connection', (client: RawClient) => client.socket.resetAndDestroy()],
  ['ends its half', (client: RawClient) => client.socket.end()],
] as const)('a client that %s', (how, leave) => {
  it.each(STEPS)(
    '$step leaves nothing and blames nobody',
    async ({ sends, proxy: does, sees, reaches, outcome }) => {
      const proxy = await proxyThat(does, how !== 'ends its half');
      // A client that has only ended its half may still want what comes.
      const idle = how === 'ends its half' && does !== 'silent' ? { idleMs: 200 } : {};
      // Nobody can tell one that has closed its connection from one that has ended its half, and waits for its answer.
      const grace = sends.includes(PLAIN) ? { headerMs: 200 } : {};
      const opened = await openGateway([proxy], { ...idle, ...grace, reuse: 'never' });
      const client = await RawClient.connect(opened.port);
      for (const [n, bytes] of sends.entries()) {
        client.write(bytes);
        if (n < sends.length - 1) await until(() => client.received.length > n, 'an answer');
      }
      await until(() => opened.gateway.stats().connections === 1, 'the connection');
      if (reaches)
        await until(() => proxy.peers.some(({ received }) => received !== '') || does !== 'silent');
      if (sees !== undefined) await until(() => client.received.includes(sees), 'bytes');
      if (reaches) await until(() => proxy.connections === 1, 'a connection to the proxy');
      leave(client);
      await expectNothingLeft(opened, outcome === undefined ? 0 : 1);
      await until(() => proxy.peers.every(({ isEnded }) => isEnded), 'the end of the proxy');
      if (outcome !== undefined) expect(opened.log[0]?.outcome).toBe(outcome);
      expect(opened.outcomes().failures).toBe(0);
      client.socket.destroy();
    },
  );
});

describe('a client that has ended its half', () => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n';

  it.each([
    ['before the answer', '', `${head}done`],
    ['in the answer', `${head}do`, 'ne'],
  ])('%s gets all of it', async (_, before, after) => {
    const proxy = await Scripted.start(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.write(before);
      await until(() => hasEnded);
      peer.write(after);
    });
    let hasEnded = false;
    const opened = await openGateway([proxy], { reuse: 'never' });
    const client = await RawClient.connect(opened.port);
    client.write(PLAIN);
    await until(() => client.received.endsWith(before.slice(-2)) && proxy.connections === 1);
    await new Promise<void>((resolve) => void client.socket.end(resolve));
    for (let n = 0; n < 20; n++) await turn();
    hasEnded = true;
    expect((await client.answer()).body).toBe('done');
    await expectNothingLeft(opened, 1);
    expect(opened.log[0]?.outcome).toBe('ok');
  });
});

describe('a client that leaves', () => {
  it('while its request fails over ends the failover', async () => {
    const bad = await Scripted.start((peer) => peer.socket.destroy());
    const silent = await Scripted.start(() => undefined);
    const other = await Scripted.start(() => undefined);
    for (const bytes of [CONNECT, PLAIN, UPGRADE, socks4Request(TO)]) {
      const opened = await openGateway([bad, silent, other], { reuse: 'never' });
      const before = silent.connections;
      const client = await RawClient.connect(opened.port);
      client.write(bytes);
      await until(() => silent.connections > before, 'the second attempt');
      client.socket.resetAndDestroy();
      await expectNothingLeft(opened, 1);
      expect(opened.log[0]).toMatchObject({ outcome: 'aborted', tried: [{ proxy: 'p000' }] });
      expect(opened.outcomes()).toEqual({ requests: 1, successes: 0, failures: 1 });
      expect([silent.connections, other.connections]).toEqual([before + 1, 0]);
    }
  });

  it.each([
    ['closes', 10, (client: RawClient) => client.socket.destroy()],
    ['closes', 60_000, (client: RawClient) => client.socket.destroy()],
    ['resets', 60_000, (client: RawClient) => client.socket.resetAndDestroy()],
  ])('is noticed although it has sent early: it %s with %i bytes', async (how, size, leave) => {
    for (const request of [CONNECT, UPGRADE]) {
      const silent = await Scripted.start(() => undefined);
      const opened = await openGateway([silent]);
      const client = await RawClient.connect(opened.port);
      client.write(request + 'x'.repeat(size));
      await until(() => silent.connections === 1, 'an attempt');
      const since = performance.now();
      leave(client);
      await until(() => opened.log.length === 1, 'the end', 5_000);
      expect(performance.now() - since).toBeLessThan(how === 'resets' ? 1_000 : 4_500);
      expect(opened.log).toMatchObject([{ outcome: 'aborted' }]);
      await expectNothingLeft(opened, 1);
      expect(opened.outcomes().requests).toBe(0);
    }
  });

  it('while it waits for a proxy that is busy waits no more', async () => {
    const proxy = await Scripted.start(() => undefined);
    const limits = { maxConcurrentPerProxy: 1 };
    const opened = await openGateway([proxy], { headerMs: 200 }, { options: { limits } });
    const first = await RawClient.connect(opened.port);
    first.write(CONNECT);
    await until(() => proxy.connections === 1);
    for (const bytes of [CONNECT, PLAIN, socks4Request(TO)]) {
      const second = await RawClient.connect(opened.port);
      second.write(bytes);
      await until(() => opened.vault.pool.stats().waiting === 1, 'waiting');
      second.socket.end();
      await until(() => opened.vault.pool.stats().waiting === 0, 'the end of waiting');
    }
    first.socket.destroy();
    await expectNothingLeft(opened, 4);
    expect(opened.outcomes().requests).toBe(0);
  });
});
