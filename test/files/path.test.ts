import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { initDatabase } from 'proxyvault';
import { migrationsFromFolder, restoreDatabase } from 'proxyvault/database';
import { EncryptionService } from 'proxyvault/database/services';
import { keyringFile } from 'proxyvault/keys';
import { parseProxyList } from 'proxyvault/lists';
import { describe, expect, it } from 'vitest';
import { ProxyVaultError } from '../../src/errors.ts';
import { assertPath } from '../../src/files/path.ts';
import { PrivateFile } from '../../src/files/private-file.ts';
import { chooseKeySource, readPassphraseFile } from '../../src/keys/sources/choose.ts';
import { openMigrated, temporaryFolder } from '../support/temporary.ts';

const URLS = [
  'postgres://user-7:s3cret@db.example:5432/pool',
  'postgresql://db.example/pool?user=user-7&password=s3cret',
  'mysql://user%2D7:s%33cret@db.example/pool',
  'FILE:///home/user-7/s3cret.db',
  'https+unix://s3cret',
  '  redis://:s3cret@db.example',
];
const SECRETS = /s3cret|s%33cret|user-7|user%2D7|db\.example/i;

/** What takes a path, and what it is called there. */
const TAKERS: Record<string, (url: string) => unknown> = {
  initDatabase: (path) => initDatabase({ path }),
  'initDatabase, read-only': (path) => initDatabase({ path, readonly: true }),
  'restoreDatabase, from': (url) => restoreDatabase(url, join(temporaryFolder(), 'pool.db')),
  'restoreDatabase, to': async (url) => {
    const backup = await openMigrated().backup(join(temporaryFolder(), 'backup.db'));
    return restoreDatabase(backup, url, { overwrite: true });
  },
  backup: (url) => openMigrated().backup(url),
  'backup, over an older one': (url) => openMigrated().backup(url, { overwrite: true }),
  keyFile: (keyFile) => new EncryptionService({ keyFile }),
  keyringFile: (path) => new EncryptionService({ keySource: keyringFile(path) }),
  PROXYVAULT_KEY_FILE: (url) => chooseKeySource({ env: { PROXYVAULT_KEY_FILE: url } }),
  'a passphrase file': readPassphraseFile,
  'a private file': (url) => new PrivateFile(url),
  'a list': (file) => parseProxyList({ file }).next(),
  migrationsFromFolder: (url) => migrationsFromFolder('app', url),
};

async function thrownBy(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error('it threw nothing');
}

describe.each(Object.entries(TAKERS))('a URL in place of a path: %s', (_, take) => {
  it.each(URLS)('%s is rejected, makes no file, and no error has more than its scheme', async (url) => {
    const before = readdirSync('.');
    const error = await thrownBy(() => take(url));
    expect(error).toBeInstanceOf(ProxyVaultError);
    expect(error).toMatchObject({ code: 'INVALID_INPUT' });
    expect(error).not.toHaveProperty('cause');
    const { message, stack, details } = error as ProxyVaultError;
    expect(message).toContain(`${/\w[^:]*/.exec(url)?.[0].toLowerCase()}:// URL`);
    // The stack names the files of this repository, which have none of it.
    for (const shown of [message, inspect(error), String(stack), JSON.stringify({ ...details, error })])
      expect(shown).not.toMatch(SECRETS);
    expect(readdirSync('.')).toEqual(before);
  });
});

it.each([
  '"postgres://user-7:s3cret@db.example/pool"',
  "'postgres://user-7:s3cret@db.example/pool'",
  'url=postgres://user-7:s3cret@db.example/pool',
  'jdbc:postgresql://user-7:s3cret@db.example/pool',
  'jdbc:mysql:user-7:s3cret@db.example',
  'postgres:/user-7:s3cret@db.example/pool',
  'postgres:user-7:s3cret@db.example/pool',
  'postgres:\\\\user-7:s3cret@db.example\\pool',
  'postgres ://user-7:s3cret@db.example/pool',
  '\u200bpostgres://user-7:s3cret@db.example/pool',
  'postgres%3A%2F%2Fuser-7:s3cret@db.example/pool',
  'user-7:s3cret@db.example/pool',
  'host=db.example user=user-7 password=s3cret',
  'Server=db.example;Uid=user-7;Pwd=s3cret',
])('%s is rejected as a path, and is not repeated', (text) => {
  let message = '';
  try {
    assertPath(text, 'The pool');
  } catch (error) {
    message = inspect(error);
  }
  expect(message).toContain('INVALID_INPUT');
  expect(message.replace(/\n\s+at .*/g, '')).not.toMatch(SECRETS);
});

it.each([
  'pool.db',
  ':memory:',
  'C:\\data\\pool.db',
  'C:/data/pool.db',
  'c://data/pool.db',
  '/data/a:b.db',
  'postgres:pool.db',
  './user:secret@x.db',
  'notes=1.db',
  'me@work.db',
  'a:b.db',
  './https://x.db',
  '//server/share/pool.db',
])('%s is a path', (path) => {
  expect(() => assertPath(path, 'it')).not.toThrow();
});
