/** Programs of Debian as clients and as proxies: what they say, and not only what we say. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SocksClient } from 'socks';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { TEST_CERTIFICATE } from '../../src/cli/commands/tour/loopback/certificate.ts';
import { type Arrived, TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { expectNothingLeft, openGateway } from './open-gateway.ts';
import { ifInstalled, PEERS } from './peers.ts';

const run = promisify(execFile);

function titled({ name, program }: (typeof PEERS)[number]): { title: string; skip: boolean } {
  const { skip, word } = ifInstalled('curl', program);
  return { title: name + word, skip };
}

/** How curl comes to the gateway with a login; SOCKS4 has no passwords. */
const WAYS: readonly (readonly [name: string, scheme: string, ...args: string[]])[] = [
  ['plain HTTP and CONNECT', 'http'],
  ['CONNECT', 'http', '--proxytunnel'],
  ['SOCKS5 with names', 'socks5h'],
  ['SOCKS5 with addresses', 'socks5'],
];

async function targets() {
  const [http, https, six] = await Promise.all([
    TargetServer.start({ kind: 'http' }),
    TargetServer.start({ kind: 'https' }),
    TargetServer.start({ kind: 'http', host: '::1' }),
  ]);
  onTestFinished(async () => void (await Promise.all([http, https, six].map((target) => target.close()))));
  return { http, https, six };
}

type To = Pick<TargetServer, 'host' | 'port'>;

async function connectTunnel(gateway: number, { host, port }: To): Promise<Socket> {
  const path = `${host}:${port}`;
  const asking = request({
    host: '127.0.0.1',
    port: gateway,
    method: 'CONNECT',
    path,
    headers: { host: path },
  }).end();
  const [, socket] = (await once(asking, 'connect')) as [unknown, Socket];
  return socket;
}

async function socksTunnel(gateway: number, { host, port }: To): Promise<Socket> {
  const proxy = { host: '127.0.0.1', port: gateway, type: 5 } as const;
  const { socket } = await SocksClient.createConnection({
    proxy,
    command: 'connect',
    destination: { host, port },
  });
  return socket;
}

describe.each(PEERS.map((peer) => ({ ...peer, ...titled(peer) })))('through $title', ({ start, skip }) => {
  it.skipIf(skip)('curl gets pages of HTTP, HTTPS and IPv6, in each way it can', async () => {
    const proxy = await start();
    const { http, https, six } = await targets();
    const opened = await openGateway([proxy], { users: [{ name: 'me', password: 'x' }], reuse: 'never' });
    const certificate = join(temporaryFolder(), 'cert.pem');
    writeFileSync(certificate, TEST_CERTIFICATE);
    const body = 'q=1&r=2';
    let asked = 0;
    for (const [name, scheme, ...args] of WAYS) {
      // curl 7.88 forgets the brackets of an IPv6 address in Host on a connection that it uses again.
      const batches = [[http.url, https.url], proxy.kind === 'socks4' ? [] : [six.url]];
      for (const urls of batches.filter(({ length }) => length > 0)) {
        const common = ['-sS', '--max-time', '20', '--cacert', certificate, '-d', body, ...args];
        const way = ['-U', 'me-session-a:x', '-x', `${scheme}://127.0.0.1:${opened.port}`];
        const { stdout } = await run('curl', [...common, ...way, ...urls]);
        const pages = stdout.trim().split('\n');
        expect({ name, pages: pages.length }).toEqual({ name, pages: urls.length });
        for (const page of pages) {
          const { method, bodyLength, rawHeaders = [] } = JSON.parse(page) as Partial<Arrived>;
          expect({ name, method, bodyLength }).toEqual({ name, method: 'POST', bodyLength: body.length });
          expect(rawHeaders.join('\n')).not.toMatch(/proxy-|session-a/i);
        }
        asked += urls.length;
      }
    }
    await expectNothingLeft(opened, asked);
    expect(new Set(opened.log.map(({ outcome, user, session }) => `${outcome} ${user} ${session}`))).toEqual(
      new Set(['ok me a']),
    );
    expect(opened.outcomes()).toEqual({ requests: asked, successes: asked, failures: 0 });
  });

  it.skipIf(skip)('curl speaks SOCKS4, and a WebSocket lives in a tunnel', async () => {
    const proxy = await start();
    const { http } = await targets();
    const opened = await openGateway([proxy], { reuse: 'never' });
    for (const scheme of ['socks4', 'socks4a']) {
      const { stdout } = await run('curl', [
        '-sS',
        '-x',
        `${scheme}://session-a@127.0.0.1:${opened.port}`,
        http.url,
      ]);
      expect((JSON.parse(stdout) as Arrived).method).toBe('GET');
    }
    for (const inbound of ['connect', 'socks5'] as const) {
      const tunnel = await (inbound === 'connect' ? connectTunnel : socksTunnel)(opened.port, http);
      const socket = new WebSocket(http.url.replace('http', 'ws'), { createConnection: () => tunnel });
      const answer = await new Promise((resolve, reject) => {
        socket.once('open', () => socket.send('hello'));
        socket.once('message', (data) => resolve(String(data))).once('error', reject);
      });
      expect(answer).toBe('hello');
      socket.close();
      await new Promise((resolve) => void socket.once('close', resolve));
    }
    await expectNothingLeft(opened, 4);
    expect(opened.outcomes()).toEqual({ requests: 4, successes: 4, failures: 0 });
  });
});
