import { createServer } from 'node:net';
import { openVault } from 'proxyvault';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { get, tunnel } from './inbound.ts';
import { type OpenedGateway, openGateway, until } from './open-gateway.ts';
import { RawClient } from './raw-client.ts';

const CLOSED = expect.objectContaining({ code: 'CLOSED' });

async function opened(): Promise<OpenedGateway & { to: { host: string; port: number } }> {
  const upstream = await UpstreamServer.start({ kind: 'http' });
  const target = await TargetServer.start({ kind: 'http' });
  onTestFinished(async () => void (await Promise.all([upstream, target].map((each) => each.close()))));
  return { ...(await openGateway([upstream])), to: { host: '127.0.0.1', port: target.port } };
}

describe('a gateway that is closed at once', () => {
  it('has reported the tunnels that it ends', async () => {
    const { gateway, vault, port, to, outcomes } = await opened();
    for (let n = 0; n < 5; n++) {
      const { client } = await tunnel('connect', port, to);
      client.write('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n');
      await client.until('\r\n\r\n');
    }
    await gateway.close({ drainMs: 0 });
    expect(gateway.stats()).toMatchObject({ tunnels: 0, running: 0, ok: 5, failed: 0 });
    expect(outcomes()).toEqual({ requests: 5, successes: 5, failures: 0 });
    expect(vault.pool.stats().leases).toBe(0);
  });

  it('has reported them also if it is the vault that is closed', async () => {
    const { vault, port, to } = await opened();
    const { path } = vault.database;
    const { client } = await tunnel('socks5', port, to);
    client.write('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n');
    await client.until('\r\n\r\n');
    await vault.close();
    await using again = await openVault({ path, keyFile: `${path}.key` });
    expect(again.usage.totals()).toMatchObject({ requestCount: 1, successCount: 1 });
  });

  it('blames no proxy for requests that have no answer yet', async () => {
    const hanging = createServer((socket) => void socket.on('error', () => undefined).resume());
    await new Promise<void>((done) => hanging.listen(0, '127.0.0.1', done));
    onTestFinished(() => void hanging.close());
    const { port: at } = hanging.address() as { port: number };
    const { gateway, port, outcomes, log } = await openGateway([
      { kind: 'http', host: '127.0.0.1', port: at },
      { kind: 'http', host: '127.0.0.1', port: at, login: { username: 'another', password: '' } },
    ]);
    const client = await RawClient.connect(port);
    client.write('GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n');
    await until(() => gateway.stats().running === 1);
    await gateway.close({ drainMs: 0 });
    expect(log).toEqual([expect.objectContaining({ outcome: 'aborted', tried: [] })]);
    expect(outcomes()).toEqual({ requests: 0, successes: 0, failures: 0 });
  });

  it('listens no more, whoever asks meanwhile', async () => {
    const { gateway, vault } = await opened();
    const closing = gateway.close({ drainMs: 0 });
    await expect(gateway.listen({ session: 'a' })).rejects.toEqual(CLOSED);
    await closing;
    const other = await vault.serve({ port: 0 });
    const listening = other.listen({ session: 'a' });
    await other.close({ drainMs: 0 });
    await expect(listening).rejects.toEqual(CLOSED);
    const serving = vault.serve({ port: 0 });
    await vault.close();
    await expect(serving).rejects.toEqual(CLOSED);
    await expect(vault.serve({ port: 0 })).rejects.toEqual(CLOSED);
  });

  it('waits for nobody who has sent nothing', async () => {
    const { gateway, port } = await opened();
    const silent = await RawClient.connect(port);
    await until(() => gateway.stats().connections === 1);
    await gateway.close({ drainMs: 60_000 });
    expect(await silent.until('nothing')).toBe('');
  });
});

it('a logger that throws harms nobody', async () => {
  const warnings: string[] = [];
  const note = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  const upstream = await UpstreamServer.start({ kind: 'http' });
  const target = await TargetServer.start({ kind: 'http' });
  onTestFinished(async () => void (await Promise.all([upstream, target].map((each) => each.close()))));
  const fail = (): never => {
    throw new TypeError('canary');
  };
  const { port } = await openGateway([upstream], { logger: { info: fail, warn: fail } });
  expect((await get('http', port, { host: '127.0.0.1', port: target.port })).status).toBe(200);
  await until(() => warnings.length > 0);
  expect(warnings).toEqual(['The logger of the gateway has thrown: TypeError.']);
});

it('a client that does not read what is left of a tunnel is closed when it has been idle', async () => {
  const sends = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined).resume();
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.end(Buffer.alloc(4_000_000));
    });
  });
  await new Promise<void>((done) => sends.listen(0, '127.0.0.1', done));
  onTestFinished(() => void sends.close());
  const { port: at } = sends.address() as { port: number };
  const { gateway, port, vault } = await openGateway([{ kind: 'http', host: '127.0.0.1', port: at }], {
    idleMs: 300,
  });
  const { client } = await tunnel('connect', port, { host: 'shop.example', port: 80 });
  client.write('x');
  client.socket.end();
  client.socket.pause();
  await until(() => gateway.stats().tunnels === 0);
  expect(vault.pool.stats().leases).toBe(0);
});

it('a client that keeps sending after it was refused is closed all the same', async () => {
  const { port } = await opened();
  const client = await RawClient.connect(port);
  client.write('CONNECT nonsense HTTP/1.1\r\nHost: nonsense\r\n\r\n');
  const timer = setInterval(() => client.socket.writable && client.write('x'), 100);
  onTestFinished(() => clearInterval(timer));
  await client.closed;
});

describe('logins that cannot be used', () => {
  it('are passed over for some proxies, and then the client is told which word is missing', async () => {
    const path = `${temporaryFolder()}/pool.db`;
    await using vault = await openVault({ path, keyFile: `${path}.key` });
    await vault.import(
      Array.from({ length: 50 }, (_, n) => `http://me-{country}:pw@127.0.0.1:${n + 1}`).join('\n'),
    );
    const gateway = await vault.serve({ port: 0 });
    const { status, body } = await get('http', gateway.port, { host: 'shop.example' });
    expect({ status, body: JSON.parse(body) }).toMatchObject({
      status: 503,
      body: { error: { code: 'INVALID_INPUT', message: expect.stringContaining('{country}') } },
    });
    expect(vault.pool.stats().leases).toBe(0);
  });
});

it('CONNECT with the Host of another target is refused', async () => {
  const { gateway, port, to } = await opened();
  const ask = async (host: string): Promise<string> => {
    const client = await RawClient.connect(port);
    client.write(`CONNECT 127.0.0.1:${to.port} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const status = (await client.until('\r\n')).slice(9, 12);
    client.socket.destroy();
    await until(() => gateway.stats().connections === 0);
    return status;
  };
  expect(await ask(`127.0.0.1:${to.port}`)).toBe('200');
  expect(await ask('127.0.0.1')).toBe('200');
  expect(await ask(`other.example:${to.port}`)).toBe('400');
  expect(await ask('127.0.0.1:1')).toBe('400');
});

it('a request that no proxy served says what was tried and what excluded the others; users learn no address', async () => {
  const upstream = await UpstreamServer.start({ kind: 'http' });
  onTestFinished(() => upstream.close());
  await upstream.behave('refuse');
  const login = { username: 'another', password: '' };
  const proxies = [upstream, { kind: 'http' as const, host: '127.0.0.1', port: upstream.port, login }];
  const { port, vault, ids } = await openGateway(proxies, { attempts: 1 });
  vault.proxies.update(ids[1] ?? '', { status: 'disabled' });
  const { status, body } = await get('connect', port, { host: 'shop.example' });
  expect(status).toBe(502);
  expect(JSON.parse(body).error).toMatchObject({
    code: 'PROXY_FAILED',
    message: expect.stringContaining(`127.0.0.1:${upstream.port}`),
    tried: [{ proxy: ids[0], kind: 'connect' }],
    excluded: { 'not disabled': 1, 'not cooling': 1 },
  });
  vault.pool.reset(ids);
  const users = [{ name: 'alice', password: 'pw' }];
  const guarded = await vault.serve({ port: 0, users, attempts: 1 });
  const as = { username: 'alice', password: 'pw' };
  const answer = await get('http', guarded.port, { host: 'shop.example' }, as);
  expect(JSON.parse(answer.body).error).toMatchObject({ message: 'The proxy did not connect.' });
  expect(answer.body).not.toContain(String(upstream.port));
});
