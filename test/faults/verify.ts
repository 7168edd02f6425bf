/** Opens what a fault has left, with the library, and holds it to what was acknowledged. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type DatabaseManager, initDatabase } from 'proxyvault/database';
import {
  EncryptedCredentialsRepository,
  ProxyRepository,
  ProxyUsageStatsRepository,
  RotationEventsRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { type Expectation, KEY, POOL } from './facts.ts';

/**
 * What is wrong with a pool, its key and its backups below `root`; empty if nothing is. `deep` runs `check` in background
 * threads too, which takes as long as all the rest.
 */
export async function verifyRoot(root: string, expected: Expectation, deep: boolean): Promise<string[]> {
  const problems: string[] = [];
  try {
    const path = join(root, POOL);
    if (expected.isBegun && !existsSync(path)) problems.push('there is no pool');
    else await verifyPool(path, join(root, KEY), expected, { deep, problems });
    for (const [copy, { proxies, isDone }] of expected.backups)
      verifyBackup(join(root, copy), join(root, KEY), { proxies, isDone, problems });
    for (const copy of backupsBeforeMigrations(path))
      verifyBackup(copy, join(root, KEY), { proxies: 0, isDone: true, problems });
  } catch (error) {
    problems.push(`it does not open: ${String(error)}`);
  }
  return problems;
}

async function verifyPool(
  path: string,
  keyFile: string,
  expected: Expectation,
  { deep, problems }: { deep: boolean; problems: string[] },
): Promise<void> {
  await using db = initDatabase({ path });
  const version = db.migrations.getCurrentVersion();
  if (expected.versions.size > 0 && !expected.versions.has(version))
    problems.push(`the schema has version ${version}`);
  db.migrations.up();
  const integrity = db.driver.pragma('integrity_check');
  if (integrity !== 'ok') problems.push(`integrity_check: ${String(integrity)}`);
  verifyRows(db, new EncryptionService({ keyFile, database: db }), expected, problems);
  // Finishes a rotation that was interrupted.
  const encryption = await EncryptionService.open({ keyFile, database: db });
  verifyRows(db, encryption, expected, problems);
  const { id } = new ProxyRepository(db, encryption).create({
    host: 'after.example',
    port: 1,
    protocol: 'http',
    credentials: { username: 'u', password: 'after' },
  });
  if (new EncryptedCredentialsRepository(db, encryption).reveal(id)?.password !== 'after')
    problems.push('a login that was stored afterwards cannot be read');
  if (deep && !(await db.check({ deep: true })).ok) problems.push('check({ deep: true }) finds damage');
}

function verifyRows(
  db: DatabaseManager,
  encryption: EncryptionService,
  expected: Expectation,
  problems: string[],
): void {
  const credentials = new EncryptedCredentialsRepository(db, encryption);
  const found = new Map(
    new ProxyRepository(db)
      .findAll()
      .map((proxy) => [proxy.port, { proxy, password: credentials.reveal(proxy.id)?.password }]),
  );
  for (const [port, allowed] of expected.passwords) {
    const password = found.get(port)?.password ?? null;
    if (!allowed.has(password))
      problems.push(
        `proxy ${port} has ${password ?? 'no password, or is missing'} in place of ${[...allowed].join(' or ')}`,
      );
  }
  if (expected.restore) {
    const { ports, gone } = expected.restore;
    const isNew = !found.has(gone);
    if (ports.some((port) => (found.get(port)?.password === `first-${port}`) !== isNew))
      problems.push('a restore has put a part of the copy in place');
  }
  for (const [port, allowed] of expected.requests) {
    const requests = found.get(port)?.proxy.totalRequests;
    if (requests !== undefined && !allowed.has(requests))
      problems.push(`proxy ${port} has ${requests} requests in place of ${[...allowed].join(' or ')}`);
  }
  for (const { from, to } of expected.lists) {
    const there = [...found.keys()].filter((port) => port >= from && port < to).length;
    if (there !== 0 && there !== to - from) problems.push(`a list has ${there} of ${to - from} proxies`);
  }
  verifyTransactions(
    db,
    new Map([...found].map(([port, { proxy }]) => [port, proxy.id])),
    expected,
    problems,
  );
}

/** The rows of the other tables are there exactly if the proxy is. */
function verifyTransactions(
  db: DatabaseManager,
  ids: ReadonlyMap<number, string>,
  { created }: Expectation,
  problems: string[],
): void {
  const sticky = new StickySessionRepository(db);
  const usage = new ProxyUsageStatsRepository(db);
  let whole = 0;
  for (const port of created) {
    const id = ids.get(port);
    const mapping = sticky.findByDomain(`d${port}.example`);
    if ((mapping?.proxyId ?? undefined) !== id) problems.push(`the sticky session of ${port} is not whole`);
    if (id === undefined) continue;
    whole++;
    if (usage.findByProxy(id).length !== 1) problems.push(`the usage of ${port} is not whole`);
  }
  const events = new RotationEventsRepository(db).count();
  if (events < whole) problems.push(`there are ${events} events for ${whole} proxies`);
}

/** A file with a backup's name is a whole backup, acknowledged or not. */
function verifyBackup(
  path: string,
  keyFile: string,
  { proxies, isDone, problems }: { proxies: number; isDone: boolean; problems: string[] },
): void {
  if (!existsSync(path)) {
    if (isDone) problems.push(`the backup ${basename(path)} is missing`);
    return;
  }
  using db = initDatabase({ path, migrationBackups: 0 });
  // One that was made before a migration is of an older version.
  db.migrations.up();
  const integrity = db.driver.pragma('integrity_check');
  if (integrity !== 'ok') problems.push(`integrity_check of a backup: ${String(integrity)}`);
  const found = new ProxyRepository(db).findAll();
  if (found.length < proxies) problems.push(`a backup has ${found.length} proxies in place of ${proxies}`);
  const credentials = new EncryptedCredentialsRepository(
    db,
    new EncryptionService({ keyFile, database: db }),
  );
  for (const { id } of found) {
    if (credentials.reveal(id) === null) problems.push('a backup lacks a login');
  }
}

function backupsBeforeMigrations(pool: string): string[] {
  const folder = dirname(pool);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.backup'))
    .map((name) => join(folder, name));
}
