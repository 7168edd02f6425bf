import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { ProxyVaultError, Rotator } from 'proxyvault';
import type { DatabaseManager } from 'proxyvault/database';
import {
  ActiveProxyRepository,
  EncryptedCredentialsRepository,
  ProxyRepository,
  ProxyUsageStatsRepository,
  RotationConfigRepository,
  RotationEventsRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { expect, it } from 'vitest';
import { openMigrated } from '../../support/temporary.ts';

type Method = (...args: unknown[]) => unknown;

function methodsOf(target: object): [name: string, call: Method][] {
  return Object.getOwnPropertyNames(Object.getPrototypeOf(target))
    .filter((name) => name !== 'constructor')
    .filter((name) => typeof Reflect.get(target, name) === 'function')
    .map((name) => [
      `${target.constructor.name}.${name}`,
      (...args) => Reflect.apply(Reflect.get(target, name), target, args),
    ]);
}

const anything = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true, maxDepth: 2 }),
  fc.constantFrom(
    null,
    undefined,
    Number.NaN,
    -1,
    1.5,
    '',
    'x',
    '\u0000',
    '\uD800',
    '__proto__',
    [],
    {},
    Symbol('s'),
    () => 1,
    new Date(Number.NaN),
  ),
  fc.record({ domain: fc.string(), proxyId: fc.string(), reason: fc.string(), success: fc.anything() }),
);

const count = (db: DatabaseManager): unknown =>
  db.driver.all(
    `SELECT (SELECT count(*) FROM proxies) AS proxies, (SELECT count(*) FROM encrypted_credentials) AS credentials`,
    {},
    (row) => ({ ...row }),
  );

it('every public method answers nonsense with a typed error, or with nothing found', async () => {
  const db = openMigrated({ path: ':memory:' });
  const encryption = new EncryptionService({ key: randomBytes(32) });
  const proxies = new ProxyRepository(db, encryption);
  proxies.create({
    host: 'h.example',
    port: 1,
    protocol: 'http',
    credentials: { username: 'u', password: 'p' },
  });
  const targets = [
    proxies,
    new ActiveProxyRepository(db),
    new EncryptedCredentialsRepository(db, encryption),
    new ProxyUsageStatsRepository(db),
    new RotationConfigRepository(db),
    new RotationEventsRepository(db),
    new RotationRulesRepository(db),
    new StickySessionRepository(db),
    new Rotator(db),
    encryption,
  ];
  const methods = targets.flatMap(methodsOf);
  expect(methods.length).toBeGreaterThan(70);
  const before = count(db);
  for (const [name, call] of methods) {
    if (/deriveKey|toJSON/.test(name)) continue;
    await fc.assert(
      fc.asyncProperty(fc.array(anything, { minLength: 1, maxLength: 3 }), async (args) => {
        try {
          const result = await call(...args);
          if (name.endsWith('.iterate')) for (const _ of result as Iterable<unknown>) break;
        } catch (error) {
          if (!(error instanceof ProxyVaultError))
            throw new Error(`${name} threw ${String(error)}`, { cause: error });
        }
        expect(db.driver.inTransaction).toBe(false);
      }),
      { numRuns: 60 },
    );
  }
  expect(count(db)).toEqual(before);
});
