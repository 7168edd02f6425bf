import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Steps } from 'proxyvault/driver';
import { expect, it } from 'vitest';
import { answer, failureOf, type TestedEngine } from '../../../support/modes.ts';
import { fixture, type Moment, moment, type Open } from './fixture.ts';

/** The locks of a transaction. What one keeps others from is tested where there can be others: {@link describeExclusion}. */
export function describeLocks(open: Open): void {
  it('is INVALID_INPUT outside of a transaction', async () => {
    const { driver } = open();
    for (const mode of ['exclusive', 'shared', undefined] as const)
      expect(await failureOf(() => driver.lock('tags', mode))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await failureOf(() => driver.sequence(() => answer(driver.lock('tags'))))).toMatchObject({
      code: 'INVALID_INPUT',
    });
  });

  it('may be taken again, in every mode, by whoever has it', async () => {
    const { driver, add, stored } = await fixture(open);
    await driver.transaction(function* () {
      yield* answer(driver.lock('tags', 'shared'));
      yield* answer(driver.lock('tags', 'shared'));
      yield* answer(driver.lock('tags'));
      yield* answer(driver.transaction(() => answer(driver.lock('tags', 'shared'))));
      yield* answer(driver.lock('data keys'));
      yield* answer(add(1));
    });
    expect(await stored()).toEqual([0, 1]);
  });
}

/** What a lock keeps others from. */
export function describeExclusion(open: Open): void {
  interface Actor {
    /** Has the lock. */
    inside: Moment;
    leave: () => void;
    ended: Promise<unknown>;
  }

  function enter(
    test: TestedEngine,
    mode: 'exclusive' | 'shared' | undefined,
    how = 'commits',
    name: 'tags' | 'data keys' = 'tags',
  ): Actor {
    const [inside, left] = [moment(), moment()];
    const ended = Promise.resolve(
      test.driver.transaction(function* () {
        yield* answer(test.driver.transaction(() => answer(test.driver.lock(name, mode))));
        inside.reach();
        yield* answer(left.reached);
        if (how === 'throws') throw new Error('mine');
      }),
    ).catch(() => undefined);
    return { inside, leave: left.reach, ended };
  }

  /** Whether somebody gets in without anybody's leaving, however many turns of the event loop go by. */
  async function isIn({ inside }: Actor): Promise<boolean> {
    let isInside = false;
    void inside.reached.then(() => (isInside = true));
    for (let turn = 0; turn < 100; turn++) await nextTurn();
    return isInside;
  }

  it.each(['commits', 'throws'])('one who has it alone keeps all others out until it %s', async (how) => {
    const test = await fixture(open);
    const first = enter(test, undefined, how);
    await first.inside.reached;
    const others = [enter(test, 'shared'), enter(test, 'exclusive')];
    const elsewhere = enter(test, 'exclusive', 'commits', 'data keys');
    expect(await Promise.all(others.map(isIn))).toEqual([false, false]);
    await elsewhere.inside.reached;
    const actors = [first, elsewhere, ...others];
    for (const { leave } of actors) leave();
    for (const { inside, ended } of actors) await Promise.all([inside.reached, ended]);
  });

  it('may be shared, by nobody who comes after one who waits to have it alone', async () => {
    const test = await fixture(open);
    const sharing = [enter(test, 'shared'), enter(test, 'shared')];
    for (const { inside } of sharing) await inside.reached;
    const alone = enter(test, 'exclusive');
    expect(await isIn(alone)).toBe(false);
    const late = enter(test, 'shared');
    expect(await isIn(late)).toBe(false);
    for (const actor of sharing) actor.leave();
    await alone.inside.reached;
    expect(await isIn(late)).toBe(false);
    alone.leave();
    await late.inside.reached;
    late.leave();
    await late.ended;
  });

  it('keeps out another program on the same database', async () => {
    const test = await fixture(open);
    const first = enter(test, 'exclusive');
    await first.inside.reached;
    const other = enter({ ...test, driver: test.peer }, 'shared');
    expect(await isIn(other)).toBe(false);
    first.leave();
    await other.inside.reached;
    other.leave();
    await other.ended;
  });

  it('is had alone by one of two who share it and both want that; the other is played again', async () => {
    const { driver } = await fixture(open);
    const sharing = [moment(), moment()];
    let plays = 0;
    const one = function* (i: number): Steps<'async', void> {
      plays++;
      yield* answer(driver.lock('tags', 'shared'));
      sharing[i]?.reach();
      yield* answer(sharing[1 - i]?.reached as Promise<void>);
      yield* answer(driver.lock('tags'));
    };
    await Promise.all([0, 1].map((i) => driver.transaction(() => one(i))));
    expect(plays).toBe(3);
  });

  it('keeps those apart who change the schema', async () => {
    const { engine } = await fixture(open);
    let inside = 0;
    const change = (name: string) =>
      engine.changeSchema(function* () {
        expect(++inside).toBe(1);
        for (const table of [`${name}_a`, `${name}_b`]) {
          yield* answer(engine.columnsOf(table));
          yield* answer(engine.script(`CREATE TABLE ${table} (x)`));
        }
        inside--;
      });
    await Promise.all(['one', 'two', 'three'].map(change));
    expect(await engine.objects()).toHaveLength(3 + 6);
  });
}
