// Opening a database, cold (no file yet, every migration) and warm, against the same pragmas and SQL by hand.
import { initDatabase } from 'proxyvault';
import { compare } from './compare.js';
import { newFile, openBare } from './pools.js';

/** @type {Record<string, () => ReturnType<typeof compare>>} */
export const OPENING = {
  'open and migrate, cold'() {
    const plan = initDatabase({ path: ':memory:' }).migrations.plan();
    return compare(
      'open and migrate, cold',
      () => {
        const db = initDatabase({ path: newFile(), durability: 'normal' });
        db.migrations.up();
        db.close();
      },
      () => {
        const bare = openBare(newFile());
        bare.exec('BEGIN IMMEDIATE');
        for (const { sql } of plan) bare.exec(sql);
        bare.exec('COMMIT');
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
        const bare = openBare(barePath);
        bare.prepare('SELECT * FROM schema_migrations ORDER BY position').all();
        bare.pragma('optimize');
        bare.close();
      },
      { pairs: 15 },
    );
  },
};
