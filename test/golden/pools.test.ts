import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from 'proxyvault';
import { type DatabaseManager, restoreDatabase } from 'proxyvault/database';
import {
  EncryptedCredentialsRepository,
  ProxyRepository,
  ProxyTagsRepository,
  ProxyUsageStatsRepository,
  RotationConfigRepository,
  RotationEventsRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { ROTATION_STRATEGIES } from '../../src/model/strategies.ts';
import { exportProxies, importProxies } from '../../src/transfer/index.ts';
import {
  type FullPool,
  fullPoolOf,
  GOLDEN_SETS,
  type GoldenSet,
  openAt,
  openGolden,
  openWithKeys,
  textOf,
  unpack,
} from '../support/golden-sets.ts';
import { openDatabase, openMigrated } from '../support/temporary.ts';

/** What is in the tables, as this version reads it; what an older one did not write is left out. */
function factsOf(db: DatabaseManager, { proxies, stickyAnswers }: FullPool): Partial<FullPool> {
  const tags = new ProxyTagsRepository(db);
  const usage = new ProxyUsageStatsRepository(db);
  const stickies = new StickySessionRepository(db);
  const ids = proxies.map(({ id }) => id);
  const filled = <T>(entries: [string, T[]][]): Record<string, T[]> =>
    Object.fromEntries(entries.filter(([, values]) => values.length > 0));
  return {
    proxies: new ProxyRepository(db).findAll(),
    tags: filled(ids.map((id) => [id, tags.findByProxy(id)])),
    config: new RotationConfigRepository(db).get(),
    rules: new RotationRulesRepository(db).findAll(),
    stickies: stickies.getAll(),
    stickyAnswers: Object.fromEntries(
      Object.keys(stickyAnswers).map((domain) => [domain, stickies.findByDomain(domain)?.domain ?? '']),
    ),
    events: [...new RotationEventsRepository(db).iterate()],
    usage: filled(ids.map((id) => [id, usage.findByProxy(id)])),
  };
}

function expectedOf({
  proxies,
  tags,
  config,
  rules,
  stickies,
  stickyAnswers,
  events,
  usage,
}: FullPool): object {
  const { custom, ...options } = config.options;
  // An older version stored any text as `custom`, and applied none.
  const known = ROTATION_STRATEGIES.some((name) => name === custom) ? config.options : options;
  return {
    proxies,
    tags,
    config: { ...config, options: known },
    rules,
    stickies,
    stickyAnswers,
    events,
    usage,
  };
}

function loginsOf(db: DatabaseManager, encryption: EncryptionService): unknown[] {
  const credentials = new EncryptedCredentialsRepository(db, encryption);
  return new ProxyRepository(db).findAll().map(({ id, protocol, host, port }) => {
    return { protocol, host, port, login: credentials.reveal(id) };
  });
}

/** In one order, each once: an older version wrote an address twice that is one proxy now. */
const distinct = (logins: readonly unknown[]): string[] =>
  [...new Set(logins.map((login) => JSON.stringify(login)))].sort();

/** The addresses and logins of a pool that an export has. */
function carriedBy(
  { proxies, logins }: FullPool,
  leftOut: GoldenSet['exports'][number]['leftOut'],
): unknown[] {
  const parts = new Map(leftOut.map(({ id, part }) => [`${id} ${part ?? 'all'}`, true]));
  return proxies.flatMap(({ id, protocol, host, port }) => {
    if (parts.has(`${id} all`)) return [];
    const { username, password, rotateUrl } = logins[id] ?? { username: '', password: '' };
    const url = rotateUrl === undefined || parts.has(`${id} rotateUrl`) ? {} : { rotateUrl };
    const isEmpty = username === '' && password === '' && !('rotateUrl' in url);
    return [{ protocol, host, port, login: isEmpty ? null : { username, password, ...url } }];
  });
}

const OTHER_KEY = Buffer.from('another key of 32 bytes, exactly');

it('there is a set of the version of this package', () => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  const how = 'run `npm run build` and `node scripts/golden.js`, and commit the new folder';
  expect(
    GOLDEN_SETS.map(({ name }) => name),
    how,
  ).toContain(version);
});

describe.each(GOLDEN_SETS)('the set $name', (set) => {
  const full = fullPoolOf(set);

  it('has its schema and rows, and migrates to what a new pool has', () => {
    const { db } = openGolden(set, full);
    expect(db.migrations.getCurrentVersion()).toBe(full.schemaVersion);
    const fresh = openDatabase({ path: ':memory:' });
    fresh.migrations.to(full.schemaVersion);
    expect(schemaOf(db)).toEqual(schemaOf(fresh));
    for (const [table, rows] of Object.entries(full.rows))
      expect({ [table]: countOf(db, table) }).toEqual({ [table]: rows });
    db.migrations.up();
    fresh.migrations.up();
    expect(schemaOf(db)).toEqual(schemaOf(fresh));
    expect(factsOf(db, full)).toMatchObject(expectedOf(full));
  });

  it('goes down to its version and up again without a loss', async () => {
    const { db, encryption } = await openWithKeys(set, full);
    const before = [factsOf(db, full), loginsOf(db, encryption)];
    db.migrations.to(full.schemaVersion);
    const fresh = openMigrated({ path: ':memory:' });
    fresh.migrations.to(full.schemaVersion);
    expect(schemaOf(db)).toEqual(schemaOf(fresh));
    db.migrations.up();
    expect([factsOf(db, full), loginsOf(db, encryption)]).toEqual(before);
  });

  it('finds every proxy of the lists that it was filled with', async () => {
    const { db, encryption, proxies } = await openWithKeys(set, full);
    const before = loginsOf(db, encryption);
    for (const { file, format, tag, ids } of set.lists) {
      const options = { encryption, format, tag, sync: true };
      // Twice: the first may fill in what the older version did not know of a proxy.
      for (let times = 0; times < 2; times++)
        expect(await importProxies(db, textOf(set, file), options), file).toMatchObject({
          added: 0,
          updated: 0,
          unchanged: ids.length,
          removed: 0,
          refused: [],
        });
      const tags = new ProxyTagsRepository(db);
      expect(proxies.findAll().flatMap(({ id }) => (tags.has(id, tag) ? [id] : []))).toEqual(ids);
    }
    expect(loginsOf(db, encryption)).toEqual(before);
    for (const [id, { username, password }] of Object.entries(full.fingerprints)) {
      const row = db.driver.first('SELECT * FROM proxies WHERE id = :id', { id }, (found) => found);
      expect(row).toMatchObject({ username_fingerprint: username });
      if (password !== undefined) expect(row).toMatchObject({ password_fingerprint: password });
    }
  });

  it('reads its exports, into its pool and into a new one', async () => {
    const { db, encryption } = await openWithKeys(set, full);
    const before = loginsOf(db, encryption);
    for (const { file, format, reveal, leftOut } of set.exports) {
      const result = await importProxies(db, textOf(set, file), { encryption, format });
      const masked = reveal ? 0 : Object.keys(full.logins).length;
      expect({ file, added: result.added, refused: result.refused.length }).toEqual({
        file,
        added: 0,
        refused: masked,
      });
      expect(loginsOf(db, encryption), file).toEqual(before);
      if (!reveal) continue;
      const copy = openMigrated({ path: ':memory:' });
      const own = new EncryptionService({ key: OTHER_KEY, database: copy });
      await importProxies(copy, textOf(set, file), { encryption: own, format });
      expect(distinct(loginsOf(copy, own)), file).toEqual(distinct(carriedBy(full, leftOut)));
    }
  });

  it('is restored from its backup, and verified', async () => {
    const { path, keyFile } = unpack(set, full);
    const backup = unpack(set, full, { file: 'backup.db' });
    const report = await restoreDatabase(backup.path, path, { overwrite: true });
    expect(report).toMatchObject({ schemaVersion: full.schemaVersion, notes: [] });
    expect(existsSync(String(report.replaced))).toBe(true);
    const db = openAt(set, path);
    db.migrations.up();
    const encryption = await EncryptionService.open({ keyFile, database: db });
    expect(factsOf(db, full)).toMatchObject(expectedOf(full));
    expect(await db.check({ deep: true, encryption })).toMatchObject({ ok: true });
    expect(Object.keys(full.logins)).toHaveLength((await encryption.verify()).checked);
    const copy = await db.backup(join(path, '..', 'again.db'));
    expect(countOf(openAt(set, copy), 'proxies')).toBe(full.rows.proxies);
  });

  it('can still be used: it hands out, reports, adds and exports', async () => {
    const { db, encryption, proxies } = await openWithKeys(set, full);
    const pool = new Pool(db);
    const { id } = pool.choose({ domain: 'other.example', protocol: 'socks5' });
    const totalRequests = proxies.findById(id)?.totalRequests ?? Number.NaN;
    pool.report(id, { success: true, latencyMs: 50 });
    expect(proxies.findById(id)).toMatchObject({ totalRequests: totalRequests + 1 });
    const added = proxies.create({
      host: 'new.example',
      port: 1,
      protocol: 'http',
      credentials: { username: 'u', password: 'p' },
    });
    expect(new EncryptedCredentialsRepository(db, encryption).reveal(added)).toEqual({
      username: 'u',
      password: 'p',
    });
    expect([...exportProxies(db, { encryption, reveal: true })].join('')).toContain(
      'http://u:p@new.example:1',
    );
  });
});

function countOf(db: DatabaseManager, table: string): unknown {
  return db.driver.first(`SELECT count(*) AS n FROM ${table}`, {}, ({ n }) => n);
}

/** Every object as it was written, and every column and index as SQLite took it. */
function schemaOf(db: DatabaseManager): unknown {
  return db.driver.all(
    `SELECT type, name, tbl_name, replace(sql, '"schema_migrations"', 'schema_migrations') AS sql,
       (SELECT json_group_array(json_array(name, type, "notnull", dflt_value, pk, hidden)) FROM pragma_table_xinfo(s.name)) AS columns,
       (SELECT json_group_array(json_array(name, "unique", origin, partial)) FROM (SELECT * FROM pragma_index_list(s.name) ORDER BY name)) AS indexes,
       (SELECT json_group_array(json_array("from", "table", "to", on_delete, on_update)) FROM pragma_foreign_key_list(s.name)) AS keys
     FROM sqlite_schema AS s WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name`,
    {},
    (row) => ({ ...row }),
  );
}
