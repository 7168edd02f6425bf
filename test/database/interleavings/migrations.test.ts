import { type DatabaseManager, initDatabase } from 'proxyvault';
import type { MigrationSource } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { atEachStatement, Interleaving } from '../../support/interleaving.ts';
import { outcomeOf } from './model.ts';
import { inSomeOrder, type Outcome, Refusal, type Step } from './serial.ts';
import { inPool } from './stage.ts';

/** The names of the applied migrations, in order; those of the application with their text, `app/001 a`. */
type Applied = string[];

/** A program: it knows the library's migrations, and some of an application's own. */
interface Program {
  app: readonly string[];
}

const OLD: Program = { app: ['001 a'] };
const NEW: Program = { app: ['001 a', '002 b'] };
/** Somebody has changed a migration that was published. */
const CHANGED: Program = { app: ['001 changed'] };

function open(path: string, { app }: Program, verbose?: (sql: string) => void): DatabaseManager {
  const files: MigrationSource['files'] = app.map((text) => {
    const [number = '', name = ''] = text.split(' ');
    const sql = `-- Migration: ${number}_t\n-- Description: ${name}\n\n-- Up\nCREATE TABLE ${name}_${number} (x);\n\n-- Down\nDROP TABLE ${name}_${number};\n`;
    return { name: `${number}_t`, sql };
  });
  const migrations = [{ namespace: 'app', files }];
  return initDatabase({
    path,
    migrations,
    verbose,
    busyTimeoutMs: 0,
    durability: 'normal',
    migrationBackups: 0,
  });
}

interface Action {
  run: (db: DatabaseManager) => unknown;
  steps: (program: Program) => readonly Step<Applied>[];
}

function assertCompatible(applied: Applied, { app }: Program): void {
  for (const line of applied.filter((each) => each.startsWith('app/'))) {
    const text = line.slice(4);
    if (app.includes(text)) continue;
    throw new Refusal(
      app.some((known) => known.slice(0, 3) === text.slice(0, 3)) ? 'MIGRATION_CHANGED' : 'DATABASE_NEWER',
    );
  }
}

const ACTIONS: Record<string, Action> = {
  up: {
    run: ({ migrations }) => migrations.up(),
    steps: (program) => [
      (applied) => {
        assertCompatible(applied, program);
        const known = [...OWN, ...program.app.map((text) => `app/${text}`)];
        applied.push(...known.filter((name) => !applied.includes(name)));
      },
    ],
  },
  'down one': {
    run: ({ migrations }) => migrations.down(1),
    steps: (program) => [
      (applied) => {
        assertCompatible(applied, program);
        applied.pop();
      },
    ],
  },
  'down to 5': {
    run: ({ migrations }) => migrations.to(5),
    steps: (program) => [
      (applied) => {
        assertCompatible(applied, program);
        const kept = applied.filter((name) => !OWN.slice(5).includes(name));
        const missing = OWN.slice(0, 5).filter((name) => !applied.includes(name));
        applied.splice(0, applied.length, ...kept, ...missing);
      },
    ],
  },
};

const OWN = await inPool(async (path) => {
  using db = initDatabase({ path });
  return db.migrations.getApplied().map(({ namespace, name }) => `${namespace}/${name}`);
});

/** What a pool says that it has, and whether it has that. */
function appliedIn(db: DatabaseManager): Applied {
  const lines = db.driver.all(
    `SELECT namespace, name FROM schema_migrations WHERE version > 0 ORDER BY position`,
    {},
    (row) => ({ namespace: String(row.namespace), name: String(row.name) }),
  );
  const tables = db.driver.all(`SELECT name FROM sqlite_schema WHERE type = 'table'`, {}, (row) =>
    String(row.name),
  );
  const own = tables.flatMap((name) => /^(a|b|changed)_(00\d)$/.exec(name)?.slice(1, 3) ?? []);
  return lines.map(({ namespace, name }) => {
    if (namespace !== 'app') return `${namespace}/${name}`;
    const number = name.slice(0, 3);
    return `app/${number} ${own[own.indexOf(number) - 1]}`;
  });
}

const act = (name: string, db: DatabaseManager): Outcome => {
  try {
    return { value: ACTIONS[name]?.run(db) };
  } catch (error) {
    return outcomeOf(error);
  }
};

describe.each([
  { first: 'up', ours: OLD, second: 'up', theirs: OLD, from: 'nothing' },
  { first: 'up', ours: OLD, second: 'up', theirs: NEW, from: 'nothing' },
  { first: 'up', ours: NEW, second: 'up', theirs: OLD, from: 'nothing' },
  { first: 'up', ours: OLD, second: 'up', theirs: NEW, from: 'the library' },
  { first: 'up', ours: OLD, second: 'up', theirs: CHANGED, from: 'the library' },
  { first: 'up', ours: OLD, second: 'down to 5', theirs: OLD, from: 'the library' },
  { first: 'up', ours: OLD, second: 'down one', theirs: OLD, from: 'the library' },
  { first: 'down one', ours: OLD, second: 'down one', theirs: OLD, from: 'the library' },
  { first: 'down one', ours: OLD, second: 'up', theirs: NEW, from: 'the library' },
  { first: 'down to 5', ours: OLD, second: 'down one', theirs: OLD, from: 'the library' },
  { first: 'down to 5', ours: OLD, second: 'up', theirs: NEW, from: 'the library' },
])('$first of a program that knows $ours.app, from $from', ({ first, ours, second, theirs, from }) => {
  it(`and ${second} of one that knows ${theirs.app}, at any statement, are as if one had come after the other`, async () => {
    await atEachStatement((place) =>
      inPool(async (pool) => {
        const path = from === 'nothing' ? `${pool}-new` : pool;
        using other = open(path, theirs);
        let said: Outcome = { code: 'never' };
        const interleaving = new Interleaving(place, () => {
          said = act(second, other);
          // It says itself that the other has the lock.
          if ('code' in said && said.code === 'BUSY') other.transaction(() => undefined);
        });
        using db = open(path, ours, interleaving.log);
        const outcome = await interleaving.during(() => act(first, db));
        const found = { ours: outcome, theirs: said, model: appliedIn(other) };
        const told = inSomeOrder<Applied>(
          from === 'nothing' ? [] : OWN,
          { steps: ACTIONS[first]?.steps(ours) ?? [] },
          { steps: ACTIONS[second]?.steps(theirs) ?? [] },
        );
        const before = interleaving.statement;
        expect({ before, ...found }).toEqual({
          before,
          ...(told.find((each) => JSON.stringify(each) === JSON.stringify(found)) ?? told[0]),
        });
        expect(other.driver.pragma('quick_check')).toBe('ok');
        return interleaving;
      }),
    );
  });
});
