import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';
import { fullPoolOf, GOLDEN_SETS, textOf, unpack } from '../support/golden-sets.ts';

describe.each(GOLDEN_SETS)('the command line in the folder of a user of $name', (set) => {
  const full = fullPoolOf(set);
  const count = Object.keys(full.logins).length;

  it('migrates, checks, verifies, imports, exports and recovers', () => {
    const { folder, run, json } = commandLine();
    unpack(set, full, { folder });
    expect(run(['migrate', 'up'])).toMatchObject({ status: 0 });
    expect(json('check', '--deep')).toMatchObject({
      ok: true,
      credentials: { verified: true, checked: count },
    });
    expect(json('key', 'verify')).toMatchObject({ ok: true, checked: count });

    const [list] = set.lists;
    writeFileSync(join(folder, 'list.txt'), textOf(set, String(list?.file)));
    expect(json('import', 'list.txt', '--tag', String(list?.tag), '--sync')).toMatchObject({
      added: 0,
      updated: 0,
      unchanged: list?.ids.length,
      removed: 0,
    });
    const { stdout } = run(['export', '--format', 'json', '--reveal']);
    const exported = JSON.parse(stdout) as { username?: string; password?: string }[];
    for (const { username, password } of Object.values(full.logins))
      expect(exported.map((each) => [each.username ?? '', each.password ?? ''])).toContainEqual([
        username,
        password,
      ]);

    rmSync(join(folder, 'key'));
    expect(run(['key', 'verify'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('KEY_MISSING'),
    });
    expect(run(['key', 'recover'], { input: `${full.recoveryCode}\n` })).toMatchObject({ status: 0 });
    expect(run(['key', 'rotate'])).toMatchObject({ status: 0 });
    expect(json('key', 'verify')).toMatchObject({ ok: true, checked: count, oldBinding: 0, unbound: 0 });
  });

  it('opens the key under a passphrase', () => {
    const { folder, run, json } = commandLine();
    const pool = set.pools.find(({ name }) => name === 'passphrase');
    if (pool === undefined) throw new Error('There is no pool with a passphrase.');
    unpack(set, pool, { folder });
    writeFileSync(join(folder, 'phrase'), `${pool.passphrase}\n`, { mode: 0o600 });
    expect(run(['migrate', 'up'])).toMatchObject({ status: 0 });
    expect(json('key', 'verify', '--passphrase-file', 'phrase')).toMatchObject({
      ok: true,
      checked: Object.keys(pool.logins).length,
    });
  });

  it('restores the backup in the place of the pool', () => {
    const { folder, run, json } = commandLine();
    unpack(set, full, { folder });
    unpack(set, full, { folder, file: 'backup.db' });
    renameSync(join(folder, 'pool.db'), join(folder, 'lost.db'));
    expect(run(['restore', 'backup.db'])).toMatchObject({ status: 0 });
    expect(run(['migrate', 'up'])).toMatchObject({ status: 0 });
    expect(json('check', '--deep')).toMatchObject({ ok: true });
  });
});
