/**
 * Every public operation, on a pool with {@link PROXIES} proxies and their key in a folder of its own. What it has done is
 * said to `say`, so that it can be looked for afterwards (facts.ts). The I/O faults and the limits run each of them.
 *
 * To add one: a line in LIBRARY or COMMANDS.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type DatabaseManager,
  EncryptedCredentialsRepository,
  EncryptionService,
  exportProxies,
  importProxies,
  initDatabase,
  openVault,
  ProxyRepository,
  ProxyUsageStatsRepository,
  ProxyVaultError,
  RotationConfigRepository,
  RotationEventsRepository,
  StickySessionRepository,
} from 'proxyvault';
import { restoreDatabase } from 'proxyvault/database';
import { keyringFile } from 'proxyvault/keys';
import { type Fact, KEY, type Line, POOL } from './facts.ts';
import { runCommand } from './run-command.ts';

/** In the pool that each operation begins with; their ports are 1, 2, … and their passwords `first-` and the port. */
const PROXIES = 12;
/** More lines than an import keeps in memory. */
const LIST_LINES = 1100;
const LONG_LIST = Array.from({ length: LIST_LINES }, (_, n) => `list.example:${1000 + n}\n`).join('');

/** What an operation works on. */
export interface Place {
  root: string;
  pool: string;
  keyFile: string;
  /** A proxy that nothing is said of, for commands that change or remove one. */
  id: string;
  say: (line: Line) => void;
}

export interface Operation {
  name: string;
  run: (place: Place) => unknown;
}

export function placeIn(root: string, say: (line: Line) => void = () => undefined, id = ''): Place {
  return { root, pool: join(root, POOL), keyFile: join(root, KEY), id, say };
}

/** Makes the pool that the operations begin with; closed, so that it can be copied. Gives the id of a {@link Place}. */
export function prepare(place: Place): string {
  using db = initDatabase({ path: place.pool });
  db.migrations.up();
  for (let port = 1; port <= PROXIES; port++) create({ ...opened(db, place), place }, port);
  writeFileSync(join(place.root, 'list.txt'), LONG_LIST);
  return opened(db, place).proxies.create({
    host: 'gate.example',
    port: 999,
    protocol: 'http',
    credentials: { username: 'u', password: 'p' },
  }).id;
}

interface Opened {
  db: DatabaseManager;
  encryption: EncryptionService;
  proxies: ProxyRepository;
  credentials: EncryptedCredentialsRepository;
}

function opened(db: DatabaseManager, { keyFile }: Place): Opened {
  const encryption = new EncryptionService({ keyFile, database: db });
  return {
    db,
    encryption,
    proxies: new ProxyRepository(db, encryption),
    credentials: new EncryptedCredentialsRepository(db, encryption),
  };
}

/** Says before and after what `work` does; if it fails, that it has failed, unless its outcome is in doubt. */
async function act<T>({ say }: Place, fact: Fact, work: () => T | Promise<T>): Promise<T> {
  say({ doing: fact });
  try {
    const result = await work();
    say({ done: fact });
    return result;
  } catch (error) {
    if (!(error instanceof ProxyVaultError && error.details.inDoubt === true)) say({ failed: fact });
    throw error;
  }
}

/** One transaction over five tables. */
function create({ db, proxies, place: { say } }: Opened & { place: Place }, port: number): string {
  const fact: Fact = { kind: 'created', port, password: `first-${port}` };
  const id = db.transaction(() => {
    const proxy = proxies.create({
      host: 'gate.example',
      port,
      protocol: 'socks5',
      credentials: { username: `user-${port}`, password: `first-${port}` },
    });
    new StickySessionRepository(db).create({ domain: `d${port}.example`, proxyId: proxy.id });
    new RotationEventsRepository(db).append({
      previousProxyId: null,
      newProxyId: proxy.id,
      reason: 'manual',
    });
    new ProxyUsageStatsRepository(db).record(proxy.id, { success: true, latency: 5 });
    return proxy.id;
  });
  say({ done: fact });
  return id;
}

/** An operation on the open pool, which is opened and closed around it. */
function onPool(name: string, work: (opened: Opened, place: Place) => unknown): Operation {
  return {
    name,
    run: async (place) => {
      await using db = initDatabase({ path: place.pool, busyTimeoutMs: 200 });
      await work(opened(db, place), place);
    },
  };
}

function firstId({ proxies }: Opened): string {
  return proxies.findAll()[0]?.id ?? '';
}

export const LIBRARY: readonly Operation[] = [
  {
    name: 'initDatabase, new, with its first credential',
    run: async (place) => {
      const fresh = placeIn(join(place.root, 'fresh'), place.say);
      await using db = initDatabase({ path: fresh.pool });
      db.migrations.up();
      opened(db, fresh).proxies.create({
        host: 'gate.example',
        port: 500,
        protocol: 'http',
        credentials: { username: 'u', password: 'p' },
      });
    },
  },
  onPool('read', ({ db, proxies, credentials }) => {
    for (const { id } of proxies.iterate()) credentials.reveal(id);
    proxies.list({ limit: 5 });
    new RotationEventsRepository(db).recent();
  }),
  onPool('write', async ({ proxies, credentials, ...rest }, place) => {
    const id = firstId({ proxies, credentials, ...rest });
    await act(place, { kind: 'password', port: 1, password: 'second' }, () =>
      credentials.store(id, { username: 'u', password: 'second' }),
    );
    await act(place, { kind: 'requests', port: 1, requests: 1 }, () => proxies.updateStats(id, true, 10));
    await act(place, { kind: 'removed', port: 2 }, () => proxies.delete(proxies.findAll()[1]?.id ?? ''));
  }),
  onPool('transaction', (pool, place) =>
    act(place, { kind: 'created', port: 600, password: 'first-600' }, () =>
      create({ ...pool, place: { ...place, say: () => undefined } }, 600),
    ),
  ),
  onPool('own tables', (pool, place) => {
    const { db } = pool;
    db.execute('CREATE TABLE IF NOT EXISTS notes (port INTEGER PRIMARY KEY, text TEXT)');
    db.query('INSERT INTO notes (text) VALUES (?) RETURNING port', ['first']);
    return act(place, { kind: 'created', port: 610, password: 'first-610' }, () =>
      db.transaction(() => {
        db.execute('INSERT INTO notes VALUES (:port, :text)', { port: 610, text: 'second' });
        create({ ...pool, place: { ...place, say: () => undefined } }, 610);
        db.query('SELECT text FROM notes WHERE port = ?', [610]);
      }),
    );
  }),
  onPool('rotation', async ({ db }, { pool: path, keyFile }) => {
    new RotationConfigRepository(db).setStrategy('round-robin');
    await using vault = await openVault({ path, keyFile });
    const { id } = vault.pool.choose({ domain: 'target.example', session: 'one' });
    vault.pool.report(id, { success: true, latencyMs: 5 });
  }),
  onPool('import', ({ db, encryption }, place) =>
    act(place, { kind: 'imported', from: 700, to: 720 }, () =>
      importProxies(db, credentialsList(700, 720), { encryption, tag: 'list' }),
    ),
  ),
  onPool('import, spooled', ({ db, encryption }) => importProxies(db, LONG_LIST, { encryption })),
  onPool('import, in batches', ({ db, encryption }) =>
    importProxies(db, credentialsList(800, 830), { encryption, batch: 10 }),
  ),
  onPool('export', ({ db, encryption }) => [...exportProxies(db, { encryption, reveal: true })].join('')),
  onPool('backup', ({ db }, place) =>
    act(place, { kind: 'backup', path: 'copies/new/pool.db', proxies: PROXIES }, () =>
      db.backup(join(place.root, 'copies/new/pool.db')),
    ),
  ),
  onPool('migrations', async ({ db: { migrations } }, place) => {
    const newest = migrations.getCurrentVersion();
    place.say({ done: { kind: 'version', version: newest } });
    await act(place, { kind: 'version', version: newest - 1 }, () => migrations.down(1));
    await act(place, { kind: 'version', version: newest }, () => migrations.up());
  }),
  {
    name: 'restore',
    run: async ({ root, pool }) => {
      await restoreDatabase(join(root, 'copy.db'), pool, { overwrite: true, busyTimeoutMs: 200 });
    },
  },
  onPool('check', ({ db }) => db.check({ deep: true })),
  onPool('stats', ({ db }) => db.stats()),
  onPool('background', ({ db }) => db.background.all('SELECT * FROM proxies')),
  onPool('checkpoint', ({ db }) => db.checkpoint()),
  onPool('vacuum', ({ db }) => db.vacuum()),
  onPool('prune', ({ db }) => db.prune({ eventsOlderThan: new Date(0), statsOlderThan: new Date(0) })),
  onPool('rotate', ({ encryption }, place) =>
    act(place, { kind: 'rotated' }, () => encryption.rotate({ batchSize: 5 })),
  ),
  onPool('protect', ({ encryption }, place) =>
    act(place, { kind: 'moved' }, () => encryption.protect(keyringFile(place.keyFile))),
  ),
  onPool('key status and verify', async ({ encryption }) => {
    encryption.status();
    await encryption.verify();
  }),
  onPool('recover', async ({ db, encryption }, { root }) => {
    const code = encryption.createRecoveryCode();
    await EncryptionService.recover({ database: db, code, keyFile: join(root, 'recovered') });
  }),
];

function credentialsList(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, n) => `list.example:${from + n}:u:p${from + n}\n`).join('');
}

const COMMANDS: readonly (readonly string[])[] = [
  ['init'],
  ['import', '{root}/list.txt', '--tag', 'list'],
  ['import', '{root}/list.txt', '--dry-run'],
  ['add', 'http://u:p@gate.example:900'],
  ['list', '--reveal'],
  ['show', '{id}'],
  ['next', '--domain', 'target.example', '--reveal'],
  ['exec', '--', 'true'],
  ['report', '{id}', '--ok'],
  ['edit', '{id}', '--name', 'edited', '--port', '901'],
  ['disable', '{id}'],
  ['remove', '{id}'],
  ['rules', 'list'],
  ['config', 'set', 'strategy=random'],
  ['sticky', 'list'],
  ['events'],
  ['stats'],
  ['prune', '--usage-older-than', '400d', '--vacuum'],
  ['check', '--deep'],
  ['export', '--format', 'json', '--reveal'],
  ['export', '--reveal', '--output', '{root}/list-out.txt'],
  ['backup', '{root}/copies/cli/pool.db'],
  ['restore', '{root}/copy.db', '--force'],
  ['migrate', 'status'],
  ['migrate', 'down'],
  ['key', 'status'],
  ['key', 'verify'],
  ['key', 'rotate'],
  ['key', 'file'],
  ['key', 'recovery-code'],
];

export const COMMAND_LINE: readonly Operation[] = COMMANDS.map((words) => ({
  name: `proxyvault ${words.join(' ')}`,
  run: (place) => runCommand(words, place),
}));
