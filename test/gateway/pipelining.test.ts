import { describe, expect, it } from 'vitest';
import { loginHeader } from './inbound.ts';
import { expectNothingLeft, openGateway, until } from './open-gateway.ts';
import { RawClient } from './raw-client.ts';
import { answering, ok, Scripted } from './scripted.ts';

const LOGIN = { username: 'me', password: 'pw' };

function get(path: string, headers = ''): string {
  return `GET http://shop.example${path} HTTP/1.1\r\nHost: shop.example\r\n${headers}\r\n`;
}

/** An HTTP proxy that answers a request with its path as soon as that is let go. */
async function gated() {
  const asked: string[] = [];
  const letGo = new Map<string, () => void>();
  const proxy = await Scripted.start(
    answering(async ({ head }) => {
      const path = head.split(' ')[1]?.replace('http://shop.example', '') ?? '';
      asked.push(path);
      await new Promise<void>((resolve) => void letGo.set(path, resolve));
      return ok(path);
    }),
  );
  return { proxy, asked, letGo };
}

describe('the plain requests of one connection', () => {
  it('leave one after another, in their order, and take one proxy at a time', async () => {
    const { proxy, asked, letGo } = await gated();
    const paths = Array.from({ length: 200 }, (_, n) => `/${n}`);
    const opened = await openGateway([proxy]);
    const client = await RawClient.connect(opened.port);
    client.write(paths.map((path) => get(path)).join(''));
    for (const [n, path] of paths.entries()) {
      await until(() => letGo.has(path), path);
      expect([asked.length, opened.dialled(), opened.vault.pool.stats().leases]).toEqual([n + 1, 1, 1]);
      letGo.get(path)?.();
      expect((await client.answer()).body).toBe(path);
    }
    expect(asked).toEqual(paths);
    client.socket.end();
    await until(() => opened.log.length === paths.length);
    expect(opened.log.every(({ outcome }) => outcome === 'ok')).toBe(true);
  });

  it('may have bodies, however many of them wait', async () => {
    const proxy = await Scripted.start(answering(({ body }) => ok(`got ${body.length}`)));
    const opened = await openGateway([proxy], { reuse: 'never' });
    const client = await RawClient.connect(opened.port);
    const lengths = Array.from({ length: 100 }, (_, n) => n * 400);
    for (const length of lengths)
      client.write(
        `POST http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`,
      );
    for (const length of lengths) expect((await client.answer()).body).toBe(`got ${length}`);
    client.socket.end();
    await expectNothingLeft(opened, lengths.length);
  });

  it.each([
    ['closes', (client: RawClient) => client.socket.destroy()],
    ['resets', (client: RawClient) => client.socket.resetAndDestroy()],
  ])('end with a client that %s its connection, and count no more for its user', async (_, leave) => {
    const { proxy, asked } = await gated();
    const users = [{ name: 'me', password: 'pw', maxConnections: 1 }];
    const opened = await openGateway([proxy], { users, headerMs: 300, reuse: 'never' });
    for (let n = 1; n <= 2; n++) {
      const client = await RawClient.connect(opened.port);
      client.write(['/a', '/b', '/c'].map((path) => get(path, loginHeader(LOGIN))).join(''));
      await until(() => asked.length === n, 'the first request');
      leave(client);
      await expectNothingLeft(opened, 3 * n);
      expect(opened.log.slice(-3).map(({ outcome, target }) => [outcome, target])).toEqual(
        Array(3).fill(['aborted', 'shop.example:80']),
      );
    }
    expect(asked).toEqual(['/a', '/a']);
    expect(opened.outcomes().requests).toBe(0);
  });

  it('after one that closes the connection do not leave', async () => {
    const { proxy, asked, letGo } = await gated();
    const opened = await openGateway([proxy], { reuse: 'never' });
    const client = await RawClient.connect(opened.port);
    client.write(get('/a', 'Connection: close\r\n') + get('/b'));
    await until(() => letGo.has('/a'));
    letGo.get('/a')?.();
    expect(await client.rest()).toMatch(/\/a$/);
    client.socket.end();
    await expectNothingLeft(opened, 1);
    expect(asked).toEqual(['/a']);
  });

  it('are not too slow while no more of them are read', async () => {
    const { proxy, letGo } = await gated();
    const opened = await openGateway([proxy], { headerMs: 100, reuse: 'never' });
    const client = await RawClient.connect(opened.port);
    const paths = Array.from({ length: 40 }, (_, n) => `/${n}`);
    client.write(`${paths.map((path) => get(path)).join('')}GET http://shop.example/last HT`);
    await until(() => letGo.has('/0'));
    // Node looks for slow headers as often.
    const end = performance.now() + 400;
    await until(() => performance.now() > end);
    client.write('TP/1.1\r\nHost: shop.example\r\n\r\n');
    for (const path of [...paths, '/last']) {
      await until(() => letGo.has(path));
      letGo.get(path)?.();
      expect((await client.answer()).body).toBe(path);
    }
    client.socket.end();
    await expectNothingLeft(opened, paths.length + 1);
  });
});
