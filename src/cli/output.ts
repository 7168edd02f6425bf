import Table from 'cli-table3';

import { placesOf } from './places.ts';
import { bold, lines, Text, text, toJson, visible, writeOut } from './terminal.ts';

/** Prints data: as JSON for a program, else as `human` writes it. */
export function print(json: boolean | undefined, data: unknown, human: () => Text): void {
  writeOut(text`${json ? Text.ours(toJson(data, 2)) : human()}\n`);
}

/** Data as JSON in one line, for a command that prints several of them. */
export function jsonLine(data: unknown): Text {
  return Text.ours(toJson(data));
}

/** Every line that cli-table3 draws around and between cells, as nothing. */
const NO_LINES = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
    ['', '-mid', '-left', '-right'].map((part) => [`${side}${part}`, '']),
  ),
);

/** What a table shows in one place; null and an empty text are `-`. */
export type Cell = string | number | null;

/** cli-table3 takes time with the square of the rows: 10,000 in one table took 16 seconds. */
const ROWS_AT_ONCE = 250;

/** A table without lines, that a person reads and `awk` cuts. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): Text {
  const shown = rows.map((row) =>
    row.map((cell) => (cell === null || cell === '' ? '-' : visible(String(cell)))),
  );
  // The columns of every part are as wide as the widest cell of the whole table.
  const ruler = head.map((name, column) => shown.reduce((most, row) => wider(most, row[column] ?? ''), name));
  const [first = '', ...rest] = draw([head, ...shown.slice(0, ROWS_AT_ONCE)], ruler);
  for (let at = ROWS_AT_ONCE; at < shown.length; at += ROWS_AT_ONCE)
    for (const line of draw(shown.slice(at, at + ROWS_AT_ONCE), ruler)) rest.push(line);
  return lines([bold(Text.ours(first)), ...rest.map(Text.ours)]);
}

function wider(one: string, other: string): string {
  return placesOf(other) > placesOf(one) ? other : one;
}

/** The lines of some rows; the ruler gives the columns their width and is left out. */
function draw(rows: readonly (readonly string[])[], ruler: readonly string[]): string[] {
  const view = new Table({
    chars: { ...NO_LINES, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  view.push(...[...rows, ruler].map((row) => [...row]));
  return view.toString().replace(/ +$/gm, '').split('\n').slice(0, -1);
}

/** Names with their values, a line each. */
export function details(entries: Iterable<readonly [string, unknown]>, width: number): Text {
  return lines([...entries].map(([name, value]) => `${name.padEnd(width)}${textOf(value)}`));
}

function textOf(value: unknown): string {
  if (value === null || value === '') return '-';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** A number with at most so many decimals, or null. */
export function rounded(value: number | null, decimals = 1): string | null {
  return value === null ? null : String(Number(value.toFixed(decimals)));
}
