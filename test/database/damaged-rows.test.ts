import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Pool as RotationPool } from 'proxyvault';
import { type DatabaseManager, initDatabase, ProxyVaultError } from 'proxyvault/database';
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
import { describe, expect, it, onTestFinished } from 'vitest';
import { CredentialRowsRepository } from '../../src/database/repositories/credential-rows.repository.ts';
import { ProxyCooldownsRepository } from '../../src/database/repositories/proxy-cooldowns.repository.ts';
import { ProxyLeasesRepository } from '../../src/database/repositories/proxy-leases.repository.ts';
import { ROTATION_STRATEGIES } from '../../src/model/rotation.ts';
import { exportProxies } from '../../src/transfer/index.ts';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

/** SQL of each odd value. */
const VALUES = [
  'NULL',
  `x'ff00'`,
  `''`,
  `'no such thing'`,
  `CAST(x'ff41' AS TEXT)`,
  '-1',
  '1.5',
  '9223372036854775807',
  `'{"a":[1]}'`,
  `'2026-02-31 99:00:00.000'`,
];

const RULE = {
  name: 'rule',
  conditions: [{ field: 'domain' as const, operator: 'equals' as const, value: 'other.example' }],
  actions: [{ type: 'block' as const }],
};

interface Pool {
  db: DatabaseManager;
  /** A connection without the checks of the schema, as another program or a damaged page has none. */
  raw: Database.Database;
  encryption: EncryptionService;
  ids: string[];
  heard: ProxyVaultError[];
  /** Every SQL text that ran. */
  statements: string[];
}

/** Three proxies; the rows about the first are the ones that are damaged. */
function openPool(): Pool {
  const path = join(temporaryFolder(), 'pool.db');
  const heard: ProxyVaultError[] = [];
  const statements: string[] = [];
  const open = (): DatabaseManager =>
    initDatabase({
      path,
      durability: 'normal',
      onInvalidRow: (error) => heard.push(error),
      verbose: (sql) => statements.push(sql),
    });
  const first = open();
  first.migrations.up();
  first.close();
  const raw = new Database(path);
  raw.unsafeMode(true);
  raw.pragma('writable_schema = ON');
  raw.exec(
    `UPDATE sqlite_schema SET sql = replace(replace(sql, 'TEXT NOT NULL', 'TEXT'), 'INTEGER NOT NULL', 'INTEGER') WHERE type = 'table' AND sql LIKE '%NOT NULL%'`,
  );
  raw.pragma('writable_schema = RESET');
  raw.pragma('ignore_check_constraints = ON');
  raw.pragma('foreign_keys = OFF');
  raw.pragma('synchronous = OFF');
  const db = open();
  onTestFinished(async () => {
    raw.close();
    await db[Symbol.asyncDispose]();
  });
  const encryption = new EncryptionService({ key: randomBytes(32), database: db });
  const ids = new ProxyRepository(db, encryption)
    .createMany(
      [1, 2, 3].map((port) => ({
        host: 'h.example',
        port,
        protocol: 'http' as const,
        region: 'DE',
        credentials: { username: `u${port}`, password: 'p' },
      })),
    )
    .map(({ id }) => id);
  encryption.createRecoveryCode();
  const rules = new RotationRulesRepository(db);
  rules.create({ ...RULE, id: 'r1', enabled: false });
  for (const [index, proxyId] of ids.entries()) {
    new StickySessionRepository(db).create({ domain: `d${index}.example`, proxyId, ttl: 1e9 });
    new ProxyTagsRepository(db).add(proxyId, 'tag', 'import');
    new ProxyUsageStatsRepository(db).record(proxyId, { success: true, latency: 5 });
    new RotationEventsRepository(db).append({ previousProxyId: null, newProxyId: proxyId, reason: 'manual' });
  }
  const [proxyId = ''] = ids;
  const time = { since: '2026-01-01', until: '2026-01-02' };
  new ProxyCooldownsRepository(db).set({
    ...{ ...time, proxyId, scope: 'domain other.example', source: 'engine' },
    ...{ kind: 'blocked', times: 1, detail: 'status 429' },
  });
  const lease = { id: 'l1', domain: 'other.example', session: 's1' };
  new ProxyLeasesRepository(db).create({
    ...{ ...lease, proxyId, acquiredAt: time.since, expiresAt: time.until },
  });
  new RotationConfigRepository(db).update({ strategy: 'round-robin', failureThreshold: 3, options: {} });
  return { db, raw, encryption, ids, heard, statements };
}

/** What reads many rows: one that is malformed must not take the others with it. */
function lists({ db, encryption, ids }: Pool): Record<string, () => unknown> {
  const [id = ''] = ids;
  const proxies = new ProxyRepository(db, encryption);
  const events = new RotationEventsRepository(db);
  const usage = new ProxyUsageStatsRepository(db);
  const sticky = new StickySessionRepository(db);
  const rules = new RotationRulesRepository(db);
  return {
    findAll: () => proxies.findAll(),
    list: () => proxies.list({ limit: 1 }),
    iterate: () => [...proxies.iterate()],
    findByStatus: () => proxies.findByStatus('active'),
    findByRegion: () => proxies.findByRegion('DE'),
    findByProtocol: () => proxies.findByProtocol('http'),
    getTopPerformers: () => proxies.getTopPerformers(10),
    count: () => proxies.count(),
    last: () => events.last(),
    recent: () => events.recent(),
    between: () => events.between('2000-01-01', '2999-01-01'),
    countByReason: () => events.countByReason(),
    events: () => [...events.iterate()],
    usageOf: () => usage.findByProxy(id),
    usageOn: () => usage.findByDate('2026-01-01'),
    range: () => usage.range(),
    totals: () => usage.totals(),
    getAll: () => sticky.getAll(),
    mappings: () => [...sticky.iterate()],
    stickyOf: () => sticky.findByProxy(id),
    rules: () => rules.findAll(),
    tags: () => new ProxyTagsRepository(db).findByProxy(id),
    cooldowns: () => new ProxyCooldownsRepository(db).list(),
    cooldownsOf: () => new ProxyCooldownsRepository(db).find(id),
    expired: () => new ProxyLeasesRepository(db).expired('2999-01-01', 9),
  };
}

/** What reads one row, or needs all of them. */
function others({ db, encryption, ids }: Pool): Record<string, () => unknown> {
  const [id = ''] = ids;
  const credentials = new EncryptedCredentialsRepository(db, encryption);
  const pool = new RotationPool(db);
  return {
    findById: () => new ProxyRepository(db).findById(id),
    reveal: () => credentials.reveal(id),
    findByProxyId: () => credentials.findByProxyId(id),
    store: () => credentials.store(ids[1] ?? '', { username: 'u2', password: 'p' }),
    findByDomain: () => new StickySessionRepository(db).findByDomain('d0.example'),
    rule: () => new RotationRulesRepository(db).findById('r1'),
    config: () => new RotationConfigRepository(db).get(),
    lease: () => new ProxyLeasesRepository(db).find('l1'),
    choose: () => pool.choose(),
    chooseSticky: () => pool.choose({ domain: 'd0.example' }),
    chooseSession: () => pool.choose({ session: 's0' }),
    chooseOf: () => pool.choose({ region: 'DE', protocol: 'http' }),
    report: () => pool.report(id, { success: true, latencyMs: 5 }),
    applied: () => db.migrations.getApplied(),
    // What waits to be stored would repair a row later.
    close: () => pool.close(),
  };
}

/** What takes longer, and is tried with fewer values. */
function slow({ db, encryption }: Pool): Record<string, () => unknown> {
  return {
    status: () => encryption.status(),
    export: () => [...exportProxies(db, { encryption, reveal: true, format: 'json' })],
    stats: () => db.stats(),
    verify: () => encryption.verify(),
    check: () => db.check(),
  };
}

const FITTING = [
  'INVALID_ROW',
  'KEY_INVALID',
  'KEY_MISMATCH',
  'CREDENTIAL_CORRUPT',
  'KEY_EXHAUSTED',
  'NOT_FOUND',
  'DISK_FULL',
];
/** Of the ledger, on which everything else depends. */
const LEDGER = [...FITTING, 'DATABASE_NEWER', 'MIGRATION_CHANGED'];

/** The ledger stops `check`; a tombstone has the id of a proxy that is gone, whatever it was. */
const UNNAMED = ['schema_migrations', 'proxy_tombstones'];

interface Column {
  table: string;
  name: string;
  notnull: number;
}

function columnsOf(raw: Database.Database): Column[] {
  return raw
    .prepare(
      `SELECT t.name AS "table", c.name, c."notnull" OR c.pk > 0 AS "notnull"
       FROM sqlite_schema AS t JOIN pragma_table_xinfo(t.name) AS c
       WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND c.hidden = 0`,
    )
    .all() as Column[];
}

/** Puts a value into a column of the table's first row, runs `work`, and puts the row back; says whether it could. */
async function damaged(
  raw: Database.Database,
  { table, name }: Column,
  value: string,
  work: () => Promise<void>,
): Promise<boolean> {
  const before = raw
    .prepare(`SELECT rowid AS row_id, * FROM ${table} ORDER BY rowid LIMIT 1`)
    .safeIntegers()
    .get() as Record<string, unknown>;
  const change = raw
    .prepare(`UPDATE ${table} SET ${name} = ${value} WHERE rowid = ? RETURNING rowid AS row_id`)
    .safeIntegers();
  let at: unknown;
  try {
    at = (change.get(before.row_id) as { row_id: unknown }).row_id;
  } catch {
    // An integer primary key takes no other type.
    return false;
  }
  try {
    await work();
  } finally {
    // What ran may have put another row into its place.
    raw.prepare(`UPDATE OR REPLACE ${table} SET ${name} = ? WHERE rowid = ?`).run(before[name], at);
  }
  return true;
}

describe('a damaged row', () => {
  it('ends in typed errors only, whatever column holds whatever value; lists leave it out; check names it', async () => {
    const pool = openPool();
    const columns = columnsOf(pool.raw);
    expect(columns.length).toBeGreaterThan(70);
    const wrong: string[] = [];
    let tried = 0;
    for (const column of columns) {
      const allowed = column.table === 'schema_migrations' ? LEDGER : FITTING;
      for (const value of VALUES) {
        const name = `${column.table}.${column.name} = ${value}`;
        const report = (operation: string, error: unknown): void => {
          wrong.push(`${name}: ${operation}: ${String(error)}`);
        };
        const isFitting = (error: unknown): boolean =>
          error === null || (error instanceof ProxyVaultError && allowed.includes(error.code));
        const done = await damaged(pool.raw, column, value, async () => {
          if (value === 'NULL') {
            for (const [operation, run] of Object.entries(slow(pool))) {
              const error = await outcome(run);
              if (!isFitting(error)) report(operation, error);
            }
          }
          if (value === `x'ff00'` && !UNNAMED.includes(column.table)) {
            const { rows } = await pool.db.check();
            if (!rows.some(({ table, column: at }) => table === column.table && at === column.name))
              report('check', 'does not name it');
          }
          undone(pool.db, () => {
            for (const [operation, run] of Object.entries(lists(pool))) {
              const error = failure(run);
              if (error !== null) report(operation, error);
            }
            for (const [operation, run] of Object.entries(others(pool))) {
              const error = failure(run);
              if (!isFitting(error)) report(operation, error);
            }
          });
        });
        if (done) tried++;
      }
    }
    expect(wrong.slice(0, 40)).toEqual([]);
    expect(tried).toBeGreaterThan(650);
    expect((await pool.db.check()).rows).toEqual([]);
  }, 180_000);
});

/** Runs `work` in a transaction that is rolled back: what reports and rotation write does not repair the row. */
function undone(db: DatabaseManager, work: () => void): void {
  const signal = new Error('undone');
  const thrown = failure(() =>
    db.transaction(() => {
      work();
      throw signal;
    }),
  );
  expect(thrown).toBe(signal);
}

function failure(run: () => unknown): unknown {
  try {
    run();
    return null;
  } catch (error) {
    return error;
  }
}

async function outcome(run: () => unknown): Promise<unknown> {
  try {
    await run();
    return null;
  } catch (error) {
    return error;
  }
}

describe('a malformed proxy', () => {
  it('is INVALID_ROW by its id, and is left out and reported by lists, pages and every strategy', () => {
    const pool = openPool();
    const { db, raw, ids, heard } = pool;
    const [bad = '', ...good] = ids;
    raw.prepare(`UPDATE proxies SET created_at = NULL WHERE id = ?`).run(bad);
    const proxies = new ProxyRepository(db);
    expect(thrownBy(() => proxies.findById(bad))).toMatchObject({
      code: 'INVALID_ROW',
      details: { table: 'proxies', id: bad, column: 'created_at' },
    });
    expect(proxies.findAll().map(({ id }) => id)).toEqual(good);
    expect(heard.at(-1)).toMatchObject({ code: 'INVALID_ROW', details: { id: bad } });
    const page = proxies.list({ limit: 1 });
    expect(page).toMatchObject({ items: [], next: bad });
    expect(proxies.list({ limit: 1, after: bad }).items.map(({ id }) => id)).toEqual(good.slice(0, 1));
    // What choosing needs of a proxy is all that it looks at.
    raw.prepare(`UPDATE proxies SET port = 0 WHERE id = ?`).run(bad);
    for (const strategy of ROTATION_STRATEGIES) {
      new RotationConfigRepository(db).setStrategy(strategy);
      for (let turn = 0; turn < 4; turn++) expect(good).toContain(new RotationPool(db).choose().id);
    }
  });

  it('does not stop rotation if hundreds of them come first, or their ids are not valid UTF-8', () => {
    const { db, raw, ids } = openPool();
    const insert = raw.prepare(
      `INSERT INTO proxies (id, name, host, port, protocol) VALUES (CAST(? AS TEXT), 'n', 'h', 1, 'http')`,
    );
    for (let n = 0; n < 300; n++) insert.run(Buffer.from([0x21, 0xff, n & 0xff, n >> 8]));
    const pool = new RotationPool(db);
    for (const strategy of ['round-robin', 'least-used', 'random'] as const)
      expect(ids).toContain(pool.choose({ strategy }).id);
  });

  it('tens of thousands of them are passed in a few reads, each heard of once', () => {
    const { db, raw, ids, heard, statements } = openPool();
    const insert = raw.prepare(
      `INSERT INTO proxies (id, name, host, port, protocol) VALUES (CAST(? AS TEXT), 'n', 'h', 1, 'http')`,
    );
    raw.exec('BEGIN');
    for (let n = 0; n < 20_000; n++) insert.run(Buffer.from([0x21, 0xff, n & 0xff, n >> 8]));
    raw.exec('COMMIT');
    heard.length = 0;
    statements.length = 0;
    expect(new RotationPool(db).choose().id).toBe(ids[0]);
    expect(heard).toHaveLength(20_000);
    expect(statements.length).toBeLessThan(25);
  });
});

it('a page of credentials after malformed ones has no more rows than were asked for, and none is left out', () => {
  const { db, raw, ids } = openPool();
  raw.exec(`
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 199)
    INSERT INTO encrypted_credentials (proxy_id, encrypted_data, iv, auth_tag)
    SELECT CAST(x'21ff' || char(65 + i / 26, 65 + i % 26) AS TEXT), '', '', '' FROM n`);
  const credentials = new CredentialRowsRepository(db);
  const first = credentials.page('', 2);
  expect(first.map(({ proxyId }) => proxyId)).toEqual(ids.slice(0, 2));
  const second = credentials.page(String(ids[1]), 2);
  expect(second.map(({ proxyId }) => proxyId)).toEqual(ids.slice(2));
  expect(credentials.page(String(ids[2]), 2)).toEqual([]);
});

it('a malformed rule that may be on stops rotation, also if it does not say whether it is on', () => {
  const { db, raw } = openPool();
  for (const change of [`enabled = 'x'`, `enabled = NULL`, `enabled = 1, actions_json = NULL`]) {
    raw.exec(`UPDATE rotation_rules SET ${change}`);
    expect(thrownBy(() => new RotationPool(db).choose())).toMatchObject({
      code: 'INVALID_ROW',
      details: { table: 'rotation_rules', id: 'r1' },
    });
  }
});

it('a malformed configuration stops rotation, and reset brings back the defaults', () => {
  const { db, raw } = openPool();
  raw.exec(`UPDATE rotation_config SET strategy = x'00'`);
  const config = new RotationConfigRepository(db);
  expect(thrownBy(() => new RotationPool(db).choose())).toMatchObject({
    code: 'INVALID_ROW',
    details: { table: 'rotation_config' },
  });
  expect(config.reset()).toBe(true);
  expect(config.get().strategy).toBe('round-robin');
});

it('totals count no malformed row, and say so', () => {
  const { db, raw, heard } = openPool();
  raw.exec(`UPDATE proxy_usage_stats SET request_count = 9223372036854775807 WHERE rowid < 3`);
  const totals = new ProxyUsageStatsRepository(db).totals();
  expect(totals).toMatchObject({ requestCount: 1, successRate: 100 });
  expect(heard.at(-1)).toMatchObject({
    code: 'INVALID_ROW',
    details: { table: 'proxy_usage_stats', rows: 2 },
  });
});

it('a lost row of encryption_config is INVALID_ROW in every operation that needs it, and check names it', async () => {
  const pool = openPool();
  const { db, raw, ids, encryption } = pool;
  raw.exec('DELETE FROM encryption_config');
  const fresh = new EncryptionService({ key: randomBytes(32), database: db });
  for (const service of [fresh, encryption]) {
    const credentials = new EncryptedCredentialsRepository(db, service);
    const operations: (() => unknown)[] = [
      () => service.status(),
      () => service.rotate(),
      () => service.createRecoveryCode(),
    ];
    if (service === fresh)
      operations.push(
        () => credentials.reveal(ids[0] ?? ''),
        () => service.encrypt('text'),
      );
    for (const run of operations) {
      const error = await outcome(run);
      if (error !== null)
        expect(error).toMatchObject({ code: 'INVALID_ROW', details: { table: 'encryption_config' } });
    }
  }
  const report = await db.check();
  expect(report.ok).toBe(false);
  expect(report.rows).toEqual([expect.objectContaining({ table: 'encryption_config', id: '1' })]);
});
