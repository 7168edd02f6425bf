import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { TEST_CERTIFICATE } from '../../src/cli/commands/tour/loopback/certificate.ts';
import { TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { followPage, readPage } from '../support/page.ts';
import { temporaryFolder } from '../support/temporary.ts';

const hasCurl = spawnSync('curl', ['--version']).status === 0;

/** Ports that nobody uses now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** In place of a server in a terminal of its own: it runs on, and ends when the next one is started. */
const SERVE = [
  'serve() { if [ -f serve.pid ]; then kill "$(cat serve.pid)"; while kill -0 "$(cat serve.pid)" 2>/dev/null; do sleep 0.05; done; fi',
  ': > serve.log; proxyvault serve "$@" > serve.log 2> serve.err & echo $! > serve.pid',
  'until grep -q Listening serve.log; do kill -0 "$(cat serve.pid)" || { cat serve.err >&2; exit 1; }; sleep 0.05; done; cat serve.log; }',
].join('; ');

it.skipIf(!hasCurl)('the page on the gateway does what it says, from top to bottom', async () => {
  const target = await TargetServer.start({ kind: 'https' });
  const resolve = (host: string): TargetServer | null => (host === 'shop.example' ? target : null);
  const login = { username: 'me', password: 's3cret' };
  const http = await UpstreamServer.start({ kind: 'http', login, resolve });
  const socks = await UpstreamServer.start({ kind: 'socks5', resolve });
  const certificate = join(temporaryFolder(), 'ca.pem');
  writeFileSync(certificate, TEST_CERTIFICATE);
  const [main = 0, first = 0, second = 0] = await freePorts(3);
  const page = readPage('docs/gateway.md')
    .replaceAll('gate.example.com:8080', `127.0.0.1:${http.port}`)
    .replaceAll('gate.example.com:1080', `127.0.0.1:${socks.port}`)
    .replaceAll('$ proxyvault serve --db', `$ ${SERVE}; serve --port ${main} --db`)
    .replaceAll('8888', String(main))
    .replaceAll('24001', String(first))
    .replaceAll('24002', String(second))
    // What still runs at the end.
    .concat('\n```console\n$ kill "$(cat serve.pid)"\n```\n');
  onTestFinished(async () => {
    for (const server of [target, http, socks]) await server.close();
  });
  const shown = await followPage(page, { CURL_CA_BUNDLE: certificate });
  expect(shown.length).toBe(20);
  for (const { command, status, stdout, stderr, printed } of shown) {
    // curl, which is answered 407.
    const expected = command.includes('%{http_connect}') ? 56 : 0;
    expect({ command, status, stderr }).toMatchObject({ command, status: expected });
    if (printed !== '') expect({ command, stdout: stdout.trim() }).toEqual({ command, stdout: printed });
  }
  // Each curl but the one without a login has reached the shop.
  expect(target.requests).toBe(8);
  expect(http.seen.tunnels + socks.seen.tunnels).toBe(8);
  const cooling = shown.find(({ command }) => command.includes('--state cooling'));
  expect(cooling?.stdout).toMatch(/shop\.example .* blocked, status 429/);
});
