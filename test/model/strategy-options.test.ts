import { describe, expect, it } from 'vitest';
import { RotationConfigRepository } from '../../src/database/repositories/index.ts';
import { POOL_DEFAULTS } from '../../src/model/pool-options.ts';
import { type StrategyOptionsInput, storedOptionsSchema } from '../../src/model/strategy-options.ts';
import { STRATEGY_DEFAULTS, settingsOf } from '../../src/model/strategy-settings.ts';
import { openMigrated } from '../support/temporary.ts';

function configuration(): RotationConfigRepository {
  return new RotationConfigRepository(openMigrated({ path: ':memory:' }));
}

describe('options', () => {
  const stored = (options: StrategyOptionsInput) => configuration().update({ options }).options;

  it('of a cooldown may not be above the longest one, and may be equal to it', () => {
    const problem = 'health.cooldownMs must not be more than health.maxCooldownMs';
    expect(stored({ health: { cooldownMs: 300_000 } })).toEqual({ health: { cooldownMs: 300_000 } });
    expect(() => stored({ health: { cooldownMs: 300_001 } })).toThrow(`${problem}: one has its default`);
    expect(stored({ health: { cooldownMs: 9, maxCooldownMs: 9 } })).toEqual({
      health: { cooldownMs: 9, maxCooldownMs: 9 },
    });
    expect(() => stored({ health: { cooldownMs: 9, maxCooldownMs: 8 } })).toThrow(problem);
  });

  it('of a group are merged one by one', () => {
    const config = configuration();
    config.update({ options: { limits: { maxLeases: 5 }, history: { eventDays: 3 } } });
    const { options } = config.update({
      options: { limits: { waitMs: 0 }, history: { eventDays: undefined } },
    });
    expect(options).toEqual({ limits: { maxLeases: 5, waitMs: 0 } });
  });

  it('have countries in upper case', () => {
    expect(stored({ country: 'de', excludedCountries: ['ru', 'CN'] })).toEqual({
      country: 'DE',
      excludedCountries: ['RU', 'CN'],
    });
    for (const country of ['', 'D', 'DEU', '12'])
      expect(() => stored({ excludedCountries: [country] })).toThrow(
        'excludedCountries.0: must be two letters',
      );
  });

  it('have windows with numbers of weekdays in order, each once, and times of five characters', () => {
    const window = { from: '8:30', to: 24, days: ['Sat', 'sun', 1, 'mon'] as never, country: 'us' };
    expect(stored({ schedule: [window] }).schedule).toEqual([
      { from: '08:30', to: 24, days: [0, 1, 6], country: 'US' },
    ]);
  });

  it.each([
    [{ from: 0.5 }],
    [{ from: -1 }],
    [{ from: '24:01' }],
    [{ from: '8' }],
    [{ from: '08:60' }],
    [{ from: '' }],
    [{ from: null }],
    [{ to: undefined }],
    [{ days: [] }],
    [{ days: [7] }],
    [{ days: [-1] }],
    [{ days: [1.5] }],
    [{ days: ['monday'] }],
    [{ days: ['1'] }],
    [{ strategy: 'time-based' }],
    [{ strategy: 'custom' }],
    [{ weekday: 1 }],
  ])('reject the window %j', (part) => {
    expect(() => stored({ schedule: [{ from: 0, to: 1, ...part } as never] })).toThrow(
      /INVALID_INPUT|schedule/,
    );
  });

  it('name one of the other strategies as `custom`', () => {
    expect(stored({ custom: 'time-based' })).toEqual({ custom: 'time-based' });
    for (const custom of ['custom', 'mine', ''])
      expect(() => stored({ custom } as never)).toThrow('options.custom');
  });

  it('may not contradict each other, nor those that are stored', () => {
    const config = configuration();
    expect(() => config.update({ options: { minIntervalMs: 2, maxIntervalMs: 1 } })).toThrow(
      'options: minIntervalMs must not be more than maxIntervalMs.',
    );
    config.update({ options: { maxIntervalMs: 1000 } });
    expect(() => config.update({ options: { minIntervalMs: 1001 } })).toThrow(
      'minIntervalMs must not be more than maxIntervalMs: one is stored, so give both.',
    );
    expect(config.get().options).toEqual({ maxIntervalMs: 1000 });
    expect(config.update({ options: { minIntervalMs: 1001, maxIntervalMs: undefined } }).options).toEqual({
      minIntervalMs: 1001,
    });
    expect(config.update({ options: { maxIntervalMs: 1001 } }).options.maxIntervalMs).toBe(1001);
  });

  it('of older versions can be read, without what no version applies', () => {
    const windows = [
      { from: 0, to: 8, strategy: 'random' },
      { from: 22, to: 6, region: 'EU' },
    ];
    const old = {
      weights: { p: 2 },
      regions: ['EU'],
      stickyTtlMs: 5,
      stickyByDefault: true,
      schedule: windows,
    };
    expect(storedOptionsSchema.parse({ ...old, custom: 'mine' })).toStrictEqual(old);
    expect(storedOptionsSchema.parse({ custom: 'custom' })).toStrictEqual({});
    expect(storedOptionsSchema.parse({ custom: 'fastest' })).toStrictEqual({ custom: 'fastest' });
    for (const strategy of ['time-based', 'custom'])
      expect(storedOptionsSchema.parse({ schedule: [{ from: 24, to: 24, strategy }] })).toStrictEqual({
        schedule: [{ from: 24, to: 24 }],
      });
  });
});

describe('settings', () => {
  it('have a value for every option that is not set', () => {
    expect(settingsOf(configuration().get())).toStrictEqual({
      ...STRATEGY_DEFAULTS,
      ...POOL_DEFAULTS,
      strategy: 'round-robin',
      intervalMs: null,
      maxRequestsPerProxy: null,
      failureThreshold: null,
      weights: new Map(),
      regions: [],
      excludedCountries: new Set(),
      schedule: [],
    });
  });

  it('have what is set', () => {
    const config = configuration().update({
      strategy: 'time-based',
      intervalMs: 5,
      options: {
        weights: { constructor: 2 } as never,
        excludedCountries: ['ru'],
        strict: false,
        jitterMs: undefined,
        limits: { maxLeases: 5, leaseMs: undefined },
        health: { statuses: { 404: 'ok' } },
      },
    });
    expect(settingsOf(config)).toMatchObject({
      strategy: 'time-based',
      intervalMs: 5,
      weights: new Map([['constructor', 2]]),
      excludedCountries: new Set(['RU']),
      strict: false,
      jitterMs: 0,
      limits: { ...POOL_DEFAULTS.limits, maxLeases: 5 },
      health: { ...POOL_DEFAULTS.health, statuses: { 404: 'ok' } },
    });
    const given = { ...config, options: { jitterMs: undefined, stickyTtlMs: 7 } };
    expect(settingsOf(given)).toMatchObject({ jitterMs: 0, stickyTtlMs: 7 });
  });
});
