import fc from 'fast-check';
import type { DatabaseManager } from 'proxyvault/database';
import { ProxyRepository, StickySessionRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { failureOf, listOf, MODES, openSession } from '../../support/modes.ts';

describe.each(MODES)('in mode %s', (mode) => {
  async function open(): Promise<{
    db: DatabaseManager;
    sticky: StickySessionRepository<'async'>;
    time: { now: number };
    a: string;
    b: string;
  }> {
    const time = { now: Date.UTC(2026, 0, 1) };
    const { db, session } = openSession(mode, { clock: () => time.now });
    const proxies = new ProxyRepository(session);
    const [a = '', b = ''] = (
      await proxies.createMany([1, 2].map((port) => ({ host: 'h.example', port, protocol: 'http' as const })))
    ).map(({ id }) => id);
    return { db, sticky: new StickySessionRepository(session), time, a, b };
  }

  describe('create', () => {
    it('refuses invalid domains, an invalid ttl, and an unknown proxy', async () => {
      const { sticky, a } = await open();
      const domains = [
        '',
        '*',
        '*.',
        'a.*.b',
        '**.a',
        'https://',
        'a.example:99999',
        'word/path',
        'a b',
        'a..b',
        '*.1.2.3.4',
        '*.[::1]',
        'x'.repeat(300),
        'a\n.b',
      ];
      for (const domain of domains) {
        expect(await failureOf(() => sticky.create({ domain, proxyId: a }))).toMatchObject({
          code: 'INVALID_INPUT',
        });
      }
      for (const ttl of [0, -1, 1.5, Number.NaN]) {
        expect(await failureOf(() => sticky.create({ domain: 'a.example', proxyId: a, ttl }))).toMatchObject({
          code: 'INVALID_INPUT',
        });
      }
      expect(await failureOf(() => sticky.create({ domain: 'a.example', proxyId: 'nobody' }))).toMatchObject({
        code: 'NOT_FOUND',
        details: { id: 'nobody' },
      });
      expect(await sticky.getAll()).toEqual([]);
    });

    it('takes no time that is not one, also not an empty text', async () => {
      const { sticky, a } = await open();
      await sticky.create({ domain: 'a.example', proxyId: a });
      const before = await sticky.getAll();
      for (const lastUsed of ['', ' ', 'yesterday', new Date(Number.NaN)]) {
        expect(
          await failureOf(() => sticky.update('a.example', { lastUsed: lastUsed as string })),
        ).toMatchObject({
          code: 'INVALID_INPUT',
        });
      }
      expect(await sticky.getAll()).toEqual(before);
    });

    it('stores a mapping and replaces it', async () => {
      const { sticky, a, b, time } = await open();
      expect(await sticky.create({ domain: 'Example.COM.', proxyId: a, ttl: 3_600_000 })).toBeUndefined();
      expect(await sticky.findByDomain('example.com')).toEqual({
        domain: 'example.com',
        proxyId: a,
        ttl: 3_600_000,
        isWildcard: false,
        requestCount: 1,
        createdAt: '2026-01-01T00:00:00.000Z',
        lastUsed: '2026-01-01T00:00:00.000Z',
      });
      await sticky.use('example.com');
      time.now += 5;
      await sticky.create({ domain: 'example.com', proxyId: b });
      expect(await sticky.findByDomain('EXAMPLE.com')).toMatchObject({
        proxyId: b,
        ttl: null,
        requestCount: 1,
        createdAt: '2026-01-01T00:00:00.005Z',
      });
      expect(await sticky.count()).toBe(1);
    });

    it('takes back what it gave', async () => {
      const { sticky, a } = await open();
      await sticky.create({ domain: '*.a.example', proxyId: a, ttl: 5 });
      const [mapping] = await sticky.getAll();
      if (!mapping) throw new Error('it is not there');
      await sticky.create(mapping);
      await sticky.update(mapping.domain, mapping);
      expect(await sticky.getAll()).toEqual([mapping]);
    });
  });

  describe('matching', () => {
    it('a wildcard holds at any depth below and not at the apex; exact and longest win', async () => {
      const { sticky, a, b } = await open();
      await sticky.create({ domain: '*.example.com', proxyId: a });
      expect(await sticky.findByDomain('example.com')).toBeNull();
      expect(await sticky.findByDomain('notexample.com')).toBeNull();
      expect((await sticky.findByDomain('x.example.com'))?.proxyId).toBe(a);
      expect((await sticky.findByDomain('x.y.z.example.com'))?.proxyId).toBe(a);
      await sticky.create({ domain: '*.y.example.com', proxyId: b });
      await sticky.create({ domain: 'x.y.example.com', proxyId: a });
      expect((await sticky.findByDomain('w.y.example.com'))?.domain).toBe('*.y.example.com');
      expect((await sticky.findByDomain('x.y.example.com'))?.domain).toBe('x.y.example.com');
      expect((await sticky.findByDomain('*.example.com'))?.domain).toBe('*.example.com');
    });

    it('knows internationalised names and addresses', async () => {
      const { sticky, a } = await open();
      await sticky.create({ domain: '*.BÜCHER.example', proxyId: a });
      await sticky.create({ domain: '2001:DB8::1', proxyId: a });
      await sticky.create({ domain: '192.0.2.1', proxyId: a });
      expect(await sticky.findByDomain('shop.xn--bcher-kva.example')).not.toBeNull();
      expect(await sticky.findByDomain('[2001:db8:0::1]')).not.toBeNull();
      expect(await sticky.findByDomain('192.0.2.1')).not.toBeNull();
    });

    it('agrees with a naive model', async () => {
      const label = fc.constantFrom('a', 'b', 'c');
      const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
      const pattern = fc.tuple(fc.boolean(), name).map(([wild, text]) => (wild ? `*.${text}` : text));
      // Wildcards and exact names of one length, of which each fits, stored in either order.
      const ties: [string[], string[]][] = [
        [
          ['*.a', 'b.a'],
          ['b.a', 'c.a'],
        ],
        [
          ['b.a', '*.a'],
          ['b.a', 'c.a'],
        ],
        [
          ['*.b.a', 'c.b.a', '*.a', 'b.a'],
          ['b.a', 'c.b.a', 'b.b.a', 'a.c.b.a'],
        ],
        [
          ['a', '*.a'],
          ['a', 'a.a'],
        ],
      ];
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(pattern, { maxLength: 8 }),
          fc.array(name, { maxLength: 10 }),
          async (patterns, names) => {
            const { sticky, a } = await open();
            for (const domain of patterns) await sticky.create({ domain, proxyId: a });
            for (const asked of names) {
              const fits = patterns.filter((p) =>
                p.startsWith('*.') ? asked.endsWith(p.slice(1)) : p === asked,
              );
              const best = fits.includes(asked) ? asked : fits.sort((x, y) => y.length - x.length)[0];
              expect((await sticky.findByDomain(asked))?.domain).toBe(best);
              expect((await sticky.use(asked))?.domain).toBe(best);
            }
          },
        ),
        { numRuns: mode === 'sync' ? 60 : 20, examples: ties },
      );
    });
  });

  describe('ttl', () => {
    it('counts from the last use, to the millisecond', async () => {
      const { sticky, time, a } = await open();
      await sticky.create({ domain: 'a.example', proxyId: a, ttl: 1000 });
      time.now += 999;
      expect(await sticky.use('a.example')).toMatchObject({
        requestCount: 2,
        lastUsed: '2026-01-01T00:00:00.999Z',
      });
      time.now += 999;
      expect(await sticky.findByDomain('a.example')).not.toBeNull();
      time.now += 1;
      expect(await sticky.findByDomain('a.example')).toBeNull();
      expect(await sticky.use('a.example')).toBeNull();
      expect(await sticky.findByProxy(a)).toEqual([]);
      expect(await sticky.getAll()).toEqual([]);
      expect(await listOf(sticky.iterate())).toEqual([]);
      expect(await sticky.deleteExpired()).toBe(1);
      expect(await sticky.deleteExpired()).toBe(0);
    });

    it('lets an expired exact mapping give way to a live wildcard', async () => {
      const { sticky, time, a, b } = await open();
      await sticky.create({ domain: 'x.example.com', proxyId: a, ttl: 10 });
      await sticky.create({ domain: '*.example.com', proxyId: b });
      time.now += 10;
      expect((await sticky.findByDomain('x.example.com'))?.proxyId).toBe(b);
    });

    it('holds for a row that plain SQL wrote, and never ends without one', async () => {
      const { sticky, db, time, a } = await open();
      db.driver.run(
        `INSERT INTO sticky_sessions (domain, proxy_id, last_used, ttl_ms) VALUES ('raw.example', :a, '2026-01-01 00:00:00', 5000)`,
        { a },
      );
      await sticky.create({ domain: 'ever.example', proxyId: a });
      time.now += 4999;
      expect(await sticky.findByDomain('raw.example')).not.toBeNull();
      time.now += 1;
      expect(await sticky.findByDomain('raw.example')).toBeNull();
      time.now += 1e12;
      expect(await sticky.findByDomain('ever.example')).not.toBeNull();
      expect(await sticky.deleteExpired()).toBe(1);
    });

    it('is removed by an index, not by reading all', async () => {
      const { db } = await open();
      const plan = db.driver.all(
        `EXPLAIN QUERY PLAN DELETE FROM sticky_sessions WHERE expires_at <= '2026'`,
        {},
        (row) => String(row.detail),
      );
      expect(plan.join()).toContain('USING INDEX idx_sticky_sessions_expiry');
    });
  });

  describe('update and delete', () => {
    it('change exactly the mapping that is named', async () => {
      const { sticky, a, b } = await open();
      await sticky.create({ domain: '*.example.com', proxyId: a, ttl: 100 });
      expect(await failureOf(() => sticky.update('x.example.com', { proxyId: b }))).toMatchObject({
        code: 'NOT_FOUND',
      });
      const address = '2001:db8:1::5';
      expect(await failureOf(() => sticky.update(address, { proxyId: b }))).toMatchObject({
        message: expect.stringContaining(address),
        details: { id: address },
      });
      await sticky.update('*.EXAMPLE.com', { proxyId: b });
      expect(await sticky.findByDomain('x.example.com')).toMatchObject({ proxyId: b, ttl: 100 });
      await sticky.update('*.example.com', { ttl: null });
      expect((await sticky.findByDomain('x.example.com'))?.ttl).toBeNull();
      await sticky.update('*.example.com', { domain: 'other.example' });
      expect(await sticky.getAll()).toMatchObject([{ domain: 'other.example', isWildcard: false }]);
      expect(await failureOf(() => sticky.update('other.example', { proxyId: 'nobody' }))).toMatchObject({
        code: 'CONSTRAINT',
      });
      expect(await sticky.delete('x.example.com')).toBe(false);
      expect(await sticky.delete('OTHER.example.')).toBe(true);
      expect(await sticky.count()).toBe(0);
    });
  });
});
