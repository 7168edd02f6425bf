import { type Cell, table } from './output.ts';
import { placesOf } from './places.ts';
import { type Text, visible } from './terminal.ts';

/** A column that may give way where a terminal is too narrow. */
export interface Column {
  head: string;
  cells: readonly Cell[];
  /** Shorter cells, which are used before anything is cut. */
  short?: () => readonly Cell[];
  /** The fewest characters to which a cell may be cut; without it the cells stay whole. */
  least?: number;
  /** The column may be left out: the one with the highest number first. */
  leaveOut?: number;
}

const GAP = 2;

/** The width of the terminal that standard output is; null for a pipe or a file, which get everything. */
export function terminalWidth(): number | null {
  return (process.stdout.isTTY && process.stdout.columns) || null;
}

/** A table in which no line is wider than the terminal, if that can be: first cells get shorter, then columns are left out. */
export function fittedTable(columns: readonly Column[], width: number | null): Text {
  return drawn(width === null ? columns : fitInto(columns, width));
}

function fitInto(columns: readonly Column[], width: number): readonly Column[] {
  if (totalOf(columns) <= width) return columns;
  const short = columns.map((column) => ({ ...column, cells: column.short?.() ?? column.cells }));
  const cut = cutTo(short, width);
  if (totalOf(cut) <= width) return cut;
  const leaving = Math.max(...columns.map(({ leaveOut = 0 }) => leaveOut));
  if (leaving === 0) return cut;
  return fitInto(
    columns.filter(({ leaveOut }) => leaveOut !== leaving),
    width,
  );
}

/** Cuts the widest column that may be cut, as often as it takes. */
function cutTo(columns: readonly Column[], width: number): readonly Column[] {
  let current = columns;
  for (;;) {
    const excess = totalOf(current) - width;
    if (excess <= 0) return current;
    const [widest] = current
      .filter((column) => column.least !== undefined && widthOf(column) > column.least)
      .toSorted((a, b) => widthOf(b) - widthOf(a));
    if (widest === undefined) return current;
    const most = Math.max(widest.least ?? 0, widthOf(widest) - excess);
    const cells = widest.cells.map((cell) => cutCell(cell, most));
    const head = String(cutCell(widest.head, most));
    current = current.map((column) => (column === widest ? { ...widest, cells, head } : column));
  }
}

function cutCell(cell: Cell, most: number): Cell {
  if (cell === null || placesOf(shownOf(cell)) <= most) return cell;
  let kept = '';
  for (const character of shownOf(cell)) {
    if (placesOf(kept + character) > most - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

function totalOf(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + widthOf(column) + GAP, -GAP);
}

function widthOf({ head, cells }: Column): number {
  return cells.reduce<number>((most, cell) => Math.max(most, placesOf(shownOf(cell))), placesOf(head));
}

function shownOf(cell: Cell): string {
  return cell === null ? '' : visible(String(cell));
}

function drawn(columns: readonly Column[]): Text {
  const rows = columns[0]?.cells.map((_, row) => columns.map(({ cells }) => cells[row] ?? null)) ?? [];
  return table(
    columns.map(({ head }) => head),
    rows,
  );
}
