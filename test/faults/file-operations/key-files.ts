import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type DatabaseManager,
  EncryptedCredentialsRepository,
  EncryptionService,
  initDatabase,
  ProxyRepository,
} from 'proxyvault';
import { keyringFile, type SafeStorage } from 'proxyvault/keys';
import type { FileOperation } from './operation.ts';

const LOGIN = { username: 'canary-user', password: 'canary-pass' };

/** Without Electron: what it "encrypts" is the text turned around. */
const SAFE_STORAGE: SafeStorage = {
  isAsyncEncryptionAvailable: async () => true,
  encryptStringAsync: async (text) => Buffer.from([...text].reverse().join('')),
  decryptStringAsync: async (bytes) => ({
    result: [...bytes.toString()].reverse().join(''),
    shouldReEncrypt: false,
  }),
  getSelectedStorageBackend: () => 'gnome_libsecret',
};

/** A pool in memory with one login, under the key of `keyFile`. */
function poolOf(keyFile: string): { db: DatabaseManager; service: EncryptionService; id: string } {
  const db = initDatabase({ path: ':memory:' });
  db.migrations.up();
  const service = new EncryptionService({ keyFile, database: db });
  const { id } = new ProxyRepository(db, service).create({
    host: 'h.example',
    port: 1,
    protocol: 'http',
    credentials: LOGIN,
  });
  return { db, service, id };
}

function openService(database: DatabaseManager, keyFile: string): Promise<EncryptionService> {
  return EncryptionService.open({ keyFile, database, safeStorage: SAFE_STORAGE, protection: 'permissions' });
}

async function assertReadable(db: DatabaseManager, id: string, keyFile: string): Promise<void> {
  using service = await openService(db, keyFile);
  const { password } = new EncryptedCredentialsRepository(db, service).reveal(id) ?? {};
  if (password !== LOGIN.password) throw new Error('The login is not readable.');
}

export const KEY_FILES: readonly FileOperation[] = [
  {
    name: 'a key file is made, in new folders',
    prepare: (folder) => {
      const keyFile = join(folder, 'config', 'deep', 'key');
      const db = initDatabase({ path: ':memory:' });
      db.migrations.up();
      const proxy = { host: 'h.example', port: 1, protocol: 'http' as const, credentials: LOGIN };
      return {
        run: () => {
          using service = new EncryptionService({ keyFile, database: db });
          new ProxyRepository(db, service).create(proxy);
        },
        assertIntact: async () => {
          for (const { id } of new ProxyRepository(db).findAll()) await assertReadable(db, id, keyFile);
        },
        secrets: [LOGIN.password],
        leaves: ['config', 'config/deep', 'config/deep/key'],
      };
    },
  },
  {
    name: 'a plain key file is protected, and the plain backup goes',
    prepare: (folder) => {
      const keyFile = join(folder, 'key');
      const { db, service, id } = poolOf(keyFile);
      const plain = readFileSync(keyFile, 'latin1').trim();
      const target = keyringFile(keyFile, { safeStorage: SAFE_STORAGE });
      return {
        run: () => service.protect(target),
        runAgain: async () => {
          using again = await openService(db, keyFile);
          await again.protect(target);
        },
        assertIntact: () => assertReadable(db, id, keyFile),
        assertDone: () => {
          for (const name of readdirSync(folder))
            if (readFileSync(join(folder, name), 'latin1').includes(plain))
              throw new Error(`The key is still in ${name}, in clear.`);
        },
        mayLeave: ['key.bak'],
        secrets: [LOGIN.password, plain],
        leaves: ['key'],
      };
    },
  },
  {
    name: 'a plain key is replaced by another plain one',
    prepare: (folder) => {
      const keyFile = join(folder, 'key');
      const { db, service, id } = poolOf(keyFile);
      const plain = readFileSync(keyFile, 'latin1').trim();
      return {
        run: () => service.protect(keyringFile(keyFile)),
        assertIntact: () => assertReadable(db, id, keyFile),
        secrets: [LOGIN.password, plain],
        leaves: ['key', 'key.bak'],
      };
    },
  },
  {
    name: 'a key is moved to a file in a new folder',
    prepare: (folder) => {
      const [from, to] = [join(folder, 'key'), join(folder, 'other', 'key')];
      const { db, service, id } = poolOf(from);
      const plain = readFileSync(from, 'latin1').trim();
      return {
        run: () => service.protect(keyringFile(to)),
        // The key is where the pool says; if it was not moved there, it is where it was.
        assertIntact: async () => {
          const moved = await assertReadable(db, id, to).then(
            () => true,
            () => false,
          );
          if (!moved) await assertReadable(db, id, from);
        },
        secrets: [LOGIN.password, plain],
        leaves: ['key', 'other', 'other/key'],
        mayLeave: ['other/key.bak'],
      };
    },
  },
  {
    name: 'a key is recovered in place of a file that cannot be opened, beside an older backup',
    prepare: (folder) => {
      const keyFile = join(folder, 'key');
      const { db, service } = poolOf(keyFile);
      const code = service.createRecoveryCode();
      // Somebody may make sense of the first one yet.
      const others = [
        `damaged ${randomBytes(32).toString('base64')}\n`,
        `${randomBytes(32).toString('base64')}\n`,
      ];
      writeFileSync(keyFile, others[0] ?? '', { mode: 0o600 });
      writeFileSync(`${keyFile}.bak`, others[1] ?? '', { mode: 0o600 });
      return {
        run: () => EncryptionService.recover({ database: db, code, keyFile, replace: true }),
        assertIntact: () => {
          const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
          for (const other of others)
            if (!texts.includes(other))
              throw new Error(`A key was lost: there is ${readdirSync(folder).join(', ')}.`);
        },
        secrets: [code, ...others.map((text) => text.trim())],
        leaves: ['key', 'key.bak', 'key.bak-RANDOM'],
        // A file that cannot be read at first, and then can, has changed for it.
        mayThrow: 'BUSY',
      };
    },
  },
];
