import { createHash } from 'node:crypto';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type UpstreamKind, UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import type { GatewayOptions } from '../../src/gateway/index.ts';
import { TUNNELS, tunnel } from './inbound.ts';
import { expectNothingLeft, openGateway, until } from './open-gateway.ts';
import { RawClient } from './raw-client.ts';
import { answering, Scripted } from './scripted.ts';

const KINDS = ['http', 'https', 'socks5', 'socks4'] as const satisfies readonly UpstreamKind[];
const WAYS = KINDS.flatMap((proxy) => TUNNELS.map((inbound) => ({ proxy, inbound })));
/** Each way in, and each way out. */
const SOME_WAYS = WAYS.filter(({ proxy, inbound }) => proxy === 'socks5' || inbound === 'connect');
/** More than the buffers on the way hold. */
const SIZE = 3_000_000;
const BYTES = Buffer.alloc(SIZE);
for (let at = 0; at < SIZE; at += 4) BYTES.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
const hashOf = (bytes: Buffer | string): string =>
  createHash('sha256')
    .update(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    .digest('hex');

/** A target that does with each connection what a function says. */
async function startTarget(serve: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    serve(socket);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

async function opened(kind: UpstreamKind, options: GatewayOptions = {}) {
  const upstream = await UpstreamServer.start({ kind });
  onTestFinished(() => upstream.close());
  return openGateway([upstream], { reuse: 'never', ...options });
}

describe('a tunnel', () => {
  it.each(WAYS)(
    'lives on when the client has ended its half: $inbound, $proxy',
    async ({ proxy, inbound }) => {
      // It answers once it has everything.
      const port = await startTarget((socket) => {
        let size = 0;
        socket.on('data', (bytes) => {
          size += bytes.length;
        });
        socket.once('end', () => {
          socket.write(`${size} `);
          socket.end(BYTES);
        });
      });
      const gateway = await opened(proxy);
      const { client } = await tunnel(inbound, gateway.port, { host: '127.0.0.1', port });
      client.socket.end(BYTES);
      const answer = await client.rest();
      expect(answer.slice(0, 8)).toBe(`${SIZE} `);
      expect(hashOf(answer.slice(8))).toBe(hashOf(BYTES));
      await expectNothingLeft(gateway, 1);
      expect(gateway.log[0]).toMatchObject({ outcome: 'ok', bytesOut: SIZE, bytesIn: SIZE + 8 });
      expect(gateway.outcomes()).toEqual({ requests: 1, successes: 1, failures: 0 });
    },
  );

  it.each(WAYS)(
    'lives on when the target has ended its half: $inbound, $proxy',
    async ({ proxy, inbound }) => {
      let size = 0;
      let isEnded = false;
      const port = await startTarget((socket) => {
        socket.end('bye');
        socket.on('data', (bytes) => {
          size += bytes.length;
        });
        socket.once('end', () => {
          isEnded = true;
        });
      });
      const gateway = await opened(proxy);
      const { client } = await tunnel(inbound, gateway.port, { host: '127.0.0.1', port });
      expect(await client.rest()).toBe('bye');
      client.socket.end(BYTES);
      await until(() => isEnded, 'the end at the target');
      expect(size).toBe(SIZE);
      await expectNothingLeft(gateway, 1);
      expect(gateway.log[0]).toMatchObject({ outcome: 'ok', bytesOut: SIZE, bytesIn: 3 });
    },
  );

  it.each(TUNNELS)('that breaks at the target never looks whole to the client: %s', async (inbound) => {
    const proxy = await Scripted.start(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.write('HTTP/1.1 200 OK\r\n\r\n');
      await peer.until('hello');
      peer.socket.write('part', () => peer.socket.resetAndDestroy());
    });
    const gateway = await openGateway([proxy]);
    const { client } = await tunnel(inbound, gateway.port, { host: 'shop.example' });
    client.write('hello');
    await client.closed;
    expect(client.error).toBe('ECONNRESET');
    await expectNothingLeft(gateway, 1);
  });

  it.each(TUNNELS)('that breaks at the client never looks whole to the target: %s', async (inbound) => {
    const proxy = await Scripted.start(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.write('HTTP/1.1 200 OK\r\n\r\n');
    });
    const gateway = await openGateway([proxy]);
    const { client } = await tunnel(inbound, gateway.port, { host: 'shop.example' });
    client.write('hello');
    await until(() => proxy.peers[0]?.received === 'hello', 'bytes at the target');
    client.socket.resetAndDestroy();
    await proxy.peers[0]?.closed;
    expect(proxy.peers[0]?.error).toBe('ECONNRESET');
    await expectNothingLeft(gateway, 1);
  });
});

describe('a side that reads nothing', () => {
  /** Writes for ever, as fast as it is taken, and counts. */
  function pour(socket: Socket, count: (bytes: number) => void): void {
    const piece = Buffer.alloc(65_536, 'x');
    const more = (): void => {
      while (!socket.destroyed) {
        count(piece.length);
        if (!socket.write(piece)) break;
      }
    };
    socket.on('drain', more);
    more();
  }

  /** Waits until a number has not changed for some time. */
  async function still(value: () => number): Promise<number> {
    let last = value();
    let since = performance.now();
    await until(() => {
      if (value() !== last) {
        last = value();
        since = performance.now();
      }
      return last > 0 && performance.now() - since > 150;
    }, 'a stop');
    return last;
  }

  /** What the kernel holds on each of the ways between, and the gateway and the upstream besides. */
  const MOST = 40_000_000;

  it.each(SOME_WAYS)('stops the target in bounded memory: $inbound, $proxy', async ({ proxy, inbound }) => {
    let sent = 0;
    const port = await startTarget((socket) => {
      pour(socket, (bytes) => {
        sent += bytes;
      });
    });
    const gateway = await opened(proxy);
    const { client } = await tunnel(inbound, gateway.port, { host: '127.0.0.1', port });
    client.socket.pause();
    expect(await still(() => sent)).toBeLessThan(MOST);
    client.socket.destroy();
    await expectNothingLeft(gateway, 1);
  });

  it.each(SOME_WAYS)('stops the client in bounded memory: $inbound, $proxy', async ({ proxy, inbound }) => {
    const port = await startTarget((socket) => void socket.pause());
    // Nobody notices that a side has gone which is not read: the time without traffic ends it.
    const gateway = await opened(proxy, { idleMs: 400 });
    const { client } = await tunnel(inbound, gateway.port, { host: '127.0.0.1', port });
    let sent = 0;
    pour(client.socket, (bytes) => {
      sent += bytes;
    });
    expect(await still(() => sent)).toBeLessThan(MOST);
    client.socket.resetAndDestroy();
    await expectNothingLeft(gateway, 1);
  });

  it('stops the answer to a plain request, and its body', async () => {
    let sent = 0;
    const down = await Scripted.start(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.write('HTTP/1.1 200 OK\r\n\r\n');
      pour(peer.socket, (bytes) => {
        sent += bytes;
      });
    });
    const answered = await openGateway([down], { reuse: 'never' });
    const reader = await RawClient.connect(answered.port);
    reader.write('GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n');
    await reader.take(1000);
    reader.socket.pause();
    expect(await still(() => sent)).toBeLessThan(MOST);
    reader.socket.destroy();
    await expectNothingLeft(answered, 1);

    const up = await Scripted.start((peer) => void peer.socket.pause());
    const asked = await openGateway([up], { reuse: 'never', headerMs: 100, answerMs: 800 });
    const writer = await RawClient.connect(asked.port);
    writer.write(
      'POST http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 999999999\r\n\r\n',
    );
    let uploaded = 0;
    pour(writer.socket, (bytes) => {
      uploaded += bytes;
    });
    expect(await still(() => uploaded)).toBeLessThan(MOST);
    // A client that cannot send is not one that sends nothing: the proxy has failed.
    expect(asked.log).toEqual([]);
    writer.socket.resetAndDestroy();
    await expectNothingLeft(asked, 1);
    expect(asked.log[0]?.tried).toMatchObject([{ kind: 'timeout' }]);
  });

  it('is cut off after a time, if nothing moves', async () => {
    const port = await startTarget((socket) => pour(socket, () => undefined));
    const upstream = await UpstreamServer.start({ kind: 'socks5' });
    onTestFinished(() => upstream.close());
    const gateway = await openGateway([upstream], { idleMs: 200 });
    const { client } = await tunnel('connect', gateway.port, { host: '127.0.0.1', port });
    client.socket.pause();
    await until(() => gateway.log.length === 1, 'the end');
    expect(gateway.log[0]?.reason).toBe('IDLE');
  });
});

describe('an answer in pieces', () => {
  it('reaches the client piece by piece, and not at its end', async () => {
    let more = (): void => undefined;
    const proxy = await Scripted.start(
      answering(async (_, peer) => {
        for (const piece of ['one', 'two']) {
          peer.write(piece === 'one' ? 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' : '');
          peer.write(`3\r\n${piece}\r\n`);
          await new Promise<void>((resolve) => {
            more = resolve;
          });
        }
        return '0\r\n\r\n';
      }),
    );
    const { port } = await openGateway([proxy]);
    const client = await RawClient.connect(port);
    client.write('GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n');
    for (const piece of ['one', 'two']) {
      await client.until(piece);
      more();
    }
    await client.until('0\r\n\r\n');
  });
});
