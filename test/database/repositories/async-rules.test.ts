import { randomBytes } from 'node:crypto';
import { Pool } from 'proxyvault';
import * as repositories from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Mode, Session, Steps } from 'proxyvault/driver';
import { expect, expectTypeOf, it, vi } from 'vitest';
import { HandOutsRepository } from '../../../src/database/repositories/hand-outs.repository.ts';
import type { PoolChangesRepository } from '../../../src/database/repositories/pool-changes.repository.ts';
import type { RotationTurnsRepository } from '../../../src/database/repositories/rotation-turns.repository.ts';
import type { SessionProxiesRepository } from '../../../src/database/repositories/session-proxies.repository.ts';
import { ProxyVaultError } from '../../../src/errors.ts';
import { asyncSession } from '../../support/async-engine.ts';
import { isSteps } from '../../support/modes.ts';
import { openMigrated } from '../../support/temporary.ts';

type Method = (...args: unknown[]) => unknown;

/** Each public method of each repository, as a function of its arguments. */
function methodsOf(session: Session<'async'>, encryption: EncryptionService): [name: string, call: Method][] {
  return [HandOutsRepository, ...Object.values(repositories)].flatMap((Class) => {
    const repository: object = new (Class as new (...args: unknown[]) => object)(session, encryption);
    return Object.getOwnPropertyNames(Class.prototype)
      .filter((name) => name !== 'constructor')
      .map((name): [string, Method] => [
        `${Class.name}.${name}`,
        (...args) => Reflect.apply(Reflect.get(repository, name), repository, args),
      ]);
  });
}

const BAD = [undefined, null, Symbol('bad'), 7, '', '\u0000', [], {}, [null], { ttl: Symbol('bad') }];

/** Methods without an argument that could be bad. */
const TAKES_NOTHING =
  /\.(count|getAll|deleteExpired|findAll|countByKey|leastUsed|fastest|last|get|reset|iterate|findEnabled)$/;

it('every method rejects bad input, and never throws it', async () => {
  const db = openMigrated();
  const encryption = new EncryptionService({ key: randomBytes(32) });
  const methods = methodsOf(asyncSession(db), encryption);
  expect(methods.length).toBeGreaterThan(70);
  const never: string[] = [];
  for (const [name, call] of methods) {
    let rejections = 0;
    for (const bad of BAD) {
      const result = call(bad, bad, bad);
      if (isSteps(result)) {
        rejections = Number.POSITIVE_INFINITY;
        continue;
      }
      const first =
        typeof result === 'object' && result !== null && Symbol.asyncIterator in result
          ? (result as AsyncIterableIterator<unknown>).next()
          : result;
      expect(first, name).toBeInstanceOf(Promise);
      await (first as Promise<unknown>).catch((error: unknown) => {
        expect(error, name).toBeInstanceOf(ProxyVaultError);
        rejections++;
      });
    }
    if (rejections === 0 && !TAKES_NOTHING.test(name)) never.push(name);
  }
  expect(never).toEqual([]);
});

it('a stream rejects at its first step, also in a loop', async () => {
  const proxies = new repositories.ProxyRepository(asyncSession(openMigrated()));
  const stream = proxies.iterate({ status: 'nonsense' as never });
  await expect(stream.next()).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  const loop = async (): Promise<void> => {
    for await (const _ of proxies.iterate({ status: 'nonsense' as never }));
  };
  await expect(loop()).rejects.toMatchObject({ code: 'INVALID_INPUT' });
});

it('a subclass rejects as its base does, calls its base, and may be spied on', async () => {
  class Named extends repositories.ProxyRepository<'async'> {
    override findById(id: string) {
      return super.findById(`${id}`);
    }
    named(name: string) {
      if (name === '') throw new ProxyVaultError('INVALID_INPUT', 'no name');
      return this.count({ search: name });
    }
  }
  const named = new Named(asyncSession(openMigrated()));
  await expect(named.list({ limit: 0 })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  await expect(named.named('')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  expect(await named.findById('nobody')).toBeNull();
  expect(await named.named('x')).toBe(0);
  const spy = vi.spyOn(named, 'count').mockResolvedValue(7);
  expect(await named.named('x')).toBe(7);
  expect(spy).toHaveBeenCalledOnce();
});

it('a caller inside a transaction catches bad input as any other error', async () => {
  const db = openMigrated();
  const session = asyncSession(db);
  const proxies = new repositories.ProxyRepository(session);
  const made = await session.driver.transaction(function* () {
    try {
      yield proxies.create({ host: '', port: 0, protocol: 'http' });
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_INPUT' });
    }
    yield proxies.create({ host: 'h.example', port: 1, protocol: 'http' });
    return 'made';
  });
  expect(made).toBe('made');
  expect(await proxies.count()).toBe(1);
});

it('over SQLite the same methods throw', () => {
  const proxies = new repositories.ProxyRepository(openMigrated());
  expect(() => proxies.findById(7 as never)).toThrow(ProxyVaultError);
  expect(() => proxies.iterate({ status: 'nonsense' as never })).toThrow(ProxyVaultError);
});

/** The methods of a repository that answer at once in async mode: there must be none, since they could not reject. */
type Immediate<R> = {
  [K in keyof R]: R[K] extends (...args: never) => Promise<unknown> | AsyncIterable<unknown> | Generator
    ? never
    : K;
}[keyof R];

it('no public method answers at once', () => {
  expectTypeOf<Immediate<HandOutsRepository<'async'>>>().toEqualTypeOf<never>();
  expectTypeOf<Immediate<PoolChangesRepository<'async'>>>().toEqualTypeOf<never>();
  expectTypeOf<Immediate<RotationTurnsRepository<'async'>>>().toEqualTypeOf<never>();
  expectTypeOf<Immediate<SessionProxiesRepository<'async'>>>().toEqualTypeOf<never>();
  expectTypeOf<Immediate<repositories.ProxyRepository<'async'>>>().toEqualTypeOf<never>();
  expectTypeOf<Immediate<repositories.ProxyTagsRepository<'async'>>>().toEqualTypeOf<never>();
  expectTypeOf<Immediate<repositories.ProxyUsageStatsRepository<'async'>>>().toEqualTypeOf<never>();
  expectTypeOf<Immediate<repositories.RotationConfigRepository<'async'>>>().toEqualTypeOf<never>();
  expectTypeOf<Immediate<repositories.RotationEventsRepository<'async'>>>().toEqualTypeOf<never>();
  expectTypeOf<Immediate<repositories.RotationRulesRepository<'async'>>>().toEqualTypeOf<never>();
  expectTypeOf<Immediate<repositories.StickySessionRepository<'async'>>>().toEqualTypeOf<never>();
});

it('a list that can be read once only is stored whole by a transaction that is repeated', async () => {
  const db = openMigrated();
  const { driver, ...session } = asyncSession(db);
  // Plays the steps of every outermost transaction twice, as an engine does that finds another one in its way.
  const repeating = new Proxy(driver, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name !== 'transaction') return value.bind(target);
      return async (steps: () => Generator) => {
        const lost = new Error('in the way');
        if (target.scope !== null) return target.transaction(steps as never);
        await target
          .transaction(function* (): Generator<never, void> {
            yield* steps() as Generator<never, void>;
            throw lost;
          })
          .catch((error: unknown) => {
            if (error !== lost) throw error;
          });
        return target.transaction(steps as never);
      };
    },
  });
  const over: Session<'async'> = { ...session, driver: repeating };
  const proxies = new repositories.ProxyRepository(over);
  const inputs = [1, 2].map((port) => ({ host: 'h.example', port, protocol: 'http' as const }));
  const events = [{ previousProxyId: null, newProxyId: null, reason: 'manual' as const }];
  expect(await proxies.createMany(inputs.values())).toHaveLength(2);
  const added = [3, 4].map((port) => ({ host: 'h.example', port, protocol: 'http' as const }));
  // Also in a wrapper, which looks as if it could be read again.
  const wrapped = { [Symbol.iterator]: (iterator = added.values()) => iterator };
  expect(await proxies.importMany(wrapped)).toEqual({ added: 2, updated: 0, unchanged: 0 });
  expect(await proxies.importMany(new Set(inputs))).toEqual({ added: 0, updated: 0, unchanged: 2 });
  expect(await new repositories.RotationEventsRepository(over).recordMany(events.values())).toBe(1);
  const [{ id = '' } = {}] = await proxies.findAll();
  const outcomes = [{ proxyId: id, success: true }];
  expect(await new repositories.ProxyUsageStatsRepository(over).recordMany(outcomes.values())).toBe(1);
  const refused = { code: 'INVALID_INPUT', message: expect.stringContaining('Give an array') };
  const inside = (work: () => unknown) =>
    driver.transaction(function* (): Steps<'async', void> {
      yield work() as Promise<unknown>;
    });
  await expect(inside(() => proxies.createMany(inputs.values()))).rejects.toMatchObject(refused);
  await expect(inside(() => proxies.importMany({ ...wrapped }))).rejects.toMatchObject(refused);
  await expect(driver.transaction(() => proxies.importSteps(inputs.values()))).rejects.toMatchObject(refused);
  expect(await proxies.count()).toBe(4);
});

it('over SQLite, which never repeats a transaction, any iterable may be given, also in parts', () => {
  const proxies = new repositories.ProxyRepository(openMigrated());
  const inputs = [1, 2, 3].map((port) => ({ host: 'h.example', port, protocol: 'http' as const }));
  let at = 0;
  const restarting = {
    [Symbol.iterator]() {
      at = 0;
      return this;
    },
    next: () => ({ done: at >= 2, value: inputs[at++] as (typeof inputs)[number] }),
  };
  expect(proxies.importMany(restarting)).toEqual({ added: 2, updated: 0, unchanged: 0 });
  expect(proxies.importMany(restarting)).toEqual({ added: 0, updated: 0, unchanged: 2 });
  const left = [inputs.slice(0, 2), inputs.slice(2)];
  const parts = { [Symbol.iterator]: () => (left.shift() ?? []).values() };
  expect(proxies.importMany(parts)).toEqual({ added: 0, updated: 0, unchanged: 2 });
  expect(proxies.importMany(parts)).toEqual({ added: 1, updated: 0, unchanged: 0 });
});

/** A session that notes the locks and statements of its driver, in order. */
function recorded<M extends Mode>(session: Session<M>): { session: Session<M>; log: string[] } {
  const log: string[] = [];
  const driver = new Proxy(session.driver, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (name === 'lock')
          log.push(`${target.scope === null ? 'outside' : 'inside'}: lock ${String(args[0])}`);
        else if (typeof args[0] === 'string') log.push(args[0].trim().split(/\s+/).slice(0, 4).join(' '));
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { session: { ...session, driver }, log };
}

it('what one transaction does at a time asks for its lock, inside the transaction, before it reads', async () => {
  const db = openMigrated();
  const { session, log } = recorded<'async'>(asyncSession(db));
  const proxies = new repositories.ProxyRepository(session);
  const tags = new repositories.ProxyTagsRepository(session);
  const input = { host: 'h.example', port: 1, protocol: 'http' as const };
  const did = async (work: () => Promise<unknown>): Promise<string | undefined> => {
    log.length = 0;
    await work();
    return log[0];
  };
  const { id } = await proxies.create(input);
  expect(await did(() => tags.add(id, 'tag', 'import'))).toBe('inside: lock tags');
  const tag = { name: 'tag', importId: 'import' };
  expect(await did(() => proxies.importMany([input], { tag }))).toBe('inside: lock tags');
  expect(await did(() => proxies.importMany([input]))).not.toContain('lock');
  expect(await did(() => tags.removeOthers('tag', 'another'))).toBe('inside: lock tags');
  const config = new repositories.RotationConfigRepository(session);
  expect(await did(() => config.update({ options: { stickyTtlMs: 5 } }))).toBe(
    'inside: lock rotation config',
  );
});

it('the first proxy of a sticky domain is chosen under a lock', () => {
  const db = openMigrated({ path: ':memory:' });
  const { session, log } = recorded<'sync'>(db);
  new repositories.ProxyRepository(db).create({ host: 'h.example', port: 1, protocol: 'http' });
  const pool = new Pool(session);
  const next = (): string[] => {
    log.length = 0;
    pool.choose({ domain: 'shop.example' });
    return log.filter((entry) => /lock|sticky_sessions/.test(entry));
  };
  next();
  // Nothing sticks: it is looked for, and that is all.
  expect(next()).toEqual([]);
  new repositories.RotationConfigRepository(db).setStrategy('sticky-session');
  const first = next().filter((entry) => !entry.startsWith('SELECT'));
  expect(first[0]).toBe('inside: lock hand-out');
  expect(first[1]).toMatch(/^INSERT INTO sticky_sessions/);
});
