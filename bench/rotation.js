// What handing out costs as the pool grows: microseconds a call of `Rotator.next`, with the write of each.
import { initDatabase, RotationConfigRepository, Rotator } from 'proxyvault';
import { fill, newFile } from './pools.js';

const STRATEGIES = ['round-robin', 'random', 'least-used', 'fastest'];
const CALLS = 2000;

/** @returns {{name: string, value: number, unit: string, goal: null}[]} */
export function measureRotation() {
  return [10_000, 1_000_000].flatMap((count) => {
    const db = initDatabase({ path: newFile(), durability: 'normal' });
    db.migrations.up();
    fill(db, count);
    const figures = STRATEGIES.map((strategy) => ({
      name: `next, ${strategy}, of ${count.toLocaleString('en')}`,
      value: microsecondsOf(db, strategy),
      unit: 'us',
      goal: null,
    }));
    db.close();
    return figures;
  });
}

function microsecondsOf(db, strategy) {
  new RotationConfigRepository(db).setStrategy(strategy);
  const rotator = new Rotator(db);
  for (let n = 0; n < 100; n++) rotator.next();
  const start = process.hrtime.bigint();
  for (let n = 0; n < CALLS; n++) rotator.next();
  return Number(process.hrtime.bigint() - start) / 1000 / CALLS;
}
