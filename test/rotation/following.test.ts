import { openVault, type Vault } from 'proxyvault';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { inOtherProcess } from '../support/other-process.ts';
import { thrownBy } from '../support/temporary.ts';
import { inputOf, open } from './open-pool.ts';

/** Another connection, as another process has it. */
async function second(path: string): Promise<Vault> {
  const vault = await openVault({ path, keyFile: `${path}.key`, durability: 'normal' });
  onTestFinished(() => vault.close());
  return vault;
}

describe('what this process changes is seen at once', () => {
  it.each<[string, (vault: Vault) => unknown, string | null]>([
    ['a new proxy', ({ proxies }) => proxies.create(inputOf(1, { region: 'EU' })), 'b'],
    ['several', ({ proxies }) => proxies.createMany([inputOf(2, { region: 'EU' }), inputOf(3)]), 'c'],
    ['a changed one', ({ proxies }) => proxies.update('a', { region: 'EU' }), 'a'],
    [
      'one that is disabled',
      ({ proxies }) => proxies.update('a', { region: 'EU', status: 'disabled' }),
      null,
    ],
    ['plain SQL', ({ database }) => database.execute(`UPDATE proxies SET region = 'EU' WHERE id = 'a'`), 'a'],
    [
      'rows of plain SQL',
      ({ database }) => database.query(`UPDATE proxies SET region = 'EU' RETURNING id`),
      'a',
    ],
    [
      'a transaction',
      ({ database, proxies }) => database.transaction(() => proxies.update('a', { region: 'EU' })),
      'a',
    ],
    [
      'a transaction that is rolled back',
      ({ database, proxies }) =>
        thrownBy(() =>
          database.transaction(() => {
            proxies.update('a', { region: 'EU' });
            throw new Error('undo');
          }),
        ),
      null,
    ],
  ])('%s', async (_, change, chosen) => {
    const { vault, pool } = await open(1);
    pool.choose();
    expect(pool.explain({ region: 'EU' }).proxy).toBeNull();
    change(vault);
    expect(pool.explain({ region: 'EU' }).proxy?.id ?? null).toBe(chosen);
  });

  it('a list, at once or in parts, its tags, and what was removed', async () => {
    const { vault, pool, ids } = await open(1);
    pool.choose();
    const list = (from: number): string =>
      Array.from({ length: 1500 }, (_, n) => `192.0.2.1:${from + n}\n`).join('');
    await vault.import(list(1000), { tag: 'list' });
    expect(pool.explain({ tags: ['list'] }).steps.at(-1)?.left).toBe(1500);
    await vault.import(list(1000), { tag: 'other', batch: 100 });
    expect(pool.explain({ tags: ['list', 'other'] }).steps.at(-1)?.left).toBe(1500);
    vault.tags.remove(vault.proxies.findAll().find(({ id }) => id !== ids[0])?.id ?? '', 'list');
    expect(pool.explain({ tags: ['list'] }).steps.at(-1)?.left).toBe(1499);
    for (const { id } of vault.proxies.findAll()) if (id !== 'a') vault.proxies.delete(id);
    expect(pool.explain().steps.at(-1)?.left).toBe(1);
  });

  it('weights, rules and the configuration', async () => {
    const { vault, pool, next } = await open(3);
    next();
    vault.proxies.update('b', { weight: 1e6 });
    expect(
      pool
        .explain({ strategy: 'weighted' })
        .runnersUp.concat()
        .map(({ detail }) => detail)
        .concat(pool.explain({ strategy: 'weighted' }).reason)
        .join(),
    ).toContain('1000000');
    vault.config.update({ strategy: 'random', options: { weights: { c: 7 } } });
    expect(pool.explain().strategy).toBe('random');
    const { id } = vault.rules.create({
      name: 'r',
      conditions: [{ field: 'hour', operator: 'greater-than', value: -1 }],
      actions: [{ type: 'block' }],
    });
    expect(pool.explain().proxy).toBeNull();
    vault.rules.setEnabled(id, false);
    expect(pool.explain().proxy).not.toBeNull();
    vault.rules.update(id, { enabled: true, actions: [{ type: 'use-proxy', proxyId: 'c' }] });
    expect(next()).toBe('c');
    vault.rules.delete(id);
    expect(pool.explain().rules).toEqual([]);
    vault.config.reset();
    expect(pool.explain().strategy).toBe('round-robin');
  });

  it('statistics are no change, and a proxy that was reset is', async () => {
    const { vault, next } = await open(2);
    next();
    const revision = (): unknown => vault.database.query('SELECT max(revision) AS n FROM proxies')[0]?.n;
    const before = revision();
    vault.proxies.updateStats('a', true, 20);
    vault.usage.record('a', { success: true });
    vault.pool.report('a', { success: false });
    for (let n = 0; n < 5; n++) next({ session: `s${n}` });
    vault.pool.close();
    expect(revision()).toBe(before);
    vault.proxies.update('a', { name: 'other' });
    expect(revision()).not.toBe(before);
  });

  it('tags of proxies whose ids sort otherwise in UTF-16 are not mixed up', async () => {
    const ids = ['\u{FF5E}', '\u{1F600}', 'z', '\u{E000}'];
    const { vault, pool } = await open(ids.map((id, n) => ({ id, port: n + 1 })));
    for (const id of ids) vault.tags.add(id, `of ${id}`, 'manual');
    for (const id of ids) expect(pool.explain({ tags: [`of ${id}`] }).proxy?.id).toBe(id);
  });
});

describe('what another connection changes', () => {
  it('is seen within a second, also rules and the configuration', async () => {
    const { pool, path, next, time } = await open(2);
    next();
    const other = await second(path);
    other.proxies.create(inputOf(2, { region: 'EU' }));
    other.proxies.delete('a');
    other.config.update({ strategy: 'least-used' });
    time.now += 1000;
    expect(pool.explain()).toMatchObject({ strategy: 'least-used' });
    expect(next({ region: 'EU' })).toBe('c');
    expect(pool.explain().steps.at(-1)?.left).toBe(2);
    other.rules.create({
      name: 'r',
      conditions: [{ field: 'hour', operator: 'greater-than', value: -1 }],
      actions: [{ type: 'block' }],
    });
    time.now += 1000;
    expect(thrownBy(() => next())).toMatchObject({ code: 'NO_PROXY' });
  });

  it('is seen too if the clock was set back', async () => {
    const { path, next, time } = await open(1);
    next();
    const other = await second(path);
    time.now -= 86_400_000;
    other.proxies.update('a', { status: 'disabled' });
    await vi.waitFor(() => expect(thrownBy(() => next())).toMatchObject({ code: 'NO_PROXY' }));
  });

  it('is read in whole if the tombstones are gone', async () => {
    const { vault, pool, path, next, time } = await open(5);
    next();
    const other = await second(path);
    for (const id of ['a', 'b', 'c']) other.proxies.delete(id);
    other.database.execute('DELETE FROM proxy_tombstones');
    time.now += 1000;
    expect(pool.explain().steps.at(-1)?.left).toBe(2);
    expect(next()).toBe('d');
    vault.pool.close();
  });

  it('a malformed row is left out and reported, and is taken when it is repaired', async () => {
    const { vault, pool, next, heard, time } = await open(3);
    next();
    vault.database.driver.exec('PRAGMA ignore_check_constraints = on');
    for (const [column, value] of [
      ['port', '0'],
      ['status', `'odd'`],
      ['protocol', `'ftp'`],
      ['host', `''`],
      ['geolocation_json', `'{'`],
      ['weight', '-1'],
    ] as const) {
      heard.length = 0;
      vault.database.execute(`UPDATE proxies SET ${column} = ${value} WHERE id = 'b'`);
      time.now += 1000;
      expect(pool.explain().steps.at(-1)?.left, column).toBe(2);
      expect(heard).toContainEqual({ table: 'proxies', id: 'b', column });
      const whole = inputOf(1);
      vault.database.execute(
        `UPDATE proxies SET port = ?, status = 'active', protocol = 'http', host = ?, geolocation_json = NULL, weight = 1 WHERE id = 'b'`,
        [whole.port, whole.host],
      );
      expect(pool.explain().steps.at(-1)?.left).toBe(3);
    }
  });

  it('a real process is followed while this one chooses', { timeout: 20_000 }, async () => {
    const { path, vault } = await open(1);
    await vault.close();
    const reader = await second(path);
    reader.pool.choose();
    const child = inOtherProcess(`
      const vault = await openVault({ path: ${JSON.stringify(path)}, keyFile: ${JSON.stringify(`${path}.key`)} });
      vault.proxies.create({ id: 'new', host: 'h.example', port: 9, protocol: 'http', region: 'EU' });
      console.log('done');
      await vault.close();`);
    expect(await child.line()).toBe('done');
    await vi.waitFor(() => expect(reader.pool.explain({ region: 'EU' }).proxy).not.toBeNull());
    await child.ended();
  });
});
