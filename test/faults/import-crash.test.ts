import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { BIN, commandLine } from '../support/command-line.ts';
import { type Ended, type Place, runKilled, shim, tallyKills } from '../support/killing.ts';
import { openDatabase } from '../support/temporary.ts';
import { SEED } from './campaign.ts';
import { Random } from './random.ts';

/** Kills in the suite: 8 for each way. `PROXYVAULT_KILLS=500` for a longer run. */
const KILLS = Math.ceil(Number(process.env.PROXYVAULT_KILLS ?? 80) * 0.1);
const LINES = 2400;
const BATCH = 400;
const TIMEOUT = 60_000 + KILLS * 10_000;

interface Pool extends ReturnType<typeof commandLine> {
  list: string;
  /** Imports the list in a process of its own, which dies at a place. */
  importKilled: (place?: Place) => Promise<Ended>;
}

function prepared(...options: string[]): Pool {
  const cli = commandLine();
  const list = join(cli.folder, 'list.txt');
  const lines = Array.from({ length: LINES }, (_, n) => `h${n}.example:80:user${n}:canary-${n}\n`);
  writeFileSync(list, lines.join(''));
  cli.run(['init']);
  // A weak place in a pool that has no key yet is another test's (crash.test.ts); and it would warn.
  cli.run(['add', 'http://user:password@first.example:80']);
  const importKilled = (place?: Place): Promise<Ended> =>
    runKilled([BIN, 'import', list, ...options], {
      folder: cli.folder,
      env: cli.env,
      ...(place && { place }),
    });
  return { ...cli, list, importKilled };
}

/** How many lines of the list are in the pool. */
function countOf(path: string): number {
  const db = openDatabase({ path });
  const count = new ProxyRepository(db).count();
  db.close();
  return count - 1;
}

/** Places spread over all that an import changes: every second one where something else is done than written. */
async function places(pool: Pool): Promise<Place[]> {
  const { code, changes } = await pool.importKilled();
  expect({ code, count: countOf(pool.db) }).toEqual({ code: 0, count: LINES });
  const most = {
    changes: changes.length,
    others: changes.filter((change) => !change.startsWith('write ')).length,
  };
  const random = new Random(SEED);
  return Array.from({ length: KILLS }, (_, n) => {
    const among = n % 2 === 0 ? 'changes' : 'others';
    return { among, nth: 1 + Math.floor(((n + random.next()) * most[among]) / KILLS) };
  });
}

tallyKills();

describe(`an import that is killed (SIGKILL), ${KILLS} times,`, () => {
  it(
    'has happened or not, and a repeat does all of it',
    async (context) => {
      if (shim.problem) return context.skip(shim.problem);
      const counts = new Set<number>();
      const last: string[] = [];
      let pool = prepared();
      for (const place of await places(prepared())) {
        const { code, changes } = await pool.importKilled(place);
        const count = countOf(pool.db);
        counts.add(count);
        expect([place, code, [0, LINES].includes(count)]).toEqual([place, null, true]);
        last.push(changes.at(-1) ?? '');
        if (count === LINES) pool = prepared();
      }
      expect(counts).toEqual(new Set([0, LINES]));
      expect(last).toContain('write pool.db-wal');
      const { db, list, json } = pool;
      expect(json<{ added: number }>('import', list).added).toBe(LINES);
      expect(json('check', '--deep')).toMatchObject({ ok: true });
      expect(countOf(db)).toBe(LINES);
    },
    TIMEOUT,
  );

  it(
    'with --batch has stored whole batches, and a repeat completes it',
    async (context) => {
      if (shim.problem) return context.skip(shim.problem);
      const counts: number[] = [];
      const options = ['--batch', String(BATCH)];
      for (const place of await places(prepared(...options))) {
        const { db, list, json, importKilled } = prepared(...options);
        const { code } = await importKilled(place);
        const count = countOf(db);
        counts.push(count);
        expect([place, code, count % BATCH]).toEqual([place, null, 0]);
        expect(json('import', list, ...options)).toMatchObject({ added: LINES - count, unchanged: count });
        expect(json('check', '--deep')).toMatchObject({ ok: true });
      }
      // Most kills fell in the middle.
      expect(counts.filter((count) => count > 0 && count < LINES).length).toBeGreaterThan(KILLS / 3);
    },
    TIMEOUT,
  );
});
