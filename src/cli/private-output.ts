import { fstatSync } from 'node:fs';

import { warn } from './warn.ts';

const STANDARD_OUTPUT = 1;

/** Warns if the secrets that go to standard output end up in a file that others can read. */
export function warnIfOutputIsOpen(json: boolean | undefined, advice: string): void {
  if (process.platform === 'win32') return;
  const stats = fstatSync(STANDARD_OUTPUT);
  if (!stats.isFile() || (stats.mode & 0o077) === 0) return;
  const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
  warn(
    json,
    'OPEN_OUTPUT',
    `Standard output is a file that others can read (mode ${mode}), and secrets are written to it: ${advice}.`,
  );
}
