import { chmodSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

/** A pool of two proxies, changed by another program. */
function poolWith(sql: string): ReturnType<typeof commandLine> & { ids: string[] } {
  const cli = commandLine();
  cli.run(['import', '-'], { input: 'a.example:8080\nb.example:8080\n' });
  const ids = cli.json<{ items: { id: string }[] }>('list').items.map(({ id }) => id);
  const db = new Database(cli.db);
  db.exec(sql);
  db.close();
  return { ...cli, ids };
}

describe('a pool with a malformed row', () => {
  it('is worked with: commands leave the row out and say so, check names it and fails', () => {
    const { run, ids } = poolWith(`UPDATE proxies SET created_at = NULL WHERE host = 'a.example'`);
    const skipped = /^Warning: Skipped 1 malformed row: run `proxyvault check` .*\n {2}(.*)$/m;
    for (const args of [['list'], ['next']]) {
      const { status, stdout, stderr } = run(args);
      expect({ args, status }).toEqual({ args, status: 0 });
      expect(stdout).toContain('b.example');
      expect(skipped.exec(stderr)?.[1]).toBe(`proxies ${ids[0]}, column created_at`);
    }
    const inJson = run(['list', '--json']);
    expect(JSON.parse(inJson.stderr)).toMatchObject({
      warning: { code: 'SKIPPED_ROWS', count: 1, rows: [{ table: 'proxies', id: ids[0] }] },
    });
    const check = run(['check']);
    expect(check.status).toBe(1);
    expect(check.stdout).toContain(`proxies ${ids[0]}: created_at: it is not a time`);
  }, 180_000);

  it('or with a malformed status: stats says that a proxy is in the total alone', () => {
    const { run } = poolWith(
      `PRAGMA ignore_check_constraints = 1; UPDATE proxies SET status = 'x' WHERE host = 'a.example'`,
    );
    for (const args of [['stats'], ['stats', '--by', 'proxy']])
      expect(run(args)).toMatchObject({
        status: 0,
        stderr: expect.stringContaining('run `proxyvault check`'),
      });
  }, 60_000);

  it('or with a trigger of somebody else: check names it', () => {
    const { run } = poolWith(
      `CREATE TRIGGER planted AFTER UPDATE ON proxies BEGIN SELECT RAISE(ROLLBACK, 'no'); END`,
    );
    expect(run(['check'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('planted is not part of the schema of proxyvault'),
    });
  }, 60_000);

  it('of the configuration stops next, until config reset', () => {
    const { run } = poolWith(`INSERT INTO rotation_config (id, strategy) VALUES (1, 'nonsense')`);
    expect(run(['next'])).toMatchObject({ status: 1, stderr: expect.stringContaining('INVALID_ROW') });
    expect(run(['config', 'reset']).status).toBe(0);
    expect(run(['next']).status).toBe(0);
  });
});

describe('a damaged record of migrations', () => {
  it('is INVALID_ROW for every command, check included, and nothing is made a second time', () => {
    const damages = [
      `UPDATE schema_migrations SET namespace = 'x' WHERE version = 0`,
      `DELETE FROM schema_migrations WHERE version = 0`,
      `UPDATE schema_migrations SET version = 99 WHERE version = 0`,
      `UPDATE schema_migrations SET name = 'x' WHERE version = 0`,
      `UPDATE schema_migrations SET version = 7 WHERE version = 3`,
      `UPDATE schema_migrations SET namespace = '' WHERE version = 3`,
    ];
    for (const damage of damages) {
      const { run } = poolWith(damage);
      for (const args of [['check'], ['list'], ['init'], ['add', 'c.example:1'], ['migrate', 'down']]) {
        const { status, stderr } = run([...args, '--json']);
        expect([damage, args, status]).toEqual([damage, args, 1]);
        expect(JSON.parse(stderr)).toMatchObject({
          error: { code: 'INVALID_ROW', message: expect.stringContaining('schema_migrations') },
        });
      }
    }
  }, 180_000);

  it('is found by check if nothing of it is left', () => {
    for (const damage of [`DELETE FROM schema_migrations`, `UPDATE schema_migrations SET namespace = 'x'`]) {
      const { run } = poolWith(damage);
      expect(run(['check'])).toMatchObject({
        status: 1,
        stdout: expect.stringContaining('the row of the base schema is missing'),
      });
      expect(run(['init', '--json']).stderr).toContain('"CONFLICT"');
    }
  }, 60_000);
});

it.skipIf(process.platform === 'win32')(
  'a pool that everybody may write is warned about on standard error',
  () => {
    const { run, db } = poolWith('SELECT 1');
    chmodSync(db, 0o666);
    expect(run(['list'])).toMatchObject({ status: 0, stderr: expect.stringContaining(`chmod 600 '${db}'`) });
  },
);
