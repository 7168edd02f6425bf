import type { Steps } from 'proxyvault/driver';
import { expect, it } from 'vitest';
import { ProxyVaultError } from '../../../../src/errors.ts';
import { answer, failureOf } from '../../../support/modes.ts';
import { type Fixture, fixture, type Open, SELECT, steps, thrower } from './fixture.ts';

/** What makes the engine leave a transaction, or must not make it store a part. */
const FATAL: [name: string, sql: string, code: string][] = [
  ['a full disk', 'INSERT INTO numbers VALUES (1000, zeroblob(1000000))', 'DISK_FULL'],
  ['a trigger that raises ROLLBACK', 'INSERT INTO forbidden VALUES (1)', 'CONSTRAINT'],
  ['a conflict with OR ROLLBACK', 'INSERT OR ROLLBACK INTO numbers VALUES (0, NULL)', 'CONFLICT'],
  ['COMMIT by hand', '-- a comment\n commit', 'INVALID_INPUT'],
  ['END by hand', ' ; END TRANSACTION', 'INVALID_INPUT'],
  ['ROLLBACK by hand', '/* a comment */ ROLLBACK', 'INVALID_INPUT'],
];

const DEEPEST = 4;

/** What `work` gives or throws, whatever the mode. */
async function outcomeOf(work: () => unknown): Promise<unknown> {
  try {
    return { returned: await work() };
  } catch (error) {
    return error;
  }
}

/** Nesting, and rollback by the caller and by the engine. */
export function describeTransactions(open: Open): void {
  const limited = (): Promise<Fixture> => fixture(open, { pages: 40 });

  /** Every way to the engine; each of them must throw in a transaction that is lost. */
  function waysOf({ driver, engine, add }: Fixture): [name: string, go: () => Promise<unknown>][] {
    return [
      ['run', () => add(77)],
      ['first', () => driver.first(SELECT, {}, (row) => row.n)],
      ['one', () => driver.one(SELECT, {}, (row) => row?.n)],
      ['all', () => driver.all(SELECT, {}, (row) => row.n)],
      [
        'all of INSERT … RETURNING',
        () => driver.all('INSERT INTO numbers VALUES (78, NULL) RETURNING n', {}, (row) => row.n),
      ],
      ['iterate', () => driver.iterate(SELECT, {}, (row) => row.n).next()],
      ['script', () => engine.script('INSERT INTO numbers VALUES (80, NULL)')],
      ['SAVEPOINT', () => driver.run('SAVEPOINT mine', {})],
      ['BEGIN', () => driver.run('BEGIN', {})],
      [
        'transaction',
        () =>
          driver.transaction(function* () {
            yield* answer(add(79));
          }),
      ],
    ];
  }

  const cases = FATAL.flatMap(([name, sql, code]) =>
    Array.from({ length: DEEPEST }, (_, i) => [name, i + 1, sql, code] as const),
  );

  it.each(cases)(
    '%s at depth %i: nothing is stored, and the outermost throws it',
    async (_name, deepest, sql, code) => {
      // Caught at every depth (0), or at this one alone.
      for (let catching = 0; catching <= deepest; catching++) {
        const test = await limited();
        const caught: unknown[] = [];
        const survived: string[] = [];
        const level = function* (depth: number): Steps<'async', string> {
          yield* answer(test.add(depth));
          try {
            yield depth < deepest
              ? test.driver.transaction(() => level(depth + 1))
              : test.driver.run(sql, {});
          } catch (error) {
            caught.push(error);
            if (catching !== 0 && catching !== depth) throw error;
          }
          for (const [name, go] of waysOf(test)) {
            try {
              yield go();
              survived.push(name);
            } catch (error) {
              caught.push(error);
            }
          }
          return 'returned normally';
        };

        const thrown = await outcomeOf(() => test.driver.transaction(() => level(1)));

        expect(thrown).toMatchObject({ name: 'ProxyVaultError', code });
        expect(thrown).toBe(caught[0]);
        expect(survived).toEqual([]);
        for (const error of caught.slice(1)) expect(error).toMatchObject({ code });
        expect(caught.at(-1)).toMatchObject({ message: expect.stringContaining('return from it') });
        expect(await test.stored()).toEqual([0]);
        expect(test.driver.scope).toBeNull();

        await test.driver.transaction(function* () {
          yield* answer(test.add(1));
        });
        expect(await test.stored()).toEqual([0, 1]);
      }
    },
  );

  it('an error that only ends its statement leaves the transaction, at every depth', async () => {
    const test = await limited();
    const level = function* (depth: number): Steps<'async', void> {
      yield* answer(test.add(depth * 10));
      try {
        yield* answer(
          test.driver.transaction(function* () {
            yield* answer(test.add(depth * 10 + 1));
            yield* answer(test.add(0));
          }),
        );
      } catch (error) {
        expect(error).toMatchObject({ code: 'CONFLICT' });
      }
      yield* answer(test.add(depth * 10 + 2));
      if (depth < DEEPEST) yield test.driver.transaction(() => level(depth + 1));
    };
    await test.driver.transaction(() => level(1));
    expect(await test.stored()).toEqual([0, 10, 12, 20, 22, 30, 32, 40, 42]);
  });

  it('an error of the caller wins over none, and the first cause over an error of the caller', async () => {
    const test = await limited();
    const mine = new Error('mine');
    const after = (sql: string) =>
      outcomeOf(() =>
        test.driver.transaction(function* () {
          try {
            yield* answer(test.driver.run(sql, {}));
          } catch {
            // The caller has an error of its own.
          }
          throw mine;
        }),
      );
    expect(await after('INSERT INTO numbers VALUES (0, NULL)')).toBe(mine);
    expect(await after('INSERT INTO forbidden VALUES (1)')).toMatchObject({ code: 'CONSTRAINT' });
    expect(await test.stored()).toEqual([0]);
  });

  it('savepoints by hand may be used and left', async () => {
    const test = await limited();
    await test.driver.transaction(function* () {
      yield* answer(test.driver.run('SAVEPOINT mine', {}));
      yield* answer(test.add(1));
      yield* answer(test.driver.run('ROLLBACK TRANSACTION TO SAVEPOINT mine', {}));
      yield* answer(test.add(2));
      yield* answer(test.driver.run('RELEASE mine', {}));
    });
    expect(await test.stored()).toEqual([0, 2]);
  });

  it('what follows a transaction runs once after it, committed or not, and outside of it', async () => {
    const test = await limited();
    for (const isUndone of [false, true]) {
      const seen: unknown[] = [];
      const followUp = (): void => void seen.push(test.driver.scope);
      await outcomeOf(() =>
        test.driver.transaction(function* () {
          test.driver.afterTransaction(followUp);
          yield* answer(
            test.driver.transaction(function* () {
              test.driver.afterTransaction(followUp);
              yield* answer(test.add(isUndone ? 1 : 2));
            }),
          );
          expect(seen).toEqual([]);
          if (isUndone) throw new Error('undone');
        }),
      );
      expect(seen).toEqual([null]);
    }
    expect(await test.stored()).toEqual([0, 2]);
  });

  it('what follows a transaction runs at once if none is open, and a typed error of it does not matter', async () => {
    const { driver, add, stored } = await limited();
    const seen: string[] = [];
    driver.afterTransaction(() => seen.push('at once'));
    expect(seen).toEqual(['at once']);
    const given = await driver.transaction(function* () {
      yield* answer(add(1));
      driver.afterTransaction(() => {
        throw new ProxyVaultError('BUSY');
      });
      driver.afterTransaction(async () => seen.push('after'));
      return 'its value';
    });
    expect([given, seen]).toEqual(['its value', ['at once', 'after']]);
    expect(await stored()).toEqual([0, 1]);
  });

  it('gives what its steps return; what throws is undone alone, and the caller gets that error', async () => {
    const { driver, add, all, stored } = await limited();
    const mine = new Error('mine');
    const seen = await driver.transaction(function* () {
      yield* answer(add(1));
      const undone = function* (): Steps<'async', void> {
        yield* answer(add(2));
        throw mine;
      };
      let caught: unknown;
      try {
        yield* answer(driver.transaction(undone));
      } catch (error) {
        caught = error;
      }
      const inner = yield* answer(driver.transaction(() => steps(add(3), 'inner')));
      return [caught, inner, yield* answer(all())];
    });
    expect(seen).toEqual([mine, 'inner', [0, 1, 3]]);
    expect(await stored()).toEqual([0, 1, 3]);
    expect(await failureOf(() => driver.transaction(() => thrower(mine)))).toBe(mine);
    expect(
      await failureOf(() =>
        driver.transaction(() => {
          throw mine;
        }),
      ),
    ).toBe(mine);
    expect(driver.scope).toBeNull();
    expect(await stored()).toEqual([0, 1, 3]);
  });

  it('has a scope for itself and for each nested one, which say for good whether they are undone', async () => {
    const { driver, add } = await limited();
    const scopes: (typeof driver.scope)[] = [];
    const noted = function* (fails: boolean): Steps<'async', void> {
      scopes.push(driver.scope);
      yield* answer(add(scopes.length));
      expect(driver.scope).toBe(scopes.at(-1));
      if (fails) throw new Error('mine');
    };
    await driver.transaction(function* () {
      yield* noted(false);
      yield* answer(driver.transaction(() => noted(false)));
      try {
        yield* answer(driver.transaction(() => noted(true)));
      } catch {
        // As it should be.
      }
      expect(driver.scope).toBe(scopes[0]);
    });
    await outcomeOf(() =>
      driver.transaction(function* () {
        yield* answer(driver.transaction(() => noted(false)));
        yield* noted(true);
      }),
    );
    expect(driver.scope).toBeNull();
    expect(new Set(scopes).size).toBe(5);
    expect(scopes.map((scope) => scope?.isUndone)).toEqual([false, false, true, true, true]);
    const [outermost, ...nested] = scopes.map((scope) => scope?.transaction);
    expect(outermost).toBe(scopes[0]);
    expect(nested.slice(0, 2)).toEqual([outermost, outermost]);
    expect(nested[2]).toBe(nested[3]);
    expect(nested[2]).not.toBe(outermost);
  });

  it('a sequence is no transaction outside of one, and a part of it inside', async () => {
    const { driver, add, stored } = await limited();
    const failing = function* (n: number): Steps<'async', void> {
      yield* answer(add(n));
      throw new Error('mine');
    };
    await failureOf(() => driver.sequence(() => failing(1)));
    await failureOf(() =>
      driver.transaction(function* () {
        yield* answer(driver.sequence(() => failing(2)));
      }),
    );
    expect(await driver.sequence(() => steps(add(3), 'its value'))).toBe('its value');
    expect(await stored()).toEqual([0, 1, 3]);
  });
}
