import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { initDatabase } from 'proxyvault/database';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../support/temporary.ts';

const APPEND = fileURLToPath(new URL('../../fixtures/append-at-limit.mjs', import.meta.url));

/** Whether this system has prlimit(1), which sets a limit of a running process. */
function hasPrlimit(): boolean {
  try {
    execFileSync('prlimit', ['--version']);
    return true;
  } catch {
    return false;
  }
}

it.skipIf(!hasPrlimit())(
  'a write that answers with its row is not acknowledged if its commit fails (needs prlimit)',
  () => {
    const path = join(temporaryFolder(), 'pool.db');
    using db = initDatabase({ path });
    db.migrations.up();
    const limit = statSync(`${path}-wal`).size;
    const said = execFileSync(process.execPath, [APPEND, path, String(limit)], { encoding: 'utf8' });
    expect(said.trim().split('\n')).toEqual(['append DISK_FULL', 'rule DISK_FULL', 'first DISK_FULL']);
    const counts = db.driver.one(
      `SELECT (SELECT count(*) FROM rotation_events) + (SELECT count(*) FROM rotation_rules) AS n`,
      {},
      (row) => row?.n,
    );
    expect(counts).toBe(0);
  },
);
