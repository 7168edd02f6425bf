import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Pool, ProxyVaultError } from 'proxyvault';
import type { DatabaseManager } from 'proxyvault/database';
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
import { CredentialRowsRepository } from '../../../src/database/repositories/credential-rows.repository.ts';
import { HandOutsRepository } from '../../../src/database/repositories/hand-outs.repository.ts';
import { isSteps, MODES, openSession, resultOf } from '../../support/modes.ts';

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

/** Methods of the encryption that need no table: they answer at once in both modes. */
const AT_ONCE = /\.(generateKey|keyId|source|destroy|cipherOf)$/;

const count = (db: DatabaseManager): unknown =>
  db.driver.all(
    `SELECT (SELECT count(*) FROM proxies) AS proxies, (SELECT count(*) FROM encrypted_credentials) AS credentials`,
    {},
    (row) => ({ ...row }),
  );

describe.each(MODES)('in mode %s', (mode) => {
  it('every public method answers nonsense with a typed error, or with nothing found', async () => {
    const { db, session } = openSession(mode);
    const encryption = new EncryptionService<'async'>({ key: randomBytes(32), database: session });
    const proxies = new ProxyRepository(session, encryption);
    await proxies.create({
      host: 'h.example',
      port: 1,
      protocol: 'http',
      credentials: { username: 'u', password: 'p' },
    });
    // `acquire` answers at once.
    await new RotationConfigRepository(session).update({ options: { limits: { waitMs: 0 } } });
    const targets: object[] = [
      proxies,
      new HandOutsRepository(session),
      new EncryptedCredentialsRepository(session, encryption),
      new ProxyTagsRepository(session),
      new ProxyUsageStatsRepository(session),
      new RotationConfigRepository(session),
      new RotationEventsRepository(session),
      new RotationRulesRepository(session),
      new StickySessionRepository(session),
      new CredentialRowsRepository(session),
      encryption,
    ];
    // An encryption without a database answers at once, and so does the pool.
    if (mode === 'sync') targets.unshift(new Pool(db), new EncryptionService({ key: randomBytes(32) }));
    const methods = targets.flatMap(methodsOf);
    expect(methods.length).toBeGreaterThan(80);

    /** Uses what it gives, as a caller would. */
    const use = async (name: string, call: () => unknown): Promise<void> => {
      const result = AT_ONCE.test(name) ? call() : resultOf(mode, call);
      if (name.endsWith('.iterate')) for await (const _ of result as AsyncIterable<unknown>) break;
      else if (isSteps(result)) await session.driver.transaction(() => result);
      else await result;
    };
    /** The same in a transaction of the caller. */
    const useInside = (name: string, call: () => unknown): Promise<void> =>
      session.driver.transaction(function* () {
        const result = resultOf(mode, call);
        if (isSteps(result)) yield* result;
        else if (!name.endsWith('.iterate')) yield result as Promise<unknown>;
      });

    const before = count(db);
    for (const [name, call] of methods) {
      if (/deriveKey|toJSON/.test(name)) continue;
      await fc.assert(
        fc.asyncProperty(
          fc.array(anything, { minLength: 1, maxLength: 3 }),
          fc.boolean(),
          async (args, isInside) => {
            try {
              await (isInside && name.includes('Repository.') ? useInside : use)(name, () => call(...args));
            } catch (error) {
              if (!(error instanceof ProxyVaultError))
                throw new Error(`${name} threw ${String(error)}`, { cause: error });
            }
            expect(db.driver.inTransaction).toBe(false);
            expect(session.driver.scope).toBeNull();
          },
        ),
        { numRuns: 60 },
      );
      // Nobody has left a transaction open.
      db.transaction(() => undefined);
    }
    expect(count(db)).toEqual(before);
  });
});
