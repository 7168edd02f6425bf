// Small pools, one for each way in which a key may lie on a disk.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { LOGINS, PASSPHRASE, TEXTS } from './contents.js';
import { keyFactsOf } from './full-pool.js';

export async function everyKeySource(tools) {
  return [
    ...(await severalKeys(tools)),
    await rotated(tools),
    await rotating(tools),
    await passphrase(tools),
    await safeStorage(tools),
    await environment(tools),
  ];
}

/** A key file with older keys: one pool is under the newest, another one still under the oldest. */
async function severalKeys(tools) {
  const { library, scratch } = tools;
  const keyFile = join(scratch, 'several.key');
  const place = { keyFile: 'several-keys/key' };
  const opened = await open(tools, 'left-behind', { keyFile });
  fill(tools, opened);
  const leftBehind = close(tools, opened, place);
  const pool = await open(tools, 'several-keys', { keyFile });
  fill(tools, pool);
  saveDirect(tools, pool, keyFile);
  for (let n = 0; n < 2; n++) await pool.encryption.protect(library.keyringFile(keyFile));
  return [leftBehind, close(tools, pool, place, keyFile)];
}

/** A rotation is over: the old key is gone, and what had been bound to no proxy is bound. */
async function rotated(tools) {
  const keyFile = join(tools.scratch, 'rotated.key');
  const pool = await open(tools, 'rotated', { keyFile });
  fill(tools, pool);
  saveDirect(tools, pool, keyFile);
  await pool.encryption.rotate();
  return close(tools, pool, { keyFile: 'rotated/key' }, keyFile);
}

/** A rotation was interrupted after two credentials: two data keys are in use. */
async function rotating(tools) {
  const keyFile = join(tools.scratch, 'rotating.key');
  const pool = await open(tools, 'rotating', { keyFile });
  fill(tools, pool);
  const stop = new Error('interrupted');
  const interrupted = pool.encryption.rotate({
    batchSize: 2,
    onProgress: () => {
      throw stop;
    },
  });
  await interrupted.catch((error) => {
    if (error !== stop) throw error;
  });
  return close(tools, pool, { keyFile: 'rotating/key' }, keyFile);
}

/** A keyring under a passphrase, with two older keys. */
async function passphrase(tools) {
  const { library, scratch } = tools;
  const keyFile = join(scratch, 'passphrase.key');
  const pool = await open(tools, 'passphrase', { keyFile, passphrase: PASSPHRASE });
  fill(tools, pool);
  for (let n = 0; n < 2; n++)
    await pool.encryption.protect(library.keyringFile(keyFile, { passphrase: PASSPHRASE }));
  return close(tools, pool, { keyFile: 'passphrase/key', passphrase: PASSPHRASE }, keyFile);
}

/** A keyring under Electron's safeStorage, of which a test has the same stand-in: `fakeSafeStorage`. */
async function safeStorage(tools) {
  const keyFile = join(tools.scratch, 'safe-storage.key');
  const pool = await open(tools, 'safe-storage', { keyFile, safeStorage: fakeSafeStorage() });
  fill(tools, pool);
  return close(tools, pool, { keyFile: 'safe-storage/key' }, keyFile);
}

async function environment(tools) {
  const key = randomBytes(32).toString('base64');
  const pool = await open(tools, 'environment', { env: { PROXYVAULT_KEY: key } });
  fill(tools, pool);
  return close(tools, pool, { environmentKey: key });
}

/** The bytes of the text, each with all bits turned. */
function fakeSafeStorage() {
  const turn = (bytes) => Buffer.from(bytes.map((byte) => byte ^ 0xff));
  return {
    isAsyncEncryptionAvailable: async () => true,
    getSelectedStorageBackend: () => 'gnome_libsecret',
    encryptStringAsync: async (text) => turn(Buffer.from(text)),
    decryptStringAsync: async (bytes) => ({ shouldReEncrypt: false, result: turn(bytes).toString() }),
  };
}

async function open({ library, scratch, clock }, name, source) {
  const path = join(scratch, `${name}.db`);
  const db = library.initDatabase({ path, clock });
  db.migrations.up();
  const encryption = await library.EncryptionService.open({ ...source, database: db });
  return { name, path, db, encryption, proxies: new library.ProxyRepository(db, encryption) };
}

function fill({ library }, { db, encryption, proxies }) {
  LOGINS.slice(0, 4).forEach((credentials, n) => {
    proxies.create({ host: `gate-${n}.example`, port: 7000, protocol: 'socks5', credentials });
  });
  const { id } = proxies.create({ host: 'text.example', port: 8080, protocol: 'http' });
  new library.EncryptedCredentialsRepository(db).save(id, encryption.encrypt(TEXTS.database));
}

/** A text under the key of the source itself, which becomes one of the database's keys when the source gets another. */
function saveDirect({ library }, { db, proxies }, keyFile) {
  const { id } = proxies.create({ host: 'direct.example', port: 8080, protocol: 'http' });
  const alone = new library.EncryptionService({ keyFile });
  new library.EncryptedCredentialsRepository(db).save(id, alone.encrypt(TEXTS.source));
}

function close({ library }, { name, path, db, encryption, proxies }, source, keyFile) {
  const recoveryCode = encryption.createRecoveryCode();
  const facts = keyFactsOf({ library, db, encryption, proxies });
  db.close();
  const key = keyFile === undefined ? {} : { key: readFileSync(keyFile) };
  const { kind } = encryption.source();
  return { name, kind, ...source, recoveryCode, ...facts, files: { 'pool.db': readFileSync(path), ...key } };
}
