import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

function newPool(): ReturnType<typeof commandLine> {
  const cli = commandLine();
  expect(cli.run(['init']).status).toBe(0);
  return cli;
}

describe('config set', () => {
  const set = (...settings: string[]) =>
    newPool().json<{ options: object }>('config', 'set', ...settings).options;

  it('takes lists with commas between their items, and as JSON', () => {
    expect(
      set('options.regions=DE, eu-west', 'options.excludedCountries=ru,CN', 'options.country=de'),
    ).toEqual({
      regions: ['DE', 'eu-west'],
      excludedCountries: ['RU', 'CN'],
      country: 'DE',
    });
    expect(set('options.regions=["a,b"]', 'options.excludedCountries=ru')).toEqual({
      regions: ['a,b'],
      excludedCountries: ['RU'],
    });
    expect(set('options.regions=null')).toEqual({});
    expect(set('options.regions=1,2')).toEqual({ regions: ['1', '2'] });
    expect(set('options.regions=5', 'options.excludedCountries=[]')).toEqual({
      regions: ['5'],
      excludedCountries: [],
    });
  });

  it('takes the options of sticky sessions and of intervals, with units for times', () => {
    const settings = {
      stickyTtlMs: ['30m', 1_800_000],
      stickyChoice: ['random', 'random'],
      stickyWhenOut: ['refuse', 'refuse'],
      jitterMs: ['30s', 30_000],
      minIntervalMs: ['1m', 60_000],
      maxIntervalMs: ['1.5h', 5_400_000],
      rotateOnFailure: ['true', true],
      strict: ['false', false],
      timeZone: ['Europe/Berlin', 'Europe/Berlin'],
      custom: ['weighted', 'weighted'],
    } as const;
    expect(set(...Object.entries(settings).map(([name, [text]]) => `options.${name}=${text}`))).toEqual(
      Object.fromEntries(Object.entries(settings).map(([name, [, value]]) => [name, value])),
    );
  });

  it('takes an option of a group, and a whole group as JSON; null gives the default back', () => {
    expect(
      set(
        ...['options.limits.maxConcurrentPerProxy=4', 'options.limits.leaseMs=2m', 'options.limits.waitMs=0'],
        ...['options.health.cooldownMs=30s', 'options.health.jitter=0.2', 'options.health.outliers=false'],
        ...['options.health.statuses={"404":"ok","5xx":"timeout"}', 'options.history={"eventDays":7}'],
        'options.durability.outcomes=every',
      ),
    ).toEqual({
      limits: { maxConcurrentPerProxy: 4, leaseMs: 120_000, waitMs: 0 },
      health: { cooldownMs: 30_000, jitter: 0.2, outliers: false, statuses: { 404: 'ok', '5xx': 'timeout' } },
      history: { eventDays: 7 },
      durability: { outcomes: 'every' },
    });
    const { run, json } = newPool();
    run([
      'config',
      'set',
      'options.limits.maxLeases=5',
      'options.limits.leaseMs=1s',
      'options.history.events=all',
    ]);
    run(['config', 'set', 'options.limits.maxLeases=null', 'options.limits.waitMs=3s']);
    expect(json('config', 'show')).toMatchObject({
      options: { limits: { leaseMs: 1000, waitMs: 3000 }, history: { events: 'all' } },
    });
    run(['config', 'set', 'options.limits=null', 'options.history.events=null']);
    expect(json<{ options: object }>('config', 'show').options).toEqual({});
  });

  it('takes a setting once, and not a part of what is given as JSON', () => {
    const { run } = newPool();
    for (const [settings, message] of [
      [
        ['options.limits.maxleases=5'],
        'there is no setting "options.limits.maxleases"; there are strategy, ',
      ],
      [['options.limits.x=5'], 'options.limits.maxLeases, '],
      [['options.strict.x=5'], 'there is no setting "options.strict.x"'],
      [
        ['options.limits={}', 'options.limits.leaseMs=1s'],
        'options.limits and options.limits.leaseMs are both',
      ],
      [['options.limits.leaseMs=1s', 'options={}'], 'options and options.limits.leaseMs are both'],
      [['options.limits={}', 'options={}'], 'options and options.limits are both'],
      [['options.limits.leaseMs=1s', 'options.limits.leaseMs=2s'], 'is given twice'],
    ] as const) {
      const { status, stderr } = run(['config', 'set', ...settings]);
      expect([settings, status, stderr]).toEqual([settings, 2, expect.stringContaining(message)]);
    }
  });

  it('takes windows as JSON', () => {
    const schedule = '[{"from":8,"to":"18:30","days":["mon","fri"],"country":"de"},{"from":22,"to":6}]';
    expect(set(`options.schedule=${schedule}`)).toEqual({
      schedule: [
        { from: 8, to: '18:30', days: [1, 5], country: 'DE' },
        { from: 22, to: 6 },
      ],
    });
  });

  it.each([
    ['options.country=Germany', 'options.country: must be two letters of ISO 3166-1, such as DE'],
    ['options.regions=', 'options.regions.0: must not be empty'],
    ['options.regions=DE,', 'options.regions.1: must not be empty'],
    ['options.jitterMs=soon', 'options.jitterMs must be a number with ms, s, m, h, d or w'],
    ['options.jitterMs=-1', 'options.jitterMs: must be at least 0'],
    ['options.minIntervalMs=0', 'options.minIntervalMs: must be more than 0'],
    ['options.stickyWhenOut=wait', 'options.stickyWhenOut: must be one of move, refuse'],
    ['options.stickyChoice=x', 'options.stickyChoice: must be one of rendezvous, random, round-robin'],
    ['options.timeZone=Berlin', 'options.timeZone: must be the name of a time zone'],
    ['options.custom=mine', 'options.custom: must be one of round-robin, '],
    ['options.weights=5', 'options.weights: must be an object'],
    ['options.weights={"x":0}', 'options.weights.x: must be more than 0'],
    ['options.weights={', 'options.weights begins as JSON and is not valid JSON'],
    ['options.strict=maybe', 'options.strict: must be true or false'],
    ['options.stickyTtlMs=0', 'options.stickyTtlMs: must be more than 0'],
    ['options.stickyTtlMs=1e400', 'options.stickyTtlMs: must be a number'],
    ['options.maxIntervalMs=x', 'options.maxIntervalMs must be a number with ms, s, m, h, d or w'],
    ['options.rotateOnFailure=1', 'options.rotateOnFailure: must be true or false'],
    ['options.excludedCountries=GER', 'options.excludedCountries.0: must be two letters of ISO 3166-1'],
    ['options.custom=custom', 'options.custom: must be one of round-robin, '],
    ['options=5', 'options: must be an object'],
    ['strategy=mine', 'strategy: must be one of round-robin, '],
    ['intervalMs=-1', 'intervalMs: must be more than 0'],
    ['intervalMs=', 'intervalMs must be a number with ms, s, m, h, d or w'],
    ['failureThreshold=0', 'failureThreshold: must be more than 0'],
    ['options.schedule=[{"from":8,"to":25}]', 'options.schedule.0.to: must be an hour from 0 to 24'],
    ['options.schedule=[{"from":8,"to":9,"days":["x"]}]', 'options.schedule.0.days.0: must be a weekday'],
    ['options.schedule=8-18', 'options.schedule: must be an array'],
    ['options.schedule=[{from:8}]', 'The value of options.schedule begins as JSON and is not valid JSON'],
    ['options.limits=5', 'options.limits: must be an object'],
    ['options.limits={"x":1}', 'options.limits: '],
    ['options.limits.leaseMs=soon', 'options.limits.leaseMs must be a number with ms, s, m, h, d or w'],
    ['options.limits.maxLeases=0', 'options.limits.maxLeases: must be at least 1'],
    ['options.health.statuses={"429":"bad"}', 'options.health.statuses.429: must be one of connect, '],
    ['options.health.statuses={"42":"ok"}', 'options.health.statuses.42: '],
    ['options.health.outliers=1', 'options.health.outliers: must be true or false'],
    ['options.health.cooldownMs=1h', 'health.cooldownMs must not be more than health.maxCooldownMs'],
    ['options.history.events=none', 'options.history.events: must be one of changes, all'],
    ['options.schedule=[{"from":8}]', 'options.schedule.0.to: must be an hour from 0 to 24'],
  ])('rejects %s, and says what is allowed', (setting, message) => {
    const { run, json } = newPool();
    const { status, stderr } = run(['config', 'set', setting]);
    expect([status, stderr]).toEqual([1, expect.stringContaining(message)]);
    expect(json('config', 'show')).toMatchObject({ options: {} });
  });

  it('rejects bounds that contradict each other, also with a stored one', () => {
    const { run, json } = newPool();
    expect(run(['config', 'set', 'options.minIntervalMs=2m', 'options.maxIntervalMs=1m']).stderr).toContain(
      'minIntervalMs must not be more than maxIntervalMs',
    );
    run(['config', 'set', 'options.maxIntervalMs=1m']);
    expect(run(['config', 'set', 'options.minIntervalMs=2m']).stderr).toContain(
      'one is stored, so give both',
    );
    expect(json('config', 'show')).toMatchObject({ options: { maxIntervalMs: 60_000 } });
  });
});

it('config show has a row for each option that is set', () => {
  const { run } = newPool();
  expect(run(['config', 'show']).stdout).not.toContain('options');
  run(['config', 'set', 'options.excludedCountries=ru', 'options.strict=false']);
  const { stdout } = run(['config', 'show']);
  expect(stdout).toMatch(/^options\.excludedCountries +\["RU"\]$/m);
  expect(stdout).toMatch(/^options\.strict +false$/m);
  run(['config', 'set', 'options.limits.maxConcurrentPerProxy=4', 'options.health.statuses={"404":"ok"}']);
  const rows = run(['config', 'show']).stdout;
  expect(rows).toMatch(/^options\.limits\.maxConcurrentPerProxy {2}4$/m);
  expect(rows).toMatch(/^options\.health\.statuses +\{"404":"ok"\}$/m);
});
