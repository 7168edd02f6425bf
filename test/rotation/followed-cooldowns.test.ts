import type { DatabaseManager } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { expect, it } from 'vitest';
import { ProxyCooldownsRepository } from '../../src/database/repositories/proxy-cooldowns.repository.ts';
import type { Cooldown } from '../../src/model/cooldown.ts';
import { Follower } from '../../src/rotation/follow.ts';
import { toIndexed } from '../../src/rotation/indexed-row.ts';
import { openMigrated } from '../support/temporary.ts';
import { inputOf, START } from './open-pool.ts';

type Heard = [what: string, slotOrId: unknown, cooldowns?: readonly Cooldown[]];

/** A follower of a pool of three proxies, and what it tells. */
function open() {
  const invalid: object[] = [];
  const db = openMigrated({ clock: () => START, onInvalidRow: ({ details }) => invalid.push(details) });
  const proxies = new ProxyRepository(db);
  proxies.createMany([0, 1, 2].map((n) => inputOf(n)));
  const heard: Heard[] = [];
  const follower = new Follower(db, {
    reloaded({ size }, _settings, ailing) {
      heard.push(['reload', size]);
      for (const { id, cooldowns } of ailing.values()) heard.push(['cooldowns', id, cooldowns]);
    },
    put: (_slot, { id, cooldowns }) => heard.push(['cooldowns', id, cooldowns]),
    gone: (slot) => heard.push(['gone', slot]),
    configured: () => {},
  });
  const next = (): Heard[] => {
    follower.refresh(START);
    return heard.splice(0);
  };
  return { db, proxies, cooldowns: new ProxyCooldownsRepository(db), follower, invalid, next };
}

const of = (proxyId: string, scope: Cooldown['scope'] = '', more: Partial<Cooldown> = {}): Cooldown => ({
  ...{ proxyId, scope, source: 'engine', kind: 'connect', times: 1 },
  ...{ since: new Date(START).toISOString(), until: null, detail: null, ...more },
});

it('a load tells the cooldowns of proxies that have some, after the reload', () => {
  const { cooldowns, next } = open();
  const all = [of('a'), of('a', 'domain shop.example'), of('c', 'session s')];
  for (const each of all) cooldowns.set(each);
  expect(next()).toEqual([
    ['reload', 3],
    ['cooldowns', 'a', all.slice(0, 2)],
    ['cooldowns', 'c', all.slice(2)],
  ]);
  expect(next()).toEqual([]);
});

it('later, each changed proxy comes with its cooldowns, and a proxy that is gone is told', () => {
  const { proxies, cooldowns, follower, next } = open();
  next();
  cooldowns.set(of('b', '', { times: 2 }));
  expect(next()).toEqual([['cooldowns', 'b', [of('b', '', { times: 2 })]]]);
  cooldowns.set(of('b', 'domain shop.example'));
  proxies.update('a', { region: 'EU' });
  expect(next()).toEqual([
    ['cooldowns', 'b', [of('b', '', { times: 2 }), of('b', 'domain shop.example')]],
    ['cooldowns', 'a', []],
  ]);
  cooldowns.remove('b');
  expect(next()).toEqual([['cooldowns', 'b', []]]);
  const slot = follower.index?.slotOf('b');
  proxies.delete('b');
  expect(next()).toEqual([['gone', slot]]);
});

it('a malformed cooldown is reported and left out, and its proxy stays', () => {
  const { db, follower, invalid, cooldowns, next } = open();
  cooldowns.set(of('a'));
  cooldowns.set(of('a', 'domain shop.example'));
  db.execute(`UPDATE proxy_cooldowns SET kind = 'other' WHERE scope = ''`);
  const left = ['cooldowns', 'a', [of('a', 'domain shop.example')]];
  expect(next()).toEqual([['reload', 3], left]);
  expect(invalid).toMatchObject([{ table: 'proxy_cooldowns', id: 'a  engine', column: 'kind' }]);
  db.execute(`UPDATE proxy_cooldowns SET detail = 'x' WHERE scope = ''`);
  expect(next()).toEqual([left]);
  expect(invalid).toHaveLength(2);
  expect(follower.index?.slotOf('a')).not.toBe(-1);
});

it('the index gets whether a proxy is a gateway, and whether it was ever of use', () => {
  const { db, proxies } = open();
  proxies.update('a', { gateway: true });
  for (const success of [false, true]) proxies.updateStats('b', success);
  proxies.updateStats('c', false);
  const rows = db.driver.all('SELECT * FROM proxies ORDER BY id', {}, (row) => row);
  const facts = rows.map((row) => toIndexed(row, [], [], new Map()));
  expect(facts.map(({ gateway, isProven }) => [gateway, isProven])).toEqual([
    [true, false],
    [false, true],
    [false, false],
  ]);
});

/** Twelve thousand rows by SQL, which are three pages. */
function fill(db: DatabaseManager): void {
  db.execute(`INSERT INTO proxy_cooldowns (proxy_id, scope, source, kind, since)
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 5999)
    SELECT p.id, 'domain ' || i, 'engine', 'blocked', p.created_at FROM n, proxies AS p WHERE p.id IN ('a', 'c')`);
}

it('a load takes more cooldowns than one page, of one proxy too, and those without valid UTF-8', () => {
  const { db, next, invalid } = open();
  fill(db);
  const sizes = (): unknown[] => next().map(([what, id, list]) => [what, id, list?.length]);
  const expected = [
    ['reload', 3, undefined],
    ['cooldowns', 'a', 6000],
    ['cooldowns', 'c', 6000],
  ];
  expect(sizes()).toEqual(expected);
  db.execute(`UPDATE proxy_cooldowns SET scope = scope || CAST(x'ff' AS TEXT) WHERE proxy_id = 'a'`);
  db.execute(`DELETE FROM proxy_tombstones`);
  db.execute(`INSERT INTO pool_revisions (name, revision) VALUES ('tombstones', 9000000)
    ON CONFLICT (name) DO UPDATE SET revision = excluded.revision`);
  expect(sizes()).toEqual(expected);
  expect(invalid).toEqual([]);
}, 30_000);
