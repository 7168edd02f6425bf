import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  type DatabaseManager,
  EncryptedCredentialsRepository,
  EncryptionService,
  exportProxies,
  importProxies,
  type LeftOut,
  type ProxyInput,
  ProxyRepository,
} from 'proxyvault';
import type { Login } from 'proxyvault/database';
import { EXPORT_FORMATS } from 'proxyvault/lists';
import { describe, expect, it } from 'vitest';
import { bytesOf, rowsOf } from '../support/pool.ts';
import { openMigrated, temporaryFolder, thrownBy } from '../support/temporary.ts';

const ROTATE = 'https://canary-rotate.example/change?key=canary-key&x=a,b;"c"';
const LOGIN = { username: 'u', password: 'p' };
const PROXY = { host: 'h.example', port: 1, protocol: 'http' } as const;

interface Pool {
  db: DatabaseManager;
  encryption: EncryptionService;
  proxies: ProxyRepository;
  credentials: EncryptedCredentialsRepository;
}

function open(): Pool {
  const db = openMigrated();
  const encryption = new EncryptionService({ key: randomBytes(32), database: db });
  const credentials = new EncryptedCredentialsRepository(db, encryption);
  return { db, encryption, proxies: new ProxyRepository(db, encryption), credentials };
}

const URL_LEFT_OUT =
  'the change-IP URL was not stored: without the password, several proxies may be meant, or the stored login cannot be read';

const leftOutOf = (...lines: number[]): object => ({ [URL_LEFT_OUT]: lines.map((line) => ({ line })) });

const record = (members: object): string => JSON.stringify([{ ...PROXY, ...members }]);

it('is stored encrypted with the login, and survives a rotation of the key and another address', async () => {
  const { db, encryption, proxies, credentials } = open();
  const both = proxies.create({ ...PROXY, credentials: { ...LOGIN, rotateUrl: ROTATE } });
  const alone = proxies.create({
    ...PROXY,
    port: 2,
    credentials: { username: '', password: '', rotateUrl: ROTATE },
  });
  const assertThere = (): void => {
    expect(credentials.reveal(both.id)).toEqual({ ...LOGIN, rotateUrl: ROTATE });
    expect(credentials.reveal(alone.id)).toEqual({ username: '', password: '', rotateUrl: ROTATE });
  };
  assertThere();
  proxies.update(both.id, { host: 'other.example' });
  await encryption.rotate();
  assertThere();
  expect(await encryption.verify()).toMatchObject({ failures: [] });
  expect(bytesOf(db).includes('canary')).toBe(false);
  expect(inspect(rowsOf(db, 'proxies'))).not.toContain('canary');
  credentials.store(both.id, LOGIN);
  expect(credentials.reveal(both.id)).toEqual(LOGIN);
});

it.each([
  ['no URL', 'canary'],
  ['another scheme', 'ftp://canary.example/'],
  ['a script', 'javascript:alert("canary")'],
  ['a space', 'https://canary.example/a b'],
  ['a control character', 'https://canary.example/\u0000'],
  ['a line end', 'https://canary.example/\nx'],
  ['no host', 'https://'],
  ['2049 characters', `https://canary.example/${'x'.repeat(2026)}`],
  ['nothing', ''],
])(
  'is rejected if it is %s, in code and in a list, and is not repeated in the error',
  async (_, rotateUrl) => {
    const { db, encryption, proxies, credentials } = open();
    const bad: ProxyInput = { ...PROXY, credentials: { ...LOGIN, rotateUrl } };
    const { id } = proxies.create({ ...PROXY, port: 2 });
    for (const run of [() => proxies.create(bad), () => credentials.store(id, { ...LOGIN, rotateUrl })]) {
      const error = thrownBy(run);
      expect(error).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('rotateUrl') });
      expect(inspect(error, { depth: 9 })).not.toContain('canary');
    }
    expect(proxies.count()).toBe(1);
    if (rotateUrl === '') return;
    const result = await importProxies(db, record({ ...LOGIN, rotateUrl }), { encryption });
    expect(result).toMatchObject({ added: 0, refused: [{ code: 'bad-credentials' }] });
    expect(JSON.stringify(result)).not.toContain('canary');
  },
);

it('of 2048 characters fits', () => {
  const { proxies } = open();
  const rotateUrl = `https://h.example/${'x'.repeat(2030)}`;
  expect(rotateUrl).toHaveLength(2048);
  expect(proxies.create({ ...PROXY, credentials: { ...LOGIN, rotateUrl } }).port).toBe(1);
});

it('of a known proxy changes with an import that has one, and stays with one that has none', async () => {
  const { db, encryption, proxies, credentials } = open();
  const add = (members: object): Promise<object> => importProxies(db, record(members), { encryption });
  const stored = (): (Login | null)[] => proxies.findAll().map((proxy) => credentials.reveal(proxy));
  expect(await add(LOGIN)).toMatchObject({ added: 1 });
  expect(await add({ ...LOGIN, rotateUrl: ROTATE })).toMatchObject({ updated: 1 });
  expect(await add({ ...LOGIN, rotateUrl: ROTATE })).toMatchObject({ unchanged: 1 });
  expect(await add(LOGIN)).toMatchObject({ unchanged: 1 });
  expect(stored()).toEqual([{ ...LOGIN, rotateUrl: ROTATE }]);
  expect(await add({ ...LOGIN, password: 'new' })).toMatchObject({ updated: 1 });
  expect(stored()).toEqual([{ ...LOGIN, password: 'new', rotateUrl: ROTATE }]);
  // A list that hides passwords has an empty one.
  expect(await add({ username: 'u', password: '', rotateUrl: 'https://b.example/' })).toMatchObject({
    updated: 1,
  });
  expect(stored()).toEqual([{ ...LOGIN, password: 'new', rotateUrl: 'https://b.example/' }]);
});

it('of a proxy without a login is added to it, with no second proxy', async () => {
  const { db, encryption, proxies, credentials } = open();
  const add = (members: object): Promise<object> => importProxies(db, record(members), { encryption });
  expect(await add({})).toMatchObject({ added: 1 });
  expect(await add({ rotateUrl: ROTATE })).toMatchObject({ updated: 1 });
  expect(await add({ rotateUrl: ROTATE })).toMatchObject({ unchanged: 1 });
  expect(await add({})).toMatchObject({ unchanged: 1 });
  expect(proxies.findAll().map((proxy) => credentials.reveal(proxy))).toEqual([
    { username: '', password: '', rotateUrl: ROTATE },
  ]);
});

it('without a password does not take the place of a login that cannot be read', async () => {
  const { db, encryption, proxies, credentials } = open();
  const { id } = proxies.create({ ...PROXY, credentials: LOGIN });
  db.driver.run(`UPDATE encrypted_credentials SET auth_tag = 'AAAAAAAAAAAAAAAAAAAAAA=='`, {});
  const list = record({ username: 'u', password: '', rotateUrl: ROTATE });
  expect(await importProxies(db, list, { encryption })).toMatchObject({
    unchanged: 1,
    noteLines: leftOutOf(1),
  });
  expect(thrownBy(() => credentials.reveal(id))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
  const whole = record({ ...LOGIN, rotateUrl: ROTATE });
  expect(await importProxies(db, whole, { encryption })).toMatchObject({ updated: 1 });
  expect(credentials.reveal(id)).toEqual({ ...LOGIN, rotateUrl: ROTATE });
});

it('without a password is not lost without a word if it may be that of several proxies', async () => {
  const { db, encryption, proxies, credentials } = open();
  const logins = ['p', 'q'].map((password) => ({ username: 'u', password }));
  proxies.importMany(logins.map((login) => ({ ...PROXY, credentials: login })));
  const hidden = { ...PROXY, credentials: { username: 'u', password: '', rotateUrl: ROTATE } };
  expect(proxies.importMany([{ ...PROXY, port: 2 }, hidden])).toEqual({
    added: 1,
    updated: 0,
    unchanged: 1,
    urlsLeftOut: [1],
  });
  const lines = JSON.stringify({ ...PROXY, username: 'u', rotateUrl: ROTATE });
  for (const options of [{}, { batch: 1 }, { dryRun: true }, { tag: 't', sync: true, batch: 1 }]) {
    const result = await importProxies(db, `${lines}\n${lines}`, { encryption, ...options });
    expect(result).toMatchObject({ added: 0, unchanged: 2, noteLines: leftOutOf(1, 2) });
    expect(JSON.stringify(result)).not.toContain('canary');
  }
  const named = [
    { name: 'a.txt', source: 'http://h.example:2' },
    { name: 'b.jsonl', source: lines },
  ];
  expect(await importProxies(db, named, { encryption })).toMatchObject({
    noteLines: { [URL_LEFT_OUT]: [{ file: 'b.jsonl', line: 1 }] },
  });
  expect(proxies.findAll().map((proxy) => credentials.reveal(proxy))).toEqual([...logins, null]);
});

it.each(EXPORT_FORMATS)('is exported as %s and read back, or is said to be left out', async (format) => {
  const { db, encryption, proxies } = open();
  const { id } = proxies.create({ ...PROXY, credentials: { ...LOGIN, rotateUrl: ROTATE } });
  proxies.create({ ...PROXY, port: 2, credentials: { username: '', password: '', rotateUrl: ROTATE } });
  proxies.create({ ...PROXY, port: 3 });
  const leftOut: LeftOut[] = [];
  const options = { encryption, format, onLeftOut: (each: LeftOut) => leftOut.push(each) };
  const masked = [...exportProxies(db, options)].join('');
  expect(masked).not.toContain('canary');
  expect(leftOut).toEqual([]);
  const text = [...exportProxies(db, { ...options, reveal: true })].join('');
  const isRecord = format === 'csv' || format === 'json';
  expect(leftOut.filter(({ part }) => part === 'rotateUrl')).toHaveLength(isRecord ? 0 : 2);
  if (!isRecord) expect(leftOut[0]).toMatchObject({ id, reason: 'it has a change-IP URL' });
  const other = open();
  const result = await importProxies(other.db, text, { encryption: other.encryption });
  expect(result).toMatchObject({ added: 3, refused: [] });
  const revealed = other.proxies.findAll().map((proxy) => other.credentials.reveal(proxy)?.rotateUrl);
  expect(revealed).toEqual(isRecord ? [ROTATE, ROTATE, undefined] : [undefined, undefined, undefined]);
  expect(await importProxies(other.db, masked, { encryption: other.encryption })).toMatchObject({
    refused: [{ code: 'bad-credentials' }, { code: 'bad-credentials' }],
  });
});

describe('alone, it is no login: the proxy stays the one without a login at its address', () => {
  const alone = { ...PROXY, credentials: { username: '', password: '', rotateUrl: ROTATE } };

  it.each([
    [
      'a migration down and up',
      ({ db, proxies }: Pool): void => {
        proxies.create(alone);
        db.migrations.to(5);
        db.migrations.up();
      },
    ],
    [
      'the same beside a password without a username',
      ({ db, proxies }: Pool): void => {
        const { id } = proxies.create({ ...PROXY, credentials: { username: '', password: 'p' } });
        proxies.create(alone);
        db.migrations.to(5);
        db.migrations.up();
        proxies.delete(id);
      },
    ],
    [
      'its ciphertext is saved again',
      ({ proxies, credentials }: Pool): void => {
        const { id } = proxies.create(alone);
        const data = credentials.findByProxyId(id);
        if (data) credentials.save(id, data);
      },
    ],
    [
      'SQL has inserted a proxy',
      ({ db }: Pool): void => {
        db.driver.run(
          `INSERT INTO proxies (id, name, host, port, protocol) VALUES ('a', 'n', 'h.example', 1, 'http')`,
          {},
        );
      },
    ],
  ])('after %s', (_, prepare) => {
    for (const again of [PROXY, alone]) {
      const pool = open();
      prepare(pool);
      expect(thrownBy(() => pool.proxies.create(again))).toMatchObject({ code: 'CONFLICT' });
      const imported = open();
      prepare(imported);
      expect(imported.proxies.importMany([again])).toMatchObject({ added: 0 });
      expect(imported.proxies.count()).toBe(1);
    }
  });

  it('and needs no key to be added, whatever is stored at its address', () => {
    const { db, proxies, credentials } = open();
    const { id } = proxies.create({ ...PROXY, credentials: LOGIN });
    const data = credentials.findByProxyId(id);
    if (data) credentials.save(id, data);
    const keyless = new EncryptionService({ keyFile: join(temporaryFolder(), 'lost'), database: db });
    const others = new ProxyRepository(db, keyless);
    expect(others.importMany([PROXY])).toMatchObject({ added: 1 });
    expect(thrownBy(() => others.create(PROXY))).toMatchObject({ code: 'CONFLICT' });
  });
});
