import { Writable } from 'node:stream';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { readTicket } from '../../src/rotation/index.ts';
import { get, INBOUND } from './inbound.ts';
import { openGateway, until } from './open-gateway.ts';

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
