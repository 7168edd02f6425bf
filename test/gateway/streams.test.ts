import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

import { expect, it, onTestFinished } from 'vitest';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { expectNothingLeft, openGateway } from './open-gateway.ts';

/** Sizes of writes: less than a buffer of a socket, as many bytes as it has, and more. */
const PIECES = [1, 65_536, 7, 300_000, 131_072, 65_535, 40, 65_537, 500_000, 16_384, 16_383, 262_144];
const SIZE = 2 * PIECES.reduce((sum, size) => sum + size, 0);
const TUNNELS = 6;

/** The bytes that each stream has at a place: of every stream others. */
function bytesOf(stream: number): Buffer {
  const bytes = Buffer.alloc(SIZE);
  for (let at = 0; at + 4 <= SIZE; at += 4)
    bytes.writeUInt32LE(Math.imul(at + stream * 7919, 2_654_435_761) >>> 0, at);
  return bytes;
}

/** Sends the stream that the first byte asks for, in pieces, and lets the loop turn after each. */
async function send(socket: Socket): Promise<void> {
  const [first] = (await once(socket, 'data')) as [Buffer];
  const bytes = bytesOf(first[0] ?? 0);
  for (let at = 0, n = 0; at < SIZE; n++) {
    const size = PIECES[n % PIECES.length] ?? 1;
    if (!socket.write(bytes.subarray(at, at + size))) await once(socket, 'drain');
    await turn();
    at += size;
  }
  socket.end();
}

/** Reads a stream through the gateway; now and then it reads nothing for some turns of the loop. */
async function read(port: number, target: number, stream: number): Promise<Buffer> {
  const client = connect({ port, host: '127.0.0.1' });
  client.write(`CONNECT 127.0.0.1:${target} HTTP/1.1\r\nHost: 127.0.0.1:${target}\r\n\r\n`);
  const pieces: Buffer[] = [];
  let head: Buffer | null = Buffer.alloc(0);
  for await (const piece of client as AsyncIterable<Buffer>) {
    if (head === null) pieces.push(piece);
    else {
      head = Buffer.concat([head, piece]);
      if (!head.includes('\r\n\r\n')) continue;
      head = null;
      client.write(Buffer.from([stream]));
    }
    if (stream % 2 === 1 && pieces.length % 16 === 0) for (let n = 0; n < 20; n++) await turn();
  }
  return Buffer.concat(pieces);
}

it.each(['http', 'https', 'socks5'] as const)(
  'several streams at a time have each byte in its place, for slow clients too: %s',
  async (kind) => {
    const upstream = await UpstreamServer.start({ kind });
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      void send(socket);
    }).listen(0, '127.0.0.1');
    onTestFinished(async () => {
      server.close();
      await upstream.close();
    });
    await once(server, 'listening');
    const { port: target } = server.address() as AddressInfo;
    const opened = await openGateway([upstream]);
    const streams = Array.from({ length: TUNNELS }, (_, stream) => stream);
    const got = await Promise.all(streams.map((stream) => read(opened.port, target, stream)));
    const isSame = got.map((bytes, stream) => bytes.equals(bytesOf(stream)));
    expect(isSame).toEqual(streams.map(() => true));
    await expectNothingLeft(opened, TUNNELS);
    const { bytesIn, ok } = opened.gateway.stats();
    expect({ ok, isAll: bytesIn >= TUNNELS * SIZE }).toEqual({ ok: TUNNELS, isAll: true });
  },
);

it('what a client is slow to take stays as it was, while more is read', async () => {
  // More than the system keeps for the client, in pieces of which several are less than a tunnel keeps.
  const sent = Buffer.alloc(16_000_000);
  for (let at = 0; at < sent.length; at += 4) sent.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
  const upstream = await UpstreamServer.start({ kind: 'http' });
  let stalled = (): void => undefined;
  const isStalled = new Promise<void>((resolve) => {
    stalled = resolve;
  });
  const server = createServer(async (socket) => {
    socket.on('error', () => undefined);
    for (let at = 0, size = 300_000; at < sent.length; at += size, size = 20_000) {
      if (!socket.write(sent.subarray(at, at + size)) && at > 0) stalled();
      if (socket.writableNeedDrain) await once(socket, 'drain');
      await turn();
    }
    stalled();
    socket.end();
  }).listen(0, '127.0.0.1');
  onTestFinished(async () => {
    server.close();
    await upstream.close();
  });
  await once(server, 'listening');
  const { port: target } = server.address() as AddressInfo;
  const opened = await openGateway([upstream]);
  const client = connect({ port: opened.port, host: '127.0.0.1' });
  client.write(`CONNECT 127.0.0.1:${target} HTTP/1.1\r\nHost: 127.0.0.1:${target}\r\n\r\n`);
  await once(client, 'readable');
  await isStalled;
  const pieces: Buffer[] = [];
  for await (const piece of client as AsyncIterable<Buffer>) pieces.push(piece);
  const got = Buffer.concat(pieces);
  expect(got.subarray(got.indexOf('\r\n\r\n') + 4).equals(sent)).toBe(true);
});
