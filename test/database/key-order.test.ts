import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type DatabaseManager, initDatabase, ProxyVaultError } from 'proxyvault/database';
import { ProxyRepository, ProxyTagsRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { expect, it } from 'vitest';
import { CredentialRowsRepository } from '../../src/database/repositories/credential-rows.repository.ts';
import { openPool } from '../support/pool.ts';

const PROXIES = 4;

/** A closed pool, whose proxies have logins and tags. */
async function makePool(): Promise<{ path: string; key: Buffer; ids: string[] }> {
  const { db, key, ids } = openPool(PROXIES);
  for (const id of ids) new ProxyTagsRepository(db).add(id, 'tag', 'import');
  await db[Symbol.asyncDispose]();
  return { path: db.path, key, ids };
}

/** Copies of a file, in each of which another occurrence of one text is replaced by another. */
function* replacements(path: string, from: string, to: string): Generator<string> {
  const bytes = readFileSync(path);
  for (let at = bytes.indexOf(from); at !== -1; at = bytes.indexOf(from, at + 1)) {
    const copy = join(dirname(path), `copy-${at}.db`);
    copyFileSync(path, copy);
    const changed = Buffer.from(bytes);
    changed.write(to, at);
    writeFileSync(copy, changed);
    yield copy;
  }
}

/** Goes through all proxies, a page at a time, as a program does. */
function listAll(db: DatabaseManager): void {
  let pages = 0;
  for (let after: string | null = ''; after !== null; ) {
    after = new ProxyRepository(db).list({ after, limit: 1 }).next;
    if (++pages > 10 * PROXIES) throw new Error('the pages do not end');
  }
}

async function codeOf(work: () => unknown): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof ProxyVaultError) return error.code;
    throw error;
  }
}

it('what reads page after page ends, whatever key is in place of another', async () => {
  const { path, key, ids } = await makePool();
  const codes = new Set<string | null>();
  let copies = 0;
  for (const [from, to] of [
    [ids[3], ids[0]],
    [ids[1], ids[0]],
    [ids[0], ids[3]],
  ] as [string, string][]) {
    for (const copy of replacements(path, from, to)) {
      copies++;
      await using db = initDatabase({ path: copy, durability: 'normal', onInvalidRow: () => undefined });
      const encryption = new EncryptionService({ key, database: db });
      codes.add(await codeOf(() => listAll(db)));
      codes.add(await codeOf(() => encryption.verify()));
      codes.add(await codeOf(() => db.check({ deep: true, encryption })));
      codes.add(await codeOf(() => encryption.rotate({ batchSize: 1 })));
      codes.add(await codeOf(() => new ProxyTagsRepository(db).removeOthers('tag', 'later')));
    }
  }
  expect(copies).toBeGreaterThan(20);
  expect([...codes]).toContain('CORRUPT');
});

it('pages without end are recognised by bytes, as SQLite orders texts', () => {
  const { db, encryption, ids } = openPool(0);
  expect(ids).toEqual([]);
  const proxies = new ProxyRepository(db, encryption);
  // In UTF-16 the second of these is the smaller one.
  for (const [port, id] of ['a', '\uFF5E', '\u{1F600}'].entries())
    proxies.create({
      id,
      host: 'h.example',
      port: port + 1,
      protocol: 'http',
      credentials: { username: 'u', password: 'p' },
    });
  const seen: (string | undefined)[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const page: ReturnType<typeof proxies.list> = proxies.list({ after, limit: 1 });
    seen.push(page.items[0]?.id);
    after = page.next;
  }
  expect(seen).toEqual(['a', '\uFF5E', '\u{1F600}']);
  const credentials = new CredentialRowsRepository(db);
  expect(credentials.page('\uFF5E', 1)).toHaveLength(1);
});
