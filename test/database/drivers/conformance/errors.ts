import type { Steps, TransactionOptions } from 'proxyvault/driver';
import { expect, it } from 'vitest';
import { ProxyVaultError } from '../../../../src/errors.ts';
import { answer, failureOf } from '../../../support/modes.ts';
import { fixture, INSERT, type Open, SELECT, steps } from './fixture.ts';

/** Every error is typed, by the engine's code, and a promise rejects. */
export function describeErrors(open: Open): void {
  const schema = `
    CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INTEGER CHECK (size > 0));
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parent (id));
    INSERT INTO parent VALUES (1, 'one', 1);
    INSERT INTO child VALUES (1, 1);`;

  it.each([
    ['no SQL', 'SELEC 1', 'SQL'],
    ['no statement', '', 'INVALID_INPUT'],
    ['two statements', 'SELECT 1; SELECT 2', 'INVALID_INPUT'],
    ['a table that is not there', 'SELECT * FROM nowhere', 'SQL'],
    ['an error of a function', `SELECT json('{')`, 'SQL'],
    ['a primary key that is taken', `INSERT INTO parent VALUES (1, 'two', 1)`, 'CONFLICT'],
    ['a unique value that is taken', `INSERT INTO parent VALUES (2, 'one', 1)`, 'CONFLICT'],
    ['a null that may not be', 'INSERT INTO parent VALUES (2, NULL, 1)', 'CONSTRAINT'],
    ['a check that fails', `INSERT INTO parent VALUES (2, 'two', 0)`, 'CONSTRAINT'],
    ['a reference to nothing', 'INSERT INTO child VALUES (2, 9)', 'CONSTRAINT'],
    ['removing what is referred to', 'DELETE FROM parent', 'CONSTRAINT'],
  ])('%s: %s', async (_, sql, code) => {
    const { engine, driver } = open();
    await engine.script(schema);
    const ways = [
      () => driver.all(sql, {}, (row) => row),
      () => driver.first(sql, {}, (row) => row),
      () => driver.one(sql, {}, (row) => row),
      () => driver.iterate(sql, {}, (row) => row).next(),
    ];
    const isWrite = /^(?:INSERT|DELETE)/.test(sql);
    for (const go of isWrite ? [() => driver.run(sql, {})] : ways) {
      expect(await failureOf(go)).toMatchObject({ name: 'ProxyVaultError', code });
      expect(await failureOf(() => driver.transaction(() => answer<unknown>(go())))).toMatchObject({ code });
    }
  });

  it('is CLOSED after the end, in every way', async () => {
    const { engine, driver, add, all, close } = await fixture(open);
    close();
    for (const go of [
      () => add(1),
      all,
      () => driver.first(SELECT, {}, (row) => row),
      () => driver.one(SELECT, {}, (row) => row),
      () => driver.transaction(() => steps(add(1), null)),
      () => engine.script('SELECT 1'),
      () => engine.objects(),
      () => engine.columnsOf('numbers'),
      () => engine.snapshot(() => steps(all(), null)),
      () => engine.changeSchema(() => steps(add(1), null)),
      () => engine.checkpoint(),
    ])
      expect(await failureOf(go)).toMatchObject({ code: 'CLOSED' });
  });

  it('is READ_ONLY for a write to what is only read', async () => {
    const { path, stored } = await fixture(open);
    const { driver } = open({ path, readonly: true });
    expect(await driver.all(SELECT, {}, (row) => row.n)).toEqual([0]);
    const write = () => driver.run(INSERT, { n: 1 });
    expect(await failureOf(write)).toMatchObject({ code: 'READ_ONLY' });
    expect(await failureOf(() => driver.transaction(() => steps(write(), null)))).toMatchObject({
      code: 'READ_ONLY',
    });
    expect(await stored()).toEqual([0]);
  });

  it('is BUSY with the time it has waited while another program writes, and then nothing happened', async () => {
    const { path, driver, add, stored } = await fixture(open);
    const { engine: other } = open({ path });
    await other.script('BEGIN IMMEDIATE');
    for (const go of [() => add(1), () => driver.transaction(() => answer(add(1)))])
      expect(await failureOf(go)).toMatchObject({ code: 'BUSY', details: { waitedMs: expect.any(Number) } });
    expect(await stored()).toEqual([0]);
    await other.script('ROLLBACK');
    expect(await driver.transaction(() => answer(add(1)))).toBe(1);
    expect(await stored()).toEqual([0, 1]);
  });

  it('is BUSY soon for a transaction that is not to wait, and others wait as before', async () => {
    const { path, driver, add, stored } = await fixture(open);
    const { engine: other } = open({ path });
    await other.script('BEGIN IMMEDIATE');
    const waited = async (options?: TransactionOptions): Promise<number> => {
      const begun = performance.now();
      expect(await failureOf(() => driver.transaction(() => answer(add(1)), options))).toMatchObject({
        code: 'BUSY',
        details: { waitedMs: expect.any(Number) },
      });
      return performance.now() - begun;
    };
    // Everybody else waits for 200 ms.
    expect(await waited({ waitMs: 0 })).toBeLessThan(150);
    expect(await waited()).toBeGreaterThan(150);
    expect(await waited({ waitMs: 60_000 })).toBeLessThan(5000);
    expect(await stored()).toEqual([0]);
    await other.script('ROLLBACK');
    expect(await driver.transaction(() => answer(add(1)), { waitMs: 0 })).toBe(1);
    const work = function* (): Steps<'async', void> {
      yield* answer(driver.transaction(() => answer(add(2)), { waitMs: 0 }));
    };
    await driver.transaction(work);
    expect(await stored()).toEqual([0, 1, 2]);
  });

  it('is DISK_FULL for what has no room, and later statements work', async () => {
    const { driver, add, stored } = await fixture(open, { pages: 40 });
    const large = 'INSERT INTO numbers VALUES (1000, zeroblob(1000000))';
    expect(await failureOf(() => driver.run(large, {}))).toMatchObject({ code: 'DISK_FULL' });
    await add(1);
    expect(await stored()).toEqual([0, 1]);
  });

  it('never has a value of a parameter in it', async () => {
    const { driver } = await fixture(open);
    await driver.run('INSERT INTO numbers VALUES (1, :data)', { data: 'canary' });
    for (const [sql, params] of [
      ['INSERT INTO numbers VALUES (1, :data)', { data: 'canary' }],
      ['SELECT json(:data)', { data: 'canary' }],
      ['SELECT :data', { data: { canary: 'canary' } as never }],
    ] as const) {
      const error = await failureOf(() => driver.all(sql, params, (row) => row));
      expect(error).toBeInstanceOf(ProxyVaultError);
      expect(`${error} ${JSON.stringify(error)}`).not.toContain('canary');
    }
  });

  it('comes as a rejection if the engine answers with promises', async () => {
    const { engine, driver, all, close } = await fixture(open);
    const fail = (): never => {
      throw new Error('mine');
    };
    const ways = (): (() => unknown)[] => [
      () => driver.run('nonsense', {}),
      () => driver.first(SELECT, undefined as never, (row) => row),
      () => driver.one(SELECT, {}, fail),
      () => driver.all(7 as never, {}, (row) => row),
      () => driver.iterate('nonsense', {}, (row) => row).next(),
      () => driver.iterate(SELECT, {}, fail).next(),
      () => driver.transaction(fail),
      () => driver.transaction(null as never),
      () => driver.sequence(fail),
      () => driver.lock('tags'),
      () => engine.script('nonsense'),
      () => engine.snapshot(fail),
      () => engine.changeSchema(fail),
      () => engine.tryOut(fail),
    ];
    const outcomes: unknown[] = [];
    for (const isClosed of [false, true]) {
      if (isClosed) close();
      for (const go of ways()) {
        if (driver.mode === 'async') {
          const result = go();
          expect(result, String(go)).toBeInstanceOf(Promise);
          outcomes.push(await (result as Promise<unknown>).catch((error: unknown) => error));
        } else outcomes.push(await failureOf(go));
      }
    }
    for (const outcome of outcomes) expect(outcome).toBeInstanceOf(Error);
    expect(await failureOf(all)).toMatchObject({ code: 'CLOSED' });
  });
}
