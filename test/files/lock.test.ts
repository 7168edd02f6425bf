import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { withLock } from '../../src/files/lock.ts';
import { ownMark } from '../../src/files/owner.ts';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

const FIXTURE = fileURLToPath(new URL('../fixtures/hold-lock.mjs', import.meta.url));

function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, ['--no-warnings', FIXTURE, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** A lock that another process holds. */
async function heldByAnother(): Promise<{ lock: string; child: ChildProcess }> {
  const lock = join(temporaryFolder(), 'a.lock');
  const child = start(lock, 'hold');
  if (child.stdout) await once(child.stdout, 'data');
  return { lock, child };
}

function makeOld(path: string, minutes: number): void {
  const then = new Date(Date.now() - minutes * 60_000);
  utimesSync(path, then, then);
}

describe('a lock', () => {
  it.runIf(process.platform !== 'win32')(
    'is never broken while its holder lives, however old it is, and even if the holder is stopped',
    async () => {
      const { lock, child } = await heldByAnother();
      child.kill('SIGSTOP');
      makeOld(lock, 60 * 24);
      const content = readFileSync(lock, 'utf8');
      expect(thrownBy(() => withLock(lock, 30, () => 'entered'))).toMatchObject({
        code: 'BUSY',
        message: expect.stringContaining(`held by process ${child.pid}`),
      });
      expect(readFileSync(lock, 'utf8')).toBe(content);
    },
  );

  it('is broken at once when its holder was killed', async () => {
    const { lock, child } = await heldByAnother();
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(existsSync(lock)).toBe(true);
    expect(withLock(lock, 0, () => 'entered')).toBe('entered');
    expect(readdirSync(join(lock, '..'))).toEqual([]);
  });

  it('of a process that cannot be seen from here is broken by its age alone', () => {
    const lock = join(temporaryFolder(), 'a.lock');
    // Another container, version 0.1.0, and a crash before the content was written.
    for (const mark of ['0badcafe-0badcafe-1-1', '1', '']) {
      writeFileSync(lock, mark);
      makeOld(lock, 9);
      expect(thrownBy(() => withLock(lock, 0, () => null))).toMatchObject({ code: 'BUSY' });
      makeOld(lock, 11);
      expect(withLock(lock, 0, () => 'entered')).toBe('entered');
    }
  });

  it('is held by one process at a time, although several find a dead process\u2019s lock again and again', async () => {
    const folder = temporaryFolder();
    const [lock, file] = [join(folder, 'a.lock'), join(folder, 'number')];
    writeFileSync(file, '0');
    const children = Array.from({ length: 4 }, () => start(lock, 'count', file, '60'));
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'close'))[0]));
    expect(codes).toEqual([0, 0, 0, 0]);
    expect(readFileSync(file, 'utf8')).toBe('240');
    withLock(lock, 0, () => null);
    expect(readdirSync(folder)).toEqual(['number']);
  }, 60_000);

  it('tells its holder when it was lost, and what another process holds now stays', () => {
    const lock = join(temporaryFolder(), 'a.lock');
    const seen = withLock(lock, 0, (isHeld) => {
      const before = isHeld();
      rmSync(lock);
      const without = isHeld();
      writeFileSync(lock, `${ownMark()} another`);
      return [before, without, isHeld()];
    });
    expect(seen).toEqual([true, false, false]);
    expect(readFileSync(lock, 'utf8')).toBe(`${ownMark()} another`);
  });

  it('is another one each time, so that nobody takes a later one for it', () => {
    const lock = join(temporaryFolder(), 'a.lock');
    const contents = [1, 2].map(() => withLock(lock, 0, () => readFileSync(lock, 'utf8')));
    expect(new Set(contents).size).toBe(2);
    for (const content of contents) expect(content.startsWith(`${ownMark()} `)).toBe(true);
  });

  it.runIf(process.platform !== 'win32')(
    'is only for this user, and no link is followed in its place',
    () => {
      const folder = temporaryFolder();
      const [lock, target] = [join(folder, 'a.lock'), join(folder, 'target')];
      expect(withLock(lock, 0, () => statSync(lock).mode & 0o777)).toBe(0o600);
      writeFileSync(target, '0badcafe-0badcafe-1-1 old');
      makeOld(target, 60);
      symlinkSync(target, lock);
      expect(thrownBy(() => withLock(lock, 0, () => null))).toMatchObject({ code: 'ELOOP' });
      expect(readFileSync(target, 'utf8')).toBe('0badcafe-0badcafe-1-1 old');
    },
  );

  it('that was left in pieces by earlier processes is cleaned up by the next one that holds it', () => {
    const folder = temporaryFolder();
    const lock = join(folder, 'a.lock');
    const guards = ['a.lock.0123456789ab', 'a.lock.0123456789ab.ba9876543210'];
    const others = ['a.lock.key', 'b.lock.0123456789ab', 'a.lock.0123'];
    for (const name of [...guards, ...others]) writeFileSync(join(folder, name), 'left');
    withLock(lock, 0, () => null);
    expect(readdirSync(folder).sort()).toEqual(others.sort());
  });

  it('may be broken by the next one if the process that was breaking it was killed too, and not while that one lives', () => {
    const folder = temporaryFolder();
    const lock = join(folder, 'a.lock');
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const dead = `${ownMark().split('-', 2).join('-')}-${pid}-1 left`;
    writeFileSync(lock, dead);
    const instance = createHash('sha256')
      .update(`${statSync(lock).ino} ${dead}`)
      .digest('hex');
    const guard = `${lock}.${instance.slice(0, 12)}`;
    writeFileSync(guard, `${ownMark()} breaking`);
    expect(thrownBy(() => withLock(lock, 0, () => null))).toMatchObject({ code: 'BUSY' });
    expect(readFileSync(lock, 'utf8')).toBe(dead);
    writeFileSync(guard, dead);
    expect(withLock(lock, 0, () => 'entered')).toBe('entered');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('of this process is waited for as long as is said, and no longer', () => {
    const lock = join(temporaryFolder(), 'a.lock');
    withLock(lock, 0, () => {
      const begun = performance.now();
      expect(thrownBy(() => withLock(lock, 50, () => null))).toMatchObject({
        code: 'BUSY',
        message: expect.stringContaining(`held by process ${process.pid}`),
        details: { path: lock },
      });
      expect(performance.now() - begun).toBeGreaterThanOrEqual(50);
    });
  });

  it('goes when the work fails, and an unusable path is the error of the system', () => {
    const lock = join(temporaryFolder(), 'a.lock');
    const failing = (): never => {
      throw new Error('failed');
    };
    expect(thrownBy(() => withLock(lock, 0, failing))).toMatchObject({ message: 'failed' });
    expect(existsSync(lock)).toBe(false);
    mkdirSync(lock);
    expect(thrownBy(() => withLock(lock, 0, () => null))).toMatchObject({ code: 'EISDIR' });
  });
});
