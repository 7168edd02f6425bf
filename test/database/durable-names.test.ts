import type { closeSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { initDatabase } from 'proxyvault/database';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

/** What was done to which path, in order. */
const calls: string[] = [];
const paths = new Map<number, string>();

vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs')>();
  const recorded = {
    mkdirSync: (...args: Parameters<typeof mkdirSync>) => {
      calls.push(`mkdir ${String(args[0])}`);
      return original.mkdirSync(...args);
    },
    openSync: (...args: Parameters<typeof openSync>) => {
      const descriptor = original.openSync(...args);
      paths.set(descriptor, String(args[0]));
      if (args[1] === 'wx') calls.push(`create ${String(args[0])}`);
      return descriptor;
    },
    fsyncSync: (...args: Parameters<typeof fsyncSync>) => {
      calls.push(`sync ${paths.get(args[0])}`);
      original.fsyncSync(...args);
    },
    linkSync: (...args: Parameters<typeof linkSync>) => {
      calls.push(`name ${String(args[1])}`);
      original.linkSync(...args);
    },
    renameSync: (...args: Parameters<typeof renameSync>) => {
      calls.push(`name ${String(args[1])}`);
      original.renameSync(...args);
    },
    closeSync: (...args: Parameters<typeof closeSync>) => {
      original.closeSync(...args);
    },
  };
  return { ...original, ...recorded, default: { ...original, ...recorded } };
});

/** That each of these comes after the one before it. */
function expectOrder(...wanted: string[]): void {
  let from = 0;
  for (const call of wanted) {
    const at = calls.indexOf(call, from);
    expect(at, `${call} after ${calls.slice(0, from).at(-1)} in\n${calls.join('\n')}`).toBeGreaterThanOrEqual(
      from,
    );
    from = at + 1;
  }
}

beforeEach(() => {
  calls.length = 0;
});

describe('a new name is on the disk before anything relies on it', () => {
  it('for a new pool: its folders, then its file', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a', 'b', 'pool.db');
    await using _ = initDatabase({ path });
    expectOrder(`sync ${folder}`, `mkdir ${dirname(path)}`, `sync ${join(folder, 'a')}`, `create ${path}`);
    expectOrder(`create ${path}`, `sync ${dirname(path)}`);
  });

  it('for a backup: its folders, its content, then its name', async () => {
    const folder = temporaryFolder();
    await using db = initDatabase({ path: join(folder, 'pool.db') });
    const target = join(folder, 'c', 'd', 'copy.db');
    calls.length = 0;
    await db.backup(target);
    expectOrder(`sync ${folder}`, `sync ${join(folder, 'c')}`, `name ${target}`, `sync ${dirname(target)}`);
    expect(calls[calls.indexOf(`name ${target}`) - 1]).toMatch(/^sync .*\.partial$/);
  });
});
