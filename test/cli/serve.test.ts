import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TEST_CERTIFICATE } from '../../src/cli/commands/tour/loopback/certificate.ts';
import { type Arrived, TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import {
  type UpstreamOptions,
  UpstreamServer,
} from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { commandLine } from '../support/command-line.ts';
import { serving } from '../support/serving.ts';

const LOGIN = { username: 'me', password: 's3cret-of-upstream' };

/** A website that is shop.example for the upstreams, which are proxies of a pool. */
async function world(...kinds: Partial<UpstreamOptions>[]): Promise<{
  cli: ReturnType<typeof commandLine>;
  target: TargetServer;
  upstreams: UpstreamServer[];
}> {
  const target = await TargetServer.start({ kind: 'http' });
  const upstreams: UpstreamServer[] = [];
  for (const options of kinds)
    upstreams.push(
      await UpstreamServer.start({
        kind: 'http',
        resolve: (host) => (host === 'shop.example' ? target : null),
        ...options,
      }),
    );
  onTestFinished(() => Promise.all([target.close(), ...upstreams.map((each) => each.close())]).then());
  const cli = commandLine();
  cli.run(['import', '-'], { input: upstreams.map(({ url }) => url).join('\n') });
  return { cli, target, upstreams };
}

/** A plain request through a gateway. */
async function ask(
  port: number,
  { login, path = '/', host = 'shop.example' }: { login?: string; path?: string; host?: string } = {},
): Promise<IncomingMessage> {
  const headers: Record<string, string> = { Host: host };
  if (login !== undefined) headers['Proxy-Authorization'] = `Basic ${Buffer.from(login).toString('base64')}`;
  const request = httpRequest({
    port,
    host: '127.0.0.1',
    path: `http://${host}${path}`,
    headers,
    agent: false,
  });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

/** Opens a tunnel, and gives its socket and the header of the answer. */
async function tunnel(port: number, authority: string): Promise<{ socket: Socket; header: string }> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return { socket, header: answer.toString() };
}

describe('proxyvault serve', () => {
  it('says where it listens and what the pool has, serves, and ends with exit code 0 at a signal', async () => {
    const { cli, upstreams } = await world({ login: LOGIN }, { kind: 'socks5' });
    const { child, first, port, ended } = await serving(cli, []);
    expect(first).toBe(`Listening on 127.0.0.1:${port} (HTTP, SOCKS5). 2 proxies: 2 ready.`);
    for (let n = 0; n < 2; n++) {
      const { rawHeaders } = (await json(await ask(port))) as Arrived;
      expect(rawHeaders.join(' ')).not.toMatch(/proxy|via|forwarded/i);
    }
    expect(upstreams.map(({ seen }) => seen.requests + seen.tunnels)).toEqual([1, 1]);
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect(code).toBe(0);
    expect(stderr).toMatch(/^Pool: .*\n$/);
  });

  it('says with --json the same in one line', async () => {
    const { cli } = await world({});
    const { first, port, child, ended } = await serving(cli, [
      '--json',
      '--listen',
      '0=country-de,session-a',
    ]);
    expect(JSON.parse(first)).toMatchObject({
      host: '127.0.0.1',
      port,
      url: `http://127.0.0.1:${port}`,
      ports: [{ port: expect.any(Number), identity: { country: 'DE', session: 'a' } }],
      proxies: { total: 1, ready: 1, cooling: 0 },
    });
    child.kill('SIGINT');
    expect(await ended).toEqual({ code: 0, signal: null, stderr: '' });
  });

  it('has a port for each identity', async () => {
    const { cli } = await world({}, {});
    const { lines, child, ended } = await serving(cli, [
      '--listen',
      '0=session-a',
      '--listen',
      '0=country-de,tag-paid',
    ]);
    const [, port = ''] = /^Listening on 127\.0\.0\.1:(\d+) for session a\.$/.exec(await lines()) ?? [];
    expect(await lines()).toMatch(/^Listening on 127\.0\.0\.1:\d+ for country DE, tag paid\.$/);
    expect((await ask(Number(port))).statusCode).toBe(200);
    expect((await ask(Number(port), { login: 'session-b:x' })).statusCode).toBe(407);
    child.kill('SIGHUP');
    expect(await ended).toMatchObject({ code: 0 });
  });

  it('serves an empty pool, and says so on standard error', async () => {
    const cli = commandLine();
    cli.run(['init']);
    const { first, port, child, ended } = await serving(cli, []);
    expect(first).toContain('0 proxies: 0 ready.');
    expect((await ask(port)).statusCode).toBe(503);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, stderr: expect.stringContaining('(EMPTY_POOL)') });
  });

  it.each(['text', 'json'])('logs each request as %s, without a login', async (format) => {
    const { cli, upstreams } = await world({ login: LOGIN });
    const { lines, port, child, ended } = await serving(cli, ['--log', format]);
    await ask(port, { login: 'session-abc:hunter2' });
    const line = await lines();
    const id = cli.json<{ items: { id: string }[] }>('list').items[0]?.id;
    if (format === 'json')
      expect(JSON.parse(line)).toMatchObject({
        level: 'info',
        outcome: 'ok',
        protocol: 'http',
        method: 'GET',
        target: 'shop.example:80',
        session: 'abc',
        proxy: id,
        status: 200,
      });
    else
      expect(line).toMatch(
        new RegExp(
          `^\\S+Z ok http GET shop\\.example:80 \\d+ms status=200 client=\\S+ session=abc .*proxy=${id} `,
        ),
      );
    upstreams[0]?.kill();
    expect((await ask(port)).statusCode).toBe(502);
    const failed = await lines();
    expect(failed).toContain(format === 'json' ? '"kind":"connect"' : `tried=${id}:connect`);
    expect(`${line}${failed}`).not.toMatch(/hunter2|s3cret/);
    child.kill('SIGTERM');
    await ended;
  });
});

describe('the users of serve', () => {
  it.each([
    ['a password on the command line', ['--user', 'alice:p:w'], '', {}, 'LOGIN_VISIBLE'],
    ['standard input', ['--user', 'alice', '--password-stdin'], 'p:w\n', {}, ''],
    ['the environment', ['--user', 'alice'], '', { PROXYVAULT_GATEWAY_PASSWORD: 'p:w' }, ''],
    ['a file', ['--users', 'users.txt'], '', {}, ''],
  ])('come from %s', async (_, args, input, more, warning) => {
    const { cli } = await world({});
    writeFileSync(join(cli.folder, 'users.txt'), '# users\n\nalice:p:w\nbob:other\n', { mode: 0o600 });
    const { port, child, ended } = await serving(cli, args, { input, more });
    const statuses = [];
    for (const login of [undefined, 'alice:wrong', 'alice:p:w', 'alice-session-a:p:w', 'alice-nope-1:p:w'])
      statuses.push((await ask(port, login === undefined ? {} : { login })).statusCode);
    expect(statuses).toEqual([407, 407, 200, 200, 407]);
    child.kill('SIGTERM');
    const { stderr } = await ended;
    expect(stderr.includes('Warning')).toBe(warning !== '');
    expect(stderr).toContain(warning);
    expect(stderr).not.toContain('p:w');
  });

  it('may be hashed in the file', async () => {
    const { cli } = await world({});
    const { stdout } = cli.run(['serve', '--user', 'alice', '--password-stdin', '--print-users'], {
      input: 'pw',
    });
    expect(stdout).toMatch(/^alice:scrypt\$[^\n]+\n$/);
    writeFileSync(join(cli.folder, 'users.txt'), stdout);
    chmodSync(join(cli.folder, 'users.txt'), 0o644);
    const { port, child, ended } = await serving(cli, ['--users', 'users.txt']);
    expect((await ask(port, { login: 'alice:pw' })).statusCode).toBe(200);
    expect((await ask(port, { login: 'alice:pw2' })).statusCode).toBe(407);
    child.kill('SIGTERM');
    expect((await ended).stderr).not.toContain('Warning');
  });

  it('may have limits and tags in the file, as JSON', async () => {
    const { cli } = await world({}, {});
    const [{ id } = { id: '' }] = cli.json<{ items: { id: string }[] }>('list').items;
    cli.run(['edit', id, '--add-tag', 'paid']);
    writeFileSync(
      join(cli.folder, 'plain.txt'),
      '{"name":"alice","password":"pw","maxConnections":1,"tags":["paid"]}\n {"name":"bob","password":"pw:2"}\n',
      { mode: 0o600 },
    );
    const { stdout } = cli.run(['serve', '--users', 'plain.txt', '--print-users']);
    expect(stdout).toMatch(
      /^\{"name":"alice","passwordHash":"scrypt\$[^"]+","maxConnections":1,"tags":\["paid"\]\}\nbob:scrypt\$.*\n$/,
    );
    writeFileSync(join(cli.folder, 'users.txt'), stdout);
    const { port, child, ended, lines } = await serving(cli, ['--users', 'users.txt', '--log', 'json']);
    for (let n = 0; n < 2; n++) {
      expect((await ask(port, { login: 'alice:pw' })).statusCode).toBe(200);
      expect(JSON.parse(await lines())).toMatchObject({ user: 'alice', proxy: id });
    }
    expect((await ask(port, { login: 'bob:pw:2' })).statusCode).toBe(200);
    const held = connect(port, '127.0.0.1');
    const login = Buffer.from('alice:pw').toString('base64');
    held.write(
      `CONNECT shop.example:80 HTTP/1.1\r\nHost: shop.example:80\r\nProxy-Authorization: Basic ${login}\r\n\r\n`,
    );
    await once(held, 'data');
    expect((await ask(port, { login: 'alice:pw' })).statusCode).toBe(429);
    held.destroy();
    child.kill('SIGTERM');
    await ended;
  });

  it('are needed on any address but loopback', () => {
    const { run } = commandLine();
    run(['init']);
    const { status, stderr } = run(['serve', '--host', '0.0.0.0', '--port', '0']);
    expect(status).toBe(1);
    expect(stderr).toContain('needs users');
  });

  it('are rejected without a password, and without a word of it', () => {
    const { run, folder } = commandLine();
    run(['init']);
    writeFileSync(join(folder, 'users.txt'), 'alice:hunter2\nhunter3\n', { mode: 0o600 });
    writeFileSync(join(folder, 'twice.txt'), 'alice:hunter2\nalice:hunter3\n', { mode: 0o600 });
    writeFileSync(join(folder, 'broken.txt'), '{"name":"alice","password":hunter2}\n', { mode: 0o600 });
    writeFileSync(
      join(folder, 'wrong.txt'),
      'bob:hunter2\n{"name":"alice","password":"hunter2","maxConnections":0}\n',
      { mode: 0o600 },
    );
    writeFileSync(join(folder, 'empty.txt'), '# none\n', { mode: 0o600 });
    writeFileSync(join(folder, 'open.txt'), 'alice:hunter2\n');
    chmodSync(join(folder, 'open.txt'), 0o644);
    for (const [args, message] of [
      [['--user', 'alice'], 'has no password'],
      [['--user', 'alice', '--user', 'bob', '--password-stdin'], 'use --users FILE'],
      [['--users', 'users.txt'], 'Line 2 of users.txt'],
      [['--users', 'broken.txt'], 'Line 1 of broken.txt: It begins with "{" and is no JSON'],
      [['--users', 'wrong.txt'], 'Line 2 of wrong.txt'],
      [['--users', 'twice.txt'], 'two have the same name'],
      [['--users', 'empty.txt'], 'has no users'],
      [['--users', 'missing.txt'], 'cannot be read'],
    ] as const) {
      const { status, stderr } = run(['serve', '--port', '0', ...args]);
      expect({ args, status, stderr }).toEqual({ args, status: 1, stderr: expect.stringContaining(message) });
      expect(stderr).not.toMatch(/hunter/);
    }
    const { stderr } = run(['serve', '--users', 'open.txt', '--print-users']);
    expect(stderr).toContain('(OPEN_USERS)');
  });
});

describe('what serve is told', () => {
  it('denies targets on this machine unless they are allowed', async () => {
    const { cli, target } = await world({});
    const host = `127.0.0.1:${target.port}`;
    for (const [args, status] of [
      [[], 403],
      [['--allow-target', host], 200],
      [['--allow-target', '10.0.0.1', '--allow-target', '127.0.0.0/8'], 200],
      [['--allow-private-targets'], 200],
    ] as const) {
      const { port, child, ended } = await serving(cli, args);
      expect((await ask(port, { host })).statusCode).toBe(status);
      child.kill('SIGTERM');
      await ended;
    }
  });

  it('trusts the certificates of --ca', async () => {
    const { cli } = await world({ kind: 'https' });
    writeFileSync(join(cli.folder, 'ca.pem'), TEST_CERTIFICATE);
    const trusting = await serving(cli, ['--ca', 'ca.pem', '--via', '--forwarded-for']);
    const { rawHeaders } = (await json(await ask(trusting.port))) as Arrived;
    expect(rawHeaders.join(' ')).toMatch(
      /via.*x-forwarded-for 127\.0\.0\.1|x-forwarded-for 127\.0\.0\.1.*via/i,
    );
    const other = await serving(cli, ['--attempts', '1']);
    const refused = await ask(other.port);
    expect([refused.statusCode, await text(refused)]).toEqual([502, expect.stringContaining('"kind":"tls"')]);
  });

  it('says which port is in use, and what to do', async () => {
    const { run } = commandLine();
    run(['init']);
    const other = createServer();
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    for (const args of [
      ['--port', String(port)],
      ['--port', '0', '--listen', `${port}=session-a`],
    ]) {
      const { status, stdout, stderr } = run(['serve', ...args]);
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toMatch(new RegExp(`port ${port}: another program uses it.*\\(CANNOT_LISTEN\\)`));
    }
  });

  it('is used wrongly', () => {
    const { run } = commandLine();
    for (const [args, message] of [
      [['--port', '70000'], 'at most 65535'],
      [['--listen', '24001=nope-1'], 'unknown word'],
      [['--listen', 'x'], 'not valid'],
      [['--deadline', '30'], 'It must be a number with ms, s, m'],
      [['--log', 'xml'], 'text, json'],
      [['--drain', '30d'], 'at most 24 days'],
      [['--reuse', 'always'], 'identity, never'],
    ] as const)
      expect(run(['serve', ...args])).toMatchObject({ status: 2, stderr: expect.stringContaining(message) });
  });
});

describe('the end of serve', () => {
  it('waits for open tunnels, takes no new ones, and closes what is left after --drain', async () => {
    const { cli } = await world({});
    const { port, child, ended } = await serving(cli, ['--drain', '30s']);
    const { socket, header } = await tunnel(port, 'shop.example:80');
    expect(header).toMatch(/^HTTP\/1\.1 200 .*\r\nX-Proxyvault-Lease: lease-/);
    child.kill('SIGTERM');
    // A connection is refused as soon as the signal was handled.
    for (let isOpen = true; isOpen; ) {
      const probe = connect(port, '127.0.0.1');
      isOpen = await Promise.race([
        once(probe, 'connect').then(() => true),
        once(probe, 'close').then(() => false),
      ]).catch(() => false);
      probe.destroy();
    }
    socket.write('GET /late HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n');
    expect(await text(socket)).toContain('"url":"/late"');
    expect(await ended).toMatchObject({ code: 0, stderr: expect.stringContaining('SIGTERM: waiting up to') });

    const short = await serving(cli, ['--drain', '100ms']);
    const hanging = await tunnel(short.port, 'shop.example:80');
    const since = performance.now();
    short.child.kill('SIGINT');
    await once(hanging.socket, 'close');
    // Without --drain it would be 10 seconds.
    expect(performance.now() - since).toBeLessThan(8_000);
    expect(await short.ended).toMatchObject({ code: 0 });
  });

  it('comes at once with a second signal', async () => {
    const { cli } = await world({});
    const { port, child, until, ended } = await serving(cli, ['--drain', '1h']);
    await tunnel(port, 'shop.example:80');
    child.kill('SIGTERM');
    await until('waiting up to');
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: null, signal: 'SIGTERM' });
  });
});
