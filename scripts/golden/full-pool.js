// The pool of a set that has rows of every kind, its backup, and its lists.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  configOf,
  EXPORTS,
  LISTS,
  LOGINS,
  PROXIES,
  rulesOf,
  STICKY_QUESTIONS,
  stickiesOf,
  TEXTS,
} from './contents.js';

export async function fullPool({ library, scratch, clock }) {
  const path = join(scratch, 'full.db');
  const keyFile = join(scratch, 'full.key');
  const db = library.initDatabase({ path, clock });
  db.migrations.up();
  const encryption = new library.EncryptionService({ keyFile, database: db });
  const proxies = new library.ProxyRepository(db, encryption);
  const notes = [];

  for (const proxy of PROXIES) attempt(notes, () => proxies.create(proxy));
  LOGINS.forEach(({ gate, ...credentials }, n) => {
    const address = {
      host: `${gate ?? `gate-${n}`}.example`,
      port: 7000,
      protocol: n % 2 ? 'socks5' : 'http',
    };
    if (gate) address.protocol = 'http';
    attempt(notes, () => proxies.create({ ...address, credentials }));
  });
  saveTexts({ library, db, encryption, keyFile, proxies });
  const lists = await importLists({ library, db, encryption, proxies });
  const removed = proxies.create({ host: 'removed.example', port: 1, protocol: 'http' });
  proxies.delete(removed.id);
  await use({ library, db, proxies, removed, keyFile, clock });

  const recoveryCode = encryption.createRecoveryCode();
  const { exports, files } = writeExports({ library, db, encryption });
  const backup = await db.backup(join(scratch, 'backup.db'));
  const facts = {
    ...keyFactsOf({ library, db, encryption, proxies }),
    ...rowFactsOf({ library, db, proxies }),
  };
  db.close();
  for (const { file, text } of LISTS) files[`lists/${file}`] = text;
  return {
    pool: {
      name: 'full',
      kind: 'key file',
      keyFile: 'full/key',
      recoveryCode,
      ...facts,
      files: {
        'pool.db': readFileSync(path),
        'backup.db': readFileSync(backup),
        key: readFileSync(keyFile),
      },
    },
    manifest: { lists, exports },
    files,
    notes,
  };
}

/** What a test has to find again in any pool: its logins, and what its keys are. */
export function keyFactsOf({ library, db, encryption, proxies }) {
  const credentials = new library.EncryptedCredentialsRepository(db, encryption);
  const { databaseId, keys, rotation } = encryption.status();
  const ids = proxies.findAll().map(({ id }) => id);
  return {
    schemaVersion: db.migrations.getCurrentVersion(),
    databaseId,
    keys: keys.map(({ keyId, kekId, state, rows }) => ({ keyId, kekId, state, rows })),
    rotation,
    logins: entries(ids, (id) => credentials.reveal(id)),
    fingerprints: entries(ids, (id) => fingerprintsOf(db, id)),
  };
}

/** What it has to find again in the tables. */
function rowFactsOf({ library, db, proxies }) {
  const tags = new library.ProxyTagsRepository(db);
  const usage = new library.ProxyUsageStatsRepository(db);
  const ids = proxies.findAll().map(({ id }) => id);
  const tables = db.driver.all(
    `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name`,
    {},
    (row) => String(row.name),
  );
  return {
    ledger: db.driver.all('SELECT name, checksum FROM schema_migrations ORDER BY position', {}, (row) => ({
      ...row,
    })),
    rows: entries(tables, (table) =>
      db.driver.first(`SELECT count(*) AS n FROM ${table}`, {}, (row) => row.n),
    ),
    proxies: proxies.findAll(),
    tags: entries(ids, (id) => tags.findByProxy(id)),
    config: new library.RotationConfigRepository(db).get(),
    rules: new library.RotationRulesRepository(db).findAll(),
    stickies: new library.StickySessionRepository(db).getAll(),
    stickyAnswers: entries(STICKY_QUESTIONS, (domain) => {
      return new library.StickySessionRepository(db).findByDomain(domain)?.domain ?? null;
    }),
    events: [...new library.RotationEventsRepository(db).iterate()],
    usage: entries(ids, (id) => usage.findByProxy(id)),
  };
}

/** By key, without what is null or empty. */
function entries(keys, read) {
  const all = keys.map((key) => [key, read(key)]);
  return Object.fromEntries(all.filter(([, value]) => value !== null && value.length !== 0));
}

function fingerprintsOf(db, id) {
  const row = db.driver.first('SELECT * FROM proxies WHERE id = :id', { id }, (found) => found);
  const { username_fingerprint: username, password_fingerprint: password } = row;
  return username ? { username, ...(password ? { password } : {}) } : null;
}

function attempt(notes, work) {
  try {
    return work();
  } catch (error) {
    if (!['CONFLICT', 'INVALID_INPUT'].includes(error.code)) throw error;
    notes.push(error.message);
    return null;
  }
}

function saveTexts({ library, db, encryption, keyFile, proxies }) {
  const credentials = new library.EncryptedCredentialsRepository(db);
  const alone = new library.EncryptionService({ keyFile });
  for (const [from, service] of [
    ['database', encryption],
    ['source', alone],
  ]) {
    const { id } = proxies.create({ host: `text-${from}.example`, port: 8080, protocol: 'http' });
    credentials.save(id, service.encrypt(TEXTS[from]));
  }
}

async function importLists({ library, db, encryption, proxies }) {
  const lists = [];
  for (const { file, text, format } of LISTS) {
    const tag = `list ${file}`;
    const known = new Set(proxies.findAll().map(({ id }) => id));
    const result = await library.importProxies(db, text, { encryption, tag, ...(format ? { format } : {}) });
    if (result.added === 0 || result.refused.length > 0)
      throw new Error(`${file} is not read whole: ${JSON.stringify(result)}`);
    const ids = proxies.findAll().flatMap(({ id }) => (known.has(id) ? [] : [id]));
    lists.push({ file: `lists/${file}`, format: format ?? 'auto', tag, ids });
  }
  // One proxy with two tags.
  const [first] = lists;
  new library.ProxyTagsRepository(db).add(first.ids[0], 'second tag \u{1f511}', 'by hand');
  return lists;
}

async function use({ library, db, proxies, removed, keyFile, clock }) {
  const all = proxies.findAll();
  const [first, second] = all.filter(({ status }) => status === 'active');
  const failed = all.find(({ status }) => status === 'failed');
  for (const latency of [100, 250, 75]) proxies.updateStats(first.id, true, latency);
  proxies.updateStats(second.id, true);
  for (let n = 0; n < 3; n++) proxies.updateStats(failed.id, false);

  const vault = await library.openVault({ path: db.path, keyFile, clock });
  for (let n = 0; n < 3; n++) {
    const { id } = vault.pool.choose({ session: `session ${n}`, strategy: 'round-robin' });
    vault.pool.report(id, { success: n !== 1, latencyMs: 100 + n });
  }
  await vault.close();
  const events = new library.RotationEventsRepository(db);
  for (const reason of ['scheduled', 'failure', 'manual', 'startup'])
    events.append({
      previousProxyId: reason === 'startup' ? null : removed.id,
      newProxyId: first.id,
      reason,
    });
  events.append({
    previousProxyId: first.id,
    newProxyId: null,
    reason: 'failure',
    timestamp: '2025-12-31T23:59:59.999Z',
  });

  const usage = new library.ProxyUsageStatsRepository(db);
  usage.record(first.id, { success: true, latency: 120, date: '2026-01-01' });
  usage.record(first.id, { success: false, date: '2026-01-01' });
  usage.record(second.id, { success: true, date: '2025-12-31' });

  const rules = new library.RotationRulesRepository(db);
  for (const rule of rulesOf(first.id)) rules.create(rule);
  new library.RotationConfigRepository(db).update(configOf(first.id));

  const stickies = new library.StickySessionRepository(db);
  for (const mapping of stickiesOf(first.id, second.id)) stickies.create(mapping);
  stickies.use('shop.example');
}

function writeExports({ library, db, encryption }) {
  const files = {};
  const exports = EXPORTS.map(({ file, ...options }) => {
    const leftOut = [];
    const onLeftOut = ({ id, part, reason }) => leftOut.push({ id, part: part ?? null, reason });
    files[`exports/${file}`] = Array.from(
      library.exportProxies(db, { encryption, ...options, onLeftOut }),
    ).join('');
    return { file: `exports/${file}`, ...options, leftOut };
  });
  return { exports, files };
}
