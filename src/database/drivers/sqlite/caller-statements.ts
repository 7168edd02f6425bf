import type { Statement } from 'better-sqlite3';

import { invalidInput } from '../../../model/validation.ts';
import type { ExecuteResult, Params, Row } from '../driver.ts';
import { significantTokens } from '../split-script.ts';
import type { Prepared } from './statements.ts';

/** All rows of an application's statement, whose integers come as bigints. @throws INVALID_INPUT if it gives no rows. */
export function allExact({ statement }: Prepared, params: Params): Row[] {
  if (!statement.reader)
    throw invalidInput('The statement gives no rows: run it with `execute()`, or add RETURNING.');
  assertNamed(statement);
  const rows = statement.all(params) as Row[];
  for (const row of rows) {
    for (const name in row) {
      const value = row[name];
      if (typeof value === 'bigint') row[name] = asNumber(value);
    }
  }
  return rows;
}

/** What an application's statement changed. @throws INVALID_INPUT if it only reads. */
export function changesOf({ statement, onlyReads }: Prepared, params: Params, sql: string): ExecuteResult {
  if (onlyReads) throw invalidInput('The statement gives rows and changes nothing: run it with `query()`.');
  // Each changed row is one of RETURNING. Like get(), run() would not step it to its end.
  if (statement.reader) return { changes: statement.all(params).length };
  const { changes, lastInsertRowid } = statement.run(params);
  if (changes === 0 || !givesRowId(statement, sql)) return { changes };
  return { changes, lastInsertRowid: asNumber(BigInt(lastInsertRowid)) };
}

function asNumber(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

const NAMED = new WeakSet<Statement>();

/** In an object that name would set the prototype, and the value would be lost. */
function assertNamed(statement: Statement): void {
  if (NAMED.has(statement)) return;
  if (statement.columns().some(({ name }) => name === '__proto__'))
    throw invalidInput(
      'A column of the result is named __proto__, which an object cannot hold: rename it with AS.',
    );
  NAMED.add(statement);
}

/** Asked once for each prepared statement. */
const INSERTS = new WeakMap<Statement, boolean>();

/** Whether the row id is that of this statement: SQLite gives that of the last insertion of the connection. */
function givesRowId(statement: Statement, sql: string): boolean {
  const known = INSERTS.get(statement);
  if (known !== undefined) return known;
  const tokens = significantTokens(sql).map(([token]) => token);
  const words = tokens.map((token) => token.toUpperCase());
  const [first = ''] = words;
  const inserts = first === 'INSERT' || first === 'REPLACE' || (first === 'WITH' && words.includes('INTO'));
  const mayUpdate = words.some((word, i) => word === 'UPDATE' && words[i - 1] === 'DO');
  const at = words.indexOf('INTO') + 1;
  const table = tokens[tokens[at + 1] === '.' ? at + 2 : at] ?? '';
  const gives = inserts && !mayUpdate && hasRowIds(statement, table);
  INSERTS.set(statement, gives);
  return gives;
}

/** False for a table WITHOUT ROWID, after whose insertions SQLite gives the row id of an earlier statement. */
function hasRowIds({ database }: Statement, quoted: string): boolean {
  const inner = quoted.slice(1, -1);
  const name = /^["'`]/.test(quoted)
    ? inner.replaceAll(quoted.charAt(0).repeat(2), quoted.charAt(0))
    : quoted.startsWith('[')
      ? inner
      : quoted;
  const find = database.prepare('SELECT 1 FROM pragma_table_list WHERE wr = 1 AND lower(name) = lower(?)');
  return find.get(name) === undefined;
}
