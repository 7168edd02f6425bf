import type { ProxyInput } from 'proxyvault/database';
import { ProxyRepository, ProxyTagsRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { failureOf, MODES, openSession } from '../../support/modes.ts';

const list = (count: number): ProxyInput[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `p${n}`,
    host: 'h.example',
    port: n + 1,
    protocol: 'http',
  }));

describe.each(MODES)('tagging many in mode %s', (mode) => {
  function open() {
    const { db, session } = openSession(mode);
    const stored = () =>
      db.query<{ proxy_id: string; tag: string; import_id: string }>(
        'SELECT proxy_id, tag, import_id FROM proxy_tags ORDER BY proxy_id, tag',
      );
    return { session, proxies: new ProxyRepository(session), tags: new ProxyTagsRepository(session), stored };
  }

  it.each([1, 31, 32, 33, 64, 65, 100])(
    'an import tags each of %i proxies, also those it knows',
    async (count) => {
      const { proxies, tags, stored } = open();
      await proxies.createMany(list(count).slice(0, count >> 1));
      for (const importId of ['first', 'second']) {
        await proxies.importMany(list(count), { tag: { name: 'mine', importId } });
        expect(await tags.count('mine')).toBe(count);
        expect(stored().filter((row) => row.import_id === importId)).toHaveLength(count);
      }
      expect(await tags.countOthers('mine', 'second')).toEqual({ leaving: 0, removed: 0 });
    },
  );

  it('tags the proxies that exist, once each, and says how many rows changed', async () => {
    const { session, proxies, tags, stored } = open();
    await proxies.createMany(list(40));
    const ids = list(50).map(({ id = '' }) => id);
    const add = (tag: string, importId: string) =>
      session.driver.transaction(function* () {
        yield session.driver.lock('tags');
        return (yield tags.addManyLocked([...ids, ...ids], tag, importId)) as number;
      });
    expect(await add('a', 'i')).toBe(40);
    await add('a', 'j');
    await add('b', 'j');
    expect(stored()).toHaveLength(80);
    expect(stored().every((row) => row.import_id === 'j')).toBe(true);
    expect(await tags.addManyLocked([], 'a', 'k')).toBe(0);
    expect(await failureOf(() => tags.addManyLocked(['p1'], '', 'k'))).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(await failureOf(() => tags.addManyLocked([1 as never], 'a', 'k'))).toMatchObject({
      code: 'INVALID_INPUT',
    });
  });
});
