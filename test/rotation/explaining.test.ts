import type { ProxyInput } from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { open } from './open-pool.ts';

const DE: Partial<ProxyInput> = { geolocation: { country: 'DE' }, region: 'EU' };

describe('an explanation in words', () => {
  const cases: [what: string, config: object, request: object, reason: RegExp, runnersUp: string[]][] = [
    [
      'round-robin',
      { strategy: 'round-robin' },
      {},
      /^The proxy b is next in turn \(round-robin\)\.$/,
      ['2nd in turn', '3rd in turn', '4th in turn'],
    ],
    [
      'random',
      { strategy: 'random' },
      {},
      /^The proxy \w was drawn at random \(random\)\.$/,
      ['as likely as the others', 'as likely as the others', 'as likely as the others'],
    ],
    [
      'least-used',
      { strategy: 'least-used' },
      {},
      /^The proxy b was handed out least often \(least-used\): 0 hand-outs\.$/,
      ['0 hand-outs', '0 hand-outs', '1 hand-out'],
    ],
    [
      'fastest',
      { strategy: 'fastest' },
      { exclude: ['c', 'd'] },
      /^The proxy \w is the faster of two that were drawn at random \(fastest\): (?:5 ms|20 ms), 0 in flight/,
      ['20 ms, 0 in flight, 1 failure in a row'],
    ],
    [
      'failure-aware',
      { strategy: 'failure-aware' },
      { exclude: ['c', 'd'] },
      /^The proxy \w was drawn by its recent successes \(failure-aware\): /,
      ['88 % of recent requests succeeded, 1 failure in a row'],
    ],
    [
      'weighted',
      { strategy: 'weighted' },
      { exclude: ['b', 'c'] },
      /^The proxy \w was drawn by its weight \(weighted\): weight [13]\.$/,
      ['weight 3'],
    ],
    [
      'geographic without a wish',
      { strategy: 'geographic' },
      {},
      /^The proxy \w was drawn at random, since no country and no region is wanted \(geographic\): country /,
      [],
    ],
    [
      'geographic in the country',
      { strategy: 'geographic' },
      { country: 'DE' },
      /^The proxy \w was drawn at random among those in DE \(geographic\): country DE, region EU\.$/,
      [],
    ],
    [
      'geographic in a preferred region',
      { strategy: 'geographic', options: { country: 'FR', strict: false, regions: ['AS', 'EU'] } },
      {},
      /^The proxy [ab] was drawn at random among those in EU, the most wanted place that has a candidate \(geographic\)/,
      [],
    ],
    [
      'geographic elsewhere',
      { strategy: 'geographic', options: { country: 'FR', strict: false } },
      {},
      /^The proxy \w was drawn at random, since no candidate is in a wanted place \(geographic\)/,
      [],
    ],
    [
      'sticky-session',
      { strategy: 'sticky-session' },
      { session: 'new' },
      /^The proxy \w was chosen by rendezvous hashing, and the session or domain will keep it \(sticky-session\)\.$/,
      ['may be the proxy of others', 'may be the proxy of others', 'may be the proxy of others'],
    ],
    [
      'sticky-session without a session',
      { strategy: 'sticky-session' },
      {},
      /^The proxy b is next in turn, since the request names no session and no domain \(sticky-session\)\.$/,
      ['2nd in turn', '3rd in turn', '4th in turn'],
    ],
    [
      'time-based',
      { strategy: 'time-based' },
      {},
      /^The proxy a is next in turn, for an interval \(time-based\)\.$/,
      ['2nd in turn', '3rd in turn', '4th in turn'],
    ],
  ];

  it.each(cases)('%s', async (_, config, request, reason, runnersUp) => {
    const { vault, pool, next } = await open([DE, DE, {}, { weight: 3 }]);
    expect(next()).toBe('a');
    pool.report('b', { success: false, latencyMs: 20 });
    pool.report('a', { success: true, latencyMs: 5 });
    vault.config.update(config);
    const explained = pool.explain(request);
    expect(explained.reason).toMatch(reason);
    const details = explained.runnersUp.map(({ detail }) => detail);
    if (runnersUp.length === 0) return;
    if (runnersUp.length > 1) expect(details).toEqual(runnersUp);
    // Of two, the one that was drawn is no runner-up.
    else expect([...details, explained.reason].join()).toContain(runnersUp[0]);
  });

  it('a session says what it keeps, who comes next, and what it moves from', async () => {
    const { pool } = await open([DE, {}, {}, {}]);
    pool.choose({ session: 's' });
    expect(pool.explain({ session: 's' })).toMatchObject({
      reason: 'The proxy a is kept by the session s.',
      runnersUp: [{ detail: 'next in turn' }, { detail: '2nd in turn' }, { detail: '3rd in turn' }],
    });
    expect(pool.explain({ session: 's', exclude: ['a', 'b'] }).reason).toBe(
      'The proxy c is next in turn (round-robin). The session s moves to it: it has kept a, which does not fit now.',
    );
  });

  it('no proxy: how many there are of each, and why', async () => {
    const { vault, pool } = await open([DE, {}, {}, {}, {}]);
    vault.proxies.update('b', { status: 'disabled' });
    vault.proxies.update('c', { status: 'checking' });
    expect(pool.explain({ country: 'DE', exclude: ['a'] }).reason).toBe(
      'No proxy fits. Of 5 proxies 1 is being checked, 1 is disabled, 2 do not fit "country DE", 1 is excluded. Ask for less, add proxies, or enable some.',
    );
  });
});
