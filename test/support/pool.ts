import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { openMigrated, temporaryFolder } from './temporary.ts';

export interface Pool {
  db: DatabaseManager;
  key: Buffer;
  encryption: EncryptionService;
  credentials: EncryptedCredentialsRepository;
  /** The proxies' ids, in order. */
  ids: string[];
}

export const loginOf = (n: number): { username: string; password: string } => ({
  username: `canary-user-${n}`,
  password: `canary-pass-${n}`,
});

/** A pool with so many proxies, each with a login of its own. */
export function openPool(
  count = 3,
  { db = openMigrated(), key = randomBytes(32) }: { db?: DatabaseManager; key?: Buffer } = {},
): Pool {
  const encryption = new EncryptionService({ key, database: db });
  const ids = new ProxyRepository(db, encryption)
    .createMany(
      Array.from({ length: count }, (_, n) => ({
        host: 'h.example',
        port: n + 1,
        protocol: 'http' as const,
        credentials: loginOf(n),
      })),
    )
    .map(({ id }) => id);
  return { db, key, encryption, credentials: new EncryptedCredentialsRepository(db, encryption), ids };
}

/** A pool whose key is in a plain file, with one credential. */
export function openWithKeyFile(keyFile = join(temporaryFolder(), 'config', 'key')): {
  db: DatabaseManager;
  keyFile: string;
  id: string;
  service: EncryptionService;
} {
  const db = openMigrated();
  const service = new EncryptionService({ keyFile, database: db });
  const { id } = new ProxyRepository(db, service).create({
    host: 'h.example',
    port: 1,
    protocol: 'http',
    credentials: loginOf(0),
  });
  return { db, keyFile, id, service };
}

/** All rows of a table, by column name. */
export function rowsOf(db: DatabaseManager, table: string): Record<string, unknown>[] {
  return db.driver.all(`SELECT * FROM ${table} ORDER BY 1`, {}, (row) => ({ ...row }));
}

/** The bytes of a database and its log, read by another process: closing a descriptor in this one would drop SQLite's locks. */
export function bytesOf(db: DatabaseManager): Buffer {
  const files = ['', '-wal'].map((suffix) => `${db.path}${suffix}`).filter((file) => existsSync(file));
  const script = `for (const file of process.argv.slice(1)) process.stdout.write(require('node:fs').readFileSync(file))`;
  return spawnSync(process.execPath, ['-e', script, ...files], { maxBuffer: 2 ** 30 }).stdout;
}
