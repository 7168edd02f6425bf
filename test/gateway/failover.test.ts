import { describe, expect, it, onTestFinished } from 'vitest';
import type { Behaviour, BehaviourDetails } from '../../src/cli/commands/tour/loopback/behaviour.ts';
import { TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { type UpstreamKind, UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import type { GatewayOptions } from '../../src/gateway/index.ts';
import { get, INBOUND, type Inbound } from './inbound.ts';
import { expectNothingLeft, openGateway } from './open-gateway.ts';

const KINDS = ['http', 'https', 'socks5', 'socks4'] as const satisfies readonly UpstreamKind[];
const LOGIN = { username: 'right', password: 'right' };
/** Only what hangs is given up soon: a busy machine is slow too. */
function timesOf({ fault }: Pick<Fault, 'fault'>): GatewayOptions {
  return { reuse: 'never', ...(fault === 'hang' && { handshakeMs: 300, answerMs: 300 }) };
}

interface Fault {
  fault: Behaviour | 'login';
  details?: BehaviourDetails;
  /** What is reported to the pool. */
  kind: string;
  status?: number;
}

function faultsOf(kind: UpstreamKind): Fault[] {
  const isHttp = kind === 'http' || kind === 'https';
  return [
    { fault: 'refuse', kind: 'connect' },
    { fault: 'hang', kind: 'timeout' },
    { fault: 'reset', kind: 'reset' },
    { fault: 'half-close', kind: 'reset' },
    { fault: 'garbage', kind: 'protocol' },
    { fault: 'login', kind: 'auth', ...(isHttp && { status: 407 }) },
    isHttp
      ? { fault: 'status', details: { status: 502 }, kind: 'status', status: 502 }
      : { fault: 'status', kind: 'status' },
  ];
}

async function start(kind: UpstreamKind, login?: typeof LOGIN): Promise<UpstreamServer> {
  const upstream = await UpstreamServer.start({ kind, login });
  onTestFinished(() => upstream.close());
  return upstream;
}

async function startTarget(): Promise<TargetServer> {
  const target = await TargetServer.start({ kind: 'http' });
  onTestFinished(() => target.close());
  return target;
}

async function fail(upstream: UpstreamServer, { fault, details }: Fault): Promise<void> {
  if (fault !== 'login') await upstream.behave(fault, details);
}

/** The proxy as the pool knows it: with a login that it rejects, if that is its fault. */
function inPool({ kind, host, port }: UpstreamServer, fault: Fault | null) {
  const login = { ...LOGIN, ...(fault?.fault === 'login' && { username: 'wrong' }) };
  // SOCKS4 has no password.
  return { kind, host, port, login: kind === 'socks4' ? { ...login, password: '' } : login };
}

const CASES = KINDS.flatMap((kind) => faultsOf(kind).map((fault) => ({ proxy: kind, ...fault })));

describe('a request', () => {
  it.each(CASES)(
    'is served by another proxy if one of $proxy fails with $fault',
    async ({ proxy, ...fault }) => {
      const target = await startTarget();
      const [bad, good] = [await start(proxy, LOGIN), await start(proxy, LOGIN)];
      await fail(bad, fault);
      const opened = await openGateway([inPool(bad, fault), inPool(good, null)], timesOf(fault));
      const { port, log, ids, gateway, vault, outcomes } = opened;
      for (const inbound of INBOUND) {
        const got = await get(inbound, port, { host: '127.0.0.1', port: target.port, path: '/bytes/100000' });
        expect({ inbound, status: got.status, isWhole: got.isWhole }).toEqual({
          inbound,
          status: inbound === 'upgrade' ? 101 : 200,
          isWhole: true,
        });
        // Nobody learns the proxy's login.
        expect(got.head).not.toMatch(/proxy-auth/i);
        await expectNothingLeft(opened, INBOUND.indexOf(inbound) + 1);
        const { status, kind } = fault;
        expect(log.at(-1)).toMatchObject({
          proxy: ids[1],
          outcome: 'ok',
          tried: [{ proxy: ids[0], kind, ...(status !== undefined && { status }) }],
        });
        vault.pool.reset(ids);
      }
      const asked = INBOUND.length;
      expect(gateway.stats()).toMatchObject({
        ok: asked,
        failed: 0,
        failovers: asked,
        failedAttempts: asked,
      });
      expect(outcomes()).toEqual({ requests: 2 * asked, successes: asked, failures: asked });
      expect(vault.usage.totals({ proxyId: ids[0] ?? '' }).successCount).toBe(0);
    },
  );
});

/** The reply of SOCKS5 by the kind of the last failure. */
const REPLIES: Record<string, number> = { timeout: 6, blocked: 2 };

describe('if each proxy fails, the client', () => {
  it.each(CASES)('is told so: $proxy, $fault', async ({ proxy, ...fault }) => {
    const target = await startTarget();
    const bad = [await start(proxy, LOGIN), await start(proxy, LOGIN)];
    for (const each of bad) await fail(each, fault);
    const opened = await openGateway(
      bad.map((each) => inPool(each, fault)),
      { ...timesOf(fault), attempts: 2 },
    );
    const { port, ids, vault, gateway, outcomes } = opened;
    for (const inbound of INBOUND) {
      vault.pool.reset(ids);
      const { status, body, head } = await get(inbound, port, { host: '127.0.0.1', port: target.port });
      if (inbound === 'socks5') expect(status).toBe(REPLIES[fault.kind] ?? 4);
      else if (inbound === 'socks4') expect(status).toBe(91);
      else {
        // Also for a 407 of a proxy, which would make a client ask its user for a login.
        expect(status).toBe(502);
        // The last answer is the client's, since it may be the target's.
        if (inbound === 'http' && fault.kind === 'status' && fault.status === 502) continue;
        expect(head).toMatch(/^X-Proxyvault-Error: PROXY_FAILED\r$/m);
        expect(head).toMatch(/^Content-Type: application\/json/m);
        expect(JSON.parse(body)).toMatchObject({
          error: {
            code: 'PROXY_FAILED',
            message: expect.stringMatching(/^2 proxies were tried\. The last: /),
            tried: ids.map((id) => ({ proxy: id, kind: fault.kind })),
          },
        });
        expect(body).not.toMatch(/right|wrong/);
      }
      await expectNothingLeft(opened, INBOUND.indexOf(inbound) + 1);
    }
    expect(target.requests).toBe(0);
    const asked = INBOUND.length;
    const passed = fault.status === 502 ? 1 : 0;
    expect(gateway.stats()).toMatchObject({
      ok: passed,
      failed: asked - passed,
      failovers: passed,
      failedAttempts: 2 * asked - passed,
    });
    expect(outcomes()).toEqual({ requests: 2 * asked, successes: 0, failures: 2 * asked });
  });

  it('is told that no proxy is ready, why, and when to ask again', async () => {
    const upstream = await start('http');
    const opened = await openGateway([upstream], { deadlineMs: 300 });
    const { port, gateway, vault, ids } = opened;
    const to = { host: '127.0.0.1', port: 9 };
    vault.pool.cool(ids[0] ?? '', { forMs: 60_000 });
    for (const inbound of ['connect', 'http', 'upgrade'] as const) {
      const { status, body, head } = await get(inbound, port, to);
      expect(status).toBe(503);
      expect(head).toMatch(/^Retry-After: \d+\r$/m);
      expect(JSON.parse(body)).toMatchObject({
        error: { code: 'NO_PROXY', excluded: { 'not cooling': 1, total: 1 } },
      });
    }
    expect((await get('socks5', port, to)).status).toBe(1);
    expect((await get('socks4', port, to)).status).toBe(91);
    expect(gateway.stats()).toMatchObject({ failed: 5 });
    await expectNothingLeft(opened, 5);
    expect(upstream.seen.connections).toBe(0);
  });

  it('is told at once if there is no other proxy', async () => {
    const bad = [await start('http'), await start('socks5')];
    for (const each of bad) await each.behave('refuse');
    const { port, vault, ids, log } = await openGateway(bad, { attempts: 5 });
    for (const inbound of INBOUND) {
      vault.pool.reset(ids);
      const { status } = await get(inbound, port, { host: 'shop.example' });
      expect(status).toBe({ connect: 502, http: 502, upgrade: 502, socks5: 4, socks4: 91 }[inbound]);
      expect(log.at(-1)?.tried).toHaveLength(2);
    }
  });

  it('waits no longer than the deadline, however many proxies hang', async () => {
    const target = await startTarget();
    const hanging = await Promise.all(Array.from({ length: 5 }, () => start('http')));
    for (const each of hanging) await each.behave('hang');
    // A plain request that was sent has its time for the answer beside.
    const opened = await openGateway(hanging, {
      attempts: 5,
      deadlineMs: 400,
      answerMs: 300,
      reuse: 'never',
    });
    for (const inbound of INBOUND satisfies readonly Inbound[]) {
      const since = performance.now();
      const { status } = await get(inbound, opened.port, { host: '127.0.0.1', port: target.port });
      expect(performance.now() - since).toBeLessThan(2_000);
      expect(status).toBe({ connect: 502, http: 502, upgrade: 502, socks5: 6, socks4: 91 }[inbound]);
      opened.vault.pool.reset(opened.ids);
    }
    await expectNothingLeft(opened, 5);
  });
});

describe('a proxy is not blamed', () => {
  it('for what its protocol cannot carry: SOCKS4 has no IPv6', async () => {
    const [four, five] = [await start('socks4'), await start('socks5')];
    const opened = await openGateway([four, five]);
    for (const inbound of ['connect', 'http', 'socks5'] as const)
      expect((await get(inbound, opened.port, { host: '::1', port: 1 })).status).not.toBe(200);
    expect(four.seen.connections).toBe(0);
    expect(opened.vault.usage.totals({ proxyId: opened.ids[0] ?? '' }).requestCount).toBe(0);
    const { body } = await get('http', opened.port, { host: '::1' }, { username: 'protocol-socks4' });
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'NO_PROXY' } });
  });

  it('for the little time that was left of the deadline', async () => {
    const hanging = await start('http');
    await hanging.behave('hang');
    const opened = await openGateway([hanging], { deadlineMs: 150 });
    expect((await get('connect', opened.port, { host: 'shop.example' })).status).toBe(502);
    await expectNothingLeft(opened, 1);
    expect(opened.log[0]).toMatchObject({ tried: [{ kind: 'timeout' }] });
    expect(opened.outcomes().requests).toBe(0);
  });
});
