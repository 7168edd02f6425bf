// Works with the public API while file-calls.c records it. Says what it is doing and what is done, a line of JSON each
// (../facts.ts): the images of power losses are held to that. A new operation is a new story, and a name in STORIES.
// usage: stories.ts STORY ROOT SEED
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  type DatabaseManager,
  EncryptedCredentialsRepository,
  EncryptionService,
  importProxies,
  initDatabase,
  ProxyRepository,
  ProxyUsageStatsRepository,
  RotationEventsRepository,
  StickySessionRepository,
} from 'proxyvault';
import { restoreDatabase } from 'proxyvault/database';
import { keyringFile } from 'proxyvault/keys';
import { type Fact, KEY, type Line, POOL } from '../facts.ts';
import { Random } from '../random.ts';

const [story = '', root = '', seed = '0'] = process.argv.slice(2);
const random = new Random(Number(seed));
const keyFile = join(root, KEY);

interface Pool {
  db: DatabaseManager;
  encryption: EncryptionService;
  proxies: ProxyRepository;
  credentials: EncryptedCredentialsRepository;
}

function say(line: Line): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

function act<T>(fact: Fact, work: () => T): T {
  say({ doing: fact });
  const result = work();
  say({ done: fact });
  return result;
}

async function wait(fact: Fact, work: () => Promise<unknown>): Promise<void> {
  say({ doing: fact });
  await work();
  say({ done: fact });
}

function open(): Pool {
  const db = initDatabase({ path: join(root, POOL) });
  db.migrations.up();
  const encryption = new EncryptionService({ keyFile, database: db });
  return {
    db,
    encryption,
    proxies: new ProxyRepository(db, encryption),
    credentials: new EncryptedCredentialsRepository(db, encryption),
  };
}

/** One transaction over five tables; gives the id. */
function create({ db, proxies }: Pool, port: number): string {
  const password = `first-${port}`;
  return act({ kind: 'created', port, password }, () =>
    db.transaction(() => {
      const { id } = proxies.create({
        host: 'gate.example',
        port,
        protocol: 'socks5',
        credentials: { username: `user-${port}`, password },
      });
      new StickySessionRepository(db).create({ domain: `d${port}.example`, proxyId: id });
      new RotationEventsRepository(db).append({ previousProxyId: null, newProxyId: id, reason: 'manual' });
      new ProxyUsageStatsRepository(db).record(id, { success: true, latency: 5 });
      return id;
    }),
  );
}

function store({ credentials }: Pool, id: string, port: number, password: string): void {
  act({ kind: 'password', port, password }, () =>
    credentials.store(id, { username: `user-${port}`, password }),
  );
}

/** Everyday writes, with the pool closed and opened between them. */
async function writes(): Promise<void> {
  let port = 0;
  for (let round = 0; round < 3; round++) {
    const pool = open();
    for (let n = 0; n < 5; n++) {
      const at = ++port;
      const id = create(pool, at);
      act({ kind: 'requests', port: at, requests: 1 }, () => pool.proxies.updateStats(id, true, 10));
      if (random.chance(0.5)) store(pool, id, at, `second-${at}`);
      if (random.chance(0.2)) act({ kind: 'removed', port: at }, () => pool.proxies.delete(id));
      if (random.chance(0.2)) pool.db.checkpoint();
      if (random.chance(0.1)) pool.db.vacuum();
    }
    if (random.chance(0.7)) pool.db.close();
  }
}

/** The keys of the pool are rotated and moved while logins are written. */
async function keys(): Promise<void> {
  const pool = open();
  const ids = Array.from({ length: 12 }, (_, n) => create(pool, n + 1));
  let stored = 0;
  const storeOne = (): void => {
    const n = random.below(ids.length);
    store(pool, ids[n] ?? '', n + 1, `again-${stored++}`);
  };
  for (let round = 0; round < 2; round++) {
    await wait({ kind: 'rotated' }, () =>
      pool.encryption.rotate({
        batchSize: 4,
        onProgress: ({ phase }) => phase === 'encrypting' && storeOne(),
      }),
    );
    await wait({ kind: 'moved' }, () => pool.encryption.protect(keyringFile(keyFile)));
    storeOne();
  }
  pool.db.close();
}

/** Copies into new folders and over older copies. */
async function backups(): Promise<void> {
  const pool = open();
  for (let n = 0; n < 4; n++) {
    for (let more = 0; more < 3; more++) create(pool, n * 3 + more + 1);
    const path = n % 2 === 0 ? `copies/${n}/deep/pool.db` : `copies/${n - 1}/deep/pool.db`;
    await wait({ kind: 'backup', path, proxies: n % 2 === 0 ? n * 3 + 3 : n * 3 }, () =>
      pool.db.backup(join(root, path), { overwrite: true }),
    );
  }
  pool.db.close();
}

/** The schema goes down and up again, with rows in it. */
async function migrations(): Promise<void> {
  const pool = open();
  const { migrations } = pool.db;
  const newest = migrations.getCurrentVersion();
  act({ kind: 'version', version: newest }, () => undefined);
  for (let port = 1; port <= 6; port++) create(pool, port);
  for (let round = 0; round < 2; round++) {
    act({ kind: 'version', version: newest - 1 }, () => migrations.down(1));
    act({ kind: 'version', version: newest }, () => migrations.up());
  }
  pool.db.close();
}

/** Lists are imported, each in one transaction. */
async function imports(): Promise<void> {
  const pool = open();
  for (let n = 0; n < 4; n++) {
    const [from, to] = [n * 40 + 1, n * 40 + 41];
    const lines = Array.from({ length: to - from }, (_, i) => `gate.example:${from + i}:u:p${from + i}\n`);
    await wait({ kind: 'imported', from, to }, () =>
      importProxies(pool.db, lines.join(''), { encryption: pool.encryption, tag: 'list' }),
    );
  }
  pool.db.close();
}

/** A copy is put in the place of the pool, again and again: what came after it is gone, or all of it is there. */
async function restores(): Promise<void> {
  const pool = open();
  const ids = Array.from({ length: 6 }, (_, n) => create(pool, n + 1));
  const copy = await pool.db.backup(join(root, 'copies/pool.db'));
  pool.db.close();
  for (let round = 0; round < 3; round++) {
    const later = open();
    create(later, 100 + round);
    for (const [n, id] of ids.entries()) store(later, id, n + 1, `later-${round}`);
    later.db.close();
    // A restore is one step: either none of these changes is left, or all are.
    const ports = ids.map((_, n) => n + 1);
    await wait({ kind: 'restored', ports, gone: 100 + round }, () =>
      restoreDatabase(copy, join(root, POOL), { overwrite: true }),
    );
  }
}

const STORIES: Record<string, () => Promise<void>> = {
  writes,
  keys,
  backups,
  migrations,
  imports,
  restores,
};

await STORIES[story]?.();
