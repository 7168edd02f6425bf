import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { initDatabase } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService, type KeyStatus } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { BIN, commandLine } from '../support/command-line.ts';
import { runKilled, shim } from '../support/killing.ts';
import { answer, HAS_TERMINAL } from '../support/terminal.ts';

const PASSPHRASE = 'correct horse battery staple';

/** A pool of so many proxies with logins, and a file that holds a passphrase. */
function withLogins(count = 2): ReturnType<typeof commandLine> & { passphraseFile: string; keyFile: string } {
  const line = commandLine();
  const lines = Array.from({ length: count }, (_, n) => `h.example:${n + 1}:user${n}:canary-${n}`);
  writeFileSync(join(line.folder, 'list.txt'), lines.join('\n'));
  expect(line.run(count > 0 ? ['import', 'list.txt'] : ['init']).status).toBe(0);
  const passphraseFile = join(line.folder, 'passphrase.txt');
  writeFileSync(passphraseFile, `${PASSPHRASE}\n`);
  return { ...line, passphraseFile, keyFile: join(line.folder, 'key') };
}

describe('key status', () => {
  it('tells where the key is, how it is protected, and what each key encrypts', () => {
    const { run, json, keyFile } = withLogins();
    const status = json<KeyStatus>('key', 'status');
    expect(status).toMatchObject({
      source: { kind: 'key file', location: keyFile, protection: 'permissions' },
      keys: [{ state: 'primary', rows: 2, problem: null }],
      direct: [],
      unbound: 0,
      rotation: null,
      recoveryCode: false,
    });
    expect(status.keys[0]?.messageCount).toBeGreaterThanOrEqual(2);
    const { stdout } = run(['key', 'status']);
    for (const part of [keyFile, 'permissions', status.keys[0]?.keyId ?? '', 'primary', 'key recovery-code'])
      expect(stdout).toContain(part);
  });

  it('of a new pool makes no key', () => {
    const { run, json, folder } = commandLine();
    run(['init']);
    expect(json<KeyStatus>('key', 'status')).toMatchObject({ databaseId: null, keys: [] });
    expect(run(['key', 'status']).stdout).toContain('no credential yet');
    expect(existsSync(join(folder, 'key'))).toBe(false);
  });

  it('says what is wrong', () => {
    const { run, json, keyFile } = withLogins();
    const key = readFileSync(keyFile);
    rmSync(keyFile);
    const missing = run(['key', 'status', '--json']);
    expect(missing.status).toBe(1);
    expect(JSON.parse(missing.stdout)).toMatchObject({
      problem: 'KEY_MISSING',
      keys: [{ problem: 'KEY_MISSING' }],
    });
    const { status, stdout } = run(['key', 'status']);
    expect(status).toBe(1);
    expect(stdout).toContain('KEY_MISSING');
    expect(stdout).toContain('only a backup of the key helps');
    // No code can be made now.
    expect(stdout).not.toContain('recovery-code');
    for (const [text, problem] of [
      [randomBytes(32).toString('base64'), 'KEY_MISMATCH'],
      ['malformed', 'KEY_MISSING'],
    ] as const) {
      writeFileSync(keyFile, text, { mode: 0o600 });
      const other = run(['key', 'status', '--json']);
      expect({ status: other.status, problem: JSON.parse(other.stdout).problem }).toEqual({
        status: 1,
        problem,
      });
    }
    writeFileSync(keyFile, key);
    expect(json<KeyStatus>('key', 'status').problem).toBeNull();
    run(['key', 'recovery-code']);
    rmSync(keyFile);
    expect(run(['key', 'status']).stdout).toContain('proxyvault key recover');
  });

  it('is 0 without a key while nothing is encrypted, and 1 for what the key itself encrypted', async () => {
    const { run, keyFile, db } = withLogins(0);
    expect(run(['key', 'status']).status).toBe(0);
    run(['add', 'http://a.example:1']);
    expect(run(['key', 'status']).status).toBe(0);
    const opened = initDatabase({ path: db });
    const [proxy] = new ProxyRepository(opened).list().items;
    const direct = new EncryptionService({ keyFile, env: {} }).encrypt('x');
    new EncryptedCredentialsRepository(opened).save(proxy?.id ?? '', direct);
    opened.close();
    expect(run(['key', 'status']).status).toBe(0);
    rmSync(keyFile);
    expect(run(['key', 'status'])).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('There is no encryption key'),
    });
  });

  it.runIf(process.platform !== 'win32')(
    'of a key file that is rejected says why, and nothing of damage or trust',
    () => {
      const { run, keyFile, folder } = withLogins();
      run(['key', 'recovery-code']);
      renameSync(keyFile, join(folder, 'real-key'));
      for (const [prepare, reason] of [
        [() => symlinkSync('real-key', keyFile), /is a symbolic link.*--trust-key-file/],
        [
          () => writeFileSync(keyFile, readFileSync(join(folder, 'real-key')), { mode: 0o644 }),
          /`chmod 600 /,
        ],
      ] as const) {
        rmSync(keyFile, { force: true });
        prepare();
        const { status, stdout } = run(['key', 'status']);
        expect(status).toBe(1);
        expect(stdout).toMatch(reason);
        expect(stdout).toContain('not checked');
        expect(stdout).not.toMatch(/[Dd]amaged|[Bb]ackup|accepted because/);
        const shown = JSON.parse(run(['key', 'status', '--json']).stdout) as KeyStatus;
        expect(shown).toMatchObject({
          problem: 'KEY_INVALID',
          sourceProblem: 'KEY_INVALID',
          keys: [{ rows: 2 }],
          advice: [expect.stringMatching(reason)],
        });
        const trusted = run(['key', 'status', '--trust-key-file']);
        expect(trusted).toMatchObject({ status: 0, stdout: expect.stringContaining('accepted because') });
        expect(trusted.stdout).not.toContain('not checked');
      }
      // Also before there is a credential: none could be stored.
      expect(run(['init', '--db', 'empty.db']).status).toBe(0);
      expect(run(['key', 'status', '--db', 'empty.db'])).toMatchObject({
        status: 1,
        stdout: expect.stringContaining('chmod 600'),
      });
    },
  );

  it('of a key in the environment that is malformed says what is wrong with it', () => {
    const { run } = withLogins(0);
    const key = randomBytes(32).toString('base64');
    expect(run(['add', 'http://u:p@a.example:1'], { env: { PROXYVAULT_KEY: key } }).status).toBe(0);
    for (const [text, reason] of [
      [`"${key}"`, 'quotation marks'],
      [Buffer.alloc(32).toString('base64'), 'all zeros'],
    ] as const) {
      const { status, stdout } = run(['key', 'status'], { env: { PROXYVAULT_KEY: text } });
      expect({ status, stdout }).toMatchObject({ status: 1, stdout: expect.stringContaining(reason) });
      expect(stdout).not.toMatch(/[Dd]amaged/);
      expect(stdout).not.toContain(key);
    }
  });

  it('tries a passphrase that is given, and asks for none', () => {
    const { run, json, folder, passphraseFile } = withLogins();
    expect(run(['key', 'passphrase', '--passphrase-file', passphraseFile]).status).toBe(0);
    writeFileSync(join(folder, 'wrong.txt'), 'wrong');
    expect(run(['key', 'status'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/locked[\s\S]*was not tried.*--passphrase-file/),
    });
    expect(json('key', 'status', '--passphrase-file', passphraseFile)).toMatchObject({
      locked: false,
      problem: null,
      sourceProblem: null,
      keys: [{ problem: null }],
    });
    const wrong = [
      run(['key', 'status', '--passphrase-file', 'wrong.txt']),
      run(['key', 'status'], { env: { PROXYVAULT_PASSPHRASE_FILE: 'wrong.txt' } }),
    ];
    for (const each of wrong)
      expect(each).toMatchObject({
        status: 1,
        stdout: expect.stringMatching(/KEY_MISMATCH[\s\S]*The passphrase does not open/),
      });
    const shown = run(['key', 'status', '--json', '--passphrase-file', 'wrong.txt']);
    expect({ ...shown, stdout: JSON.parse(shown.stdout) }).toMatchObject({
      status: 1,
      stdout: { locked: false, problem: 'KEY_MISMATCH', sourceProblem: 'KEY_MISMATCH' },
    });
    const none = run(['key', 'status', '--passphrase-file', 'nowhere.txt']);
    expect(none).toMatchObject({ status: 1, stdout: expect.stringContaining('does not exist') });
    // It makes no key.
    expect(run(['init', '--db', 'empty.db']).status).toBe(0);
    const empty = ['--db', 'empty.db', '--key-file', 'new-key', '--passphrase-file', passphraseFile];
    expect(run(['key', 'status', ...empty]).status).toBe(0);
    expect(existsSync(join(folder, 'new-key'))).toBe(false);
  });
});

describe('key rotate', () => {
  it('encrypts everything again, and continues after it was killed', async (context) => {
    if (shim.problem) return context.skip(shim.problem);
    const { run, json, env, folder } = withLogins(120);
    const [before] = json<KeyStatus>('key', 'status').keys;
    // A sync for each credential, and some before.
    const place = { nth: 50, among: 'others' } as const;
    const killed = await runKilled([BIN, 'key', 'rotate', '--batch', '1', '--json'], { folder, place, env });
    expect(killed).toMatchObject({ code: null, lines: [] });
    const { rotation } = json<KeyStatus>('key', 'status');
    const left = rotation?.left ?? 0;
    expect([left > 0, left < 120]).toEqual([true, true]);
    expect(run(['key', 'status']).stdout).toContain(`${left} credentials left`);
    expect(run(['list', '--reveal', '--limit', '120']).stdout).toContain('canary-119');
    const { status, stdout } = run(['key', 'rotate']);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `Continued an interrupted rotation. ${left} credentials are now under key ${rotation?.keyId}.\nRetired: ${before?.keyId}.\n`,
    });
    expect(json('key', 'verify')).toEqual({
      ok: true,
      checked: 120,
      unbound: 0,
      oldBinding: 0,
      failures: [],
    });
  });

  it('gives a report for programs', () => {
    const { json } = withLogins();
    expect(json('key', 'rotate')).toMatchObject({
      resumed: false,
      rotated: 2,
      failures: [],
      logTruncated: true,
    });
  });
});

describe('a passphrase file in the environment', () => {
  it('is not one if the variable is empty, as any other variable of ours', () => {
    const { run, folder } = commandLine();
    const env = { PROXYVAULT_PASSPHRASE_FILE: '' };
    expect(run(['add', 'http://u:p@h.example:1'], { env }).stderr).toContain('(protected by permissions)');
    expect(run(['key', 'status'], { env })).toMatchObject({ status: 0 });
    writeFileSync(join(folder, 'p'), PASSPHRASE);
    expect(run(['key', 'passphrase', '--passphrase-file', 'p'], { env }).status).toBe(0);
    expect(run(['key', 'status'], { env }).stdout).toContain('locked, not tried');
    expect(run(['list', '--reveal'], { env }).stderr).toMatch(/passphrase.*\(KEY_\w+\)/);
  });

  it('protects the key of a new pool, and one that is recovered', () => {
    const { run, folder } = commandLine();
    writeFileSync(join(folder, 'p'), PASSPHRASE);
    writeFileSync(join(folder, 'list.txt'), 'h.example:1:u:p\n');
    const env = { PROXYVAULT_PASSPHRASE_FILE: join(folder, 'p') };
    expect(run(['import', 'list.txt'], { env }).status).toBe(0);
    const code = run(['key', 'recovery-code'], { env }).stdout;
    rmSync(join(folder, 'key'));
    expect(run(['key', 'recover'], { env, input: code })).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('protected by passphrase'),
    });
    expect(JSON.parse(readFileSync(join(folder, 'key'), 'utf8'))).toMatchObject({
      protection: { kind: 'passphrase' },
    });
  });
});

describe('key verify', () => {
  it('is 0 when all decrypt; else 1, with the proxies that do not', async () => {
    const { run, json, db } = withLogins();
    expect(run(['key', 'verify'])).toMatchObject({ status: 0, stdout: 'All 2 credentials decrypt.\n' });
    const [{ id } = { id: '' }] = json<{ items: { id: string }[] }>('list').items;
    const opened = initDatabase({ path: db });
    opened.driver.run(`UPDATE encrypted_credentials SET iv = 'AAAAAAAAAAAAAAAA' WHERE proxy_id = :id`, {
      id,
    });
    opened.close();
    const { status, stdout } = run(['key', 'verify']);
    expect(status).toBe(1);
    expect(stdout).toContain('1 of 2 credentials do not decrypt.');
    expect(stdout).toMatch(new RegExp(`${id}  CREDENTIAL_CORRUPT`));
    expect(JSON.parse(run(['key', 'verify', '--json']).stdout)).toMatchObject({
      ok: false,
      failures: [{ proxyId: id, code: 'CREDENTIAL_CORRUPT' }],
    });
    expect(run(['key', 'rotate']).status).toBe(1);
  });

  it('with another key is an error, once', () => {
    const { run } = withLogins();
    const other = run(['key', 'verify'], { env: { PROXYVAULT_KEY_FILE: '' } });
    expect(other).toMatchObject({ status: 1, stdout: '' });
    const PROXYVAULT_KEY = randomBytes(32).toString('base64');
    expect(run(['key', 'verify'], { env: { PROXYVAULT_KEY } })).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('KEY_MISMATCH'),
    });
  });
});

describe('key passphrase', () => {
  it('protects the key; it is asked for where it is needed, and nowhere else', () => {
    const { run, folder, keyFile, passphraseFile } = withLogins();
    const old = readFileSync(keyFile, 'utf8');
    const moved = run(['key', 'passphrase', '--passphrase-file', passphraseFile]);
    expect(moved).toMatchObject({ status: 0, stdout: expect.stringContaining('protected by passphrase') });
    expect(readFileSync(keyFile, 'utf8')).not.toContain(old.trim());
    expect(readdirSync(folder)).not.toContain('key.bak');
    // Without the passphrase: what needs no key works, the rest says what to do.
    expect(run(['list']).status).toBe(0);
    expect(run(['next']).status).toBe(0);
    expect(run(['key', 'status']).stdout).toContain('locked');
    expect(JSON.parse(run(['key', 'status', '--json']).stdout)).toMatchObject({
      locked: true,
      keys: [{ problem: 'KEY_LOCKED' }],
    });
    writeFileSync(join(folder, 'more.txt'), 'n.example:1:u:p\n');
    for (const args of [
      ['list', '--reveal'],
      ['next', '--reveal'],
      ['key', 'verify'],
      ['key', 'rotate'],
      ['import', 'more.txt'],
    ]) {
      expect(run(args)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('--passphrase-file'),
      });
    }
    const given = ['--passphrase-file', passphraseFile];
    expect(run(['list', '--reveal', ...given]).stdout).toContain('canary-1');
    expect(run(['import', 'more.txt', ...given]).status).toBe(0);
    const env = { PROXYVAULT_PASSPHRASE_FILE: passphraseFile };
    expect(run(['key', 'verify'], { env })).toMatchObject({
      status: 0,
      stdout: 'All 3 credentials decrypt.\n',
    });
    expect(run(['add', 'http://u:p@a.example:1'], { env }).status).toBe(0);
    writeFileSync(join(folder, 'wrong.txt'), 'wrong');
    expect(run(['key', 'verify', '--passphrase-file', 'wrong.txt'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('KEY_MISMATCH'),
    });
    expect(run(['key', 'verify', '--passphrase-file', 'nowhere.txt']).stderr).toContain('cannot be read');
    // Another passphrase, and back to the file alone.
    writeFileSync(join(folder, 'short.txt'), 'short');
    const change = [
      'key',
      'passphrase',
      '--passphrase-file',
      'short.txt',
      '--current-passphrase-file',
      passphraseFile,
    ];
    // Nobody can be asked whether it is meant.
    const before = readFileSync(keyFile, 'utf8');
    expect(run(change)).toMatchObject({ status: 1, stderr: expect.stringContaining('--allow-weak') });
    writeFileSync(join(folder, 'repeated.txt'), 'ababababababababab');
    expect(run(['key', 'passphrase', '--passphrase-file', 'repeated.txt']).stderr).toContain('is weak');
    expect(readFileSync(keyFile, 'utf8')).toBe(before);
    expect(run([...change, '--allow-weak'])).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('short'),
    });
    expect(run(['key', 'verify', ...given]).status).toBe(1);
    expect(run(['key', 'file', '--passphrase-file', 'short.txt']).status).toBe(0);
    expect(run(['key', 'verify']).status).toBe(0);
  }, 120_000);

  it('makes the key of a new pool', () => {
    const { run, folder } = commandLine();
    writeFileSync(join(folder, 'p'), PASSPHRASE);
    expect(run(['key', 'passphrase', '--passphrase-file', 'p']).stderr).toContain('There is no pool');
    expect(run(['init']).status).toBe(0);
    expect(run(['key', 'passphrase', '--passphrase-file', 'p']).status).toBe(0);
    expect(JSON.parse(readFileSync(join(folder, 'key'), 'utf8'))).toMatchObject({
      protection: { kind: 'passphrase' },
    });
    expect(run(['add', 'http://u:p@a.example:1', '--passphrase-file', 'p']).status).toBe(0);
  });

  it('without anybody to ask, or empty, changes nothing', () => {
    const { run, folder, keyFile } = withLogins();
    const before = readFileSync(keyFile, 'utf8');
    expect(run(['key', 'passphrase']).stderr).toContain('--passphrase-file');
    writeFileSync(join(folder, 'empty'), '\n');
    expect(run(['key', 'passphrase', '--passphrase-file', 'empty']).stderr).toContain('empty');
    expect(readFileSync(keyFile, 'utf8')).toBe(before);
  });

  it.runIf(HAS_TERMINAL)(
    'is asked for on a terminal, twice when it is new, and not shown',
    async () => {
      const { db, folder, keyFile } = withLogins();
      const { CI: _, NO_COLOR: __, ...inherited } = process.env;
      const env = { ...inherited, PROXYVAULT_DB: db, PROXYVAULT_KEY_FILE: keyFile, TERM: 'xterm' };
      const onTerminal = async (args: string, ...answers: [question: string, typed: string][]) => {
        const keys = answers.map(([question, typed]) => [question, `${typed}\r`] as const);
        return (await answer(args, keys, { cwd: folder, env })).shown;
      };
      const [NEW, AGAIN] = ['passphrase:', 'again:'];
      expect(await onTerminal('key passphrase', [NEW, PASSPHRASE], [AGAIN, 'another'])).toContain('differ');
      // A weak one is warned about before it is stored, and another one is asked for.
      const warned = await onTerminal(
        'key passphrase',
        [NEW, 'short'],
        ['y/N]', 'n'],
        [NEW, PASSPHRASE],
        [AGAIN, 'another'],
      );
      expect(warned).toMatch(/is weak: it is short[\s\S]*Use it all the same[\s\S]*differ/);
      expect(readFileSync(keyFile, 'utf8')).toHaveLength(45);
      const made = await onTerminal('key passphrase', [NEW, PASSPHRASE], [AGAIN, PASSPHRASE]);
      expect(made).toContain('protected by passphrase');
      // It asks nobody: what it tells needs no key.
      expect(await onTerminal('key status')).toContain('locked');
      const listed = await onTerminal('list --reveal', ['of the key:', PASSPHRASE]);
      expect(listed).toContain('canary-1');
      for (const output of [made, listed]) expect(output).not.toContain(PASSPHRASE);
    },
    60_000,
  );
});

describe('key recovery-code and recover', () => {
  it('restore a lost key, by the code alone', () => {
    const { run, folder, keyFile } = withLogins();
    const { stdout, stderr, status } = run(['key', 'recovery-code']);
    expect({ status, code: stdout }).toMatchObject({
      status: 0,
      code: expect.stringMatching(/^(?:\w{4}-){8}\w{4}\n$/),
    });
    expect(stderr).toContain('write it down');
    rmSync(keyFile);
    expect(run(['list', '--reveal'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('key recover'),
    });
    expect(run(['key', 'recover'], { input: 'nonsense' })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('INVALID_INPUT'),
    });
    expect(existsSync(keyFile)).toBe(false);
    const recovered = run(['key', 'recover'], { input: stdout });
    expect(recovered).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('2 of 2 credentials decrypt.'),
    });
    expect(recovered.stdout + recovered.stderr).not.toContain(stdout.trim());
    expect(recovered.stdout).toContain('proxyvault key passphrase');
    expect(run(['list', '--reveal']).stdout).toContain('canary-1');
    writeFileSync(join(folder, 'code.txt'), stdout);
    writeFileSync(keyFile, 'broken');
    expect(run(['key', 'recover', '--code-file', 'code.txt'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('--force'),
    });
    expect(run(['key', 'recover', '--code-file', 'code.txt', '--force', '--json']).status).toBe(0);
    expect(readFileSync(`${keyFile}.bak`, 'utf8')).toBe('broken');
    expect(run(['key', 'recover', '--code-file', 'nowhere']).stderr).toContain('cannot be read');
  });
});

describe('what others must not read', () => {
  const POSIX = process.platform !== 'win32';
  const modeOf = (file: string): number => statSync(file).mode & 0o777;

  it('goes to a new file of this user alone with --output, which replaces nothing and follows no link', () => {
    const { run, folder } = withLogins();
    const at = (name: string): string => join(folder, name);
    const written = run(['key', 'recovery-code', '--output', 'code.txt']);
    expect(written).toMatchObject({ status: 0, stdout: `Written to ${at('code.txt')}.\n` });
    const code = readFileSync(at('code.txt'), 'utf8');
    expect(code).toMatch(/^(?:\w{4}-){8}\w{4}\n$/);
    expect(written.stdout + written.stderr).not.toContain(code.trim());
    expect(run(['export', '--reveal', '--output', 'pool.txt'])).toMatchObject({ status: 0, stdout: '' });
    expect(readFileSync(at('pool.txt'), 'utf8')).toContain('canary-1');
    expect(run(['export', '--format', 'json', '--output', 'masked.json']).status).toBe(0);
    if (POSIX)
      expect(['code.txt', 'pool.txt', 'masked.json'].map((name) => modeOf(at(name)))).toEqual([
        0o600, 0o600, 0o600,
      ]);
    writeFileSync(at('mine.txt'), 'mine');
    if (POSIX) symlinkSync('nowhere.txt', at('link.txt'));
    for (const name of ['mine.txt', ...(POSIX ? ['link.txt'] : []), '.']) {
      for (const args of [
        ['key', 'recovery-code'],
        ['export', '--reveal'],
      ])
        expect(run([...args, '--output', name])).toMatchObject({
          status: 1,
          stdout: '',
          stderr: expect.stringContaining('CONFLICT'),
        });
    }
    expect(readFileSync(at('mine.txt'), 'utf8')).toBe('mine');
    expect(run(['key', 'recovery-code', '--output', 'no/folder.txt']).stderr).toContain('CANNOT_OPEN');
    // None of these has made another code.
    rmSync(at('key'));
    expect(run(['key', 'recover', '--code-file', 'code.txt']).status).toBe(0);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  }, 60_000);

  it.runIf(POSIX)('is warned about if standard output is a file that others can read', () => {
    const { folder, db, keyFile } = withLogins();
    const env = { ...process.env, PROXYVAULT_DB: db, PROXYVAULT_KEY_FILE: keyFile };
    const into = (mode: number, args: string[]): string => {
      const file = join(folder, 'out.txt');
      rmSync(file, { force: true });
      const out = openSync(file, 'w', mode);
      const { stderr } = spawnSync(process.execPath, [BIN, ...args], {
        env,
        stdio: ['ignore', out, 'pipe'],
        encoding: 'utf8',
      });
      closeSync(out);
      return stderr;
    };
    for (const args of [
      ['key', 'recovery-code'],
      ['export', '--reveal'],
      ['list', '--reveal'],
    ]) {
      expect(into(0o644, args)).toContain('others can read (mode 0644)');
      expect(into(0o600, args)).not.toContain('others can read');
    }
    expect(into(0o644, ['export'])).not.toContain('others can read');
  });
});

describe('a key that is made', () => {
  it('is told about, with where it is and what to do, once', () => {
    const { run, folder } = commandLine();
    const keyFile = join(folder, 'key');
    expect(run(['add', 'http://a.example:1']).stderr).not.toContain('key');
    const { stderr } = run(['add', 'http://u:p@b.example:1']);
    expect(stderr).toContain(keyFile);
    expect(stderr).toContain('key recovery-code --output');
    expect(run(['add', 'http://u:p@c.example:1']).stderr).not.toContain(keyFile);
    const other = run(['import', '-', '--json', '--key-file', 'other'], {
      input: 'h.example:1:u:p',
      env: { PROXYVAULT_DB: join(folder, 'other.db') },
    });
    const made = { kind: 'key file', location: join(folder, 'other'), protection: 'permissions' };
    expect(JSON.parse(other.stderr)).toMatchObject({ warning: { code: 'KEY_CREATED', keys: [made] } });
  });

  it('under a weak passphrase is warned about before', () => {
    const { run, folder } = commandLine();
    writeFileSync(join(folder, 'p'), 'short');
    const { stderr } = run(['add', 'http://u:p@b.example:1', '--passphrase-file', 'p']);
    expect(stderr).toMatch(/weak[\s\S]*A new key was made/);
    expect(run(['list', '--reveal', '--passphrase-file', 'p']).stderr).not.toContain('weak');
  });
});

describe('key environment and keychain', () => {
  it('go over to the key in PROXYVAULT_KEY, and back', () => {
    const { run, keyFile } = withLogins();
    const env = { PROXYVAULT_KEY: randomBytes(32).toString('base64') };
    expect(run(['key', 'verify'], { env }).status).toBe(1);
    expect(run(['key', 'status'], { env }).stdout).toContain('comes from: key file');
    // Nobody says that it is stored, and there is no recovery code.
    expect(run(['key', 'environment'], { env })).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/recovery-code --output.*--i-have-stored-it/),
    });
    expect(run(['key', 'verify']).status).toBe(0);
    expect(run(['key', 'environment', '--i-have-stored-it'], { env })).toMatchObject({ status: 0 });
    expect(run(['key', 'verify'], { env }).status).toBe(0);
    expect(run(['key', 'verify'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('environment'),
    });
    expect(run(['key', 'file'], { env }).status).toBe(0);
    expect(run(['key', 'verify']).status).toBe(0);
    expect(run(['key', 'environment']).stderr).toContain('KEY_MISSING');
    // With a recovery code the key may be lost.
    const code = run(['key', 'recovery-code']).stdout;
    expect(run(['key', 'environment'], { env }).status).toBe(0);
    rmSync(keyFile);
    expect(run(['key', 'recover'], { input: code }).status).toBe(0);
    expect(run(['key', 'verify']).status).toBe(0);
  });

  it.runIf(process.platform === 'linux')('say what to do where there is no keychain', () => {
    const { run, keyFile } = withLogins();
    const before = readFileSync(keyFile, 'utf8');
    const env = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' };
    expect(run(['key', 'keychain'], { env })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('key passphrase'),
    });
    expect(readFileSync(keyFile, 'utf8')).toBe(before);
    expect(run(['key', 'verify']).status).toBe(0);
  });
});

it('every key command has an example in its help, and an unknown one is used wrongly', () => {
  const help = spawnSync(process.execPath, [BIN, 'key', '--help'], { encoding: 'utf8' }).stdout;
  const [, commands = ''] = help.split('\nCommands:\n');
  const names = [...commands.matchAll(/^ {2}([a-z-]+) (?:\[|<)/gm)]
    .map(([, name]) => name ?? '')
    .filter((n) => n !== 'help');
  expect(names.sort()).toEqual(
    [
      'environment',
      'file',
      'keychain',
      'passphrase',
      'recover',
      'recovery-code',
      'rotate',
      'status',
      'verify',
    ].sort(),
  );
  for (const name of ['status', 'recover']) {
    const { stdout } = spawnSync(process.execPath, [BIN, 'key', name, '--help'], { encoding: 'utf8' });
    expect(stdout).toContain('Example:\n  $ ');
  }
  expect(spawnSync(process.execPath, [BIN, 'key', 'nonsense']).status).toBe(2);
  expect(spawnSync(process.execPath, [BIN, 'key', 'rotate', '--batch', '0']).status).toBe(2);
});
