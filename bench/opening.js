// Opening a database, cold (no file yet, every migration) and warm, against the same pragmas and SQL by hand.
import { initDatabase } from 'proxyvault';
import { compare } from './compare.js';
import { newFile, openBareChecked } from './pools.js';

/** @type {Record<string, () => ReturnType<typeof compare>>} */
export const OPENING = {
  'open and migrate, cold'() {
    const plan = initDatabase({ path: ':memory:' }).migrations.plan();
    const [ledger] = heardAtFirst().filter((text) =>
      text.includes('CREATE TABLE IF NOT EXISTS "schema_migrations"'),
    );
    return compare(
      'open and migrate, cold',
      () => {
        const db = initDatabase({ path: newFile(), durability: 'normal' });
        db.migrations.up();
        db.close();
      },
      () => {
        const bare = openBareChecked(newFile());
        bare.pragma('foreign_keys = OFF');
        bare.exec('BEGIN IMMEDIATE');
        bare.exec(ledger);
        const add = bare.prepare('INSERT INTO schema_migrations VALUES (?, ?, ?, ?, ?, ?)');
        plan.forEach(({ sql, namespace, name }, index) => {
          bare.exec(sql);
          add.run(index, namespace, index, name, 'c'.repeat(64), '2026-01-01T00:00:00.000Z');
        });
        bare.pragma('foreign_key_check');
        bare.exec('COMMIT');
        bare.pragma('foreign_keys = ON');
        bare.pragma('optimize');
        bare.close();
      },
      { pairs: 15 },
    );
  },
  'open and migrate, warm'() {
    const path = newFile();
    const barePath = newFile();
    for (const each of [path, barePath]) {
      const db = initDatabase({ path: each, durability: 'normal' });
      db.migrations.up();
      db.close();
    }
    return compare(
      'open and migrate, warm',
      () => {
        const db = initDatabase({ path, durability: 'normal' });
        db.migrations.up();
        db.close();
      },
      () => {
        const bare = openBareChecked(barePath);
        bare.prepare('SELECT * FROM schema_migrations ORDER BY position').all();
        bare.pragma('optimize');
        bare.close();
      },
      { pairs: 15 },
    );
  },
};

/** The SQL that opening and migrating a new file runs. */
function heardAtFirst() {
  const heard = [];
  const db = initDatabase({ path: newFile(), verbose: (sql) => heard.push(sql) });
  db.migrations.up();
  db.close();
  return heard;
}
