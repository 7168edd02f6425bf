/**
 * Everything that the library does with files by itself, and not through SQLite: what file-order.test.ts and
 * file-faults.test.ts try. A new operation is one entry here.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import {
  type DatabaseManager,
  EncryptedCredentialsRepository,
  EncryptionService,
  type ErrorCode,
  initDatabase,
  keyringFile,
  ProxyRepository,
  restoreDatabase,
  type SafeStorage,
} from 'proxyvault';
import { withFileErrors } from '../../src/files/file-error.ts';
import { withLock } from '../../src/files/lock.ts';
import { ownMark } from '../../src/files/owner.ts';
import { PrivateFile } from '../../src/files/private-file.ts';
import { Spool } from '../../src/files/spool.ts';

/** One operation, ready to run. */
interface Attempt {
  run(): unknown;
  /** Throws unless what was there before, or what the operation makes of it, is whole and readable. */
  assertIntact(): unknown;
  /** What no error may show. */
  secrets: readonly string[];
  /** The names in the folder when it has succeeded. */
  leaves: readonly string[];
  /** How it is tried again after a failure, if not by `run`; and what that may leave besides. */
  runAgain?(): unknown;
  mayLeave?: readonly string[];
  /** Throws unless it was done to its end. */
  assertDone?(): void;
  /** A code that fits any fault besides those that say what the system has said. */
  mayThrow?: ErrorCode;
}

export interface FileOperation {
  name: string;
  /** Makes what the operation works on, in an empty folder. */
  prepare(folder: string): Attempt | Promise<Attempt>;
  /** In which parts of the source faults are tried: an operation before this one has the others too. */
  only?: RegExp;
}

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

/** A pool file with one proxy of this host, closed. */
function makePool(path: string, host: string): void {
  using db = initDatabase({ path });
  db.migrations.up();
  new ProxyRepository(db).create({ host, port: 1, protocol: 'http' });
}

let templates: Map<string, Buffer> | null = null;

/** As {@link makePool}, for the hosts `old` and `new`; copied, which is faster. */
function copyPool(path: string, host: 'old' | 'new'): void {
  templates ??= new Map();
  if (!templates.has(host)) {
    makePool(path, host);
    templates.set(host, readFileSync(path));
  }
  writeFileSync(path, templates.get(host) ?? '', { mode: 0o600 });
}

/** By SQLite alone, which leaves a pool a pool, and a backup a backup. */
function hostOf(path: string): unknown {
  const db = new Database(path, { fileMustExist: true });
  try {
    return db.prepare('SELECT host FROM proxies').pluck().get();
  } finally {
    db.close();
  }
}

function assertHost(path: string, ...hosts: string[]): void {
  const host = hostOf(path);
  if (!hosts.includes(String(host)))
    throw new Error(`${path} has ${host}, and should have ${hosts.join(' or ')}.`);
}

/** A backup of a pool with the host `new`, as the library makes it. */
let backupBytes: Buffer | null = null;

async function writeBackup(path: string): Promise<void> {
  if (backupBytes === null) {
    const pool = `${path}.pool`;
    copyPool(pool, 'new');
    await using db = initDatabase({ path: pool });
    await db.backup(path);
    backupBytes = readFileSync(path);
    db.close();
    rmSync(pool);
  }
  writeFileSync(path, backupBytes, { mode: 0o600 });
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

export const OTHER_FILES: readonly FileOperation[] = [
  {
    name: 'a list of logins is written to a new file',
    prepare: (folder) => {
      const path = join(folder, 'list.txt');
      const run = (): void => {
        using file = new PrivateFile(path);
        file.write('h.example:1:u:canary-1\n');
        file.write('h.example:2:u:canary-2\n');
        file.publish();
      };
      return {
        run,
        // If the name was given already, a user removes the file first.
        runAgain: () => {
          rmSync(path, { force: true });
          run();
        },
        assertIntact: () => {
          if (!existsSync(path)) return;
          const text = readFileSync(path, 'utf8');
          if (!text.endsWith('canary-2\n')) throw new Error(`It has ${JSON.stringify(text)}.`);
        },
        secrets: ['canary'],
        leaves: ['list.txt'],
      };
    },
  },
  {
    name: 'an import keeps more than memory should hold',
    prepare: (folder) => {
      let read: string[] = [];
      return {
        run: () => {
          const before = process.env.TMPDIR;
          process.env.TMPDIR = folder;
          try {
            using spool = new Spool<string>();
            for (let n = 0; n < 2001; n++) spool.push(`canary-${n}`);
            read = [...spool.read()];
          } finally {
            if (before === undefined) delete process.env.TMPDIR;
            else process.env.TMPDIR = before;
          }
        },
        assertIntact: () => {
          if (read.some((value, n) => value !== `canary-${n}`)) throw new Error('A value was lost.');
        },
        assertDone: () => {
          if (read.length !== 2001) throw new Error(`There are ${read.length} values.`);
        },
        secrets: ['canary'],
        leaves: [],
      };
    },
  },
  {
    name: 'a lock is taken',
    prepare: (folder) => {
      const path = join(folder, 'a.lock');
      let held = 0;
      return {
        run: () =>
          withFileErrors('The lock cannot be taken', path, () =>
            withLock(path, 0, (isHeld) => {
              held = isHeld() ? held + 1 : Number.NaN;
            }),
          ),
        assertIntact: () => {
          if (Number.isNaN(held)) throw new Error('The work ran without the lock.');
        },
        secrets: [],
        leaves: [],
      };
    },
  },
  {
    name: 'a lock of a process that has ended is broken',
    prepare: (folder) => {
      const path = join(folder, 'a.lock');
      const [machine, place] = ownMark().split('-');
      // No process has an id as large as this one.
      writeFileSync(path, `${machine}-${place}-99999999-1 0123456789abcdef`);
      return {
        run: () => withFileErrors('The lock cannot be taken', path, () => withLock(path, 0, () => undefined)),
        assertIntact: () => undefined,
        secrets: [],
        leaves: [],
      };
    },
  },
];

export const POOLS: readonly FileOperation[] = [
  {
    name: 'a pool is made, in new folders',
    prepare: (folder) => {
      const path = join(folder, 'a', 'b', 'pool.db');
      return {
        run: () => initDatabase({ path }).close(),
        assertIntact: () => {
          if (existsSync(path)) initDatabase({ path }).close();
        },
        secrets: [],
        leaves: ['a', 'a/b', 'a/b/pool.db'],
      };
    },
  },
  {
    name: 'a pool is opened and closed',
    prepare: (folder) => {
      const path = join(folder, 'pool.db');
      copyPool(path, 'old');
      return {
        run: () => initDatabase({ path }).close(),
        assertIntact: () => assertHost(path, 'old'),
        secrets: [],
        leaves: ['pool.db'],
      };
    },
  },
  {
    name: 'a backup is made, in new folders',
    prepare: (folder) => {
      const [path, copy] = [join(folder, 'pool.db'), join(folder, 'copies', 'deep', 'copy.db')];
      copyPool(path, 'old');
      return {
        run: async () => {
          await using db = initDatabase({ path });
          // A name that was given before the failure is not given again.
          await db.backup(copy, { overwrite: existsSync(copy) });
        },
        assertIntact: () => {
          assertHost(path, 'old');
          if (existsSync(copy)) assertHost(copy, 'old');
        },
        secrets: [],
        leaves: ['copies', 'copies/deep', 'copies/deep/copy.db', 'pool.db'],
      };
    },
  },
  {
    name: 'a backup replaces an older one',
    only: /sqlite.(?:backup-target|exclusive|replace)\.ts/,
    prepare: async (folder) => {
      const [path, copy] = [join(folder, 'pool.db'), join(folder, 'copy.db')];
      copyPool(path, 'old');
      await writeBackup(copy);
      return {
        run: async () => {
          await using db = initDatabase({ path });
          await db.backup(copy, { overwrite: true });
        },
        assertIntact: () => {
          assertHost(path, 'old');
          assertHost(copy, 'old', 'new');
        },
        secrets: [],
        leaves: ['copy.db', 'pool.db'],
      };
    },
  },
  {
    name: 'a migration is undone, and a copy from before it is kept',
    prepare: (folder) => {
      const path = join(folder, 'pool.db');
      copyPool(path, 'old');
      return {
        run: () => {
          using db = initDatabase({ path });
          db.migrations.down(1);
        },
        assertIntact: () => {
          using db = initDatabase({ path });
          db.migrations.up();
          assertHost(path, 'old');
        },
        secrets: [],
        leaves: ['pool.db', 'pool.db.TIME.before-MIGRATION.backup'],
      };
    },
  },
  {
    name: 'a backup is restored to new folders',
    prepare: async (folder) => {
      const [backup, path] = [join(folder, 'copy.db'), join(folder, 'a', 'b', 'pool.db')];
      await writeBackup(backup);
      return {
        run: () => restoreDatabase(backup, path, { overwrite: true, busyTimeoutMs: 0 }),
        assertIntact: () => {
          assertHost(backup, 'new');
          if (existsSync(path) && readFileSync(path).length > 0) assertHost(path, 'new');
        },
        secrets: [],
        leaves: ['a', 'a/b', 'a/b/pool.db', 'copy.db'],
        mayLeave: ['a/b/pool.db.TIME.before-restore.backup'],
      };
    },
  },
  {
    name: 'a backup is restored in the place of a pool',
    only: /sqlite.(?:exclusive|kept|replace)\.ts/,
    prepare: async (folder) => {
      const [backup, path] = [join(folder, 'copy.db'), join(folder, 'pool.db')];
      copyPool(path, 'old');
      await writeBackup(backup);
      return {
        run: () => restoreDatabase(backup, path, { overwrite: true, busyTimeoutMs: 0 }),
        assertIntact: () => {
          assertHost(backup, 'new');
          assertHost(path, 'old', 'new');
        },
        secrets: [],
        leaves: ['copy.db', 'pool.db', 'pool.db.TIME.before-restore.backup'],
      };
    },
  },
  {
    name: 'a backup is restored in the place of a pool that is damaged and has a log',
    only: /sqlite.(?:foreign-log|replace|system-locks)\.ts/,
    prepare: async (folder) => {
      const [backup, path] = [join(folder, 'copy.db'), join(folder, 'pool.db')];
      await writeBackup(backup);
      const [damaged, log] = [randomBytes(5000), randomBytes(500)];
      writeFileSync(path, damaged, { mode: 0o600 });
      writeFileSync(`${path}-wal`, log, { mode: 0o600 });
      return {
        run: () => restoreDatabase(backup, path, { overwrite: true, busyTimeoutMs: 0 }),
        // Its bytes may be all that is left of a pool.
        assertIntact: () => {
          assertHost(backup, 'new');
          const files = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))] as const);
          const [file] = files.find(([, bytes]) => bytes.equals(damaged)) ?? [];
          const [its] = files.find(([, bytes]) => bytes.equals(log)) ?? [];
          if (file === undefined || its === undefined) throw new Error('The damaged pool was lost.');
          if (file !== 'pool.db' && its !== `${file}-wal`) throw new Error(`${its} is not beside ${file}.`);
        },
        secrets: [],
        leaves: [
          'copy.db',
          'pool.db',
          'pool.db.TIME.before-restore.backup',
          'pool.db.TIME.before-restore.backup-wal',
        ],
      };
    },
  },
];

/** The names below a folder, without what differs each time. */
export function namesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) =>
    name
      .replace(/\d{8}T\d{9}Z/, 'TIME')
      .replace(/(?<=before-)\d.+(?=\.backup)/, 'MIGRATION')
      .replace(/(?<=\.bak-)[\da-f]{8}$/, 'RANDOM'),
  );
  return [...new Set(names)].sort();
}
