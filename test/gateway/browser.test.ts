import { chromium } from 'playwright-core';
import { expect, it, onTestFinished } from 'vitest';
import { TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { openGateway } from './open-gateway.ts';
import { ifInstalled } from './peers.ts';

const { skip, word } = ifInstalled('chromium');

it.skipIf(skip)(
  `one browser has several sessions, each by a port, with HTTP, HTTPS and WebSockets${word}`,
  async () => {
    const [http, https] = await Promise.all([
      TargetServer.start({ kind: 'http' }),
      TargetServer.start({ kind: 'https' }),
    ]);
    const places = new Map([
      [80, http.port],
      [443, https.port],
    ]);
    const resolve = (host: string, port: number) => {
      const place = host === 'shop.example' ? places.get(port) : undefined;
      return place === undefined ? null : { host: '127.0.0.1', port: place };
    };
    const upstreams = await Promise.all(
      (['http', 'socks5', 'https'] as const).map((kind) =>
        UpstreamServer.start({ kind, resolve, login: { username: 'name', password: 'secret' } }),
      ),
    );
    onTestFinished(async () => {
      await Promise.all([http, https, ...upstreams].map((server) => server.close()));
    });
    const { gateway, log } = await openGateway(upstreams);
    const browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      proxy: { server: gateway.url },
      args: [
        '--no-sandbox',
        '--disable-dev-shm-usage',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-quic',
        // Nothing of it may go out but through a gateway.
        '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
      ],
    });
    onTestFinished(() => browser.close());

    const sessions = ['a', 'b', 'c'];
    const visit = async (session: string): Promise<void> => {
      const { url } = await gateway.listen({ session });
      const context = await browser.newContext({ proxy: { server: url }, ignoreHTTPSErrors: true });
      const page = await context.newPage();
      for (let n = 0; n < 2; n++)
        for (const address of ['http://shop.example/', 'https://shop.example/']) {
          const answer = await page.goto(address);
          expect(answer?.status()).toBe(200);
          expect((await answer?.json())?.method).toBe('GET');
        }
      await page.goto('http://shop.example/bytes/10');
      const echo = await page.evaluate(
        () =>
          new Promise((done) => {
            const socket = new WebSocket('ws://shop.example/');
            socket.onopen = () => socket.send('hello');
            socket.onmessage = ({ data }) => done(data);
            socket.onerror = () => done('failed');
          }),
      );
      expect(echo).toBe('hello');
      await context.close();
    };
    await Promise.all(sessions.map(visit));
    await browser.close();
    await gateway.close({ drainMs: 0 });

    const proxies = sessions.map((session) => {
      const served = log.filter((line) => line.session === session && line.target.startsWith('shop.example'));
      expect(served.length).toBeGreaterThanOrEqual(4);
      const used = new Set(served.map(({ proxy }) => proxy));
      expect(used.size).toBe(1);
      return [...used][0];
    });
    // They take proxies by turns; what the browser asks by itself takes some too.
    expect(new Set(proxies).size).toBeGreaterThan(1);
    expect(log.filter(({ tried = [], target }) => target.startsWith('shop.') && tried.length > 0)).toEqual(
      [],
    );
  },
);
