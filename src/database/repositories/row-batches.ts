import type { SqlValue } from '../drivers/driver.ts';

/** More rows at once are no faster, and few need not be filled up to so many. */
const SIZES = [1, 4, 16] as const;
const LARGEST = 16;

/** A statement for some rows at once. The names of the parameters are made once: to make them each time takes longer than the rest. */
interface Batch<Column extends string> {
  size: number;
  sql: string;
  names: readonly Record<Column, string>[];
}

/** A column of the rows that a statement is given, and its type. */
type Types<Column extends string> = Readonly<Record<Column, 'TEXT' | 'BIGINT' | 'DOUBLE PRECISION'>>;

/** The statement for each size. The types of the parameters in a list of values do not follow from their place. */
export function batches<Column extends string>(
  types: Types<Column>,
  sqlOf: (given: string) => string,
): Batch<Column>[] {
  const columns = Object.entries(types) as [Column, string][];
  return SIZES.map((size) => {
    const names = Array.from(
      { length: size },
      (_, n) =>
        Object.fromEntries(columns.map(([column]) => [column, `${column}${n}`])) as Record<Column, string>,
    );
    const rows = names.map(
      (own) => `(${columns.map(([column, type]) => `CAST(:${own[column]} AS ${type})`).join(', ')})`,
    );
    return { size, sql: sqlOf(rows.join(', ')), names };
  });
}

/** The rows in parts, each with the statement that takes it. */
export function* parted<Column extends string, Given>(
  sizes: readonly Batch<Column>[],
  rows: readonly Given[],
): Generator<[Batch<Column>, Given[]]> {
  for (let from = 0; from < rows.length; from += LARGEST) {
    const part = rows.slice(from, from + LARGEST);
    const batch = sizes.find(({ size }) => size >= part.length);
    if (batch) yield [batch, part];
  }
}

/** A statement for more rows gets rows of NULL, which are of no proxy. */
export function paramsOf<Column extends string, Given>(
  { names }: Batch<Column>,
  rows: readonly Given[],
  valuesOf: (row: Given) => Record<Column, SqlValue>,
): Record<string, SqlValue> {
  const params: Record<string, SqlValue> = {};
  for (const [n, own] of names.entries()) {
    const row = rows[n];
    const values = row === undefined ? null : valuesOf(row);
    for (const column in own) params[own[column]] = values === null ? null : values[column];
  }
  return params;
}
