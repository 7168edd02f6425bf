import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withFileErrors } from '../../../src/files/file-error.ts';
import { withLock } from '../../../src/files/lock.ts';
import { ownMark } from '../../../src/files/owner.ts';
import { PrivateFile } from '../../../src/files/private-file.ts';
import { Spool } from '../../../src/files/spool.ts';
import type { FileOperation } from './operation.ts';

export const OTHER_FILES: readonly FileOperation[] = [
  {
    name: 'a list of logins is written to a new file',
    prepare: (folder) => {
      const path = join(folder, 'list.txt');
      const run = (): void => {
        using file = new PrivateFile(path);
        file.write('h.example:1:u:canary-1\n');
        file.write('h.example:2:u:canary-2\n');
        file.publish();
      };
      return {
        run,
        // If the name was given already, a user removes the file first.
        runAgain: () => {
          rmSync(path, { force: true });
          run();
        },
        assertIntact: () => {
          if (!existsSync(path)) return;
          const text = readFileSync(path, 'utf8');
          if (!text.endsWith('canary-2\n')) throw new Error(`It has ${JSON.stringify(text)}.`);
        },
        secrets: ['canary'],
        leaves: ['list.txt'],
      };
    },
  },
  {
    name: 'an import keeps more than memory should hold',
    prepare: (folder) => {
      let read: string[] = [];
      return {
        run: () => {
          const before = process.env.TMPDIR;
          process.env.TMPDIR = folder;
          try {
            using spool = new Spool<string>();
            for (let n = 0; n < 2001; n++) spool.push(`canary-${n}`);
            read = [...spool.read()];
          } finally {
            if (before === undefined) delete process.env.TMPDIR;
            else process.env.TMPDIR = before;
          }
        },
        assertIntact: () => {
          if (read.some((value, n) => value !== `canary-${n}`)) throw new Error('A value was lost.');
        },
        assertDone: () => {
          if (read.length !== 2001) throw new Error(`There are ${read.length} values.`);
        },
        secrets: ['canary'],
        leaves: [],
      };
    },
  },
  {
    name: 'a lock is taken',
    prepare: (folder) => {
      const path = join(folder, 'a.lock');
      let held = 0;
      return {
        run: () =>
          withFileErrors('The lock cannot be taken', path, () =>
            withLock(path, 0, (isHeld) => {
              held = isHeld() ? held + 1 : Number.NaN;
            }),
          ),
        assertIntact: () => {
          if (Number.isNaN(held)) throw new Error('The work ran without the lock.');
        },
        secrets: [],
        leaves: [],
      };
    },
  },
  {
    name: 'a lock of a process that has ended is broken',
    prepare: (folder) => {
      const path = join(folder, 'a.lock');
      const [machine, place] = ownMark().split('-');
      // No process has an id as large as this one.
      writeFileSync(path, `${machine}-${place}-99999999-1 0123456789abcdef`);
      return {
        run: () => withFileErrors('The lock cannot be taken', path, () => withLock(path, 0, () => undefined)),
        assertIntact: () => undefined,
        secrets: [],
        leaves: [],
      };
    },
  },
];
