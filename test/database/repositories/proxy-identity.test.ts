import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { DatabaseManager, Login, ProxyInput } from 'proxyvault/database';
import {
  EncryptedCredentialsRepository,
  type ImportSummary,
  ProxyRepository,
  ProxyTagsRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Session } from 'proxyvault/driver';
import { describe, expect, it } from 'vitest';
import { ImportMemory } from '../../../src/database/repositories/import-memory.ts';
import { failureOf, inTurn, MODES, openSession } from '../../support/modes.ts';
import { numberOfRuns } from '../../support/number-of-runs.ts';

describe.each(MODES)('in mode %s', (mode) => {
  const GATE = { host: 'gate.example', port: 7000, protocol: 'http' as const };

  interface Pool {
    db: DatabaseManager;
    session: Session<'async'>;
    encryption: EncryptionService<'async'>;
    proxies: ProxyRepository<'async'>;
    credentials: EncryptedCredentialsRepository<'async'>;
  }

  function open(verbose?: (sql: string) => void): Pool {
    const { db, session } = openSession(mode, { ...(verbose && { verbose }) });
    const encryption = new EncryptionService<'async'>({ key: randomBytes(32), database: session });
    return {
      db,
      session,
      encryption,
      proxies: new ProxyRepository(session, encryption),
      credentials: new EncryptedCredentialsRepository(session, encryption),
    };
  }

  /** An entry of a list: `user:password` at the gateway; without a colon the list hides the password. */
  function entry(login: string): ProxyInput {
    const { username, password } = loginOf(login);
    return username === '' && password === '' ? GATE : { ...GATE, credentials: { username, password } };
  }

  function loginOf(login: string): Login {
    const [username = '', password = ''] = login.split(':');
    return { username, password };
  }

  /** The logins of the pool, each with its count of requests, in order. */
  async function contents({ proxies, credentials }: Pool): Promise<string[]> {
    const texts = await inTurn(await proxies.findAll(), async ({ id, totalRequests }) => {
      const { username, password } = (await credentials.reveal(id)) ?? { username: '', password: '' };
      return `${username}:${password} ${totalRequests}`;
    });
    return texts.sort();
  }

  /** A pool with these logins, of which the first has 1 request, the second 2, and so on. */
  async function poolOf(...logins: string[]): Promise<Pool> {
    const pool = open();
    for (const [index, login] of logins.entries()) {
      const { id } = await pool.proxies.create(entry(login));
      for (let n = 0; n <= index; n++) await pool.proxies.updateStats(id, true);
    }
    return pool;
  }

  /** The same, from a list. */
  async function importedPoolOf(...logins: string[]): Promise<Pool> {
    const pool = open();
    await pool.proxies.importMany(logins.map(entry));
    for (const [index, { id }] of (await pool.proxies.findAll()).entries())
      for (let n = 0; n <= index; n++) await pool.proxies.updateStats(id, true);
    return pool;
  }

  async function inBatches(pool: Pool, list: readonly string[], batch: number): Promise<ImportSummary> {
    using memory = new ImportMemory();
    const sum = { added: 0, updated: 0, unchanged: 0 };
    for (let from = 0; from === 0 || from < list.length; from += batch) {
      const options = { memory, isLast: from + batch >= list.length };
      const part = await pool.proxies.importMany(list.slice(from, from + batch).map(entry), options);
      for (const name of ['added', 'updated', 'unchanged'] as const) sum[name] += part[name];
    }
    return sum;
  }

  function ordersOf<T>(list: readonly T[]): T[][] {
    if (list.length < 2) return [[...list]];
    return list.flatMap((first, index) => ordersOf(list.toSpliced(index, 1)).map((rest) => [first, ...rest]));
  }

  describe('a list with passwords that the pool does not have', () => {
    const cases: [pool: string[], list: string[], result: string[]][] = [
      // One new password for the only proxy.
      [['u:p'], ['u:a'], ['u:a 1']],
      [['u:p'], ['u:a', 'u:a'], ['u:a 1']],
      [
        ['u:p', 'v:p'],
        ['u:a', 'v:p'],
        ['u:a 1', 'v:p 2'],
      ],
      [['u'], ['u:a'], ['u:a 1']],
      // The proxy with the stored password is in the list: the other is a new one.
      [['u:p'], ['u:a', 'u:p'], ['u:a 0', 'u:p 1']],
      [['u:p'], ['u:a', 'u:a', 'u:p'], ['u:a 0', 'u:p 1']],
      // Two new passwords: nobody knows which of them is that of the stored proxy, so it keeps its own.
      [['u:p'], ['u:a', 'u:b'], ['u:a 0', 'u:b 0', 'u:p 1']],
      [['u:p'], ['u:a', 'u:b', 'u:p'], ['u:a 0', 'u:b 0', 'u:p 1']],
      // Several stored ones: an unknown password is a new proxy.
      [['u:p', 'u:q'], ['u:a'], ['u:a 0', 'u:p 1', 'u:q 2']],
      [
        ['u:p', 'u:q'],
        ['u:a', 'u:q'],
        ['u:a 0', 'u:p 1', 'u:q 2'],
      ],
      // A hidden password is that of the only proxy; of several nobody knows whose, so that nothing changes.
      [['u:p'], ['u'], ['u:p 1']],
      [['u:p'], ['u', 'u'], ['u:p 1']],
      [
        ['u:p', 'u:q'],
        ['u', 'u'],
        ['u:p 1', 'u:q 2'],
      ],
      [[], ['u', 'u'], ['u: 0']],
      [['u'], ['u'], ['u: 1']],
      // A list that hides no other password of the user means a proxy without one.
      [[], ['u', 'u:a', 'u:b'], ['u: 0', 'u:a 0', 'u:b 0']],
      [['u:p'], ['u', 'u:p'], ['u: 0', 'u:p 1']],
      [['u:p'], ['u', 'u:a'], ['u: 0', 'u:a 0', 'u:p 1']],
      [
        ['u:p', 'u:q'],
        ['u', 'u:q'],
        ['u: 0', 'u:p 1', 'u:q 2'],
      ],
      // Without a username it is the same.
      [[''], ['', ''], [': 1']],
      [[''], [':a'], [':a 1']],
      [[':p', ':q'], [''], [':p 1', ':q 2']],
      [['u:p'], ['', 'v:p'], [': 0', 'u:p 1', 'v:p 0']],
    ];
    it.each(cases)(
      'in a pool of %j the list %j gives %j, in every order and in batches',
      async (pool, list, result) => {
        // Each order needs a pool, which takes longer on a disk.
        for (const order of mode === 'sync' ? ordersOf(list) : [list]) {
          for (const batch of [1, 2, list.length]) {
            const filled = await (batch === 1 ? importedPoolOf : poolOf)(...pool);
            const before = await filled.proxies.count();
            const { added, updated, unchanged } = await inBatches(filled, order, batch);
            expect(await contents(filled)).toEqual(result);
            expect(added).toBe((await filled.proxies.count()) - before);
            expect(added + updated + unchanged).toBe(list.length);
            expect(await inBatches(filled, order.toReversed(), batch)).toEqual({
              added: 0,
              updated: 0,
              unchanged: list.length,
            });
            expect(await contents(filled)).toEqual(result);
          }
        }
      },
    );

    it('and a hidden one many times, looks at its proxies once', async () => {
      const sessions = Array.from({ length: 50 }, (_, n) => `u:s${n}`);
      const statements = async (lines: number): Promise<number> => {
        let count = 0;
        const pool = open(() => count++);
        await pool.proxies.importMany(sessions.map(entry));
        count = 0;
        const list = Array.from({ length: lines }, () => entry('u'));
        expect(await pool.proxies.importMany(list, { tag: { name: 't', importId: 'now' } })).toMatchObject({
          unchanged: lines,
        });
        expect(await new ProxyTagsRepository(pool.session).count('t')).toBe(50);
        return count;
      };
      expect(((await statements(101)) - (await statements(1))) / 100).toBeLessThan(10);
    });

    it('and a hidden one, adds a proxy if all that it may have meant were removed between two batches', async () => {
      const pool = await poolOf('u:p', 'u:q');
      using memory = new ImportMemory();
      await pool.proxies.importMany([entry('u')], { memory, isLast: false });
      for (const { id } of await pool.proxies.findAll()) await pool.proxies.delete(id);
      expect(await pool.proxies.importMany([], { memory })).toMatchObject({ added: 1 });
      expect(await contents(pool)).toEqual(['u: 0']);
    });

    it('keeps what a sync cannot tell apart, and removes what left the list', async () => {
      for (const [list, result] of [
        [['u'], ['u:p 1', 'u:q 2']],
        [['u:a'], ['u:a 0']],
        [
          ['u:a', 'u:q'],
          ['u:a 0', 'u:q 2'],
        ],
      ] as const) {
        const pool = await poolOf('u:p', 'u:q', 'w:x');
        const tags = new ProxyTagsRepository(pool.session);
        for (const { id } of await pool.proxies.findAll()) await tags.add(id, 't', 'earlier');
        await pool.proxies.importMany(list.map(entry), { tag: { name: 't', importId: 'now' } });
        await tags.removeOthers('t', 'now');
        expect(await contents(pool)).toEqual(result);
      }
    });
  });

  describe('any sequence of imports, adds, deletes and uses', () => {
    interface Known {
      login: string;
      requests: number;
    }
    const login = fc.constantFrom('', ':a', ':b', 'u', 'u:a', 'u:b', 'u:c', 'v', 'v:a', 'v:b');
    const list = fc.array(login, { maxLength: 6 });
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ list, batch: fc.nat({ max: 6 }), seed: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ add: login }) },
      { weight: 1, arbitrary: fc.record({ remove: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ use: fc.nat() }) },
    );

    const usernameOf = (text: string): string => text.split(':')[0] ?? '';
    const isHidden = (text: string): boolean => !text.includes(':');

    /** What an import makes of the proxies with one username. */
    function imported(stored: readonly Known[], list: readonly string[]): Known[] {
      const wanted = [...new Set(list)];
      const unknown = wanted.filter((each) => !stored.some((known) => known.login === each));
      const [only, another] = stored;
      const [single] = unknown;
      if (single !== undefined && wanted.length === 1 && only) {
        if (another === undefined)
          return [isHidden(single) ? only : { login: single, requests: only.requests }];
        if (isHidden(single)) return [...stored];
      }
      return [...stored, ...unknown.map((each) => ({ login: each, requests: 0 }))];
    }

    it('does what a simple model says, whatever the order of the lists', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
          const pools = [open(), open()];
          let model: Known[] = [];
          for (const each of steps) {
            if ('list' in each) {
              const { list, batch, seed } = each;
              const shuffled = list.toSorted((a, b) => hash(a, seed) - hash(b, seed));
              for (const [index, pool] of pools.entries())
                await inBatches(pool, index === 0 ? list : shuffled, index === 0 ? 100 : batch + 1);
              model = ['', 'u', 'v'].flatMap((name) =>
                imported(
                  model.filter(({ login }) => usernameOf(login) === name),
                  list.filter((login) => usernameOf(login) === name),
                ),
              );
            } else if ('add' in each) {
              const isKnown = model.some(({ login }) => login === each.add);
              if (!isKnown) model.push({ login: each.add, requests: 0 });
              for (const { proxies } of pools) {
                const outcome = isKnown
                  ? await failureOf(() => proxies.create(entry(each.add)))
                  : await proxies.create(entry(each.add));
                if (isKnown) expect(outcome).toMatchObject({ code: 'CONFLICT' });
              }
            } else if (model.length > 0) {
              const chosen = model[('use' in each ? each.use : each.remove) % model.length];
              if (chosen && 'use' in each) chosen.requests++;
              else model = model.filter((known) => known !== chosen);
              for (const { proxies, credentials } of pools) {
                const known = await inTurn(await proxies.findAll(), async ({ id }) => ({
                  id,
                  login: textOf(await credentials.reveal(id)),
                }));
                const id = known.find(({ login }) => login === chosen?.login)?.id;
                if ('use' in each) await proxies.updateStats(String(id), true);
                else await proxies.delete(String(id));
              }
            }
            const expected = model.map(
              ({ login, requests }) => `${isHidden(login) ? `${login}:` : login} ${requests}`,
            );
            for (const pool of pools) expect(await contents(pool)).toEqual(expected.toSorted());
          }
        }),
        { numRuns: numberOfRuns(mode === 'sync' ? 60 : 8) },
      );
    });

    function textOf(login: Login | null): string {
      const { username, password } = login ?? { username: '', password: '' };
      return password === '' ? username : `${username}:${password}`;
    }

    function hash(text: string, seed: number): number {
      return [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1009, seed % 1009);
    }
  });

  it('2,500 sessions in passwords are 2,500 proxies, whatever the order', async () => {
    const list = Array.from({ length: 2500 }, (_, n) => entry(`u:session-${n}`));
    const pool = open();
    expect(await pool.proxies.importMany(list)).toEqual({ added: 2500, updated: 0, unchanged: 0 });
    const rows = (): unknown[] => pool.db.driver.all('SELECT * FROM proxies ORDER BY id', {}, (row) => row);
    const before = rows();
    expect(await pool.proxies.importMany(list.toReversed())).toEqual({
      added: 0,
      updated: 0,
      unchanged: 2500,
    });
    expect(rows()).toEqual(before);
  });

  describe('the specification\u2019s create and store', () => {
    it('work for several proxies at one address, and are found by an import', async () => {
      const { proxies, credentials } = open();
      const ids = await inTurn(['u:p', 'u:q', 'v:p'], async (login) => {
        const { id } = await proxies.create(GATE);
        await credentials.store(id, loginOf(login));
        return id;
      });
      await proxies.create(GATE);
      expect(await proxies.importMany(['u:p', 'u:q', 'v:p', ''].map(entry))).toEqual({
        added: 0,
        updated: 0,
        unchanged: 4,
      });
      expect(await failureOf(() => credentials.store(String(ids[2]), loginOf('u:q')))).toMatchObject({
        code: 'CONFLICT',
        details: { existingId: ids[1] },
      });
      expect(await credentials.reveal(String(ids[2]))).toEqual(loginOf('v:p'));
      await credentials.store(String(ids[2]), loginOf('v:r'));
      expect(await proxies.importMany([entry('v:p')])).toMatchObject({ updated: 1 });
    });

    it('take ciphertext too: an import or create at the address looks at it', async () => {
      for (const meet of ['import', 'create'] as const) {
        const { proxies, credentials, encryption } = open();
        const { id } = await proxies.create(GATE);
        await credentials.save(id, await encryption.encrypt('secret'));
        const same = entry(':secret');
        if (meet === 'import')
          expect(await proxies.importMany([same])).toEqual({ added: 0, updated: 0, unchanged: 1 });
        else
          expect(await failureOf(() => proxies.create(same))).toMatchObject({
            code: 'CONFLICT',
            details: { existingId: id },
          });
        await proxies.create(GATE);
        expect(await proxies.count()).toBe(2);
      }
    });

    it('delete of a login leaves a proxy without one', async () => {
      const { proxies, credentials } = await poolOf('u:p', 'u:q');
      const [first, second] = (await proxies.findAll()).map(({ id }) => id);
      expect(await credentials.delete(String(first))).toBe(true);
      expect(await failureOf(() => proxies.create(GATE))).toMatchObject({
        code: 'CONFLICT',
        details: { existingId: first },
      });
      expect(await credentials.delete(String(second))).toBe(true);
      expect(await proxies.importMany([GATE])).toEqual({ added: 0, updated: 0, unchanged: 1 });
      await proxies.importMany([entry('u:p'), entry('u:q')]);
      expect(await proxies.count()).toBe(4);
    });
  });

  describe('a move to an address', () => {
    it('is a conflict only with the same login there', async () => {
      const { proxies } = await poolOf('u:p', 'u:q', '');
      const there = { ...GATE, port: 7001 };
      const moved = await inTurn(['u:p', 'u:r', ''], (login) =>
        proxies.create({ ...entry(login), ...there }),
      );
      const conflicts = await inTurn(moved, async ({ id }) => {
        try {
          await proxies.update(id, { port: GATE.port });
          return null;
        } catch (error) {
          return error;
        }
      });
      const [first, , third] = await proxies.findAll();
      expect(conflicts).toEqual([
        expect.objectContaining({ code: 'CONFLICT', details: { existingId: first?.id } }),
        null,
        expect.objectContaining({ code: 'CONFLICT', details: { existingId: third?.id } }),
      ]);
    });
  });

  it('a login that cannot be read stops no import: its proxy gets the password of the list', async () => {
    for (const damaged of ['username_fingerprint', 'encrypted_data'] as const) {
      const pool = await poolOf('u:p', 'v:p');
      const [first] = await pool.proxies.findAll();
      const table = damaged === 'encrypted_data' ? 'encrypted_credentials' : 'proxies';
      const where = damaged === 'encrypted_data' ? 'proxy_id' : 'id';
      pool.db.driver.run(
        `UPDATE ${table} SET ${damaged} = ${damaged === 'encrypted_data' ? `'AAAA'` : 'NULL'} WHERE ${where} = :id`,
        { id: String(first?.id) },
      );
      expect(await pool.proxies.importMany(['u:p', 'v:p'].map(entry))).toMatchObject({ added: 0 });
      expect(await contents(pool)).toEqual(['u:p 1', 'v:p 2']);
    }
  });

  it('equal passwords of two users have different fingerprints, and none is in clear', async () => {
    const pool = await poolOf('u:secret', 'v:secret', 'u');
    const rows = pool.db.driver.all(
      'SELECT username_fingerprint AS u, password_fingerprint AS p FROM proxies ORDER BY id',
      {},
      (row) => ({ ...row }),
    );
    expect(new Set(rows.map(({ p }) => p)).size).toBe(3);
    expect(rows[0]?.u).toBe(rows[2]?.u);
    expect(rows[2]?.p).toBe('');
    for (const { p } of rows.slice(0, 2)) expect(p).toMatch(/^[\w-]{22}$/);
  });
});

it('whether a login is not known yet is asked of the index of those, also in a database without statistics', () => {
  const heard: string[] = [];
  const { db } = openSession('sync', { verbose: (sql) => heard.push(sql) });
  heard.length = 0;
  expect(new ProxyRepository(db).hasUnidentified()).toBe(false);
  const [sql = ''] = heard;
  const plan = db.query<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).map(({ detail }) => detail);
  expect(plan.at(-1)).toBe('SCAN proxies USING INDEX idx_proxies_unidentified');
});
