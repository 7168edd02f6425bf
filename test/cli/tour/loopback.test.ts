import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as netConnect, type Socket } from 'node:net';
import { buffer, json, text } from 'node:stream/consumers';
import { connect as tlsConnect } from 'node:tls';
import { SocksClient } from 'socks';
import { describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { TEST_CERTIFICATE } from '../../../src/cli/commands/tour/loopback/certificate.ts';
import { type Arrived, TargetServer } from '../../../src/cli/commands/tour/loopback/target-server.ts';
import {
  type UpstreamKind,
  type UpstreamOptions,
  UpstreamServer,
} from '../../../src/cli/commands/tour/loopback/upstream-server.ts';

const KINDS: readonly UpstreamKind[] = ['http', 'https', 'socks4', 'socks5'];
const LOGIN = { username: 'me', password: 'p@ss:w%rd' };

async function start(
  options: UpstreamOptions,
  kind: 'http' | 'https' = 'http',
): Promise<{ upstream: UpstreamServer; target: TargetServer }> {
  const target = await TargetServer.start({ kind });
  const resolve = (host: string): { host: string; port: number } | null =>
    host === 'shop.example' ? target : null;
  const upstream = await UpstreamServer.start({ resolve, ...options });
  onTestFinished(async () => {
    await upstream.close();
    await target.close();
    expect([upstream.open, target.open]).toEqual([0, 0]);
  });
  return { upstream, target };
}

/** A connection to the proxy itself. */
async function dial({ kind, host, port }: UpstreamServer): Promise<Socket> {
  const raw = netConnect({ host, port, allowHalfOpen: true });
  await once(raw, 'connect');
  if (kind !== 'https') return raw;
  const secure = tlsConnect({ socket: raw, ca: TEST_CERTIFICATE, servername: '' });
  await once(secure, 'secureConnect');
  return secure;
}

/** A tunnel through any kind of upstream; with the login of the upstream, or another one. */
async function tunnel(
  upstream: UpstreamServer,
  host: string,
  port: number,
  login = upstream.login,
): Promise<Socket> {
  const { kind } = upstream;
  if (kind === 'socks4' || kind === 'socks5') {
    const proxy = {
      host: upstream.host,
      port: upstream.port,
      type: kind === 'socks4' ? (4 as const) : (5 as const),
      ...(login === null ? {} : { userId: login.username, password: login.password }),
    };
    return (await SocksClient.createConnection({ proxy, command: 'connect', destination: { host, port } }))
      .socket;
  }
  const socket = await dial(upstream);
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const auth = Buffer.from(`${login?.username}:${login?.password}`).toString('base64');
  socket.write(
    `CONNECT ${address} HTTP/1.1\r\nHost: ${address}\r\n${login === null ? '' : `Proxy-Authorization: Basic ${auth}\r\n`}\r\n`,
  );
  // So that it flows when the client of it reads.
  await once(socket, 'readable');
  const answer = String(socket.read());
  if (!answer.startsWith('HTTP/1.1 200')) throw new Error(answer);
  return socket;
}

/** Asks a target over a connection to it. */
async function ask(socket: Socket, path: string, body = ''): Promise<Arrived> {
  const request = httpRequest({ createConnection: () => socket, path, method: 'POST', host: 'shop.example' });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return (await json(response)) as Arrived;
}

/** A plain request in absolute form. */
async function askPlainly(upstream: UpstreamServer, url: string): Promise<IncomingMessage> {
  const socket = await dial(upstream);
  const { username, password } = upstream.login ?? { username: '', password: '' };
  const request = httpRequest({
    createConnection: () => socket,
    path: url,
    headers: {
      Host: 'shop.example',
      'Proxy-Authorization': `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
    },
  });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

describe.each(KINDS)('an upstream of kind %s', (kind) => {
  it.each([
    ['a name', 'shop.example'],
    ['an address', '127.0.0.1'],
  ])('opens a tunnel to %s, and counts it', async (_, host) => {
    const { upstream, target } = await start({ kind, login: LOGIN });
    const socket = await tunnel(upstream, host, target.port);
    const arrived = await ask(socket, '/cart', 'a body');
    expect(arrived).toMatchObject({
      method: 'POST',
      url: '/cart',
      bodyLength: 6,
      bodySha256: createHash('sha256').update('a body').digest('hex'),
    });
    const { connections, tunnels, targets, logins, bytesUp, bytesDown } = upstream.seen;
    expect({ connections, tunnels }).toEqual({ connections: 1, tunnels: 1 });
    expect([...targets]).toEqual([[`${host}:${target.port}`, 1]]);
    expect([...logins]).toEqual([['me', 1]]);
    expect(Math.min(bytesUp, bytesDown)).toBeGreaterThan(80);
    expect([target.requests, upstream.open]).toEqual([1, 1]);
    socket.destroy();
  });

  it('carries TLS to the target, and a WebSocket', async () => {
    const { upstream, target } = await start({ kind }, 'https');
    const socket = await tunnel(upstream, 'shop.example', target.port);
    const socketOptions = { socket, ca: TEST_CERTIFICATE, servername: 'shop.example' };
    const client = new WebSocket('wss://shop.example/', {
      createConnection: () => tlsConnect(socketOptions),
    });
    await once(client, 'open');
    for (const message of ['hello', 'x'.repeat(70_000), 'y'.repeat(300)]) {
      client.send(message);
      expect(String((await once(client, 'message'))[0])).toBe(message);
    }
    client.close();
    await once(client, 'close');
  });

  it('rejects a wrong login, and a host that nobody knows', async () => {
    const { upstream, target } = await start({ kind, login: LOGIN });
    await expect(
      tunnel(upstream, 'shop.example', target.port, { username: 'you', password: 'x' }),
    ).rejects.toThrow();
    await expect(tunnel(upstream, 'elsewhere.example', 443)).rejects.toThrow();
    await expect(tunnel(upstream, '192.0.2.1', 443)).rejects.toThrow();
    expect(upstream.seen).toMatchObject({ rejectedLogins: 1, tunnels: 0, connections: 3 });
  });

  it('refuses, and comes back on the same port', async () => {
    const { upstream, target } = await start({ kind });
    const { port } = upstream;
    const socket = await tunnel(upstream, 'shop.example', target.port);
    upstream.kill();
    await once(socket.resume(), 'end');
    socket.destroy();
    await expect(tunnel(upstream, 'shop.example', target.port)).rejects.toThrow('ECONNREFUSED');
    await upstream.behave('work');
    expect(upstream.port).toBe(port);
    expect(await ask(await tunnel(upstream, 'shop.example', target.port), '/')).toMatchObject({ url: '/' });
  });

  it('hangs, resets, half-closes and answers garbage', async () => {
    const { upstream } = await start({ kind });
    const hello =
      kind === 'socks5'
        ? Buffer.of(5, 1, 0)
        : kind === 'socks4'
          ? Buffer.of(4, 1, 0, 80, 127, 0, 0, 1, 0)
          : 'CONNECT shop.example:1 HTTP/1.1\r\nHost: shop.example:1\r\n\r\n';
    await upstream.behave('hang');
    const hanging = await dial(upstream);
    hanging.write(hello);
    await upstream.behave('garbage');
    const garbled = await dial(upstream);
    garbled.write(hello);
    expect((await buffer(garbled)).toString('latin1')).toContain('no answer of any protocol');
    await upstream.behave('half-close');
    const half = await dial(upstream);
    half.write(hello);
    expect(await buffer(half)).toHaveLength(0);
    expect(upstream.open).toBeGreaterThanOrEqual(2);
    await upstream.behave('reset');
    const broken = await dial(upstream);
    broken.write(hello);
    await expect(buffer(broken)).rejects.toThrow('ECONNRESET');
    expect(hanging.bytesRead < 3000 && !hanging.destroyed).toBe(true);
    for (const socket of [hanging, garbled, half]) socket.destroy();
  });

  it.each(['reset', 'half-close'] as const)('%s in the middle of an answer', async (behaviour) => {
    const { upstream, target } = await start({ kind });
    await upstream.behave(behaviour, { after: 1000 });
    const socket = await tunnel(upstream, 'shop.example', target.port);
    socket.write('GET /bytes/500000 HTTP/1.1\r\nHost: shop.example\r\n\r\n');
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
    });
    if (behaviour === 'reset') await expect(once(socket, 'end')).rejects.toThrow('ECONNRESET');
    else await once(socket, 'end');
    expect(received).toBeLessThanOrEqual(1000);
    socket.destroy();
  });

  it('answers with a status', async () => {
    const { upstream } = await start({ kind });
    await upstream.behave('status', { status: kind.startsWith('http') ? 429 : 2, retryAfter: '7' });
    const message = {
      http: /429[\s\S]*Retry-After: 7/,
      https: /429[\s\S]*Retry-After: 7/,
      socks4: /Socks4/,
      socks5: /NotAllowed/,
    };
    await expect(tunnel(upstream, 'shop.example', 443)).rejects.toThrow(message[kind]);
  });
});

describe.each(['http', 'https'] as const)('plain requests through an upstream of kind %s', (kind) => {
  it('leave without what was for the proxy', async () => {
    const { upstream, target } = await start({ kind, login: LOGIN });
    const response = await askPlainly(upstream, `http://shop.example:${target.port}/a?b=c`);
    expect(response.statusCode).toBe(200);
    const { url, rawHeaders } = (await json(response)) as Arrived;
    expect([url, rawHeaders.join(' ')]).toEqual(['/a?b=c', expect.not.stringMatching(/proxy-auth/i)]);
    expect(upstream.seen).toMatchObject({ requests: 1, tunnels: 0 });
    expect([...upstream.seen.logins]).toEqual([['me', 1]]);
  });

  it('have the status of the target, and of the upstream', async () => {
    const { upstream, target } = await start({ kind });
    const url = `http://shop.example:${target.port}`;
    const blocked = await askPlainly(upstream, `${url}/status/429?retry-after=3`);
    expect([blocked.statusCode, blocked.headers['retry-after']]).toEqual([429, '3']);
    target.status = 503;
    target.retryAfter = '9';
    const down = await askPlainly(upstream, `${url}/`);
    expect([down.statusCode, down.headers['retry-after']]).toEqual([503, '9']);
    await upstream.behave('status', { status: 502 });
    expect((await askPlainly(upstream, `${url}/`)).statusCode).toBe(502);
    await upstream.behave('reset', { after: 10 });
    await expect(text(await askPlainly(upstream, `${url}/bytes/100000`))).rejects.toThrow();
    for (const response of [blocked, down]) response.resume();
  });

  it('may upgrade', async () => {
    const { upstream, target } = await start({ kind });
    const socket = await dial(upstream);
    socket.write(
      `GET http://shop.example:${target.port}/ HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    socket.write(Buffer.of(0x81, 0x82, 1, 2, 3, 4, 0x69, 0x6b));
    expect((await once(socket, 'data'))[0]).toEqual(Buffer.of(0x81, 2, 0x68, 0x69));
    socket.destroy();
  });
});

it('IPv6: upstreams, and targets', async () => {
  const target = await TargetServer.start({ kind: 'http', host: '::1' });
  onTestFinished(() => target.close());
  for (const kind of ['http', 'socks5'] as const) {
    await using upstream = await UpstreamServer.start({ kind, host: '::1' });
    expect(upstream.url).toContain(`//[::1]:${upstream.port}`);
    const socket = await tunnel(upstream, '::1', target.port);
    expect(await ask(socket, '/')).toMatchObject({ url: '/' });
    expect([...upstream.seen.targets.keys()]).toEqual([`[::1]:${target.port}`]);
    socket.destroy();
  }
});
