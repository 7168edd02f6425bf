/**
 * A spreadsheet runs a cell that begins like a formula, and passwords and names come from others. A CSV that we write
 * has an apostrophe before each such text; the column `escaped` says `yes` in rows where that is so. There the
 * apostrophes are removed on reading, so that every text comes back exactly.
 */
export const ESCAPED_COLUMN = 'escaped';
export const ESCAPED = 'yes';

/** Also after a character that another program may take for the separator: a cell may then begin there. */
const FORMULA = /(?:^|[;\t|])[\s"']*[=+\-@＝＋－＠\t\r\n]/u;
const NEEDS_APOSTROPHE = /(?<=^|[;\t|])(?=[\s"']*[=+\-@＝＋－＠\t\r\n]|')/gu;
const APOSTROPHE = /(?<=^|[;\t|])'/gu;

/** Whether a spreadsheet may run a part of the text. */
export function isFormula(text: string): boolean {
  return FORMULA.test(text);
}

/** The text that no spreadsheet runs; one that has apostrophes in the same places gets more of them. */
export function escapeFormula(text: string): string {
  return text.replace(NEEDS_APOSTROPHE, "'");
}

/** The cells of a row as they were before {@link escapeFormula}, if its column `escaped` says that it was. */
export function unescapedCells<T>(
  cells: readonly (readonly [name: string, value: T])[],
): readonly (readonly [string, T | string])[] {
  const isEscaped = cells.some(([name, value]) => name === ESCAPED_COLUMN && value === ESCAPED);
  return isEscaped
    ? cells.map(([name, value]) => [name, typeof value === 'string' ? value.replace(APOSTROPHE, '') : value])
    : cells;
}
