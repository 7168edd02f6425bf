import { randomBytes } from 'node:crypto';
import type { DatabaseManager } from 'proxyvault/database';
import {
  ProxyRepository,
  ProxyTagsRepository,
  ProxyUsageStatsRepository,
  RotationConfigRepository,
  RotationEventsRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { BackgroundReads } from 'proxyvault/driver';
import { describe, expect, it, vi } from 'vitest';
import { eachRow } from '../../src/database/drivers/sqlite/inspection.ts';
import { ProxyCooldownsRepository } from '../../src/database/repositories/proxy-cooldowns.repository.ts';
import { ProxyLeasesRepository } from '../../src/database/repositories/proxy-leases.repository.ts';
import { RotationTurnsRepository } from '../../src/database/repositories/rotation-turns.repository.ts';
import { SessionProxiesRepository } from '../../src/database/repositories/session-proxies.repository.ts';
import { findMalformedRows } from '../../src/database/row-check.ts';
import { openMigrated } from '../support/temporary.ts';

/** A pool with one row, or some, in each table. */
function fill(): { db: DatabaseManager; heard: object[] } {
  const heard: object[] = [];
  const db = openMigrated({ path: ':memory:', onInvalidRow: ({ details }) => heard.push(details) });
  const encryption = new EncryptionService({ key: randomBytes(32), database: db });
  const proxies = new ProxyRepository(db, encryption);
  const credentials = { username: 'u', password: 'p' };
  proxies.create({ id: 'p', host: 'h.example', port: 1, protocol: 'http', credentials });
  proxies.updateStats('p', true, 5);
  new StickySessionRepository(db).create({ domain: 'd.example', proxyId: 'p', ttl: 5 });
  new RotationConfigRepository(db).update({ intervalMs: 5 });
  new RotationEventsRepository(db).append({ previousProxyId: 'p', newProxyId: 'p', reason: 'manual' });
  new ProxyTagsRepository(db).add('p', 't', 'i');
  new RotationRulesRepository(db).create({
    id: 'r',
    name: 'r',
    conditions: [{ field: 'hour', operator: 'equals', value: 1 }],
    actions: [{ type: 'block' }],
  });
  new SessionProxiesRepository(db).claim({ session: 's', proxyId: 'p' });
  new RotationTurnsRepository(db).set({ view: '', proxyId: 'p', since: new Date(0) });
  new ProxyCooldownsRepository(db).set({
    ...{ proxyId: 'p', scope: '', source: 'engine', kind: 'connect', times: 1 },
    ...{ since: '2026-01-01', until: null, detail: null },
  });
  new ProxyLeasesRepository(db).create({
    ...{
      id: 'l',
      proxyId: 'p',
      domain: null,
      session: null,
      acquiredAt: new Date(0),
      expiresAt: new Date(9),
    },
  });
  db.driver.exec(`DELETE FROM pool_revisions WHERE name = 'config'`);
  db.driver.exec('PRAGMA ignore_check_constraints = on; PRAGMA foreign_keys = off');
  return { db, heard };
}

const TIMES = {
  good: [
    "'2026-01-31 23:59:59.999'",
    "'2026-01-31 00:00:00'",
    "'2024-02-29T12:00:00.5Z'",
    "'0000-01-01 00:00:00.000'",
  ],
  bad: [
    "''",
    "'2026-02-29 00:00:00'",
    "'2026-04-31 00:00:00'",
    "'2026-02-30 00:00:00'",
    "'2026-13-01 00:00:00'",
    "'2026-00-01 00:00:00'",
    "'2026-01-00 00:00:00'",
    "'2026-01-32 00:00:00'",
    "'2026-01-01 24:00:00'",
    "'2026-01-01 00:60:00'",
    "'2026-01-01 00:00:60'",
    "'2026-01-01'",
    "'2026-01-01 00:00:00 '",
    '20260101',
    "x'00'",
  ],
};
const WHOLE = { good: ['0', '9007199254740991'], bad: ['-1', '0.5', '9007199254740992', "'x'", "x'31'"] };
const POSITIVE = { good: ['NULL', '1'], bad: ['0', '-1', '1.5', "'x'"] };
const FLAG = { good: ['0', '1'], bad: ['2', '-1', '0.5', "'x'"] };
const TEXT_OR_NULL = { good: ['NULL', "''", "'x'"], bad: ['1e300', "x'61'"].slice(1) };
const BASE64 = {
  good: ["''", "'AAAA'", "'AA=='", "'+/A='"],
  bad: ["'AAA'", "'AAAAA'", "'A-_A'", "'A==='", "'====AAAA'", "x'41414141'"],
};
const KEY_ID = {
  good: ["'0123456789abcdef'"],
  bad: ["'0123456789abcde'", "'0123456789abcdef0'", "'0123456789ABCDEF'", "''"],
};

type Values = { good: readonly string[]; bad: readonly string[] };
const columns: [table: string, column: string, values: Values][] = [
  ['proxies', 'name', { good: ["''", "'x'"], bad: ["x'61'"] }],
  [
    'proxies',
    'host',
    {
      good: ["'a-b_c.example'", "'2001:db8::1%eth0'", "'127.0.0.1'"],
      bad: ["'A.example'", "''", "'a b'", "'a/b'", "'é.example'", `'${'a'.repeat(256)}'`],
    },
  ],
  ['proxies', 'port', { good: ['1', '65535'], bad: ['0', '65536', '1.5', "'x'"] }],
  ['proxies', 'protocol', { good: ["'socks5'"], bad: ["'ftp'", "'HTTP'"] }],
  ['proxies', 'status', { good: ["'failed'"], bad: ["'gone'", 'NULL'] }],
  ['proxies', 'latency', { good: ['NULL', ...WHOLE.good], bad: WHOLE.bad }],
  ['proxies', 'failure_count', { good: WHOLE.good, bad: [...WHOLE.bad, 'NULL'] }],
  ['proxies', 'total_requests', { good: WHOLE.good, bad: [...WHOLE.bad, 'NULL'] }],
  ['proxies', 'success_rate', { good: ['0', '100', '33.3'], bad: ['-0.1', '100.1', "'x'", 'NULL'] }],
  ['proxies', 'region', TEXT_OR_NULL],
  [
    'proxies',
    'geolocation_json',
    {
      good: ['NULL', "'{}'", `'{"country":"DE"}'`],
      bad: ["''", "'x'", "'[]'", "'null'", "'7'", `'{"country":"de"}'`, `'{"x":1}'`],
    },
  ],
  ['proxies', 'created_at', TIMES],
  ['proxies', 'updated_at', TIMES],
  ['proxies', 'last_used_at', { good: ['NULL', ...TIMES.good], bad: TIMES.bad }],
  ['proxies', 'username_fingerprint', TEXT_OR_NULL],
  ['proxies', 'password_fingerprint', TEXT_OR_NULL],
  ['proxies', 'latency_ewma', { good: ['NULL', '0', '0.5', '1e300'], bad: ['-0.5', "'x'"] }],
  ['proxies', 'weight', { good: ['1', '0.5', '1e9'], bad: ['0', '-1', '1.1e9', "'x'"] }],
  ['proxies', 'hand_outs', { good: ['NULL', ...WHOLE.good], bad: WHOLE.bad }],
  ['proxies', 'revision', { good: ['NULL', '1', '9007199254740991'], bad: ['0', '1.5', "'x'"] }],
  ['proxies', 'remote_dns', FLAG],
  ['proxies', 'gateway', FLAG],
  ['encrypted_credentials', 'encrypted_data', BASE64],
  ['encrypted_credentials', 'iv', BASE64],
  ['encrypted_credentials', 'auth_tag', BASE64],
  ['encrypted_credentials', 'key_id', { good: ['NULL', "'any'"], bad: ["x'00'"] }],
  [
    'encrypted_credentials',
    'binding',
    { good: ['NULL', "'login'", "'text'", "'unbound'"], bad: ["'other'", '1'] },
  ],
  ['encrypted_credentials', 'binding_version', { good: ['NULL', '3'], bad: ['2', '4', "'x'"] }],
  ['encrypted_credentials', 'created_at', TIMES],
  ['encryption_config', 'database_id', { good: ["'x'"], bad: ["''", "x'00'"] }],
  ['encryption_config', 'key_source', { good: ["'x'"], bad: ["''"] }],
  ['encryption_config', 'rotation_key_id', { good: ['NULL', ...KEY_ID.good], bad: KEY_ID.bad }],
  ['encryption_config', 'rotation_cursor', TEXT_OR_NULL],
  ['encryption_config', 'rotation_started_at', { good: ['NULL', ...TIMES.good], bad: TIMES.bad }],
  ['encryption_keys', 'key_id', KEY_ID],
  ['encryption_keys', 'kek_id', KEY_ID],
  ['encryption_keys', 'wrapped_key', BASE64],
  [
    'encryption_keys',
    'key_check_value',
    { good: [`'${'0f'.repeat(16)}'`], bad: [`'${'0f'.repeat(15)}'`, `'${'0F'.repeat(16)}'`] },
  ],
  ['encryption_keys', 'state', { good: ["'primary'", "'decrypt-only'"], bad: ["'Primary'"] }],
  ['encryption_keys', 'message_count', { good: WHOLE.good, bad: WHOLE.bad }],
  ['encryption_keys', 'created_at', TIMES],
  ['encryption_secrets', 'name', { good: ["'recovery'"], bad: ["'other'"] }],
  ['encryption_secrets', 'iv', BASE64],
  ['encryption_secrets', 'created_at', TIMES],
  ['rotation_config', 'strategy', { good: ["'custom'"], bad: ["'other'"] }],
  ['rotation_config', 'interval_ms', POSITIVE],
  ['rotation_config', 'max_requests_per_proxy', POSITIVE],
  ['rotation_config', 'failure_threshold', POSITIVE],
  [
    'rotation_config',
    'config_json',
    { good: ['NULL', "'{}'", `'{"custom":"c"}'`], bad: ["''", "'[]'", `'{"x":1}'`] },
  ],
  ['rotation_config', 'updated_at', { good: ['NULL', ...TIMES.good], bad: TIMES.bad }],
  ['rotation_rules', 'name', { good: ["'x'"], bad: ["x'61'"] }],
  [
    'rotation_rules',
    'priority',
    { good: ['-9007199254740991', '0', '9007199254740991'], bad: ['0.5', "'x'", '-9007199254740992'] },
  ],
  [
    'rotation_rules',
    'conditions_json',
    {
      good: [`'[{"field":"region","operator":"equals","value":"x"}]'`],
      bad: ["'[]'", "'{}'", "''", `'[{"field":"hour","operator":"equals","value":"x"}]'`],
    },
  ],
  ['rotation_rules', 'condition_logic', { good: ["'OR'"], bad: ["'or'"] }],
  [
    'rotation_rules',
    'actions_json',
    { good: [`'[{"type":"use-region","region":"EU"}]'`], bad: ["'[]'", `'[{"type":"other"}]'`] },
  ],
  ['rotation_rules', 'stop_on_match', FLAG],
  ['rotation_rules', 'enabled', FLAG],
  ['rotation_rules', 'created_at', TIMES],
  ['rotation_events', 'timestamp', TIMES],
  ['rotation_events', 'previous_proxy_id', TEXT_OR_NULL],
  ['rotation_events', 'new_proxy_id', TEXT_OR_NULL],
  ['rotation_events', 'reason', { good: ["'failure'"], bad: ["'other'"] }],
  ['sticky_sessions', 'domain', { good: ["'x'"], bad: ["''", "CAST(x'61ff' AS TEXT)", "x'61'"] }],
  ['sticky_sessions', 'created_at', TIMES],
  ['sticky_sessions', 'request_count', WHOLE],
  ['sticky_sessions', 'is_wildcard', FLAG],
  [
    'proxy_usage_stats',
    'date',
    {
      good: ["'2024-02-29'", "'0000-01-01'"],
      bad: ["'2023-02-29'", "'2026-06-31'", "'2026-1-1'", "'2026-01-01 00:00:00'"],
    },
  ],
  ['proxy_usage_stats', 'request_count', WHOLE],
  ['proxy_usage_stats', 'success_count', WHOLE],
  ['proxy_usage_stats', 'failure_count', WHOLE],
  ['proxy_usage_stats', 'total_latency_ms', WHOLE],
  ['proxy_usage_stats', 'latency_count', WHOLE],
  ['proxy_tags', 'tag', { good: ["'x'"], bad: ["''", "CAST(x'ff' AS TEXT)"] }],
  ['proxy_tags', 'import_id', { good: ["''"], bad: ["x'00'"] }],
  ['session_proxies', 'session', { good: ["'x'"], bad: ["''", "x'61'"] }],
  ['session_proxies', 'proxy_id', { good: ["'p'"], bad: ["''", "x'61'"] }],
  ['session_proxies', 'created_at', TIMES],
  ['session_proxies', 'request_count', WHOLE],
  ['session_proxies', 'ttl_ms', POSITIVE],
  ['rotation_turns', 'view', { good: ["''", "'x'"], bad: ["x'61'"] }],
  ['rotation_turns', 'proxy_id', { good: ["'gone'"], bad: ["''"] }],
  ['rotation_turns', 'since', TIMES],
  ['rotation_turns', 'until', { good: ['NULL', ...TIMES.good], bad: TIMES.bad }],
  ['proxy_cooldowns', 'proxy_id', { good: ["'p'"], bad: ["''", "x'61'"] }],
  [
    'proxy_cooldowns',
    'scope',
    { good: ["''", "'domain a.example'", "'session s'"], bad: ["'domain '", "'a.example'", "x'61'", 'NULL'] },
  ],
  ['proxy_cooldowns', 'source', { good: ["'engine'", "'person'"], bad: ["'other'"] }],
  ['proxy_cooldowns', 'kind', { good: ["'auth'", "'outlier'", "'manual'"], bad: ["'other'", "x'61'"] }],
  ['proxy_cooldowns', 'times', WHOLE],
  ['proxy_cooldowns', 'since', TIMES],
  ['proxy_cooldowns', 'until', { good: ['NULL', ...TIMES.good], bad: TIMES.bad }],
  ['proxy_cooldowns', 'detail', TEXT_OR_NULL],
  ['proxy_leases', 'id', { good: ["'l'"], bad: ["''", "x'61'"] }],
  ['proxy_leases', 'proxy_id', { good: ["'p'"], bad: ["''", "x'61'"] }],
  ['proxy_leases', 'domain', TEXT_OR_NULL],
  ['proxy_leases', 'session', TEXT_OR_NULL],
  ['proxy_leases', 'acquired_at', TIMES],
  ['proxy_leases', 'expires_at', TIMES],
  ['pool_revisions', 'name', { good: ["'rules'"], bad: ["'other'"] }],
  ['pool_revisions', 'revision', WHOLE],
];

/** What `check` says of the rows, without the rest that it looks at, also of those in an open transaction. */
const check = ({ driver, engine }: DatabaseManager): ReturnType<typeof findMalformedRows> => {
  const all: BackgroundReads['all'] = async (sql, params = {}) =>
    driver.all(sql, params, (row) => ({ ...row }));
  const background = { all };
  return findMalformedRows(
    {
      background,
      objects: () => engine.objects(),
      eachRow: (table, use) => eachRow(background, table, use),
    },
    'schema_migrations',
  );
};

describe('check', () => {
  it('names each column that does not hold what it should, and no other', async () => {
    const { db } = fill();
    expect((await db.check()).rows).toEqual([]);
    for (const [table, column, { good, bad }] of columns) {
      const set = (value: string): void => db.driver.exec(`UPDATE ${table} SET ${column} = ${value}`);
      const [before = {}] = db.driver.all(`SELECT * FROM ${table}`, {}, (row) => ({ ...row }));
      const problems = async (): Promise<string[]> =>
        (await check(db)).rows.map((row) => `${row.table}.${row.column}`);
      db.driver.exec('SAVEPOINT value');
      for (const value of good) {
        set(value);
        expect([column, value, await problems()]).toEqual([column, value, []]);
      }
      for (const value of bad) {
        let isTaken = true;
        try {
          set(value);
        } catch {
          isTaken = false;
        }
        if (isTaken)
          expect([column, value, await problems()]).toEqual([column, value, [`${table}.${column}`]]);
      }
      db.driver.exec('ROLLBACK TO value; RELEASE value');
      expect(db.driver.all(`SELECT * FROM ${table}`, {}, (row) => ({ ...row }))[0]).toEqual(before);
    }
  });

  it('counts all of thousands of malformed rows, each once, and names the first thousand', async () => {
    const { db } = fill();
    db.driver.exec(`
      INSERT INTO rotation_events (id, timestamp, reason)
      WITH RECURSIVE n (i) AS (SELECT -2 UNION ALL SELECT i + 1 FROM n WHERE i < 10001)
      SELECT i, '2026', 'manual' FROM n WHERE i NOT IN (0, 1)`);
    const { ok, rows, rowsTotal } = await db.check();
    expect(ok).toBe(false);
    expect(rows).toHaveLength(1000);
    expect(rows[0]).toMatchObject({
      table: 'rotation_events',
      column: expect.stringMatching(/^(id|timestamp)$/),
      id: '-2',
    });
    // Those with a negative id have two malformed columns.
    expect(rowsTotal).toBe(10_002 + 2);
  });

  it('names the row by all columns of its key, and cuts a long one', async () => {
    const { db } = fill();
    db.driver.exec(`UPDATE proxy_usage_stats SET request_count = -1`);
    db.driver.exec(`UPDATE rotation_rules SET id = '${'r'.repeat(300)}', priority = 0.5`);
    const { rows } = await db.check();
    expect(rows.map(({ id }) => id).sort()).toEqual([
      expect.stringMatching(/^p \d{4}-\d\d-\d\d$/),
      `${'r'.repeat(200)}…`,
    ]);
  });

  it('misses the row of the configuration that keys are bound to, and that of the base schema', async () => {
    const { db } = fill();
    db.driver.exec(`DELETE FROM encryption_config`);
    expect((await check(db)).rows).toEqual([
      expect.objectContaining({ table: 'encryption_config', id: '1', column: 'database_id' }),
    ]);
    const other = fill().db;
    other.driver.exec(`DELETE FROM schema_migrations WHERE version = 0`);
    expect((await check(other)).rows).toEqual([expect.objectContaining({ column: 'namespace' })]);
  });
});

describe('totals', () => {
  it('leave out malformed rows, and say how many', () => {
    for (const value of ['-1', '0.5', '9007199254740992', "'x'"]) {
      const { db, heard } = fill();
      const usage = new ProxyUsageStatsRepository(db);
      usage.record('p', { success: true, date: '2026-01-01' });
      db.driver.exec(`UPDATE proxy_usage_stats SET total_latency_ms = ${value} WHERE date <> '2026-01-01'`);
      expect(usage.totals()).toMatchObject({ requestCount: 1, totalLatencyMs: 0 });
      expect(heard).toEqual([{ table: 'proxy_usage_stats', id: null, rows: 1 }]);
    }
  });
});

describe('warnings', () => {
  it('are made for each column of each row once, a hundred at most', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    try {
      const db = openMigrated({ path: ':memory:' });
      db.driver.exec(`PRAGMA ignore_check_constraints = on`);
      const proxies = new ProxyRepository(db);
      proxies.createMany(
        Array.from({ length: 120 }, (_, n) => ({ host: 'h.example', port: n + 1, protocol: 'http' })),
      );
      const id = proxies.findAll()[0]?.id ?? '';
      const heard = (): number => {
        for (let times = 0; times < 2; times++) proxies.findAll();
        return warn.mock.calls.length;
      };
      db.driver.exec(`UPDATE proxies SET status = 'x' WHERE id = '${id}'`);
      expect(heard()).toBe(1);
      expect(warn.mock.calls[0]?.[1]).toEqual({ type: 'ProxyVaultWarning', code: 'PROXYVAULT_INVALID_ROW' });
      db.driver.exec(`UPDATE proxies SET status = 'active', latency = -1 WHERE id = '${id}'`);
      expect(heard()).toBe(2);
      db.driver.exec(`UPDATE proxies SET latency = -1`);
      expect(heard()).toBe(100);
    } finally {
      warn.mockRestore();
    }
  });
});
