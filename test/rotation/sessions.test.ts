import { openVault, type Vault } from 'proxyvault';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inOtherProcess } from '../support/other-process.ts';
import { thrownBy } from '../support/temporary.ts';
import { open, START, storedUse } from './open-pool.ts';

const HOUR = 3_600_000;

async function reopened(path: string, clock?: () => number): Promise<Vault> {
  const vault = await openVault({ path, keyFile: `${path}.key`, durability: 'normal', clock });
  onTestFinished(() => vault.close());
  return vault;
}

const KEYS = [{ session: 'cart-7' }, { domain: 'shop.example', strategy: 'sticky-session' }] as const;

describe.each(KEYS)('%o', (request) => {
  it('keeps its proxy, also in another process and after a restart', async () => {
    const { vault, path, next, time } = await open(50);
    const id = next(request);
    for (let n = 0; n < 20; n++) {
      next();
      expect(next(request)).toBe(id);
    }
    const other = await reopened(path, () => time.now);
    expect(other.pool.choose(request).id).toBe(id);
    await vault.close();
    expect(other.pool.choose(request).id).toBe(id);
  });

  it('ends at its TTL after the last use, not after the first', async () => {
    const { vault, next, time, path } = await open(50);
    vault.config.update({ options: { stickyTtlMs: 1000, stickyChoice: 'round-robin' } });
    const id = next(request);
    for (let n = 0; n < 5; n++) {
      time.now += 999;
      expect(next(request)).toBe(id);
    }
    vault.pool.close();
    const other = await reopened(path, () => time.now);
    time.now += 999;
    expect(other.pool.choose(request).id).toBe(id);
    time.now += 1000;
    expect(other.pool.choose(request).id).not.toBe(id);
  });

  it('has a TTL of an hour by default', async () => {
    const { vault, next, time } = await open(50);
    vault.config.update({ options: { stickyChoice: 'round-robin' } });
    const id = next(request);
    time.now += HOUR - 1;
    expect(next(request)).toBe(id);
    time.now += HOUR;
    expect(next(request)).not.toBe(id);
  });

  it('moves if its proxy is out, excluded or not what is asked for, and stays there', async () => {
    const { vault, next } = await open(
      Array.from({ length: 20 }, (_, n) => ({ region: n % 2 === 0 ? 'EU' : 'NA' })),
    );
    const first = next(request);
    vault.proxies.update(first, { status: 'failed' });
    const second = next(request);
    expect(second).not.toBe(first);
    vault.proxies.update(first, { status: 'active' });
    expect(next(request)).toBe(second);
    const third = next({ ...request, exclude: [second] });
    expect(third).not.toBe(second);
    expect(next(request)).toBe(third);
    const region = vault.proxies.findById(third)?.region === 'EU' ? 'NA' : 'EU';
    const fourth = next({ ...request, region });
    expect(vault.proxies.findById(fourth)?.region).toBe(region);
    expect(next(request)).toBe(fourth);
    vault.proxies.delete(fourth);
    expect(next(request)).not.toBe(fourth);
  });

  it('is refused another one with stickyWhenOut refuse, until it is rotated or its proxy is back', async () => {
    const { vault, next, pool } = await open(5);
    vault.config.update({ options: { stickyWhenOut: 'refuse' } });
    const id = next(request);
    vault.proxies.update(id, { status: 'disabled' });
    for (const ask of [request, { ...request, exclude: [id] }])
      expect(thrownBy(() => next(ask))).toMatchObject({
        code: 'NO_PROXY',
        message: expect.stringContaining(id),
        details: { proxyId: id },
      });
    vault.proxies.update(id, { status: 'active' });
    expect(next(request)).toBe(id);
    vault.proxies.update(id, { status: 'disabled' });
    const other = pool.rotate(request).id;
    expect(other).not.toBe(id);
    expect(next(request)).toBe(other);
  });

  it('takes another one by rotate, by its rule too, each time', async () => {
    const { vault, next, pool } = await open(3);
    const before = next(request);
    const after = pool.rotate(request).id;
    expect(after).not.toBe(before);
    expect(next(request)).toBe(after);
    vault.rules.create({
      name: 'r',
      conditions: [{ field: 'hour', operator: 'greater-than', value: -1 }],
      actions: [{ type: 'rotate' }],
    });
    let last = after;
    for (let n = 0; n < 5; n++) {
      const id = next(request);
      expect(id).not.toBe(last);
      last = id;
    }
  });

  it('is not handed out excluded, also if the caller changes its large Set', async () => {
    const { next } = await open(100);
    const id = next(request);
    const exclude = new Set(Array.from({ length: 60 }, (_, n) => `unknown-${n}`));
    for (let n = 0; n < 3; n++) expect(next({ ...request, exclude })).toBe(id);
    exclude.delete('unknown-0');
    exclude.add(id);
    const other = next({ ...request, exclude });
    expect(other).not.toBe(id);
    // One that is excluded no more is kept.
    next({ exclude });
    exclude.add(other).delete('unknown-1');
    next({ exclude });
    exclude.add('unknown-1').delete(other);
    expect(next({ ...request, exclude })).toBe(other);
  });

  it('is committed before it is returned: a process that is killed then has kept it', {
    timeout: 20_000,
  }, async () => {
    const { vault, path } = await open(50);
    await vault.close();
    const child = inOtherProcess(`
      const vault = await openVault({ path: ${JSON.stringify(path)}, keyFile: ${JSON.stringify(`${path}.key`)} });
      vault.pool.choose();
      process.stdout.write(vault.pool.choose(${JSON.stringify(request)}).id + '\\n');
      process.kill(process.pid, 'SIGKILL');`);
    const id = await child.line();
    expect(await child.ended()).toBe('SIGKILL');
    const again = await reopened(path);
    again.config.update({ options: { stickyChoice: 'random' } });
    expect(again.pool.choose(request).id).toBe(id);
  });

  it('is the same for several processes that ask for it at once', { timeout: 30_000 }, async () => {
    const { vault, path } = await open(200);
    vault.config.update({ options: { stickyChoice: 'random' } });
    await vault.close();
    const children = Array.from({ length: 4 }, () =>
      inOtherProcess(`
        const vault = await openVault({ path: ${JSON.stringify(path)}, keyFile: ${JSON.stringify(`${path}.key`)}, busyTimeoutMs: 10000 });
        vault.pool.explain();
        console.log('ready');
        process.stdin.once('data', async () => {
          const ids = [];
          for (let n = 0; n < 30; n++) {
            const request = ${JSON.stringify(request)};
            for (const field of ['session', 'domain']) if (request[field]) request[field] = 'n' + n + '.' + request[field];
            ids.push(vault.pool.choose(request).id);
          }
          console.log(JSON.stringify(ids));
          await vault.close();
          process.exit();
        });`),
    );
    for (const child of children) expect(await child.line()).toBe('ready');
    for (const { child } of children) child.stdin?.write('go\n');
    const answers = await Promise.all(children.map(({ line }) => line()));
    expect(new Set(answers).size).toBe(1);
    for (const child of children) expect(await child.ended()).toBe(0);
  });

  it('whose proxy another process has just deleted gets another one', async () => {
    const { path, next, time } = await open(2);
    next();
    const other = await reopened(path, () => time.now);
    const [gone = '', left = ''] = other.proxies
      .findAll()
      .map(({ id }) => id)
      .reverse();
    other.proxies.update(left, { status: 'disabled' });
    time.now += 1000;
    expect(next()).toBe(gone);
    other.proxies.update(left, { status: 'active' });
    other.proxies.delete(gone);
    expect(next(request)).toBe(left);
  });

  it('counts its uses and the last of them, which close stores', async () => {
    const { vault, next, time } = await open(2);
    for (let n = 0; n < 4; n++) {
      time.now += 1000;
      next(request);
    }
    vault.pool.close();
    const table = 'session' in request ? 'session_proxies' : 'sticky_sessions';
    expect(vault.database.query(`SELECT request_count AS n, last_used AS at FROM ${table}`)).toEqual([
      { n: 4, at: new Date(START + 4000).toISOString().replace('T', ' ').replace('Z', '') },
    ]);
  });
});

describe('a session', () => {
  it('keeps its proxy under every strategy, and is apart from the domain', async () => {
    const { vault, next } = await open(30);
    for (const strategy of [
      'round-robin',
      'random',
      'least-used',
      'fastest',
      'failure-aware',
      'weighted',
      'geographic',
      'time-based',
      'custom',
    ] as const) {
      const id = next({ session: strategy, strategy });
      for (let n = 0; n < 5; n++) {
        next({ strategy: 'round-robin' });
        expect(next({ session: strategy, strategy, domain: `d${n}.example` })).toBe(id);
      }
    }
    expect(vault.sticky.count()).toBe(0);
  });

  it('is used by no proxy that a rule names, and keeps its own', async () => {
    const { vault, next } = await open(5);
    const id = next({ session: 's' });
    const other = id === 'a' ? 'b' : 'a';
    vault.rules.create({
      name: 'r',
      conditions: [{ field: 'path', operator: 'equals', value: '/pay' }],
      actions: [{ type: 'use-proxy', proxyId: other }],
    });
    expect(next({ session: 's', url: 'https://x.example/pay' })).toBe(other);
    expect(next({ session: 's' })).toBe(id);
  });
});

describe('turns of several processes', () => {
  it('each of which chooses once, as a command does, are exact', { timeout: 30_000 }, async () => {
    const { vault, path, ids } = await open(3);
    await vault.close();
    const seen: string[] = [];
    for (let n = 0; n < 7; n++) {
      const one = await openVault({ path, keyFile: `${path}.key`, durability: 'normal' });
      seen.push(one.pool.choose().id);
      await one.close();
    }
    expect(seen).toEqual([...ids, ...ids, ids[0]]);
  });

  it('begin each at another place', async () => {
    const { path, next } = await open(20);
    const firsts = [next()];
    for (let n = 0; n < 5; n++) {
      const other = await reopened(path);
      firsts.push(other.pool.choose().id);
    }
    expect(new Set(firsts).size).toBe(6);
  });

  it('of programs that end by themselves, without close, are stored with their hand-outs', {
    timeout: 30_000,
  }, async () => {
    const { vault, path } = await open(2);
    await vault.close();
    const child = inOtherProcess(`
      const vault = await openVault({ path: ${JSON.stringify(path)}, keyFile: ${JSON.stringify(`${path}.key`)} });
      for (let n = 0; n < 7; n++) console.log(vault.pool.choose().id);`);
    expect(await child.rest()).toHaveLength(7);
    expect(await child.ended()).toBe(0);
    const again = await reopened(path);
    expect([storedUse(again, 'a').handOuts, storedUse(again, 'b').handOuts]).toEqual([4, 3]);
    expect(again.pool.choose().id).toBe('b');
  });
});
