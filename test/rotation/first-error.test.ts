import { openVault } from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../support/temporary.ts';
import { open, storedUse } from './open-pool.ts';

describe('a pool that cannot be written', () => {
  it('says so at once, counts nothing, and can be closed', async () => {
    const { vault, path } = await open();
    await vault.close();
    const reader = await openVault({ path, keyFile: `${path}.key`, readonly: true });
    for (const request of [{}, { session: 's' }, { domain: 'x.example' }, {}])
      expect(thrownBy(() => reader.pool.choose(request))).toMatchObject({ code: 'READ_ONLY' });
    expect(reader.pool.explain().proxy).not.toBeNull();
    await reader.close();
  });

  it('that another process has locked: the turn is not lost, and nothing is counted', async () => {
    const { vault, path, next } = await open(3, { busyTimeoutMs: 0 });
    const other = await openVault({ path, keyFile: `${path}.key` });
    other.database.transaction(() => {
      for (const request of [{}, {}, { session: 's' }])
        expect(thrownBy(() => next(request))).toMatchObject({ code: 'BUSY' });
    });
    await other.close();
    expect([next(), next()]).toEqual(['a', 'b']);
    vault.pool.close();
    expect(['a', 'b', 'c'].map((id) => storedUse(vault, id).handOuts)).toEqual([1, 1, 0]);
  });
});

describe('a pool that is closed', () => {
  it('hands out nothing, explains nothing, and takes no report', async () => {
    const { vault, pool } = await open();
    const { id } = pool.choose();
    await vault.close();
    for (const call of [
      () => pool.choose(),
      () => pool.choose({ session: 's' }),
      () => pool.rotate(),
      () => pool.explain(),
      () => pool.report(id, { success: true }),
    ])
      expect(thrownBy(call)).toMatchObject({ code: 'CLOSED' });
    pool.close();
  });
});

describe('in a transaction of the caller', () => {
  it('what is handed out is kept if it is committed', async () => {
    const { vault, next } = await open();
    const id = vault.database.transaction(() => next({ session: 's' }));
    expect(next({ session: 's' })).toBe(id);
    vault.pool.close();
    expect(storedUse(vault, id).handOuts).toBe(2);
  });

  it('a session is forgotten if it is rolled back, and the next choice may give it another', async () => {
    const { vault, next } = await open();
    const roll = (request: object): string[] => {
      const seen: string[] = [];
      thrownBy(() =>
        vault.database.transaction(() => {
          seen.push(next(request), next(request));
          throw new Error('undo');
        }),
      );
      return seen;
    };
    const [first, second] = roll({ session: 's' });
    expect(first).toBe(second);
    expect(vault.database.query('SELECT * FROM session_proxies')).toEqual([]);
    expect(next({ session: 's' })).toBe(next({ session: 's' }));
    expect(vault.database.query('SELECT * FROM session_proxies')).toHaveLength(1);
  });

  it('what the first choice has read is forgotten if it is rolled back', async () => {
    const { vault, next } = await open(1);
    const { proxies, rules, database } = vault;
    thrownBy(() =>
      database.transaction(() => {
        proxies.update('a', { status: 'disabled' });
        proxies.create({ id: 'b', host: 'h.example', port: 7, protocol: 'http' });
        rules.create({
          name: 'r',
          conditions: [{ field: 'domain', operator: 'equals', value: 'x.example' }],
          actions: [{ type: 'block' }],
        });
        next();
        throw new Error('undo');
      }),
    );
    expect(vault.pool.explain().steps[0]).toMatchObject({ left: 1 });
    expect([next(), next(), next({ domain: 'x.example' })]).toEqual(['a', 'a', 'a']);
    // It has the revision that the other would have had.
    proxies.create({ id: 'c', host: 'h.example', port: 8, protocol: 'http', region: 'EU' });
    expect(next({ region: 'EU' })).toBe('c');
    expect(vault.pool.explain().steps.at(-1)).toMatchObject({ left: 2 });
  });

  it('the next proxy has its turn though it is rolled back', async () => {
    const { vault, next } = await open(4);
    const given = [next()];
    for (let n = 0; n < 2; n++)
      thrownBy(() =>
        vault.database.transaction(() => {
          given.push(next());
          throw new Error('undo');
        }),
      );
    expect([...given, next()]).toEqual(['a', 'b', 'c', 'd']);
  });

  it('hand-outs that wait are stored though it is rolled back', async () => {
    const { vault, next } = await open(1);
    thrownBy(() =>
      vault.database.transaction(() => {
        next();
        throw new Error('undo');
      }),
    );
    for (let n = 0; n < 4; n++) next();
    vault.pool.close();
    expect(storedUse(vault, 'a').handOuts).toBeGreaterThanOrEqual(4);
  });
});

describe('what waits to be stored', () => {
  it('is not counted twice if it is reported after the pool is read as a whole', async () => {
    const { vault, next } = await open(2);
    expect([next(), next()]).toEqual(['a', 'b']);
    vault.config.update({ options: { weights: { b: 2 } } });
    vault.pool.explain();
    vault.pool.report('b', { success: true });
    vault.pool.close();
    expect(storedUse(vault, 'b').handOuts).toBe(1);
  });

  it('is stored after the pool is read as a whole, though a new proxy has the place of one that is gone', async () => {
    const { vault, next } = await open(2);
    expect([next(), next(), next()]).toEqual(['a', 'b', 'a']);
    vault.proxies.delete('a');
    vault.proxies.create({ id: 'n', host: 'h.example', port: 9, protocol: 'http' });
    expect(next()).toBe('b');
    vault.config.update({ options: { weights: { b: 2 } } });
    next({ exclude: ['n'] });
    vault.pool.close();
    expect(['b', 'n'].map((id) => storedUse(vault, id).handOuts)).toEqual([3, 0]);
  });

  it('of a proxy that was deleted is passed, and the rest is stored', async () => {
    const { vault, next } = await open(3);
    expect([next(), next(), next()]).toEqual(['a', 'b', 'c']);
    vault.proxies.delete('b');
    expect(next()).toBe('a');
    vault.pool.close();
    expect(['a', 'c'].map((id) => storedUse(vault, id).handOuts)).toEqual([2, 1]);
  });

  it('of a proxy whose place another one took is not counted for that one', async () => {
    const { vault, next } = await open(2);
    expect([next(), next()]).toEqual(['a', 'b']);
    vault.proxies.delete('b');
    next();
    vault.proxies.create({ id: 'n', host: 'h.example', port: 9, protocol: 'http', region: 'EU' });
    next({ region: 'EU' });
    vault.pool.close();
    expect(storedUse(vault, 'n').handOuts).toBe(1);
  });

  it('is stored by close, and by a program that ends by itself', async () => {
    const { vault, next, time } = await open(1);
    for (let n = 0; n < 5; n++) {
      time.now += 1000;
      next();
    }
    await vault.close();
    const again = await openVault({ path: vault.database.path, keyFile: `${vault.database.path}.key` });
    expect(storedUse(again, 'a')).toEqual({ handOuts: 5, lastUsedAt: new Date(time.now).toISOString() });
    await again.close();
  });
});
