import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

/** A pool of three logins and a free one, in which another program has changed rows. */
function damaged(
  sql: string,
  list = ['a', 'b', 'c'].map((name) => `${name}.example:1:user:pass\n`).join(''),
) {
  const cli = commandLine();
  cli.run(['import', '-'], { input: list });
  const { items } = cli.json<{ items: { id: string; host: string }[] }>('list');
  const db = new Database(cli.db);
  db.exec(sql);
  db.close();
  return { ...cli, idOf: (host: string) => items.find((item) => item.host === host)?.id };
}

const OF = (host: string): string =>
  `WHERE proxy_id = (SELECT id FROM proxies WHERE host = '${host}.example')`;
const events = ({ json }: Pick<ReturnType<typeof commandLine>, 'json'>): unknown =>
  json<{ events: unknown[] }>('events').events;

describe('a login that cannot be read', () => {
  it('is cleared by edit, or replaced as a whole, and the rest of the proxy stays', () => {
    const SQL = `UPDATE encrypted_credentials SET auth_tag = 'AAAAAAAAAAAAAAAAAAAAAA==' ${OF('a')}`;
    for (const [username, password, shown] of [
      ['', '--no-password', 'http://a.example:1'],
      ['new', '--password-stdin', 'http://new:secret@a.example:1'],
    ] as const) {
      const { run, json, idOf } = damaged(SQL);
      const edit = ['edit', 'a.example:1', '--username', username, password, '--json'];
      const { status, stdout } = run(edit, { input: 'secret' });
      expect([status, JSON.parse(stdout).changes.length]).toEqual([0, 2]);
      expect(stdout).not.toContain('secret');
      expect(json('show', 'a.example:1', '--reveal')).toMatchObject({ id: idOf('a.example'), url: shown });
    }
  });

  it('is passed over by next --reveal and exec, with a warning, whatever is wrong with it', () => {
    const damages = [
      `auth_tag = 'AAAAAAAAAAAAAAAAAAAAAA=='`,
      `encrypted_data = ''`,
      `iv = x'00'`,
      `key_id = 'nonsense'`,
      `key_id = '0123456789abcdef'`,
      `binding = 'text'`,
    ];
    for (const damage of damages) {
      const cli = damaged(
        `PRAGMA ignore_check_constraints = ON; UPDATE encrypted_credentials SET ${damage} ${OF('a')}`,
      );
      const { status, stdout, stderr } = cli.run(['next', '--reveal', '--json']);
      expect({ damage, status }).toEqual({ damage, status: 0 });
      const { host } = JSON.parse(stdout) as { host: string };
      expect({ damage, host }).toEqual({ damage, host: 'b.example' });
      expect(JSON.parse(stderr)).toMatchObject({
        warning: { code: 'UNREADABLE_LOGINS', count: 1, proxies: [{ id: cli.idOf('a.example') }] },
      });
    }
  }, 120_000);

  it('leaves no trace in the rotation, and moves a domain that sticks to it', () => {
    const cli = damaged(`UPDATE encrypted_credentials SET auth_tag = 'AAAAAAAAAAAAAAAAAAAAAA==' ${OF('a')}`);
    const { run, json, idOf } = cli;
    run(['sticky', 'set', 'shop.example', String(idOf('a.example'))]);
    const sh = run(['exec', '--domain', 'shop.example', '--', 'sh', '-c', 'echo "$http_proxy"']);
    expect(sh).toMatchObject({
      status: 0,
      stdout: 'http://user:pass@b.example:1\n',
      stderr: expect.stringMatching(/Warning: 1 login cannot be read.*\n.*CREDENTIAL_CORRUPT/),
    });
    expect(json('sticky', 'list')).toMatchObject([{ proxyId: idOf('b.example') }]);
    expect(events(cli)).toMatchObject([{ newProxyId: idOf('b.example') }]);
    expect(run(['next', '--domain', 'shop.example', '--reveal']).stderr).not.toContain('Warning');
  });

  it('is NO_PROXY if there is no other, with every one named, and changes nothing', () => {
    const cli = damaged(`UPDATE encrypted_credentials SET auth_tag = 'AAAAAAAAAAAAAAAAAAAAAA=='`);
    for (const args of [
      ['next', '--reveal'],
      ['exec', '--', 'sh', '-c', 'touch started'],
    ]) {
      const { status, stdout, stderr } = cli.runProcess(args);
      expect({ status, stdout }).toEqual(
        args[0] === 'next'
          ? { status: 1, stdout: 'http://no-proxy-available.invalid:1\n' }
          : { status: 125, stdout: '' },
      );
      expect(stderr).toContain('Warning: 3 logins cannot be read');
      expect(stderr).toMatch(/^proxyvault: No proxy fits\. Of 3 proxies 3 are excluded\..*\(NO_PROXY\)$/m);
    }
    expect(events(cli)).toEqual([]);
    expect(cli.run(['list']).stdout).not.toContain('started');
    // Without the login nothing is in the way.
    expect(cli.run(['next']).status).toBe(0);
  });

  it('is passed over among thousands like it, by every strategy, before a command counts as hanging', () => {
    const many = 12_000;
    const list = Array.from({ length: many }, (_, index) => `p${index}.example:1:user:pass\n`).join('');
    const { run } = damaged(
      `UPDATE encrypted_credentials SET auth_tag = 'AAAAAAAAAAAAAAAAAAAAAA==' WHERE proxy_id <> (SELECT max(id) FROM proxies)`,
      list,
    );
    for (const strategy of ['round-robin', 'random', 'least-used', 'fastest']) {
      run(['config', 'set', `strategy=${strategy}`]);
      const { status, stdout, stderr } = run(['next', '--reveal', '--json']);
      expect({ strategy, status, stderr: stderr.slice(0, 200) }).toMatchObject({ strategy, status: 0 });
      expect(JSON.parse(stdout)).toMatchObject({ host: `p${many - 1}.example` });
      expect(JSON.parse(stderr)).toMatchObject({ warning: { code: 'UNREADABLE_LOGINS', count: many - 1 } });
    }
  }, 120_000);

  it('for want of the key stops at once', () => {
    const cli = damaged('SELECT 1', 'a.example:1:user:pass\nfree.example:1\n');
    const other = cli.run(['next', '--reveal'], { env: { PROXYVAULT_KEY: 'ab'.repeat(32) } });
    expect(other).toMatchObject({ status: 1, stderr: expect.stringContaining('KEY_MISMATCH') });
    rmSync(join(cli.folder, 'key'));
    expect(cli.run(['next', '--reveal']).stderr).toContain('KEY_MISSING');
    writeFileSync(join(cli.folder, 'key'), 'nonsense', { mode: 0o600 });
    expect(cli.run(['next', '--reveal']).stderr).toMatch(/KEY_(MISSING|INVALID)/);
    expect(events(cli)).toEqual([]);
  });
});
