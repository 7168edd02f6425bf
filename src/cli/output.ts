import Table from 'cli-table3';

import { bold, lines, Text, text, toJson, visible, writeOut } from './terminal.ts';

/** Prints data: as JSON for a program, else as `human` writes it. */
export function print(json: boolean | undefined, data: unknown, human: () => Text): void {
  writeOut(text`${json ? Text.ours(toJson(data, 2)) : human()}\n`);
}

/** Every line that cli-table3 draws around and between cells, as nothing. */
const NO_LINES = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
    ['', '-mid', '-left', '-right'].map((part) => [`${side}${part}`, '']),
  ),
);

/** What a table shows in one place; null and an empty text are `-`. */
export type Cell = string | number | null;

/** A table without lines, that a person reads and `awk` cuts. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): Text {
  const view = new Table({
    head: [...head],
    chars: { ...NO_LINES, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  view.push(
    ...rows.map((row) => row.map((cell) => (cell === null || cell === '' ? '-' : visible(String(cell))))),
  );
  const [first = '', ...rest] = view.toString().replace(/ +$/gm, '').split('\n');
  return lines([bold(Text.ours(first)), ...rest.map(Text.ours)]);
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
