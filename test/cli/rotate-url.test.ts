import { expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

const ROTATE = 'https://canary-rotate.example/change?key=1';

it('a change-IP URL is shown with --reveal alone, and filled-in templates keep it', () => {
  const { run, json } = commandLine();
  const list = [
    { host: 'h.example', port: 1, username: 'u-{session}', password: 'p', rotateUrl: ROTATE },
    { host: 'h.example', port: 2, rotate_url: ROTATE },
  ];
  const imported = run(['import', '-', '--json'], { input: JSON.stringify(list) });
  expect(imported.stdout).toContain('"added": 2');
  const { items } = json<{ items: { id: string }[] }>('list');
  for (const [n, { id }] of items.entries()) {
    expect(json('show', id, '--reveal')).toMatchObject({ rotateUrl: ROTATE });
    expect(run(['show', id, '--reveal']).stdout).toMatch(
      /^rotateUrl +https:\/\/canary-rotate\.example\/change\?key=1$/m,
    );
    expect(json('next', '--reveal', '--session', `s${n}`)).toMatchObject({ id, rotateUrl: ROTATE });
  }
  expect(json<{ url: string }>('next', '--reveal', '--session', 's0').url).toBe('http://u-s0:p@h.example:1');
  expect(json<{ url: string }>('next', '--reveal', '--session', 's1').url).toBe('http://h.example:2');
  const hidden = [
    ['list'],
    ['list', '--json'],
    ...items.flatMap(({ id }) => [
      ['show', id],
      ['show', id, '--json'],
    ]),
    ['next'],
    ['next', '--json'],
    ['next', '--reveal'],
    ['list', '--reveal'],
    ['exec', '--', 'env'],
    ['export'],
    ['export', '--format', 'csv'],
    ['export', '--format', 'json'],
    ['export', '--reveal'],
  ];
  for (const args of hidden) {
    const { stdout, stderr } = run(args);
    expect([args, `${stdout}${stderr}`.includes('canary')]).toEqual([args, false]);
  }
});
