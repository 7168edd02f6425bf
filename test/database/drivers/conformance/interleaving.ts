import type { Steps } from 'proxyvault/driver';
import { expect, it } from 'vitest';
import { answer, failureOf } from '../../../support/modes.ts';
import { fixture, INSERT, moment, type Open, SELECT, steps } from './fixture.ts';

/** Transactions that are open at the same time, for engines that answer with promises. */
export function describeInterleaving(open: Open): void {
  it('sees its own writes, and those of another only after that has committed', async () => {
    const { driver, add, all, stored } = await fixture(open);
    const [written, read] = [moment(), moment()];
    const seen: unknown[] = [];
    await Promise.all([
      driver.transaction(function* () {
        yield* answer(add(1));
        seen.push(yield* answer(all()));
        written.reach();
        yield* answer(read.reached);
      }),
      driver.transaction(function* () {
        yield* answer(written.reached);
        seen.push(yield* answer(all()));
        read.reach();
        yield* answer(add(2));
      }),
    ]);
    expect(seen.slice(0, 2)).toEqual([[0, 1], [0]]);
    expect(await stored()).toEqual([0, 1, 2]);
  });

  it('does not take in a statement that is issued outside of it, and is not taken in by another', async () => {
    const { driver, add, all, stored } = await fixture(open);
    const [written, done] = [moment(), moment()];
    const rolledBack = failureOf(() =>
      driver.transaction(function* () {
        yield* answer(add(1));
        written.reach();
        yield* answer(done.reached);
        throw new Error('mine');
      }),
    );
    await written.reached;
    expect(driver.scope).toBeNull();
    expect(await all()).toEqual([0]);
    expect(await driver.sequence(() => answer(all()))).toEqual([0]);
    const outside = add(2);
    done.reach();
    expect(await rolledBack).toMatchObject({ message: 'mine' });
    await outside;
    expect(await stored()).toEqual([0, 2]);
  });

  it('nests while another commits, and each savepoint is undone alone', async () => {
    const { driver, add, all, stored } = await fixture(open);
    const one = function* (n: number): Steps<'async', unknown> {
      yield* answer(add(n));
      try {
        yield* answer(
          driver.transaction(function* () {
            yield* answer(add(n + 1));
            throw new Error('mine');
          }),
        );
      } catch {
        // As it should be.
      }
      yield* answer(driver.transaction(() => steps(add(n + 2), null)));
      return yield* answer(all());
    };
    const seen = await Promise.all([10, 20, 30].map((n) => driver.transaction(() => one(n))));
    for (const [i, rows] of seen.entries())
      expect(rows).toEqual(expect.arrayContaining([i * 10 + 10, i * 10 + 12]));
    expect(await stored()).toEqual([0, 10, 12, 20, 22, 30, 32]);
  });

  it('runs statements that are issued together in their order', async () => {
    const { driver, add, all } = await fixture(open);
    const seen = await driver.transaction(() =>
      answer(Promise.all([all(), add(1), all(), driver.run('DELETE FROM numbers WHERE n = 0', {}), all()])),
    );
    expect(seen).toEqual([[0], 1, [0, 1], 1, [1]]);
  });

  it('has the statements of one step, also those after a sequence or a transaction that the step has begun', async () => {
    const { driver, add, stored } = await fixture(open);
    const work = driver.transaction(function* () {
      const sequence = driver.sequence(() => answer(add(1)));
      expect(yield* answer(Promise.all([sequence, add(2)]))).toEqual([1, 1]);
      const nested = driver.transaction(() => answer(add(3)));
      expect(driver.scope).not.toBeNull();
      yield* answer(nested);
      throw new Error('mine');
    });
    expect(await failureOf(() => work)).toMatchObject({ message: 'mine' });
    expect(await stored()).toEqual([0]);
  });

  it('takes no statement beside a nested transaction that is open, so that none is undone with it', async () => {
    const { driver, engine, add, stored } = await fixture(open);
    const beside: [string, () => Promise<unknown>][] = [
      ['a statement', () => add(2)],
      ['another transaction', () => driver.transaction(() => steps(add(2), null))],
      ['a lock', () => driver.lock('tags')],
      ['a script', () => engine.script('INSERT INTO numbers (n) VALUES (2)')],
    ];
    for (const [name, go] of beside) {
      const outcomes = await driver.transaction(function* () {
        const nested = driver.transaction(function* () {
          yield* answer(driver.run('DELETE FROM numbers WHERE n = 2', {}));
          throw new Error('mine');
        });
        const both = yield* answer(Promise.allSettled([nested, go()]));
        yield* answer(driver.run('DELETE FROM numbers WHERE n = 1', {}));
        yield* answer(add(1));
        return both;
      });
      expect(outcomes, name).toMatchObject([
        { reason: { message: 'mine' } },
        { reason: { code: 'INVALID_INPUT' } },
      ]);
      expect(await stored()).toEqual([0, 1]);
    }
  });

  it('stores nothing if it returns before its nested transaction has ended, or throws meanwhile', async () => {
    const { driver, add, stored } = await fixture(open);
    for (const fails of [false, true]) {
      let nested: Promise<unknown> = Promise.resolve();
      const work = driver.transaction(function* () {
        yield* answer(add(1));
        nested = failureOf(() =>
          driver.transaction(function* () {
            for (let n = 2; n < 9; n++) yield* answer(add(n));
          }),
        );
        if (fails) throw new Error('mine');
      });
      expect(await failureOf(() => work)).toMatchObject(
        fails ? { message: 'mine' } : { code: 'INVALID_INPUT' },
      );
      expect(await nested).toMatchObject({ code: 'INVALID_INPUT' });
      expect(await stored()).toEqual([0]);
    }
    await add(1);
    expect(await stored()).toEqual([0, 1]);
  });

  it('has a stream only while it is open', async () => {
    const { driver, add } = await fixture(open);
    const inside = await driver.transaction(function* () {
      yield* answer(add(2));
      return driver.iterate(SELECT, {}, (row) => row.n);
    });
    expect(await failureOf(() => inside.next())).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('loses no update, however many there are at a time', async () => {
    const { driver, stored } = await fixture(open);
    const next = () =>
      driver.transaction(function* () {
        const last = yield* answer(
          driver.one('SELECT max(n) AS n FROM numbers', {}, (row) => Number(row?.n)),
        );
        yield* answer(driver.run(INSERT, { n: last + 1 }));
        return last + 1;
      });
    const given = await Promise.all(Array.from({ length: 20 }, next));
    const all = Array.from({ length: 21 }, (_, n) => n);
    expect(given.sort((a, b) => a - b)).toEqual(all.slice(1));
    expect(await stored()).toEqual(all);
  });
}
