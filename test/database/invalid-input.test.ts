import { randomBytes } from 'node:crypto';
import {
  EncryptionService,
  ProxyRepository,
  ProxyVaultError,
  RotationConfigRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';
import { openMigrated, thrownBy } from '../support/temporary.ts';

const CANARY = 'canary-secret';

/** The message of INVALID_INPUT, which never holds what was given. */
function problemOf(work: () => unknown): string {
  const error = thrownBy(work);
  if (!(error instanceof ProxyVaultError)) throw error;
  expect(error.code).toBe('INVALID_INPUT');
  expect(error.message).not.toContain(CANARY);
  return error.message.replace(/^The .*? is not valid: /, '');
}

const TEXT_OPERATORS =
  'equals, not-equals, contains, not-contains, starts-with, ends-with, matches, in, not-in';
const NUMBER_OPERATORS = 'equals, not-equals, greater-than, less-than, in, not-in, between';
const ACTIONS =
  'use-proxy, use-tag, use-country, use-region, use-protocol, use-strategy, exclude-proxy, exclude-country, exclude-tag, rotate, keep, block';
const STRATEGIES =
  'round-robin, random, least-used, fastest, failure-aware, weighted, geographic, sticky-session, time-based, custom';

describe('a rule that is not valid', () => {
  const domain = { field: 'domain', operator: 'equals', value: 'a.example' };
  const block = { type: 'block' };
  const problem = (change: object): string => {
    const rules = new RotationRulesRepository(openMigrated());
    const rule = { name: 'n', conditions: [domain], actions: [block], ...change };
    const message = problemOf(() => rules.create(rule as never));
    const { id } = rules.create({ name: 'n', conditions: [domain], actions: [block] } as never);
    expect(problemOf(() => rules.update(id, change as never))).toBe(message);
    return message;
  };
  const condition = (change: object): string => problem({ conditions: [{ ...domain, ...change }] });
  const action = (given: unknown): string => problem({ actions: [given] });

  it.each([
    [{ operator: CANARY }, `conditions.0.operator: must be one of ${TEXT_OPERATORS}.`],
    [{ operator: undefined }, `conditions.0.operator: must be one of ${TEXT_OPERATORS}.`],
    [{ operator: 'between' }, `conditions.0.operator: must be one of ${TEXT_OPERATORS}.`],
    [{ field: 'hour', operator: 'contains' }, `conditions.0.operator: must be one of ${NUMBER_OPERATORS}.`],
    [
      { field: CANARY },
      'conditions.0.field: must be one of domain, url, path, country, protocol, region, tag, session, hour, weekday, failureCount, latency, successRate.',
    ],
    [{ value: undefined }, 'conditions.0.value: is missing: it must be a text.'],
    [{ value: 7 }, 'conditions.0.value: must be a text.'],
    [{ field: 'url', value: '' }, 'conditions.0.value: must not be empty.'],
    [{ field: 'url', operator: 'in', value: CANARY }, 'conditions.0.value: must be an array.'],
    [{ field: 'url', operator: 'in', value: [] }, 'conditions.0.value: must not be empty.'],
    [{ field: 'url', operator: 'in', value: [1] }, 'conditions.0.value.0: must be a text.'],
    [{ field: 'hour', value: CANARY }, 'conditions.0.value: must be a number.'],
    [
      { field: 'hour', operator: 'between', value: [CANARY] },
      'conditions.0.value: must be two numbers, the first and the last.',
    ],
    [{ field: 'hour', operator: 'between', value: [1, CANARY] }, 'conditions.0.value.1: must be a number.'],
    [{ extra: CANARY }, 'conditions.0: has no "extra"; there are field, operator, value.'],
    [
      { value: `${CANARY} x` },
      'conditions.0.value: the domain has a character that no host name has. Write a domain such as shop.example, or a URL.',
    ],
    [
      { value: '*.shop.example' },
      'conditions.0.value: a wildcard is not one domain. Write a domain such as shop.example, or a URL.',
    ],
    [
      { operator: 'contains', value: `${CANARY} x` },
      'conditions.0.value: must be a part of a domain, such as .example.',
    ],
    [
      { operator: 'ends-with', value: `https://${CANARY}@/` },
      'conditions.0.value: must be a part of a domain, such as .example.',
    ],
    [{ operator: 'contains', value: 7 }, 'conditions.0.value: must be a text.'],
    [
      { field: 'path', operator: 'matches', value: '^/item/(\\d+$' },
      'conditions.0.value: is not a regular expression in RE2 syntax: missing closing ).',
    ],
    [
      { operator: 'matches', value: '[z-a]' },
      'conditions.0.value: is not a regular expression in RE2 syntax: invalid character class range: `z-a`.',
    ],
    [
      { field: 'url', operator: 'matches', value: `//${CANARY}@[z-a]` },
      'conditions.0.value: is not a regular expression in RE2 syntax: invalid character class range: `z-a`.',
    ],
    [
      { field: 'tag', operator: 'matches', value: '\\pL{1000}'.repeat(6) },
      'conditions.0.value: is a regular expression that repeats too much: use smaller counts.',
    ],
    [{ caseSensitive: true }, 'conditions.0: has no "caseSensitive"; there are field, operator, value.'],
    [{ field: 'url', caseSensitive: CANARY }, 'conditions.0.caseSensitive: must be true or false.'],
    [
      { field: 'country', value: CANARY },
      'conditions.0.value: must be two letters of ISO 3166-1, such as DE.',
    ],
  ])('in the condition %j', (change, message) => {
    expect(condition(change)).toBe(message);
  });

  it.each([
    [{ type: CANARY }, `actions.0.type: must be one of ${ACTIONS}.`],
    [{}, `actions.0.type: must be one of ${ACTIONS}.`],
    [
      { type: 'use-country', country: CANARY },
      'actions.0.country: must be two letters of ISO 3166-1, such as DE.',
    ],
    [{ type: 'exclude-tag' }, 'actions.0.tag: is missing: it must be a text.'],
    [{ type: 'rotate', proxyId: CANARY }, 'actions.0: has no "proxyId"; there are type.'],
    [{ type: 'use-strategy', strategy: CANARY }, `actions.0.strategy: must be one of ${STRATEGIES}.`],
    [
      { type: 'use-protocol', protocol: CANARY },
      'actions.0.protocol: must be one of http, https, socks4, socks5.',
    ],
    [{ type: 'use-region' }, 'actions.0.region: is missing: it must be a text.'],
    [{ type: 'block', region: CANARY }, 'actions.0: has no "region"; there are type.'],
    [CANARY, 'actions.0: must be an object.'],
  ])('in the action %j', (given, message) => {
    expect(action(given)).toBe(message);
  });

  it.each([
    [{ conditionLogic: CANARY }, 'conditionLogic: must be one of AND, OR.'],
    [{ conditions: [] }, 'conditions: must not be empty.'],
    [{ conditions: domain }, 'conditions: must be an array.'],
    [{ priority: 1.5 }, 'priority: must be a whole number.'],
    [{ priority: 1e10 }, 'priority: must be at most 1000000000.'],
    [{ enabled: CANARY }, 'enabled: must be true or false.'],
    [{ name: 7 }, 'name: must be a text.'],
  ])('in %j', (change, message) => {
    expect(problem(change)).toBe(message);
  });

  it('says it on the command line', () => {
    const { run } = commandLine();
    run(['init']);
    const rule = { name: 'n', conditions: [{ ...domain, operator: 'is' }], actions: [block] };
    expect(run(['rules', 'add', JSON.stringify(rule)])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`conditions.0.operator: must be one of ${TEXT_OPERATORS}.`),
    });
  });
});

it('every other input that is not valid names the field and what is allowed', () => {
  const db = openMigrated();
  const proxies = new ProxyRepository(db, new EncryptionService({ key: randomBytes(32), database: db }));
  const config = new RotationConfigRepository(db);
  const sticky = new StickySessionRepository(db);
  const proxy = { host: 'h.example', port: 1, protocol: 'http' };
  const create = (change: object) => (): unknown => proxies.create({ ...proxy, ...change } as never);
  const update = (change: object) => (): unknown => config.update(change as never);
  const cases: [() => unknown, string][] = [
    [create({ protocol: CANARY }), 'protocol: must be one of http, https, socks4, socks5.'],
    [create({ status: CANARY }), 'status: must be one of active, failed, checking, disabled.'],
    [create({ port: 0 }), 'port: must be at least 1.'],
    [create({ port: 65_536 }), 'port: must be at most 65535.'],
    [create({ port: CANARY }), 'port: must be a number.'],
    [create({ host: undefined }), 'host: is missing: it must be a text.'],
    [create({ name: '' }), 'name: must not be empty.'],
    [create({ name: 'x'.repeat(257) }), 'name: must have at most 256 characters.'],
    [
      create({ geolocation: { country: CANARY } }),
      'geolocation.country: must be two capital letters of ISO 3166-1, such as DE.',
    ],
    [create({ geolocation: { latitude: 91 } }), 'geolocation.latitude: must be at most 90.'],
    [create({ credentials: { username: 'u' } }), 'credentials.password: is missing: it must be a text.'],
    [create({ credentials: CANARY }), 'credentials: must be an object.'],
    [
      create({ credentials: { username: 'u', password: CANARY, user: CANARY } }),
      'credentials: has no "user"; there are username, password, rotateUrl.',
    ],
    [update({ strategy: CANARY }), `strategy: must be one of ${STRATEGIES}.`],
    [() => config.setStrategy(CANARY as never), `must be one of ${STRATEGIES}.`],
    [update({ intervalMs: 0 }), 'intervalMs: must be more than 0.'],
    [
      update({ options: { schedule: [{ from: 25, to: 1 }] } }),
      'options.schedule.0.from: must be an hour from 0 to 24, or a time such as 22:30.',
    ],
    [
      update({ options: { schedule: [{ from: 0, to: 1, days: [CANARY] }] } }),
      'options.schedule.0.days.0: must be a weekday: 0 (Sunday) to 6 (Saturday), or sun, mon, tue, wed, thu, fri, sat.',
    ],
    [
      update({ options: { timeZone: CANARY } }),
      'options.timeZone: must be the name of a time zone, such as UTC or Europe/Berlin.',
    ],
    [
      update({ options: { minIntervalMs: 2, maxIntervalMs: 1 } }),
      'options: minIntervalMs must not be more than maxIntervalMs.',
    ],
    [update({ options: { weights: { a: CANARY } } }), 'options.weights.a: must be a number.'],
    [update({ options: { regions: CANARY } }), 'options.regions: must be an array.'],
    [update({ options: { stickyByDefault: 'true' } }), 'options.stickyByDefault: must be true or false.'],
    [
      () => proxies.findByStatus(CANARY as never),
      'status: must be one of active, failed, checking, disabled.',
    ],
    [
      () => proxies.count({ protocol: CANARY as never }),
      'protocol: must be one of http, https, socks4, socks5.',
    ],
    [
      () => proxies.count({ condition: CANARY } as never),
      'has no "condition"; there are status, protocol, region, search, tag, country, state.',
    ],
    [
      () => sticky.create({ domain: 'https://', proxyId: 'x' }),
      'domain: the domain is missing. Write a domain such as shop.example, or a URL.',
    ],
    [() => sticky.create({ domain: 'a.example' } as never), 'proxyId: is missing: it must be a text.'],
  ];
  for (const [work, message] of cases) expect(problemOf(work)).toBe(message);
});
