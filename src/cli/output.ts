import { styleText } from 'node:util';
import Table from 'cli-table3';

/** Prints data: as JSON for a program, else as `human` writes it. */
export function print(json: boolean | undefined, data: unknown, human: () => string): void {
  process.stdout.write(`${json ? JSON.stringify(data, null, 2) : human()}\n`);
}

/** A table without lines, that a person reads and `awk` cuts. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): string {
  const view = new Table({
    head: head.map(bold),
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: '  ',
    },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  view.push(...rows.map((row) => row.map((cell) => (cell === null || cell === '' ? '-' : String(cell)))));
  return view.toString().replace(/ +$/gm, '');
}

/** Bold where standard output is a terminal and NO_COLOR is not set. */
export function bold(text: string): string {
  return styleText('bold', text, { stream: process.stdout });
}

/** A number with at most so many decimals, or null. */
export function rounded(value: number | null, decimals = 1): string | null {
  return value === null ? null : String(Number(value.toFixed(decimals)));
}
