import { randomBytes } from 'node:crypto';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it, vi } from 'vitest';
import { loginOf, openPool, rowsOf } from '../../support/pool.ts';
import { openMigrated, thrownBy } from '../../support/temporary.ts';

const countOf = (db: DatabaseManager): number =>
  Number(rowsOf(db, 'encryption_keys').find(({ state }) => state === 'primary')?.message_count);

/** A pool with a data key that has encrypted nothing, and a service that is new to it. */
function openUnused(): { db: DatabaseManager; key: Buffer; encryption: EncryptionService } {
  const db = openMigrated();
  const key = randomBytes(32);
  new EncryptionService({ key, database: db }).createRecoveryCode();
  expect(countOf(db)).toBe(0);
  return { db, key, encryption: new EncryptionService({ key, database: db }) };
}

function setCount(db: DatabaseManager, count: number): void {
  db.driver.run('UPDATE encryption_keys SET message_count = :count', { count });
}

describe('messages are reserved', () => {
  it('in blocks of 16, 32, 64 and so on, up to 4096, each when the one before is used up', () => {
    const { db, encryption } = openUnused();
    let expected = 0;
    for (const block of [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4096, 4096]) {
      expected += block;
      for (let n = 0; n < block; n++) {
        encryption.encrypt('x');
        if (n === 0 || n === block - 1) expect(countOf(db)).toBe(expected);
      }
    }
  });

  it('by each service for itself, and by texts and logins alike', () => {
    const { db, key, encryption } = openUnused();
    encryption.encrypt('x');
    new EncryptionService({ key, database: db }).encrypt('x');
    expect(countOf(db)).toBe(32);
    const { credentials, ids, db: pool } = openPool(1);
    for (let n = 0; n < 15; n++) credentials.store(ids[0] ?? '', loginOf(n));
    expect(countOf(pool)).toBe(16);
    credentials.store(ids[0] ?? '', loginOf(0));
    expect(countOf(pool)).toBe(48);
  });

  it('for a new key from the start: nothing of the old one is left over', async () => {
    const { db, encryption } = openUnused();
    for (let n = 0; n < 17; n++) encryption.encrypt('x');
    await encryption.rotate();
    expect(countOf(db)).toBe(0);
    encryption.encrypt('x');
    expect(countOf(db)).toBe(16);
  });

  it('for each credential that a rotation encrypts', async () => {
    const { db, encryption } = openPool(7);
    await encryption.rotate({ batchSize: 3 });
    expect(countOf(db)).toBe(7);
  });
});

describe('messages of a transaction that was rolled back', () => {
  it('are counted exactly as soon as it has ended, without what was reserved and not encrypted', () => {
    const { db, encryption } = openUnused();
    thrownBy(() =>
      db.transaction(() => {
        for (let n = 0; n < 20; n++) encryption.encrypt('x');
        expect(countOf(db)).toBe(48);
        throw new Error('undone');
      }),
    );
    expect(countOf(db)).toBe(20);
    // They are paid once, and the next message takes a block of its own.
    encryption.encrypt('x');
    expect(countOf(db)).toBe(20 + 64);
  });

  it('are paid once by the next block, if the transaction around them continues', () => {
    const { db, encryption } = openUnused();
    db.transaction(() => {
      thrownBy(() =>
        db.transaction(() => {
          for (let n = 0; n < 20; n++) encryption.encrypt('x');
          throw new Error('undone');
        }),
      );
      for (let n = 0; n < 65; n++) encryption.encrypt('x');
    });
    expect(countOf(db)).toBe(20 + 64 + 128);
  });

  it('are not charged to the key that a rotation puts in place', async () => {
    const { db, encryption } = openUnused();
    db.transaction(() => {
      thrownBy(() =>
        db.transaction(() => {
          encryption.encrypt('x');
          throw new Error('undone');
        }),
      );
    });
    expect(countOf(db)).toBe(1);
    await encryption.rotate();
    encryption.encrypt('x');
    expect(countOf(db)).toBe(16);
  });
});

describe('the limit of a key', () => {
  it('is 2^32 messages: the last ones are to be had singly, and the next one is KEY_EXHAUSTED', () => {
    const { db, encryption } = openUnused();
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    setCount(db, 2 ** 32 - 3);
    for (let n = 0; n < 3; n++) encryption.encrypt('x');
    expect(countOf(db)).toBe(2 ** 32);
    const [{ key_id: keyId } = {}] = rowsOf(db, 'encryption_keys');
    expect(thrownBy(() => encryption.encrypt('x'))).toMatchObject({
      code: 'KEY_EXHAUSTED',
      details: { keyId },
    });
    vi.restoreAllMocks();
  });

  it('is warned about from 2^30 on, once for a key, and the status advises a rotation', async () => {
    const { db, encryption } = openUnused();
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const advice = (): string => encryption.status().advice.join();
    setCount(db, 2 ** 30 - 17);
    encryption.encrypt('x');
    expect(warn).not.toHaveBeenCalled();
    expect(advice()).not.toContain('2^30');
    for (let n = 0; n < 100; n++) encryption.encrypt('x');
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining('key rotate'), { type: 'ProxyVaultWarning', code: 'PROXYVAULT_KEY_USE' }],
    ]);
    setCount(db, 2 ** 30);
    expect(advice()).toContain('2^30');
    await encryption.rotate();
    setCount(db, 2 ** 30);
    encryption.encrypt('x');
    expect(warn).toHaveBeenCalledTimes(2);
    vi.restoreAllMocks();
  });

  it('ends a rotation to a key that reaches it, and the next rotation takes a new one', async () => {
    const { db, encryption } = openPool(4);
    const first = await encryption
      .rotate({ batchSize: 2, onProgress: () => setCount(db, 2 ** 32 - 1) })
      .catch((error: unknown) => error);
    expect(first).toMatchObject({ code: 'KEY_EXHAUSTED', details: { keyId: expect.any(String) } });
  });
});
