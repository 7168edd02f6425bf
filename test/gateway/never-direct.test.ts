import dns from 'node:dns';
import { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Behaviour, BehaviourDetails } from '../../src/cli/commands/tour/loopback/behaviour.ts';
import { TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { type UpstreamKind, UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { get, INBOUND } from './inbound.ts';
import { expectNothingLeft, openGateway } from './open-gateway.ts';

const KINDS = ['http', 'https', 'socks5', 'socks4'] as const satisfies readonly UpstreamKind[];

/** Names and addresses that lead nowhere from here. Upstreams lead them to a target on this machine. */
const TARGETS = ['direct.example', '192.0.2.7', '2001:db8::7'];

const FAULTS: readonly [fault: Behaviour, details: BehaviourDetails, what: string][] = [
  ['work', {}, 'works'],
  ['refuse', {}, 'refuses connections'],
  ['hang', {}, 'hangs'],
  ['reset', {}, 'resets connections'],
  ['reset', { after: 20 }, 'resets in the middle of an answer'],
  ['half-close', {}, 'ends its half'],
  ['half-close', { after: 20 }, 'ends its half in the middle of an answer'],
  ['garbage', {}, 'answers with garbage'],
  ['status', { status: 407 }, 'answers 407'],
  ['status', { status: 503, retryAfter: '1' }, 'answers 503'],
  ['status', { status: 429 }, 'answers 429'],
];

/** Each connection that this process has begun, as `host:port`, and each name that it has looked up. */
const connections: string[] = [];
const lookups: string[] = [];

const { connect } = Socket.prototype;
const { lookup, resolve4, resolve6, resolve } = dns;
const promises = { ...dns.promises };

/** Notes each call of a function of `dns`. */
function noted<T>(call: T): T {
  const note = (name: string, ...rest: unknown[]): unknown => {
    lookups.push(name);
    return (call as (...all: unknown[]) => unknown)(name, ...rest);
  };
  return Object.assign(note, call) as T;
}

beforeAll(() => {
  Socket.prototype.connect = function noting(this: Socket, ...given: unknown[]): Socket {
    const [first] = given as [{ host?: string; port?: number }[] | { host?: string; port?: number }];
    const { host, port } = (Array.isArray(first) ? first[0] : first) ?? {};
    connections.push(`${host} ${port}`);
    return Reflect.apply(connect, this, given) as Socket;
  } as typeof connect;
  Object.assign(dns, {
    lookup: noted(lookup),
    resolve: noted(resolve),
    resolve4: noted(resolve4),
    resolve6: noted(resolve6),
  });
  Object.assign(dns.promises, { lookup: noted(promises.lookup), resolve: noted(promises.resolve) });
});

afterAll(() => {
  Socket.prototype.connect = connect;
  Object.assign(dns, { lookup, resolve, resolve4, resolve6 });
  Object.assign(dns.promises, promises);
});

async function started() {
  const target = await TargetServer.start({ kind: 'http' });
  onTestFinished(() => target.close());
  const lead = () => ({ host: '127.0.0.1', port: target.port });
  const upstreams = await Promise.all(
    KINDS.flatMap((kind) => [1, 2].map(() => UpstreamServer.start({ kind, resolve: lead }))),
  );
  onTestFinished(async () => void (await Promise.all(upstreams.map((upstream) => upstream.close()))));
  const opened = await openGateway(
    upstreams,
    { connectMs: 100, handshakeMs: 100, answerMs: 100, attempts: 2, deadlineMs: 2000, reuse: 'never' },
    // Those that are out are used all the same.
    { options: { health: { overridePercent: 0 } } },
  );
  /** Wherever a connection may lead. */
  const allowed = new Set(
    [target, { host: '127.0.0.1', port: opened.port }, ...upstreams].map(
      ({ host, port }) => `${host} ${port}`,
    ),
  );
  return { ...opened, target, upstreams, allowed };
}

describe('a gateway', () => {
  it.each(FAULTS)('never connects but to a proxy, when each %s %j %s', async (fault, details) => {
    const opened = await started();
    const { upstreams, vault, port, allowed, ids } = opened;
    await Promise.all(
      upstreams.map((upstream) =>
        // SOCKS has no statuses; its reply of 2 is that its rules do not allow the target.
        upstream.behave(
          fault,
          upstream.kind.startsWith('socks') && details.status !== undefined ? { status: 2 } : details,
        ),
      ),
    );
    connections.length = 0;
    lookups.length = 0;
    const statuses = new Set<number>();
    for (const inbound of INBOUND)
      for (const host of TARGETS) {
        const asks = KINDS.map((kind) =>
          get(inbound, port, { host, path: '/bytes/1000' }, { username: `protocol-${kind}` }),
        );
        for (const { status } of await Promise.all(asks)) statuses.add(status);
        vault.pool.reset(ids);
      }
    expect(connections.filter((each) => !allowed.has(each))).toEqual([]);
    expect(lookups.filter((name) => name !== '127.0.0.1')).toEqual([]);
    // Each proxy was asked, and so the record is one of something.
    for (const { host, port: at } of upstreams) expect(connections).toContain(`${host} ${at}`);
    if (fault === 'work') expect(statuses).toContain(200);
    else if (details.after === undefined) expect(statuses).not.toContain(200);
    await expectNothingLeft(opened);
  });

  it.each([
    ['the pool is empty', 'none'],
    ['no proxy fits', 'other'],
    ['each proxy is disabled', 'disabled'],
    ['no login can be read', 'unreadable'],
  ] as const)('never connects at all when %s', async (_, why) => {
    const upstream = await UpstreamServer.start({ kind: 'http' });
    onTestFinished(() => upstream.close());
    const login = { username: 'u', password: 'p' };
    const proxies =
      why === 'none' ? [] : [{ kind: 'http', host: upstream.host, port: upstream.port, login } as const];
    const opened = await openGateway(proxies, { deadlineMs: 200 });
    const { vault, port, ids } = opened;
    if (why === 'disabled') vault.proxies.update(ids[0] ?? '', { status: 'disabled' });
    if (why === 'unreadable')
      vault.database.driver.run(`UPDATE encrypted_credentials SET encrypted_data = 'AAAA'`, {});
    connections.length = 0;
    lookups.length = 0;
    for (const inbound of INBOUND)
      for (const host of TARGETS) {
        const { status } = await get(
          inbound,
          port,
          { host },
          why === 'other' ? { username: 'country-de' } : {},
        );
        // 1 is the general failure of SOCKS5, 91 that of SOCKS4.
        expect([1, 91, 502, 503]).toContain(status);
      }
    expect(new Set(connections)).toEqual(new Set([`127.0.0.1 ${port}`]));
    expect(lookups.filter((name) => name !== '127.0.0.1')).toEqual([]);
    expect(upstream.seen.connections).toBe(0);
  });
});
