import type { Steps } from 'proxyvault/driver';
import { expect, it } from 'vitest';
import { answer, failureOf } from '../../../support/modes.ts';
import { type Fixture, fixture, INSERT, type Open, SELECT, steps } from './fixture.ts';

/** `changes`: who remembers what was read may use it while this number is the same. */
export function describeChanges(open: Open): void {
  const reads: [string, (test: Fixture) => Promise<unknown>][] = [
    ['all', ({ all }) => all()],
    ['first', ({ driver }) => driver.first(SELECT, {}, (row) => row)],
    ['rows', ({ driver }) => driver.rows(SELECT, {})],
    ['a stream', ({ driver }) => driver.iterate(SELECT, {}, (row) => row).next()],
    ['a background query', ({ engine }) => engine.background.all(SELECT)],
    ['its version', ({ engine }) => engine.version()],
    ['a statement that is not valid', ({ driver }) => failureOf(() => driver.run('nonsense', {}))],
    ['a write of somebody else', ({ peer }) => peer.run(INSERT, { n: 9 })],
  ];
  it.each(reads)('stay the same after %s', async (_, read) => {
    const test = await fixture(open);
    const before = test.driver.changes;
    await read(test);
    expect(test.driver.changes).toBe(before);
  });

  const writes: [string, (test: Fixture) => unknown][] = [
    ['run', ({ add }) => add(1)],
    ['run that throws', ({ add }) => failureOf(() => add(0))],
    ['change', ({ driver }) => driver.change('UPDATE numbers SET n = 1', {})],
    ['rows of INSERT … RETURNING', ({ driver }) => driver.rows(`${INSERT} RETURNING n`, { n: 1 })],
    ['first of INSERT … RETURNING', ({ driver }) => driver.first(`${INSERT} RETURNING n`, { n: 1 }, () => 1)],
    ['a script', ({ engine }) => engine.script('INSERT INTO numbers (n) VALUES (1)')],
    [
      'a change of the schema',
      ({ engine }) => engine.changeSchema(() => steps(engine.script('CREATE TABLE t (x)'), 1)),
    ],
    ['a transaction', ({ driver, add }) => driver.transaction(() => answer(add(1)))],
    ['close', ({ close }) => close()],
  ];
  it.each(writes)('are more after %s', async (_, write) => {
    const test = await fixture(open);
    const before = test.driver.changes;
    await write(test);
    expect(test.driver.changes).toBeGreaterThan(before);
  });

  it.each(['a transaction', 'a savepoint'])('are more after %s that is rolled back', async (what) => {
    const { driver, add, all } = await fixture(open);
    let inside = Number.NaN;
    const failing = function* (): Steps<'async', void> {
      yield* answer(add(1));
      expect(yield* answer(all())).toEqual([0, 1]);
      inside = driver.changes;
      throw new Error('mine');
    };
    const around = function* (): Steps<'async', void> {
      yield* answer(failureOf(() => driver.transaction(failing)));
      expect(yield* answer(all())).toEqual([0]);
    };
    if (what === 'a savepoint') await driver.transaction(around);
    else await failureOf(() => driver.transaction(failing));
    expect(driver.changes).toBeGreaterThan(inside);
    expect(await all()).toEqual([0]);
  });
}
