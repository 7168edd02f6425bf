import { describe, expect, it, onTestFinished } from 'vitest';
import type { Behaviour, BehaviourDetails } from '../../src/cli/commands/tour/loopback/behaviour.ts';
import { TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { SEED } from '../faults/campaign.ts';
import { Random } from '../faults/random.ts';
import { type As, get, INBOUND, socks4Request, socks5Login, socks5Request } from './inbound.ts';
import { afterTurns, expectNothingLeft, openGateway, until } from './open-gateway.ts';
import { RawClient } from './raw-client.ts';

/** Requests in the suite: 800. `PROXYVAULT_GATEWAY_REQUESTS=10000 npm test -- test/gateway/random` for a longer run. */
const REQUESTS = Number(process.env.PROXYVAULT_GATEWAY_REQUESTS ?? 800);
/** Inputs in the suite: 2,000. `PROXYVAULT_GATEWAY_INPUTS=100000` for more. */
const INPUTS = Number(process.env.PROXYVAULT_GATEWAY_INPUTS ?? 2_000);
const TIMEOUT = 60_000 + (REQUESTS + INPUTS) * 20;
const AT_ONCE = 25;

const FAULTS: readonly [Behaviour, BehaviourDetails][] = [
  ['hang', {}],
  ['reset', {}],
  ['reset', { after: 30 }],
  ['half-close', {}],
  ['half-close', { after: 30 }],
  ['garbage', {}],
  ['status', { status: 503 }],
  ['status', { status: 429, retryAfter: '1' }],
];

const LOGIN = { username: 'name', password: 'secret' };

async function started(random: Random) {
  const target = await TargetServer.start({ kind: 'http' });
  const upstreams = await Promise.all(
    (['http', 'http', 'https', 'socks5', 'socks4', 'http', 'socks5'] as const).map((kind, n) =>
      UpstreamServer.start({ kind, ...(n >= 5 && { login: LOGIN }) }),
    ),
  );
  onTestFinished(async () => {
    await Promise.all([target, ...upstreams].map((server) => server.close()));
  });
  // One that refuses connections does so all the time: those that wait to be accepted when a server closes are seen by one side only.
  const [refusing] = upstreams;
  await refusing?.behave('refuse');
  const opened = await openGateway(
    upstreams,
    { handshakeMs: 100, answerMs: 100, deadlineMs: 5_000, idleMs: 500, reuse: 'never' },
    // Whatever fails is used again at once.
    { options: { health: { overridePercent: 0, outliers: false } } },
  );
  /** Other faults than before at each of the proxies; most of them work. */
  const change = async (): Promise<void> => {
    await Promise.all(
      upstreams.slice(1).map((upstream) => {
        const [behaviour, details] = random.chance(0.55)
          ? (['work', {}] as const)
          : random.pick(FAULTS as [(typeof FAULTS)[number], ...(typeof FAULTS)[number][]]);
        return upstream.behave(behaviour, details);
      }),
    );
    opened.vault.pool.reset(opened.ids);
  };
  return { ...opened, target, upstreams, change };
}

const WHO: [As, ...As[]] = [
  {},
  { username: 'session-a' },
  { username: 'session-b' },
  { username: 'protocol-http' },
  { username: 'protocol-socks5' },
];

describe('under random faults', () => {
  it(
    `each of ${REQUESTS} requests ends, and what was counted is what the proxies have seen`,
    async () => {
      const random = new Random(SEED);
      const opened = await started(random);
      const { port, ids, log, gateway, vault, upstreams, target, change } = opened;
      const answers = new Map<number, number>();
      let begun = 0;
      const work = async (): Promise<void> => {
        while (begun < REQUESTS) {
          begun++;
          if (begun % 60 === 0) await change();
          const path = random.pick(['/', '/bytes/100', '/bytes/70000', '/status/500', '/status/502']);
          const { status } = await get(
            random.pick(INBOUND as unknown as ['connect']),
            port,
            { host: '127.0.0.1', port: target.port, path },
            random.pick(WHO),
          );
          answers.set(status, (answers.get(status) ?? 0) + 1);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      await expectNothingLeft(opened, REQUESTS);
      expect(answers.get(200)).toBeGreaterThan(REQUESTS / 10);
      expect(answers.get(502)).toBeGreaterThan(0);

      const { ok, failed, aborted, refused, failedAttempts, failovers, bytesIn } = gateway.stats();
      expect(ok + failed + aborted + refused).toBe(REQUESTS);
      expect(failedAttempts).toBe(log.reduce((sum, { tried = [] }) => sum + tried.length, 0));
      expect(failovers).toBeGreaterThan(REQUESTS / 50);
      expect(bytesIn).toBeGreaterThan(0);
      vault.pool.flush();
      for (const [n, id] of ids.entries()) {
        const served = log.filter(({ proxy }) => proxy === id);
        const tried = log.flatMap(({ tried: all = [] }) => all).filter(({ proxy }) => proxy === id);
        const usage = vault.usage.totals({ proxyId: id });
        expect({ id, requests: usage.requestCount }).toEqual({
          id,
          requests: tried.length + served.filter(({ outcome }) => outcome !== 'aborted').length,
        });
        expect(usage.successCount + usage.failureCount).toBe(usage.requestCount);
        // Each attempt has a connection of its own, unless there was none.
        const connections = served.length + tried.filter(({ kind }) => kind !== 'connect').length;
        expect({ id, connections: upstreams[n]?.seen.connections }).toEqual({ id, connections });
      }
    },
    TIMEOUT,
  );

  it(
    `clients that leave at any moment leave nothing`,
    async () => {
      const random = new Random(SEED + 1);
      const opened = await started(random);
      const { port, vault, change, target } = opened;
      const leave = [
        ({ socket }: RawClient) => void socket.destroy(),
        ({ socket }: RawClient) => void socket.resetAndDestroy(),
      ] as const;
      let begun = 0;
      const work = async (): Promise<void> => {
        while (begun < REQUESTS / 5) {
          begun++;
          if (begun % 40 === 0) await change();
          const client = await RawClient.connect(port);
          for (const bytes of random.pick(MESSAGES(target.port))) client.write(bytes);
          // After so many turns of the event loop, whatever has happened until then.
          await afterTurns(random.below(120), () => client.isEnded);
          leave[random.below(2)]?.(client);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      await expectNothingLeft(opened);
      const { requestCount, successCount, failureCount } = vault.usage.totals();
      expect(successCount + failureCount).toBe(requestCount);
    },
    TIMEOUT,
  );
});

type Bytes = string | readonly number[];

/** Well-formed requests, in the pieces that clients send. */
function MESSAGES(port: number): [Bytes[], ...Bytes[][]] {
  const host = `127.0.0.1:${port}`;
  const to = { host: '127.0.0.1', port };
  const inside = `GET /bytes/50000 HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const login = { username: 'session-a', password: 'x' };
  return [
    [`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, inside],
    [[5, 1, 0], socks5Request(to), inside],
    [[5, 1, 2], socks5Login(login), socks5Request(to), inside],
    [socks4Request(to, 'session-b'), inside],
    [`GET http://${host}/bytes/50000 HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
    [`POST http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5\r\n\r\n`, 'hello'],
    [
      `POST http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`,
      '5\r\nhello\r\n0\r\n\r\n',
    ],
    [`GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`],
  ];
}

describe('whatever comes', () => {
  it(
    `${INPUTS} random inputs harm nothing`,
    async () => {
      const random = new Random(SEED + 2);
      const { target, ...opened } = await started(random);
      const { port, log, gateway, vault, ids, upstreams } = opened;
      const resources = (): number => process.getActiveResourcesInfo().length;
      const before = resources();
      const input = (): Buffer => {
        const whole = Buffer.concat(
          random
            .pick(MESSAGES(target.port))
            .map((bytes) => (typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes))),
        );
        if (random.chance(0.1))
          return Buffer.from(Array.from({ length: random.below(80) }, () => random.below(256)));
        for (let times = random.below(4); times > 0; times--)
          whole[random.below(whole.length)] = random.below(256);
        return random.chance(0.3) ? whole.subarray(0, random.below(whole.length)) : whole;
      };
      let begun = 0;
      const work = async (): Promise<void> => {
        while (begun < INPUTS) {
          begun++;
          const client = await RawClient.connect(port);
          const bytes = input();
          const cut = random.below(bytes.length + 1);
          client.socket.write(bytes.subarray(0, cut));
          await afterTurns(random.below(10));
          client.socket.write(bytes.subarray(cut));
          await afterTurns(random.below(30), () => client.isEnded);
          if (random.chance(0.5)) client.socket.destroy();
          else client.socket.resetAndDestroy();
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE * 2 }, work));
      await expectNothingLeft(opened);
      await until(() => resources() <= before + 2, 'resources as before');
      // No error that nobody foresaw, which the log would have.
      expect(log.filter((line) => 'error' in line)).toEqual([]);
      expect(gateway.stats().refused).toBeGreaterThan(INPUTS / 100);
      await Promise.all(upstreams.map((upstream) => upstream.behave('work')));
      vault.pool.reset(ids);
      const got = await get('connect', port, { host: '127.0.0.1', port: target.port });
      expect(got.status).toBe(200);
    },
    TIMEOUT,
  );
});
