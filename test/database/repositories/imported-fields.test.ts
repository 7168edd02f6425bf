import { randomBytes } from 'node:crypto';
import type { DatabaseManager, Login, ProxyConfig, ProxyInput } from 'proxyvault/database';
import {
  EncryptedCredentialsRepository,
  type ImportSummary,
  ProxyRepository,
  ProxyTagsRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Session } from 'proxyvault/driver';
import { describe, expect, it } from 'vitest';
import { ImportMemory } from '../../../src/database/repositories/import-memory.ts';
import { Random } from '../../faults/random.ts';
import { answer, failureOf, inTurn, MODES, openSession } from '../../support/modes.ts';

describe.each(MODES)('in mode %s', (mode) => {
  const START = Date.UTC(2026, 4, 1);
  const GATE = { host: 'gate.example', port: 7000, protocol: 'socks5' as const };
  const URLS = ['https://r.example/1', 'https://r.example/2'] as const;

  interface Pool {
    db: DatabaseManager;
    session: Session<'async'>;
    proxies: ProxyRepository<'async'>;
    credentials: EncryptedCredentialsRepository<'async'>;
    tags: ProxyTagsRepository<'async'>;
    time: { now: number };
  }

  function open(): Pool {
    const time = { now: START };
    const { db, session } = openSession(mode, { clock: () => time.now });
    const encryption = new EncryptionService<'async'>({ key: randomBytes(32), database: session });
    return {
      db,
      session,
      time,
      proxies: new ProxyRepository(session, encryption),
      credentials: new EncryptedCredentialsRepository(session, encryption),
      tags: new ProxyTagsRepository(session),
    };
  }

  const login = (username: string, password = '', rotateUrl?: string): Login => ({
    username,
    password,
    ...(rotateUrl && { rotateUrl }),
  });
  const outcome = (summary: Partial<ImportSummary>): object => ({
    added: 0,
    updated: 0,
    unchanged: 0,
    ...summary,
  });

  describe('an import of one known proxy', () => {
    const KNOWN: ProxyInput = {
      ...GATE,
      name: 'One',
      region: 'EU',
      geolocation: { country: 'DE' },
      credentials: login('u', 'p', URLS[0]),
    };

    const changes: [change: Partial<ProxyInput>, fields: Partial<ProxyConfig>][] = [
      [{ name: 'Two' }, { name: 'Two' }],
      [{ region: 'US' }, { region: 'US' }],
      [{ geolocation: { city: 'Rome' } }, { geolocation: { city: 'Rome' } }],
      [{ remoteDns: false }, { remoteDns: false }],
      [{ gateway: true }, { gateway: true }],
    ];
    it.each(changes)(
      'notices %j alone, notes when, and keeps the rest; the second time it changes nothing',
      async (change, fields) => {
        const { proxies, credentials, time } = open();
        await proxies.importMany([KNOWN]);
        const [before] = await proxies.findAll();
        time.now += 5;
        const entry = { ...GATE, credentials: login('u', 'p'), ...change };
        expect(await proxies.importMany([entry])).toEqual(outcome({ updated: 1 }));
        const after = { ...before, ...fields, updatedAt: new Date(time.now).toISOString() };
        expect(await proxies.findAll()).toEqual([after]);
        time.now += 5;
        expect(await proxies.importMany([entry])).toEqual(outcome({ unchanged: 1 }));
        expect(await proxies.findAll()).toEqual([after]);
        expect(await credentials.reveal(before?.id ?? '')).toEqual(KNOWN.credentials);
      },
    );

    const logins: [given: Login, stored: Login, isChange: boolean][] = [
      [login('u', 'q'), login('u', 'q', URLS[0]), true],
      [login('u', '', URLS[1]), login('u', 'p', URLS[1]), true],
      [login('u', 'p', URLS[1]), login('u', 'p', URLS[1]), true],
      [login('u', 'q', URLS[1]), login('u', 'q', URLS[1]), true],
      [login('u'), login('u', 'p', URLS[0]), false],
      [login('u', 'p'), login('u', 'p', URLS[0]), false],
      [login('u', '', URLS[0]), login('u', 'p', URLS[0]), false],
    ];
    it.each(logins)('with the login %j makes it %j', async (given, stored, isChange) => {
      for (const isKnown of [false, true]) {
        const { proxies, credentials, db } = open();
        if (isKnown) await proxies.create(KNOWN);
        else await proxies.importMany([KNOWN]);
        const ciphertext = async (): Promise<unknown> =>
          (await credentials.findByProxyId((await proxies.findAll())[0]?.id ?? ''))?.ciphertext;
        const before = await ciphertext();
        expect(await proxies.importMany([{ ...GATE, credentials: given }])).toEqual(
          outcome(isChange ? { updated: 1 } : { unchanged: 1 }),
        );
        const [proxy] = await proxies.findAll();
        expect(await credentials.reveal(proxy?.id ?? '')).toEqual(stored);
        if (!isChange) expect(await ciphertext()).toBe(before);
        // The identity is that of the login that is stored now.
        expect(await failureOf(() => proxies.create({ ...GATE, credentials: stored }))).toMatchObject({
          code: 'CONFLICT',
          details: { existingId: proxy?.id },
        });
        const old = await proxies.create({ ...GATE, credentials: { ...stored, password: 'old' } });
        expect(await proxies.importMany([{ ...GATE, credentials: stored }])).toEqual(
          outcome({ unchanged: 1 }),
        );
        expect(await proxies.findById(old.id)).toEqual(old);
        expect(db.driver.all('SELECT 1 FROM proxies', {}, (row) => row)).toHaveLength(2);
      }
    });

    it('takes the first of several lines, of which the others add what is missing', async () => {
      const { proxies, credentials } = open();
      await proxies.importMany([{ ...GATE, credentials: login('u', 'p') }]);
      const list: ProxyInput[] = [
        { ...GATE, credentials: login('u', 'p', URLS[0]), geolocation: { country: 'DE' } },
        { ...GATE, credentials: login('u', 'p', URLS[1]), geolocation: { country: 'FR' }, region: 'EU' },
        { ...GATE, credentials: login('u', 'p'), region: 'US', name: 'One' },
        { ...GATE, credentials: login('u', 'p'), name: 'Two' },
      ];
      for (const isFirst of [true, false]) {
        expect(await proxies.importMany(list)).toEqual(
          outcome(isFirst ? { updated: 3, unchanged: 1 } : { unchanged: 4 }),
        );
        const [proxy] = await proxies.findAll();
        expect(proxy).toMatchObject({ region: 'EU', name: 'One', geolocation: { country: 'DE' } });
        expect(await credentials.reveal(proxy?.id ?? '')).toEqual(login('u', 'p', URLS[0]));
      }
    });

    it('adds a region alone by a later line', async () => {
      const { proxies } = open();
      expect(
        await proxies.importMany([
          GATE,
          { ...GATE, region: 'EU' },
          { ...GATE, geolocation: { country: 'DE' } },
        ]),
      ).toEqual(outcome({ added: 1, updated: 2 }));
      expect(await proxies.findAll()).toMatchObject([{ region: 'EU', geolocation: { country: 'DE' } }]);
    });

    it('gives a login back to a proxy that has lost it, and stores none that is hidden', async () => {
      const { proxies, credentials, db } = open();
      await proxies.importMany([{ ...GATE, credentials: login('u', 'p') }]);
      const [proxy] = await proxies.findAll();
      const id = proxy?.id ?? '';
      db.driver.run('DELETE FROM encrypted_credentials', {});
      expect(await proxies.importMany([{ ...GATE, credentials: login('u') }])).toEqual(
        outcome({ unchanged: 1 }),
      );
      expect(await credentials.exists(id)).toBe(false);
      expect(await proxies.importMany([{ ...GATE, credentials: login('u', 'p') }])).toEqual(
        outcome({ updated: 1 }),
      );
      expect(await credentials.reveal(id)).toEqual(login('u', 'p'));
    });
  });

  describe('an import of a username of several proxies', () => {
    it('tags all of them by one hidden password, and gives none of them its URL', async () => {
      const { proxies, tags, credentials } = open();
      await proxies.importMany(
        ['p', 'q', 'r'].map((password) => ({ ...GATE, credentials: login('u', password) })),
      );
      const other = await proxies.create({ ...GATE, protocol: 'http', credentials: login('u', 's') });
      const entry = { ...GATE, name: 'N', credentials: login('u', '', URLS[0]) };
      const tag = { name: 't', importId: 'i' };
      expect(await proxies.importMany([{ ...GATE, port: 1 }, entry, entry], { tag })).toEqual(
        outcome({ added: 1, unchanged: 2, urlsLeftOut: [1, 2] } as Partial<ImportSummary>),
      );
      expect(await tags.count('t')).toBe(4);
      expect(await tags.has(other.id, 't')).toBe(false);
      for (const { id, host, port, name } of await proxies.findAll()) {
        expect(name).toBe(`${host}:${port}`);
        expect((await credentials.reveal(id))?.rotateUrl).toBeUndefined();
      }
    });

    it('does not take one that the list has by its password for a hidden one', async () => {
      for (const order of [(list: string[]) => list, (list: string[]) => list.toReversed()]) {
        const { proxies, tags } = open();
        await proxies.importMany(
          ['p', 'q'].map((password) => ({ ...GATE, credentials: login('u', password) })),
        );
        const list = order(['q', '']).map((password) => ({ ...GATE, credentials: login('u', password) }));
        expect(await proxies.importMany(list, { tag: { name: 't', importId: 'i' } })).toEqual(
          outcome({ added: 1, unchanged: 1 }),
        );
        expect(await tags.count('t')).toBe(2);
      }
    });

    it('gives no password to one whose username has two new ones, or a new and a hidden one', async () => {
      for (const passwords of [
        ['a', 'b'],
        ['a', ''],
        ['', 'a'],
      ]) {
        const { proxies, credentials } = open();
        const { id } = await proxies.create({ ...GATE, credentials: login('u', 'p') });
        await proxies.importMany(
          passwords.map((password) => ({ ...GATE, credentials: login('u', password) })),
        );
        expect(await credentials.reveal(id)).toEqual(login('u', 'p'));
        expect(await proxies.count()).toBe(3);
      }
    });

    it('gives no password to one that it has added itself, and finds each again by its own', async () => {
      for (const passwords of [
        ['p', 'q'],
        ['p', 'q', 'r'],
      ]) {
        const { proxies } = open();
        const list = passwords.map((password) => ({ ...GATE, credentials: login('u', password) }));
        expect(await proxies.importMany(list)).toEqual(outcome({ added: list.length }));
        for (const entry of list)
          expect(await proxies.importMany([entry])).toEqual(outcome({ unchanged: 1 }));
      }
    });

    it('brings a login back to one that has lost it, also after another password came', async () => {
      const { proxies, credentials, db } = open();
      const entry = (password: string): ProxyInput => ({ ...GATE, credentials: login('u', password) });
      const first = await proxies.create(entry('p'));
      const second = await proxies.create(entry('q'));
      db.driver.exec(`UPDATE proxies SET password_fingerprint = NULL WHERE id = '${first.id}';
      DELETE FROM encrypted_credentials WHERE proxy_id = '${first.id}'`);
      expect(await proxies.importMany([entry('r')])).toEqual(outcome({ added: 1 }));
      for (const { id } of await proxies.findAll()) if (id !== first.id) await proxies.delete(id);
      expect(second.id).not.toBe(first.id);
      expect(await proxies.importMany([entry('p')])).toEqual(outcome({ updated: 1 }));
      expect(await credentials.reveal(first.id)).toEqual(login('u', 'p'));
    });
  });

  describe('an import', () => {
    it('tells how far it is, at each step and at its end', async () => {
      const { proxies } = open();
      const list = Array.from({ length: 25 }, (_, n) => ({ ...GATE, port: n + 1 }));
      const heard: number[] = [];
      await proxies.importMany(list, { every: 10, onProgress: (done) => heard.push(done) });
      expect(heard).toEqual([10, 20, 25]);
      heard.length = 0;
      await proxies.importMany(list, { onProgress: (done) => heard.push(done) });
      expect(heard).toEqual([25]);
    });

    it('names the entry that is wrong by its place in the batch, and stores nothing of it', async () => {
      const { proxies } = open();
      using memory = new ImportMemory();
      await proxies.importMany([GATE], { memory, isLast: false });
      expect(
        await failureOf(() =>
          proxies.importMany(
            [
              { ...GATE, port: 1 },
              { ...GATE, port: 0 },
            ],
            { memory },
          ),
        ),
      ).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('Item 2 of'),
        details: { index: 1 },
      });
      expect(await proxies.count()).toBe(1);
    });

    it('needs no key for proxies without a login, and none is there', async () => {
      const { proxies, db, session } = open();
      await proxies.importMany([{ ...GATE, credentials: login('u', 'p') }]);
      db.driver.run('UPDATE proxies SET username_fingerprint = NULL, password_fingerprint = NULL', {});
      const keyless = new ProxyRepository(session);
      expect(await keyless.importMany([GATE])).toEqual(outcome({ added: 1 }));
      expect(await keyless.importMany([GATE])).toEqual(outcome({ unchanged: 1 }));
      const foreign = new ProxyRepository(session, new EncryptionService({ key: randomBytes(32) }));
      expect(await foreign.importMany([GATE])).toEqual(outcome({ unchanged: 1 }));
      expect(await failureOf(() => keyless.create({ ...GATE, credentials: login('u', 'p') }))).toMatchObject({
        code: 'INVALID_INPUT',
      });
      // What was not known is looked at once it matters, for logins after bare ones too.
      expect(await proxies.importMany([GATE, { ...GATE, credentials: login('u', 'p') }])).toEqual(
        outcome({ unchanged: 2 }),
      );
      expect(await proxies.count()).toBe(2);
    });

    it('looks for bare proxies of unknown identity also after a login at their address', async () => {
      const { proxies, db } = open();
      await proxies.createMany([GATE, { ...GATE, credentials: login('u', 'p') }]);
      db.driver.run('UPDATE proxies SET username_fingerprint = NULL, password_fingerprint = NULL', {});
      expect(await proxies.importMany([{ ...GATE, credentials: login('u', 'p') }, GATE])).toEqual(
        outcome({ unchanged: 2 }),
      );
    });

    it('does not take a bare proxy for one whose login is a URL alone, or was saved as ciphertext', async () => {
      const { proxies, credentials, db } = open();
      const bare = await proxies.create(GATE);
      await credentials.store(bare.id, { username: '', password: '', rotateUrl: URLS[0] });
      db.driver.run('UPDATE proxies SET username_fingerprint = NULL, password_fingerprint = NULL', {});
      expect(await proxies.importMany([GATE])).toEqual(outcome({ unchanged: 1 }));
      expect((await credentials.reveal(bare.id))?.rotateUrl).toBe(URLS[0]);
    });
  });

  describe('a login that cannot be read', () => {
    async function openDamaged(): Promise<Pool & { id: string }> {
      const pool = open();
      const { id } = await pool.proxies.create({ ...GATE, credentials: login('u', 'p') });
      pool.db.driver.exec(`UPDATE encrypted_credentials SET encrypted_data = 'AAAA'`);
      return { ...pool, id };
    }

    it('stops no import: it is replaced, or what a hidden password leaves open is told', async () => {
      for (const isUnknown of [false, true]) {
        const { proxies, credentials, db, id } = await openDamaged();
        if (isUnknown) db.driver.exec('UPDATE proxies SET password_fingerprint = NULL');
        const hidden = { ...GATE, credentials: login('u', '', URLS[0]) };
        const [first] = [await proxies.importMany([{ ...GATE, port: 1 }, hidden])];
        expect(first).toEqual(
          outcome({ added: 1, unchanged: 1, urlsLeftOut: [1] } as Partial<ImportSummary>),
        );
        expect(await proxies.importMany([{ ...GATE, credentials: login('u', 'q') }])).toEqual(
          outcome({ updated: 1 }),
        );
        expect(await credentials.reveal(id)).toEqual(login('u', 'q'));
      }
    });

    it('stops no other proxy at its address', async () => {
      const { proxies, credentials, db } = await openDamaged();
      db.driver.exec('UPDATE proxies SET username_fingerprint = NULL, password_fingerprint = NULL');
      const { id } = await proxies.create({ ...GATE, credentials: login('u', 'q') });
      await credentials.store(id, login('u', 'r'));
      const moving = await proxies.create({ ...GATE, port: 1, credentials: login('u', 's') });
      await proxies.update(moving.id, { port: GATE.port });
      expect(await proxies.importMany([{ ...GATE, credentials: login('v', 'p') }])).toEqual(
        outcome({ added: 1 }),
      );
      expect(await proxies.count()).toBe(4);
    });

    it('is not replaced if its row names no key, since the key may be the wrong one', async () => {
      const { proxies, db } = await openDamaged();
      db.driver.exec(
        'UPDATE encrypted_credentials SET key_id = NULL; UPDATE proxies SET password_fingerprint = NULL',
      );
      expect(
        await failureOf(() => proxies.importMany([{ ...GATE, credentials: login('u', 'q') }])),
      ).toMatchObject({
        code: 'CREDENTIAL_CORRUPT',
      });
    });
  });

  describe('the identity of a proxy', () => {
    it('is that of its protocol, host, port, username and password together', async () => {
      const { proxies } = open();
      const base: ProxyInput = { ...GATE, credentials: login('u', 'p') };
      const others: ProxyInput[] = [
        base,
        { ...base, protocol: 'http' },
        { ...base, host: 'other.example' },
        { ...base, port: 7001 },
        { ...base, credentials: login('v', 'p') },
        { ...base, credentials: login('u', 'q') },
        { ...base, credentials: login('u') },
        { ...base, credentials: login('', 'p') },
        { ...base, credentials: undefined },
      ];
      const ids = await inTurn(others, async (input) => (await proxies.create(input)).id);
      for (const [n, input] of others.entries())
        expect(await failureOf(() => proxies.create(input))).toMatchObject({
          details: { existingId: ids[n] },
        });
      expect(await proxies.importMany(others)).toEqual(outcome({ unchanged: others.length }));
    });

    it('follows its login: stored, stored again, replaced, removed and saved', async () => {
      const { proxies, credentials, session } = open();
      const { id } = await proxies.create(GATE);
      const conflictOf = async (credentials?: Login): Promise<unknown> => {
        const error = (await failureOf(() =>
          session.driver.transaction(function* () {
            yield* answer(proxies.create({ ...GATE, credentials }));
            throw new Error('free');
          }),
        )) as { details?: { existingId: string } };
        return error.details?.existingId ?? null;
      };
      expect(await conflictOf()).toBe(id);
      await credentials.store(id, login('u', 'p'));
      await credentials.store(id, login('u', 'p'));
      expect([await conflictOf(), await conflictOf(login('u', 'p')), await conflictOf(login('u'))]).toEqual([
        null,
        id,
        null,
      ]);
      await credentials.store(id, login('u', 'q'));
      expect([await conflictOf(login('u', 'p')), await conflictOf(login('u', 'q'))]).toEqual([null, id]);
      expect(await credentials.delete(id)).toBe(true);
      expect(await credentials.delete(id)).toBe(false);
      expect(await proxies.hasUnidentified()).toBe(false);
      expect([await conflictOf(login('u', 'q')), await conflictOf()]).toEqual([null, id]);
      const twin = await proxies.create({ ...GATE, credentials: login('u', 'p') });
      expect(await failureOf(() => credentials.store(id, login('u', 'p')))).toMatchObject({
        code: 'CONFLICT',
        details: { existingId: twin.id },
      });
      await credentials.store(id, login('u', 'z'));
      await credentials.delete(id);
      // Two without a login at one address: the second is not known as either.
      await credentials.delete(twin.id);
      expect([await conflictOf(login('u', 'p')), await conflictOf()]).toEqual([null, id]);
      expect(await proxies.hasUnidentified(GATE)).toBe(true);
      expect(await proxies.hasUnidentified({ ...GATE, protocol: 'http' })).toBe(false);
      expect(await proxies.hasUnidentified({ ...GATE, port: 1 })).toBe(false);
      expect(await proxies.hasUnidentified()).toBe(true);
    });

    it('is found out before a move, if the pool does not know it yet', async () => {
      const { proxies, db } = open();
      const { id } = await proxies.create({ ...GATE, credentials: login('u', 'p') });
      const twin = await proxies.create({ ...GATE, port: 1, credentials: login('u', 'p') });
      db.driver.run('UPDATE proxies SET username_fingerprint = NULL, password_fingerprint = NULL', {});
      expect(await proxies.hasUnidentified()).toBe(true);
      expect(await failureOf(() => proxies.update(id, { port: 1 }))).toMatchObject({
        details: { existingId: twin.id },
      });
    });

    it('is found out before a move, if the pool knows its username alone', async () => {
      const { proxies, db } = open();
      const { id } = await proxies.create({ ...GATE, credentials: login('u', 'p') });
      const twin = await proxies.create({ ...GATE, port: 1, credentials: login('u', 'p') });
      db.driver.run('UPDATE proxies SET password_fingerprint = NULL', {});
      expect(await failureOf(() => proxies.update(id, { port: 1 }))).toMatchObject({
        details: { existingId: twin.id },
      });
    });

    it.each<Partial<ProxyInput>>([{ protocol: 'http' }, { host: 'other.example' }, { port: 1 }])(
      'may have the login of another at %j',
      async (there) => {
        const { proxies, credentials } = open();
        await proxies.create({ ...GATE, credentials: login('u', 'p') });
        const { id } = await proxies.create({ ...GATE, ...there });
        await credentials.store(id, login('u', 'p'));
        expect(
          await failureOf(() => proxies.create({ ...GATE, ...there, credentials: login('u', 'p') })),
        ).toMatchObject({
          details: { existingId: id },
        });
        expect((await proxies.create({ ...GATE, ...there })).id).not.toBe(id);
      },
    );
  });

  describe('the memory of an import', () => {
    it('agrees with sets and maps, in pools of any size', () => {
      const seed = Number(process.env.PROXYVAULT_SEED ?? 7);
      const random = new Random(seed);
      using memory = new ImportMemory();
      const found = new Set<string>();
      const passwords = new Map<string, Set<string>>();
      const fingerprints = [
        '',
        ...Array.from({ length: 5 }, (_, n) =>
          Buffer.alloc(16, n < 3 ? 7 : n)
            .fill(n, 4)
            .toString('base64url'),
        ),
      ];
      const anId = (): string => `${random.pick(['p', '0198c0de-0000-7000-8000-', ''])}${random.below(3000)}`;
      for (let n = 0; n < 20_000; n++) {
        const at = anId();
        if (random.chance(0.5)) {
          memory.find(at);
          found.add(at);
        } else {
          const password_fingerprint = fingerprints[random.below(6)] ?? '';
          const identity = { ...GATE, username_fingerprint: 'u', password_fingerprint };
          memory.putOff({ index: n, input: GATE, identity, only: at });
          passwords.set(at, (passwords.get(at) ?? new Set()).add(password_fingerprint));
        }
        const looked = anId();
        const facts = [memory.isFound(looked), memory.isReplaced(looked)];
        const isFound = found.has(looked);
        expect([seed, looked, ...facts]).toEqual([
          seed,
          looked,
          isFound,
          !isFound && (passwords.get(looked)?.size ?? 0) < 2,
        ]);
      }
      expect([...memory.entries()]).toHaveLength(memory.undecided);
    });
  });
});
