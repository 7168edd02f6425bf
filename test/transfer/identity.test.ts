import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type DatabaseManager,
  EncryptedCredentialsRepository,
  EncryptionService,
  exportProxies,
  type ImportListOptions,
  type ImportResult,
  importProxies,
  type ProxyInput,
  ProxyRepository,
} from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { openMigrated, temporaryFolder } from '../support/temporary.ts';

interface Pool {
  db: DatabaseManager;
  encryption: EncryptionService;
  proxies: ProxyRepository;
  add: (list: string | AsyncIterable<string>, options?: ImportListOptions) => Promise<ImportResult>;
  revealed: () => string[];
}

function pool(): Pool {
  const folder = temporaryFolder();
  const db = openMigrated({ path: join(folder, 'pool.db') });
  const encryption = new EncryptionService({ keyFile: join(folder, 'key'), database: db });
  return {
    db,
    encryption,
    proxies: new ProxyRepository(db, encryption),
    add: (list, options) => importProxies(db, list, { encryption, ...options }),
    revealed: () => [...exportProxies(db, { encryption, reveal: true })].join('').trim().split('\n').sort(),
  };
}

/** More than an import looks up at once. */
const COUNT = 1100;

const sessions = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `gate.example:7000:user:pass_country-de_session-${n}`);

describe('proxies whose credentials a program has stored by itself', () => {
  it.each([
    ['host', ['socks5://user:pw@gate.example:7000', 'socks5://user:pw@gate2.example:7000']],
    ['port', ['socks5://user:pw@gate.example:7000', 'socks5://user:pw@gate.example:7001']],
    ['protocol', ['socks5://user:pw@gate.example:7000', 'http://user:pw@gate.example:7000']],
  ])('are all found again by one import, when only the %s differs', async (_part, list) => {
    const { db, encryption, add, proxies, revealed } = pool();
    await add(list.join('\n'));
    const before = revealed();
    const credentials = new EncryptedCredentialsRepository(db, encryption);
    for (const { id } of proxies.findAll()) {
      const stored = credentials.findByProxyId(id);
      if (stored) credentials.save(id, stored);
    }
    expect(await add(list.join('\n'))).toMatchObject({ added: 0, updated: 0, unchanged: 2 });
    expect(revealed()).toEqual(before);
  });
});

describe('a list that is made while it is imported', () => {
  it('may add proxies of its own to the pool', () => {
    const { proxies } = pool();
    const proxy = (port: number): ProxyInput => ({ protocol: 'http', host: 'gate.example', port });
    function* list(): Generator<ProxyInput> {
      yield proxy(1);
      proxies.create(proxy(2));
      yield proxy(3);
    }
    expect(proxies.importMany(list())).toMatchObject({ added: 2, updated: 0, unchanged: 0 });
    expect(new Set(proxies.findAll().map(({ port }) => port))).toEqual(new Set([1, 2, 3]));
  });
});

describe('a list with sessions in its passwords', () => {
  it.each([{}, { batch: 700 }, { tag: 't' }, { tag: 't', sync: true }] as ImportListOptions[])(
    'is that many proxies with %j, and changes nothing again, nor does its export, in any order',
    async (options) => {
      const { add, proxies, revealed } = pool();
      const list = sessions(COUNT);
      expect(await add(list.join('\n'), { ...options, dryRun: true })).toMatchObject({ added: COUNT });
      expect(await add(list.join('\n'), options)).toMatchObject({ added: COUNT, updated: 0, unchanged: 0 });
      const before = proxies.findAll();
      const exported = revealed();
      expect(new Set(exported).size).toBe(COUNT);
      // Every order in every way once, and with each option what differs most.
      const isPlain = Object.keys(options).length === 0;
      const lists = [list.toReversed(), exported, ...(isPlain ? [list, exported.toReversed()] : [])];
      for (const again of lists) {
        for (const each of [options, { ...options, dryRun: true }, { ...options, batch: 3000 }])
          expect(await add(again.join('\n'), each)).toMatchObject({
            added: 0,
            updated: 0,
            unchanged: COUNT,
            ...(options.sync && { removed: 0 }),
          });
      }
      expect(proxies.findAll()).toEqual(before);
      const other = pool();
      expect(await other.add(exported.toReversed().join('\n'), options)).toMatchObject({ added: COUNT });
      expect(other.revealed()).toEqual(exported);
    },
    120_000,
  );

  it.each([
    ['host', ['socks5://user@gate.example:7000', 'socks5://user@gate2.example:7000']],
    ['port', ['socks5://user@gate.example:7000', 'socks5://user@gate.example:7001']],
    ['protocol', ['socks5://user@gate.example:7000', 'http://user@gate.example:7000']],
    ['username', ['socks5://user@gate.example:7000', 'socks5://other@gate.example:7000']],
  ])('keeps them all in a sync that hides the passwords, when only the %s differs', async (_part, hidden) => {
    const { add, revealed } = pool();
    const list = hidden.flatMap((url) => ['one', 'two'].map((password) => url.replace('@', `:${password}@`)));
    expect(await add(list.join('\n'), { tag: 't' })).toMatchObject({ added: 4 });
    const before = revealed();
    expect(await add(hidden.join('\n'), { tag: 't', sync: true })).toMatchObject({ added: 0, removed: 0 });
    expect(revealed()).toEqual(before);
  });

  it('loses the sessions that left it in a sync, and keeps the statistics of the others', async () => {
    const { add, proxies, revealed } = pool();
    const sync = { tag: 't', sync: true };
    await add(sessions(20).join('\n'), sync);
    for (const { id } of proxies.findAll()) proxies.updateStats(id, true);
    const next = [...sessions(30).slice(10)].toReversed();
    expect(await add(next.join('\n'), { ...sync, batch: 3 })).toMatchObject({
      added: 10,
      updated: 0,
      unchanged: 10,
      removed: 10,
    });
    expect(revealed()).toHaveLength(20);
    expect(proxies.findAll().filter(({ totalRequests }) => totalRequests === 1)).toHaveLength(10);
  });
});

describe('a list with one proxy on several lines', () => {
  const record = (members: object): string =>
    JSON.stringify({ url: 'http://user:pass@h.example:1', ...members });
  const rotate = (n: number): string => `https://change.example/?key=${n}`;

  it.each([{}, { batch: 1 }, { tag: 't', sync: true }] as ImportListOptions[])(
    'takes the first line, adds what it lacks from the others, and changes nothing again, with %j',
    async (options) => {
      const { add, proxies } = pool();
      const list = [
        record({}),
        record({ name: 'first', region: 'r1' }),
        record({ name: 'second', region: 'r2', country: 'DE', rotateUrl: rotate(1) }),
        record({ country: 'US', rotateUrl: rotate(2) }),
      ].join('\n');
      expect(await add(list, options)).toMatchObject({ added: 1 });
      const [before] = proxies.findAll();
      expect(before).toMatchObject({ name: 'first', region: 'r1', geolocation: { country: 'DE' } });
      expect(await add(list, options)).toMatchObject({ added: 0, updated: 0, unchanged: 4 });
      expect(proxies.findAll()).toEqual([before]);
      expect(await add(`${record({ name: 'other' })}\n${list}`, options)).toMatchObject({
        updated: 1,
        unchanged: 4,
      });
      expect(proxies.findAll()).toMatchObject([{ name: 'other', region: 'r1' }]);
    },
  );

  it('keeps the first change-IP URL of a proxy without a login too', async () => {
    const { add } = pool();
    const list = `h.example:1|${rotate(1)}\nh.example:1|${rotate(2)}\n`;
    expect(await add(list)).toMatchObject({ added: 1 });
    expect(await add(list)).toMatchObject({ updated: 0, unchanged: 2 });
  });
});

describe('a new password for many users', () => {
  it('updates each proxy, also in batches and with progress to the end, in one transaction at the end', async () => {
    const users = (password: string): string =>
      Array.from({ length: 2500 }, (_, n) => `h.example:${n + 1}:user${n}:${password}`).join('\n');
    const { add, proxies } = pool();
    await add(users('old'));
    const ids = proxies.findAll().map(({ id }) => id);
    const done: number[] = [];
    const totals: number[] = [];
    expect(
      await add(users('new'), {
        batch: 100,
        onProgress: (progress) => {
          if (progress.phase !== 'storing') return;
          done.push(progress.done);
          totals.push(progress.total);
        },
      }),
    ).toMatchObject({ added: 0, updated: 2500, unchanged: 0 });
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect([done.at(-1), totals.at(-1)]).toEqual([2500, 2500]);
    expect(proxies.findAll().map(({ id }) => id)).toEqual(ids);
    expect(await add(users('new'))).toMatchObject({ added: 0, updated: 0, unchanged: 2500 });
  });

  it('that cannot be stored is an error that names its line, also in batches', async () => {
    const { add, db, revealed } = pool();
    await add('gate.example:1:u:p\ngate.example:2:u:p');
    const before = revealed();
    db.driver.exec(
      `CREATE TRIGGER full BEFORE UPDATE ON encrypted_credentials BEGIN SELECT RAISE(ABORT, 'full'); END`,
    );
    for (const [options, outcome] of [
      [{}, 'Nothing was stored.'],
      [{ batch: 1 }, 'The 1 proxies of earlier batches stay stored.'],
      [{ batch: 2 }, 'The 1 proxies of earlier batches stay stored.'],
    ] as const) {
      await expect(add('gate.example:2:u:p\n# comment\ngate.example:1:u:q\n', options)).rejects.toMatchObject(
        {
          code: 'CONSTRAINT',
          message: expect.stringMatching(new RegExp(`^Line 3: .* ${outcome}$`)),
        },
      );
      expect(revealed()).toEqual(before);
    }
  });
});

describe('add, import and export agree on duplicates', () => {
  it('of an address without a login', async () => {
    const { add, proxies, revealed } = pool();
    const { id } = proxies.create({ host: 'h.example', port: 1, protocol: 'http' });
    expect(() => proxies.create({ host: 'H.example', port: 1, protocol: 'http' })).toThrow(id);
    expect(await add('h.example:1\nhttp://h.example:1\nsocks5://h.example:1')).toMatchObject({
      added: 1,
      unchanged: 2,
    });
    const other = pool();
    expect(await other.add(revealed().join('\n'))).toMatchObject({ added: proxies.count() });
  });
});

describe('an import in batches beside another process', () => {
  const gate = { host: 'gate.example', port: 7000, protocol: 'http' } as const;
  const credentials = (password: string) => ({ username: 'user', password });

  it.each<[string, (proxies: ProxyRepository, id: string) => void, string[]]>([
    ['does nothing replaces a password', () => {}, ['new']],
    [
      'adds a proxy with the username gives the new password to neither',
      (proxies) => proxies.create({ ...gate, credentials: credentials('other') }),
      ['new', 'old', 'other'],
    ],
    ['removes the proxy adds it', (proxies, id) => proxies.delete(id), ['new']],
  ])('that %s', async (_, act, passwords) => {
    const { db, proxies, add, revealed } = pool();
    const { id } = proxies.create({ ...gate, credentials: credentials('old') });
    async function* list(): AsyncGenerator<string> {
      // Long enough for the format to be known, so that the first proxies are stored.
      yield `gate.example:7000:user:new\n1.example:1\n${'# more to come\n'.repeat(10_000)}`;
      await nextTurn();
      expect(proxies.count()).toBeGreaterThan(1);
      act(proxies, id);
      yield '2.example:2\n';
    }
    await add(list(), { batch: 1 });
    expect(revealed().flatMap((line) => /user:(\w+)@/.exec(line)?.[1] ?? [])).toEqual(passwords);
    expect(await db.check()).toMatchObject({ ok: true });
  });
});
