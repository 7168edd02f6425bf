import type { PoolRequest } from 'proxyvault';
import type { RotationRuleInput } from 'proxyvault/database/repositories';
import { expect, it } from 'vitest';
import type { ProxyProtocol, ProxyStatus } from '../../src/model/proxy.ts';
import { ROTATION_STRATEGIES } from '../../src/model/rotation.ts';
import type { RuleAction } from '../../src/model/rules.ts';
import { SEED } from '../faults/campaign.ts';
import { Random } from '../faults/random.ts';
import { open } from './open-pool.ts';

interface Known {
  id: string;
  status: ProxyStatus;
  protocol: ProxyProtocol;
  country: string | null;
  region: string | null;
  tags: string[];
}

const SIZE = 96;
const PROXIES: readonly Known[] = Array.from({ length: SIZE }, (_, n) => ({
  id: `p${String(n).padStart(3, '0')}`,
  status:
    (['active', 'active', 'failed', 'active', 'disabled', 'active', 'checking'] as const)[n % 7] ?? 'active',
  protocol: (['http', 'socks5', 'http', 'https'] as const)[n % 4] ?? 'http',
  country: ['DE', 'US', null, 'FR', 'DE'][n % 5] ?? null,
  region: ['EU', null, 'NA'][n % 3] ?? null,
  tags: [...(n % 2 === 0 ? ['t'] : []), ...(n % 3 === 0 ? ['u'] : [])],
}));
const ACTIVE = PROXIES.filter(({ status }) => status === 'active').map(({ id }) => id);
const ONE = ACTIVE[5] ?? '';

const FILTERS: readonly PoolRequest[] = [
  {},
  { protocol: 'socks5' },
  { protocol: 'socks4' },
  { country: 'de' },
  { region: 'EU' },
  { tags: ['t'] },
  { tags: ['u', 't'] },
  { protocol: 'http', country: 'US', region: 'NA', tags: ['t'] },
  { session: 'session' },
  { session: 'session', country: 'FR', tags: ['t'] },
  { domain: 'shop.example' },
];

const EXCLUDED: readonly Iterable<string>[] = [
  [],
  [ONE],
  new Set(ACTIVE.filter((_, n) => n % 2 === 0)),
  new Set(PROXIES.map(({ id }) => id).filter((_, n) => n % 10 !== 3)),
  ACTIVE.filter((id) => id !== ONE),
  new Set(PROXIES.map(({ id }) => id)),
];

const RULES: readonly RuleAction[][] = [
  [],
  [{ type: 'block' }],
  [{ type: 'use-proxy', proxyId: ONE }],
  [{ type: 'use-proxy', proxyId: PROXIES.find(({ status }) => status === 'failed')?.id ?? '' }],
  [{ type: 'use-tag', tag: 't' }],
  [{ type: 'use-country', country: 'DE' }],
  [{ type: 'use-region', region: 'NA' }],
  [{ type: 'use-protocol', protocol: 'https' }],
  [{ type: 'use-strategy', strategy: 'random' }],
  [
    { type: 'exclude-proxy', proxyId: ONE },
    { type: 'exclude-country', country: 'US' },
    { type: 'exclude-tag', tag: 'u' },
  ],
  [{ type: 'rotate' }],
  [{ type: 'keep' }],
];

/** Which proxies fit, found by looking at each. A geographic choice is strict by default. */
function naive(request: PoolRequest, actions: readonly RuleAction[]): string[] {
  const valuesOf = <T extends RuleAction['type']>(type: T): Extract<RuleAction, { type: T }>[] =>
    actions.filter((action): action is Extract<RuleAction, { type: T }> => action.type === type);
  const exclude = new Set([
    ...(request.exclude ?? []),
    ...valuesOf('exclude-proxy').map(({ proxyId }) => proxyId),
  ]);
  const isFree = ({ id, status }: Known): boolean => status === 'active' && !exclude.has(id);
  if (valuesOf('block').length > 0) return [];
  const [named] = valuesOf('use-proxy');
  if (named !== undefined)
    return PROXIES.filter((proxy) => proxy.id === named.proxyId && isFree(proxy)).map(({ id }) => id);
  const protocol = request.protocol ?? valuesOf('use-protocol')[0]?.protocol;
  const country = request.country?.toUpperCase() ?? valuesOf('use-country')[0]?.country;
  const region = request.region ?? valuesOf('use-region')[0]?.region;
  const tags = [...(request.tags ?? []), ...valuesOf('use-tag').map(({ tag }) => tag)];
  return PROXIES.filter(
    (proxy) =>
      isFree(proxy) &&
      (protocol === undefined || proxy.protocol === protocol) &&
      (country === undefined || proxy.country === country) &&
      (region === undefined || proxy.region === region) &&
      tags.every((tag) => proxy.tags.includes(tag)) &&
      !valuesOf('exclude-country').some((each) => each.country === proxy.country) &&
      !valuesOf('exclude-tag').some(({ tag }) => proxy.tags.includes(tag)),
  ).map(({ id }) => id);
}

/** Whether a proxy passes one part of a filter, which is read as a user reads it. */
function passes(
  { id, status, protocol, country, region, tags }: Known,
  filter: string,
  excluded: ReadonlySet<string>,
): boolean {
  if (filter === 'not excluded') return !excluded.has(id);
  const [, not, what, value = ''] = /^(not )?(protocol|country|region|tag) (.*)$/.exec(filter) ?? [];
  if (what === undefined) return `not ${status}` !== filter;
  const isSame = {
    protocol: protocol === value,
    country: country === value,
    region: region === value,
    tag: tags.includes(value),
  };
  return isSame[what as keyof typeof isSame] !== (not !== undefined);
}

it.each(RULES.map((actions) => [actions]))(
  `with the rule %j every strategy, filter and exclusion gives one that fits, or NO_PROXY if none fits (seed ${SEED})`,
  async (actions) => {
    let random = new Random(SEED);
    const { vault, pool } = await open(
      PROXIES.map(({ id, status, protocol, country, region }, n) => ({
        id,
        status,
        protocol,
        region,
        host: `h${n}.example`,
        geolocation: country === null ? null : { country },
        latency: n % 3 === 0 ? null : n,
        weight: 1 + (n % 4),
      })),
      { random: () => random.next() },
    );
    vault.database.transaction(() => {
      for (const { id, tags } of PROXIES) for (const tag of tags) vault.tags.add(id, tag, 'manual');
    });
    const always: RotationRuleInput['conditions'] = [{ field: 'hour', operator: 'greater-than', value: -1 }];
    if (actions.length > 0) vault.rules.create({ name: 'rule', conditions: always, actions });
    let number = 0;
    for (const strategy of ROTATION_STRATEGIES)
      for (const filter of FILTERS)
        for (const exclude of EXCLUDED) {
          number++;
          const { session, domain } = filter;
          const request: PoolRequest = {
            ...filter,
            strategy,
            exclude,
            ...(session && { session: `s${number % 7}` }),
            ...(domain && { domain: `d${number % 5}.example` }),
          };
          const fitting = naive(request, actions);
          const seed = SEED + number;
          random = new Random(seed);
          const explained = pool.explain(request);
          random = new Random(seed);
          let given: string | null = null;
          try {
            given = pool.choose(request).id;
          } catch (error) {
            expect(error).toMatchObject({ code: 'NO_PROXY' });
          }
          const about = JSON.stringify({
            ...request,
            exclude: [...exclude].length,
            given,
            decidedBy: explained.decidedBy,
          });
          if (fitting.length === 0) expect(given, about).toBeNull();
          else expect(fitting, about).toContain(given);
          expect(explained.proxy?.id ?? null, about).toBe(given);
          expect(explained.decidedBy === null, about).toBe(given === null);
          const excluded = new Set([
            ...exclude,
            ...actions.flatMap((action) => (action.type === 'exclude-proxy' ? [action.proxyId] : [])),
          ]);
          let left: readonly Known[] = PROXIES;
          for (const step of explained.steps) {
            const rest = left.filter((proxy) => passes(proxy, step.filter, excluded));
            expect(step, about).toEqual({ ...step, excluded: left.length - rest.length, left: rest.length });
            left = rest;
          }
          if (!actions.some(({ type }) => type === 'use-proxy' || type === 'block'))
            expect(
              left.map(({ id }) => id),
              about,
            ).toEqual(fitting);
          for (const { proxy } of explained.runnersUp) {
            expect(proxy.id, about).not.toBe(given);
            expect(fitting, about).toContain(proxy.id);
          }
        }
  },
);
