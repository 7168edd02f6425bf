import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { initDatabase, ProxyRepository } from 'proxyvault';
import { restoreDatabase } from 'proxyvault/database';
import type { FileOperation } from './operation.ts';

/** A pool file with one proxy of this host, closed. */
function makePool(path: string, host: string): void {
  using db = initDatabase({ path });
  db.migrations.up();
  new ProxyRepository(db).create({ host, port: 1, protocol: 'http' });
}

let templates: Map<string, Buffer> | null = null;

/** As {@link makePool}, for the hosts `old` and `new`; copied, which is faster. */
function copyPool(path: string, host: 'old' | 'new'): void {
  templates ??= new Map();
  if (!templates.has(host)) {
    makePool(path, host);
    templates.set(host, readFileSync(path));
  }
  writeFileSync(path, templates.get(host) ?? '', { mode: 0o600 });
}

/** By SQLite alone, which leaves a pool a pool, and a backup a backup. */
function hostOf(path: string): unknown {
  const db = new Database(path, { fileMustExist: true });
  try {
    return db.prepare('SELECT host FROM proxies').pluck().get();
  } finally {
    db.close();
  }
}

function assertHost(path: string, ...hosts: string[]): void {
  const host = hostOf(path);
  if (!hosts.includes(String(host)))
    throw new Error(`${path} has ${host}, and should have ${hosts.join(' or ')}.`);
}

/** A backup of a pool with the host `new`, as the library makes it. */
let backupBytes: Buffer | null = null;

async function writeBackup(path: string): Promise<void> {
  if (backupBytes === null) {
    const pool = `${path}.pool`;
    copyPool(pool, 'new');
    await using db = initDatabase({ path: pool });
    await db.backup(path);
    backupBytes = readFileSync(path);
    db.close();
    rmSync(pool);
  }
  writeFileSync(path, backupBytes, { mode: 0o600 });
}

export const POOLS: readonly FileOperation[] = [
  {
    name: 'a pool is made, in new folders',
    prepare: (folder) => {
      const path = join(folder, 'a', 'b', 'pool.db');
      return {
        run: () => initDatabase({ path }).close(),
        assertIntact: () => {
          if (existsSync(path)) initDatabase({ path }).close();
        },
        secrets: [],
        leaves: ['a', 'a/b', 'a/b/pool.db'],
      };
    },
  },
  {
    name: 'a pool is opened and closed',
    prepare: (folder) => {
      const path = join(folder, 'pool.db');
      copyPool(path, 'old');
      return {
        run: () => initDatabase({ path }).close(),
        assertIntact: () => assertHost(path, 'old'),
        secrets: [],
        leaves: ['pool.db'],
      };
    },
  },
  {
    name: 'a backup is made, in new folders',
    prepare: (folder) => {
      const [path, copy] = [join(folder, 'pool.db'), join(folder, 'copies', 'deep', 'copy.db')];
      copyPool(path, 'old');
      return {
        run: async () => {
          await using db = initDatabase({ path });
          // A name that was given before the failure is not given again.
          await db.backup(copy, { overwrite: existsSync(copy) });
        },
        assertIntact: () => {
          assertHost(path, 'old');
          if (existsSync(copy)) assertHost(copy, 'old');
        },
        secrets: [],
        leaves: ['copies', 'copies/deep', 'copies/deep/copy.db', 'pool.db'],
      };
    },
  },
  {
    name: 'a backup replaces an older one',
    only: /sqlite.(?:backup-target|exclusive|replace)\.ts/,
    prepare: async (folder) => {
      const [path, copy] = [join(folder, 'pool.db'), join(folder, 'copy.db')];
      copyPool(path, 'old');
      await writeBackup(copy);
      return {
        run: async () => {
          await using db = initDatabase({ path });
          await db.backup(copy, { overwrite: true });
        },
        assertIntact: () => {
          assertHost(path, 'old');
          assertHost(copy, 'old', 'new');
        },
        secrets: [],
        leaves: ['copy.db', 'pool.db'],
      };
    },
  },
  {
    name: 'a migration is undone, and a copy from before it is kept',
    prepare: (folder) => {
      const path = join(folder, 'pool.db');
      copyPool(path, 'old');
      return {
        run: () => {
          using db = initDatabase({ path });
          db.migrations.down(1);
        },
        assertIntact: () => {
          using db = initDatabase({ path });
          db.migrations.up();
          assertHost(path, 'old');
        },
        secrets: [],
        leaves: ['pool.db', 'pool.db.TIME.before-MIGRATION.backup'],
      };
    },
  },
  {
    name: 'a backup is restored to new folders',
    prepare: async (folder) => {
      const [backup, path] = [join(folder, 'copy.db'), join(folder, 'a', 'b', 'pool.db')];
      await writeBackup(backup);
      return {
        run: () => restoreDatabase(backup, path, { overwrite: true, busyTimeoutMs: 0 }),
        assertIntact: () => {
          assertHost(backup, 'new');
          if (existsSync(path) && readFileSync(path).length > 0) assertHost(path, 'new');
        },
        secrets: [],
        leaves: ['a', 'a/b', 'a/b/pool.db', 'copy.db'],
        mayLeave: ['a/b/pool.db.TIME.before-restore.backup'],
      };
    },
  },
  {
    name: 'a backup is restored in the place of a pool',
    only: /sqlite.(?:exclusive|kept|replace)\.ts/,
    prepare: async (folder) => {
      const [backup, path] = [join(folder, 'copy.db'), join(folder, 'pool.db')];
      copyPool(path, 'old');
      await writeBackup(backup);
      return {
        run: () => restoreDatabase(backup, path, { overwrite: true, busyTimeoutMs: 0 }),
        assertIntact: () => {
          assertHost(backup, 'new');
          assertHost(path, 'old', 'new');
        },
        secrets: [],
        leaves: ['copy.db', 'pool.db', 'pool.db.TIME.before-restore.backup'],
      };
    },
  },
  {
    name: 'a backup is restored in the place of a pool that is damaged and has a log',
    only: /sqlite.(?:foreign-log|replace|exclusive)\.ts/,
    prepare: async (folder) => {
      const [backup, path] = [join(folder, 'copy.db'), join(folder, 'pool.db')];
      await writeBackup(backup);
      const [damaged, log] = [randomBytes(5000), randomBytes(500)];
      writeFileSync(path, damaged, { mode: 0o600 });
      writeFileSync(`${path}-wal`, log, { mode: 0o600 });
      return {
        run: () => restoreDatabase(backup, path, { overwrite: true, busyTimeoutMs: 0 }),
        // Its bytes may be all that is left of a pool.
        assertIntact: () => {
          assertHost(backup, 'new');
          const files = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))] as const);
          const [file] = files.find(([, bytes]) => bytes.equals(damaged)) ?? [];
          const [its] = files.find(([, bytes]) => bytes.equals(log)) ?? [];
          if (file === undefined || its === undefined) throw new Error('The damaged pool was lost.');
          if (file !== 'pool.db' && its !== `${file}-wal`) throw new Error(`${its} is not beside ${file}.`);
        },
        secrets: [],
        leaves: [
          'copy.db',
          'pool.db',
          'pool.db.TIME.before-restore.backup',
          'pool.db.TIME.before-restore.backup-wal',
        ],
      };
    },
  },
];
