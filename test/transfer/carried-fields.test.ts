import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  type DatabaseManager,
  EncryptedCredentialsRepository,
  EncryptionService,
  exportProxies,
  type ImportListOptions,
  type ImportResult,
  importProxies,
  type LeftOut,
  type ProxyInput,
  ProxyRepository,
  ProxyTagsRepository,
} from 'proxyvault';
import type { ExportFormat } from 'proxyvault/lists';
import { describe, expect, it } from 'vitest';
import { VerdictCounter } from '../../src/transfer/import-result.ts';
import { openMigrated, temporaryFolder } from '../support/temporary.ts';

const encryption = new EncryptionService({ key: randomBytes(32) });
const H = { host: 'h.example', protocol: 'socks5' as const };
const URL_1 = 'https://r.example/1';

interface Pool {
  db: DatabaseManager;
  proxies: ProxyRepository;
  credentials: EncryptedCredentialsRepository;
  add: (list: Parameters<typeof importProxies>[1], options?: ImportListOptions) => Promise<ImportResult>;
}

function open(): Pool {
  const db = openMigrated({ path: ':memory:' });
  return {
    db,
    proxies: new ProxyRepository(db, encryption),
    credentials: new EncryptedCredentialsRepository(db, encryption),
    add: (list, options) => importProxies(db, list, { encryption, ...options }),
  };
}

/** One of each kind of proxy, on a port of its own. */
const KINDS: ProxyInput[] = [
  {},
  { name: 'A name' },
  { name: 'h.example:1' },
  { region: 'EU' },
  { latency: 0 },
  { latency: 120 },
  { status: 'disabled' as const },
  { weight: 5 },
  { weight: 0.1 + 0.2 },
  { weight: 1e-7 },
  { weight: 1e9 },
  { gateway: true },
  { geolocation: { country: 'DE' } },
  {
    geolocation: {
      country: 'DE',
      city: 'Köln',
      region: 'NW',
      latitude: -1.5,
      longitude: 0,
      asn: 1,
      timezone: 'Europe/Berlin',
    },
  },
  { remoteDns: false },
  { protocol: 'socks4' as const },
  { protocol: 'socks4' as const, remoteDns: false },
  { protocol: 'http' as const },
  { protocol: 'https' as const },
  { credentials: { username: 'token', password: '' } },
  { credentials: { username: '', password: 'p' } },
  { credentials: { username: 'u:@%', password: ' p:@% ' } },
  { credentials: { username: '', password: '', rotateUrl: URL_1 } },
  { credentials: { username: 'u', password: '', rotateUrl: URL_1 } },
  { credentials: { username: 'u', password: 'p', rotateUrl: URL_1 } },
].map((kind, n) => ({ ...H, port: n + 1, ...kind }));

/** What an export carries of a proxy. */
function facts({ proxies, credentials }: Pool): object[] {
  return proxies
    .findAll()
    .map(({ id, createdAt: _, updatedAt: __, ...rest }) => ({ ...rest, login: credentials.reveal(id) }))
    .sort((one, other) => one.port - other.port);
}

const textOf = (db: DatabaseManager, format: ExportFormat, leftOut: LeftOut[] = []): string =>
  [...exportProxies(db, { encryption, format, reveal: true, onLeftOut: (each) => leftOut.push(each) })].join(
    '',
  );

describe('an export and its import', () => {
  it.each(['json', 'csv'] as const)('carry every field of a proxy as %s', async (format) => {
    const [from, to] = [open(), open()];
    from.proxies.createMany(KINDS);
    const leftOut: LeftOut[] = [];
    const text = textOf(from.db, format, leftOut);
    expect(leftOut.map(({ id }) => from.proxies.findById(id)?.port)).toEqual([]);
    expect(await to.add(text)).toMatchObject({ added: KINDS.length, refused: [] });
    expect(facts(to)).toEqual(facts(from));
    expect(await from.add(text)).toMatchObject({ added: 0, updated: 0, unchanged: KINDS.length });
  });

  it('bring a proxy back as active that has failed or is being checked', async () => {
    const [from, to] = [open(), open()];
    for (const [n, status] of (['active', 'failed', 'checking', 'disabled'] as const).entries())
      from.proxies.create({ ...H, port: n + 1, status });
    await to.add(textOf(from.db, 'json'));
    expect(to.proxies.findAll().map(({ status }) => status)).toEqual([
      'active',
      'active',
      'active',
      'disabled',
    ]);
  });

  it('say of each proxy and part that a format cannot carry which it is, and why', () => {
    const { db, proxies } = open();
    const [local, remote, url, both, whole] = proxies.createMany([
      { ...H, port: 1, remoteDns: false },
      { ...H, port: 2 },
      { ...H, protocol: 'http', port: 3, credentials: { username: 'u', password: 'p', rotateUrl: URL_1 } },
      { ...H, port: 4, remoteDns: false, credentials: { username: 'u', password: 'p', rotateUrl: URL_1 } },
      { ...H, protocol: 'http', port: 5, credentials: { username: 'a:b', password: 'p' } },
    ]);
    const leftOut: LeftOut[] = [];
    textOf(db, 'colon', leftOut);
    const told = (proxy: { id: string } | undefined): unknown[] =>
      leftOut.filter(({ id }) => id === proxy?.id).map(({ part, reason }) => [part, reason]);
    expect(told(local)).toEqual([['remoteDns', expect.stringContaining('its clients resolve names')]]);
    for (const [, reason] of told(remote) as [string, string][])
      expect(reason).toContain('the proxy resolves names');
    expect(told(url)).toEqual([['rotateUrl', expect.stringContaining('change-IP URL')]]);
    expect((told(both) as [string, string][]).map(([part]) => part).sort()).toEqual([
      'remoteDns',
      'rotateUrl',
    ]);
    expect(told(whole)).toEqual([[undefined, expect.any(String)]]);
    expect(leftOut.filter(({ id }) => id === whole?.id)[0]).not.toHaveProperty('part');
  });

  it('carry the proxies of a tag alone', () => {
    const { db, proxies } = open();
    const [one] = proxies.createMany([1, 2, 3].map((port) => ({ ...H, protocol: 'http', port })));
    new ProxyTagsRepository(db).add(one?.id ?? '', 't', 'i');
    expect([...exportProxies(db, { tag: 't' })].join('')).toBe('http://h.example:1\n');
    expect([...exportProxies(db, { tag: 'other' })].join('')).toBe('');
    expect(JSON.parse([...exportProxies(db, { format: 'json' })].join(''))).toHaveLength(3);
  });

  it('leave out what would be read back as another one, and name that', async () => {
    const [from, to] = [open(), open()];
    const logins = ['a', 'b', 'c', 'd'].map((username) => ({ username, password: 'p' }));
    from.proxies.create({ ...H, port: 1, credentials: { username: 'e', password: 'same' } });
    const [one, two, three, four] = from.proxies.createMany([
      ...logins.slice(0, 3).map((credentials) => ({ ...H, port: 1, credentials })),
      { ...H, port: 2, credentials: logins[3] },
    ]);
    for (const proxy of [one, two, four]) from.credentials.save(proxy?.id ?? '', encryption.encrypt('same'));
    from.credentials.save(three?.id ?? '', encryption.encrypt('other'));
    const leftOut: LeftOut[] = [];
    const text = textOf(from.db, 'json', leftOut);
    expect(leftOut).toEqual([{ id: two?.id, reason: expect.stringContaining(String(one?.id)) }]);
    expect(await to.add(text)).toMatchObject({ added: 4 });
    // What is masked is not compared: nothing is read back from it.
    const masked: LeftOut[] = [];
    const hidden = [
      ...exportProxies(from.db, { format: 'json', onLeftOut: (each) => masked.push(each) }),
    ].join('');
    expect(masked).toEqual([]);
    expect(JSON.parse(hidden)).toHaveLength(5);
    expect(hidden).not.toMatch(/same|"other"/);
  });

  it('leave out a login that cannot be read, and end without the key', () => {
    const { db, proxies } = open();
    const credentials = { username: 'u', password: 'p' };
    const [one] = proxies.createMany([1, 2].map((port) => ({ ...H, port, credentials })));
    db.driver.run(`UPDATE encrypted_credentials SET encrypted_data = 'AAAA' WHERE proxy_id = :id`, {
      id: one?.id ?? '',
    });
    const leftOut: LeftOut[] = [];
    expect(JSON.parse(textOf(db, 'json', leftOut))).toHaveLength(1);
    expect(leftOut).toEqual([{ id: one?.id, reason: expect.stringContaining('CREDENTIAL_CORRUPT') }]);
    for (const other of [new EncryptionService({ key: randomBytes(32) }), undefined])
      expect(() => [...exportProxies(db, { encryption: other, reveal: true })]).toThrow();
  });
});

describe('an import', () => {
  it('takes what the options say of proxies of which the list does not say it', async () => {
    const list = JSON.stringify([
      { ...H, port: 1 },
      { ...H, port: 2, remoteDns: true },
      { ...H, port: 3, remoteDns: false },
      { ...H, port: 4, protocol: 'http' },
      { ...H, port: 5, protocol: 'socks4' },
    ]);
    for (const [remoteDns, wanted] of [
      [undefined, [true, true, false, true, true]],
      [true, [true, true, false, true, true]],
      [false, [false, true, false, true, false]],
    ] as const) {
      const { add, proxies } = open();
      await add(list, { remoteDns });
      expect(proxies.findAll().map((proxy) => proxy.remoteDns)).toEqual(wanted);
    }
    const { add, proxies } = open();
    await add('h.example:1\nsocks4://h.example:2', { protocol: 'https' });
    expect(proxies.findAll().map(({ protocol }) => protocol)).toEqual(['https', 'socks4']);
    expect((await open().add('h.example:1', { strictProtocol: true })).refused).toHaveLength(1);
    expect((await open().add('h.example:1', {})).refused).toEqual([]);
    expect(
      (await open()
        .add('[{"host":"h.example","port":1}]', { format: 'lines' as never })
        .catch((error) => error.code)) ?? '',
    ).toBeDefined();
  });

  it('tells how many lines it has read, and how many proxies it has stored', async () => {
    const { add } = open();
    const list = Array.from({ length: 20_001 }, (_, n) => (n % 1000 === 0 ? `h.example:${n + 1}` : '#')).join(
      '\n',
    );
    const heard: object[] = [];
    await add(list, { onProgress: (progress) => heard.push(progress) });
    expect(heard).toEqual([
      { phase: 'reading', done: 10_000 },
      { phase: 'reading', done: 20_000 },
      { phase: 'storing', done: 21, total: 21 },
    ]);
  });

  it.each([undefined, 1, 2, 3, 4, 100])('stores each line once, in batches of %s', async (batch) => {
    const { add, proxies } = open();
    const stored: number[] = [];
    const list = '# c\nh.example:1\n\nh.example:2:u:p\nx\nh.example:3:token:\nh.example:1\n';
    const result = await add(list, {
      batch,
      onProgress: (progress) => void (progress.phase === 'storing' && stored.push(progress.done)),
    });
    expect(result).toMatchObject({ lines: 7, comments: 1, blank: 1, added: 3, unchanged: 1, updated: 0 });
    expect(result.refused).toHaveLength(1);
    expect(result).not.toHaveProperty('removed');
    expect(result).not.toHaveProperty('removal');
    expect(proxies.count()).toBe(3);
    const ends =
      batch === undefined
        ? [4]
        : Array.from({ length: Math.ceil(4 / batch) }, (_, n) => Math.min(4, (n + 1) * batch));
    expect([...new Set(stored)]).toEqual(ends);
  });

  it('counts what it updates and tags, in batches too', async () => {
    const { add, db } = open();
    await add('h.example:1:u:p\nh.example:2:u:p\nh.example:3:u:p', { tag: 't' });
    const list = 'h.example:1:u:q\nh.example:2:u:p\nh.example:4:u:p';
    for (const options of [{ dryRun: true }, { dryRun: true, batch: 1 }, { batch: 1, tag: 's' }])
      expect(await add(list, options)).toMatchObject({ added: 1, updated: 1, unchanged: 1 });
    const tags = new ProxyTagsRepository(db);
    expect([tags.count('t'), tags.count('s')]).toEqual([3, 3]);
  });

  it('notes each change-IP URL that it could not store, with its line and list', async () => {
    const { add, proxies } = open();
    const user = (password: string): ProxyInput => ({
      ...H,
      port: 1,
      credentials: { username: 'u', password },
    });
    proxies.createMany([user('p'), user('q')]);
    const hidden = JSON.stringify([{ ...H, port: 1, username: 'u', rotateUrl: URL_1 }]);
    const { notes = {}, noteLines = {} } = await add([
      { name: 'a', source: 'h.example:9\n' },
      { name: 'b', source: hidden },
    ]);
    const [note = ''] = Object.keys(notes).filter((each) => each.includes('change-IP URL was not stored'));
    expect(notes[note]).toBe(1);
    expect(noteLines[note]).toEqual([{ file: 'b', line: 1 }]);
  });

  it('names the same line of two lists twice', async () => {
    const { noteLines = {} } = await open().add([
      { name: 'a', source: '10.0.0.1:1' },
      { name: 'b', source: '10.0.0.1:1' },
    ]);
    expect(Object.values(noteLines)).toEqual([
      [
        { file: 'a', line: 1 },
        { file: 'b', line: 1 },
      ],
    ]);
  });

  it('needs the key in a dry run too, if the pool has logins', async () => {
    const keyFile = join(temporaryFolder(), 'none', 'key');
    const { db, proxies } = open();
    const lost = new EncryptionService({ keyFile, database: db });
    const options = { encryption: lost, dryRun: true };
    expect(await importProxies(db, 'h.example:1:u:p', options)).toMatchObject({ added: 1, dryRun: true });
    proxies.create({ ...H, port: 1, credentials: { username: 'u', password: 'p' } });
    await expect(importProxies(db, 'h.example:1:u:p', options)).rejects.toMatchObject({
      code: 'KEY_MISSING',
    });
    const other = new EncryptionService({ key: randomBytes(32) });
    await expect(
      importProxies(db, 'h.example:1:u:p', { encryption: other, dryRun: true }),
    ).rejects.toMatchObject({
      code: 'KEY_MISMATCH',
    });
  });

  it('is given lists, and says of anything else what to do, without what was given', async () => {
    const rejected: unknown[] = [
      'https://lists.example/canary.txt',
      'https://lists.example/?canary=1',
      'https://u:canary@lists.example/canary',
      new URL('https://lists.example/canary'),
      './canary.txt',
      '/tmp/canary.txt',
      7,
      null,
      undefined,
      {},
      { name: 'a', source: 'h.example:1' },
      [{ name: 'a', source: 'h.example:1' }, 'h.example:2'],
      [{ name: 'a', source: 'h.example:1' }, { name: 'b' }],
      [{ name: 'a', source: './canary.txt' }],
      [{ name: 'a', source: 'https://lists.example/canary' }],
    ];
    for (const source of rejected) {
      const { add, proxies } = open();
      const error = await add(source as never).then(
        () => null,
        (reason) => reason,
      );
      expect([source, error?.code]).toEqual([source, 'INVALID_INPUT']);
      if (String(source).startsWith('https')) expect(error.message).not.toContain('canary');
      expect(proxies.count()).toBe(0);
    }
    for (const [list, added] of [
      ['http://h.example:1/', 1],
      ['http://u:p@h.example:1', 1],
      ['http://h.example:1\nhttps://h.example:2', 2],
    ] as const)
      expect(await open().add(list)).toMatchObject({ added });
  });
});

describe('the rejections of an import', () => {
  it('are all heard of, and 10,000 are kept', () => {
    let heard = 0;
    const counter = new VerdictCounter(() => heard++);
    for (let line = 1; line <= 10_003; line++)
      counter.add({ kind: 'refused', code: 'not-a-proxy', reason: 'r', line, column: 1, text: '' }, 'a');
    const { refused, refusedMore, lines } = counter.result({ added: 0, updated: 0, unchanged: 0 });
    expect([heard, refused.length, refusedMore, lines]).toEqual([10_003, 10_000, 3, 10_003]);
    expect(refused[0]).toMatchObject({ file: 'a', line: 1 });
  });
});

describe('a sync', () => {
  const sync = { tag: 't', sync: true };
  const list = (count: number): string =>
    Array.from({ length: count }, (_, n) => `h.example:${n + 1}`).join('\n');

  it.each([undefined, 1, 3])(
    'that is stopped or fails says so to all, in batches of %s, and changes nothing',
    async (batch) => {
      const { add, proxies } = open();
      await add(list(12), sync);
      const told: object[] = [];
      const options = { ...sync, batch, onStopped: (removal: object) => told.push(removal) };
      await expect(add('new.example:1', options)).rejects.toMatchObject({
        message: expect.stringContaining('Nothing was changed.'),
        details: { tag: 't', of: 12, leaving: 12, removed: 12 },
      });
      expect(told).toMatchObject([{ of: 12, leaving: 12, removed: 12, stopped: true }]);
      for (const broken of ['nonsense', '<html>', '[{"host":"new.example","port":1},'])
        await expect(add(broken, options)).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: expect.stringMatching(/line 1: .*Nothing was changed\./),
        });
      const broken = ['new.example:1', '<html>', '<html>'].map((source, n) => ({
        name: 'abc'[n] ?? '',
        source,
      }));
      await expect(add(broken, options)).rejects.toMatchObject({
        message: expect.stringContaining('b, line 1: '),
      });
      expect(proxies.count()).toBe(12);
    },
  );

  it.each([undefined, 1, 3])('keeps what only a later batch has, in batches of %s', async (batch) => {
    for (const forced of [{}, { force: true }]) {
      const { add, proxies } = open();
      await add(list(12), sync);
      const before = proxies.findAll();
      expect(await add(list(12), { ...sync, batch, ...forced })).toMatchObject({
        added: 0,
        unchanged: 12,
        removed: 0,
      });
      expect(proxies.findAll()).toEqual(before);
      expect(await add(list(10), { ...sync, batch, ...forced })).toMatchObject({
        unchanged: 10,
        removed: 2,
        removal: { of: 12, leaving: 2, removed: 2, stopped: false },
      });
      expect(proxies.findAll()).toEqual(before.slice(0, 10));
      expect(await add('', { ...sync, force: true })).toMatchObject({ removed: 10 });
    }
  });

  it.each([undefined, 1])('counts those that had the tag before it, in batches of %s', async (batch) => {
    const { add } = open();
    const first = await add(list(12), sync);
    expect(first).toMatchObject({ added: 12, removed: 0 });
    expect(first).not.toHaveProperty('removal');
    expect(
      await add(`${list(10)}\nnew.example:1\nnew.example:2`, { ...sync, batch, force: true }),
    ).toMatchObject({
      added: 2,
      removal: { of: 12, leaving: 2, removed: 2 },
    });
  });

  it('that is forced still needs a list, if it is no sync', async () => {
    await expect(open().add('# nothing', { force: true })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(open().add('# nothing', { tag: 't', force: true })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });
});
