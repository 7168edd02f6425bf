/** What differs where a person sits at a terminal: the width of tables, and the question before several proxies are removed. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type Column, fittedTable } from '../../src/cli/fitted-table.ts';
import { BIN, commandLine } from '../support/command-line.ts';
import { answer, HAS_TERMINAL } from '../support/terminal.ts';

const LIST = `protocol,host,port,username,password,name,region,country
http,a-very-long-name-of-a-gateway.residential.example,10001,me,canary,Berlin,EU,DE
socks5,b.example,2,,,second,US,US
http,c.example,3,,,,,DE
`;

function withPool() {
  const cli = commandLine();
  cli.run(['import', '-', '--tag', 'mine'], { input: LIST });
  /** Runs a command on a terminal of so many columns, at which somebody types. */
  const onTerminal = (
    args: string,
    { columns = 80, typed = '' } = {},
  ): { status: number | null; shown: string } => {
    const command = `stty cols ${columns}; "${process.execPath}" "${BIN}" ${args}`;
    const { status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
      cwd: cli.folder,
      env: cli.env,
      input: typed,
      encoding: 'utf8',
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: bold begins and ends with an escape sequence.
    return { status, shown: stdout.replaceAll('\r', '').replace(/\u001b\[\d+m/g, '') };
  };
  const answered = (
    args: string,
    answers: Parameters<typeof answer>[1],
    shell?: (command: string) => string,
  ) => answer(args, answers, { cwd: cli.folder, env: cli.env, ...(shell && { shell }) });
  const hosts = (): string[] => cli.json<{ items: { host: string }[] }>('list').items.map(({ host }) => host);
  return { ...cli, onTerminal, answered, hosts };
}

/** Both questions of a new passphrase, with the same answer. */
const twice = <Answer>(answer: Answer) =>
  [
    ['New passphrase:', answer],
    ['The same again:', answer],
  ] as const;

const PASSPHRASE = 'four random words of mine\r';

/** The process that its shell noted. */
function pidIn(folder: string): number {
  return Number(readFileSync(join(folder, 'pid'), 'utf8'));
}

describe.skipIf(!HAS_TERMINAL)('on a terminal (skipped without script(1))', () => {
  it('list is as wide as the terminal, with ids that a person may give again; a pipe gets everything', () => {
    const { onTerminal, run, json } = withPool();
    const full = run(['list'], { env: { COLUMNS: '40' } }).stdout;
    const ids = json<{ items: { id: string }[] }>('list').items.map(({ id }) => id);
    for (const id of ids) expect(full).toContain(id);
    for (const columns of [60, 80, 120]) {
      const { shown } = onTerminal('list', { columns });
      const rows = shown.split('\n').filter((line) => /^(?:ID|01)/.test(line));
      expect(rows).toHaveLength(4);
      for (const row of rows) expect([columns, row, row.length <= columns]).toEqual([columns, row, true]);
      expect(rows[0]).toMatch(/^ID +URL +STATUS/);
      for (const row of rows.slice(1)) {
        const [short = ''] = row.split(' ');
        expect(ids).toContain(json<{ id: string }>('show', short).id);
      }
    }
    const wide = onTerminal('list', { columns: 400 }).shown;
    for (const id of ids) expect(wide).toContain(id);
    expect(wide).toContain('a-very-long-name-of-a-gateway.residential.example:10001');
  }, 60_000);

  it.each([
    ['y', 0, 'Removed 2.', ['c.example']],
    ['n', 1, 'Nothing was removed.', null],
    ['', 1, 'Nothing was removed.', null],
  ] as const)(
    'removing two asks, and %j is an answer',
    (answer, status, said, left) => {
      const { onTerminal, hosts } = withPool();
      const before = hosts();
      const ran = onTerminal('remove Berlin second', { columns: 120, typed: `${answer}\n` });
      expect(ran.shown).toContain('Remove 2 proxies with their logins and history? [y/N]');
      expect(ran.shown).toContain(said);
      expect([ran.status, hosts()]).toEqual([status, left ?? before]);
    },
    60_000,
  );

  it.each([
    ['Ctrl-D', '\u0004', 1, 'Nothing was removed.'],
    ['Ctrl-C', '\u0003', 130, ''],
  ])('%s at the question removes nothing', async (_, key, status, said) => {
    const { answered, hosts } = withPool();
    const before = hosts();
    const ran = await answered('remove Berlin second', [['[y/N]', key]]);
    expect(ran.status).toBe(status);
    expect(ran.shown.split('[y/N]')[1]).toContain(said);
    expect(ran.shown).not.toMatch(/INTERNAL|Removed/);
    expect(hosts()).toEqual(before);
  });

  it.each([
    ['Ctrl-D', '\u0004', 1, /The input ended before an answer: .*\(INVALID_INPUT\)/],
    ['Ctrl-C', '\u0003', 130, /^/],
  ])('%s where a passphrase is asked for changes nothing', async (_, key, status, said) => {
    const { answered, json } = withPool();
    const ran = await answered('key passphrase', [['New passphrase:', key]]);
    expect(ran.status).toBe(status);
    expect(ran.shown).toMatch(said);
    expect(ran.shown).not.toMatch(/INTERNAL|unsettled/);
    expect(json('key', 'status')).toMatchObject({ source: { protection: 'permissions' } });
  });

  it('a passphrase is typed twice, with a correction, and nothing of it is shown', async () => {
    const { answered, json, run, folder } = withPool();
    const typed = 'four random words of mime\u007f\u007fne\r';
    const set = await answered('key passphrase', twice(typed));
    expect(set.status).toBe(0);
    expect(set.shown).not.toMatch(/four|random|\*/);
    expect(json('key', 'status')).toMatchObject({ source: { protection: 'passphrase' } });
    writeFileSync(join(folder, 'p'), 'four random words of mine');
    expect(run(['key', 'verify'], { env: { PROXYVAULT_PASSPHRASE_FILE: join(folder, 'p') } }).status).toBe(0);
    const revealed = await answered('next --reveal', [['Passphrase of the key:', typed]]);
    expect(revealed.status).toBe(0);
    expect(revealed.shown).toMatch(/^\w+:\/\//m);
  });

  it('lines that are pasted together answer one question each', async () => {
    const { answered, json } = withPool();
    const ran = await answered('key passphrase', [['New passphrase:', PASSPHRASE + PASSPHRASE]]);
    expect(ran.status).toBe(0);
    expect(ran.shown).not.toMatch(/four|random/);
    expect(json('key', 'status')).toMatchObject({ source: { protection: 'passphrase' } });
  });

  it('a passphrase that is not UTF-8 is rejected, since others would be the same', async () => {
    const { answered, json } = withPool();
    const typed = Buffer.from('vier zuf\u00e4llige W\u00f6rter\r', 'latin1');
    const ran = await answered('key passphrase', [['New passphrase:', typed]]);
    expect(ran.status).toBe(1);
    expect(ran.shown).toMatch(/not UTF-8: .*\(INVALID_INPUT\)/);
    expect(json('key', 'status')).toMatchObject({ source: { protection: 'permissions' } });
  });

  it('several users of a gateway are not given one password, and are asked for one each', async () => {
    const { answered, env } = withPool();
    env.PROXYVAULT_GATEWAY_PASSWORD = 'hunter2';
    const users = 'serve --user alice --user bob --print-users';
    const refused = await answered(users, []);
    expect(refused.status).toBe(1);
    expect(refused.shown).toContain('use --users FILE');
    env.PROXYVAULT_GATEWAY_PASSWORD = undefined;
    const { status, shown } = await answered(users, [
      ['Password of alice:', 'one\r'],
      ['Password of bob:', 'other\r'],
    ]);
    expect(status).toBe(0);
    expect(shown).toMatch(/alice:scrypt\$.*\s+bob:scrypt\$/);
  });

  it('a question that Ctrl-Z stopped is asked again after fg, and nothing that is typed then is shown', async () => {
    const { answered, json } = withPool();
    const ran = await answered(
      'key passphrase',
      [['New passphrase:', '\u001a'], ...twice(PASSPHRASE)],
      (command) => `bash -mc '${command}; fg'`,
    );
    expect(ran.status).toBe(0);
    expect(ran.shown).not.toMatch(/four|random|unsettled/);
    expect(json('key', 'status')).toMatchObject({ source: { protection: 'passphrase' } });
  });

  it('Ctrl-Z where nothing can stop the command shows nothing of what is typed then', async () => {
    const { answered, json } = withPool();
    const ran = await answered('key passphrase', [
      [
        'New passphrase:',
        (press) => {
          press('\u001a');
          setTimeout(() => press(PASSPHRASE), 300);
        },
      ],
      ['The same again:', PASSPHRASE],
    ]);
    expect(ran.status).toBe(0);
    expect(ran.shown).not.toMatch(/four|random/);
    expect(json('key', 'status')).toMatchObject({ source: { protection: 'passphrase' } });
  });

  it('what was typed before Ctrl-Z is no part of the answer', async () => {
    const { answered, json } = withPool();
    const ran = await answered(
      'key passphrase',
      [['New passphrase:', 'oops\u001a'], ...twice(PASSPHRASE)],
      (command) => `bash -mc '${command}; fg'`,
    );
    expect(ran.status).toBe(0);
    expect(json('key', 'status')).toMatchObject({ source: { protection: 'passphrase' } });
  });

  it.each(['SIGTSTP', 'SIGSTOP'] as const)(
    'after %s from outside and fg the question is asked again, and nothing is shown',
    async (signal) => {
      const { answered, folder } = withPool();
      const ran = await answered(
        'key passphrase',
        [['New passphrase:', () => process.kill(pidIn(folder), signal)], ...twice(PASSPHRASE)],
        (command) => `bash -mc '(echo $BASHPID > pid; exec ${command}); stty sane; fg'`,
      );
      expect(ran.status).toBe(0);
      expect(ran.shown).not.toMatch(/four|random/);
    },
  );

  it('y/N is asked again after Ctrl-Z and fg', async () => {
    const { answered, hosts } = withPool();
    const ran = await answered(
      'remove Berlin second',
      [
        ['[y/N]', '\u001a'],
        ['[y/N]', 'y\r'],
      ],
      (command) => `bash -mc '${command}; fg'`,
    );
    expect(ran.status).toBe(0);
    expect(hosts()).toEqual(['c.example']);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGQUIT', 131],
  ] as const)('%s where a passphrase is asked for leaves the terminal as it was', async (signal, status) => {
    const { answered, folder } = withPool();
    const ran = await answered(
      'key passphrase',
      [['New passphrase:', () => process.kill(pidIn(folder), signal)]],
      (command) =>
        `bash -c 'ulimit -c 0; trap : INT; (echo $BASHPID > pid; exec ${command}); echo status $?; stty -a'`,
    );
    expect(ran.shown).toContain(`status ${status}`);
    expect(ran.shown).toMatch(/[^-]icanon[\s\S]*[^-]echo /);
  });

  it.each([
    ['key passphrase', ''],
    ['next --reveal', 'http://no-proxy-available.invalid:1'],
  ])('%s that waits in the background for the terminal ends by SIGTERM', async (args, printed) => {
    const { answered, run, folder } = withPool();
    writeFileSync(join(folder, 'p'), 'four random words of mine');
    run(['key', 'passphrase', '--passphrase-file', 'p']);
    const ran = await answered(
      args,
      [],
      (command) =>
        `bash -mc '${command} & until jobs | grep -q Stopped; do sleep 0.1; done; kill %1; while kill -0 $!; do sleep 0.1; done; wait $!; echo status $?'`,
    );
    expect(ran.shown).toContain('status 143');
    expect(ran.shown).toContain(printed);
    expect(ran.shown).not.toMatch(/passphrase:|of the key/);
  });

  it('a paste that comes in pieces between two questions is not shown', async () => {
    const { answered } = withPool();
    const ran = await answered('key passphrase', [
      [
        'New passphrase:',
        (press) => {
          for (const keys of ['four random words of mine\r', 'fo', 'ur', ' random', ' words', ' of mine\r'])
            press(keys);
        },
      ],
      ['The same again:', ''],
    ]);
    expect(ran.status).toBe(0);
    expect(ran.shown).not.toMatch(/fo|ur r|random/);
  });

  it('a terminal that is closed at a question ends the command as SIGHUP does', async () => {
    const { answered, folder } = withPool();
    await answered(
      'key passphrase',
      [['New passphrase:', () => process.kill(pidIn(folder), 'SIGKILL')]],
      (command) =>
        `exec bash -c 'trap "" HUP; echo $PPID > pid; (trap - HUP; exec ${command}); echo $? > status'`,
    );
    await vi.waitFor(() => expect(readFileSync(join(folder, 'status'), 'utf8')).toBe('129\n'), 10_000);
  });

  it('Ctrl-\\ at a question ends the command as SIGQUIT does', async () => {
    const { answered, json } = withPool();
    const ran = await answered(
      'key passphrase',
      [['New passphrase:', 'oops\u001c']],
      (command) => `bash -c 'ulimit -c 0; ${command}; echo status $?'`,
    );
    expect(ran.shown).toContain('status 131');
    expect(json('key', 'status')).toMatchObject({ source: { protection: 'permissions' } });
  });

  it('Ctrl-C where next asks for a passphrase prints a URL that never connects', async () => {
    const { answered, run, folder } = withPool();
    writeFileSync(join(folder, 'p'), 'four random words of mine');
    expect(run(['key', 'passphrase', '--passphrase-file', 'p']).status).toBe(0);
    const ran = await answered('next --reveal', [['Passphrase of the key:', '\u0003']]);
    expect(ran).toMatchObject({ status: 130 });
    expect(ran.shown.split('http://no-proxy-available.invalid:1')).toHaveLength(2);
  });

  it.each([50, 120])(
    'progress in %i columns is on one line, and changes nothing that a signal would leave changed',
    (columns) => {
      const { onTerminal, folder } = withPool();
      writeFileSync(join(folder, 'list.txt'), 'd.example:4\n');
      const { status, shown } = onTerminal('import list.txt', { columns });
      expect(status).toBe(0);
      expect(shown).toContain('Reading [');
      // Neither the cursor is hidden, nor is the line wrap switched off.
      expect(shown).not.toContain('[?25l');
      expect(shown).not.toContain('[?7l');
      for (const bar of shown.match(/Reading \[[^\n]*?\d+\/\d+/g) ?? [])
        expect(bar.length).toBeLessThan(columns);
    },
  );

  it('what does not match the filter any more when somebody says yes stays', async () => {
    const { env, folder, run, hosts } = withPool();
    run(['disable', 'Berlin', 'second']);
    const command = `"${process.execPath}" "${BIN}" remove --status disabled`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: folder, env });
    let shown = '';
    for await (const piece of child.stdout) {
      shown += String(piece);
      if (!shown.includes('[y/N]') || shown.includes('Removed')) continue;
      run(['enable', 'second']);
      child.stdin.end('y\n');
      break;
    }
    await once(child, 'close');
    expect(shown).toContain('Remove 2 proxies');
    expect(hosts().toSorted()).toEqual(['b.example', 'c.example']);
  }, 60_000);

  it('one is not asked for, and --yes asks for none', () => {
    const { onTerminal, hosts } = withPool();
    expect(onTerminal('remove c.example:3').shown).not.toContain('[y/N]');
    expect(onTerminal('remove --tag mine --yes').shown).not.toContain('[y/N]');
    expect(hosts()).toEqual([]);
  }, 60_000);
});

describe('a table that fits', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '東', '😀', '\u202e', ' '), maxLength: 40 });
  const column = fc.record(
    {
      head: fc.constantFrom('A', 'LONGER HEAD'),
      cells: fc.tuple(text, text, text),
      least: fc.integer({ min: 2, max: 20 }),
      leaveOut: fc.integer({ min: 1, max: 5 }),
    },
    { requiredKeys: ['head', 'cells'] },
  );

  /** How many places a line takes: everything here but ASCII takes two, and what is hidden is shown as an escape. */
  const widthOf = (line: string): number =>
    [...line].reduce((sum, character) => sum + (/[東😀]/u.test(character) ? 2 : 1), 0);
  const linesOf = (columns: readonly Column[], width: number | null): string[] =>
    fittedTable(columns, width).toString().split('\n').slice(1);

  it('is never wider than the terminal if columns may give way, and is all there without one', () => {
    let narrowed = 0;
    fc.assert(
      fc.property(
        fc.array(column, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 30, max: 200 }),
        (given, width) => {
          const first = { head: 'ID', cells: ['1', '2', '3'] };
          const columns = [first, ...given.map((each) => ({ ...each, least: 2, leaveOut: 1 }))];
          const lines = linesOf(columns, width);
          expect(lines).toHaveLength(3);
          for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
          const whole = linesOf(columns, null);
          if (whole.every((line) => widthOf(line) <= width)) return;
          narrowed++;
        },
      ),
    );
    expect(narrowed).toBeGreaterThan(0);
  });

  it('uses short cells first, then cuts, then leaves columns out', () => {
    const columns: Column[] = [
      { head: 'ID', cells: ['0123456789'], short: () => ['0123'] },
      { head: 'URL', cells: ['http://gate.example:80'], least: 10 },
      { head: 'NAME', cells: ['someone'], leaveOut: 1 },
      { head: 'SIZE', cells: [100], leaveOut: 2 },
    ];
    expect(linesOf(columns, 49)).toEqual(['0123456789  http://gate.example:80  someone  100']);
    expect(linesOf(columns, 46)).toEqual(['0123  http://gate.example:80  someone  100']);
    expect(linesOf(columns, 36)).toEqual(['0123  http://gate.ex…  someone  100']);
    expect(linesOf(columns, 28)).toEqual(['0123  http://gate.…  someone']);
    expect(linesOf(columns, 20)).toEqual(['0123  http://gate.e…']);
    // What must stay stays.
    expect(linesOf(columns, 3)).toEqual(['0123  http://ga…']);
  });
});
