import { Writable } from 'node:stream';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { readTicket } from '../../src/rotation/index.ts';
import { get, INBOUND } from './inbound.ts';
import { openGateway, until } from './open-gateway.ts';
import { RawClient } from './raw-client.ts';
import { Scripted } from './scripted.ts';

it('writes a line for each request to a logger of pino: ids and hosts, and no login', async () => {
  const login = { username: 'canary-user', password: 'canary-password' };
  const upstream = await UpstreamServer.start({ kind: 'http', login });
  const broken = await UpstreamServer.start({ kind: 'http', login });
  await broken.behave('refuse');
  const target = await TargetServer.start({ kind: 'http' });
  onTestFinished(
    async () => void (await Promise.all([upstream, broken, target].map((each) => each.close()))),
  );
  let text = '';
  const stream = new Writable({
    write(chunk, _, done) {
      text += String(chunk);
      done();
    },
  });
  const { port, gateway, ids } = await openGateway([broken, upstream], { logger: pino({}, stream) });
  const to = { host: '127.0.0.1', port: target.port };
  await get('http', port, to, { username: 'session-cart17', password: 'canary-password' });
  await get('http', port, to, { username: 'nonsense-canary', password: 'canary-password' });
  await gateway.close();
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toEqual([
    expect.objectContaining({
      level: 30,
      msg: `127.0.0.1:${target.port} ok`,
      client: '127.0.0.1',
      protocol: 'http',
      method: 'GET',
      target: `127.0.0.1:${target.port}`,
      session: 'cart17',
      outcome: 'ok',
      status: 200,
      proxy: ids[1],
      lease: expect.stringMatching(/^lease-/),
      tried: [{ proxy: ids[0], kind: 'connect', ms: expect.any(Number) }],
      ms: expect.any(Number),
      bytesIn: expect.any(Number),
      bytesOut: expect.any(Number),
    }),
    expect.objectContaining({
      level: 30,
      outcome: 'refused',
      status: 407,
      reason: 'INVALID_INPUT',
      detail: expect.stringContaining('unknown word'),
    }),
  ]);
  expect(text).not.toContain('canary');
});

it('writes one line for what is no request, and for one that is not clear; none for a client that says nothing', async () => {
  const { port, log, gateway } = await openGateway([{ kind: 'http', host: '127.0.0.1', port: 1 }], {
    headerMs: 200,
    maxHeaderBytes: 1024,
  });
  const plain = 'GET http://shop.example/ HTTP/1.1\r\n';
  const lines = [
    ['GARBAGE\r\n\r\n', 400, '-'],
    [`${plain}Host : shop.example\r\n\r\n`, 400, '-'],
    [`${plain}X: ${'x'.repeat(2_000)}\r\n\r\n`, 431, '-'],
    [plain, 408, '-'],
    ['GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n', 400, '-'],
    [`${plain}Host: other.example\r\n\r\n`, 400, 'shop.example:80'],
    ['CONNECT nonsense HTTP/1.1\r\nHost: a\r\n\r\n', 400, '-'],
    ['CONNECT shop.example:443 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400, 'shop.example:443'],
  ] as const;
  for (const [n, [bytes, status, target]] of lines.entries()) {
    const client = await RawClient.connect(port);
    client.write(bytes);
    expect((await client.answer()).status).toBe(status);
    client.socket.end();
    expect(log.slice(n)).toEqual([
      expect.objectContaining({ outcome: 'refused', reason: 'INVALID_INPUT', status, target }),
    ]);
  }
  for (const bytes of ['', plain]) {
    const client = await RawClient.connect(port);
    client.write(bytes);
    client.socket.resetAndDestroy();
    await client.closed;
  }
  await until(() => gateway.stats().connections === 0);
  expect(gateway.stats().refused).toBe(lines.length);
});

it('writes a line for a tunnel that is asked for on a connection that waits for an answer', async () => {
  const silent = await Scripted.start(() => undefined);
  const { port, log } = await openGateway([silent]);
  const client = await RawClient.connect(port);
  client.write('GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n');
  client.write('CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example\r\n\r\n');
  await client.rest();
  await until(() => log.length === 2);
  expect(log.map(({ protocol, outcome }) => [protocol, outcome])).toEqual([
    ['connect', 'refused'],
    ['http', 'aborted'],
  ]);
});

it('gives the lease in the form that another process can report, for each way to come', async () => {
  const upstream = await UpstreamServer.start({ kind: 'http' });
  const target = await TargetServer.start({ kind: 'http' });
  onTestFinished(async () => void (await Promise.all([upstream, target].map((each) => each.close()))));
  const { port, vault, log, ids } = await openGateway([upstream]);
  const to = { host: '127.0.0.1', port: target.port };
  for (const inbound of INBOUND) {
    log.length = 0;
    await get(inbound, port, to);
    await until(() => log.length === 1);
    const [{ lease = '', reason } = {}] = log;
    expect(readTicket(lease, Date.now())).toMatchObject({ proxyId: ids[0] });
    if (inbound === 'connect') expect(reason).toMatch(/^(?:CLIENT|SERVER)_CLOSED$/);
    // As another process does, which does not know the lease.
    vault.pool.reportLease(lease.replace(/^[^.]+/, 'lease-of-another-0-0'), { status: 429 });
    vault.pool.reset(ids);
  }
});
