/** Says `yes` in the rows of a CSV where we wrote an apostrophe before what a spreadsheet would run; reading removes it there. */
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
