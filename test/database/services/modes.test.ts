import { randomBytes } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseManager, ProxyInput } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Session } from 'proxyvault/driver';
import { keyringFile } from 'proxyvault/keys';
import { describe, expect, it, vi } from 'vitest';
import { asyncSession } from '../../support/async-engine.ts';
import { answer, failureOf, inTurn, MODES, openSession } from '../../support/modes.ts';
import { openMigrated, temporaryFolder } from '../../support/temporary.ts';

const input = (port: number): ProxyInput => ({
  host: 'h.example',
  port,
  protocol: 'http',
  credentials: { username: `user-${port}`, password: `secret-${port}` },
});
const loginOf = (port: number) => input(port).credentials;

interface Pool {
  db: DatabaseManager;
  session: Session<'async'>;
  keyFile: string;
  /** A new program with this key file. */
  service: (keyFile?: string) => EncryptionService<'async'>;
  credentials: (service: EncryptionService<'async'>) => EncryptedCredentialsRepository<'async'>;
  proxies: (service: EncryptionService<'async'>) => ProxyRepository<'async'>;
}

function poolOf(
  db: DatabaseManager,
  session: Session<'async'>,
  keyFile = join(temporaryFolder(), 'key'),
): Pool {
  return {
    db,
    session,
    keyFile,
    service: (file = keyFile) =>
      new EncryptionService<'async'>({ keyFile: file, env: {}, database: session }),
    credentials: (service) => new EncryptedCredentialsRepository(session, service),
    proxies: (service) => new ProxyRepository(session, service),
  };
}

describe.each(MODES)('the keys of a database in mode %s', (mode) => {
  function open(): Pool {
    const { db, session } = openSession(mode);
    return poolOf(db, session);
  }

  /** With some credentials, and their ids. */
  async function openFilled(count = 3): Promise<Pool & { ids: string[] }> {
    const pool = open();
    const created = await pool
      .proxies(pool.service())
      .createMany(Array.from({ length: count }, (_, i) => input(i + 1)));
    return { ...pool, ids: created.map(({ id }) => id) };
  }

  async function expectReadable(
    { ids, credentials, service }: Pool & { ids: string[] },
    key = service(),
  ): Promise<void> {
    const revealed = await inTurn(ids, (id) => credentials(key).reveal(id));
    expect(revealed).toEqual(ids.map((_, i) => loginOf(i + 1)));
  }

  const keyRows = (db: DatabaseManager): unknown[] =>
    db.driver.all('SELECT key_id, state FROM encryption_keys', {}, (row) => row.state);

  it('have one data key, wrapped by the key of the source, which another program reads', async () => {
    const pool = await openFilled();
    await expectReadable(pool);
    expect(keyRows(pool.db)).toEqual(['primary']);
    const dump = JSON.stringify(pool.db.driver.all('SELECT * FROM encrypted_credentials', {}, (row) => row));
    expect(dump).not.toContain('secret-1');
    const status = await pool.service().status();
    expect(status).toMatchObject({ keys: [{ state: 'primary', rows: 3 }] });
    expect(await pool.service().verify()).toMatchObject({ failures: [] });
  });

  it('are never replaced if the key of the source is lost: nothing is stored, and no key is made', async () => {
    const pool = await openFilled();
    const [id = ''] = pool.ids;
    renameSync(pool.keyFile, `${pool.keyFile}.away`);
    const service = pool.service();
    for (const work of [
      () => pool.credentials(service).reveal(id),
      () => pool.credentials(service).store(id, { username: 'u', password: 'new' }),
      () => pool.proxies(service).create(input(9)),
      () => pool.proxies(service).importMany([input(9)]),
      () => service.encrypt('x'),
      () => service.rotate(),
      () => EncryptionService.open<'async'>({ keyFile: pool.keyFile, env: {}, database: pool.session }),
    ])
      expect(await failureOf(work)).toMatchObject({ code: 'KEY_MISSING' });
    expect(existsSync(pool.keyFile)).toBe(false);
    expect(await pool.proxies(service).count()).toBe(3);
    renameSync(`${pool.keyFile}.away`, pool.keyFile);
    await expectReadable(pool);
  });

  it('are not those of another source, which encrypts and opens nothing here', async () => {
    const pool = await openFilled();
    const [id = ''] = pool.ids;
    const foreign = new EncryptionService<'async'>({ key: randomBytes(32), database: pool.session });
    for (const work of [
      () => pool.credentials(foreign).reveal(id),
      () => pool.credentials(foreign).store(id, { username: 'u', password: 'new' }),
      () => pool.proxies(foreign).create(input(9)),
    ])
      expect(await failureOf(work)).toMatchObject({ code: 'KEY_MISMATCH' });
    await expectReadable(pool);
  });

  it('are rotated: every credential is encrypted again, and the old key retired', async () => {
    const pool = await openFilled(5);
    const before = pool.db.driver.all(
      'SELECT encrypted_data FROM encrypted_credentials ORDER BY proxy_id',
      {},
      (row) => row.encrypted_data,
    );
    const progress = vi.fn();
    const report = await pool.service().rotate({ onProgress: progress });
    expect(report).toMatchObject({ failures: [] });
    expect(progress).toHaveBeenCalled();
    const after = pool.db.driver.all(
      'SELECT encrypted_data FROM encrypted_credentials ORDER BY proxy_id',
      {},
      (row) => row.encrypted_data,
    );
    for (const [i, data] of after.entries()) expect(data).not.toBe(before[i]);
    expect(keyRows(pool.db)).toEqual(['primary']);
    await expectReadable(pool);
  });

  it('move to another key source, and come back by a recovery code', async () => {
    const pool = await openFilled();
    const code = await pool.service().createRecoveryCode();
    const moved = join(temporaryFolder(), 'moved');
    await pool.service().protect(keyringFile(moved));
    rmSync(pool.keyFile);
    await expectReadable(pool, pool.service(moved));
    rmSync(moved);
    expect(
      await failureOf(() => pool.credentials(pool.service(moved)).reveal(String(pool.ids[0]))),
    ).toMatchObject({
      code: 'KEY_MISSING',
    });
    const again = join(temporaryFolder(), 'again');
    const recovered = await EncryptionService.recover<'async'>({
      keyFile: again,
      code,
      env: {},
      database: pool.session,
    });
    await expectReadable(pool, recovered);
    await expectReadable(pool, pool.service(again));
  });

  it('bind a credential to its row and address', async () => {
    const pool = await openFilled(2);
    const [a = '', b = ''] = pool.ids;
    const credentials = pool.credentials(pool.service());
    pool.db.driver.exec(`UPDATE encrypted_credentials SET (encrypted_data, iv, auth_tag, key_id) =
      (SELECT encrypted_data, iv, auth_tag, key_id FROM encrypted_credentials AS other WHERE other.proxy_id = '${a}')`);
    expect(await credentials.reveal(a)).toEqual(loginOf(1));
    expect(await failureOf(() => credentials.reveal(b))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
    pool.db.driver.exec(`UPDATE proxies SET host = 'evil.example'`);
    expect(await failureOf(() => credentials.reveal(a))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
  });

  it('encrypt texts with associated data, and are forgotten at the end', async () => {
    const { service } = open();
    const one = service();
    const encrypted = await one.encrypt('text', Buffer.from('mine'));
    expect(await service().decrypt(encrypted, Buffer.from('mine'))).toBe('text');
    expect(await failureOf(() => one.decrypt(encrypted))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
    expect(await one.fingerprint('text')).toBe(await service().fingerprint('text'));
    one.destroy();
    for (const work of [() => one.encrypt('x'), () => one.decrypt(encrypted), () => one.fingerprint('x')])
      expect(await failureOf(work)).toMatchObject({ code: 'CLOSED' });
  });
});

describe('the keys of a database of several programs at a time', () => {
  it('are the same whichever mode has made them', async () => {
    const db = openMigrated();
    const pool = poolOf(db, asyncSession(db));
    const other = new EncryptionService({ keyFile: pool.keyFile, env: {}, database: db });
    const { id } = await pool.proxies(pool.service()).create(input(1));
    const { id: second } = new ProxyRepository(db, other).create(input(2));
    expect(new EncryptedCredentialsRepository(db, other).reveal(id)).toEqual(loginOf(1));
    expect(await pool.credentials(pool.service()).reveal(second)).toEqual(loginOf(2));
  });

  it('are made once, whoever comes first', async () => {
    const db = openMigrated();
    const key = randomBytes(32);
    const programs = Array.from({ length: 4 }, () => {
      const session = asyncSession(db);
      const service = new EncryptionService<'async'>({ key, database: session });
      return {
        proxies: new ProxyRepository(session, service),
        credentials: new EncryptedCredentialsRepository(session, service),
      };
    });
    const created = await Promise.all(programs.map(({ proxies }, i) => proxies.create(input(i + 1))));
    expect(db.driver.all('SELECT state FROM encryption_keys', {}, (row) => row.state)).toEqual(['primary']);
    for (const { credentials } of programs)
      expect(await inTurn(created, ({ id }) => credentials.reveal(id))).toEqual(
        created.map((_, i) => loginOf(i + 1)),
      );
  });

  it('are not retired under a transaction that has encrypted with them and not ended', async () => {
    const db = openMigrated();
    const key = randomBytes(32);
    const [writing, rotating] = [asyncSession(db), asyncSession(db)].map((session) => ({
      session,
      service: new EncryptionService<'async'>({ key, database: session }),
    }));
    if (!writing || !rotating) throw new Error('there are two');
    const proxies = new ProxyRepository(writing.session, writing.service);
    await proxies.create(input(1));
    const [sealed, asked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { driver } = rotating.session;
    const lock = driver.lock.bind(driver);
    vi.spyOn(driver, 'lock').mockImplementation((name, how = 'exclusive') => {
      if (name === 'data keys' && how === 'exclusive') asked.resolve();
      return lock(name, how);
    });
    const late = writing.session.driver.transaction(function* () {
      const { id } = yield* answer(proxies.create(input(2)));
      sealed.resolve();
      yield* answer(asked.promise);
      return id;
    });
    await sealed.promise;
    const report = await rotating.service.rotate();
    expect(report).toMatchObject({ failures: [] });
    const credentials = new EncryptedCredentialsRepository(rotating.session, rotating.service);
    expect(await credentials.reveal(await late)).toEqual(loginOf(2));
    expect(await rotating.service.verify()).toMatchObject({ failures: [] });
  });

  it('lose nothing of what is stored while they are rotated', async () => {
    const db = openMigrated();
    const key = randomBytes(32);
    const program = () => {
      const session = asyncSession(db);
      const service = new EncryptionService<'async'>({ key, database: session });
      return {
        service,
        proxies: new ProxyRepository(session, service),
        credentials: new EncryptedCredentialsRepository(session, service),
      };
    };
    const [a, b] = [program(), program()];
    const ids = (await a.proxies.createMany([1, 2, 3, 4].map(input))).map(({ id }) => id);
    const storing = inTurn(Array.from({ length: 30 }), async (_, i) => {
      const id = ids[i % 4] ?? '';
      await b.credentials.store(id, { username: `user-${(i % 4) + 1}`, password: `new-${i}` });
    });
    for (let round = 0; round < 3; round++) await a.service.rotate();
    await storing;
    const passwords = await inTurn(ids, async (id) => (await a.credentials.reveal(id))?.password);
    expect(passwords).toEqual(['new-28', 'new-29', 'new-26', 'new-27']);
    expect(await program().service.verify()).toMatchObject({ failures: [] });
  });
});
