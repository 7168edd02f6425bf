import type { Statement } from 'better-sqlite3';

import { invalidInput } from '../../../model/validation.ts';
import type { ExecuteResult, Params, Row } from '../driver.ts';
import { significantTokens } from '../split-script.ts';
import type { Prepared } from './statements.ts';

/** All rows of an application's statement, whose integers come as bigints. @throws INVALID_INPUT if it gives no rows. */
export function allExact({ statement }: Prepared, params: Params): Row[] {
  if (!statement.reader)
    throw invalidInput('The statement gives no rows: run it with `execute()`, or add RETURNING.');
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
  if (changes === 0 || !onlyInserts(statement, sql)) return { changes };
  return { changes, lastInsertRowid: asNumber(BigInt(lastInsertRowid)) };
}

function asNumber(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Asked once for each prepared statement. */
const INSERTS = new WeakMap<Statement, boolean>();

/** SQLite gives the row id of the last insertion of the connection, whatever the statement was. */
function onlyInserts(statement: Statement, sql: string): boolean {
  const known = INSERTS.get(statement);
  if (known !== undefined) return known;
  const words = significantTokens(sql).map(([token]) => token.toUpperCase());
  const [first = ''] = words;
  const inserts = first === 'INSERT' || first === 'REPLACE' || (first === 'WITH' && words.includes('INSERT'));
  const mayUpdate = words.some((word, i) => word === 'UPDATE' && words[i - 1] === 'DO');
  INSERTS.set(statement, inserts && !mayUpdate);
  return inserts && !mayUpdate;
}
