import fc from 'fast-check';
import type { Driver, Steps } from 'proxyvault/driver';
import { expect, it } from 'vitest';
import { AsyncEngine } from '../../support/async-engine.ts';
import { answer } from '../../support/modes.ts';
import { temporaryFolder } from '../../support/temporary.ts';

/** What a transaction does. What it writes depends on all it has read before. */
type Action =
  | { does: 'read'; row: number }
  | { does: 'write'; row: number }
  | { does: 'throw' }
  | { does: 'nest'; actions: Action[]; catches: boolean };

/** What actions are done to: the tested database, or the model of one. */
interface Table {
  read: (row: number) => Promise<number>;
  write: (row: number, value: number) => Promise<unknown>;
  nest: (steps: () => Steps<'async', void>) => Promise<unknown>;
}

const ROWS = 3;
const oops = new Error('oops');

function* play(table: Table, actions: readonly Action[], seen: number[]): Steps<'async', void> {
  for (const action of actions) {
    if (action.does === 'throw') throw oops;
    if (action.does === 'read') seen.push(yield* answer(table.read(action.row)));
    else if (action.does === 'write')
      yield* answer(
        table.write(
          action.row,
          seen.reduce((sum, n) => (sum * 31 + n) % 1_000_003, action.row + 1),
        ),
      );
    else {
      try {
        yield* answer(table.nest(() => play(table, action.actions, seen)));
      } catch (error) {
        if (error !== oops || !action.catches) throw error;
      }
    }
  }
}

/** The model: rows that one transaction after another has for itself. */
class Rows {
  #rows: number[];

  constructor(rows: readonly number[]) {
    this.#rows = [...rows];
  }

  get rows(): readonly number[] {
    return this.#rows;
  }

  /** The types are those of the tested one; the values are there at once, as in the synchronous mode. */
  readonly table: Table = {
    read: (row) => this.#rows[row] as unknown as Promise<number>,
    write: (row, value) => {
      this.#rows[row] = value;
      return null as unknown as Promise<null>;
    },
    nest: (steps) => {
      this.transaction(steps);
      return null as unknown as Promise<null>;
    },
  };

  transaction(steps: () => Steps<'async', void>): void {
    const before = [...this.#rows];
    try {
      const generator = steps();
      for (let step = generator.next(); !step.done; ) step = generator.next(step.value);
    } catch (error) {
      this.#rows = before;
      throw error;
    }
  }
}

function tableOf(driver: Driver<'async'>): Table {
  return {
    read: (row) =>
      driver.one('SELECT value FROM cells WHERE row = :row', { row }, (found) => Number(found?.value)),
    write: (row, value) => driver.run('UPDATE cells SET value = :value WHERE row = :row', { row, value }),
    nest: (steps) => driver.transaction(steps),
  };
}

const { actions } = fc.letrec<{ actions: Action[]; action: Action }>((tie) => ({
  actions: fc.array(tie('action'), { minLength: 1, maxLength: 4 }),
  action: fc.oneof(
    { maxDepth: 3 },
    {
      weight: 4,
      arbitrary: fc.record({ does: fc.constant('read' as const), row: fc.nat({ max: ROWS - 1 }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ does: fc.constant('write' as const), row: fc.nat({ max: ROWS - 1 }) }),
    },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('throw' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        does: fc.constant('nest' as const),
        actions: tie('actions'),
        catches: fc.boolean(),
      }),
    },
  ),
}));

function ordersOf<T>(list: readonly T[]): T[][] {
  if (list.length === 0) return [[]];
  return list.flatMap((first, i) => ordersOf(list.toSpliced(i, 1)).map((rest) => [first, ...rest]));
}

/** What one transaction has read in its last play, and whether it was stored. */
interface Outcome {
  actions: Action[];
  seen: number[];
  isStored: boolean;
}

/** Whether this is what comes of the transactions, one after another, in this order. */
function isExplainedBy(order: readonly Outcome[], rows: readonly number[]): boolean {
  const model = new Rows(new Array(ROWS).fill(0));
  for (const { actions, seen } of order) {
    const again: number[] = [];
    model.transaction(() => play(model.table, actions, again));
    if (again.join() !== seen.join()) return false;
  }
  return model.rows.join() === rows.join();
}

it('transactions at the same time have the outcome of some serial order of those that are stored', async () => {
  const path = `${temporaryFolder()}/pool.db`;
  const sizes: number[] = [];
  const property = fc.asyncProperty(
    fc.array(actions, { minLength: 2, maxLength: 4 }),
    fc.integer(),
    async (transactions, seed) => {
      const engine = new AsyncEngine(path, { seed });
      try {
        await engine.script(`
          DROP TABLE IF EXISTS cells; CREATE TABLE cells (row INTEGER PRIMARY KEY, value INTEGER);
          INSERT INTO cells VALUES (0, 0), (1, 0), (2, 0)`);
        const { driver } = engine;
        const table = tableOf(driver);
        let plays = 0;
        const outcomes = await Promise.all(
          transactions.map(async (actions): Promise<Outcome> => {
            let seen: number[] = [];
            const work = driver.transaction(() => {
              plays++;
              seen = [];
              return play(table, actions, seen);
            });
            const isStored = await work.then(
              () => true,
              (error) => {
                expect(error).toBe(oops);
                return false;
              },
            );
            return { actions, seen, isStored };
          }),
        );
        sizes.push(plays - transactions.length);
        const rows = await driver.all('SELECT value FROM cells ORDER BY row', {}, ({ value }) =>
          Number(value),
        );
        const stored = outcomes.filter(({ isStored }) => isStored);
        expect(ordersOf(stored).some((order) => isExplainedBy(order, rows))).toBe(true);
      } finally {
        engine.close();
      }
    },
  );
  await fc.assert(property, { numRuns: 300 });
  // The transactions were in each other's way often enough.
  expect(sizes.filter((again) => again > 0).length).toBeGreaterThan(30);
});
