import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import {
  initDatabase,
  openVault,
  ProxyVaultError,
  restoreVault,
  type Vault,
  type VaultOptions,
} from 'proxyvault';
import { EncryptionService } from 'proxyvault/database/services';
import { type KeySource, keyringFile } from 'proxyvault/keys';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

import { useCheapPassphrases } from './support/cheap-passphrases.ts';
import { temporaryFolder } from './support/temporary.ts';

useCheapPassphrases();

const LOGIN_URL = 'socks5://me:s3%40cret@gate.example.com:1080';

/** Opens a pool in a folder of its own, and closes it when the test ends. */
async function open(options: Partial<VaultOptions> = {}): Promise<Vault> {
  const folder = temporaryFolder();
  const vault = await openVault({ path: join(folder, 'pool.db'), keyFile: join(folder, 'key'), ...options });
  onTestFinished(() => vault.close());
  return vault;
}

/** A pool of an older program: it has no tables yet. */
function olderPool(): string {
  const path = join(temporaryFolder(), 'pool.db');
  initDatabase({ path }).close();
  return path;
}

describe('openVault rejects', () => {
  it.each([
    ['no options', undefined],
    ['no path', {}],
    ['a name it does not know', { path: 'x.db', passPhrase: 'x' }],
    ['the database, which it opens itself', { path: 'x.db', database: {} }],
    ['migrate that is no boolean', { path: 'x.db', migrate: 'yes' }],
    ['unlock that is no boolean', { path: 'x.db', unlock: 1 }],
  ])('%s', async (_, options) => {
    await expect(openVault(options as never)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(existsSync('x.db')).toBe(false);
  });

  it('a pool in the place of its key file, however it is written, and makes nothing', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'pool.db');
    symlinkSync('pool.db', join(folder, 'link'));
    for (const keyFile of [
      path,
      join(folder, 'link'),
      relative('.', path),
      path.replace('pool.db', 'POOL.db'),
    ])
      await expect(openVault({ path, keyFile })).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        details: { path },
      });
    const env = { PROXYVAULT_KEY_FILE: path };
    await expect(openVault({ path, env })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(openVault({ path: `${path}.bak`, keyFile: path })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(readdirSync(folder)).toEqual(['link']);
  });

  it('a move of the key into the pool, which stays as it is', async () => {
    const vault = await open();
    await vault.import(LOGIN_URL);
    const { path } = vault.database;
    await expect(vault.keys.protect(keyringFile(path))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(() => new EncryptionService({ keyFile: path }).cipherOf(vault.database)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT' }),
    );
    expect(readFileSync(path).subarray(0, 6).toString()).toBe('SQLite');
    expect((await vault.keys.verify()).ok).toBe(true);
  });

  const key = randomBytes(32);
  const keySource: KeySource = { kind: 'kms', location: 'eu-1', read: () => Uint8Array.from(key) };
  it.each([
    [{ key, keyFile: 'x' }, '`key` and `keyFile`'],
    [{ key, passphrase: 'x' }, '`key` and `passphrase`'],
    [{ key, protection: 'permissions' }, '`key` and `protection`'],
    [{ keySource, key }, '`keySource` and `key`'],
    [{ keySource, keyFile: 'x' }, '`keySource` and `keyFile`'],
    [{ keySource, passphrase: 'x' }, '`keySource` and `passphrase`'],
    [{ keySource, trustKeyFile: false }, '`keySource` and `trustKeyFile`'],
  ] as const)('options that contradict each other: %o', async (options, named) => {
    const path = join(temporaryFolder(), 'pool.db');
    const expected = { code: 'INVALID_INPUT', message: expect.stringContaining(named) };
    await expect(openVault({ path, ...options })).rejects.toMatchObject(expected);
    await expect(restoreVault(path, path, options)).rejects.toMatchObject(expected);
    expect(() => new EncryptionService(options)).toThrow(expect.objectContaining(expected));
    expect(existsSync(path)).toBe(false);
  });

  it.each([
    [{ key: 'abc' }, 'KEY_INVALID'],
    [{ key: null }, 'KEY_INVALID'],
    [{ keyFile: '' }, 'KEY_INVALID'],
    [{ keyFile: new URL('file:///key') }, 'INVALID_INPUT'],
    [{ keyFile: 5 }, 'INVALID_INPUT'],
    [{ passphrase: '' }, 'INVALID_INPUT'],
    [{ passphrase: 5 }, 'INVALID_INPUT'],
    [{ protection: 'none' }, 'INVALID_INPUT'],
    [{ trustKeyFile: 'false' }, 'INVALID_INPUT'],
    [{ safeStorage: true }, 'INVALID_INPUT'],
    [{ keySource: {} }, 'INVALID_INPUT'],
    [{ keySource: 'key' }, 'INVALID_INPUT'],
    [{ keySource: null }, 'INVALID_INPUT'],
    [{ keySource: { read: () => key } }, 'INVALID_INPUT'],
  ])('a key that cannot be: %o, and makes nothing', async (options, code) => {
    const folder = temporaryFolder();
    const path = join(folder, 'pool.db');
    await expect(openVault({ path, ...(options as object) })).rejects.toMatchObject({ code });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('an option that does not exist, in every call that takes options', async () => {
    const vault = await open();
    await vault.import(LOGIN_URL);
    const [{ id } = { id: '' }] = vault.proxies.findAll();
    const misspelt = { depp: true } as never;
    const event = { previousProxyId: null, newProxyId: null, reason: 'manual' } as const;
    const copy = join(vault.database.path, '..', 'copy.db');
    const calls: Record<string, () => unknown> = {
      import: () => vault.import('http://h.example:1', misspelt),
      export: () => [...vault.export(misspelt)],
      backup: () => vault.backup(copy, misspelt),
      check: () => vault.check(misspelt),
      prune: () => vault.prune(misspelt),
      importMany: () => vault.proxies.importMany([], misspelt),
      list: () => vault.proxies.list(misspelt),
      iterate: () => [...vault.proxies.iterate(misspelt)],
      rules: () => vault.rules.findAll(misspelt),
      record: () => vault.usage.record(id, Object.assign({ success: true }, misspelt)),
      append: () => vault.events.append(Object.assign({}, event, misspelt)),
      background: () => vault.database.background.all('SELECT 1', {}, misspelt),
      verify: () => vault.keys.verify(misspelt),
      rotate: () => vault.keys.rotate(misspelt),
    };
    for (const [name, call] of Object.entries(calls))
      await expect((async () => call())(), name).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('"depp"'),
      });
    expect(existsSync(copy)).toBe(false);
    expect([vault.proxies.count(), vault.events.count()]).toEqual([1, 0]);
  });

  it.each(['pool.db-journal', 'pool.db-wal', 'pool.db-SHM'])(
    'a key file %s, which SQLite would remove at the next opening',
    async (name) => {
      const folder = temporaryFolder();
      const path = join(folder, 'pool.db');
      for (const options of [
        { keyFile: join(folder, name) },
        { env: { PROXYVAULT_KEY_FILE: join(folder, name) } },
      ])
        await expect(openVault({ path, ...options })).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: expect.stringContaining('give another path'),
        });
      expect(existsSync(join(folder, name))).toBe(false);
      expect(() => keyringFile(join(folder, name))).toThrow(
        expect.objectContaining({ code: 'INVALID_INPUT' }),
      );
    },
  );

  it('a read-only pool that is not there, and makes nothing', async () => {
    const path = join(temporaryFolder(), 'pool.db');
    await expect(openVault({ path, readonly: true })).rejects.toMatchObject({ code: 'CANNOT_OPEN' });
    expect(existsSync(path)).toBe(false);
  });

  it('an older pool that is read-only, and says what to do', async () => {
    const path = olderPool();
    await expect(openVault({ path, readonly: true })).rejects.toMatchObject({
      code: 'MIGRATION_PENDING',
      message: expect.stringContaining('without `readonly`'),
    });
    const isWritable = await openVault({ path });
    await isWritable.close();
    const vault = await open({ path, readonly: true });
    expect(vault.proxies.count()).toBe(0);
  });

  it('another passphrase, and leaves nothing open', async () => {
    const { database } = await open({ passphrase: 'correct horse battery staple' });
    const keyFile = join(database.path, '..', 'key');
    const options = { path: database.path, keyFile, passphrase: 'wrong' };
    await expect(openVault(options)).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
    await database[Symbol.asyncDispose]();
    expect(existsSync(`${database.path}-wal`)).toBe(false);
  });
});

describe('openVault', () => {
  it('makes the pool and the key, and gives them back', async () => {
    const first = await open();
    const { path } = first.database;
    const keyFile = join(path, '..', 'key');
    const { added } = await first.import(LOGIN_URL);
    expect(added).toBe(1);
    await first.close();

    await using second = await openVault({ path, keyFile });
    const proxy = second.pool.choose({ domain: 'shop.example' });
    expect(second.reveal(proxy.id).url).toBe('socks5h://me:s3%40cret@gate.example.com:1080');
  });

  it('opens a pool as it is if it may not migrate', async () => {
    const vault = await open({ path: olderPool(), migrate: false });
    expect(vault.database.migrations.plan()).not.toEqual([]);
    expect(() => vault.proxies.count()).toThrow(expect.objectContaining({ code: 'MIGRATION_PENDING' }));
  });

  it('opens a pool as it is also if its key takes time, and leaves that locked', async () => {
    const passphrase = 'correct horse battery staple';
    const first = await open({ passphrase });
    const { path } = first.database;
    await first.import(LOGIN_URL);
    // Before the password's fingerprint, which an update writes.
    first.database.migrations.to(6);
    await first.close();

    const vault = await open({ path, keyFile: join(path, '..', 'key'), passphrase, migrate: false });
    const [{ id } = { id: '' }] = vault.database.query<{ id: string }>('SELECT id FROM proxies');
    expect(() => vault.proxies.update(id, { port: 1081 })).toThrow(
      expect.objectContaining({ code: 'MIGRATION_PENDING' }),
    );
    vault.database.migrations.up();
    expect(() => vault.reveal(id)).toThrow(expect.objectContaining({ code: 'KEY_LOCKED' }));
    expect(await vault.keys.unlock()).toBe(true);
    expect(vault.reveal(id).password).toBe('s3@cret');
  });

  it('opens a new pool as it is, whose key a passphrase will protect', async () => {
    const vault = await open({
      path: olderPool(),
      passphrase: 'correct horse battery staple',
      migrate: false,
    });
    expect(vault.database.migrations.plan()).not.toEqual([]);
  });

  it('unlocks a key that a passphrase protects, or leaves it locked', async () => {
    const first = await open({ passphrase: () => 'correct horse battery staple' });
    const { path } = first.database;
    const keyFile = join(path, '..', 'key');
    await first.import(LOGIN_URL);
    const [proxy] = first.proxies.findAll();
    await first.close();

    const locked = await open({ path, keyFile, passphrase: 'unused', unlock: false });
    expect(locked.proxies.count()).toBe(1);
    expect(() => locked.reveal(proxy?.id ?? '')).toThrow(
      expect.objectContaining({
        code: 'KEY_LOCKED',
        message: expect.stringContaining('`await vault.keys.unlock()`'),
      }),
    );
    const unlocked = await open({ path, keyFile, passphrase: 'correct horse battery staple' });
    expect(unlocked.reveal(proxy?.id ?? '').password).toBe('s3@cret');
  });

  it('waits for a source of the user that answers with a promise, and has not said so', async () => {
    const key = randomBytes(32);
    const keySource: KeySource = { kind: 'kms', location: 'eu-1', read: async () => Uint8Array.from(key) };
    const vault = await open({ keySource, keyFile: undefined });
    const { id } = vault.proxies.create({
      host: 'h.example',
      port: 1,
      protocol: 'http',
      credentials: { username: 'u', password: 'p' },
    });
    expect(vault.reveal(id)).toMatchObject({ username: 'u', password: 'p' });
  });

  it('says where it has made a key', async () => {
    const made: string[] = [];
    const vault = await open({ onKeyCreated: ({ location }) => made.push(location) });
    expect(made).toEqual([]);
    await vault.import(LOGIN_URL);
    expect(made).toEqual([join(vault.database.path, '..', 'key')]);
  });

  it('gives a closed pool a clear error, and may be closed again', async () => {
    const vault = await open();
    await vault.close();
    await vault.close();
    expect(() => vault.proxies.count()).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });

  it('forgets the key even if the pool cannot be closed', async () => {
    const vault = await open();
    await vault.import(LOGIN_URL);
    vi.spyOn(vault.database, Symbol.asyncDispose).mockRejectedValueOnce(new Error('the disk is gone'));
    await expect(vault.close()).rejects.toThrow('the disk is gone');
    const [{ id } = { id: '' }] = vault.proxies.findAll();
    expect(() => vault.reveal(id)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });

  it('brings every part of the pool together', async () => {
    const vault = await open();
    await vault.import(Readable.from(['http://192.0.2.1:8080\n', `${LOGIN_URL}\n`]), { tag: 'mine' });
    const [first, second] = vault.proxies.findAll();
    if (!first || !second) throw new Error('two proxies were imported');
    vault.config.update({ strategy: 'random' });
    vault.sticky.create({ domain: 'shop.example', proxyId: second.id });
    vault.rules.create({
      name: 'none here',
      conditions: [{ field: 'domain', operator: 'equals', value: 'blocked.example' }],
      actions: [{ type: 'block' }],
    });
    expect(vault.pool.choose({ domain: 'shop.example' }).id).toBe(second.id);
    expect(() => vault.pool.choose({ domain: 'blocked.example' })).toThrow(
      expect.objectContaining({ code: 'NO_PROXY' }),
    );
    vault.pool.choose();
    vault.pool.report(second.id, { success: true, latencyMs: 20 });
    expect(vault.tags.has(first.id, 'mine')).toBe(true);
    expect(vault.credentials.exists(second.id)).toBe(true);
    expect(vault.usage.totals({ proxyId: second.id })).toMatchObject({ requestCount: 1, successRate: 100 });
    const { id } = vault.pool.choose({ session: 'cart' });
    expect(vault.pool.rotate({ session: 'cart' }).id).not.toBe(id);
    expect(vault.events.last()).toMatchObject({ previousProxyId: id, reason: 'manual' });
    expect((await vault.keys.verify()).failures).toEqual([]);
    expect([...vault.export({ reveal: true })].join('')).toContain('me:s3%40cret@gate.example.com');
    expect([...vault.export()].join('')).not.toContain('s3');
    expect(await vault.check({ deep: true })).toMatchObject({ ok: true, credentials: { verified: true } });
    const { proxies, usage, database } = await vault.stats();
    expect(proxies).toEqual({ active: 2, failed: 0, checking: 0, disabled: 0, total: 2 });
    expect(usage.requestCount).toBe(1);
    expect(database.rows.proxies).toBe(2);
    const copy = await vault.backup(join(vault.database.path, '..', 'copy.db'));
    expect(existsSync(copy)).toBe(true);
    expect(vault.prune({ eventsOlderThan: new Date(0) })).toEqual({
      events: 0,
      stats: 0,
      sessions: 0,
      cooldowns: 0,
      leases: 0,
    });
  });
});

it('what a caller\u2019s function throws reaches the caller, and leaves no copy', async () => {
  const vault = await open();
  const folder = temporaryFolder();
  const mine = new RangeError('mine');
  const onProgress = (): never => {
    throw mine;
  };
  const [backup, other, pool] = ['backup.db', 'other.db', 'pool.db'].map((name) => join(folder, name));
  await vault.backup(String(backup));
  await expect(vault.backup(String(other), { onProgress })).rejects.toBe(mine);
  await expect(restoreVault(String(backup), String(pool), { onProgress })).rejects.toBe(mine);
  expect(readdirSync(folder)).toEqual(['backup.db']);
});

it('a caller who throws ends a restore, also with the code of a backup that SQLite cannot open', async () => {
  const vault = await open();
  const folder = temporaryFolder();
  const [backup, pool] = [join(folder, 'backup.db'), join(folder, 'pool.db')];
  await vault.backup(backup);
  for (const code of ['CANNOT_OPEN', 'READ_ONLY'] as const) {
    const mine = new ProxyVaultError(code, 'mine');
    const onProgress = (): never => {
      throw mine;
    };
    await expect(restoreVault(backup, pool, { onProgress })).rejects.toBe(mine);
    expect(readdirSync(folder)).toEqual(['backup.db']);
  }
});

it('no backup takes the place of a key file, which the first login would make', async () => {
  const folder = temporaryFolder();
  const [path, keyFile] = [join(folder, 'pool.db'), join(folder, 'key')];
  await using vault = await openVault({ path, keyFile });
  for (const place of [keyFile, `${keyFile}.bak`, `${keyFile}.lock`]) {
    await expect(vault.backup(place)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('the place of the key file'),
    });
    expect(existsSync(place)).toBe(false);
  }
  await vault.import('http://me:secret@gate.example:1080');
});

it('the key of a closed vault is CLOSED, and not merely missing', async () => {
  const vault = await open();
  await vault.close();
  await expect(vault.keys.unlock()).rejects.toMatchObject({ code: 'CLOSED' });
});

it('stats say that proxies have a status that does not exist, which only their total counts', async () => {
  const onInvalidRow = vi.fn();
  const vault = await open({ onInvalidRow });
  await vault.import(['http://192.0.2.1:80', 'http://192.0.2.2:80']);
  await vault.stats();
  expect(onInvalidRow).not.toHaveBeenCalled();
  vault.database.driver.exec(
    `PRAGMA ignore_check_constraints = 1; UPDATE proxies SET status = 'odd' WHERE host = '192.0.2.1'`,
  );
  const { proxies } = await vault.stats();
  expect(proxies).toEqual({ active: 1, failed: 0, checking: 0, disabled: 0, total: 2 });
  expect(onInvalidRow.mock.calls).toEqual([
    [expect.objectContaining({ code: 'INVALID_ROW', details: { table: 'proxies', id: null, rows: 1 } })],
  ]);
});

describe('a URL in place of an id', () => {
  it.each<[string, (vault: Vault, id: string) => unknown]>([
    ['reveal', (vault, id) => vault.reveal(id)],
    ['update', (vault, id) => vault.proxies.update(id, { name: 'x' })],
    ['report', (vault, id) => vault.pool.report(id, { success: true })],
    ['a sticky session', (vault, proxyId) => vault.sticky.create({ domain: 'a.example', proxyId })],
    ['a login', (vault, id) => vault.credentials.store(id, { username: 'a', password: 'b' })],
    ['a rule', (vault, id) => vault.rules.update(id, { name: 'x' })],
  ])('is NOT_FOUND to %s, and the error does not repeat its login', async (_, work) => {
    const vault = await open();
    for (const id of [LOGIN_URL, 'gate.example.com:1080:me:s3@cret', 'me:s3@cret']) {
      const error = await (async () => work(vault, id))().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'NOT_FOUND' });
      expect(inspect(error, { depth: 9 }).split('\n    at ')[0]).not.toMatch(/me:|s3/);
      expect(JSON.stringify(error)).not.toMatch(/me:|s3/);
    }
  });

  it('is not stored by a rule, which would keep the login in clear', async () => {
    const vault = await open();
    const rule = {
      name: 'x',
      conditions: [{ field: 'domain' as const, operator: 'equals' as const, value: 'a.example' }],
      actions: [{ type: 'use-proxy' as const, proxyId: LOGIN_URL }],
    };
    expect(() => vault.rules.create(rule)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
    expect(vault.rules.findAll()).toEqual([]);
  });
});

describe('options of a list or a backup that would be overlooked are rejected, and nothing happens', () => {
  it.each([
    ['a misspelt name', { dryrun: true }],
    ['a signal, which an import does not know', { signal: AbortSignal.abort() }],
    ['a sync that is a text', { tag: 'mine', sync: 'false' }],
    ['force that is a number', { tag: 'mine', sync: true, force: 0 }],
    ['a dry run that is null', { dryRun: null }],
    ['remoteDns that is a text', { remoteDns: 'false' }],
    ['a callback that is no function', { onRefused: 'log' }],
    ['no object', null],
    ['a number', 5],
  ])('import: %s', async (_, options) => {
    const vault = await open();
    await expect(vault.import(LOGIN_URL, options as never)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(vault.proxies.count()).toBe(0);
  });

  it.each([
    ['a misspelt name', { Reveal: false }],
    ['reveal that is a text', { reveal: 'false' }],
    ['a callback that is no function', { onLeftOut: true }],
    ['no object', null],
  ])('export: %s', async (_, options) => {
    const vault = await open();
    await vault.import(LOGIN_URL);
    expect(() => [...vault.export(options as never)]).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT' }),
    );
  });

  it.each([
    ['no path', undefined, {}],
    ['a number', 5, {}],
    ['an empty path', '', {}],
    ['a misspelt name', 'copy.db', { overwite: true }],
    ['overwrite that is a text', 'copy.db', { overwrite: 'false' }],
    ['a callback that is no function', 'copy.db', { onProgress: true }],
    ['options that are null', 'copy.db', null],
  ])('backup: %s', async (_, name, options) => {
    const vault = await open();
    const path = name === 'copy.db' ? join(temporaryFolder(), name) : name;
    await expect(vault.backup(path as string, options as never)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    if (name === 'copy.db') expect(existsSync(path as string)).toBe(false);
  });
});

describe('reveal', () => {
  it('gives what a client needs, also where there is no login', async () => {
    const vault = await open();
    await vault.import(['http://[2001:db8::1]:8080', LOGIN_URL]);
    const [open6, gate] = vault.proxies.findAll().map(({ id }) => vault.reveal(id));
    expect(open6).toMatchObject({
      url: 'http://[2001:db8::1]:8080',
      server: 'http://[2001:db8::1]:8080',
      username: '',
      password: '',
      rotateUrl: undefined,
    });
    expect(gate).toMatchObject({
      protocol: 'socks5',
      host: 'gate.example.com',
      port: 1080,
      server: 'socks5://gate.example.com:1080',
      username: 'me',
      password: 's3@cret',
    });
  });

  it('fills in the template of a login, or says what it needs', async () => {
    const vault = await open();
    await vault.import('http://user-session-{session}:pw@gate.example.com:8080');
    const [{ id } = { id: '' }] = vault.proxies.findAll();
    expect(vault.reveal(id, { session: 'cart-17' }).username).toBe('user-session-cart-17');
    expect(() => vault.reveal(id)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringContaining('session') }),
    );
  });

  it.each([null, 5, 'cart-17', { sesion: 'x' }])(
    'rejects a template with other values than it knows: %j',
    async (template) => {
      const vault = await open();
      await vault.import(`http://user-session-{session}:pw@gate.example.com:8080\n${LOGIN_URL}`);
      for (const { id } of vault.proxies.findAll())
        expect(() => vault.reveal(id, template as never)).toThrow(
          expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringContaining('template') }),
        );
    },
  );

  it.each(['moves', 'removes'])(
    'gives one state of a proxy that another program %s meanwhile',
    async (way) => {
      let meanwhile = (): void => {};
      const verbose = (sql: string): void => {
        if (!sql.includes('encrypted_credentials')) return;
        const work = meanwhile;
        meanwhile = () => {};
        work();
      };
      const vault = await open({ verbose });
      await vault.import(LOGIN_URL);
      const [{ id } = { id: '' }] = vault.proxies.findAll();
      const other = await open({
        path: vault.database.path,
        keyFile: join(vault.database.path, '..', 'key'),
      });
      let isChanged = false;
      meanwhile = () => {
        if (way === 'moves') other.proxies.update(id, { port: 1081 });
        else other.proxies.delete(id);
        isChanged = true;
      };
      expect(vault.reveal(id)).toMatchObject({ port: 1080, password: 's3@cret' });
      expect(isChanged).toBe(true);
      if (way === 'moves') expect(vault.reveal(id)).toMatchObject({ port: 1081, password: 's3@cret' });
      else expect(() => vault.reveal(id)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    },
  );

  it('knows no proxy that is gone', async () => {
    const vault = await open();
    expect(() => vault.reveal('0199c0de-0000-7000-8000-000000000001')).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
  });

  it('shows the login to whoever asks for it by name, and to nobody else', async () => {
    const vault = await open();
    await vault.import(LOGIN_URL);
    const [{ id } = { id: '' }] = vault.proxies.findAll();
    const revealed = vault.reveal(id);
    const shown = [
      inspect(revealed, { showHidden: true, depth: 9 }),
      inspect({ deep: [revealed] }),
      JSON.stringify(revealed),
      `${revealed}`,
      JSON.stringify({ ...revealed }),
      inspect(vault, { depth: 9 }),
    ];
    for (const text of shown) expect(text).not.toMatch(/s3|me:/);
    expect(shown[2]).toContain('***:***@gate.example.com:1080');
  });
});

describe('restoreVault', () => {
  /** A pool with a login, a backup of it, and the options that open both. */
  async function backedUp(): Promise<{ path: string; backup: string; keyFile: string }> {
    const vault = await open();
    const { path } = vault.database;
    await vault.import(LOGIN_URL);
    const backup = await vault.backup(join(path, '..', 'backup.db'));
    await vault.close();
    return { path, backup, keyFile: join(path, '..', 'key') };
  }

  it('rejects an option it does not know, and changes nothing', async () => {
    const { path, backup } = await backedUp();
    const misuses = [
      { keyfile: 'key' },
      { onKeyCreated: () => undefined },
      { key: 'x', keyFile: 'y' },
      { keyFile: path },
    ];
    for (const options of [...misuses, { toString: 1 }])
      await expect(
        restoreVault(backup, path, { overwrite: true, ...options } as never),
      ).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    for (const none of [null, 5, 'overwrite'])
      await expect(restoreVault(backup, path, none as never)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      });
    await expect(restoreVault(backup, path)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('says that the key fits, or what to do', async () => {
    const { path, backup, keyFile } = await backedUp();
    const overwrite = true;
    const fitting = await restoreVault(backup, path, { overwrite, keyFile });
    expect(fitting).toMatchObject({ path, key: 'fits', keyLocation: keyFile, advice: null, pending: false });
    const missing = await restoreVault(backup, path, { overwrite, keyFile: join(path, '..', 'other') });
    expect(missing).toMatchObject({ key: 'not found', advice: expect.stringContaining('other') });
    const another = await restoreVault(backup, path, { overwrite, key: randomBytes(32) });
    expect(another).toMatchObject({ key: 'does not fit' });
    const vault = await open({ path, keyFile });
    const [{ id } = { id: '' }] = vault.proxies.findAll();
    expect(vault.reveal(id).password).toBe('s3@cret');
  });

  it('reports what it has done also if the passphrase function throws', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'pool.db');
    const keyFile = join(folder, 'key');
    const vault = await open({ path, keyFile, passphrase: 'correct horse battery staple' });
    await vault.import(LOGIN_URL);
    const backup = await vault.backup(join(folder, 'backup.db'));
    await vault.close();
    const passphrase = (): string => {
      throw new Error('cancelled: s3@cret');
    };
    const report = await restoreVault(backup, path, { overwrite: true, keyFile, passphrase });
    expect(report).toMatchObject({ path, key: 'not checked', advice: expect.stringContaining('key verify') });
    expect(existsSync(report.replaced ?? '')).toBe(true);
    expect(JSON.stringify(report)).not.toContain('s3');
  });
});
