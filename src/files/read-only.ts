import { accessSync, constants, readFileSync } from 'node:fs';

import { errnoOf } from './file-error.ts';

/** Whether the file system at a real path (without links) is mounted read-only, so that nobody can write there. */
export function isReadOnlyMount(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    // For a user who may not write the file anyway, access(2) says EACCES on a read-only bind mount too.
    return errnoOf(error) === 'EROFS' || mountOptions(path).includes('ro');
  }
}

/** The options of the mount that a path is on; none where the system has no such table. See proc_pid_mountinfo(5). */
function mountOptions(path: string): readonly string[] {
  let found = { length: 0, options: [] as string[] };
  for (const line of mountTable()) {
    const [, , , , point = '', options = ''] = line.split(' ');
    const folder = point.replaceAll(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    const isAbove = folder === '/' || path === folder || path.startsWith(`${folder}/`);
    // A later mount at the same place covers an earlier one.
    if (isAbove && folder.length >= found.length)
      found = { length: folder.length, options: options.split(',') };
  }
  return found.options;
}

function mountTable(): string[] {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  } catch {
    return [];
  }
}
