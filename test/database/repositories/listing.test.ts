import { PROXY_SORT_FIELDS, type ProxyConfig, type ProxySort } from 'proxyvault/database';
import { type ProxyListing, ProxyRepository, ProxyTagsRepository } from 'proxyvault/database/repositories';
import { afterEach, describe, expect, it } from 'vitest';
import { HandOutsRepository } from '../../../src/database/repositories/hand-outs.repository.ts';
import { Random } from '../../faults/random.ts';
import { failureOf, listOf, MODES, openSession, type TestMode } from '../../support/modes.ts';

const SEED = Number(process.env.PROXYVAULT_SEED ?? 20_260_502);
const random = new Random(SEED);
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(`PROXYVAULT_SEED=${SEED}`);
});

const SORTS: ProxySort[] = PROXY_SORT_FIELDS.flatMap((field): ProxySort[] => [field, `-${field}`]);

/** A pool in which every order has ties, and missing values where there can be some. */
async function openTies(mode: TestMode) {
  const time = { now: Date.UTC(2026, 4, 1) };
  const { db, session } = openSession(mode, { clock: () => time.now, onInvalidRow: () => undefined });
  const proxies = new ProxyRepository(session);
  const tags = new ProxyTagsRepository(session);
  const handOuts = new HandOutsRepository(session);
  for (let n = 0; n < 60; n++) {
    time.now += random.pick([0, 1000]);
    const { id } = await proxies.create({
      id: `p${random.below(1_000_000)}-${n}`,
      host: `${random.pick(['one', 'two', 'zwei', 'émile'])}.example`,
      port: n + 1,
      protocol: 'http',
      name: random.pick(['b', 'B', 'ä', '\u{1F600}', '\uFF5E', '10', '9']),
      latency: random.pick([null, 0, 9, 10]),
      geolocation: random.pick([
        null,
        { country: 'DE' },
        { country: 'US', city: '"country":"FR"' },
        { city: 'DE' },
      ]),
    });
    await proxies.update(id, {
      totalRequests: random.pick([0, 9, 10]),
      successRate: random.pick([0, 33.3, 100]),
    });
    if (random.chance(0.5)) await handOuts.record(id, 1, new Date(time.now));
    for (const tag of ['a', 'b']) if (random.chance(0.5)) await tags.add(id, tag, 'import');
  }
  return { db, session, proxies, tags, all: await proxies.findAll() };
}

function compareValues(one: unknown, other: unknown): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  return Buffer.compare(Buffer.from(String(one)), Buffer.from(String(other)));
}

/** What the documentation says of an order. */
function sorted(all: readonly ProxyConfig[], sort: ProxySort): ProxyConfig[] {
  const field = PROXY_SORT_FIELDS.find((each) => sort === each || sort === `-${each}`) ?? 'id';
  const sign = sort.startsWith('-') ? -1 : 1;
  return [...all].sort((one, other) => {
    const [left, right] = [one[field], other[field]];
    if (left === null || right === null)
      return left === right ? compareValues(one.id, other.id) : left === null ? 1 : -1;
    return sign * compareValues(left, right) || compareValues(one.id, other.id);
  });
}

async function pagesOf(proxies: ProxyRepository<'async'>, listing: ProxyListing): Promise<ProxyConfig[][]> {
  const pages: ProxyConfig[][] = [];
  let after: string | undefined;
  for (;;) {
    const page = await proxies.list({ ...listing, after });
    pages.push(page.items);
    if (page.next === null) return pages;
    after = page.next;
  }
}

/** The place of a page as `next` has it. */
function cursor(...place: unknown[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

describe.each(MODES)('in mode %s', (mode) => {
  describe('a list refuses', () => {
    const bad: [what: string, listing: object, message: string][] = [
      ['an unknown order', { sort: 'age' }, 'sort must be one of id, name'],
      ['two signs', { sort: '--latency' }, 'sort must be one of'],
      ['no order at all', { sort: '' }, 'sort must be one of'],
      ['an order that is no text', { sort: 7 }, 'sort must be one of'],
      ['a column', { sort: 'success_rate' }, 'sort must be one of'],
      [
        'a country in words',
        { country: 'Germany' },
        'country: must be two letters of ISO 3166-1, such as DE',
      ],
      ['a wildcard', { country: '__' }, 'country: must be two letters'],
      ['an empty tag', { tag: '' }, 'tag: must not be empty'],
      ['an id after which to begin in another order', { sort: 'name', after: 'p1' }, 'sorted by name'],
      [
        'an integer that no page can end with',
        { sort: 'latency', after: cursor('latency', 2 ** 53, 'p') },
        'sorted by',
      ],
      ['the place of another order in that by id', { after: cursor('latency', 5, 'p') }, 'sorted by id'],
      [
        'the place of a page without a value',
        { sort: '-id', after: cursor('name', null, 'p') },
        'sorted by -id',
      ],
      ['a number', { sort: 'name', after: 5 }, 'after must be a string'],
    ];
    it.each(bad)('%s', async (_, listing, message) => {
      const proxies = new ProxyRepository(openSession(mode).session);
      expect(await failureOf(() => proxies.list(listing as ProxyListing))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining(message),
      });
    });

    it('the place of a page in another order, or one that was made up', async () => {
      const { proxies } = await openTies(mode);
      const { next } = await proxies.list({ sort: 'name', limit: 5 });
      const places = [next, '!', Buffer.from('["latency"]').toString('base64url')];
      for (const after of [...places, Buffer.from('["latency",{},"p"]').toString('base64url')]) {
        expect(await failureOf(() => proxies.list({ sort: 'latency', after: after ?? '' }))).toMatchObject({
          code: 'INVALID_INPUT',
          message: expect.stringContaining('sorted by latency'),
        });
      }
    });
  });

  describe('a list', () => {
    it('comes in every order, in pages of every size, each proxy once', async () => {
      const { proxies, all } = await openTies(mode);
      expect(all.some(({ latency }) => latency === null)).toBe(true);
      expect(all.some(({ lastUsedAt }) => lastUsedAt === null)).toBe(true);
      for (const sort of SORTS) {
        const wanted = sorted(all, sort).map(({ id }) => id);
        for (const limit of [1, 7, 59, 60, 1000]) {
          const pages = await pagesOf(proxies, { sort, limit });
          expect(
            pages.flat().map(({ id }) => id),
            sort,
          ).toEqual(wanted);
          expect(pages).toHaveLength(Math.ceil(60 / limit));
        }
      }
      expect(await proxies.list({ sort: '-id', after: all[1]?.id })).toEqual({ items: [all[0]], next: null });
    });

    it('continues after the place of a proxy that is gone', async () => {
      const { proxies, all } = await openTies(mode);
      for (const sort of ['-latency', 'lastUsedAt', '-id'] as const) {
        const rest = sorted(await proxies.findAll(), sort);
        const { items, next } = await proxies.list({ sort, limit: 20 });
        for (const { id } of items.slice(-2)) await proxies.delete(id);
        const after = await proxies.list({ sort, limit: 1000, after: next ?? '' });
        expect(after.items).toEqual(rest.slice(20));
      }
      expect(await proxies.count()).toBe(all.length - 6);
    });

    it('has the proxies with a tag, of a country in any case, and both, counted and streamed too', async () => {
      const { proxies, tags, all } = await openTies(mode);
      const tagged = await tags.findByProxies(all.map(({ id }) => id));
      const isTagged = ({ id }: ProxyConfig): boolean => tagged.get(id)?.includes('a') === true;
      const isGerman = ({ geolocation }: ProxyConfig): boolean => geolocation?.country === 'DE';
      expect([all.some(isTagged), all.some(isGerman)]).toEqual([true, true]);
      const cases: [ProxyListing, (proxy: ProxyConfig) => boolean][] = [
        [{ tag: 'a' }, isTagged],
        [{ tag: 'A' }, () => false],
        [{ country: 'DE' }, isGerman],
        [{ country: 'de' }, isGerman],
        [{ country: 'fr' }, () => false],
        [{ tag: 'a', country: 'De' }, (proxy) => isTagged(proxy) && isGerman(proxy)],
      ];
      for (const [filter, fits] of cases) {
        const wanted = all.filter(fits);
        expect((await pagesOf(proxies, { ...filter, limit: 4 })).flat()).toEqual(wanted);
        expect((await pagesOf(proxies, { ...filter, limit: 4, sort: '-name' })).flat()).toEqual(
          sorted(wanted, '-name'),
        );
        expect(await listOf(proxies.iterate(filter))).toEqual(wanted);
        expect(await proxies.count(filter)).toBe(wanted.length);
      }
    });

    it('finds a country that another program wrote with spaces', async () => {
      const { db, session } = openSession(mode);
      const proxies = new ProxyRepository(session);
      const { id } = await proxies.create({ host: 'h.example', port: 1, protocol: 'http' });
      db.driver.run(`UPDATE proxies SET geolocation_json = '{"city": "x", "country": "DE"}'`, {});
      expect((await proxies.list({ country: 'de' })).items).toMatchObject([{ id }]);
    });

    it('leaves malformed rows out and continues, and names one after which no page can begin', async () => {
      const { db, proxies, all } = await openTies(mode);
      db.driver.run(`UPDATE proxies SET protocol = protocol, remote_dns = 1, latency = 'x' WHERE id = :id`, {
        id: all[3]?.id ?? '',
      });
      const good = all.filter(({ id }) => id !== all[3]?.id);
      for (const sort of SORTS) {
        const pages = await pagesOf(proxies, { sort, limit: 1 });
        expect(
          pages.flat().map(({ id }) => id),
          sort,
        ).toEqual(sorted(good, sort).map(({ id }) => id));
      }
      // An integer beyond 2^53 would be another one in the place of the page.
      for (const value of ["x'31'", '9007199254740993', '9e300']) {
        db.driver.run(`UPDATE proxies SET latency = ${value} WHERE id = :id`, { id: all[3]?.id ?? '' });
        expect(await failureOf(() => pagesOf(proxies, { sort: 'latency', limit: 1 })), value).toMatchObject({
          code: 'INVALID_ROW',
          details: { id: all[3]?.id, column: 'latency' },
        });
      }
    });
  });

  describe('counts', () => {
    it('refuse an unknown filter', async () => {
      const proxies = new ProxyRepository(openSession(mode).session);
      for (const filter of [null, { colour: 'red' }, { status: 'x' }]) {
        expect(await failureOf(() => proxies.countByStatus(filter as object))).toMatchObject({
          code: 'INVALID_INPUT',
        });
      }
    });

    it('have every status, also of an empty pool', async () => {
      const { db, session } = openSession(mode);
      const proxies = new ProxyRepository(session);
      const none = { active: 0, failed: 0, checking: 0, disabled: 0, total: 0 };
      expect(await proxies.countByStatus()).toEqual(none);
      const inputs = [
        ['active', 'http', 'US'],
        ['active', 'socks5', 'EU'],
        ['failed', 'socks5', 'EU'],
        ['disabled', 'http', null],
      ] as const;
      await proxies.createMany(
        inputs.map(([status, protocol, region], n) => ({
          host: 'h.example',
          port: n + 1,
          status,
          protocol,
          region,
        })),
      );
      expect(await proxies.countByStatus()).toEqual({ ...none, active: 2, failed: 1, disabled: 1, total: 4 });
      expect(await proxies.countByStatus({ protocol: 'socks5' })).toEqual({
        ...none,
        active: 1,
        failed: 1,
        total: 2,
      });
      // A status that another program wrote is of no status, and yet a row.
      db.driver.exec(`PRAGMA ignore_check_constraints = 1; UPDATE proxies SET status = 'odd' WHERE port = 1`);
      expect(await proxies.countByStatus()).toEqual({ ...none, active: 1, failed: 1, disabled: 1, total: 4 });
    });
  });

  describe('tags of many proxies', () => {
    it('refuse what is no list of ids', async () => {
      const tags = new ProxyTagsRepository(openSession(mode).session);
      for (const ids of [null, undefined, 'p', 7, [7], [null]])
        expect(await failureOf(() => tags.findByProxies(ids as unknown as string[]))).toMatchObject({
          code: 'INVALID_INPUT',
        });
    });

    it('are those of each, in order, empty for who has none or is not there', async () => {
      const { session } = openSession(mode);
      const proxies = new ProxyRepository(session);
      const tags = new ProxyTagsRepository(session);
      const made = await proxies.createMany(
        [1, 2, 3].map((port) => ({ id: `p${port}`, host: 'h.example', port, protocol: 'http' as const })),
      );
      for (const tag of ['b', 'a']) await tags.add('p1', tag, 'import');
      await tags.add('p3', 'a', 'import');
      await tags.add('p2', 'c', 'import');
      expect(await tags.findByProxies([])).toEqual(new Map());
      expect(await tags.findByProxies(new Set(['p3', 'nobody', 'p1', 'p1']))).toEqual(
        new Map([
          ['p3', ['a']],
          ['nobody', []],
          ['p1', ['a', 'b']],
        ]),
      );
      for (const count of [1, 2, 3]) {
        const ids = made.slice(0, count).map(({ id }) => id);
        const found = await tags.findByProxies(ids);
        for (const id of ids) expect(found.get(id)).toEqual(await tags.findByProxy(id));
      }
    });
  });
});
