import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { initDatabase, ProxyRepository } from 'proxyvault';
import { restoreDatabase } from 'proxyvault/database';
import { expect, it, onTestFinished } from 'vitest';
import { loginOf } from './actions/action.ts';
import { assertSound, readAsNewProcess } from './model.ts';
import { Party } from './party.ts';
import { actNow, code, initial, inOtherProcess, inPool } from './stage.ts';

/** Opening and replacing a file happens before there is a logger: acts before the first such call of the engine. */
function beforeCall(method: 'pragma' | 'exec', text: string, act: () => void): void {
  const original = Database.prototype[method] as (...args: unknown[]) => unknown;
  const restore = (): void => void Object.assign(Database.prototype, { [method]: original });
  onTestFinished(restore);
  Object.assign(Database.prototype, {
    [method](this: unknown, ...args: unknown[]) {
      if (args[0] === text) {
        restore();
        act();
      }
      return original.apply(this, args);
    },
  });
}

/** A pool, and a backup of what was in it before p2 was removed. */
async function inRestorable(work: (path: string, backup: string) => Promise<void>): Promise<void> {
  await inPool(async (path) => {
    const backup = join(dirname(path), 'backup.db');
    {
      await using party = new Party(path, 'first');
      await party.db.backup(backup);
      party.proxies.delete('p2');
    }
    await work(path, backup);
  });
}

const restoreNow = (path: string): void =>
  expect(inOtherProcess(path, 'restore')).toEqual({ value: undefined });

it('what is written by a process that opened the pool while it was restored is in the restored pool', async () => {
  await inRestorable(async (path) => {
    beforeCall('pragma', 'schema_version', () => restoreNow(path));
    {
      await using party = new Party(path, 'first');
      party.credentials.store('p1', loginOf('late'));
    }
    await using party = new Party(path, 'first');
    expect(party.credentials.reveal('p1')).toEqual(loginOf('late'));
    expect(party.credentials.reveal('p2')).toEqual(loginOf(2));
  });
});

it('a process that only reads, and opened the pool while it was restored, reads the restored pool', async () => {
  await inRestorable(async (path) => {
    beforeCall('pragma', 'schema_version', () => restoreNow(path));
    using db = initDatabase({ path, readonly: true });
    expect(new ProxyRepository(db).exists('p2')).toBe(true);
  });
});

it.each([
  { method: 'pragma', text: 'journal_mode = DELETE', restoresToo: true },
  { method: 'exec', text: 'BEGIN EXCLUSIVE', restoresToo: true },
  { method: 'exec', text: 'BEGIN EXCLUSIVE', restoresToo: false },
] as const)(
  'a pool that another process opens before it is locked ($text) is not replaced under it (restored meanwhile: $restoresToo)',
  async ({ method, text, restoresToo }) => {
    await inRestorable(async (path, backup) => {
      let party: Party | null = null;
      beforeCall(method, text, () => {
        if (restoresToo) restoreNow(path);
        party = new Party(path, 'first');
      });
      const restoring = restoreDatabase(backup, path, { overwrite: true, busyTimeoutMs: 0 });
      await expect(restoring).rejects.toMatchObject({ code: 'BUSY' });
      const opened = party as Party | null;
      opened?.credentials.store('p1', loginOf('late'));
      await opened?.[Symbol.asyncDispose]();
      await using last = new Party(path, 'first');
      expect(last.credentials.reveal('p1')).toEqual(loginOf('late'));
      expect(last.proxies.exists('p2')).toBe(restoresToo);
    });
  },
);

it('a backup is of one moment, whatever is written while it is made', async () => {
  await inPool(async (path) => {
    const backup = join(dirname(path), 'backup.db');
    await using party = new Party(path, 'first');
    await using other = new Party(path, 'first');
    party.code = code;
    let isFirst = true;
    const onProgress = (): void => {
      if (isFirst)
        for (const name of ['store a login', 'remove a proxy', 'order the rules'] as const)
          actNow(name, other);
      isFirst = false;
    };
    await party.db.backup(backup, { onProgress });
    using copy = initDatabase({ path: backup });
    const { model, party: reader } = readAsNewProcess(copy);
    expect(model).toEqual(initial);
    await assertSound(reader, model);
  });
});
