// How fast the outcomes of leases are stored, a batch at a time, beside what a user would write by hand on bare better-sqlite3: one
// transaction of prepared statements, either with two for each outcome, or with two for each proxy after its outcomes were added up.
import { Pool, RotationConfigRepository } from 'proxyvault';
import { measureAll } from './compare.js';
import { openBoth } from './pools.js';

/** A batch has as many as the default `durability` stores at once. */
const OUTCOMES = 1000;
const PAIRS = 11;
const SIZES = [1000, 100_000];
const GOALS = { oneByOne: 1, addedUp: 0.85 };

const UPDATE = `UPDATE proxies SET hand_outs = coalesce(hand_outs, total_requests) + :count, last_used_at = :now,
    total_requests = total_requests + :count,
    success_rate = 100.0 * (round(success_rate * total_requests / 100.0) + :count) / (total_requests + :count),
    failure_count = 0, latency_ewma = :keep * coalesce(latency_ewma, :first) + :added,
    latency = CAST(floor(:keep * coalesce(latency_ewma, :first) + :added + 0.5) AS INTEGER), updated_at = :now
  WHERE id = :id`;
const UPSERT = `INSERT INTO proxy_usage_stats (proxy_id, date, request_count, success_count, failure_count, total_latency_ms, latency_count)
  VALUES (:id, :day, :count, :count, 0, :sum, :count)
  ON CONFLICT (proxy_id, date) DO UPDATE SET
    request_count = request_count + excluded.request_count, success_count = success_count + excluded.success_count,
    total_latency_ms = total_latency_ms + excluded.total_latency_ms, latency_count = latency_count + excluded.latency_count`;

/** @returns {{name: string, ratio: number, least: number, most: number, perSecond: number, goal: number}[]} */
export function measureStoring({ isOnce = false } = {}) {
  return (isOnce ? SIZES.slice(0, 1) : SIZES).flatMap((size) =>
    ['normal', 'full'].flatMap((durability) => measurePool(size, durability)),
  );
}

function measurePool(size, durability) {
  const { ours, picked, close } = openOurSide(size, durability);
  const oneByOne = openByHand(size, durability, (each) => picked.forEach(each));
  const addedUp = openByHand(size, durability, (each) => addUp(picked).forEach(each));
  const works = { ours, oneByOne: oneByOne.work, addedUp: addedUp.work };
  const resultOf = measureAll(works, 'addedUp', { pairs: PAIRS });
  for (const side of [oneByOne, addedUp]) side.close();
  close();
  const where = `${size.toLocaleString('en')} proxies${durability === 'full' ? ', durability full' : ''}`;
  return Object.entries(GOALS).map(([base, goal]) => {
    const { perSecond, ...ratios } = resultOf('ours', base);
    const name = `outcomes of ${where}, by hand ${base === 'addedUp' ? 'added up' : 'one by one'}`;
    return { name, ...ratios, perSecond: perSecond * OUTCOMES, goal };
  });
}

/** `picked` are the outcomes of the last batch: the other sides store the same. */
function openOurSide(size, durability) {
  const { db, bare } = openBoth({ durability, count: size });
  bare.close();
  new RotationConfigRepository(db).update({
    strategy: 'random',
    // So that they are stored when they are told to, and not before.
    options: { durability: { lossMs: 60_000, lossOutcomes: 1_000_000 } },
  });
  const pool = new Pool(db);
  const picked = [];
  const ours = () => pool.flush();
  ours.prepare = () => {
    for (let n = 0; n < OUTCOMES; n++) {
      const latency = 20 + ((n * 37) % 200);
      const lease = pool.tryAcquire();
      lease.succeed({ latencyMs: latency });
      picked[n] = {
        id: lease.proxy.id,
        count: 1,
        sum: latency,
        keep: 7 / 8,
        added: latency / 8,
        first: latency,
      };
    }
  };
  ours.prepare();
  return { ours, picked, close: () => db.close() };
}

/** @param {(each: (outcome: object) => void) => void} forEach calls `each` with what is to be stored */
function openByHand(size, durability, forEach) {
  const { db, bare } = openBoth({ durability, count: size });
  db.close();
  const update = bare.prepare(UPDATE);
  const upsert = bare.prepare(UPSERT);
  const store = bare.transaction(() => {
    const now = new Date().toISOString().slice(0, 23).replace('T', ' ');
    const day = now.slice(0, 10);
    forEach(({ id, count, sum, keep, added, first }) => {
      update.run({ id, count, keep, added, first, now });
      upsert.run({ id, day, count, sum });
    });
  });
  return { work: () => store.immediate(), close: () => bare.close() };
}

/** One for each proxy. */
function addUp(outcomes) {
  const sums = new Map();
  for (const outcome of outcomes) {
    const sum = sums.get(outcome.id);
    if (sum === undefined) sums.set(outcome.id, { ...outcome });
    else {
      sum.count++;
      sum.sum += outcome.sum;
      sum.keep *= outcome.keep;
      sum.added = sum.added * outcome.keep + outcome.added;
    }
  }
  return [...sums.values()];
}
