import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { ProxyInput } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { PoolChangesRepository } from '../../../src/database/repositories/pool-changes.repository.ts';
import { answer, failureOf, MODES, openSession } from '../../support/modes.ts';

const GATE = { host: 'gate.example', protocol: 'http' } as const;

/** Entries of a list: nearly all at addresses of their own, some at one that the list or the pool has, one or another invalid. */
const list = fc
  .array(
    fc.record({
      port: fc.oneof(
        { weight: 200, arbitrary: fc.integer({ min: 1, max: 60_000 }) },
        { weight: 3, arbitrary: fc.integer({ min: 60_001, max: 60_006 }) },
        { weight: 1, arbitrary: fc.constant(0) },
      ),
      more: fc.oneof(
        { weight: 200, arbitrary: fc.constant({}) },
        {
          weight: 2,
          arbitrary: fc.constantFrom(
            { region: 'EU', weight: 2, gateway: true },
            { status: 'disabled' as const },
          ),
        },
        { weight: 2, arbitrary: fc.constantFrom({ latency: 12, geolocation: { country: 'DE' } }) },
        { weight: 1, arbitrary: fc.constantFrom({ id: 'p1' }, { id: 'bare' }) },
        { weight: 1, arbitrary: fc.constant({ credentials: { username: 'u', password: 'p' } }) },
      ),
    }),
    { maxLength: 80, size: 'max' },
  )
  .map((entries) =>
    entries.map(({ port, more }, n): ProxyInput => ({ ...GATE, id: `p${n}`, port, ...more })),
  );

describe.each(MODES)('createMany in mode %s', (mode) => {
  /** A pool with proxies whose username or password is not known, and others. */
  async function open() {
    const { db, session } = openSession(mode, { clock: () => Date.UTC(2026, 0, 1) });
    const encryption = new EncryptionService<'async'>({ key: randomBytes(32), database: session });
    const proxies = new ProxyRepository(session, encryption);
    await proxies.create({ ...GATE, id: 'bare', port: 60_001 });
    await proxies.create({
      ...GATE,
      id: 'login',
      port: 60_002,
      credentials: { username: 'u', password: 'p' },
    });
    const hidden = { ...GATE, port: 60_003, credentials: { username: '', password: 'p' } };
    await proxies.importMany([{ ...hidden, id: 'hidden' }]);
    db.execute(`INSERT INTO proxies (id, name, host, port, protocol, created_at, updated_at)
                VALUES ('unknown', 'n', 'gate.example', 60004, 'http', '2026-01-01', '2026-01-01')`);
    const stored = () =>
      db.query(`SELECT id, name, host, port, protocol, status, latency, latency_ewma, failure_count, total_requests, success_rate,
        region, geolocation_json, remote_dns, weight, gateway, username_fingerprint IS NULL AS unknown, password_fingerprint = '' AS bare,
        created_at, updated_at FROM proxies ORDER BY id`);
    return { db, session, proxies, stored };
  }

  it('stores what create stores of one after the other, or nothing, with its error', async () => {
    await fc.assert(
      fc.asyncProperty(list, async (inputs) => {
        const [many, single] = [await open(), await open()];
        const before = many.stored();
        const made = [];
        let failure: { code: string; details: object } | null = null;
        for (const [index, input] of inputs.entries()) {
          try {
            made.push(await single.proxies.create(input));
          } catch (error) {
            const { code, details } = error as { code: string; details: object };
            failure = { code, details: { ...details, index } };
            break;
          }
        }
        if (failure !== null) {
          expect(await failureOf(() => many.proxies.createMany(inputs))).toMatchObject(failure);
          expect(many.stored()).toEqual(before);
        } else {
          expect(await many.proxies.createMany(inputs)).toEqual(made);
          expect(many.stored()).toEqual(single.stored());
        }
      }),
      {
        numRuns: mode === 'sync' ? 100 : 20,
        // Among others, beside a proxy whose password or username is not known.
        examples: [60_003, 60_004].map((port): [ProxyInput[]] => [
          [port, 1].map((each, n) => ({ ...GATE, id: `p${n}`, port: each })),
        ]),
      },
    );
  });

  it('names the entry that is taken among hundreds', async () => {
    const { proxies } = await open();
    const inputs = Array.from({ length: 300 }, (_, n): ProxyInput => ({ ...GATE, port: n + 1 }));
    inputs[200] = { ...GATE, port: 60_001 };
    expect(await failureOf(() => proxies.createMany(inputs))).toMatchObject({
      code: 'CONFLICT',
      details: { index: 200, existingId: 'bare' },
    });
    inputs[200] = { ...GATE, port: 17 };
    expect(await failureOf(() => proxies.createMany(inputs))).toMatchObject({
      code: 'CONFLICT',
      details: { index: 200 },
    });
    expect(await proxies.count()).toBe(4);
  });

  it('names the entry that a trigger of the application refuses, or fails with what ends the transaction', async () => {
    const { db, proxies } = await open();
    const inputs = Array.from({ length: 50 }, (_, n): ProxyInput => ({ ...GATE, port: n + 1 }));
    for (const [kind, expected] of [
      ['ABORT', { code: 'CONSTRAINT', details: { index: 12 } }],
      ['FAIL', { code: 'CONSTRAINT', details: { index: 12 } }],
      ['ROLLBACK', { code: 'CONSTRAINT' }],
    ] as const) {
      db.driver.exec(`CREATE TRIGGER mine BEFORE INSERT ON proxies WHEN NEW.port = 13 BEGIN
        SELECT RAISE(${kind}, 'Not 13.'); END`);
      expect(await failureOf(() => proxies.createMany(inputs)), kind).toMatchObject(expected);
      expect(await proxies.count(), kind).toBe(4);
      db.driver.exec('DROP TRIGGER mine');
    }
  });

  it('is seen by who follows the pool, also inside its transaction', async () => {
    const { session, proxies } = await open();
    const changes = new PoolChangesRepository(session);
    const { proxies: before } = await changes.revisions();
    const seen = await session.driver.transaction(function* () {
      const found: unknown[] = [];
      let last = before;
      for (const from of [0, 40, 80]) {
        yield proxies.createMany(Array.from({ length: 40 }, (_, n) => ({ ...GATE, port: from + n + 1 })));
        const changed = yield* answer(changes.changedSince(last, 1000));
        found.push(...changed.map(({ row }) => row.port));
        last = (yield* answer(changes.revisions())).proxies;
      }
      return found;
    });
    expect(seen.sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 120 }, (_, n) => n + 1));
  });
});

it('createMany asks a few times for a thousand proxies', async () => {
  const texts: string[] = [];
  const { session } = openSession('sync', { verbose: (sql) => texts.push(sql) });
  texts.length = 0;
  await new ProxyRepository(session).createMany(
    Array.from({ length: 1000 }, (_, n) => ({ ...GATE, port: n + 1 })),
  );
  expect(texts.filter((sql) => sql.includes('INSERT INTO'))).toHaveLength(32);
});
