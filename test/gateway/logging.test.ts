import { Writable } from 'node:stream';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { get } from './inbound.ts';
import { openGateway } from './open-gateway.ts';

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
    expect.objectContaining({ level: 30, outcome: 'refused', status: 407 }),
  ]);
  expect(text).not.toContain('canary');
});
