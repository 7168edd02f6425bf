import type {
  DomainProxyMapping,
  DomainProxyMappingUpdate,
  ProxyConfig,
  ProxyUpdate,
  RotationConfig,
  RotationConfigUpdate,
  RotationRule,
  RotationRuleUpdate,
} from 'proxyvault/database';
import {
  ProxyRepository,
  RotationConfigRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { failureOf, MODES, openSession } from '../../support/modes.ts';

const THEN = '2026-05-01T00:00:00.000Z';

it('the types of an update have what it changes, and take the partial record of the contract', () => {
  expectTypeOf<Extract<keyof ProxyUpdate, 'id' | 'createdAt' | 'updatedAt' | 'lastUsedAt'>>().toBeNever();
  expectTypeOf<Exclude<keyof ProxyConfig, keyof ProxyUpdate>>().toEqualTypeOf<
    'id' | 'createdAt' | 'updatedAt' | 'lastUsedAt'
  >();
  expectTypeOf<Exclude<keyof RotationRule, keyof RotationRuleUpdate>>().toEqualTypeOf<'id' | 'createdAt'>();
  expectTypeOf<Exclude<keyof RotationConfig, keyof RotationConfigUpdate>>().toEqualTypeOf<'updatedAt'>();
  expectTypeOf<Exclude<keyof DomainProxyMapping, keyof DomainProxyMappingUpdate>>().toEqualTypeOf<
    'isWildcard' | 'createdAt'
  >();
  expectTypeOf<Partial<ProxyConfig>>().toExtend<ProxyUpdate>();
  expectTypeOf<Partial<RotationConfig>>().toExtend<RotationConfigUpdate>();
  expectTypeOf<Partial<DomainProxyMapping>>().toExtend<DomainProxyMappingUpdate>();
});

describe.each(MODES)('in mode %s', (mode) => {
  async function open() {
    const { session } = openSession(mode);
    const proxies = new ProxyRepository(session);
    const rules = new RotationRulesRepository(session);
    const config = new RotationConfigRepository(session);
    const sticky = new StickySessionRepository(session);
    const { id } = await proxies.create({ id: 'p', host: 'h.example', port: 1, protocol: 'http' });
    await rules.create({
      id: 'r',
      name: 'n',
      conditions: [{ field: 'hour', operator: 'equals', value: 1 }],
      actions: [{ type: 'block' }],
    });
    await sticky.create({ domain: 'a.example', proxyId: id });
    const stored = async () => [
      await proxies.findAll(),
      await rules.findAll(),
      await config.get(),
      await sticky.getAll(),
    ];
    return { proxies, rules, config, sticky, stored };
  }

  it('an update refuses each field that it cannot change, by its name, and changes nothing', async () => {
    const { proxies, rules, config, sticky, stored } = await open();
    const before = await stored();
    const cases: [field: string, work: () => unknown][] = [
      // @ts-expect-error the pool sets it
      ['createdAt', () => proxies.update('p', { name: 'x', createdAt: THEN })],
      // @ts-expect-error the pool sets it
      ['updatedAt', () => proxies.update('p', { name: 'x', updatedAt: THEN })],
      // @ts-expect-error the pool sets it
      ['lastUsedAt', () => proxies.update('p', { port: 2, lastUsedAt: null })],
      // @ts-expect-error it names the proxy
      ['id', () => proxies.update('p', { name: 'x', id: 'q' })],
      // @ts-expect-error the pool sets it
      ['createdAt', () => rules.update('r', { name: 'x', createdAt: THEN })],
      // @ts-expect-error it names the rule
      ['id', () => rules.update('r', { name: 'x', id: 'q' })],
      // @ts-expect-error the pool sets it
      ['updatedAt', () => config.update({ strategy: 'random', updatedAt: THEN })],
      // @ts-expect-error it follows from the domain
      ['isWildcard', () => sticky.update('a.example', { ttl: 1, isWildcard: true })],
      // @ts-expect-error the pool sets it
      ['createdAt', () => sticky.update('a.example', { ttl: 1, createdAt: THEN })],
    ];
    for (const [field, work] of cases) {
      expect(await failureOf(work)).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringMatching(
          field === 'id'
            ? /^The id of a (?:proxy|rotation rule) cannot change/
            : `${field}: is set by the pool`,
        ),
      });
    }
    expect(await stored()).toEqual(before);
  });

  it('takes back a record as it was read, also after others have changed it, and keeps what only the pool sets', async () => {
    const { proxies, rules, config, sticky } = await open();
    const proxy = await proxies.findById('p');
    const rule = await rules.findById('r');
    const [mapping] = await sticky.getAll();
    const settings = await config.get();
    if (!proxy || !rule || !mapping) throw new Error('it is not there');
    await proxies.updateStats('p', true, 5);
    expect(await proxies.update('p', { ...proxy, name: 'x', createdAt: THEN } as ProxyConfig)).toMatchObject({
      name: 'x',
      createdAt: proxy.createdAt,
    });
    expect(await rules.update('r', { ...rule, name: 'x', createdAt: THEN } as RotationRule)).toEqual({
      ...rule,
      name: 'x',
    });
    expect((await config.update({ ...settings, intervalMs: 7 })).intervalMs).toBe(7);
    await sticky.update('a.example', { ...mapping, ttl: 600_000 });
    expect(await sticky.findByDomain('a.example')).toEqual({ ...mapping, ttl: 600_000 });
    // The id of the very proxy, and what is undefined, is no change.
    const same: Partial<ProxyConfig> = { id: 'p', name: 'y' };
    expect(await proxies.update('p', same)).toMatchObject({ id: 'p', name: 'y' });
    const nothing = { name: 'z', createdAt: undefined } as ProxyUpdate;
    expect(await proxies.update('p', nothing)).toMatchObject({ name: 'z', createdAt: proxy.createdAt });
  });
});
