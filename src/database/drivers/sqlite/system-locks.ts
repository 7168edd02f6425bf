import { readFileSync, statSync } from 'node:fs';

/**
 * Whether any process, this one included, has locked a file, for a database that is too damaged to ask SQLite. Only
 * Linux tells (proc_locks(5)); elsewhere the answer is no.
 */
export function isLocked(path: string): boolean {
  const { dev, ino } = statSync(path, { bigint: true });
  // As makedev(3) puts the two numbers together.
  const major = (dev >> 8n) & 0xfffn;
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n);
  const hex = (number: bigint): string => number.toString(16).padStart(2, '0');
  return readLocks().includes(` ${hex(major)}:${hex(minor)}:${ino} `);
}

function readLocks(): string {
  try {
    return readFileSync('/proc/locks', 'utf8');
  } catch {
    return '';
  }
}
