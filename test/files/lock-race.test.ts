import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { withLock } from '../../src/files/lock.ts';
import { ownMark } from '../../src/files/owner.ts';
import { failing } from '../support/file-calls.ts';
import { temporaryFolder } from '../support/temporary.ts';

vi.mock('node:fs', async (load) => (await import('../support/file-calls.ts')).watched(await load()));

it.runIf(process.platform === 'linux')(
  'a lock that another process has taken while this one was breaking the lock before it stays',
  async () => {
    const lock = join(temporaryFolder(), 'a.lock');
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(lock, `${ownMark().split('-', 2).join('-')}-${pid}-1 left`);
    let links = 0;
    const error = await failing(
      dirname(lock),
      (call) => {
        // The first link is to the lock that is there, the second to the guard under which it is broken.
        if (call === 'link' && ++links === 2) {
          rmSync(lock);
          writeFileSync(lock, `${ownMark()} another's`);
        }
        return null;
      },
      () => withLock(lock, 0, () => 'entered'),
    );
    expect(links).toBeGreaterThanOrEqual(2);
    expect(error).toMatchObject({ code: 'BUSY' });
    expect(readFileSync(lock, 'utf8')).toBe(`${ownMark()} another's`);
    expect(readdirSync(dirname(lock))).toEqual(['a.lock']);
  },
);
