import { randomBytes } from 'node:crypto';
import { Pool } from 'proxyvault';
import { type DatabaseManager, PROXY_SORT_FIELDS } from 'proxyvault/database';
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
import type { Session } from 'proxyvault/driver';
import { expect, it } from 'vitest';
import { foldLatency, noLatency } from '../../src/database/repositories/latency-sums.ts';
import { OutcomesRepository } from '../../src/database/repositories/outcomes.repository.ts';
import { PoolChangesRepository } from '../../src/database/repositories/pool-changes.repository.ts';
import { ProxyCooldownsRepository } from '../../src/database/repositories/proxy-cooldowns.repository.ts';
import { ProxyLeasesRepository } from '../../src/database/repositories/proxy-leases.repository.ts';
import { RotationTurnsRepository } from '../../src/database/repositories/rotation-turns.repository.ts';
import { SessionProxiesRepository } from '../../src/database/repositories/session-proxies.repository.ts';
import { openMigrated } from '../support/temporary.ts';

/** What only SQLite runs, or what PostgreSQL answers otherwise. */
const FORBIDDEN: readonly [RegExp, string][] = [
  [/\browid\b/i, 'rowid: name the primary key'],
  [/\bjson_\w+\(/i, 'functions of JSON differ: one parameter for each value'],
  [/\bLIMIT\s+-/i, 'a negative LIMIT'],
  [/\bsqlite_|\bPRAGMA\b/i, 'the catalogue: ask the engine'],
  [/\bINSERT OR\b|\bUPDATE OR\b|\bREPLACE INTO\b/i, 'ON CONFLICT in place of OR'],
  [/\b(?:datetime|date|time|strftime|julianday|unixepoch)\(|\bCURRENT_\w+/i, 'the time is a parameter'],
  [/"/, 'double quotes are names, never texts'],
  [/\bGLOB\b|\bREGEXP\b|\bMATCH\b/i, 'LIKE is all that both know'],
  [/\b(?:ifnull|iif|total|group_concat|instr|printf|hex|unicode)\(/i, 'coalesce, CASE'],
  [/:\w+\s+IS\b|\bIS\s+(?:NOT\s+)?:/i, 'the type of a parameter must follow from its place'],
  [
    /\b(?:enabled|stop_on_match|remote_dns|is_wildcard)\s*(?:=|<>|IS(?: NOT)? DISTINCT FROM)\s*[01]\b/i,
    'TRUE and FALSE',
  ],
  [/\bIS\s+(?:NOT\s+)?(?:DISTINCT FROM\s+)?(?:TRUE|FALSE)\b/i, 'SQLite takes a text for FALSE'],
  [/(?<!lower\(\w+\)|\bhost) LIKE\b/i, 'LIKE regards the case in PostgreSQL'],
  [/\bCAST\(round\(|\bAS INTEGER\)(?! *,? *FALSE)/i, 'half to even, and 32 bits'],
  [/\bORDER BY [^()]*\blast_used_at\b(?!(?: DESC)? NULLS)/i, 'NULL is last in PostgreSQL'],
  [/\bINDEXED BY\b|\bCOLLATE\b|\bWITHOUT ROWID\b/i, 'words of SQLite'],
];

/** Columns on the right side of DO UPDATE SET that do not say whether they are the stored or the given ones. */
function unqualified(sql: string): string[] {
  const [, updates = ''] = /\bDO UPDATE SET\b([\s\S]*?)(?:\bWHERE\b|\bRETURNING\b|$)/.exec(sql) ?? [];
  return updates
    .split(/,(?![^()]*\))/)
    .map((update) => update.slice(update.indexOf('=') + 1).replaceAll(/'[^']*'/g, ''))
    .flatMap((value) => value.match(/(?<![.:\w])[a-z_]+(?![\w.(])/g) ?? []);
}

/** A session whose statements are noted. */
function recorded(db: DatabaseManager): { session: Session<'sync'>; texts: Set<string> } {
  const texts = new Set<string>();
  const driver = new Proxy(db.driver, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (typeof args[0] === 'string' && name !== 'lock') texts.add(args[0]);
        return Reflect.apply(value, target, args);
      };
    },
  });
  const { engine, clock, onInvalidRow } = db;
  return { session: { driver, engine, clock, onInvalidRow }, texts };
}

function useChanges(session: Session<'sync'>, proxyId: string): void {
  const changes = new PoolChangesRepository(session);
  changes.revisions();
  changes.changedSince(0, 9);
  changes.deletedSince(0, 9);
  changes.page('', 9);
  changes.tagsPage('', '', 9);
  const sessions = new SessionProxiesRepository(session);
  sessions.claim({ session: 's', proxyId });
  sessions.find('s');
  sessions.move('s', proxyId, proxyId);
  sessions.touch('s', 1, new Date(0));
  sessions.list(9);
  sessions.count();
  sessions.deleteExpired();
  sessions.delete('s');
  const turns = new RotationTurnsRepository(session);
  turns.set({ view: '', proxyId, since: new Date(0) });
  turns.get('');
  useHealth(session, proxyId);
}

function useHealth(session: Session<'sync'>, proxyId: string): void {
  const since = new Date(0);
  const cooldowns = new ProxyCooldownsRepository(session);
  const cooldown = { proxyId, scope: '', source: 'engine', kind: 'connect', times: 1, detail: null } as const;
  cooldowns.set({ ...cooldown, since, until: null });
  cooldowns.find(proxyId);
  cooldowns.list({ scope: '', at: since });
  new PoolChangesRepository(session).cooldownsPage(null, 9);
  cooldowns.remove(proxyId, { scope: '', source: 'engine' });
  cooldowns.deleteExpiredBefore(since);
  const leases = new ProxyLeasesRepository(session);
  leases.create({ id: 'l', proxyId, domain: null, session: null, acquiredAt: since, expiresAt: since });
  leases.find('l');
  leases.renew('l', since);
  leases.expired(since, 9);
  leases.take('l');
  leases.deleteExpiredBefore(since);
  const outcome = { proxyId, day: '2026-01-01', handOuts: 1, lastUsed: since, successes: 1, failures: 0 };
  const latency = foldLatency(noLatency(), 5);
  new OutcomesRepository(session).recordMany([{ ...outcome, failuresInRow: 0, hasSuccess: true, latency }]);
}

function useProxies(session: Session<'sync'>, encryption: EncryptionService): string {
  const proxies = new ProxyRepository(session, encryption);
  const login = { username: 'u', password: 'p' };
  const input = { host: 'h.example', port: 1, protocol: 'http' as const };
  const { id } = proxies.create({ ...input, credentials: login });
  proxies.createMany([2, 4].map((port) => ({ ...input, port })));
  const tag = { name: 'tag', importId: 'import' };
  const list = [
    { ...input, credentials: { ...login, password: 'q' }, name: 'n', region: 'r' },
    { ...input, credentials: { ...login, password: '' }, geolocation: { country: 'DE' } },
    { ...input, credentials: { username: 'u', password: '', rotateUrl: 'https://h.example/' } },
    { ...input, port: 2, name: 'n' },
    { ...input, port: 2, region: 'r' },
    { ...input, port: 3 },
  ];
  proxies.importMany(list, { tag });
  proxies.importMany(list, { tag });
  proxies.hasUnidentified();
  proxies.hasUnidentified(input);
  proxies.exists(id);
  proxies.findAll();
  proxies.findByStatus('active');
  proxies.findByProtocol('http');
  proxies.findByRegion('r');
  proxies.list({ status: 'active', protocol: 'http', region: 'r', search: 'N_', tag: 'tag', country: 'DE' });
  for (const field of PROXY_SORT_FIELDS)
    for (const sort of [field, `-${field}`] as const) {
      const { next } = proxies.list({ sort, limit: 1 });
      if (next !== null) proxies.list({ sort, after: next });
    }
  proxies.countByStatus();
  proxies.resolve('h.example:3');
  proxies.count();
  proxies.getTopPerformers(1);
  expect([...proxies.iterate({ search: 'H.' })]).not.toEqual([]);
  proxies.update(id, { host: 'other.example', latency: null, region: null });
  proxies.updateStats(id, true, 2);
  const credentials = new EncryptedCredentialsRepository(session, encryption);
  credentials.store(id, login);
  const stored = credentials.findByProxyId(id);
  if (stored) credentials.save(id, encryption.encrypt('text'));
  credentials.exists(id);
  credentials.count();
  credentials.delete(id);
  const tags = new ProxyTagsRepository(session);
  tags.add(id, 'other', 'import');
  tags.findByProxy(id);
  tags.has(id, 'tag');
  tags.findByProxies([id, 'a', 'b']);
  tags.count('tag');
  tags.countOthers('tag', 'another');
  tags.findOthers('tag', 'another', 5);
  tags.removeOthers('tag', 'another');
  return id;
}

/** Sessions, domains, intervals and turns, each new, kept, moved and read again; and what follows changes. */
function usePool(session: Session<'sync'>): void {
  const proxies = new ProxyRepository(session);
  const config = new RotationConfigRepository(session);
  const pool = new Pool(session);
  const other = new Pool(session);
  for (const intervalMs of [null, 60_000]) {
    config.update({ intervalMs, failureThreshold: 1, options: { rotateOnFailure: true } });
    for (const request of [{}, { session: 's' }, { domain: 'shop.example' }]) {
      const { id } = pool.choose(request);
      proxies.create({ host: 'h.example', port: 1000 + proxies.count(), protocol: 'http' });
      other.choose(request);
      pool.rotate(request);
      pool.report(id, { success: false });
      pool.report(id, { success: true });
    }
  }
  const gone = proxies.create({ host: 'h.example', port: 1, protocol: 'socks4' });
  pool.choose();
  proxies.delete(gone.id);
  pool.choose();
  pool.close();
  other.close();
  const sessions = new SessionProxiesRepository(session);
  sessions.list(5);
  sessions.count();
  sessions.delete('s');
  sessions.deleteExpired();
}

function useRotation(session: Session<'sync'>, id: string): void {
  const rules = new RotationRulesRepository(session);
  const rule = rules.create({
    name: 'n',
    conditions: [{ field: 'hour', operator: 'equals', value: 25 }],
    actions: [{ type: 'block' }],
  });
  rules.findById(rule.id);
  rules.findAll();
  rules.findEnabled();
  rules.update(rule.id, { enabled: false });
  rules.setEnabled(rule.id, true);
  rules.reorder([rule.id]);
  rules.count();
  const config = new RotationConfigRepository(session);
  config.update({ intervalMs: null, options: { stickyByDefault: true } });
  config.setStrategy('sticky-session');
  const sticky = new StickySessionRepository(session);
  sticky.create({ domain: '*.example.com', proxyId: id });
  sticky.findByDomain('a.b.example.com');
  sticky.use('a.b.example.com');
  sticky.findByProxy(id);
  sticky.update('*.example.com', { ttl: null });
  sticky.getAll();
  expect([...sticky.iterate()]).toHaveLength(1);
  sticky.count();
  const events = new RotationEventsRepository(session);
  events.append({ previousProxyId: null, newProxyId: id, reason: 'manual' });
  events.recordMany([{ previousProxyId: null, newProxyId: id, reason: 'manual' }]);
  events.recent();
  events.between('2026-01-01', '2027-01-01');
  events.countByReason();
  const filter = { proxyId: id, reason: 'manual', from: '2026-01-01', to: '2027-01-01' } as const;
  events.countByHour(filter);
  events.list({ ...filter, after: 3 });
  events.count();
  expect([...events.iterate()]).toHaveLength(2);
  events.deleteOlderThan('2026-01-01');
  usePool(session);
  sticky.delete('*.example.com');
  sticky.deleteExpired();
  rules.delete(rule.id);
  config.reset();
  const usage = new ProxyUsageStatsRepository(session);
  usage.recordMany([{ proxyId: id, success: true, latency: 1 }]);
  usage.findByProxy(id);
  usage.findByDate('2026-01-01');
  usage.range();
  usage.totals();
  usage.totals({ proxyId: id });
  for (const field of ['requests', 'failures', 'successRate', 'latency', 'id'] as const)
    for (const sort of [field, `-${field}`] as const) usage.byProxy({ proxyId: id, sort });
  usage.deleteOlderThan('2026-01-01');
}

it('every statement of the repositories and services runs on both engines', async () => {
  const db = openMigrated({ path: ':memory:' });
  const { session, texts } = recorded(db);
  const encryption = new EncryptionService({ key: randomBytes(32), database: session });
  const id = useProxies(session, encryption);
  useChanges(session, id);
  useRotation(session, id);
  new ProxyRepository(session).delete(id);
  await encryption.rotate();
  await encryption.verify();
  encryption.status();
  expect(texts.size).toBeGreaterThan(90);
  const wrong = [...texts].flatMap((sql) => [
    ...FORBIDDEN.filter(([pattern]) => pattern.test(sql)).map(([, why]) => `${why}: ${sql}`),
    ...unqualified(sql).map((column) => `${column} in DO UPDATE SET: ${sql}`),
  ]);
  expect(wrong).toEqual([]);
});

it('the rules see what they are for', () => {
  const bad = [
    'SELECT rowid FROM t',
    'SELECT 1 FROM t LIMIT -1',
    `SELECT "text"`,
    'SELECT 1 FROM t WHERE a IN (SELECT value FROM json_each(:a))',
    'SELECT 1 FROM t WHERE :a IS NULL OR a = :a',
    'SELECT 1 FROM t WHERE a IS :a',
    'INSERT OR IGNORE INTO t VALUES (1)',
    `SELECT datetime('now')`,
    'SELECT name FROM t WHERE name LIKE :a',
    'SELECT 1 FROM t WHERE enabled = 1',
    'SELECT 1 FROM t ORDER BY a, last_used_at, id',
    'SELECT CAST(round(a) AS BIGINT) FROM t',
  ];
  for (const sql of bad)
    expect(
      FORBIDDEN.some(([pattern]) => pattern.test(sql)),
      sql,
    ).toBe(true);
  const upsert = (value: string): string =>
    `INSERT INTO t VALUES (:a) ON CONFLICT (a) DO UPDATE SET n = ${value}, b = excluded.b`;
  expect(unqualified(upsert('n + 1'))).toEqual(['n']);
  expect(unqualified(upsert('coalesce(:n, b)'))).toEqual(['b']);
  expect(unqualified(upsert(`CASE WHEN :x = 1 THEN 'text' ELSE t.n END`))).toEqual([]);
});
