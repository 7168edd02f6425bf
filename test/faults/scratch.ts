import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const MEMORY = '/dev/shm';
/** The largest files of the tests, many times over. Containers give 64 MiB unless they are told otherwise. */
const ENOUGH = 2 ** 30;

/**
 * Where files of the tests are made and removed: where TMPDIR says, or in memory, if there is such a place, since a disk makes
 * each sync wait.
 */
export const SCRATCH = process.env.TMPDIR === undefined && hasRoom(MEMORY) ? MEMORY : tmpdir();

function hasRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize > ENOUGH;
  } catch {
    return false;
  }
}
