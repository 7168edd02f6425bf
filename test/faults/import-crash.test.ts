import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { BIN, commandLine } from '../support/command-line.ts';
import { countKill, tallyKills } from '../support/killing.ts';
import { openMigrated } from '../support/temporary.ts';

/** Kills in the suite: 12 for each way. `PROXYVAULT_KILLS=500` for a longer run. */
const KILLS = Math.ceil(Number(process.env.PROXYVAULT_KILLS ?? 200) * 0.06);
const LINES = 6000;
const TIMEOUT = 60_000 + KILLS * 10_000;

function prepared(): ReturnType<typeof commandLine> & { list: string } {
  const cli = commandLine();
  const list = join(cli.folder, 'list.txt');
  const lines = Array.from({ length: LINES }, (_, n) => `h${n}.example:80:user${n}:canary-${n}\n`);
  writeFileSync(list, lines.join(''));
  cli.run(['init']);
  return { ...cli, list };
}

/** Imports and is killed some time after; says whether it had ended before. */
async function killDuring(
  args: readonly string[],
  db: string,
  folder: string,
  after: number,
): Promise<boolean> {
  const env = { ...process.env, PROXYVAULT_DB: db, PROXYVAULT_KEY_FILE: join(folder, 'key') };
  const child = spawn(process.execPath, [BIN, 'import', ...args], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const closed = once(child, 'close');
  await Promise.race([once(child.stderr, 'data'), closed]);
  await Promise.race([new Promise((resolve) => setTimeout(resolve, after)), closed]);
  child.kill('SIGKILL');
  countKill();
  const [code] = await closed;
  return code === 0;
}

function countOf(path: string): number {
  const db = openMigrated({ path });
  const count = new ProxyRepository(db).count();
  db.close();
  return count;
}

tallyKills();

describe(`an import that is killed (SIGKILL), ${KILLS} times,`, () => {
  it(
    'has happened or not, and a repeat does all of it',
    async () => {
      let pool = prepared();
      for (let kill = 0; kill < KILLS; kill++) {
        const { db, folder, list } = pool;
        const ended = await killDuring([list], db, folder, Math.random() * 700);
        const count = countOf(db);
        expect([0, LINES]).toContain(count);
        if (ended) expect(count).toBe(LINES);
        if (count === LINES) pool = prepared();
      }
      const { db, list, json } = pool;
      const { added, unchanged } = json<{ added: number; unchanged: number }>('import', list);
      expect(added + unchanged).toBe(LINES);
      expect(json('check', '--deep')).toMatchObject({ ok: true });
      expect(countOf(db)).toBe(LINES);
    },
    TIMEOUT,
  );

  it(
    'with --batch has stored whole batches, and a repeat completes it',
    async () => {
      let pool = prepared();
      let before = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        if (before === LINES) {
          pool = prepared();
          before = 0;
        }
        const { db, folder, list } = pool;
        await killDuring([list, '--batch', '500'], db, folder, Math.random() * 400);
        const count = countOf(db);
        expect(count % 500).toBe(0);
        expect(count).toBeGreaterThanOrEqual(before);
        before = count;
      }
      const { json, list } = pool;
      expect(json('import', list, '--batch', '500')).toMatchObject({
        added: LINES - before,
        unchanged: before,
      });
      expect(json('check', '--deep')).toMatchObject({ ok: true });
    },
    TIMEOUT,
  );
});
