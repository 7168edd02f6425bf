import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseManager } from 'proxyvault/database';
import { initDatabase } from 'proxyvault/database';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loginOf, openPool, rowsOf } from '../../support/pool.ts';
import { openMigrated, temporaryFolder } from '../../support/temporary.ts';

const run = (db: DatabaseManager, sql: string): number => db.driver.run(sql, {});

describe('verify', () => {
  it('says how far it is after each page of 500, and how many were checked', async () => {
    const { encryption } = openPool(1001, { db: openMigrated({ path: ':memory:' }) });
    const told: unknown[] = [];
    const report = await encryption.verify({ onProgress: (progress) => told.push(progress) });
    expect(told).toEqual([500, 1000, 1001].map((done) => ({ done, total: 1001 })));
    expect(report).toEqual({ ok: true, checked: 1001, unbound: 0, oldBinding: 0, failures: [] });
  });

  it('names each credential that does not open, with its own reason, and continues', async () => {
    const { db, encryption, credentials, ids } = openPool(6);
    const [corrupt, malformed, unknown, orphan, unbound] = ids;
    run(db, `UPDATE encrypted_credentials SET iv = 'AAAAAAAAAAAAAAAA' WHERE proxy_id = '${corrupt}'`);
    run(db, `UPDATE encrypted_credentials SET auth_tag = x'00' WHERE proxy_id = '${malformed}'`);
    run(db, `UPDATE encrypted_credentials SET key_id = '0123456789abcdef' WHERE proxy_id = '${unknown}'`);
    db.driver.exec('PRAGMA foreign_keys = OFF');
    run(db, `DELETE FROM proxies WHERE id = '${orphan}'`);
    db.driver.exec('PRAGMA foreign_keys = ON');
    credentials.save(unbound ?? '', encryption.encrypt('x'));
    const failures = [
      { proxyId: corrupt, code: 'CREDENTIAL_CORRUPT' },
      { proxyId: malformed, code: 'INVALID_ROW' },
      { proxyId: unknown, code: 'CREDENTIAL_CORRUPT' },
      { proxyId: orphan, code: 'CREDENTIAL_CORRUPT' },
    ];
    const report = await encryption.verify();
    expect(report).toMatchObject({ ok: false, checked: 6, unbound: 1, oldBinding: 0, failures });
    for (const { message } of report.failures) expect(message).not.toContain('canary');
    // A rotation encrypts the others, keeps the key of these, and names the same.
    const [old] = rowsOf(db, 'encryption_keys');
    const rotated = await encryption.rotate({ batchSize: 1 });
    expect(rotated).toMatchObject({ rotated: 2, bound: 1, failures, retired: [] });
    expect(rowsOf(db, 'encryption_keys').map(({ key_id }) => key_id)).toContain(old?.key_id);
    expect(credentials.reveal(ids[5] ?? '')).toEqual(loginOf(5));
  });

  it('a rotation passes over a text whose proxy is gone, and keeps its key', async () => {
    const { db, encryption, credentials, ids } = openPool(3);
    const [orphan = ''] = ids;
    const [old] = rowsOf(db, 'encryption_keys');
    credentials.save(orphan, encryption.encrypt('x'));
    db.driver.exec('PRAGMA foreign_keys = OFF');
    run(db, `DELETE FROM proxies WHERE id = '${orphan}'`);
    db.driver.exec('PRAGMA foreign_keys = ON');
    expect(await encryption.rotate()).toMatchObject({ rotated: 2, retired: [] });
    expect(rowsOf(db, 'encryption_keys').map(({ key_id }) => key_id)).toContain(old?.key_id);
  });

  it('ends with what would go wrong with every credential', async () => {
    const { encryption } = openPool(501, { db: openMigrated({ path: ':memory:' }) });
    const closing = encryption.verify({ onProgress: () => encryption.destroy() });
    await expect(closing).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('rotate', () => {
  it('keeps a text a text and a login a login', async () => {
    const { encryption, credentials, ids } = openPool(2);
    const [a = '', b = ''] = ids;
    credentials.save(a, encryption.encrypt('a text'));
    for (let time = 0; time < 2; time++) {
      await encryption.rotate();
      expect(credentials.findByProxyId(a)).toMatchObject({ content: 'text' });
      expect(encryption.decrypt(credentials.findByProxyId(a))).toBe('a text');
      expect(credentials.findByProxyId(b)).toMatchObject({ content: 'login' });
      expect(credentials.reveal(b)).toEqual(loginOf(1));
    }
  });

  it('tells how far it is in both phases, and never more than there is', async () => {
    const { encryption } = openPool(5);
    const told: unknown[] = [];
    await encryption.rotate({ batchSize: 2, onProgress: (progress) => told.push(progress) });
    expect(told).toEqual([
      ...[2, 4, 5].map((done) => ({ phase: 'encrypting', done, total: 5 })),
      { phase: 'verifying', done: 5, total: 5 },
    ]);
  });

  it('that is stopped while it verifies keeps the old key, and is finished by the next one', async () => {
    const { db, encryption } = openPool(3);
    const stop = new AbortController();
    const stopped = encryption.rotate({
      signal: stop.signal,
      onProgress: ({ phase }) => phase === 'encrypting' && stop.abort(new Error('enough')),
      batchSize: 3,
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(rowsOf(db, 'encryption_keys')).toHaveLength(2);
    expect(encryption.status().rotation).toMatchObject({ left: 0 });
    expect(await encryption.rotate()).toMatchObject({ resumed: true, rotated: 0 });
    expect(encryption.status().rotation).toBeNull();
    expect(rowsOf(db, 'encryption_keys')).toHaveLength(1);
  });

  it('that is stopped between two pages that it verifies retires nothing', async () => {
    const { db, encryption } = openPool(501);
    const stop = new AbortController();
    const onProgress = ({ phase }: { phase: string }): void => {
      if (phase === 'verifying') stop.abort(new Error('enough'));
    };
    await expect(encryption.rotate({ signal: stop.signal, onProgress })).rejects.toThrow('enough');
    expect(rowsOf(db, 'encryption_keys')).toHaveLength(2);
    expect(await encryption.rotate()).toMatchObject({
      resumed: true,
      rotated: 0,
      retired: [expect.any(String)],
    });
  });

  it('empties the log of old ciphertext before it deletes the key', async () => {
    const sizes: number[] = [];
    const path = join(temporaryFolder(), 'pool.db');
    const verbose = (sql: string): void => {
      if (sql.startsWith('DELETE FROM encryption_keys')) sizes.push(statSync(`${path}-wal`).size);
    };
    const { encryption } = openPool(3, { db: openMigrated({ path, verbose }) });
    expect(await encryption.rotate()).toMatchObject({ retired: [expect.any(String)], logTruncated: true });
    expect(sizes.at(-1)).toBe(0);
  });

  it('says that old ciphertext is left in the log while a reader holds it up', async () => {
    const { db, key } = openPool(2);
    const impatient = initDatabase({ path: db.path, busyTimeoutMs: 0 });
    onTestFinished(() => impatient.close());
    const encryption = new EncryptionService({ key, database: impatient });
    db.driver.exec('BEGIN');
    expect(rowsOf(db, 'proxies')).toHaveLength(2);
    expect(await encryption.rotate()).toMatchObject({ rotated: 2, logTruncated: false });
    db.driver.exec('ROLLBACK');
    expect(await encryption.rotate()).toMatchObject({ rotated: 2, logTruncated: true });
  });

  it('to a key that was damaged meanwhile starts again with another one', async () => {
    const { db, encryption, key } = openPool(4);
    const stop = new AbortController();
    await encryption
      .rotate({ batchSize: 1, signal: stop.signal, onProgress: () => stop.abort() })
      .catch(() => undefined);
    const target = rowsOf(db, 'encryption_config')[0]?.rotation_key_id;
    run(db, `UPDATE encryption_keys SET tag = 'AAAAAAAAAAAAAAAAAAAAAA==' WHERE key_id = '${target}'`);
    const service = new EncryptionService({ key, database: db });
    const report = await service.rotate();
    expect(report).toMatchObject({ resumed: false, rotated: 3, failures: [{ code: 'KEY_INVALID' }] });
    expect(report.keyId).not.toBe(target);
  });
});
