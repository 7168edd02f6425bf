import { readFileSync } from 'node:fs';
import type { DatabaseManager } from 'proxyvault/database';
import type { Row } from 'proxyvault/driver';
import { openDatabase } from './temporary.ts';

interface Fixture {
  /** In hexadecimal. */
  key: string;
  tables: Record<string, Row[]>;
}

/**
 * A pool with a credential of each form that versions before 0.2.0 wrote, by their own code, each under a proxy whose id
 * says the form. It has the schema of then: run `up()`.
 */
export function openOldBindings(path?: string): { db: DatabaseManager; key: Buffer; ids: string[] } {
  const url = new URL('../fixtures/old-bindings.json', import.meta.url);
  const { key, tables } = JSON.parse(readFileSync(url, 'utf8')) as Fixture;
  const db = openDatabase(path === undefined ? {} : { path });
  db.migrations.to(4);
  for (const [table, rows] of Object.entries(tables)) {
    for (const row of rows) {
      const names = Object.keys(row);
      db.driver.run(
        `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map((name) => `:${name}`).join(', ')})`,
        row,
      );
    }
  }
  const ids = (tables.proxies ?? []).map(({ id }) => String(id));
  return { db, key: Buffer.from(key, 'hex'), ids };
}
