import { randomBytes } from 'node:crypto';
import { Pool } from 'proxyvault';
import { type DatabaseManager, ProxyVaultError } from 'proxyvault/database';
import * as repositories from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Steps } from 'proxyvault/driver';
import { expect, it } from 'vitest';
import { exportProxies, importProxies } from '../../src/transfer/index.ts';
import { ENGINE_REPOSITORIES } from '../support/engine-repositories.ts';
import { openDatabase, thrownBy } from '../support/temporary.ts';

const LOGIN = { username: 'u', password: 'p' };
const PROXY = { host: 'h.example', port: 1, protocol: 'http' as const };

/** Arguments with which each method of each repository gets as far as its statement. */
const ARGUMENTS: Record<string, readonly unknown[]> = {
  create: [{ ...PROXY, credentials: LOGIN }],
  createMany: [[PROXY]],
  importMany: [[{ ...PROXY, credentials: LOGIN }]],
  importSteps: [[{ ...PROXY, credentials: LOGIN }], {}],
  rebind: ['id', null, PROXY],
  hasUnidentified: [],
  findByStatus: ['active'],
  findByProtocol: ['http'],
  findByRegion: ['DE'],
  getTopPerformers: [3],
  updateStats: ['id', true, 3],
  sample: [() => 0.5],
  save: ['id', { ciphertext: '', iv: '', authTag: '' }],
  store: ['id', LOGIN],
  page: ['', 5],
  claim: [{ session: 's', proxyId: 'id' }],
  move: ['s', 'id', 'id'],
  touch: ['s', 1, '2026-01-01'],
  isMappedTo: ['s', 'p'],
  deleteExpired: [],
  deleteExpiredBefore: ['2026-01-01'],
  take: ['l'],
  expired: ['2026-01-01', 5],
  renew: ['l', '2026-01-01'],
  swap: ['id', { ciphertext: '', iv: '', authTag: '' }, { ciphertext: '', iv: '', authTag: '' }],
  add: ['id', 'tag', 'import'],
  addLocked: ['id', 'tag', 'import'],
  addManyLocked: [['id'], 'tag', 'import'],
  has: ['id', 'tag'],
  removeOthers: ['tag', 'import'],
  countOthers: ['tag', 'import'],
  findOthers: ['tag', 'import', 10],
  record: ['id', { success: true }],
  recordMany: [[]],
  findByDate: ['2026-01-01'],
  range: [],
  totals: [],
  findByProxy: ['id'],
  deleteOlderThan: ['2026-01-01'],
  setStrategy: ['random'],
  append: [{ previousProxyId: null, newProxyId: null, reason: 'manual' }],
  recent: [],
  between: ['2026-01-01', '2026-02-01'],
  findAll: [],
  list: [],
  iterate: [],
  countByReason: [],
  countByHour: [],
  countByStatus: [],
  resolve: ['h.example:1'],
  findByProxies: [['id']],
  shortIds: [['id']],
  remove: ['id', 'tag'],
  byProxy: [],
  findEnabled: [],
  setEnabled: ['id', true],
  reorder: [['id']],
  findByDomain: ['a.example'],
  use: ['a.example'],
};
/** By class, where two have one name. */
const OWN_ARGUMENTS: Record<string, readonly unknown[]> = {
  'RotationRulesRepository.create': [
    {
      name: 'n',
      conditions: [{ field: 'domain', operator: 'equals', value: 'a' }],
      actions: [{ type: 'block' }],
    },
  ],
  'StickySessionRepository.create': [{ domain: 'a.example', proxyId: 'id' }],
  'StickySessionRepository.delete': ['a.example'],
  'StickySessionRepository.update': ['a.example', {}],
  'RotationConfigRepository.update': [{ strategy: 'random' }],
  'ProxyRepository.update': ['id', { port: 2 }],
  'ProxyRepository.count': [],
  'RotationEventsRepository.count': [],
  'RotationEventsRepository.recordMany': [[{ previousProxyId: null, newProxyId: null, reason: 'manual' }]],
  'ProxyUsageStatsRepository.recordMany': [[{ proxyId: 'id', success: true }]],
  'ProxyTagsRepository.count': ['tag'],
  'HandOutsRepository.record': ['id', 1, '2026-01-01'],
  'RotationTurnsRepository.set': [{ view: '', proxyId: 'id', since: '2026-01-01' }],
  'SessionProxiesRepository.list': [5],
  'ProxyCooldownsRepository.set': [
    {
      ...{ proxyId: 'id', scope: '', source: 'engine', kind: 'connect', times: 1 },
      ...{ since: '2026-01-01', until: null, detail: null },
    },
  ],
  'ProxyCooldownsRepository.remove': ['id'],
  'ProxyLeasesRepository.create': [
    { id: 'l', proxyId: 'id', domain: null, session: 's', acquiredAt: '2026-01-01', expiresAt: '2026-01-02' },
  ],
  'OutcomesRepository.recordMany': [
    [
      {
        ...{ proxyId: 'id', day: '2026-01-01', handOuts: 1, lastUsed: null, successes: 1, failures: 0 },
        ...{ failuresInRow: 0, hasSuccess: true, latency: null },
      },
    ],
  ],
  'StickySessionRepository.touch': ['a.example', 1, '2026-01-01'],
  'StickySessionRepository.isMappedTo': ['a.example', 'p'],
  'EncryptedCredentialsRepository.add': [{ ...PROXY, id: 'id' }, LOGIN],
};

function operationsOf(db: DatabaseManager): Record<string, () => unknown> {
  const encryption = new EncryptionService({ key: randomBytes(32), database: db });
  const operations: Record<string, () => unknown> = {};
  for (const [name, Class] of Object.entries({ ...ENGINE_REPOSITORIES, ...repositories })) {
    if (typeof Class !== 'function') continue;
    const repository: object = new Class(db, encryption);
    for (const method of Object.getOwnPropertyNames(Class.prototype)) {
      if (method === 'constructor') continue;
      const args = OWN_ARGUMENTS[`${name}.${method}`] ?? ARGUMENTS[method] ?? ['id', {}];
      operations[`${name}.${method}`] = () => {
        const call: unknown = Reflect.get(repository, method);
        const result: unknown = typeof call === 'function' ? call.apply(repository, args) : call;
        if (method === 'iterate') return [...(result as Iterable<unknown>)];
        // A part of a transaction, as `rebind` is, runs in one.
        return isSteps(result) ? db.driver.transaction(() => result) : result;
      };
    }
  }
  const pool = new Pool(db);
  const { 'EncryptedCredentialsRepository.add': add = () => null } = operations;
  return {
    ...operations,
    'EncryptedCredentialsRepository.add': () => db.transaction(add),
    choose: () => pool.choose({ domain: 'a.example' }),
    report: () => pool.report('id', { success: true }),
    import: () => importProxies(db, ['http://u:p@h.example:1'], { encryption }),
    export: () => [...exportProxies(db, { encryption })],
    status: () => encryption.status(),
    verify: () => encryption.verify(),
    rotate: () => encryption.rotate(),
    encrypt: () => encryption.encrypt('text'),
    fingerprint: () => encryption.fingerprint('text'),
    recoveryCode: () => encryption.createRecoveryCode(),
    open: () => EncryptionService.open({ key: randomBytes(32), database: db }),
    prune: () => db.prune({ eventsOlderThan: new Date(), statsOlderThan: new Date() }),
    stats: () => db.stats(),
    check: () => db.check(),
  };
}

function isSteps(result: unknown): result is Steps<'sync', unknown> {
  return Object.prototype.toString.call(result) === '[object Generator]';
}

async function outcome(run: () => unknown): Promise<unknown> {
  try {
    await run();
    return null;
  } catch (error) {
    return error;
  }
}

it('before up() everything that needs a table says MIGRATION_PENDING with what to call', async () => {
  const db = openDatabase({ path: ':memory:' });
  const {
    stats,
    check,
    'RotationConfigRepository.reset': _,
    // It reads no table: it is given a row.
    'EncryptedCredentialsRepository.loginIn': __,
    ...operations
  } = operationsOf(db);
  expect(Object.keys(operations).length).toBeGreaterThan(80);
  const wrong: string[] = [];
  for (const [name, run] of Object.entries(operations)) {
    const error = await outcome(run);
    const isFitting =
      error instanceof ProxyVaultError &&
      error.code === 'MIGRATION_PENDING' &&
      error.message.includes('call `db.migrations.up()` after `initDatabase()`');
    if (!isFitting) wrong.push(`${name}: ${String(error)}`);
  }
  expect(wrong).toEqual([]);
  expect(await outcome(() => stats?.())).toBeNull();
  expect(await outcome(() => check?.())).toBeNull();
});

it('on each older version nothing ends in an untyped error or a refused statement', async () => {
  const wrong: string[] = [];
  for (const version of [
    0,
    ...openDatabase({ path: ':memory:' })
      .migrations.getPending()
      .map((m) => m.version),
  ]) {
    const db = openDatabase({ path: ':memory:' });
    db.migrations.to(version);
    db.driver.run(
      `INSERT INTO proxies (id, name, host, port, protocol) VALUES ('id', 'n', 'h', 1, 'http')`,
      {},
    );
    const isLast = db.migrations.getPending().length === 0;
    for (const [name, run] of Object.entries(operationsOf(db))) {
      const error = await outcome(run);
      if (error === null) continue;
      const isTyped = error instanceof ProxyVaultError;
      if (
        !isTyped ||
        ['SQL', 'INVALID_ROW'].includes(error.code) ||
        (isLast && error.code === 'MIGRATION_PENDING')
      )
        wrong.push(`${version}: ${name}: ${String(error)}`);
    }
  }
  expect(wrong).toEqual([]);
});

it('a mistake in a statement of one\u2019s own stays SQL once nothing is pending, and has its cause before', () => {
  const db = openDatabase({ path: ':memory:' });
  const run = (): unknown => db.driver.run('SELECT nonsense FROM nowhere', {});
  expect(thrownBy(run)).toMatchObject({ code: 'MIGRATION_PENDING', cause: { code: 'SQL' } });
  db.migrations.up();
  expect(thrownBy(run)).toMatchObject({ code: 'SQL' });
});
