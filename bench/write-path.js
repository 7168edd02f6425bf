// What a write costs beside what a user would write by hand: bare better-sqlite3 and prepared Drizzle on the schema of the
// specification (test/fixtures/codemap.sql) with one index for the top performers, with the same pragmas. The other
// comparison (operations.js) runs our own SQL on our own schema on both sides; here both pay for their own.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ProxyRepository } from 'proxyvault';
import { v7 as uuidv7 } from 'uuid';
import { compareAll } from './compare.js';
import { isOnce, newFile, openBare, openOurs } from './pools.js';

const SCHEMA = readFileSync(new URL('../test/fixtures/codemap.sql', import.meta.url), 'utf8');
const TOP = 'CREATE INDEX idx_proxies_top ON proxies(status, success_rate DESC, latency)';
const GOAL = 0.9;
const POOL = isOnce ? 1000 : 10_000;

let made = 0;
const nextInput = () => {
  const n = made++;
  return {
    name: 'US Proxy 1',
    host: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`,
    port: 8080,
    protocol: 'http',
  };
};
const nowText = () => new Date().toISOString().slice(0, 23).replace('T', ' ');
/** The arguments of one report after another, each of another proxy. */
function reportsOf(ids) {
  let n = 0;
  return () => {
    n += 7919;
    return [ids[n % POOL], n % 10 > 0, 50 + ((n * 37) % 200)];
  };
}

/** @returns {Promise<{name: string, ratio: number, least: number, most: number, perSecond: number, goal: number}[]>} */
export async function measureWritePath(wanted) {
  // The tests must not need what only the comparison does.
  const drizzle = isOnce ? null : await openDrizzle();
  if (drizzle === null && !isOnce)
    console.error('The comparison with Drizzle is skipped: run npm ci in bench/peers.');
  const sides = { ours: openOurSide(), bare: openBareSide(), ...(drizzle && { drizzle }) };
  const results = [];
  for (const [name, pairs] of [
    ['create', 41],
    ['createMany of 1000', 21],
    ['updateStats', 41],
  ]) {
    if (!wanted([`write path, ${name}`])) continue;
    const works = Object.fromEntries(Object.entries(sides).map(([side, works]) => [side, works[name]]));
    const { ours, drizzle: other } = compareAll(works, 'bare', { pairs });
    results.push({ ...ours, name: `write path, ${name}`, goal: Math.max(GOAL, other?.ratio ?? 0) });
    if (other) results.push({ ...other, name: `write path, ${name}, Drizzle`, goal: 0 });
  }
  return results;
}

function openOurSide() {
  const { db } = openOurs();
  const proxies = new ProxyRepository(db);
  const ids = proxies.createMany(Array.from({ length: POOL }, nextInput)).map(({ id }) => id);
  const next = reportsOf(ids);
  return {
    create: () => proxies.create(nextInput()),
    'createMany of 1000': () => proxies.createMany(Array.from({ length: 1000 }, nextInput)),
    updateStats: () => proxies.updateStats(...next()),
  };
}

function openCodemap() {
  const bare = openBare(newFile());
  bare.exec(`${SCHEMA}; ${TOP}`);
  return bare;
}

function openBareSide() {
  const bare = openCodemap();
  const insert = bare.prepare(
    `INSERT INTO proxies (id, name, host, port, protocol, status, latency, region, geolocation_json, created_at, updated_at)
     VALUES (:id, :name, :host, :port, :protocol, :status, :latency, :region, :geolocation, :now, :now)`,
  );
  const create = () => {
    const row = {
      id: uuidv7(),
      ...nextInput(),
      status: 'active',
      latency: null,
      region: null,
      geolocation: null,
      now: nowText(),
    };
    // Not get() with RETURNING: that ends before SQLite looks at its log, which would then never be moved into the file.
    insert.run(row);
    return row;
  };
  const update = bare.prepare(
    `UPDATE proxies SET
       total_requests = total_requests + 1,
       failure_count = CASE WHEN :success = 1 THEN 0 ELSE failure_count + 1 END,
       success_rate = (success_rate * total_requests + 100.0 * :success) / (total_requests + 1),
       latency = CASE WHEN latency IS NULL THEN :latency ELSE round(latency + (:latency - latency) / 8.0) END,
       updated_at = :now
     WHERE id = :id`,
  );
  const upsert = bare.prepare(
    `INSERT INTO proxy_usage_stats (proxy_id, date, request_count, success_count, failure_count, total_latency_ms)
     VALUES (:id, :date, 1, :success, 1 - :success, :latency)
     ON CONFLICT (proxy_id, date) DO UPDATE SET
       request_count = request_count + 1,
       success_count = success_count + excluded.success_count,
       failure_count = failure_count + excluded.failure_count,
       total_latency_ms = total_latency_ms + excluded.total_latency_ms`,
  );
  const record = bare.transaction((id, isSuccess, latency) => {
    const success = isSuccess ? 1 : 0;
    const now = nowText();
    update.run({ id, success, latency, now });
    upsert.run({ id, date: now.slice(0, 10), success, latency });
  });
  const createMany = bare.transaction(() => Array.from({ length: 1000 }, create));
  const ids = bare
    .transaction(() => Array.from({ length: POOL }, create))()
    .map(({ id }) => id);
  const next = reportsOf(ids);
  return {
    create,
    'createMany of 1000': createMany,
    updateStats: () => record.immediate(...next()),
  };
}

/** Null if it is not installed. */
async function openDrizzle() {
  const { resolve } = createRequire(new URL('peers/package.json', import.meta.url));
  let modules;
  try {
    modules = await Promise.all(
      ['drizzle-orm', 'drizzle-orm/better-sqlite3', 'drizzle-orm/sqlite-core'].map(
        (name) => import(resolve(name)),
      ),
    );
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
  const [{ sql, eq }, { drizzle }, { sqliteTable, text, integer, real, primaryKey }] = modules;
  const proxies = sqliteTable('proxies', {
    id: text('id').primaryKey(),
    name: text('name').notNull(),
    host: text('host').notNull(),
    port: integer('port').notNull(),
    protocol: text('protocol').notNull(),
    status: text('status').default('active'),
    latency: integer('latency'),
    failureCount: integer('failure_count').default(0),
    totalRequests: integer('total_requests').default(0),
    successRate: real('success_rate').default(100),
    region: text('region'),
    geolocation: text('geolocation_json'),
    createdAt: text('created_at'),
    updatedAt: text('updated_at'),
  });
  const usage = sqliteTable(
    'proxy_usage_stats',
    {
      proxyId: text('proxy_id').notNull(),
      date: text('date').notNull(),
      requestCount: integer('request_count').default(0),
      successCount: integer('success_count').default(0),
      failureCount: integer('failure_count').default(0),
      totalLatencyMs: integer('total_latency_ms').default(0),
    },
    (table) => [primaryKey({ columns: [table.proxyId, table.date] })],
  );
  const db = drizzle(openCodemap());
  const given = (name) => sql.placeholder(name);
  const insert = db
    .insert(proxies)
    .values({
      id: given('id'),
      name: given('name'),
      host: given('host'),
      port: given('port'),
      protocol: given('protocol'),
      status: given('status'),
      latency: given('latency'),
      region: given('region'),
      geolocation: given('geolocation'),
      createdAt: given('now'),
      updatedAt: given('now'),
    })
    .returning()
    .prepare();
  // all(), and not get(), for the same reason.
  const create = () =>
    insert.all({
      id: uuidv7(),
      ...nextInput(),
      status: 'active',
      latency: null,
      region: null,
      geolocation: null,
      now: nowText(),
    })[0];
  const { totalRequests, failureCount, successRate, latency: mean } = proxies;
  const update = db
    .update(proxies)
    .set({
      totalRequests: sql`${totalRequests} + 1`,
      failureCount: sql`CASE WHEN ${given('success')} = 1 THEN 0 ELSE ${failureCount} + 1 END`,
      successRate: sql`(${successRate} * ${totalRequests} + 100.0 * ${given('success')}) / (${totalRequests} + 1)`,
      latency: sql`CASE WHEN ${mean} IS NULL THEN ${given('latency')} ELSE round(${mean} + (${given('latency')} - ${mean}) / 8.0) END`,
      updatedAt: sql`${given('now')}`,
    })
    .where(eq(proxies.id, given('id')))
    .prepare();
  const upsert = db
    .insert(usage)
    .values({
      proxyId: given('id'),
      date: given('date'),
      requestCount: 1,
      successCount: given('success'),
      failureCount: given('failure'),
      totalLatencyMs: given('latency'),
    })
    .onConflictDoUpdate({
      target: [usage.proxyId, usage.date],
      set: {
        requestCount: sql`request_count + 1`,
        successCount: sql`success_count + excluded.success_count`,
        failureCount: sql`failure_count + excluded.failure_count`,
        totalLatencyMs: sql`total_latency_ms + excluded.total_latency_ms`,
      },
    })
    .prepare();
  const ids = db.transaction(() => Array.from({ length: POOL }, create)).map(({ id }) => id);
  const next = reportsOf(ids);
  const record = (id, isSuccess, latency) => {
    const success = isSuccess ? 1 : 0;
    const now = nowText();
    update.run({ id, success, latency, now });
    upsert.run({ id, date: now.slice(0, 10), success, failure: 1 - success, latency });
  };
  return {
    create,
    'createMany of 1000': () => db.transaction(() => Array.from({ length: 1000 }, create)),
    updateStats: () =>
      db.transaction(() => record(...next()), {
        behavior: 'immediate',
      }),
  };
}
