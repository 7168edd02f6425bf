import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** Where many small files are made and removed: in memory, if there is such a place. */
export const SCRATCH = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
