import type { Steps } from 'proxyvault/driver';
import { expect, it } from 'vitest';
import { ProxyVaultError } from '../../../../src/errors.ts';
import { answer, failureOf, type TestedEngine } from '../../../support/modes.ts';
import { type Fixture, fixture, INSERT, moment, type Open } from './fixture.ts';

/** What is played again when two transactions were in each other's way. */
export function describeReplay(open: Open): void {
  /** Two transactions of which each has what the other waits for: one of them is played again. */
  async function deadlock(
    { driver }: TestedEngine,
    work: (name: 'a' | 'b', play: number) => Steps<'async', void>,
  ): Promise<{ plays: number; outcomes: PromiseSettledResult<void>[] }> {
    const held = { a: moment(), b: moment() };
    const plays = { a: 0, b: 0 };
    const one = function* (mine: 'a' | 'b', theirs: 'a' | 'b'): Steps<'async', void> {
      const play = ++plays[mine];
      yield* answer(driver.lock(mine === 'a' ? 'tags' : 'data keys'));
      held[mine].reach();
      yield* answer(held[theirs].reached);
      yield* work(mine, play);
      yield* answer(driver.lock(mine === 'a' ? 'data keys' : 'tags'));
    };
    const outcomes = await Promise.allSettled([
      driver.transaction(() => one('a', 'b')),
      driver.transaction(() => one('b', 'a')),
    ]);
    return { plays: plays.a + plays.b, outcomes };
  }

  it('plays one of two transactions again from its beginning, and both are stored, once', async () => {
    const test = await fixture(open);
    const heard: string[] = [];
    const work = function* (name: 'a' | 'b', play: number): Steps<'async', void> {
      yield* answer(test.driver.run('SELECT 1 WHERE 1', {}).catch(() => 0));
      heard.push(`${name}${play}`);
    };
    const { plays, outcomes } = await deadlock(test, work);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(plays).toBe(3);
    expect(heard).toHaveLength(3);
  });

  /** Another program writes between a read and a write of this transaction, in its first plays. */
  function conflict(test: Fixture, plays: number[], conflicts: number, write: () => Steps<'async', unknown>) {
    return test.driver.transaction(function* () {
      const play = plays.push(plays.length + 1);
      const seen = yield* answer(test.all());
      if (play <= conflicts) yield* answer(test.peer.run(INSERT, { n: 100 + play }));
      yield* write();
      return seen;
    });
  }

  it('stores nothing of a play that was in the way, and the last play sees what others have stored', async () => {
    const test = await fixture(open);
    const plays: number[] = [];
    const seen = await conflict(test, plays, 2, () => answer(test.add(plays.length)));
    expect(plays).toEqual([1, 2, 3]);
    expect(seen).toEqual([0, 101, 102]);
    expect(await test.stored()).toEqual([0, 3, 101, 102]);
  });

  it('plays also what wraps the error, catches it, nests, or runs statements after it', async () => {
    const test = await fixture(open);
    const wrapping = function* (): Steps<'async', void> {
      try {
        yield* answer(test.add(1));
      } catch (error) {
        throw new ProxyVaultError('INVALID_INPUT', 'Number 4 (from 0)', {
          cause: new Error('wrapped', { cause: error }),
        });
      }
    };
    const catching = function* (): Steps<'async', void> {
      try {
        yield* answer(test.add(2));
      } catch (error) {
        expect(error).toMatchObject({ code: 'BUSY' });
        expect(yield* answer(test.add(3).catch((error: unknown) => error))).toMatchObject({
          code: 'BUSY',
          message: expect.stringContaining('return from it'),
        });
      }
    };
    const ways: (() => Steps<'async', unknown>)[] = [
      wrapping,
      catching,
      () => answer(test.driver.transaction(wrapping)),
      () => answer(test.driver.transaction(catching)),
    ];
    for (const write of ways) {
      const plays: number[] = [];
      await conflict(test, plays, 1, write);
      expect(plays).toEqual([1, 2]);
      expect(await test.stored()).toEqual(expect.arrayContaining([0, 101]));
      expect(await test.stored()).toHaveLength(3);
      await test.driver.run('DELETE FROM numbers WHERE n > 0', {});
    }
  });

  it('does not play again for any other error, and rolls back', async () => {
    const test = await fixture(open);
    for (const error of [new Error('mine'), new ProxyVaultError('BUSY', 'All readers are in use.')]) {
      const plays: number[] = [];
      const write = function* (): Steps<'async', void> {
        yield* answer(test.add(1));
        throw error;
      };
      expect(await failureOf(() => conflict(test, plays, 0, write))).toBe(error);
      expect(plays).toEqual([1]);
      expect(await test.stored()).toEqual([0]);
    }
  });

  it('plays again so often, and then gives up with BUSY', async () => {
    const test = await fixture(open, { plays: 3 });
    const plays: number[] = [];
    expect(await failureOf(() => conflict(test, plays, 9, () => answer(test.add(1))))).toMatchObject({
      code: 'BUSY',
    });
    expect(plays).toEqual([1, 2, 3]);
    expect(await test.stored()).toEqual([0, 101, 102, 103]);
    expect(await test.driver.transaction(() => answer(test.add(1)))).toBe(1);
  });

  it('has what follows it run once after the last play, and what a play has done is undone for good', async () => {
    const test = await fixture(open);
    const plays: number[] = [];
    const scopes: ReturnType<typeof scopeOf>[] = [];
    const scopeOf = () => test.driver.scope;
    const heard: unknown[] = [];
    const everyPlay = (): void => void heard.push(['every play', test.driver.scope]);
    const work = function* (): Steps<'async', void> {
      const play = plays.length;
      scopes.push(scopeOf());
      test.driver.afterTransaction(everyPlay);
      test.driver.afterTransaction(() => heard.push(play));
      expect(heard).toEqual([]);
      yield* answer(test.add(play));
    };
    await conflict(test, plays, 1, work);
    expect(heard).toEqual([['every play', null], 1, 2]);
    expect(scopes.map((scope) => scope?.isUndone)).toEqual([true, false]);
  });

  it('waits for whoever writes, and not for ever', async () => {
    const { driver, peer, add, stored } = await fixture(open);
    const [written, done] = [moment(), moment()];
    const long = peer.transaction(function* () {
      yield* answer(peer.run(INSERT, { n: 1 }));
      written.reach();
      yield* answer(done.reached);
    });
    await written.reached;
    expect(await failureOf(() => add(2))).toMatchObject({ code: 'BUSY' });
    expect(await failureOf(() => driver.transaction(() => answer(add(2))))).toMatchObject({ code: 'BUSY' });
    const patient = [add(3), driver.transaction(() => answer(add(4)))];
    done.reach();
    await Promise.all([long, ...patient]);
    expect(await stored()).toEqual([0, 1, 3, 4]);
  });
}
