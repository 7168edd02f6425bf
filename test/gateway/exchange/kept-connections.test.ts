import { connect, createServer, type Server } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { HttpConnection } from '../../../src/gateway/exchange/connection.ts';
import { KeptConnections } from '../../../src/gateway/exchange/kept-connections.ts';

const LIMITS = { answerMs: 5_000, maxHeaderBytes: 16_384, keepMs: 4_000 };

/** Gives connections to a server that says nothing. */
async function connecting(): Promise<() => HttpConnection> {
  const server: Server = createServer((socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  return () => {
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    return new HttpConnection(socket, LIMITS);
  };
}

it('at most 32 connections are kept for one key, and 1,000 keys', async () => {
  const connection = await connecting();
  const kept = new KeptConnections();
  onTestFinished(() => kept.close());
  const of = (key: string): HttpConnection => {
    const each = connection();
    kept.keep(key, each, 4_000);
    return each;
  };
  const first = Array.from({ length: 33 }, () => of('a'));
  expect(first.map(({ isClosed }) => isClosed)).toEqual([true, ...Array(32).fill(false)]);
  for (let n = 1; n < 1_000; n++) expect(of(`key ${n}`).isClosed).toBe(false);
  expect(of('one more').isClosed).toBe(true);
  expect(kept.take('one more')).toBeNull();
  // One of a key that is there has a place.
  const last = of('a');
  expect(kept.take('a')).toBe(last);
});

it('what comes after the end is closed', async () => {
  const connection = await connecting();
  const kept = new KeptConnections();
  const [early, late] = [connection(), connection()];
  kept.keep('a', early, 4_000);
  kept.close();
  kept.keep('a', late, 4_000);
  expect([early.isClosed, late.isClosed, kept.take('a')]).toEqual([true, true, null]);
});
