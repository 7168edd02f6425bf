import type { z } from 'zod';

import { ProxyVaultError } from '../../errors.ts';
import { issueText } from '../../model/issue-text.ts';
import type { Row, SqlValue } from '../drivers/driver.ts';
import { isStoredDay, isStoredTime } from '../timestamps.ts';

/**
 * What a column may hold. Other programs may have written the file, and SQLite stores any type in any column, so each value is
 * checked when it is read. `is` runs for every column of every row: keep it fast.
 */
export interface Kind<T extends SqlValue = SqlValue> {
  is: (value: SqlValue | undefined) => value is T;
  /** What it should be, for a message: "a text". */
  what: string;
}

type Columns = Readonly<Record<string, Kind>>;

/**
 * Gives the typed value of each column. It takes the value, since a look-up by name would take as long as all the rest.
 * @throws INVALID_ROW if the value is not of the column's kind.
 */
type Readers<C extends Columns> = {
  readonly [K in keyof C]: (value: SqlValue | undefined, row: Row) => C[K] extends Kind<infer T> ? T : never;
};

/** The kinds of a table's columns, and the columns that name a row. Readers and `check()` share this one definition. */
export class Table<C extends Columns = Columns> {
  readonly name: string;
  readonly key: readonly (keyof C & string)[];
  readonly columns: C;
  readonly read: Readers<C>;

  constructor(name: string, key: readonly (keyof C & string)[], columns: C) {
    this.name = name;
    this.key = key;
    this.columns = columns;
    // An object that is filled entry by entry, and functions without a constant to call, would be slow.
    const readers = Object.entries(columns).map(([column, kind]) => {
      const { is } = kind;
      const read = (value: SqlValue | undefined, row: Row): SqlValue =>
        is(value) ? value : this.refuse(row, column);
      return [column, read] as const;
    });
    this.read = Object.fromEntries<unknown>(readers) as Readers<C>;
  }

  /** Rejects a row for one of its columns. @throws INVALID_ROW; `details` has table, id and column. MIGRATION_PENDING. */
  refuse(row: Row, column: keyof C & string, problem?: string): never {
    if (!(column in row)) {
      throw new ProxyVaultError(
        'MIGRATION_PENDING',
        `The database is older than this program: the table ${this.name} has no column ${column}. Call \`db.migrations.up()\` after \`initDatabase()\`.`,
        { details: { table: this.name, column } },
      );
    }
    const id = this.idOf(row);
    const why = problem ?? `it is not ${this.columns[column]?.what ?? 'valid'}`;
    throw new ProxyVaultError(
      'INVALID_ROW',
      `The row ${id} of ${this.name} is malformed: ${column}: ${why}. Write the row again, or delete it; \`proxyvault check\` lists every such row.`,
      { details: { table: this.name, id, column } },
    );
  }

  /** What a column's JSON holds. @throws INVALID_ROW if it is not what the schema says. */
  json<T>(row: Row, column: keyof C & string, schema: z.ZodType<T>): T {
    const parsed = parseJson(row[column], schema);
    return 'problem' in parsed ? this.refuse(row, column, parsed.problem) : parsed.value;
  }

  /** The columns that do not hold what they should, and why. */
  problemsOf(row: Row): { column: string; problem: string }[] {
    return (
      Object.entries(this.columns)
        // An older schema has fewer columns.
        .filter(([column, { is }]) => column in row && !is(row[column]))
        .map(([column, { what }]) => ({ column, problem: `it is not ${what}` }))
    );
  }

  idOf(row: Row): string {
    return this.key.map((column) => described(row[column])).join(' ');
  }
}

/** Any text. */
export const TEXT: Kind<string> = { is: (value) => typeof value === 'string', what: 'a text' };

export const NAME = textThat((text) => text !== '', 'a text that is not empty');

/** A text that names something. Bytes that are not UTF-8 are read as U+FFFD. */
export const ID = textThat((text) => text !== '' && !text.includes('\uFFFD'), 'an id in valid UTF-8');

/** A stored host: IPv4, IPv6 or an ASCII name. The whole syntax was checked when it was written. */
export const HOST = textThat((text) => /^[a-z0-9._:%-]{1,255}$/.test(text), 'a host in lower-case ASCII');

/** 8 bytes in hexadecimal, as keys are named. */
export const KEY_ID = textThat((text) => /^[\da-f]{16}$/.test(text), 'the id of a key');

/** As key check values are stored. */
export const HEX = textThat((text) => /^[\da-f]{32}$/.test(text), '16 bytes in hexadecimal');

/** Its meaning is authenticated when it is decrypted. */
export const BASE64 = textThat(
  (text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text),
  'canonical base64',
);

export const TIME = textThat(isStoredTime, 'a time as YYYY-MM-DD HH:MM:SS.SSS');

export const DAY = textThat(isStoredDay, 'a day as YYYY-MM-DD');

export const FLAG: Kind<number> = {
  is: (value): value is number => value === 0 || value === 1,
  what: '0 or 1',
};

/** A whole number that JavaScript holds exactly. */
export function whole(least = 0, most = Number.MAX_SAFE_INTEGER): Kind<number> {
  return {
    is: (value): value is number => Number.isSafeInteger(value) && within(value as number, least, most),
    what: `a whole number from ${least} to ${most}`,
  };
}

/** A number of any kind; never NaN, which SQLite stores as NULL. */
export function number(least: number, most: number): Kind<number> {
  return {
    is: (value): value is number => typeof value === 'number' && within(value, least, most),
    what: `a number from ${least} to ${most}`,
  };
}

export function oneOf<const T extends string>(values: readonly T[]): Kind<T> {
  const known = new Set<unknown>(values);
  return { is: (value): value is T => known.has(value), what: `one of ${values.join(', ')}` };
}

export function json(schema: z.ZodType): Kind<string> {
  return {
    is: (value): value is string => !('problem' in parseJson(value, schema)),
    what: 'JSON of the right form',
  };
}

export function nullable<T extends SqlValue>({ is, what }: Kind<T>): Kind<T | null> {
  return { is: (value): value is T | null => value === null || is(value), what: `${what}, or NULL` };
}

function textThat(test: (text: string) => boolean, what: string): Kind<string> {
  return { is: (value): value is string => typeof value === 'string' && test(value), what };
}

function within(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}

function parseJson<T>(value: SqlValue | undefined, schema: z.ZodType<T>): { value: T } | { problem: string } {
  if (typeof value !== 'string') return { problem: 'it is not a text' };
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return { problem: 'it is not JSON' };
  }
  const result = schema.safeParse(parsed, { error: issueText });
  if (result.success) return { value: result.data };
  const issues = result.error.issues.slice(0, 3).map(({ path, message }) => `${path.join('.')}: ${message}`);
  return { problem: issues.join('; ') };
}

/** A key in a message: long ones are cut, and bytes are written as SQL writes them. */
function described(value: SqlValue | undefined): string {
  if (value === null || value === undefined) return 'NULL';
  const text = value instanceof Uint8Array ? `x'${Buffer.from(value).toString('hex')}'` : String(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
