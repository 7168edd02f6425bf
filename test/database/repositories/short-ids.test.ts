import fc from 'fast-check';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { failureOf, MODES, openSession } from '../../support/modes.ts';

describe.each(MODES)('in mode %s, short ids', (mode) => {
  it('are 8 characters, or as many as tell an id from every other, and name their proxy', async () => {
    const id = fc.string({ unit: fc.constantFrom('a', 'b', '-', '😀', '😁'), minLength: 1, maxLength: 14 });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(id, { minLength: 1, maxLength: 12 }), async (ids) => {
        const proxies = new ProxyRepository(openSession(mode).session);
        for (const [n, each] of ids.entries())
          await proxies.create({ id: each, host: 'h.example', port: n + 1, protocol: 'http' });
        const short = await proxies.shortIds([...ids, ...ids]);
        expect([...short.keys()].toSorted()).toEqual(ids.toSorted());
        for (const [each, beginning] of short) {
          expect(each.startsWith(beginning)).toBe(true);
          expect(beginning.isWellFormed()).toBe(true);
          const others = ids.filter((other) => other !== each && other.startsWith(beginning));
          // One id may be the beginning of another: then it is given whole, which names it alone.
          if (beginning === each) continue;
          expect(others).toEqual([]);
          expect((await proxies.resolve(beginning)).id).toBe(each);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('do not end within a character', async () => {
    const proxies = new ProxyRepository(openSession(mode).session);
    await proxies.create({ id: 'aaaaaaa😀bc', host: 'h.example', port: 1, protocol: 'http' });
    expect([...(await proxies.shortIds(['aaaaaaa😀bc'])).values()]).toEqual(['aaaaaaa😀']);
    expect((await proxies.resolve('aaaaaaa😀')).id).toBe('aaaaaaa😀bc');
  });

  it('of what is no list of ids are rejected, and of a proxy that is gone are as short as may be', async () => {
    const proxies = new ProxyRepository(openSession(mode).session);
    for (const wrong of ['', 7, [1], null])
      expect(await failureOf(() => proxies.shortIds(wrong as unknown as string[]))).toMatchObject({
        code: 'INVALID_INPUT',
      });
    expect([...(await proxies.shortIds(['0199c0de-0000']))]).toEqual([['0199c0de-0000', '0199c0de']]);
  });
});
