import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';

import type { ProxyVaultError } from '../errors.ts';
import { assertPath } from '../files/path.ts';
import {
  assertBoolean,
  assertFunction,
  assertIterable,
  assertOptions,
  invalidInput,
} from '../model/validation.ts';
import type { Clock } from './drivers/driver.ts';
import type { Durability, SqlLogger } from './drivers/sqlite/connection-options.ts';
import { assertLedgerName, DEFAULT_LEDGER } from './migrations/ledger-name.ts';
import { type AnyMigrationSource, BASE, loadMigrations } from './migrations/sources.ts';
import type { Migration } from './migrations/types.ts';
import { invalidRowWarnings } from './repositories/skipped-rows.ts';

export interface DatabaseOptions {
  /** The file; missing folders are made (0700), and so is the file (0600). `:memory:` for none. */
  path: string;
  /** `true` prints the SQL text of each statement to standard error, a function is given it. Never the values. */
  verbose?: boolean | SqlLogger | undefined;
  /** Refuse every write; the file must exist. Default false. */
  readonly?: boolean | undefined;
  /**
   * `full`, the default: a committed write survives a power cut. `normal`: the last commits may be lost to a
   * power cut (never to a crash of the program), and the file stays consistent. https://www.sqlite.org/pragma.html#pragma_synchronous
   */
  durability?: Durability | undefined;
  /** How long a write waits for another's lock, in milliseconds, before BUSY. Default 5000. */
  busyTimeoutMs?: number | undefined;
  /** The current time in milliseconds since the Unix epoch. Default `Date.now`. */
  clock?: Clock | undefined;
  /** How many `iterate()` streams may be read from at once; one more gets BUSY. Default 4. */
  maxReaders?: number | undefined;
  /** How many threads serve `background`. Default 2, fewer on a small machine. */
  backgroundWorkers?: number | undefined;
  /**
   * An application's own migrations, each set under its own namespace, applied by the same `up()`: written in the program, in a
   * folder of files, or as the texts of files. See docs/own-tables.md.
   */
  migrations?: readonly AnyMigrationSource[] | undefined;
  /** How many of the backups made before a migration to keep beside the file; 0 makes none. Default 3. */
  migrationBackups?: number | undefined;
  /** Open a pool with credentials although every user of the machine may write it; warn only. Default false. */
  allowOthersToWrite?: boolean | undefined;
  /**
   * The name of the table that records the migrations: 1 to 63 letters, digits and _, no name that SQLite reserves, and none
   * that a migration makes. Default `schema_migrations`.
   */
  migrationsTable?: string | undefined;
  /**
   * Hears of each malformed row that a list, a stream or rotation leaves out: an INVALID_ROW error whose `details` name
   * table, id and column. Default: a process warning (PROXYVAULT_INVALID_ROW), once for each row.
   */
  onInvalidRow?: ((error: ProxyVaultError) => void) | undefined;
}

export const DATABASE_OPTIONS = [
  'path',
  'verbose',
  'readonly',
  'durability',
  'busyTimeoutMs',
  'clock',
  'maxReaders',
  'backgroundWorkers',
  'migrations',
  'migrationBackups',
  'allowOthersToWrite',
  'migrationsTable',
  'onInvalidRow',
] as const satisfies readonly (keyof DatabaseOptions)[];

/** The options with their defaults filled in and the path made absolute. */
export interface DatabaseSettings extends Filled<Omit<DatabaseOptions, 'verbose' | 'migrations'>> {
  log: SqlLogger | null;
  migrations: readonly Migration[];
}

type Filled<T> = { [Name in keyof T]-?: NonNullable<T[Name]> };

/** The largest number that a timer or SQLite takes. */
const MOST = 0x7fffffff;

/** @throws INVALID_INPUT for an option outside its range; MIGRATION_INVALID. */
export function resolveOptions(options: DatabaseOptions): DatabaseSettings {
  assertOptions(options, DATABASE_OPTIONS, 'options of initDatabase');
  const { path, verbose = false, readonly = false, durability = 'full', clock = Date.now } = options;
  const { busyTimeoutMs = 5000, maxReaders = 4, migrations = [], migrationBackups = 3 } = options;
  const { migrationsTable = DEFAULT_LEDGER, onInvalidRow = invalidRowWarnings() } = options;
  const { backgroundWorkers = Math.min(2, availableParallelism()) } = options;
  // better-sqlite3 trims what it is given, and would open another file.
  if (typeof path !== 'string' || path.trim() === '' || path !== path.trimEnd() || path.includes('\0')) {
    throw invalidInput('path must be the path of a file, without white space at its end, or ":memory:".');
  }
  assertPath(path, 'The pool');
  if (durability !== 'full' && durability !== 'normal') {
    throw invalidInput('durability must be "full" or "normal".');
  }
  if (readonly && path === ':memory:') {
    throw invalidInput('A database in memory begins empty, so it cannot be read-only.');
  }
  assertFunction(clock, 'clock');
  assertFunction(onInvalidRow, 'onInvalidRow');
  assertIterable(migrations, 'migrations');
  const known = loadMigrations([...migrations]);
  assertLedgerName(migrationsTable, [BASE, ...known]);
  const numbers = { busyTimeoutMs, maxReaders, backgroundWorkers, migrationBackups };
  const least = { busyTimeoutMs: 0, maxReaders: 1, backgroundWorkers: 1, migrationBackups: 0 };
  for (const name of ['busyTimeoutMs', 'maxReaders', 'backgroundWorkers', 'migrationBackups'] as const) {
    const value = numbers[name];
    if (Number.isSafeInteger(value) && value >= least[name] && value <= MOST) continue;
    const found = typeof value === 'number' ? value : `of the type ${typeof value}`;
    throw invalidInput(`${name} must be a whole number from ${least[name]} to ${MOST}, and is ${found}.`);
  }
  return {
    ...numbers,
    path: path === ':memory:' ? path : resolve(path),
    log: typeof verbose === 'function' ? verbose : verbose ? (sql) => console.error(sql) : null,
    readonly,
    durability,
    clock,
    migrations: known,
    allowOthersToWrite: assertBoolean(options.allowOthersToWrite ?? false, 'allowOthersToWrite'),
    migrationsTable,
    onInvalidRow,
  };
}
