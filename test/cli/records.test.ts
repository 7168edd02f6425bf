import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

it('import names what it did not read of records with the number of rows, and loses no login', () => {
  const { folder, run, json, db } = commandLine();
  const list = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  list(
    'german.csv',
    'sep=;\nIP;Port;Typ;Benutzername;Passwort;ISP\n192.0.2.1;80;socks5;u;canary;x\n192.0.2.2;80;;;;y\n',
  );
  expect(json('import', 'german.csv')).toMatchObject({
    added: 2,
    notes: { 'the column "ISP" was not read': 2 },
  });
  expect(run(['list']).stdout).toContain('socks5');
  expect(run(['export', '--reveal']).stdout).toContain('socks5h://u:canary@192.0.2.1:80');
  expect(readFileSync(db).includes('canary')).toBe(false);
  list('half.json', '[{"ip":"192.0.2.3","port":80,"access_key":"canary"},{"ip":"192.0.2.4","port":80}]');
  const half = run(['import', 'half.json']);
  expect(half).toMatchObject({ stdout: expect.stringContaining('"access_key" may hold a login') });
  expect(half.stdout + half.stderr).not.toContain('canary');
  list(
    'omega.bak',
    JSON.stringify({ '+x': { profileType: 'PacProfile', pacUrl: 'https://u:canary@h.example/' } }),
  );
  const omega = run(['import', 'omega.bak']);
  expect(omega).toMatchObject({ status: 1, stdout: expect.stringContaining('SwitchyOmega') });
  expect(omega.stdout + omega.stderr).not.toContain('canary');
});
