/** A pool that is made once in a process, and copied for each operation that something is tried on. */
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Line, POOL } from './facts.ts';
import { placeIn, prepare } from './operations.ts';
import { SCRATCH } from './scratch.ts';

export interface Copy {
  root: string;
  /** Of a proxy that nothing is said of. */
  id: string;
  /** What is in the pool. */
  lines: readonly Line[];
}

const base = mkdtempSync(join(process.env.PROXYVAULT_TEST_DISK ?? SCRATCH, 'proxyvault-faults-'));
process.on('exit', () => rmSync(base, { recursive: true, force: true }));
const template = join(base, 'template');
mkdirSync(template);
const lines: Line[] = [];
const id = prepare(placeIn(template, (line) => lines.push(line)));
// What is restored.
copyFileSync(join(template, POOL), join(template, 'copy.db'));
let made = 0;

/** Runs `work` on a copy, with the folder for temporary files in it too. */
export async function onCopy<T>(work: (copy: Copy) => Promise<T>): Promise<T> {
  const root = join(base, `copy-${made++}`);
  cpSync(template, root, { recursive: true });
  process.env.TMPDIR = join(root, 'tmp');
  mkdirSync(process.env.TMPDIR);
  try {
    return await work({ root, id, lines });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
