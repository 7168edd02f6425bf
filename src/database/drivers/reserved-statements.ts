const TRANSACTION =
  'use `db.transaction(work)`, which commits when `work` returns and rolls back if it throws';
const OTHER_FILE = 'open the other file by itself';

/**
 * Statements that only this library runs, and what a caller does instead. In a caller's SQL they would end a transaction of the
 * library, change the settings of its connection, or reach other files.
 */
export const RESERVED: ReadonlyMap<string, string> = new Map([
  ['BEGIN', TRANSACTION],
  ['COMMIT', TRANSACTION],
  ['END', TRANSACTION],
  ['ROLLBACK', TRANSACTION],
  ['SAVEPOINT', TRANSACTION],
  ['RELEASE', TRANSACTION],
  [
    'PRAGMA',
    'the settings are options of `initDatabase`; `SELECT * FROM pragma_table_info(:table)` and the like read',
  ],
  ['VACUUM', 'use `db.vacuum()`, or `db.backup(path)` for a copy'],
  ['ATTACH', OTHER_FILE],
  ['DETACH', OTHER_FILE],
]);
