// Each repository operation against the same SQL, by hand, on bare better-sqlite3. The texts are those that the
// repository ran, heard through `verbose`; the hand-written side binds them and takes raw rows.
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import {
  EncryptedCredentialsRepository,
  EncryptionService,
  ProxyRepository,
  ProxyUsageStatsRepository,
  RotationEventsRepository,
  StickySessionRepository,
} from 'proxyvault';
import { v7 as uuidv7 } from 'uuid';
import { compare } from './compare.js';
import { openBoth } from './pools.js';

const NOW = '2026-01-01 00:00:00.000';
const INPUT = { name: 'US Proxy 1', host: '192.168.1.100', port: 8080, protocol: 'http' };

let made = 0;
/** A proxy at an address of its own: there is only one at each. */
const nextInput = () => {
  const n = made++;
  return { ...INPUT, host: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}` };
};

const rowParams = () => ({
  id: uuidv7(),
  ...nextInput(),
  status: 'active',
  latency: null,
  region: null,
  geolocation: null,
  username_fingerprint: '',
  password_fingerprint: '',
  remote_dns: 1,
  gateway: 0,
  weight: 1,
  now: NOW,
});

/** The statements of a list of texts, in order. */
const prepare = (bare, texts) => texts.map((text) => bare.prepare(text));

/** @type {Record<string, () => ReturnType<typeof compare>>} */
export const OPERATIONS = {
  create() {
    return create('create', 'normal');
  },
  'create, durability full'() {
    return create('create, durability full', 'full');
  },
  'createMany of 1000'() {
    const { db, bare, statementsOf } = openBoth();
    const proxies = new ProxyRepository(db);
    // By hand one statement for each proxy; the repository adds several by one.
    const [begin, insert, commit] = prepare(
      bare,
      statementsOf((listened) => new ProxyRepository(listened).createMany([nextInput()])),
    );
    return compare(
      'createMany of 1000',
      () => proxies.createMany(Array.from({ length: 1000 }, nextInput)),
      () => {
        begin.run();
        const rows = [];
        for (let n = 0; n < 1000; n++) {
          const row = rowParams();
          insert.run(row);
          rows.push(row);
        }
        commit.run();
        return rows;
      },
      { pairs: 15 },
    );
  },
  findById() {
    const { db, bare, statementsOf } = openBoth({ count: 10_000 });
    const proxies = new ProxyRepository(db);
    const [select] = prepare(
      bare,
      statementsOf((listened) => new ProxyRepository(listened).findById('x')),
    );
    let n = 0;
    const next = () => {
      n = (n + 7919) % 10_000;
      return `p${String(n).padStart(8, '0')}`;
    };
    return compare(
      'findById',
      () => proxies.findById(next()),
      () => select.get({ id: next() }),
    );
  },
  'findByStatus, 1000 of 10k'() {
    const { db, bare, statementsOf } = openBoth({ count: 10_000 });
    const proxies = new ProxyRepository(db);
    const [select] = prepare(
      bare,
      statementsOf((listened) => new ProxyRepository(listened).findByStatus('failed')),
    );
    return compare(
      'findByStatus, 1000 of 10k',
      () => proxies.findByStatus('failed'),
      () => select.all({ status: 'failed' }),
    );
  },
  updateStats() {
    return updateStats('updateStats', 'normal');
  },
  'updateStats, durability full'() {
    return updateStats('updateStats, durability full', 'full');
  },
  'getTopPerformers(20) of 10k'() {
    return topPerformers('getTopPerformers(20) of 10k', 10_000);
  },
  'getTopPerformers(20) of 100k'() {
    return topPerformers('getTopPerformers(20) of 100k', 100_000);
  },
  'sticky lookup, exact'() {
    return stickyLookup('sticky lookup, exact', 'd500.example.com', [
      'd500.example.com',
      '*.example.com',
      '*.com',
    ]);
  },
  'sticky lookup, wildcard'() {
    const patterns = [
      'a.b.w500.example.com',
      '*.b.w500.example.com',
      '*.w500.example.com',
      '*.example.com',
      '*.com',
    ];
    return stickyLookup('sticky lookup, wildcard', 'a.b.w500.example.com', patterns);
  },
  'usage record'() {
    const { db, bare, statementsOf } = openBoth({ count: 1000 });
    const usage = new ProxyUsageStatsRepository(db);
    const id = 'p00000500';
    const [upsert] = prepare(
      bare,
      statementsOf((listened) =>
        new ProxyUsageStatsRepository(listened).record(id, { success: true, latency: 5 }),
      ),
    );
    return compare(
      'usage record',
      () => usage.record(id, { success: true, latency: 5 }),
      () => upsert.run({ id, date: '2026-01-01', success: 1, latency: 5, measured: 1 }),
    );
  },
  'event append'() {
    const { db, bare, statementsOf } = openBoth();
    const events = new RotationEventsRepository(db);
    const event = { previousProxyId: 'a', newProxyId: 'b', reason: 'scheduled' };
    const [insert] = prepare(
      bare,
      statementsOf((listened) => new RotationEventsRepository(listened).append(event)),
    );
    return compare(
      'event append',
      () => events.append(event),
      () => insert.get({ timestamp: NOW, previous: 'a', next: 'b', reason: 'scheduled' }),
    );
  },
  'credential save, read, decrypt'() {
    const { db, bare } = openBoth({ count: 1000 });
    const bytes = randomBytes(32);
    const key = createSecretKey(bytes);
    const encryption = new EncryptionService({ key: bytes });
    const credentials = new EncryptedCredentialsRepository(db);
    const id = 'p00000500';
    // Once, so that the key is known to be this database's.
    credentials.save(id, encryption.encrypt('x'));
    const save = bare.prepare(
      `INSERT INTO encrypted_credentials (proxy_id, encrypted_data, iv, auth_tag, key_id, created_at)
       VALUES (:id, :ciphertext, :iv, :tag, 'k', :now)
       ON CONFLICT (proxy_id) DO UPDATE SET encrypted_data = excluded.encrypted_data, iv = excluded.iv,
         auth_tag = excluded.auth_tag, key_id = excluded.key_id, created_at = excluded.created_at`,
    );
    const find = bare.prepare('SELECT * FROM encrypted_credentials WHERE proxy_id = :id');
    return compare(
      'credential save, read, decrypt',
      () => {
        credentials.save(id, encryption.encrypt('my-password'));
        return encryption.decrypt(credentials.findByProxyId(id));
      },
      () => {
        const iv = randomBytes(12);
        const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
        const ciphertext = cipher.update('my-password', 'utf8', 'base64') + cipher.final('base64');
        const tag = cipher.getAuthTag().toString('base64');
        save.run({
          id,
          ciphertext,
          iv: iv.toString('base64'),
          tag,
          now: NOW,
        });
        const row = find.get({ id });
        const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(row.iv, 'base64'), {
          authTagLength: 16,
        });
        decipher.setAuthTag(Buffer.from(row.auth_tag, 'base64'));
        return decipher.update(row.encrypted_data, 'base64', 'utf8') + decipher.final('utf8');
      },
    );
  },
};

function create(name, durability) {
  const { db, bare, statementsOf } = openBoth({ durability });
  const proxies = new ProxyRepository(db);
  const [insert] = prepare(
    bare,
    statementsOf((listened) => new ProxyRepository(listened).create(nextInput())),
  );
  return compare(
    name,
    () => proxies.create(nextInput()),
    () => {
      const row = rowParams();
      insert.run(row);
      return row;
    },
  );
}

function updateStats(name, durability) {
  const { db, bare, statementsOf } = openBoth({ durability, count: 10_000 });
  const proxies = new ProxyRepository(db);
  const id = 'p00000500';
  const texts = statementsOf((listened) => new ProxyRepository(listened).updateStats(id, true, 5));
  const [begin, update, upsert, commit] = prepare(bare, texts);
  return compare(
    name,
    () => proxies.updateStats(id, true, 120),
    () => {
      begin.run();
      update.run({ id, success: 1, measured: 1, latency: 120, now: NOW });
      upsert.run({ id, date: '2026-01-01', success: 1, latency: 120, measured: 1 });
      commit.run();
    },
  );
}

function topPerformers(name, count) {
  const { db, bare, statementsOf } = openBoth({ count });
  const proxies = new ProxyRepository(db);
  const [select] = prepare(
    bare,
    statementsOf((listened) => new ProxyRepository(listened).getTopPerformers(20)),
  );
  return compare(
    name,
    () => proxies.getTopPerformers(20),
    () => select.all({ limit: 20 }),
  );
}

function stickyLookup(name, domain, patterns) {
  const { db, bare, statementsOf } = openBoth({ count: 1000 });
  const sticky = new StickySessionRepository(db);
  for (let n = 0; n < 1000; n++) {
    sticky.create({ domain: `d${n}.example.com`, proxyId: 'p00000500', ttl: 3_600_000 });
    sticky.create({ domain: `*.w${n}.example.com`, proxyId: 'p00000500', ttl: 3_600_000 });
  }
  const rows = db.driver.all(
    'SELECT domain, proxy_id, last_used, ttl_ms, is_wildcard FROM sticky_sessions',
    {},
    (row) => row,
  );
  const copy = bare.prepare(
    'INSERT INTO sticky_sessions (domain, proxy_id, last_used, ttl_ms, is_wildcard) VALUES (:domain, :proxy_id, :last_used, :ttl_ms, :is_wildcard)',
  );
  for (const row of rows) copy.run(row);
  const params = Object.fromEntries(patterns.map((pattern, index) => [`p${index}`, pattern]));
  const [select] = prepare(
    bare,
    statementsOf((listened) => new StickySessionRepository(listened).findByDomain(domain)),
  );
  return compare(
    name,
    () => sticky.findByDomain(domain),
    () => select.get({ ...params, now: NOW }),
  );
}
