/** What an answer does to the connection it came on, through a gateway. */
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { HttpConnection } from '../../../src/gateway/exchange/connection.ts';
import type { Exchange } from '../../../src/gateway/exchange/exchange.ts';
import { openGateway, until } from '../open-gateway.ts';
import { RawClient } from '../raw-client.ts';
import { ok, readRequest, Scripted } from '../scripted.ts';

const GET = 'GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n';

/** A gateway whose only proxy gives this to each request on a connection, and a client of it. */
async function answeredWith(answer: (n: number) => string | readonly string[], options = {}) {
  const proxy = await Scripted.start(async (peer) => {
    for (let n = 0; (await readRequest(peer)) !== null; n++) {
      const pieces = answer(n);
      if (typeof pieces === 'string') peer.write(pieces);
      else
        for (const piece of pieces) {
          peer.write(piece);
          await new Promise(setImmediate);
        }
    }
    peer.socket.end();
  });
  const opened = await openGateway([proxy], { attempts: 1, ...options });
  const client = await RawClient.connect(opened.port);
  const ask = (): ReturnType<RawClient['answer']> => {
    client.write(GET);
    return client.answer();
  };
  return { ...opened, proxy, client, ask };
}

describe('an answer', () => {
  it('may come byte by byte, after answers of 1xx, which stay here', async () => {
    const before = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nKeep-Alive: timeout=1\r\n\r\n';
    const { ask } = await answeredWith(() => [...`${before}${ok('one')}`]);
    expect(await ask()).toMatchObject({ status: 200, body: 'one' });
    expect(await ask()).toMatchObject({ status: 200, body: 'one' });
  });

  it.each([
    ['endless answers of 1xx', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1000)],
    ['a header that is too long', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
    ['a header that never ends', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['chunks that Node takes for none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n'],
    ['a line that ends with LF alone', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
    ['a folded header', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n'],
    ['another protocol', 'SSH-2.0-OpenSSH\r\n'],
    ['another version', 'HTTP/2.0 200 OK\r\n\r\n'],
  ])('with %s is a failure of the proxy of kind protocol', async (_, bytes) => {
    const { ask, log, vault } = await answeredWith(() => bytes);
    expect((await ask()).status).toBe(502);
    await until(() => log.length === 1);
    expect(log[0]?.tried?.map(({ kind }) => kind)).toEqual(['protocol']);
    expect(vault.pool.stats().ended).toMatchObject({ failed: 1 });
  });

  it('has its own bytes in the log, also when another request has its connection at once', async () => {
    const { ask, log, client } = await answeredWith((n) => ok('x'.repeat(1000 * (n + 1))));
    for (let n = 0; n < 3; n++) await ask();
    client.socket.destroy();
    await until(() => log.length === 3);
    const [first = 0, ...others] = log.map(({ bytesIn = 0 }) => bytesIn);
    expect(others.map((each) => each - first)).toEqual([1000, 2000]);
    expect(new Set(log.map(({ bytesOut }) => bytesOut)).size).toBe(1);
  });
});

describe('a connection', () => {
  const kept = [
    ['an answer with a length', ok('a'), 1],
    [
      'an answer in chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n0\r\nX-T: 1\r\n\r\n',
      1,
    ],
    ['HTTP/1.0 that says so', 'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\na', 1],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na', 2],
    ['Connection: close', ok('a', 'Connection: x, Close\r\n'), 2],
    ['one second that it may be kept', ok('a', 'Keep-Alive: timeout=1, max=9\r\n'), 2],
    ['a minute that it may be kept', ok('a', 'Keep-Alive: timeout=60, max=9\r\n'), 1],
    ['bytes after the answer', `${ok('a')}${ok('of nobody')}`, 2],
    ['one byte after the answer', `${ok('a')}\n`, 2],
  ] as const;

  it.each(kept)('after %s serves another request, or not', async (_, answer, connections) => {
    const { port, proxy } = await answeredWith(() => answer);
    for (let n = 0; n < 2; n++) {
      const client = await RawClient.connect(port);
      client.write(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
      const got = await client.rest();
      expect(got).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(got).not.toContain('nobody');
    }
    expect(proxy.connections).toBe(connections);
  });

  it('that says something while nobody has asked is closed', async () => {
    const { ask, proxy } = await answeredWith(() => ok('a'));
    expect(await ask()).toMatchObject({ body: 'a' });
    const [peer] = proxy.peers;
    const since = performance.now();
    peer?.write(ok('of nobody'));
    await peer?.closed;
    // Long before it would have been closed anyway.
    expect(performance.now() - since).toBeLessThan(3_000);
    expect(await ask()).toMatchObject({ body: 'a' });
    expect(proxy.connections).toBe(2);
  });

  it('that has more than the answer, which is read late, is closed', async () => {
    const proxy = await Scripted.start(async (peer) => {
      await readRequest(peer);
      peer.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n');
      await until(() => socket.isPaused());
      peer.write(ok('of nobody'));
    });
    const socket = connect(proxy.port, proxy.host);
    let isFree = false;
    const limits = { answerMs: 5_000, maxHeaderBytes: 16_384, keepMs: 4_000 };
    const connection = new HttpConnection(socket, limits, () => {
      isFree = true;
    });
    const exchange = connection.begin({ method: 'GET', path: '/', headers: [], body: null });
    await exchange.answer();
    await until(() => socket.readableLength > 0);
    let body = '';
    exchange.read({
      onPiece: (piece) => {
        body += piece;
        return true;
      },
      onEnd: (error) => expect(error).toBeNull(),
    });
    expect({ body, isFree, isClosed: connection.isClosed }).toEqual({
      body: 'a',
      isFree: false,
      isClosed: true,
    });
  });

  it('whose answer is whole and not read yet takes nothing more', async () => {
    const proxy = await Scripted.start(async (peer) => {
      await readRequest(peer);
      peer.write(ok(''));
      await until(() => isAnswered);
      peer.write('of nobody');
    });
    let isAnswered = false;
    const socket = connect(proxy.port, proxy.host);
    const limits = { answerMs: 5_000, maxHeaderBytes: 16_384, keepMs: 4_000 };
    const exchange = new HttpConnection(socket, limits).begin({
      method: 'GET',
      path: '/',
      headers: [],
      body: null,
    });
    await exchange.answer();
    isAnswered = true;
    await until(() => socket.isPaused());
    exchange.destroy();
  });

  it('is closed when nobody has used it for some seconds, and with the gateway', async () => {
    const { ask, proxy, gateway } = await answeredWith(() => ok('a'));
    await ask();
    const [peer] = proxy.peers;
    const since = performance.now();
    await peer?.closed;
    expect(performance.now() - since).toBeGreaterThan(3_000);
    await ask();
    await gateway.close({ drainMs: 0 });
    await proxy.peers[1]?.closed;
    expect(proxy.connections).toBe(2);
  });

  it('is closed if the answer came before all of the request', async () => {
    const { port, proxy, log, gateway } = await answeredWith(() => ok('enough'));
    const client = await RawClient.connect(port);
    client.write('POST http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 9\r\n\r\npart');
    // The script waits for the whole request.
    await until(() => proxy.connections === 1);
    proxy.peers[0]?.write(ok('enough'));
    expect(await client.answer()).toMatchObject({ status: 200, body: 'enough' });
    await proxy.peers[0]?.closed;
    // Nor does the connection of the client serve another one.
    client.write(`-rest${GET}`);
    expect(await client.rest()).toBe('');
    await until(() => gateway.stats().connections === 0);
    expect(log.map(({ outcome }) => outcome)).toEqual(['ok']);
    expect(proxy.connections).toBe(1);
  });
});

it('an exchange that is over does nothing to the one after it', async () => {
  const proxy = await Scripted.start(async (peer) => {
    for (let n = 0; (await readRequest(peer)) !== null; n++) peer.write(ok(`answer ${n}`));
  });
  const socket = connect(proxy.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const limits = { answerMs: 5_000, maxHeaderBytes: 16_384, keepMs: 1_000 };
  const connection = new HttpConnection(socket, limits);
  const leaving = { method: 'GET', path: '/', headers: ['Host', 'shop.example'], body: null };
  const body = (exchange: Exchange): Promise<string> =>
    new Promise((resolve, reject) => {
      let text = '';
      exchange.read({
        onPiece: (piece) => {
          text += piece;
          return true;
        },
        onEnd: (error) => (error === null ? resolve(text) : reject(error)),
      });
    });
  const first = connection.begin(leaving);
  await first.answer();
  expect(await body(first)).toBe('answer 0');
  const second = connection.begin(leaving);
  const answering = second.answer();
  first.destroy();
  first.resume();
  expect(first.write(Buffer.from('late'))).toBe(true);
  await answering;
  expect(await body(second)).toBe('answer 1');
  expect([first.carried, connection.isClosed]).toEqual([second.carried, false]);
});
