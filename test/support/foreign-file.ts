import { join } from 'node:path';
import Database from 'better-sqlite3';
import { temporaryFolder } from './temporary.ts';

/** A file that another program made. */
export function fileWith(sql: string): string {
  const path = join(temporaryFolder(), 'other.db');
  const other = new Database(path);
  other.exec(sql);
  other.close();
  return path;
}

/** Every object of a file, as it was written. */
export function schemaOf(path: string): unknown[] {
  const db = new Database(path, { readonly: true });
  const rows = db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2').all();
  db.close();
  return rows;
}
