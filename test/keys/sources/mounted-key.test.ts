import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EncryptionService } from 'proxyvault/database/services';
import { keyringFile } from 'proxyvault/keys';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useCheapPassphrases } from '../../support/cheap-passphrases.ts';
import { commandLine } from '../../support/command-line.ts';
import { openWithKeyFile } from '../../support/pool.ts';
import { temporaryFolder, thrownBy } from '../../support/temporary.ts';

const POSIX = process.platform !== 'win32';
const NOBODY = 65_534;

const text = (): string => `${randomBytes(32).toString('base64')}\n`;
const use = (keyFile: string, options = {}): string =>
  new EncryptionService({ keyFile, env: {}, ...options }).keyId();

/** Files as Kubernetes lays them out for an update in one step: key -> ..data/key, ..data -> ..2026_01_01. */
function layOut(folder: string, key = text()): string {
  mkdirSync(join(folder, '..2026_01_01'));
  writeFileSync(join(folder, '..2026_01_01', 'key'), key, { mode: 0o644 });
  symlinkSync('..2026_01_01', join(folder, '..data'));
  symlinkSync(join('..data', 'key'), join(folder, 'key'));
  return join(folder, 'key');
}

/** A folder with what `fill` puts there, mounted read-only; null where this user or system cannot mount. */
function readOnly(how: 'tmpfs' | 'bind', fill: (folder: string) => void): string | null {
  if (process.platform !== 'linux') return null;
  const outside = temporaryFolder();
  chmodSync(outside, 0o755);
  const [source, folder] = [join(outside, 'source'), join(outside, 'mount')];
  for (const each of [source, folder]) mkdirSync(each);
  const mount = (...args: string[]): boolean => spawnSync('mount', args).status === 0;
  if (how === 'bind') fill(source);
  if (!(how === 'bind' ? mount('--bind', source, folder) : mount('-t', 'tmpfs', 'tmpfs', folder)))
    return null;
  onTestFinished(() => void spawnSync('umount', [folder]));
  if (how === 'tmpfs') fill(folder);
  return mount('-o', how === 'bind' ? 'remount,bind,ro' : 'remount,ro', folder) ? folder : null;
}

const NO_MOUNT = 'nothing can be mounted here (needs root on Linux)';

useCheapPassphrases();

describe.each(['tmpfs', 'bind'] as const)('a secret on a read-only mount (%s)', (how) => {
  it('is accepted as Kubernetes and Docker mount it, by root and by another user', (context) => {
    const folder = readOnly(how, (at) => {
      layOut(at);
      for (const mode of [0o444, 0o440, 0o400])
        writeFileSync(join(at, `docker-${mode.toString(8)}`), text(), { mode });
    });
    if (folder === null) return context.skip(NO_MOUNT);
    for (const name of ['key', 'docker-444', 'docker-440', 'docker-400'])
      expect(use(join(folder, name))).toMatch(/^[\da-f]{16}$/);
    const script = `import { EncryptionService } from 'proxyvault'; for (const keyFile of process.argv.slice(1)) console.log(new EncryptionService({ keyFile, env: {} }).keyId())`;
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', script, join(folder, 'key'), join(folder, 'docker-444')],
      { uid: NOBODY, gid: NOBODY, encoding: 'utf8' },
    );
    expect({ stdout, stderr }).toEqual({
      stdout: `${use(join(folder, 'key'))}\n${use(join(folder, 'docker-444'))}\n`,
      stderr: '',
    });
  });

  it('is shown with a warning, and no advice that cannot work there', async (context) => {
    const pool = openWithKeyFile();
    const key = readFileSync(pool.keyFile, 'utf8');
    const folder = readOnly(how, (at) => layOut(at, key));
    if (folder === null) return context.skip(NO_MOUNT);
    const keyFile = join(folder, 'key');
    const service = new EncryptionService({ keyFile, database: pool.db });
    expect(service.status().keys).toMatchObject([{ problem: null }]);
    expect(service.status().advice.join()).toMatch(
      /is a symbolic link and can be read by others \(mode 0644\).*read-only/,
    );
    expect(service.status().advice.join()).not.toMatch(/chmod|cp /);
    const { run } = commandLine();
    const shown = run(['key', 'status', '--db', pool.db.path, '--key-file', keyFile]);
    expect(shown.stdout).toContain('can be read by others');
    // It is not changed there, and the error says where to.
    await expect(service.protect(keyringFile(keyFile))).rejects.toMatchObject({
      code: 'READ_ONLY',
      message: expect.not.stringMatching(/chmod|cp /),
    });
    expect(lstatSync(keyFile).isSymbolicLink()).toBe(true);
  });

  it('that is malformed or missing is an error without advice that cannot work there', (context) => {
    const folder = readOnly(how, (at) => {
      layOut(at, 'x');
      symlinkSync('..data/nowhere', join(at, 'dangling'));
    });
    if (folder === null) return context.skip(NO_MOUNT);
    for (const [name, code] of [
      ['key', 'KEY_INVALID'],
      ['dangling', 'KEY_INVALID'],
      ['none', 'READ_ONLY'],
    ] as const) {
      const service = new EncryptionService({ keyFile: join(folder, name), env: {} });
      expect(thrownBy(() => service.encrypt('x'))).toMatchObject({
        code,
        message: expect.not.stringMatching(/chmod|cp /),
      });
    }
  });
});

it.runIf(process.getuid?.() === 0)('a key file that this user may not read is not an invalid key', () => {
  const keyFile = join(temporaryFolder(), 'key');
  writeFileSync(keyFile, text(), { mode: 0o600 });
  chmodSync(join(keyFile, '..'), 0o755);
  const script = `import { EncryptionService } from 'proxyvault'; try { new EncryptionService({ keyFile: process.argv[1], env: {} }).encrypt('x') } catch (error) { console.log(error.code, error.message) }`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script, keyFile], {
    uid: NOBODY,
    gid: NOBODY,
    encoding: 'utf8',
  });
  expect(stdout).toMatch(/^CANNOT_OPEN .*EACCES.*permissions/);
  expect(stdout).toContain(keyFile);
});

describe.runIf(POSIX)('a link that others can change', () => {
  it('is refused, unless an option or the environment says that it can be trusted', async () => {
    const keyFile = layOut(temporaryFolder());
    expect(thrownBy(() => use(keyFile))).toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringMatching(/symbolic link.*--trust-key-file.*trustKeyFile/),
    });
    const id = use(keyFile, { trustKeyFile: true });
    expect(use(keyFile, { env: { PROXYVAULT_TRUST_KEY_FILE: '1' } })).toBe(id);
    expect(thrownBy(() => use(keyFile, { env: { PROXYVAULT_TRUST_KEY_FILE: '0' } }))).toMatchObject({
      code: 'KEY_INVALID',
    });
    const service = new EncryptionService({ keyFile, trustKeyFile: true });
    expect(service.decrypt(service.encrypt('x'))).toBe('x');
    // A rename would put a file in place of the link.
    const target = keyringFile(keyFile, { trustKeyFile: true });
    await target.read();
    const commit = await target.prepare?.([randomBytes(32)], target.revision?.() ?? null, true);
    expect(thrownBy(() => commit?.())).toMatchObject({ code: 'READ_ONLY' });
    expect(lstatSync(keyFile).isSymbolicLink()).toBe(true);
  });

  it('is refused although the file that it leads to is on a read-only mount', (context) => {
    const folder = readOnly('tmpfs', (at) => writeFileSync(join(at, 'key'), text(), { mode: 0o444 }));
    if (folder === null) return context.skip(NO_MOUNT);
    const link = join(temporaryFolder(), 'key');
    symlinkSync(join(folder, 'key'), link);
    expect(thrownBy(() => use(link))).toMatchObject({ code: 'KEY_INVALID' });
  });

  it('or a file that others can read is accepted by the command line with --trust-key-file, and warned about', () => {
    const { run, folder } = commandLine();
    writeFileSync(join(folder, 'key'), text(), { mode: 0o640 });
    writeFileSync(join(folder, 'list.txt'), 'h.example:1:u:p\n');
    expect(run(['import', 'list.txt'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('--trust-key-file'),
    });
    expect(run(['import', 'list.txt', '--trust-key-file']).status).toBe(0);
    const { stdout, status } = run(['key', 'status', '--trust-key-file']);
    expect({ stdout, status }).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('mode 0640'),
    });
    expect(run(['list', '--reveal'], { env: { PROXYVAULT_TRUST_KEY_FILE: '1' } }).stdout).toContain('u:p');
  });

  it('or a file that others can read is trusted as it is, and changed only after the chmod that the error names', () => {
    const { run, folder } = commandLine();
    const keyFile = join(folder, 'key');
    run(['import', '-'], { input: 'h.example:1:user:canary\n' });
    run(['key', 'recovery-code', '--output', 'code']);
    writeFileSync(join(folder, 'p'), 'correct horse battery staple');
    const before = readFileSync(keyFile, 'utf8');
    chmodSync(keyFile, 0o644);
    for (const args of [
      ['key', 'passphrase', '--passphrase-file', 'p'],
      ['key', 'file'],
      ['key', 'recover', '--code-file', 'code'],
    ]) {
      const { status, stderr } = run([...args, '--trust-key-file']);
      expect({ status, stderr }).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/mode 0644\), so it is not changed: run `chmod 600 .*mounted secret/),
      });
      expect(stderr).not.toContain('--trust-key-file');
      expect(readFileSync(keyFile, 'utf8')).toBe(before);
      expect(run(['key', 'verify', '--trust-key-file']).status).toBe(0);
    }
    chmodSync(keyFile, 0o600);
    expect(run(['key', 'passphrase', '--passphrase-file', 'p', '--trust-key-file']).status).toBe(0);
  });
});
