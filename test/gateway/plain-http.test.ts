import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { expectNothingLeft, openGateway, until } from './open-gateway.ts';
import { RawClient } from './raw-client.ts';
import { answering, ok, Scripted } from './scripted.ts';

const HEAD = 'Host: shop.example\r\n';

/** Sends bytes to a gateway. */
async function send(port: number, bytes: string): Promise<RawClient> {
  const client = await RawClient.connect(port);
  client.write(bytes);
  return client;
}

function get(path = '/', headers = ''): string {
  return `GET http://shop.example${path} HTTP/1.1\r\n${HEAD}${headers}\r\n`;
}

function post(body: string, headers = ''): string {
  return `POST http://shop.example/ HTTP/1.1\r\n${HEAD}${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** A proxy that reads so much of each request and then closes the connection, and one that answers with what it got. */
async function badAndGood(bad: (peer: RawClient) => unknown) {
  const first = await Scripted.start(bad);
  const second = await Scripted.start(answering(({ body }) => ok(`got ${body.length}`)));
  return { first, second, ...(await openGateway([first, second], { reuse: 'never' })) };
}

/** A proxy that answers with the body that it got, and the headers that came with it. */
async function echoing() {
  const heads: string[] = [];
  const proxy = await Scripted.start(
    answering(({ head, body }) => {
      heads.push(head);
      return ok(`got ${body}`);
    }),
  );
  return { proxy, heads };
}

const closing = async (peer: RawClient): Promise<void> => {
  await peer.until('\r\n\r\n');
  peer.socket.destroy();
};

describe('a plain request', () => {
  it('that may change something is sent again if nothing of it was written', async () => {
    const refusing = await Scripted.start(() => undefined);
    const opened = await badAndGood(closing);
    // Nobody listens at its address.
    const [nobody] = opened.vault.proxies.createMany([
      { id: 'n', protocol: 'http', host: '127.0.0.1', port: 1 },
    ]);
    expect(nobody).toBeDefined();
    expect(refusing.connections).toBe(0);
    opened.vault.proxies.update(opened.ids[0] ?? '', { status: 'disabled' });
    for (let n = 0; n < 4; n++) {
      const client = await send(opened.port, post('body'));
      expect(await client.answer()).toMatchObject({ status: 200, body: 'got 4' });
      client.socket.end();
      opened.vault.pool.reset(['n']);
    }
    expect(opened.gateway.stats().failovers).toBeGreaterThan(0);
    await expectNothingLeft(opened, 4);
  });

  it('that may change something is not sent again once it was written', async () => {
    const opened = await badAndGood(closing);
    const client = await send(opened.port, post('body'));
    const { status, body } = await client.answer();
    expect(status).toBe(502);
    expect(JSON.parse(body)).toMatchObject({ error: { tried: [{ proxy: opened.ids[0], kind: 'reset' }] } });
    expect(opened.second.connections).toBe(0);
    client.socket.end();
    await expectNothingLeft(opened, 1);
  });

  it.each([
    ['of 64 KiB', 65_536, true],
    ['of more than 64 KiB', 65_537 + 4096, false],
  ])('that changes nothing is sent again with a body %s or less only', async (_, size, isSentAgain) => {
    const opened = await badAndGood(closing);
    const client = await send(
      opened.port,
      `GET http://shop.example/ HTTP/1.1\r\n${HEAD}Content-Length: ${size}\r\n\r\n${'x'.repeat(size)}`,
    );
    const { status, body } = await client.answer();
    expect(status).toBe(isSentAgain ? 200 : 502);
    if (isSentAgain) expect(body).toBe(`got ${size}`);
    client.socket.end();
    await expectNothingLeft(opened, 1);
  });

  it('that changes nothing is sent again with a body in chunks', async () => {
    const opened = await badAndGood(closing);
    const client = await send(opened.port, get('/', 'Transfer-Encoding: chunked\r\n'));
    client.write('3\r\nabc\r\n');
    client.write('4\r\ndefg\r\n0\r\n\r\n');
    expect(await client.answer()).toMatchObject({ status: 200, body: 'got 7' });
    client.socket.end();
    await expectNothingLeft(opened, 1);
  });

  it('is tried again after an answer of 502 or 504, and not after any other', async () => {
    const statuses = [502, 504, 500, 503, 404, 429];
    for (const status of statuses) {
      const bad = await Scripted.start(
        answering(() => `HTTP/1.1 ${status} No\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno`),
      );
      const good = await Scripted.start(answering(() => ok('good')));
      const { port, log } = await openGateway([bad, good]);
      const client = await send(port, get());
      const isRetried = status === 502 || status === 504;
      expect(await client.answer()).toMatchObject({
        status: isRetried ? 200 : status,
        body: isRetried ? 'good' : 'no',
      });
      await until(() => log.length > 0);
      expect(log[0]?.tried).toHaveLength(isRetried ? 1 : 0);
      client.socket.destroy();
    }
  });
});

describe('an answer of 502', () => {
  const bad = (): string => 'HTTP/1.1 502 Bad\r\nContent-Length: 12\r\n\r\ntarget page!';

  it('reaches the client if there is no other proxy', async () => {
    const opened = await openGateway([await Scripted.start(answering(bad))], { reuse: 'never' });
    const client = await send(opened.port, get());
    expect(await client.answer()).toMatchObject({ status: 502, body: 'target page!' });
    client.socket.end();
    await expectNothingLeft(opened, 1);
    expect(opened.log[0]).toMatchObject({ outcome: 'ok', status: 502, proxy: opened.ids[0], tried: [] });
    expect(opened.gateway.stats()).toMatchObject({ failedAttempts: 0, failovers: 0 });
    expect(opened.outcomes()).toEqual({ requests: 1, successes: 0, failures: 1 });
  });

  const chunks = 'Transfer-Encoding: chunked\r\n\r\nc\r\ntarget page!\r\n';
  it.each([
    ['of some length that is cut off', 'Content-Length: 12\r\n\r\ntarget', 'end', false],
    ['of some length that is whole', 'Content-Length: 12\r\n\r\ntarget page!', 'end', true],
    ['of some length that is whole, and then reset', 'Content-Length: 12\r\n\r\ntarget page!', 'reset', true],
    ['in chunks that are cut off', chunks, 'end', false],
    ['in chunks that are whole', `${chunks}0\r\n\r\n`, 'end', true],
    ['without a length', '\r\ntarget page!', 'end', true],
    ['without a length and a body', '\r\n', 'end', true],
    ['without a length that is reset', '\r\ntarget page!', 'reset', false],
  ] as const)(
    '%s, whose connection closes while another proxy is waited for, is an answer or not',
    async (_, came, how, wasAnswered) => {
      const proxy = await Scripted.start(async (peer) => {
        await peer.until('\r\n\r\n');
        peer.write(`HTTP/1.1 502 Bad\r\n${came}`);
        await until(() => opened.vault.pool.stats().waiting === 1);
        if (how === 'end') peer.socket.end();
        else peer.socket.resetAndDestroy();
      });
      const busy = await Scripted.start(() => undefined);
      const limits = { maxConcurrentPerProxy: 1 };
      const opened = await openGateway(
        [proxy, busy],
        { reuse: 'never', deadlineMs: 300 },
        { options: { limits } },
      );
      using _lease = await opened.vault.pool.acquire({ exclude: [opened.ids[0] ?? ''] });
      const client = await send(opened.port, get('/', 'Connection: close\r\n'));
      const got = await client.rest();
      expect(got).toMatch(/^HTTP\/1\.1 502 /);
      expect(got.includes('NO_PROXY')).toBe(!wasAnswered);
      expect(got.includes('target page!')).toBe(wasAnswered && came.includes('target page!'));
      client.socket.end();
      await until(() => opened.log.length === 1);
      expect(opened.log[0]?.tried).toHaveLength(wasAnswered ? 0 : 1);
    },
  );

  it('that serves after all has the attempts that failed for other reasons', async () => {
    const opened = await openGateway([await Scripted.start(answering(bad))], { reuse: 'never' });
    const { port } = opened.gateway;
    opened.vault.proxies.create({ id: 'self', protocol: 'http', host: '127.0.0.1', port });
    const client = await send(opened.port, get());
    expect(await client.answer()).toMatchObject({ status: 502, body: 'target page!' });
    client.socket.end();
    await expectNothingLeft(opened, 1);
    expect(opened.log[0]).toMatchObject({ outcome: 'ok', tried: [{ proxy: 'self', kind: 'protocol' }] });
  });

  it('is a failure of the kind that the pool says, and none if the pool says that it is ok', async () => {
    for (const [means, kind] of [
      ['blocked', 'blocked'],
      ['ok', null],
    ] as const) {
      const proxies = [
        await Scripted.start(answering(bad)),
        await Scripted.start(answering(() => ok('good'))),
      ];
      const health = { statuses: { 502: means } };
      const opened = await openGateway(proxies, { reuse: 'never' }, { options: { health } });
      const client = await send(opened.port, get());
      expect((await client.answer()).status).toBe(kind === null ? 502 : 200);
      client.socket.end();
      await expectNothingLeft(opened, 1);
      expect(opened.log[0]?.tried).toEqual(
        kind === null ? [] : [{ proxy: opened.ids[0], kind, status: 502, ms: expect.any(Number) }],
      );
      expect(opened.outcomes().failures).toBe(kind === null ? 0 : 1);
    }
  });
});

describe('the body of a request', () => {
  it('waits for 100 Continue of the target, and leaves in chunks as it came', async () => {
    const seen: string[] = [];
    const proxy = await Scripted.start(async (peer) => {
      seen.push(await peer.until('\r\n\r\n'));
      expect(peer.received).toBe('');
      peer.write('HTTP/1.1 100 Continue\r\n\r\n');
      seen.push(await peer.until('0\r\n\r\n'));
      peer.write(ok('done'));
    });
    const opened = await openGateway([proxy], { reuse: 'never' });
    const client = await send(
      opened.port,
      `POST http://shop.example/ HTTP/1.1\r\n${HEAD}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    expect(await client.until('\r\n\r\n')).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    client.write('5\r\nhello\r\n');
    client.write('0\r\n\r\n');
    expect(await client.answer()).toMatchObject({ status: 200, body: 'done' });
    expect(seen[0]).toMatch(/^Expect: 100-continue\r$/m);
    expect(seen[1]).toBe('5\r\nhello\r\n0\r\n\r\n');
    client.socket.end();
    await expectNothingLeft(opened, 1);
  });

  it('of a client of HTTP/1.0, which knows no 100 Continue, is neither announced nor waited for', async () => {
    const { proxy, heads } = await echoing();
    const { port } = await openGateway([proxy]);
    for (const method of ['POST', 'GET']) {
      const client = await send(
        port,
        `${method} http://shop.example/ HTTP/1.0\r\n${HEAD}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab`,
      );
      expect(await client.rest()).toMatch(/^HTTP\/1\.1 200 [\s\S]*got ab$/);
      client.socket.end();
    }
    expect(heads.join('')).not.toMatch(/expect/i);
  });

  it('is not sent at all if the target refuses it instead of 100 Continue', async () => {
    const proxy = await Scripted.start(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!');
      expect(await peer.rest()).toBe('');
      peer.socket.end();
    });
    const opened = await openGateway([proxy], { reuse: 'never' });
    const client = await send(
      opened.port,
      `POST http://shop.example/ HTTP/1.1\r\n${HEAD}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
    );
    const answer = await client.answer();
    expect(answer).toMatchObject({ status: 413, body: 'no!' });
    // The body may still come, and is no request: the connection ends.
    expect(answer.head).toMatch(/^Connection: close\r$/m);
    await client.rest();
    client.socket.end();
    await expectNothingLeft(opened, 1);
  });

  it.each([
    ['the target has answered', 413, 'HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!', ''],
    ['the proxy has failed', 502, 'SSH-2.0\r\n', ''],
    ['the request was refused', 407, '', 'Proxy-Authorization: Basic !\r\n'],
  ])(
    'that still comes after %s does not take the answer from the client',
    async (_, status, bytes, login) => {
      const proxy = await Scripted.start(async (peer) => {
        await peer.until('\r\n\r\n');
        peer.socket.pause();
        peer.write(bytes);
      });
      const opened = await openGateway([proxy], { reuse: 'never' });
      const client = await send(
        opened.port,
        `POST http://shop.example/ HTTP/1.1\r\n${HEAD}${login}Content-Length: 200000000\r\n\r\n`,
      );
      // It sends whatever happens, as a client does that reads only at the end.
      const piece = Buffer.alloc(65_536, 'x');
      const timer = setInterval(() => {
        for (let n = 0; n < 8; n++) client.socket.write(piece);
      }, 1);
      onTestFinished(() => clearInterval(timer));
      const answer = await client.answer();
      expect(answer.status).toBe(status);
      expect(answer.head).toMatch(/^Connection: close\r$/m);
      expect(client.error).toBeUndefined();
      // Whoever sends for ever is closed all the same.
      await client.closed;
      await expectNothingLeft(opened, 1);
    },
  );

  it('is awaited no longer than headerMs between two pieces', async () => {
    const proxy = await Scripted.start(answering(() => ok('never')));
    const opened = await openGateway([proxy], { headerMs: 150, reuse: 'never' });
    for (const start of [post('hello').slice(0, -2), get('/', 'Content-Length: 5\r\n')]) {
      const client = await send(opened.port, start);
      expect(await client.rest()).toMatch(/^HTTP\/1\.1 408 /);
      client.socket.end();
    }
    await expectNothingLeft(opened, 2);
    expect(opened.log).toEqual(Array(2).fill(expect.objectContaining({ outcome: 'aborted', status: 408 })));
    expect(opened.outcomes().failures).toBe(0);
  });

  it('that stops after the answer has begun is no failure of the proxy', async () => {
    const proxy = await Scripted.start(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n');
    });
    const opened = await openGateway([proxy], { headerMs: 150, reuse: 'never' });
    const client = await send(opened.port, post('hello').slice(0, -2));
    expect(await client.rest()).toMatch(/part\r\n$/);
    client.socket.end();
    await expectNothingLeft(opened, 1);
    expect(opened.log[0]).toMatchObject({ outcome: 'aborted', status: 200 });
    expect(opened.outcomes()).toEqual({ requests: 1, successes: 1, failures: 0 });
  });

  it('may come with an Upgrade that is not taken up, such as h2c', async () => {
    const { proxy, heads } = await echoing();
    const { port } = await openGateway([proxy]);
    for (const upgrade of [
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n',
      'Upgrade: TLS/1.0\r\nConnection: upgrade\r\n',
    ]) {
      const client = await send(port, `${post('hello', upgrade)}${get('/next')}`);
      for (const expected of ['got hello', 'got ', 'got ']) {
        const { status, body } = await client.answer();
        expect({ status, body }).toEqual({ status: 200, body: expected });
        if (expected === 'got ') client.write(get('/last', upgrade));
      }
      client.socket.destroy();
    }
    expect(heads.join('')).not.toMatch(/upgrade|http2/i);
    expect(heads.length).toBeGreaterThanOrEqual(6);
  });

  describe('with a body that is malformed', () => {
    const CHUNKS = `POST http://shop.example/ HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
    const GET_CHUNKS = CHUNKS.replace('POST', 'GET');

    it.each([
      ['at once', `${CHUNKS}zz\r\n`],
      ['after a piece', CHUNKS, '3\r\nabc\r\n', 'zz\r\n', 'more'],
      ['after a piece that is kept', GET_CHUNKS, '3\r\nabc\r\n', 'zz\r\n', 'more'],
      ['with a chunk that is longer than it says', CHUNKS, '3\r\nabcdef\r\n0\r\n\r\n'],
    ])('is answered 400, and blames no proxy: %s', async (_, ...pieces) => {
      const proxy = await Scripted.start(() => undefined);
      const opened = await openGateway([proxy], { users: [{ name: 'a', password: 'p', maxConnections: 1 }] });
      const login = `Proxy-Authorization: Basic ${btoa('a:p')}\r\n`;
      for (let n = 1; n <= 2; n++) {
        const client = await RawClient.connect(opened.port);
        for (const piece of pieces) {
          client.write(piece.replace(HEAD, HEAD + login));
          const isKept = piece === GET_CHUNKS || pieces[0] === GET_CHUNKS;
          if (piece === CHUNKS) await until(() => proxy.connections >= n, 'an attempt');
          else if (isKept) for (let turns = 0; turns < 50; turns++) await turn();
        }
        const { status, body } = await client.answer();
        expect({ status, body }).toMatchObject({
          status: 400,
          body: expect.stringContaining('INVALID_INPUT'),
        });
        client.socket.destroy();
        await expectNothingLeft(opened, n);
      }
      expect(opened.outcomes().failures).toBe(0);
      expect(opened.gateway.stats().running).toBe(0);
    });

    it('ends the connection if its answer has begun', async () => {
      const proxy = await Scripted.start(async (peer) => {
        await peer.until('abc');
        peer.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart');
      });
      const opened = await openGateway([proxy]);
      const client = await send(opened.port, `${CHUNKS}3\r\nabc\r\n`);
      await client.until('part');
      client.write('zz\r\n');
      expect(await client.rest()).toBe('');
      await expectNothingLeft(opened, 1);
    });
  });

  it('is counted once, however much of what is malformed comes', async () => {
    const opened = await openGateway([]);
    const client = await RawClient.connect(opened.port);
    client.write('no request\r\n\r\n');
    await client.until('\r\n\r\n');
    for (let n = 0; n < 5; n++) {
      client.write('more of it\r\n\r\n');
      for (let turns = 0; turns < 50; turns++) await turn();
    }
    client.socket.destroy();
    await expectNothingLeft(opened, 1);
    expect(opened.gateway.stats().refused).toBe(1);
  });
});

describe('an answer', () => {
  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n', 200],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', 204],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n', 304],
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 200],
  ])('to %s without a body leaves the connection for the next: %j', async (method, head, status) => {
    const proxy = await Scripted.start(answering(() => head));
    const { port } = await openGateway([proxy]);
    const client = await send(port, get().replace('GET', method));
    for (let n = 0; n < 3; n++) {
      const got = await client.until('\r\n\r\n');
      expect(got).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(got.match(/^Content-Length: \d+/m)?.[0]).toBe(head.match(/^Content-Length: \d+/m)?.[0]);
      client.write(get().replace('GET', method));
    }
    client.socket.destroy();
  });

  it('keeps its chunks, its repeated headers and their case; trailers and what is for one hop are taken away', async () => {
    const proxy = await Scripted.start(
      answering(
        () =>
          'HTTP/1.1 200 Fine\r\nX-a: 1\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\n' +
          'Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n' +
          '3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n',
      ),
    );
    const { port } = await openGateway([proxy]);
    const agent = new Agent({ keepAlive: false });
    const answer = await new Promise<IncomingMessage>((resolve) => {
      request({
        host: '127.0.0.1',
        port,
        path: 'http://shop.example/',
        headers: { host: 'shop.example' },
        agent,
      })
        .on('response', resolve)
        .end();
    });
    expect(await text(answer)).toBe('abc');
    const { rawHeaders, statusMessage, headers, rawTrailers } = answer;
    expect(statusMessage).toBe('Fine');
    expect(rawHeaders.slice(0, 6)).toEqual(['X-a', '1', 'Set-Cookie', 'a=1', 'set-cookie', 'b=2']);
    expect(headers['transfer-encoding']).toBe('chunked');
    for (const name of ['x-hop', 'trailer', 'proxy-authenticate', 'x-proxyvault-lease', 'via', 'date'])
      expect(headers).not.toHaveProperty(name);
    expect(rawTrailers).toEqual([]);
  });

  it('to a client of HTTP/1.0 has no chunks and ends with the connection', async () => {
    const proxy = await Scripted.start(
      answering(
        () => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
      ),
    );
    const opened = await openGateway([proxy], { reuse: 'never' });
    const client = await send(opened.port, 'GET http://shop.example/ HTTP/1.0\r\n\r\n');
    const whole = await client.rest();
    expect(whole).not.toMatch(/transfer-encoding/i);
    expect(whole).toMatch(/\r\n\r\nabcde$/);
    client.socket.end();
    await expectNothingLeft(opened, 1);
  });

  it('that ends with the connection of the proxy is whole; one that is cut off never looks whole', async () => {
    const answers = [
      ['HTTP/1.0 200 OK\r\n\r\nall of it', true],
      ['HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it', true],
      ['HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart', false],
      ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n', false],
      ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n', false],
    ] as const;
    for (const [bytes, isWhole] of answers) {
      const proxy = await Scripted.start(async (peer) => {
        await peer.until('\r\n\r\n');
        peer.write(bytes);
        peer.socket.end();
      });
      const opened = await openGateway([proxy], { reuse: 'never' });
      const client = await send(opened.port, get('/', 'Connection: close\r\n'));
      const got = await client.rest();
      expect({ bytes, isWhole: /0\r\n\r\n$/.test(got) }).toEqual({ bytes, isWhole });
      client.socket.end();
      await expectNothingLeft(opened, 1);
      expect(opened.log[0]?.outcome).toBe(isWhole ? 'ok' : 'failed');
      expect(opened.outcomes()).toEqual({
        requests: 1,
        successes: Number(isWhole),
        failures: Number(!isWhole),
      });
    }
  });

  it('without a length is cut off if its connection is reset', async () => {
    const proxy = await Scripted.start(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.write('HTTP/1.1 200 OK\r\n\r\npart');
      await until(() => client.received.includes('part'));
      peer.socket.resetAndDestroy();
    });
    const opened = await openGateway([proxy], { reuse: 'never' });
    const client = await send(opened.port, get());
    expect(await client.rest()).toMatch(/part\r\n$/);
    client.socket.end();
    await expectNothingLeft(opened, 1);
    expect(opened.log[0]).toMatchObject({ outcome: 'failed', reason: 'CUT_OFF' });
    expect(opened.outcomes()).toEqual({ requests: 1, successes: 0, failures: 1 });
  });

  it('that stops is closed after idleMs, as a timeout of the proxy', async () => {
    const proxy = await Scripted.start(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.write('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\npart');
    });
    const opened = await openGateway([proxy], { idleMs: 150, reuse: 'never' });
    const kinds: unknown[] = [];
    opened.vault.pool.on('cooled', ({ kind }) => kinds.push(kind));
    // The pool cools a proxy after several failures.
    for (let n = 1; kinds.length === 0 && n < 10; n++) {
      const client = await send(opened.port, get());
      expect(await client.rest()).toMatch(/part$/);
      client.socket.end();
      await expectNothingLeft(opened, n);
      expect(opened.log.at(-1)).toMatchObject({
        outcome: 'failed',
        reason: 'IDLE',
      });
    }
    expect(kinds).toEqual(['timeout']);
  });

  it('whose end the client does not read is waited for no longer than idleMs', async () => {
    const accepted = new Map<number | undefined, Socket>();
    const note = (message: unknown): void => {
      const { socket } = message as { socket: Socket };
      accepted.set(socket.remotePort, socket);
    };
    subscribe('net.server.socket', note);
    onTestFinished(() => void unsubscribe('net.server.socket', note));
    const proxy = await Scripted.start(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const outgoing = accepted.get(client.socket.localPort) as Socket;
      const piece = 'x'.repeat(4096);
      // Until the client's buffers are full, and no more: the gateway has read all of it.
      for (let sent = piece.length; outgoing.writableLength === 0; sent += piece.length) {
        peer.write(`1000\r\n${piece}\r\n`);
        await until(() => outgoing.bytesWritten >= sent, 'the piece');
        await until(() => outgoing.writableLength === 0, 'room', 200).catch(() => undefined);
      }
      peer.write('0\r\n\r\n');
      peer.socket.end();
    });
    const opened = await openGateway([proxy], { idleMs: 300, reuse: 'never' });
    const client = await RawClient.connect(opened.port);
    client.socket.pause();
    client.write(get());
    await expectNothingLeft(opened, 1);
    // Node 22 may take the end as sent.
    expect(opened.log[0]?.outcome).not.toBe('failed');
    expect(opened.outcomes()).toEqual({ requests: 1, successes: 1, failures: 0 });
  });

  it('of 407 never reaches the client, whoever gave it', async () => {
    const proxy = await Scripted.start(
      answering(
        () => 'HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n',
      ),
    );
    const opened = await openGateway([proxy], { reuse: 'never' });
    for (const bytes of [
      get(),
      post('x'),
      'CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n',
    ]) {
      const client = await send(opened.port, bytes);
      const { status, head } = await client.answer();
      expect(status).toBe(502);
      expect(head).not.toMatch(/proxy-authenticate/i);
      client.socket.destroy();
      opened.vault.pool.reset(opened.ids);
    }
    await expectNothingLeft(opened, 3);
  });
});

it('what follows a body that nobody has waited for is no request', async () => {
  const proxy = await Scripted.start(async (peer) => {
    await peer.until('\r\n\r\n');
    peer.write(ok('enough'));
  });
  const { port, log, gateway } = await openGateway([proxy]);
  const client = await send(port, post('a body').slice(0, -2));
  expect(await client.answer()).toMatchObject({ status: 200, body: 'enough' });
  client.write(`dy${get('/next')}`);
  expect(await client.rest()).toBe('');
  await until(() => gateway.stats().connections === 0);
  expect([log.length, proxy.connections]).toEqual([1, 1]);
});

describe('connections to a proxy', () => {
  /** Asks for each of these identities by turns, each several times. */
  async function ask(identities: readonly string[], reuse: 'identity' | 'never') {
    const proxy = await Scripted.start(answering(({ head }, _, n) => ok(`${n} ${head.length}`)));
    const opened = await openGateway([proxy], { reuse });
    const used = new Map<string, Set<string>>();
    for (let n = 0; n < 4; n++)
      for (const username of identities) {
        const login = Buffer.from(`${username}:x`).toString('base64');
        const client = await send(opened.port, get('/', `Proxy-Authorization: Basic ${login}\r\n`));
        const [connection = ''] = (await client.answer()).body.split(' ');
        used.set(username, (used.get(username) ?? new Set()).add(connection));
        client.socket.destroy();
      }
    return { proxy, used };
  }

  it('serve one request after another of one identity, and never two identities', async () => {
    const identities = ['session-a', 'session-b', ''];
    const { proxy, used } = await ask(identities, 'identity');
    expect(proxy.connections).toBe(identities.length);
    expect(new Set([...used.values()].flatMap((each) => [...each])).size).toBe(identities.length);
    for (const connections of used.values()) expect(connections.size).toBe(1);
  });

  it.runIf(process.platform === 'linux')(
    'are shared without a session by requests of one address',
    async () => {
      const proxy = await Scripted.start(answering(({ head }, _, n) => ok(`${n} ${head.length}`)));
      const { port } = await openGateway([proxy]);
      const used: string[] = [];
      for (const session of ['', 'X-Proxyvault-Session: a\r\n'])
        for (const localAddress of ['127.0.0.1', '127.0.0.2', '127.0.0.1']) {
          const client = new RawClient(connect({ host: '127.0.0.1', port, localAddress }));
          client.write(get('/', session));
          used.push((await client.answer()).body.slice(0, 1));
          client.socket.destroy();
        }
      expect(used).toEqual(['0', '1', '0', '2', '2', '2']);
    },
  );

  it('serve one request each if they must not be reused', async () => {
    const { proxy } = await ask(['session-a', 'session-b'], 'never');
    expect(proxy.connections).toBe(8);
  });

  it('are not blamed if they were closed while they were kept', async () => {
    // Each second request of a connection meets a proxy that has just closed it.
    const proxy = await Scripted.start(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.write(ok('first'));
      await peer.until('\r\n\r\n');
      peer.socket.resetAndDestroy();
    });
    const { port, outcomes, log } = await openGateway([proxy]);
    for (let n = 0; n < 4; n++) {
      const client = await send(port, get());
      expect(await client.answer()).toMatchObject({ status: 200, body: 'first' });
      client.socket.destroy();
    }
    await until(() => log.length === 4);
    expect(outcomes()).toEqual({ requests: 4, successes: 4, failures: 0 });
    expect(log.flatMap(({ tried = [] }) => tried)).toEqual([]);
  });

  it('that are kept are not used for what must not be sent twice', async () => {
    const proxy = await Scripted.start(answering(({ head }, _, n) => ok(`${n}${head.slice(0, 4)}`)));
    const { port } = await openGateway([proxy]);
    const answers: string[] = [];
    for (const bytes of [get(), post('a'), get(), post('b')]) {
      const client = await send(port, bytes);
      answers.push((await client.answer()).body);
      client.socket.destroy();
    }
    expect(answers).toEqual(['0GET ', '1POST', '0GET ', '2POST']);
  });
});

it('a body that comes in pieces takes longer than answerMs, and an answer then comes in time', async () => {
  const proxy = await Scripted.start(answering(({ body }) => ok(`got ${body.length}`)));
  const { port, vault } = await openGateway([proxy], { answerMs: 300, attempts: 1 });
  const client = await send(port, `POST http://shop.example/ HTTP/1.1\r\n${HEAD}Content-Length: 8\r\n\r\n`);
  let left = 8;
  const timer = setInterval(() => {
    client.write('x');
    if (--left === 0) clearInterval(timer);
  }, 100);
  onTestFinished(() => clearInterval(timer));
  expect(await client.answer()).toMatchObject({ status: 200, body: 'got 8' });
  expect(vault.pool.stats().ended).toMatchObject({ succeeded: 1, failed: 0 });
});
