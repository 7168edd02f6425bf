import { type Driver, type Mode, type Steps, step } from '../drivers/driver.ts';

/** Shorter ones would soon be those of other proxies too. */
const LEAST = 8;

/** The beginning of each id that tells it from every other id of the pool: it differs most late from one of its neighbours. */
export function* shortIdSteps<M extends Mode>(
  db: Driver<M>,
  ids: readonly string[],
): Steps<M, Map<string, string>> {
  const short = new Map<string, string>();
  for (const id of ids) {
    const neighbours = yield* step(
      db.one(
        `SELECT (SELECT max(id) FROM proxies WHERE id < :id) AS before,
                (SELECT min(id) FROM proxies WHERE id > :id) AS after`,
        { id },
        (row) => [row?.before, row?.after],
      ),
    );
    const shared = neighbours.map((other) => (typeof other === 'string' ? sharedLength(id, other) : 0));
    short.set(id, beginningOf(id, Math.max(LEAST, ...shared.map((length) => length + 1))));
  }
  return short;
}

function sharedLength(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return length;
}

/** At least so many characters; one more if the last would be half of a pair, which no text that is given back can hold. */
function beginningOf(id: string, length: number): string {
  const beginning = id.slice(0, length);
  return beginning.isWellFormed() ? beginning : id.slice(0, length + 1);
}
