import { ProxyVaultError } from '../../errors.ts';

/**
 * For reading page after page, each after the last row of the page before. In a damaged table or index a page may not come
 * after that row, and reading from it would never end.
 *
 * @throws CORRUPT
 */
export function assertAfter(table: string, after: string, last: string): void {
  // SQLite compares texts by their bytes.
  if (Buffer.compare(Buffer.from(last), Buffer.from(after)) > 0) return;
  throw new ProxyVaultError(
    'CORRUPT',
    `The rows of ${table} are not in the order of their keys: the database file is damaged. Restore a backup, or run \`proxyvault check\`.`,
    { details: { table } },
  );
}
