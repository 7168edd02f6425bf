import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs, {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { EncryptionService } from 'proxyvault/database/services';
import { type KeySource, keyringFile } from 'proxyvault/keys';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ownMark } from '../../../src/files/owner.ts';
import { openWithKeyFile } from '../../support/pool.ts';
import { makeSocket, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const POSIX = process.platform !== 'win32';
const IS_ROOT = process.getuid?.() === 0;

const newKey = (): string => randomBytes(32).toString('base64');
const linesOf = (...keys: string[]): string => `${keys.join('\n')}\n`;
const bytesOf = (...keys: string[]): Buffer[] => keys.map((key) => Buffer.from(key, 'base64'));
const idOf = (key: string): string => new EncryptionService({ key }).keyId();
const use = (keyFile: string, options = {}): string =>
  new EncryptionService({ keyFile, env: {}, ...options }).keyId();

function newFile(text: string, mode = 0o600): string {
  const file = join(temporaryFolder(), 'key');
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

/** An error of the operating system. */
const failure = (code: string): Error => Object.assign(new Error(code), { code, syscall: 'test' });

/** Replaces functions of node:fs until the test ends. */
function replaceFs(functions: Partial<Record<keyof typeof fs, (...args: never[]) => unknown>>): void {
  for (const [name, replacement] of Object.entries(functions))
    vi.spyOn(fs, name as 'lstatSync').mockImplementation(replacement as never);
  syncBuiltinESMExports();
  onTestFinished(() => {
    vi.restoreAllMocks();
    syncBuiltinESMExports();
  });
}

/** Does something, as another process could, before a call of a function of node:fs: the first, or the nth. */
function beforeCall(name: 'lstatSync' | 'openSync' | 'linkSync', actions: Record<number, () => void>): void {
  const original = fs[name] as (...args: never[]) => unknown;
  let calls = 0;
  let isActing = false;
  replaceFs({
    [name]: (...args: never[]) => {
      if (!isActing) {
        isActing = true;
        actions[++calls]?.();
        isActing = false;
      }
      return original(...args);
    },
  });
}

/** What writes keys into a file, made from what the file has now. */
async function writerOf(file: string, keys: Buffer[], dropOthers = false): Promise<() => void> {
  const source: KeySource = keyringFile(file);
  await (async () => source.read())().catch(() => null);
  const commit = await source.prepare?.(keys, source.revision?.() ?? null, dropOthers);
  return commit ?? expect.fail('it stores nothing');
}

describe('a key file that cannot be written', () => {
  it.each([
    ['another process changed it', 'BUSY', (file: string) => writeFileSync(file, linesOf(newKey()))],
    ['another process removed it', 'BUSY', (file: string) => rmSync(file)],
    [
      'it cannot be renamed',
      'DISK_FULL',
      () => {
        const renameSync = (): never => {
          throw failure('ENOSPC');
        };
        replaceFs({ renameSync });
      },
    ],
    [
      'its text cannot be written',
      'IO',
      (file: string) => {
        const { fsyncSync } = fs;
        const sync = (descriptor: number): void => {
          if (readFileSync(`${file}.lock`, 'latin1') !== '') throw failure('EIO');
          fsyncSync(descriptor);
        };
        replaceFs({ fsyncSync: sync });
      },
    ],
  ])(
    'is left without a lock and without temporary files, and can be written afterwards: %s',
    async (_, code, spoil) => {
      const key = newKey();
      const file = newFile(linesOf(key));
      const commit = await writerOf(file, bytesOf(newKey(), key));
      spoil(file);
      expect(thrownBy(commit)).toMatchObject({ code });
      vi.restoreAllMocks();
      syncBuiltinESMExports();
      expect(readdirSync(dirname(file)).filter((name) => !['key', 'key.bak'].includes(name))).toEqual([]);
      writeFileSync(file, linesOf(key), { mode: 0o600 });
      const again = await writerOf(file, bytesOf(newKey(), key));
      again();
      expect(readFileSync(file, 'utf8')).toContain(key);
    },
  );

  it('is not, if another process changes it, removes the lock, or makes it, while the new text is written', async () => {
    const key = newKey();
    const other = linesOf(newKey());
    for (const act of [
      (file: string) => writeFileSync(file, other),
      (file: string) => rmSync(`${file}.lock`),
    ]) {
      const file = newFile(linesOf(key));
      const commit = await writerOf(file, bytesOf(newKey(), key));
      const { openSync } = fs;
      replaceFs({
        openSync: ((path: string, flags: string, mode: number) => {
          if (flags === 'wx' && path.includes('.key.') && !path.includes('lock')) act(file);
          return openSync(path, flags, mode);
        }) as never,
      });
      const before = readFileSync(file, 'utf8');
      expect(thrownBy(commit)).toMatchObject({ code: 'BUSY', details: { path: file } });
      vi.restoreAllMocks();
      syncBuiltinESMExports();
      expect([before, other]).toContain(readFileSync(file, 'utf8'));
    }
    // Syncing may take seconds.
    const synced = newFile(linesOf(key));
    const late = await writerOf(synced, bytesOf(newKey(), key));
    const { fsyncSync } = fs;
    replaceFs({
      fsyncSync: ((descriptor: number) => {
        fsyncSync(descriptor);
        if (readdirSync(dirname(synced)).some((name) => /^\.key\.(?!bak|lock)/.test(name)))
          writeFileSync(synced, other);
      }) as never,
    });
    expect(thrownBy(late)).toMatchObject({ code: 'BUSY', details: { path: synced } });
    vi.restoreAllMocks();
    syncBuiltinESMExports();
    expect(readFileSync(synced, 'utf8')).toBe(other);
    const fresh = join(temporaryFolder(), 'key');
    const commit = await writerOf(fresh, bytesOf(key));
    const { linkSync } = fs;
    replaceFs({
      linkSync: ((from: string, to: string) => {
        if (to === fresh) writeFileSync(fresh, other, { mode: 0o600 });
        linkSync(from, to);
      }) as never,
    });
    expect(thrownBy(commit)).toMatchObject({ code: 'BUSY' });
    expect(readFileSync(fresh, 'utf8')).toBe(other);
    expect(readdirSync(dirname(fresh))).toEqual(['key']);
  });

  it('is not, if it has a key that the new text lacks, unless others may be dropped', async () => {
    const [a, b, c] = [newKey(), newKey(), newKey()];
    const file = newFile(linesOf(a, b));
    for (const keys of [bytesOf(c), bytesOf(c, a), bytesOf(c, b)]) {
      const commit = await writerOf(file, keys);
      expect(thrownBy(commit)).toMatchObject({ code: 'BUSY' });
      expect(readFileSync(file, 'utf8')).toBe(linesOf(a, b));
    }
    (await writerOf(file, bytesOf(c), true))();
    expect(use(file)).toBe(idOf(c));
    expect(readFileSync(`${file}.bak`, 'utf8')).toBe(linesOf(a, b));
  });

  it.runIf(POSIX)('because others can read it is not, though it is trusted', async () => {
    const key = newKey();
    const file = newFile(linesOf(key), 0o640);
    const target = keyringFile(file, { trustKeyFile: true });
    await target.read();
    const commit = await target.prepare?.(bytesOf(newKey(), key), target.revision?.() ?? null);
    expect(thrownBy(() => commit?.())).toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringContaining(`so it is not changed: run \`chmod 600 '${file}'`),
    });
    expect(readFileSync(file, 'utf8')).toBe(linesOf(key));
    const link = join(temporaryFolder(), 'key');
    symlinkSync(file, link);
    expect(thrownBy(await writerOf(link, bytesOf(newKey(), key)))).toMatchObject({ code: 'READ_ONLY' });
    expect(fs.lstatSync(link).isSymbolicLink()).toBe(true);
  });

  it('waits for a lock that another process holds for a moment', async () => {
    const key = newKey();
    const file = newFile(linesOf(key));
    const commit = await writerOf(file, bytesOf(newKey(), key));
    writeFileSync(`${file}.lock`, `${ownMark()} 0`);
    const wait = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      rmSync(`${file}.lock`);
      return 'timed-out';
    });
    onTestFinished(() => wait.mockRestore());
    commit();
    expect(wait).toHaveBeenCalledOnce();
    expect(readFileSync(file, 'utf8')).toContain(key);
  });
});

describe('a key file that is written', () => {
  it('has the keys in their order, first the one in use, and is for this user alone', async () => {
    const keys = [newKey(), newKey(), newKey(), newKey()];
    const file = join(temporaryFolder(), 'key');
    (await writerOf(file, bytesOf(...keys)))();
    const found = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(found).toEqual(keys);
    if (POSIX) expect(statSync(file).mode & 0o777).toBe(0o600);
    for (const key of keys)
      expect(await new EncryptionService({ keyFile: file }).hasKey(idOf(key))).toBe(true);
  });

  it('has the text before as its backup, whose own text is kept only if it has other keys', async () => {
    const [a, b, c] = [newKey(), newKey(), newKey()];
    const keptAfter = async (backup: string, mode = 0o600): Promise<string[]> => {
      const file = newFile(linesOf(a));
      writeFileSync(`${file}.bak`, backup);
      chmodSync(`${file}.bak`, mode);
      (await writerOf(file, bytesOf(b, a)))();
      expect(readFileSync(`${file}.bak`, 'utf8')).toBe(linesOf(a));
      if (POSIX) expect(statSync(`${file}.bak`).mode & 0o777).toBe(0o600);
      return readdirSync(dirname(file))
        .filter((name) => /^key\.bak-[\da-f]{8}$/.test(name))
        .map((name) => readFileSync(join(dirname(file), name), 'utf8'));
    };
    for (const covered of [linesOf(a), linesOf(b, a)]) expect(await keptAfter(covered)).toEqual([]);
    for (const other of [linesOf(c), linesOf(a, c), 'malformed', '{"format":"proxyvault keyring"}'])
      expect(await keptAfter(other)).toEqual([other]);
    if (POSIX) expect(await keptAfter(linesOf(a), 0o644)).toEqual([linesOf(a)]);
  });

  it('keeps a backup that settling would not make safer, or that has other keys', async () => {
    const passphrase = 'correct horse battery staple';
    const { keyFile, service, db } = openWithKeyFile();
    const plain = readFileSync(keyFile, 'utf8');
    const settleWith = async (backup: string): Promise<boolean> => {
      writeFileSync(`${keyFile}.bak`, backup, { mode: 0o600 });
      keyringFile(keyFile).settle?.();
      return readdirSync(dirname(keyFile)).includes('key.bak');
    };
    // What protects neither file is no reason to remove one.
    expect(await settleWith(plain)).toBe(true);
    await service.protect(keyringFile(keyFile, { passphrase }));
    const sealed = readFileSync(keyFile, 'utf8');
    expect(await settleWith(sealed)).toBe(true);
    expect(await settleWith(linesOf(newKey()))).toBe(true);
    expect(await settleWith(plain)).toBe(false);
    // The key of another database in the same file stays in the backup until it is in the new file.
    expect(await settleWith(linesOf(plain.trim(), newKey()))).toBe(true);
    rmSync(keyFile);
    expect(await settleWith(plain)).toBe(true);
    db.close();
  });

  it('by one of two that make it at once is the key of both', () => {
    const file = join(temporaryFolder(), 'key');
    const other = newKey();
    const { linkSync } = fs;
    replaceFs({
      linkSync: ((from: string, to: string) => {
        if (to === file) writeFileSync(file, linesOf(other), { mode: 0o600 });
        linkSync(from, to);
      }) as never,
    });
    const service = new EncryptionService({ keyFile: file, env: {} });
    service.encrypt('x');
    expect(service.keyId()).toBe(idOf(other));
    expect(readdirSync(dirname(file))).toEqual(['key']);
  });

  it('and removed while it was made is an error, and the next try makes it', () => {
    const file = join(temporaryFolder(), 'key');
    const { linkSync } = fs;
    let isRemoved = false;
    replaceFs({
      linkSync: ((from: string, to: string) => {
        linkSync(from, to);
        if (to === file && !isRemoved) rmSync(file);
        isRemoved = true;
      }) as never,
    });
    const service = new EncryptionService({ keyFile: file, env: {} });
    expect(thrownBy(() => service.encrypt('x'))).toMatchObject({ code: 'KEY_MISSING' });
    expect(service.decrypt(service.encrypt('x'))).toBe('x');
  });
});

describe('a key file that is read', () => {
  it('may be 1 MiB, and no byte more', () => {
    const key = newKey();
    const text = (bytes: number): string => `${key}\n#`.padEnd(bytes, ' ');
    expect(use(newFile(text(1024 * 1024)))).toBe(idOf(key));
    expect(thrownBy(() => use(newFile(text(1024 * 1024 + 1))))).toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringContaining('1048576 bytes'),
    });
  });

  it('is the same file after the working folder has changed', () => {
    const here = process.cwd();
    onTestFinished(() => process.chdir(here));
    const key = newKey();
    const file = newFile(linesOf(key));
    const service = new EncryptionService({ keyFile: relative(here, file), env: {} });
    process.chdir(temporaryFolder());
    expect(service.keyId()).toBe(idOf(key));
    expect(service.source().location).toBe(file);
  });

  it('may be replaced at that moment, as Kubernetes does it: the second look finds it', () => {
    const key = newKey();
    const file = newFile(linesOf(key));
    beforeCall('lstatSync', {
      4: () => rmSync(file),
      5: () => writeFileSync(file, linesOf(key), { mode: 0o600 }),
    });
    expect(use(file)).toBe(idOf(key));
  });

  it.runIf(POSIX)('and replaced by a link or an open file before it is opened is rejected', () => {
    const [key, other] = [newKey(), newKey()];
    const file = newFile(linesOf(key));
    const target = newFile(linesOf(other));
    const swap: Record<string, () => void> = {
      link: () => symlinkSync(target, file),
      open: () => {
        writeFileSync(file, linesOf(other));
        chmodSync(file, 0o666);
      },
    };
    for (const [name, put] of Object.entries(swap)) {
      rmSync(file, { force: true });
      writeFileSync(file, linesOf(key), { mode: 0o600 });
      // The first time it is opened to learn how it is protected.
      beforeCall('openSync', {
        2: () => {
          rmSync(file);
          put();
        },
      });
      expect(thrownBy(() => use(file))).toMatchObject({
        code: name === 'open' ? 'KEY_INVALID' : 'CANNOT_OPEN',
      });
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    }
  });

  it.runIf(POSIX)('is no folder, pipe, device or loop of links, and waits for none of them', () => {
    const folder = temporaryFolder();
    const at = (name: string): string => join(folder, name);
    mkdirSync(at('folder'));
    spawnSync('mkfifo', ['-m', '600', at('pipe')]);
    symlinkSync(at('loop'), at('loop'));
    symlinkSync(at('none'), at('dangling'));
    symlinkSync(makeSocket(at('socket')), at('device'));
    const { openSync } = fs;
    replaceFs({
      openSync: ((path: string, ...rest: [string]) => {
        if (path === at('pipe')) throw new Error('it would wait for a writer');
        return openSync(path, ...rest);
      }) as never,
    });
    for (const name of ['folder', 'pipe', 'loop', 'dangling', 'device'])
      for (const trustKeyFile of [false, true])
        expect(thrownBy(() => use(at(name), { trustKeyFile }))).toMatchObject({ code: 'KEY_INVALID' });
  });

  it.runIf(POSIX)('must be out of reach of every other user, by any permission', () => {
    const key = newKey();
    const file = newFile(linesOf(key));
    for (const mode of [0o600, 0o400, 0o700]) {
      chmodSync(file, mode);
      expect(use(file)).toBe(idOf(key));
    }
    for (const [mode, what] of [
      [0o640, 'read'],
      [0o620, 'read or written'],
      [0o610, 'read'],
      [0o604, 'read'],
      [0o602, 'read or written'],
      [0o601, 'read'],
      [0o666, 'read or written'],
    ] as const) {
      chmodSync(file, mode);
      const error = thrownBy(() => use(file));
      expect(error).toMatchObject({
        code: 'KEY_INVALID',
        message: expect.stringContaining(
          `can be ${what} by others (mode 0${mode.toString(8)}): run \`chmod 600 '${file}'\``,
        ),
      });
      expect(use(file, { trustKeyFile: true })).toBe(idOf(key));
    }
  });

  it.runIf(IS_ROOT)('may be of this user or root, and of nobody else', () => {
    const key = newKey();
    const file = newFile(linesOf(key));
    const user = vi.spyOn(process, 'geteuid').mockReturnValue(1000);
    onTestFinished(() => user.mockRestore());
    expect(use(file)).toBe(idOf(key));
    chmodSync(file, 0o644);
    expect(thrownBy(() => use(file))).toMatchObject({
      message: expect.stringContaining(`\`chown 1000 '${file}' && chmod 600 '${file}'\``),
    });
    fs.chownSync(file, 1000, 1000);
    expect(thrownBy(() => use(file))).toMatchObject({
      message: expect.stringContaining(`\`chmod 600 '${file}'\``),
    });
    chmodSync(file, 0o600);
    expect(use(file)).toBe(idOf(key));
    for (const me of [0, 1001]) {
      user.mockReturnValue(me);
      expect(thrownBy(() => use(file))).toMatchObject({
        code: 'KEY_INVALID',
        message: expect.stringContaining(`belongs to another user: run \`chown ${me} '${file}'`),
      });
    }
  });
});

describe.runIf(POSIX)('a key file on a read-only file system', () => {
  /** Answers as access(2) does where these paths are on read-only file systems. */
  function mountReadOnly(...paths: string[]): void {
    const { accessSync } = fs;
    replaceFs({
      accessSync: ((path: string, mode: number) => {
        if (paths.some((each) => path === each || path.startsWith(`${each}/`))) throw failure('EROFS');
        accessSync(path, mode);
      }) as never,
    });
  }

  /** A link to a file, each in a folder, and the key. */
  function link(folderOfLink: string, folderOfFile: string): { at: (name: string) => string; id: string } {
    const root = fs.realpathSync(temporaryFolder());
    const at = (name: string): string => join(root, name);
    for (const folder of [folderOfLink, folderOfFile]) mkdirSync(at(folder), { recursive: true });
    const key = newKey();
    writeFileSync(at(`${folderOfFile}/real`), linesOf(key), { mode: 0o444 });
    symlinkSync(at(`${folderOfFile}/real`), at(`${folderOfLink}/key`));
    return { at, id: idOf(key) };
  }

  it('may be open to others, and a link within its folder', () => {
    const { at, id } = link('data', 'data/deeper');
    mountReadOnly(at('data'));
    expect(use(at('data/key'))).toBe(id);
    expect(use(at('data/deeper/real'))).toBe(id);
    const status = keyringFile(at('data/key')).caution?.();
    expect(status).toMatch(
      /is a symbolic link and can be read by others \(mode 0444\); .*file system is read-only/,
    );
    expect(keyringFile(at('data/deeper/real')).caution?.()).toMatch(/real can be read by others/);
  });

  it('is no link out of its folder, nor into one whose name only begins like it', () => {
    for (const folder of ['other', 'database']) {
      const { at, id } = link('data', folder);
      mountReadOnly(at('data'), at(folder));
      expect(thrownBy(() => use(at('data/key')))).toMatchObject({ code: 'KEY_INVALID' });
      expect(use(at('data/key'), { trustKeyFile: true })).toBe(id);
    }
  });

  it('is no link that can be changed, nor to a file that can be changed', () => {
    const { at } = link('data', 'data/deeper');
    chmodSync(at('data/deeper/real'), 0o400);
    mountReadOnly(at('data/deeper'));
    expect(thrownBy(() => use(at('data/key')))).toMatchObject({ code: 'KEY_INVALID' });
    vi.restoreAllMocks();
    const { accessSync } = fs;
    replaceFs({
      accessSync: ((path: string, mode: number) => {
        if (path === at('data')) throw failure('EROFS');
        accessSync(path, mode);
      }) as never,
    });
    expect(thrownBy(() => use(at('data/key')))).toMatchObject({ code: 'KEY_INVALID' });
  });

  it('says why it is accepted: it was said to be trusted', () => {
    const { at } = link('data', 'other');
    const cautionOf = (file: string): string | null | undefined =>
      keyringFile(file, { trustKeyFile: true }).caution?.();
    expect(cautionOf(at('data/key'))).toMatch(
      /is a symbolic link and can be read .*you said that it can be trusted/,
    );
    chmodSync(at('other/real'), 0o400);
    expect(cautionOf(at('data/key'))).toMatch(/key is a symbolic link; it is accepted/);
    expect(cautionOf(at('other/real'))).toBeNull();
    expect(cautionOf(at('none'))).toBeNull();
    expect(keyringFile(at('data/key')).caution?.()).toBeNull();
  });
});
