import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { describe, expect, it, onTestFinished } from 'vitest';
import { declarationOf } from '../../src/cli/command.ts';
import { allCommands, createProgram } from '../../src/cli/program.ts';
import { BIN, commandLine } from '../support/command-line.ts';
import type { Ran } from '../support/command-server.ts';
import { temporaryFolder } from '../support/temporary.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const PLACE = 'place';

/** What each command that only reads is run with, besides its name. */
const ARGUMENTS: Record<string, readonly string[]> = {
  list: ['--reveal'],
  show: ['{id}', '--reveal'],
  export: ['--reveal'],
  backup: ['copy.db'],
  check: ['--deep'],
};

interface ReadOnly {
  /** The folder of the pool, which its user may not write. */
  folder: string;
  db: string;
  id: string;
  cli: ReturnType<typeof commandLine>;
  key: Record<string, string>;
  /** Runs as a user who may not write: the one that runs the tests, or another one if that is root. */
  read: (...args: string[]) => Ran;
  /** Starts a command as that user. */
  start: (...args: string[]) => ChildProcessByStdio<null, Readable, null>;
  /** Where that user may write. */
  own: string;
}

/** A closed pool in a folder that everybody may read and nobody write. */
function readOnlyPool(list = 'http://user:password@a.example:1\nb.example:2\n'): ReadOnly {
  const cli = commandLine();
  const key = { PROXYVAULT_KEY: randomBytes(32).toString('hex') };
  expect(cli.run(['import', '-', '--tag', 'mine'], { input: list, env: key }).status).toBe(0);
  const [{ id = '' } = {}] = cli.json<{ items: { id: string }[] }>('list').items;
  cli.run(['sticky', 'set', 'shop.example', id]);
  chmodSync(cli.folder, 0o755);
  const folder = join(cli.folder, PLACE);
  const db = join(folder, 'pool.db');
  mkdirSync(folder);
  copyFileSync(cli.db, db);
  chmodSync(db, 0o444);
  chmodSync(folder, 0o555);
  // So that it can be removed.
  onTestFinished(() => chmodSync(folder, 0o755));
  const own = temporaryFolder();
  if (isRoot) chownSync(own, NOBODY, NOBODY);
  const { NODE_COMPILE_CACHE: _, PROXYVAULT_KEY_FILE: __, ...env } = cli.env;
  const asUser = {
    cwd: own,
    env: { ...env, ...key, HOME: own, TMPDIR: own },
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  };
  const read = (...args: string[]): Ran => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, '--db', db, '-q', ...args], {
      ...asUser,
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };
  const start = (...args: string[]) =>
    spawn(process.execPath, [BIN, '--db', db, '-q', ...args], {
      ...asUser,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  return { folder, db, id, cli, key, read, start, own };
}

function pathOf(command: Command): string {
  return command.parent?.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

/** Starts the owner's program, which stores one more proxy and then has the pool open until it is killed. */
async function openByOwner({ folder, db }: ReadOnly): Promise<() => Promise<void>> {
  chmodSync(folder, 0o755);
  chmodSync(db, 0o644);
  const script = `
    const { openVault } = await import(process.argv[1]);
    const vault = await openVault({ path: process.argv[2] });
    vault.proxies.create({ protocol: 'http', host: 'c.example', port: 3 });
    console.log('stored');
    setInterval(() => undefined, 1000);`;
  const library = new URL('../../dist/index.js', import.meta.url).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, library, db], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  if (!isRoot) chmodSync(db, 0o444);
  chmodSync(folder, 0o555);
  return async () => {
    child.kill('SIGKILL');
    await once(child, 'close');
  };
}

describe.skipIf(process.platform === 'win32')('a pool that may not be written (POSIX permissions)', () => {
  it('is read by every command that only reads, as by its owner, and nothing is left anywhere', () => {
    const pool = readOnlyPool();
    const readers = allCommands(createProgram(false, [])).filter((each) => declarationOf(each)?.reads);
    const names = readers.map(pathOf);
    expect(names).toEqual(
      expect.arrayContaining(
        'list,show,stats,events,export,check,backup,config show,rules list,sticky list,key status,key verify,migrate status'.split(
          ',',
        ),
      ),
    );
    for (const name of names) {
      const args = [...name.split(' '), ...(ARGUMENTS[name] ?? [])].map((arg) =>
        arg.replace('{id}', pool.id),
      );
      const { status, stdout, stderr } = pool.read(...args);
      expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: '' });
      const shown = pool.cli.run(['--db', pool.cli.db, ...args], { env: pool.key });
      if (name !== 'backup') expect([name, stdout]).toEqual([name, shown.stdout]);
    }
    expect(pool.read('list', '--reveal').stdout).toContain('user:password');
    expect(readdirSync(pool.folder)).toEqual(['pool.db']);
    expect(readdirSync(pool.own).filter((name) => name !== '.cache')).toEqual(['copy.db']);
    expect(readFileSync(pool.db)).toEqual(readFileSync(pool.cli.db));
  }, 120_000);

  it('is not written: the error says why and what to do, and nothing was changed', () => {
    const pool = readOnlyPool();
    const before = readFileSync(pool.db);
    for (const args of [
      ['remove', pool.id],
      ['next'],
      ['exec', 'true'],
      ['add', 'x.example:1'],
      ['migrate', 'up'],
      ['key', 'rotate'],
      ['init'],
    ]) {
      const { status, stdout, stderr } = pool.read(...args);
      expect([args, status, stderr]).toEqual([
        args,
        args[0] === 'exec' ? 125 : 1,
        expect.stringMatching(
          /^proxyvault: The pool at \S+ may not be written, since this user may not write \S+: run this as a user who may.*\(READ_ONLY\)\n$/,
        ),
      ]);
      expect([args, stdout]).toEqual([
        args,
        args[0] === 'next' ? 'http://no-proxy-available.invalid:1\n' : '',
      ]);
    }
    expect(readFileSync(pool.db)).toEqual(before);
    expect(readdirSync(pool.folder)).toEqual(['pool.db']);
  }, 60_000);

  it('is read where only the file may not be written', () => {
    const { folder, read } = readOnlyPool();
    chmodSync(folder, 0o755);
    if (isRoot) chownSync(folder, NOBODY, NOBODY);
    expect(read('list')).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('2 of 2.') });
  });

  it('is read with what its owner has just stored, while it is open and after a crash', async () => {
    const pool = readOnlyPool();
    const kill = await openByOwner(pool);
    expect(pool.read('list')).toMatchObject({ stderr: '', stdout: expect.stringContaining('3 of 3.') });
    await kill();
    expect(pool.read('list')).toMatchObject({ stderr: '', stdout: expect.stringContaining('3 of 3.') });
  }, 60_000);

  it('is not read without what is only in its log', async () => {
    const pool = readOnlyPool();
    await (await openByOwner(pool))();
    chmodSync(pool.folder, 0o755);
    rmSync(`${pool.db}-shm`);
    chmodSync(pool.folder, 0o555);
    const { status, stdout, stderr } = pool.read('list');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(
      'pool.db-wal has changes that are not in it yet: open it once as a user who may write it',
    );
    expect(readdirSync(pool.own).filter((name) => name !== '.cache')).toEqual([]);
  }, 60_000);

  it('leaves no copy if a signal ends the command, or if its reader has seen enough', async () => {
    const list = Array.from({ length: 20_000 }, (_, n) => `http://h${n}.example:${1 + n}\n`).join('');
    const { start, own } = readOnlyPool(list);
    const copies = (): string[] => readdirSync(own).filter((name) => name.startsWith('proxyvault-read-'));
    const endedBy = async (
      end: (child: ReturnType<typeof start>) => unknown,
    ): Promise<[copies: number, code: unknown, signal: unknown]> => {
      const child = start('export');
      // The list is longer than what is kept of it on its way, so the command waits for its reader.
      child.stdout.once('readable', () => child.stdout.read(1));
      await once(child.stdout, 'readable');
      const before = copies().length;
      end(child);
      const [code, signal] = await once(child, 'exit');
      return [before, code, signal];
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)
      expect(await endedBy((child) => child.kill(signal))).toEqual([1, null, signal]);
    expect(await endedBy((child) => child.stdout.destroy())).toEqual([1, 0, null]);
    expect(copies()).toEqual([]);
  }, 60_000);

  it('is not read if everybody may write it, since it holds logins', () => {
    const { db, read } = readOnlyPool();
    chmodSync(db, 0o666);
    const { status, stderr } = read('list');
    expect([status, stderr]).toEqual([1, expect.stringContaining('can be written by every user')]);
  });

  it('is one on a read-only file system, also for root (skipped where nothing can be mounted)', (context) => {
    const { cli, folder, id } = readOnlyPool();
    const mount = (...args: string[]): boolean => spawnSync('mount', args).status === 0;
    if (process.platform !== 'linux' || !mount('--bind', folder, folder)) return context.skip();
    onTestFinished(() => void spawnSync('umount', [folder]));
    if (!mount('-o', 'remount,bind,ro', folder)) return context.skip();
    const db = join(folder, 'pool.db');
    expect(cli.run(['list', '--db', db])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('2 of 2.'),
    });
    const { status, stderr } = cli.run(['remove', id, '--db', db]);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/since its file system is read-only: .*\(READ_ONLY\)\n$/),
    ]);
  });
});
