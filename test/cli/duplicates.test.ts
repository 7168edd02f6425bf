import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

it('add, import and export agree on what a duplicate is', () => {
  const { run, json, folder } = commandLine();
  const { id } = json<{ id: string }>('add', '192.0.2.1:8080');
  expect(run(['add', 'http://192.0.2.1:8080'])).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(new RegExp(`${id}.*CONFLICT`)),
  });
  expect(json('add', '192.0.2.1:8080:u:p')).toMatchObject({ host: '192.0.2.1' });
  expect(run(['add', '192.0.2.1:8080:u:p']).status).toBe(1);
  writeFileSync(join(folder, 'list.txt'), '192.0.2.1:8080:u:p\n192.0.2.1:8080\n192.0.2.1:8080:u:p\n');
  expect(json('import', 'list.txt')).toMatchObject({ added: 0, updated: 0, unchanged: 3 });
  for (const format of ['urls', 'colon', 'csv', 'json', 'template']) {
    expect(run(['export', '--reveal', '--format', format, '--output', `${format}.out`]).status).toBe(0);
    expect(json('import', `${format}.out`)).toMatchObject({ added: 0, updated: 0, unchanged: 2 });
    expect(json('import', `${format}.out`, '--db', `${format}.db`)).toMatchObject({ added: 2 });
  }
}, 60_000);

it('2,500 sessions in passwords are 2,500 proxies, also when the list or an export of it is imported again', () => {
  const { run, json, folder } = commandLine();
  const lines = Array.from({ length: 2500 }, (_, n) => `gate.example:7000:user:secret_session-${n}`);
  writeFileSync(join(folder, 'list.txt'), lines.join('\n'));
  writeFileSync(join(folder, 'back.txt'), lines.toReversed().join('\n'));
  expect(json('import', 'list.txt', '--batch', '999')).toMatchObject({ added: 2500, updated: 0 });
  expect(run(['export', '--reveal', '--output', 'export.txt']).status).toBe(0);
  for (const list of ['list.txt', 'back.txt', 'export.txt'])
    expect(json('import', list)).toMatchObject({ added: 0, updated: 0, unchanged: 2500 });
  expect(json('key', 'rotate')).toMatchObject({});
  expect(json('import', 'back.txt', '--tag', 't', '--sync')).toMatchObject({
    unchanged: 2500,
    removed: 0,
  });
}, 120_000);
