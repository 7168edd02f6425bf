// Damages a pool, its log or its key file, and reads everything. Only typed errors, and no wrong login.
// usage: damages.trial.ts SEED [NUMBER]; see trial.ts
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  EncryptedCredentialsRepository,
  EncryptionService,
  initDatabase,
  openVault,
  ProxyRepository,
  ProxyVaultError,
  RotationEventsRepository,
} from 'proxyvault';
import type { Login } from 'proxyvault/database';
import { KEY, POOL } from './facts.ts';
import type { Random } from './random.ts';
import { SCRATCH } from './scratch.ts';
import { serveTrials, type Verdict } from './trial.ts';

const PAGE = 4096;
const PROXIES = 40;
const base = mkdtempSync(join(process.env.PROXYVAULT_TEST_DISK ?? SCRATCH, 'proxyvault-damages-'));
process.on('exit', () => rmSync(base, { recursive: true, force: true }));

/** A pool whose log still holds a part of it, as a killed process leaves it; and its logins by id. */
function makeTemplate(root: string): Map<string, Login> {
  const [pool, keyFile] = [join(root, POOL), join(root, KEY)];
  using db = initDatabase({ path: pool });
  db.migrations.up();
  const proxies = new ProxyRepository(db, new EncryptionService({ keyFile, database: db }));
  const logins = new Map<string, Login>();
  for (let port = 1; port <= PROXIES; port++) {
    const credentials = { username: `u${port}`, password: `secret-${port}` };
    const { id } = proxies.create({ host: 'gate.example', port, protocol: 'http', credentials });
    logins.set(id, credentials);
    if (port === PROXIES / 2) db.checkpoint();
  }
  // By another process: closing a descriptor of these files here would drop SQLite's locks.
  mkdirSync(join(root, 'live'));
  spawnSync('cp', [pool, `${pool}-wal`, join(root, 'live')]);
  return logins;
}

const template = join(base, 'template');
mkdirSync(template);
const logins = makeTemplate(template);

/** Kinds of damage, to the bytes of a file. */
const DAMAGES: Record<string, (bytes: Buffer, random: Random) => Buffer> = {
  'a bit flipped': (bytes, random) => {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    return bytes;
  },
  'bytes overwritten': (bytes, random) => {
    const at = random.below(bytes.length);
    for (let i = at; i < Math.min(bytes.length, at + 1 + random.below(64)); i++) bytes[i] = random.below(256);
    return bytes;
  },
  'a page zeroed': (bytes, random) => bytes.fill(0, ...pageOf(bytes, random)),
  'a page of noise': (bytes, random) => {
    const [from, to] = pageOf(bytes, random);
    for (let i = from; i < to; i++) bytes[i] = random.below(256);
    return bytes;
  },
  'a page in place of another': (bytes, random) => {
    const [from, to] = pageOf(bytes, random);
    bytes.copy(bytes, pageOf(bytes, random)[0], from, to);
    return bytes;
  },
  'two pages swapped': (bytes, random) => {
    const [[a, aEnd], [b, bEnd]] = [pageOf(bytes, random), pageOf(bytes, random)];
    const kept = Buffer.from(bytes.subarray(a, aEnd));
    bytes.copy(bytes, a, b, bEnd);
    kept.copy(bytes, b);
    return bytes;
  },
  'cut short': (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  'longer than it was': (bytes, random) =>
    Buffer.concat([bytes, Buffer.alloc(1 + random.below(3 * PAGE), random.below(256))]),
  empty: () => Buffer.alloc(0),
};

function pageOf(bytes: Buffer, random: Random): [from: number, to: number] {
  const from = random.below(Math.max(1, Math.ceil(bytes.length / PAGE))) * PAGE;
  return [from, Math.min(bytes.length, from + PAGE)];
}

/**
 * Every kind of reading, each by itself: one that fails is no reason to leave out the next. What needs threads of its own
 * takes longer than all the rest, and is only done if `threads` says so.
 */
async function readAll(root: string, threads: boolean, problems: string[]): Promise<void> {
  const attempt = async (name: string, work: () => unknown): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ProxyVaultError)) problems.push(`${name} threw ${inspect(error).slice(0, 500)}`);
    }
  };
  await attempt('open', async () => {
    await using db = initDatabase({ path: join(root, POOL), busyTimeoutMs: 500 });
    await attempt('up', () => db.migrations.up());
    const encryption = new EncryptionService({ keyFile: join(root, KEY), database: db });
    const credentials = new EncryptedCredentialsRepository(db, encryption);
    const proxies = new ProxyRepository(db, encryption);
    for (const [id, login] of logins) {
      await attempt('reveal', () => {
        const revealed = credentials.reveal(id);
        if (revealed !== null && revealed.password !== login.password)
          problems.push(`proxy ${id} has another login`);
      });
    }
    await attempt('findAll', () => proxies.findAll());
    await attempt('iterate', () => [...proxies.iterate()]);
    await attempt('list', () => proxies.list({ search: 'gate' }));
    await attempt('events', () => new RotationEventsRepository(db).recent());
    await attempt('choose', () => choose(root));
    await attempt('status', () => encryption.status());
    await attempt('verify', () => encryption.verify());
    await attempt('create', () =>
      proxies.create({
        host: 'new.example',
        port: 1,
        protocol: 'http',
        credentials: { username: 'u', password: 'p' },
      }),
    );
    await attempt('delete', () => proxies.delete([...logins.keys()][0] ?? ''));
    if (!threads) return;
    await attempt('check', () => db.check({ deep: true }));
    await attempt('backup', () => db.backup(join(root, 'copy.db')));
  });
}

let made = 0;

await serveTrials(async (_, random, tries): Promise<Verdict> => {
  const root = join(base, `copy-${made++}`);
  cpSync(template, root, { recursive: true });
  const pool = join(root, POOL);
  if (random.chance(0.5)) {
    // As a killed process has left it.
    copyFileSync(join(root, 'live/pool.db'), pool);
    copyFileSync(join(root, 'live/pool.db-wal'), `${pool}-wal`);
  }
  const files = [pool, pool, join(root, KEY), ...(existsSync(`${pool}-wal`) ? [`${pool}-wal`] : [])];
  const file = random.pick(files as [string, ...string[]]);
  const kind = random.pick(Object.keys(DAMAGES) as [string, ...string[]]);
  const name = `${file.slice(root.length)}: ${kind}`;
  tries(name);
  const bytes = readFileSync(file);
  writeFileSync(file, DAMAGES[kind]?.(bytes, random) ?? bytes);
  const problems: string[] = [];
  await readAll(root, random.chance(0.25), problems);
  rmSync(root, { recursive: true, force: true });
  return { name, problem: problems[0] ?? null };
});

async function choose(root: string): Promise<void> {
  await using vault = await openVault({
    path: join(root, POOL),
    keyFile: join(root, KEY),
    busyTimeoutMs: 500,
  });
  vault.pool.choose();
  vault.pool.choose({ session: 'one' });
}
