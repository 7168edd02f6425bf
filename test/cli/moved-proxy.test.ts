import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { initDatabase } from 'proxyvault/database';
import type { KeyStatus } from 'proxyvault/database/services';
import { expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';
import { openOldBindings } from '../support/old-bindings.ts';

type CommandLine = ReturnType<typeof commandLine>;

/** Runs SQL on the pool, as someone does who can write the file and has no key. */
function attack({ db }: CommandLine, sql: string): void {
  const opened = initDatabase({ path: db });
  opened.driver.exec(sql);
  opened.close();
}

function withLogin(): CommandLine & { id: string } {
  const cli = commandLine();
  writeFileSync(join(cli.folder, 'list.txt'), 'socks5://canary-user:canary-password@gate.example:1080\n');
  expect(cli.run(['import', 'list.txt']).status).toBe(0);
  const [{ id } = { id: '' }] = cli.json<{ items: { id: string }[] }>('list').items;
  return { ...cli, id };
}

it('a password is not printed for a proxy whose address was changed by SQL, and every check finds it', () => {
  const cli = withLogin();
  const { run, id } = cli;
  expect(run(['next', '--reveal']).stdout).toBe('socks5h://canary-user:canary-password@gate.example:1080\n');
  expect(run(['check', '--deep'])).toMatchObject({ status: 0, stdout: 'Sound.\n' });
  attack(cli, `UPDATE proxies SET host = 'evil.example', protocol = 'http', port = 8080`);
  for (const args of [
    ['next', '--reveal'],
    ['show', id, '--reveal'],
    ['list', '--reveal'],
    ['export', '--reveal'],
    ['export', '--reveal', '--format', 'json'],
  ]) {
    const { status, stdout, stderr } = run(args);
    expect({ args, status }).toEqual({ args, status: 1 });
    expect(stderr).toContain('CREDENTIAL_CORRUPT');
    expect(stderr).toContain('address');
    expect(stderr).toContain('outside proxyvault');
    expect(stdout + stderr).not.toMatch(/canary-(user|password)/);
  }
  const verified = run(['key', 'verify']);
  expect(verified).toMatchObject({ status: 1, stdout: expect.stringContaining(`${id}  CREDENTIAL_CORRUPT`) });
  const checked = run(['check', '--deep']);
  expect(checked).toMatchObject({ status: 1, stdout: expect.stringContaining(`credential of proxy ${id}`) });
  expect(JSON.parse(run(['check', '--deep', '--json']).stdout)).toMatchObject({
    ok: false,
    credentials: { verified: true, failures: [{ proxyId: id, code: 'CREDENTIAL_CORRUPT' }] },
  });
  expect(run(['key', 'rotate'])).toMatchObject({ status: 1, stdout: expect.stringContaining(id) });
  expect(run(['next', '--reveal']).status).toBe(1);
  // What needs no key works, and sends nobody a password.
  expect(run(['check'])).toMatchObject({ status: 0, stdout: 'Sound.\n' });
  attack(cli, `UPDATE proxies SET host = 'gate.example', protocol = 'socks5', port = 1080`);
  expect(run(['next', '--reveal']).stdout).toBe('socks5h://canary-user:canary-password@gate.example:1080\n');
}, 120_000);

it('check --deep says that credentials were not verified if the key is not at hand', () => {
  const { run, folder } = withLogin();
  const { status, stdout } = run(['check', '--deep'], {
    env: { PROXYVAULT_KEY_FILE: join(folder, 'nowhere') },
  });
  expect(status).toBe(1);
  expect(stdout).toMatch(/^Not fully checked\.\nthe 1 credentials were not verified: .*KEY_MISSING\)\n$/);
  writeFileSync(join(folder, 'p'), 'correct horse battery staple');
  const given = ['--passphrase-file', join(folder, 'p')];
  expect(run(['key', 'passphrase', ...given]).status).toBe(0);
  expect(run(['check', '--deep']).stdout).toContain('not verified');
  expect(run(['check', '--deep', ...given]).stdout).toBe('Sound.\n');
  expect(JSON.parse(run(['check', '--deep', '--json']).stdout)).toMatchObject({
    ok: true,
    credentials: { verified: false, total: 1 },
  });
}, 60_000);

it('key status counts credentials of the old binding, and key rotate binds them to their address', () => {
  const cli = commandLine();
  const { db, key } = openOldBindings(cli.db);
  db.close();
  writeFileSync(join(cli.folder, 'key'), key.toString('base64'), { mode: 0o600 });
  expect(cli.run(['next', '--reveal']).stderr).toContain('proxyvault migrate up');
  expect(cli.run(['migrate', 'up']).status).toBe(0);
  expect(cli.run(['list', '--reveal']).stdout).toContain('canary-login');
  expect(cli.json<KeyStatus>('key', 'status')).toMatchObject({ oldBinding: 2, unbound: 3 });
  const { stdout } = cli.run(['key', 'status']);
  expect(stdout).toMatch(/Old binding\s+2/);
  expect(stdout).toContain('proxyvault key rotate');
  expect(cli.run(['key', 'verify']).stdout).toMatch(/All 5 credentials decrypt\. 3 of them .*key rotate/);
  expect(cli.run(['check', '--deep']).stdout).toContain('3 credentials are not bound to the address');
  expect(cli.run(['key', 'rotate']).status).toBe(0);
  expect(cli.json<KeyStatus>('key', 'status')).toMatchObject({ oldBinding: 0, unbound: 0 });
  expect(cli.run(['key', 'verify']).stdout).toBe('All 5 credentials decrypt.\n');
  expect(cli.run(['list', '--reveal']).stdout).toContain('canary-login');
}, 120_000);
