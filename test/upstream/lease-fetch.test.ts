import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { rootCertificates, setDefaultCACertificates } from 'node:tls';
import { inspect } from 'node:util';
import { type Lease, type LeaseDispatcher, openVault, Pool, type Vault } from 'proxyvault';
import {
  type Dispatcher,
  interceptors,
  ProxyAgent,
  fetch as undiciFetch,
  request as undiciRequest,
} from 'undici';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';

import { PROXY_PROTOCOLS, type ProxyProtocol } from '../../src/model/proxy.ts';
import { openMigrated, temporaryFolder } from '../support/temporary.ts';
import { certificate } from './certificate.ts';
import { ASKED, GRANTED } from './dialogues.ts';
import { forwardingProxy, website } from './forwarding-proxy.ts';
import { leavingNoSocket } from './leftovers.ts';
import { closedPort, fakeServer } from './peer.ts';

const CERTIFICATE = certificate();
const USERNAME = 'us3r-SECRET';

// As NODE_EXTRA_CA_CERTS does.
beforeAll(() => setDefaultCACertificates([...rootCertificates, CERTIFICATE.cert]));
afterAll(() => setDefaultCACertificates(rootCertificates));

/** A vault with one proxy. */
async function vaultWith(protocol: ProxyProtocol, port: number): Promise<Vault> {
  const folder = temporaryFolder();
  const vault = await openVault({ path: join(folder, 'pool.db'), keyFile: join(folder, 'key') });
  onTestFinished(() => vault.close());
  const password = protocol === 'socks4' ? '' : 'p4ss-SECRET';
  vault.proxies.create({ protocol, host: '127.0.0.1', port, credentials: { username: USERNAME, password } });
  return vault;
}

/** A lease, and what is reported of it. */
async function leaseOf(vault: Vault, session?: string): Promise<[Lease, unknown[]]> {
  const lease = await vault.pool.acquire({ domain: 'shop.example', session });
  const reports: unknown[] = [];
  for (const name of ['report', 'fail'] as const) {
    const method = lease[name].bind(lease);
    vi.spyOn(lease, name).mockImplementation((given: object) => {
      reports.push({ [name]: given });
      method(given as never);
    });
  }
  return [lease, reports];
}

/** The error of a request that must fail: that of fetch, without a login. */
async function failed(lease: Lease, url: string, init?: RequestInit): Promise<TypeError> {
  const error = await lease.fetch(url, init).then(
    () => expect.unreachable(),
    (reason: unknown) => reason as TypeError,
  );
  expect(inspect(error, { depth: 20, showHidden: true, getters: true })).not.toContain('SECRET');
  return error;
}

describe.each(PROXY_PROTOCOLS)('lease.fetch through a proxy of %s', (protocol) => {
  it.each(['http', 'https'])('gets %s, and reports it', async (scheme) => {
    await leavingNoSocket(async () => {
      const site = await website(scheme === 'https' ? CERTIFICATE : undefined);
      const proxy = await forwardingProxy(protocol, CERTIFICATE);
      const vault = await vaultWith(protocol, proxy.port);
      const [lease, reports] = await leaseOf(vault);
      const origin = `${scheme}://127.0.0.1:${site.port}`;
      const response = await lease.fetch(`${origin}/a?b=c`, {
        method: 'POST',
        body: 'hi',
        headers: { 'X-Own': '1' },
      });
      expect(await response.json()).toEqual({
        method: 'POST',
        url: '/a?b=c',
        body: 'hi',
        login: null,
        host: `127.0.0.1:${site.port}`,
        own: '1',
      });
      const [report] = reports as [{ report: { latencyMs: number } }];
      expect(report).toEqual({
        report: { status: 200, latencyMs: expect.any(Number), retryAfterMs: undefined },
      });
      expect(report.report.latencyMs).toBeGreaterThan(0);
      expect(lease.state).toBe('reported');
      expect(vault.pool.stats()).toMatchObject({ leases: 0, ended: { succeeded: 1, failed: 0 } });
      // What an HTTP proxy may not allow is a tunnel to another port than that of HTTPS.
      const isPlain = scheme === 'http' && protocol.startsWith('http');
      const password = protocol === 'socks4' ? '' : 'p4ss-SECRET';
      const target = isPlain ? `plain ${origin}/a?b=c` : `tunnel 127.0.0.1:${site.port}`;
      expect(proxy.asked).toEqual([`${target} ${USERNAME}:${password}`]);
      await turn();
      // A second request needs no second connection.
      await (await lease.fetch(`${origin}/again`)).text();
      expect(proxy.connections()).toBe(1);
      const redirected = await lease.fetch(`${origin}/redirect`);
      expect(redirected.redirected).toBe(true);
      expect(await redirected.json()).toMatchObject({ method: 'GET', url: '/end' });
      await vault.close();
    });
  });
});

describe('lease.fetch', () => {
  it('never connects directly', async () => {
    const site = await website();
    const garbage = await fakeServer((peer) => peer.write('no proxy at all\r\n\r\n'));
    for (const protocol of PROXY_PROTOCOLS)
      for (const port of [await closedPort(), garbage.port]) {
        const [lease, reports] = await leaseOf(await vaultWith(protocol, port));
        const error = await failed(lease, `http://127.0.0.1:${site.port}/`);
        expect(error).toBeInstanceOf(TypeError);
        expect(error.message).toBe('fetch failed');
        expect(reports, `${protocol} ${inspect(error)}`).toHaveLength(1);
        expect(lease.state).toBe('reported');
      }
    expect(site.connections()).toBe(0);
  });

  it('reports how a proxy failed', async () => {
    const refusing = await fakeServer(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.socket.end('HTTP/1.1 429 Slow\r\nRetry-After: 9\r\n\r\n');
    });
    const [lease, reports] = await leaseOf(await vaultWith('http', refusing.port));
    const error = await failed(lease, 'https://shop.example/');
    expect(error.cause).toMatchObject({ code: 'PROXY_FAILED', details: { kind: 'blocked', status: 429 } });
    expect(reports).toEqual([{ fail: { kind: 'blocked', status: 429, retryAfterMs: 9_000 } }]);
  });

  it('reports a login that HTTP cannot carry, for plain HTTP too', async () => {
    const proxy = await forwardingProxy('http');
    const vault = await vaultWith('http', proxy.port);
    const [{ id } = { id: '' }] = vault.proxies.findAll();
    vault.credentials.store(id, { username: 'us3r:SECRET', password: 'x' });
    for (const url of ['http://shop.example/', 'https://shop.example/']) {
      const [lease, reports] = await leaseOf(vault);
      await failed(lease, url);
      expect(reports).toMatchObject([{ fail: { kind: 'protocol' } }]);
      vault.pool.reset([id]);
    }
    expect(proxy.asked).toEqual([]);
  });

  it('reports the statuses of answers by the configuration, with Retry-After', async () => {
    const site = await website();
    const vault = await vaultWith('http', (await forwardingProxy('http')).port);
    const [lease, reports] = await leaseOf(vault);
    const response = await lease.fetch(`http://127.0.0.1:${site.port}/429`);
    expect(response.status).toBe(429);
    expect(reports).toMatchObject([{ report: { status: 429, retryAfterMs: 30_000 } }]);
    expect(vault.pool.stats().ended).toMatchObject({ succeeded: 0, failed: 1 });
  });

  it('reports a connection that broke as `reset`', async () => {
    const cutting = await fakeServer(async (peer) => {
      await peer.until('\r\n\r\n');
      peer.write('HTTP/1.1 200 OK\r\n\r\n');
      await peer.take(1);
      peer.socket.destroy();
    });
    for (const url of ['https://shop.example/', 'http://shop.example/']) {
      const [lease, reports] = await leaseOf(await vaultWith('http', cutting.port));
      if (url.startsWith('https')) {
        await failed(lease, url);
        expect(reports).toEqual([{ fail: { kind: 'reset' } }]);
      }
    }
  });

  it.each([
    ['has expired', { days: -1 }, 'CERT_HAS_EXPIRED'],
    ['is of another name', { names: ['other.example'] }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['nobody trusts', {}, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ])('blames no proxy for a certificate of the target that %s', async (_, given, code) => {
    const bad = certificate(given);
    const isTrusted = code !== 'DEPTH_ZERO_SELF_SIGNED_CERT';
    setDefaultCACertificates([...rootCertificates, ...(isTrusted ? [bad.cert] : [])]);
    onTestFinished(() => setDefaultCACertificates([...rootCertificates, CERTIFICATE.cert]));
    const site = await website(bad);
    const vault = await vaultWith('http', (await forwardingProxy('http')).port);
    const [lease, reports] = await leaseOf(vault);
    const error = await failed(lease, `https://127.0.0.1:${site.port}/`);
    expect(error.cause).toMatchObject({ code });
    expect(reports).toEqual([{ fail: { kind: 'status' } }]);
    // An answer that is no good one costs even a new proxy only this domain.
    expect(vault.pool.stats().states).toMatchObject({ ready: 1, cooling: 0 });
  });

  it('blames no proxy for a target that speaks no TLS', async () => {
    const site = await website();
    const vault = await vaultWith('socks5', (await forwardingProxy('socks5')).port);
    const [lease, reports] = await leaseOf(vault);
    const error = await failed(lease, `https://127.0.0.1:${site.port}/`);
    expect(error.cause).toMatchObject({ code: expect.stringMatching(/^ERR_SSL_/) });
    expect(reports).toEqual([{ fail: { kind: 'status' } }]);
  });

  it('abandons the lease if the caller gives up, and reports a limit of time as `timeout`', async () => {
    const site = await website();
    const vault = await vaultWith('socks5', (await forwardingProxy('socks5')).port);
    const url = `http://127.0.0.1:${site.port}/silent`;
    const [given, none] = await leaseOf(vault);
    const caller = new AbortController();
    const reason = new Error('left');
    const asking = failed(given, url, { signal: caller.signal });
    caller.abort(reason);
    expect(await asking).toBe(reason);
    expect(none).toEqual([]);
    expect(vault.pool.stats()).toMatchObject({ leases: 0, ended: { abandoned: 1 } });
    const [late, reports] = await leaseOf(vault);
    expect(await failed(late, url, { signal: AbortSignal.timeout(50) })).toMatchObject({
      name: 'TimeoutError',
    });
    expect(reports).toEqual([{ fail: { kind: 'timeout' } }]);
  });

  it.each(['no url', 'ftp://shop.example/'])(
    'abandons the lease if what is asked is wrong: %s',
    async (url) => {
      const vault = await vaultWith('http', 9);
      const [lease, reports] = await leaseOf(vault);
      expect(await failed(lease, url)).toBeInstanceOf(TypeError);
      expect(reports).toEqual([]);
      expect(vault.pool.stats()).toMatchObject({ leases: 0, ended: { abandoned: 1 } });
    },
  );

  it('does not mind a lease that was reported before, or is meanwhile', async () => {
    const site = await website();
    const vault = await vaultWith('http', (await forwardingProxy('http')).port);
    const [lease] = await leaseOf(vault);
    const asking = lease.fetch(`http://127.0.0.1:${site.port}/503`);
    lease.succeed();
    expect((await asking).status).toBe(503);
    expect((await lease.fetch(`http://127.0.0.1:${site.port}/`)).status).toBe(200);
    expect(vault.pool.stats().ended).toMatchObject({ succeeded: 1, failed: 0 });
  });

  it('takes a Request and a FormData of the global classes', async () => {
    const site = await website();
    const vault = await vaultWith('http', (await forwardingProxy('http')).port);
    const [lease] = await leaseOf(vault);
    const url = `http://127.0.0.1:${site.port}/`;
    const request = new Request(url, { method: 'PUT', body: 'from a request', headers: { 'x-own': 'yes' } });
    const given = await (await lease.fetch(request)).json();
    expect(given).toMatchObject({ method: 'PUT', body: 'from a request', own: 'yes' });
    const other = new Request(url, { method: 'PUT', body: 'old' });
    expect(await (await lease.fetch(other, { body: 'new' })).json()).toMatchObject({
      method: 'PUT',
      body: 'new',
    });
    const form = new FormData();
    form.set('field', 'value');
    form.set('file', new File(['content'], 'name.txt'));
    const { body } = (await (await lease.fetch(url, { method: 'POST', body: form })).json()) as {
      body: string;
    };
    expect(body).toContain('name="field"');
    expect(body).toContain('filename="name.txt"');
  });

  it.each([
    ['http://[2001:db8::1]:8080/', '2001:db8::1', 8080],
    ['http://192.0.2.1/', '192.0.2.1', 80],
    ['http://shop.example/', 'shop.example', 80],
  ])('lets the proxy find the target: %s', async (url, host, port) => {
    const asked: unknown[] = [];
    const proxy = await fakeServer(async (peer) => {
      asked.push(await ASKED.socks5(peer));
      peer.write(GRANTED.socks5 as number[]);
      await peer.until('\r\n\r\n');
      peer.write('HTTP/1.1 204 No Content\r\n\r\n');
    });
    const [lease] = await leaseOf(await vaultWith('socks5', proxy.port));
    expect((await lease.fetch(url)).status).toBe(204);
    expect(asked).toMatchObject([{ host, port }]);
  });

  it('needs a vault', async () => {
    const db = openMigrated();
    const pool = new Pool(db);
    db.driver.run(
      `INSERT INTO proxies (id, name, host, port, protocol, status, created_at, updated_at)
       VALUES ('one', 'one', 'h.example', 1, 'http', 'active', :now, :now)`,
      { now: new Date().toISOString() },
    );
    const lease = pool.tryAcquire();
    await expect(lease.fetch('http://shop.example/')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(() => lease.dispatcher()).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });
});

describe('a login that is a template', () => {
  it.each([
    [{}, /^us3r-de-([0-9a-f]{12})-10$/],
    [{ session: 'cart17' }, /^us3r-de-(cart17)-10$/],
    [{ session: 'a b-c', sessionTtlMs: 3_600_000 }, /^us3r-de-([0-9a-f]{12})-60$/],
  ])('is filled in as the gateway does it: %o', async (asked, expected) => {
    const site = await website();
    const proxy = await forwardingProxy('http');
    const vault = await vaultWith('http', proxy.port);
    const [{ id } = { id: '' }] = vault.proxies.findAll();
    vault.proxies.update(id, { geolocation: { country: 'DE' } });
    vault.credentials.store(id, { username: 'us3r-{country}-{session}-{ttl}', password: 'x' });
    const url = `http://127.0.0.1:${site.port}/`;
    const lease = await vault.pool.acquire(asked);
    await (await lease.fetch(url)).text();
    await (await undiciFetch(url, { dispatcher: lease.dispatcher() })).text();
    const gateway = await vault.serve({ port: 0, allowTargets: 'all' });
    const { session, sessionTtlMs } = asked as { session?: string; sessionTtlMs?: number };
    const through = await gateway.listen({ session, ttlMs: sessionTtlMs });
    await (await undiciFetch(url, { dispatcher: new ProxyAgent(through.url) })).text();
    await vault.close();
    const usernames = proxy.asked.map((line) => line.split(' ')[2]?.split(':')[0] ?? '');
    expect(usernames).toHaveLength(3);
    for (const username of usernames) expect(username).toMatch(expected);
    // Without a session the lease has one of its own, and so has each request of the gateway.
    expect(new Set(usernames).size).toBe(session === undefined ? 2 : 1);
  });

  it('is revealed with the session and the country of the proxy, in plain words', async () => {
    const vault = await vaultWith('http', 9);
    const [{ id } = { id: '' }] = vault.proxies.findAll();
    vault.proxies.update(id, { geolocation: { country: 'DE' } });
    vault.credentials.store(id, { username: 'us3r-{country}-{session}', password: 'x' });
    const lease = await vault.pool.acquire({ session: 'a b' });
    expect(lease.reveal().username).toBe('us3r-de-a b');
    expect(lease.reveal({ country: 'us', session: 'c' }).username).toBe('us3r-us-c');
    expect(() => lease.reveal({ session: 'c' })).toThrow('give a country');
  });
});

describe('lease.dispatcher', () => {
  it('works with the global fetch and with undici, for http and https', async () => {
    await leavingNoSocket(async () => {
      const vault = await vaultWith('socks5', (await forwardingProxy('socks5')).port);
      const [lease, reports] = await leaseOf(vault);
      const dispatcher = await lease.dispatcher();
      for (const scheme of ['http', 'https']) {
        const { port } = await website(scheme === 'https' ? CERTIFICATE : undefined);
        const url = `${scheme}://127.0.0.1:${port}/x`;
        expect(await (await fetch(url, { dispatcher })).json()).toMatchObject({ url: '/x' });
        expect(await (await undiciFetch(url, { dispatcher })).json()).toMatchObject({ url: '/x' });
        const { body } = await undiciRequest(url, { dispatcher, query: { a: 1 } });
        expect(await body.json()).toMatchObject({ url: '/x?a=1' });
      }
      expect(reports).toEqual([]);
      expect(lease.state).toBe('held');
      await vault.close();
    });
  });

  it('takes interceptors of undici, for each way to make a request', async () => {
    const site = await website();
    const vault = await vaultWith('http', (await forwardingProxy('http')).port);
    const [lease] = await leaseOf(vault);
    const order: string[] = [];
    const noting =
      (name: string): Dispatcher.DispatcherComposeInterceptor =>
      (dispatch) =>
      (options, handler) => {
        order.push(name);
        return dispatch({ ...options, headers: { 'x-own': name } }, handler);
      };
    const origin = `http://127.0.0.1:${site.port}`;
    const composed = lease
      .dispatcher()
      .compose(noting('inner'))
      .compose([noting('outer'), interceptors.redirect({ maxRedirections: 1 })]);
    const asked = { origin, path: '/redirect', method: 'GET' } as const;
    for (const answer of [
      await fetch(`${origin}/redirect`, { dispatcher: composed as LeaseDispatcher }),
      await undiciFetch(`${origin}/redirect`, { dispatcher: composed }),
      (await undiciRequest(`${origin}/redirect`, { dispatcher: composed })).body,
      (await composed.request(asked)).body,
    ])
      expect(await answer.json()).toMatchObject({ url: '/end', own: 'inner' });
    expect(order.slice(0, 4)).toEqual(['outer', 'inner', 'outer', 'inner']);
    expect(() => composed.compose('no function' as never)).toThrow(TypeError);
    await composed.close();
  });

  it('survives a handler that throws when it is told of a failure, and warns of it', async () => {
    const warned = vi.fn();
    const unhandled = vi.fn();
    process.on('warning', warned).on('unhandledRejection', unhandled);
    onTestFinished(() => void process.off('warning', warned).off('unhandledRejection', unhandled));
    const vault = await vaultWith('http', await closedPort());
    const dispatcher = (await leaseOf(vault))[0].dispatcher();
    // A proxy that refuses, for plain HTTP and for a tunnel; and a vault that is closed.
    const asked = { origin: 'http://shop.example', path: '/', method: 'GET' } as const;
    const all = [asked, { ...asked, origin: 'https://shop.example' }, null];
    for (const options of all) {
      if (options === null) await vault.close();
      for (const [begins, name] of [
        ['onRequestStart', 'onResponseError'],
        ['onConnect', 'onError'],
      ] as const) {
        const told = vi.fn(() => {
          throw new TypeError('SECRET');
        });
        dispatcher.dispatch(options ?? asked, { [begins]() {}, [name]: told });
        await vi.waitFor(() => expect(warned).toHaveBeenCalled());
        expect(told).toHaveBeenCalled();
        expect(String(warned.mock.calls)).toContain('A handler of a dispatcher has thrown: TypeError.');
        expect(String(warned.mock.calls)).not.toContain('SECRET');
        warned.mockClear();
      }
    }
    expect(() => dispatcher.dispatch(asked, undefined as never)).toThrow(TypeError);
    await turn();
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('shares connections with its own proxy, login and session, and with nothing else', async () => {
    const site = await website();
    const proxy = await forwardingProxy('http');
    const vault = await vaultWith('http', proxy.port);
    const url = `http://127.0.0.1:${site.port}/`;
    const ask = async (session: string | undefined): Promise<void> => {
      const [lease] = await leaseOf(vault, session);
      await (await lease.fetch(url)).text();
      // The connection is free a turn after its answer has ended.
      await turn();
    };
    await ask('one');
    await ask('one');
    expect(proxy.connections()).toBe(1);
    await ask('two');
    expect(proxy.connections()).toBe(2);
    await ask(undefined);
    await ask('one');
    expect(proxy.connections()).toBe(3);
    // A new login is another identity.
    const [{ id } = { id: '' }] = vault.proxies.findAll();
    vault.credentials.store(id, { username: 'other', password: 'x' });
    await ask('one');
    expect(proxy.connections()).toBe(4);
  });

  it('leaks no socket if each request has one of its own, and does not have to be closed', async () => {
    const site = await website();
    const proxy = await forwardingProxy('http');
    const vault = await vaultWith('http', proxy.port);
    for (let round = 0; round < 50; round++) {
      const [lease] = await leaseOf(vault, 'one');
      const dispatcher = await lease.dispatcher();
      await (await undiciFetch(`http://127.0.0.1:${site.port}/`, { dispatcher })).text();
      await turn();
      await dispatcher.close();
      await dispatcher.destroy();
      lease.succeed();
    }
    expect(proxy.connections()).toBe(1);
  });

  it('connects any number of times at once without a warning', async () => {
    const warned = vi.fn();
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    const site = await website();
    const vault = await vaultWith('socks5', (await forwardingProxy('socks5')).port);
    const dispatcher = await (await leaseOf(vault))[0].dispatcher();
    const url = `http://127.0.0.1:${site.port}/`;
    const answers = await Promise.all(Array.from({ length: 40 }, () => undiciFetch(url, { dispatcher })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await turn();
    expect(warned).not.toHaveBeenCalled();
  });

  it('ends with the vault: its requests fail, its connections are closed, and it connects no more', async () => {
    await leavingNoSocket(async () => {
      const site = await website();
      const silent = await fakeServer(() => undefined);
      const proxy = await forwardingProxy('http');
      const vault = await vaultWith('http', proxy.port);
      const [lease] = await leaseOf(vault);
      const dispatcher = await lease.dispatcher();
      const url = `http://127.0.0.1:${site.port}/`;
      await (await undiciFetch(url, { dispatcher })).text();
      const waiting = [
        undiciFetch(`${url}silent`, { dispatcher }),
        undiciFetch(`https://127.0.0.1:${silent.port}/`, { dispatcher }),
      ];
      const ended = Promise.all(waiting.map((each) => expect(each).rejects.toThrow('fetch failed')));
      await expect.poll(() => silent.peers.length).toBe(1);
      await vault.close();
      await ended;
      await expect(undiciFetch(url, { dispatcher })).rejects.toMatchObject({ cause: { code: 'CLOSED' } });
      await silent.quiet();
    });
  });
});
