import { describe, expect, it } from 'vitest';

import { FAILURE_KINDS } from '../../../src/model/outcomes.ts';
import type { Health } from '../../../src/rotation/health/health.ts';
import { fail, openHealth, SECOND, told, use } from './setup.ts';

describe('a whole proxy', () => {
  it.each(['connect', 'tls', 'protocol'] as const)(
    'goes out after 3 failures of kind %s in a row',
    (kind) => {
      const { health } = openHealth();
      expect(fail(health, use(0, { domain: 'a.example' }), kind, 0, 2)).toEqual([]);
      expect(health.isOut(0)).toBe(false);
      expect(fail(health, use(0), kind, 5)).toEqual([
        {
          slot: 0,
          scope: '',
          state: 'cooling',
          kind,
          times: 1,
          since: 5,
          until: 5 + 30 * SECOND,
          detail: null,
          source: 'engine',
        },
      ]);
      expect(health.isOut(0)).toBe(true);
      expect(health.isOut(1)).toBe(false);
    },
  );

  it('takes failureThreshold before failures', () => {
    const { health } = openHealth({ failureThreshold: 1 });
    expect(told(fail(health, use(0), 'tls', 0))).toEqual(['0 cooling tls']);
    health.configure({ ...openHealth().settings, failures: 2 }, null);
    fail(health, use(1), 'tls', 0);
    expect(health.isOut(1)).toBe(false);
    fail(health, use(1), 'tls', 0);
    expect(health.isOut(1)).toBe(true);
  });

  it('counts failures in a row: a success between them starts again', () => {
    const { health } = openHealth();
    for (let i = 0; i < 10; i++) {
      fail(health, use(0), 'connect', i, 2);
      health.succeeded(use(0), i);
    }
    expect(health.isOut(0)).toBe(false);
  });

  it('goes out at once when it is unproven, and until a person or a new login says so when its login is rejected', () => {
    const { health } = openHealth({ isProven: false });
    expect(told(fail(health, use(0), 'connect', 0))).toEqual(['0 cooling connect']);
    const [change] = fail(openHealth().health, use(3), 'auth', 7);
    expect(change).toMatchObject({ slot: 3, scope: '', kind: 'auth', since: 7, until: null });
  });

  it('does not come back by time when its login is rejected', () => {
    const { health } = openHealth();
    fail(health, use(0), 'auth', 0);
    expect(health.nextDue).toBe(Number.POSITIVE_INFINITY);
    expect(health.advance(1e15, 10)).toEqual([]);
    expect(health.isOut(0)).toBe(true);
    expect(told(health.reset(0, { kind: 'auth' }))).toEqual(['0 recovered auth']);
    expect([health.isOut(0), health.allowance(0)]).toEqual([false, 1]);
  });

  it('is marked for a rejected login though it cools for something else', () => {
    const { health } = openHealth();
    fail(health, use(0), 'connect', 0, 3);
    expect(fail(health, use(0), 'auth', 10)).toMatchObject([{ kind: 'auth', until: null, times: 1 }]);
    expect(health.advance(1e9, 10)).toEqual([]);
    expect(health.isOut(0)).toBe(true);
  });

  it('is probed after its time, then ramps up', () => {
    const { health } = openHealth();
    fail(health, use(0), 'connect', 0, 3);
    expect(health.nextDue).toBe(30 * SECOND);
    expect(health.advance(30 * SECOND - 1, 10)).toEqual([]);
    expect(told(health.advance(30 * SECOND, 10))).toEqual(['0 probing connect']);
    expect([health.isOut(0), health.cooldownOf(0), health.allowance(0)]).toEqual([false, null, 1]);
    expect(told(health.succeeded(use(0), 31 * SECOND))).toEqual(['0 recovered connect']);
    const allowances = [health.allowance(0)];
    for (let i = 0; i < 5; i++) {
      expect(health.succeeded(use(0), 31 * SECOND)).toEqual([]);
      allowances.push(health.allowance(0));
    }
    expect(allowances).toEqual([2, 4, 8, 16, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  it('ramps up from one lease when it is unproven', () => {
    const { health } = openHealth({ isProven: false });
    const allowances = [health.allowance(0)];
    for (let i = 0; i < 5; i++) {
      health.succeeded(use(0), 0);
      allowances.push(health.allowance(0));
    }
    expect(allowances).toEqual([1, 2, 4, 8, 16, Number.POSITIVE_INFINITY]);
    fail(health, use(0), 'connect', 0, 2);
    expect(health.isOut(0)).toBe(false);
  });

  it('goes out after one failure while it is probed or ramps up, for twice as long each time, up to maxCooldownMs', () => {
    const { health } = openHealth();
    fail(health, use(0), 'connect', 0, 3);
    const times: number[] = [];
    for (let i = 0; i < 6; i++) {
      const now = health.nextDue;
      health.advance(now, 10);
      if (i % 2 === 1) health.succeeded(use(0), now);
      const [change] = fail(health, use(0), 'tls', now);
      expect(change).toMatchObject({ times: i + 2, kind: 'tls' });
      times.push(((change?.until ?? 0) - now) / SECOND);
    }
    expect(times).toEqual([60, 120, 240, 300, 300, 300]);
  });

  it('adds up to jitter of the time at random', () => {
    const { health } = openHealth({ jitter: 0.1 });
    expect(fail(health, use(0), 'connect', 0, 3)).toMatchObject([{ until: 31_500 }]);
  });

  it('has been out for the first time again once it has been well for as long as it was out', () => {
    const { health } = openHealth();
    fail(health, use(0), 'connect', 0, 3);
    health.advance(30 * SECOND, 10);
    for (let i = 0; i < 5; i++) health.succeeded(use(0), 40 * SECOND);
    fail(health, use(0), 'connect', 69 * SECOND, 1);
    health.succeeded(use(0), 69 * SECOND);
    expect(fail(health, use(0), 'connect', 98 * SECOND, 3)).toMatchObject([
      { times: 2, until: 158 * SECOND },
    ]);
    health.advance(158 * SECOND, 10);
    for (let i = 0; i < 5; i++) health.succeeded(use(0), 158 * SECOND);
    expect(health.nextDue).toBe(218 * SECOND);
    expect(health.advance(218 * SECOND, 10)).toEqual([]);
    expect(fail(health, use(0), 'connect', 218 * SECOND, 3)).toMatchObject([{ times: 1 }]);
  });

  it('takes late outcomes for nothing', () => {
    const { health } = openHealth();
    fail(health, use(0), 'connect', 1000, 3);
    expect(health.succeeded(use(0), 1001)).toEqual([]);
    expect(fail(health, use(0), 'connect', 1002, 5)).toEqual([]);
    expect(health.cooldownOf(0)).toMatchObject({ times: 1, until: 31_000 });
    health.advance(31_000, 10);
    const late = use(0, { handedOutAt: 999 });
    expect(health.succeeded(late, 31_001)).toEqual([]);
    expect(fail(health, late, 'connect', 31_002)).toEqual([]);
    expect(health.allowance(0)).toBe(1);
    expect(told(health.succeeded(use(0, { handedOutAt: 31_000 }), 31_003))).toEqual(['0 recovered connect']);
    expect(fail(health, late, 'connect', 31_004, 9)).toEqual([]);
  });

  it('comes back when it works though it cooled, handed out because nothing else fitted', () => {
    const { health } = openHealth();
    fail(health, use(0), 'connect', 1000, 3);
    expect(told(health.succeeded(use(0, { handedOutAt: 2000 }), 2001))).toEqual(['0 recovered connect']);
    expect([health.isOut(0), health.allowance(0)]).toEqual([false, 2]);
  });

  it('never counts so high that a number overflows', () => {
    const { health } = openHealth();
    const cooldown = {
      scope: '',
      source: 'engine',
      kind: 'connect',
      since: 0,
      until: 10,
      detail: null,
    } as const;
    health.restore(0, { ...cooldown, times: 2 ** 31 - 1 }, 5);
    health.advance(10, 10);
    expect(fail(health, use(0), 'connect', 10)).toMatchObject([
      { times: 2 ** 31 - 1, until: 10 + 300 * SECOND },
    ]);
  });
});

/** Other proxies work for a domain, and one fails there, with which the watch of the domain begins. */
function letWork(health: Health, domain: string, now = 0): void {
  fail(health, use(40, { domain }), 'timeout', now);
  for (let n = 0; n < 6; n++) health.succeeded(use(41, { domain }), now);
}

/** With domains, named by letters, that work for others. */
function openWorking(names: string, settings: Parameters<typeof openHealth>[0] = {}) {
  const opened = openHealth(settings);
  for (const name of names) letWork(opened.health, `${name}.example`);
  opened.health.begin(40, true);
  return opened;
}

describe('a proxy and a domain', () => {
  const at = (domain: string, slot = 0) => use(slot, { domain });

  it.each(['timeout', 'status', 'reset'] as const)(
    'are apart after 3 failures of kind %s in a row',
    (kind) => {
      const { health } = openHealth();
      expect(told(fail(health, at('a.example'), kind, 0, 3))).toEqual([`0 domain a.example cooling ${kind}`]);
      expect(health.isOut(0)).toBe(false);
      expect(health.cooldownOf(0, 'domain a.example')).toMatchObject({ until: 30 * SECOND });
      expect([...(health.outFor('domain', 'a.example') ?? [])]).toEqual([0]);
      expect(health.outFor('domain', 'b.example')).toBeNull();
      expect(health.outFor('session', 'a.example')).toBeNull();
      expect(told(health.advance(30 * SECOND, 10))).toEqual([`0 domain a.example probing ${kind}`]);
      expect(health.outFor('domain', 'a.example')).toBeNull();
      expect(fail(health, at('a.example'), kind, 30 * SECOND)).toMatchObject([
        { times: 2, until: 90 * SECOND },
      ]);
      health.advance(90 * SECOND, 10);
      expect(told(health.succeeded(at('a.example'), 90 * SECOND))).toEqual([
        `0 domain a.example recovered ${kind}`,
      ]);
    },
  );

  it('go on with a success on the domain, and not with one elsewhere', () => {
    const { health } = openHealth();
    fail(health, at('a.example'), 'timeout', 0, 2);
    health.succeeded(at('a.example'), 0);
    fail(health, at('a.example'), 'timeout', 0, 2);
    expect(health.outFor('domain', 'a.example')).toBeNull();
    health.succeeded(at('b.example'), 0);
    fail(health, at('a.example'), 'timeout', 0);
    expect(health.outFor('domain', 'a.example')).not.toBeNull();
  });

  it('are apart after three failures also of an unproven proxy, since the target may be at fault', () => {
    const { health } = openHealth({ isProven: false });
    fail(health, at('a.example'), 'timeout', 0, 2);
    expect(health.outFor('domain', 'a.example')).toBeNull();
    fail(health, at('a.example'), 'timeout', 0);
    expect(health.outFor('domain', 'a.example')?.has(0)).toBe(true);
  });

  it('says that the failure is not of the proxy', () => {
    const { health } = openHealth();
    expect(health.failed(at('a.example'), { kind: 'status' }, 0).isCharged).toBe(false);
    expect(health.failed(at('a.example'), { kind: 'blocked' }, 0).isCharged).toBe(false);
    expect(health.failed(at('a.example'), { kind: 'tls' }, 0).isCharged).toBe(true);
    expect(health.failed(use(0), { kind: 'status' }, 0).isCharged).toBe(true);
  });

  it('charges the proxy if there is no domain', () => {
    const { health } = openHealth();
    expect(told(fail(health, use(0), 'timeout', 0, 3))).toEqual(['0 cooling timeout']);
  });

  it('is the proxy if it is out for three domains at a time', () => {
    const { health } = openHealth();
    fail(health, at('a.example'), 'timeout', 0, 3);
    fail(health, at('b.example'), 'reset', 0, 3);
    fail(health, at('c.example'), 'blocked', 0);
    expect(health.isOut(0)).toBe(false);
    health.succeeded(at('e.example'), 0);
    expect(told(fail(health, at('d.example'), 'status', 0, 3))).toEqual([
      '0 domain d.example cooling status',
      '0 cooling status',
    ]);
    expect(health.cooldownOf(0)).toMatchObject({ detail: 'out for 3 domains' });
  });

  describe('is the proxy if it fails for three in a row', () => {
    const domains = (names: string) => [...names].map((name) => at(`${name}.example`));
    const failFor = (health: Health, names: string) =>
      domains(names).flatMap((domain) => told(fail(health, domain, 'timeout', 0)));

    it('unless nothing is known to work there, as where a crawler finds a new domain each time', () => {
      const { health } = openHealth();
      expect(failFor(health, 'abcdefgh')).toEqual([]);
      expect(health.isOut(0)).toBe(false);
    });

    it('also at domains that nobody else asks, once requests seldom fail: it would be no chance', () => {
      const { health } = openHealth();
      for (let n = 0; n < 300; n++) health.succeeded(at(`${n}.example`, 41), 0);
      expect(failFor(health, 'ab')).toEqual([]);
      expect(failFor(health, 'c')).toEqual(['0 cooling timeout']);
      health.advance(30 * SECOND, 10);
      // So does a probe.
      expect(told(fail(health, at('d.example'), 'timeout', 30 * SECOND))).toContain('0 cooling timeout');
    });

    it('and works for none in between', () => {
      const { health } = openWorking('abcdefgh');
      expect(failFor(health, 'abab')).toEqual([]);
      health.succeeded(at('c.example'), 0);
      expect(failFor(health, 'bdbd')).toEqual(['0 domain b.example cooling timeout']);
      expect(health.failed(at('c.example'), { kind: 'reset' }, 0)).toMatchObject({
        changes: [{ scope: '', state: 'cooling', detail: 'failed for 3 domains in a row' }],
        isCharged: false,
      });
      // It is out already.
      expect(failFor(health, 'efgh')).toEqual([]);
    });

    it('as many times as failures says', () => {
      const { health } = openWorking('abc', { failures: 5 });
      expect(failFor(health, 'abca')).toEqual([]);
      expect(failFor(health, 'b')).toEqual(['0 cooling timeout']);
    });

    it('but not if a target has said how long to wait, or it was out for the domain already', () => {
      const { health } = openWorking('abcdefg', { failures: 3 });
      for (const domain of domains('abcd'))
        health.failed(domain, { kind: 'status', status: 503, retryAfterMs: 1000 }, 0);
      expect(health.isOut(0)).toBe(false);
      expect(failFor(health, 'aabbeeff')).toEqual([]);
      expect(failFor(health, 'g')).toEqual(['0 cooling timeout']);
    });

    it('but not if its slot has another proxy since', () => {
      const { health } = openWorking('abc');
      failFor(health, 'ab');
      health.begin(0, true);
      expect(failFor(health, 'c')).toEqual([]);
    });

    it('but not if a target has answered in between, or by what was sent before the proxy went out', () => {
      const { health } = openWorking('abcd');
      failFor(health, 'ab');
      fail(health, at('d.example'), 'blocked', 0);
      expect(failFor(health, 'c')).toEqual([]);
      fail(health, use(0), 'connect', 0, 3);
      health.advance(30 * SECOND, 10);
      for (const domain of ['a.example', 'b.example', 'c.example'])
        expect(
          health.failed(use(0, { domain, handedOutAt: -1 }), { kind: 'timeout' }, 30 * SECOND).changes,
        ).toEqual([]);
    });

    it('but not if one of the domains has failed for all', () => {
      const { health } = openWorking('abcde');
      failFor(health, 'ab');
      for (let slot = 1; slot < 5; slot++) fail(health, at('b.example', slot), 'timeout', 1);
      expect(health.isFailingDomain('b.example')).toBe(true);
      expect(failFor(health, 'cd')).toEqual([]);
      expect(failFor(health, 'e')).toEqual(['0 cooling timeout']);
    });
  });

  it('shows by a probe that the proxy fails, and not by what was sent before', () => {
    const { health } = openHealth();
    fail(health, use(0), 'connect', 0, 3);
    health.advance(30 * SECOND, 10);
    // Where nothing works, a probe shows nothing.
    expect(health.failed(at('b.example'), { kind: 'timeout' }, 30 * SECOND).changes).toEqual([]);
    letWork(health, 'a.example', 30 * SECOND);
    expect(
      health.failed(use(0, { domain: 'a.example', handedOutAt: -1 }), { kind: 'timeout' }, 30 * SECOND),
    ).toEqual({
      changes: [],
      isCharged: false,
    });
    expect(health.failed(at('a.example'), { kind: 'timeout' }, 30 * SECOND)).toMatchObject({
      changes: [{ scope: '', state: 'cooling', kind: 'timeout', times: 2, detail: 'failed again' }],
      isCharged: false,
    });
  });

  it('comes back to one request at a time if the probe that failed was of a failing domain', () => {
    const { health } = openHealth();
    fail(health, use(0), 'connect', 0, 3);
    health.advance(30 * SECOND, 10);
    letWork(health, 'a.example', 30 * SECOND);
    fail(health, at('a.example'), 'timeout', 30 * SECOND);
    expect(health.isOut(0)).toBe(true);
    for (let slot = 1; slot < 6; slot++) fail(health, at('a.example', slot), 'timeout', 31 * SECOND);
    expect(health.isFailingDomain('a.example')).toBe(true);
    expect([health.isOut(0), health.allowance(0)]).toEqual([false, 1]);
  });

  it('counts no failure in a row of the whole proxy if that goes out for three domains, as the database counts none', () => {
    const { health } = openHealth();
    for (const domain of ['a.example', 'b.example']) {
      fail(health, at(domain), 'timeout', 0, 3);
      health.succeeded(at('d.example'), 0);
    }
    fail(health, at('c.example'), 'timeout', 0, 2);
    const { changes, isCharged } = health.failed(at('c.example'), { kind: 'timeout' }, 0);
    expect(told(changes)).toEqual(['0 domain c.example cooling timeout', '0 cooling timeout']);
    expect(isCharged).toBe(false);
  });

  it('remembers so many pairs at most, and tells which cooldowns are forgotten', () => {
    const { health } = openHealth();
    for (let i = 0; i < 100_000; i++) fail(health, at(`${i}.example`), 'blocked', 0);
    expect(health.counts().scopesOut).toBe(100_000);
    const changes = fail(health, at('last.example'), 'blocked', 0);
    expect(told(changes.slice(0, 2))).toEqual([
      '0 domain last.example cooling blocked',
      '0 domain 0.example recovered blocked',
    ]);
    expect(changes).toHaveLength(1001);
    expect(health.outFor('domain', '0.example')).toBeNull();
    expect(health.counts().scopesOut).toBe(99_001);
  });
});

describe('blocked, and a time to wait', () => {
  const at = (domain: string | null, slot = 0) => use(slot, { domain });

  it('puts the proxy out for the domain at once, for as long as the target says, with why', () => {
    const { health } = openHealth({ jitter: 1 });
    const failure = { kind: 'blocked', status: 429, retryAfterMs: 7000 } as const;
    expect(health.failed(at('a.example'), failure, 0).changes).toEqual([
      {
        slot: 0,
        scope: 'domain a.example',
        state: 'cooling',
        kind: 'blocked',
        times: 1,
        since: 0,
        until: 7000,
        detail: 'status 429',
        source: 'engine',
      },
    ]);
    expect(told(health.advance(7000, 10))).toEqual(['0 domain a.example recovered blocked']);
    expect(health.outFor('domain', 'a.example')).toBeNull();
  });

  it('waits for maxRetryAfterMs at most', () => {
    const { health } = openHealth();
    const failure = { kind: 'blocked', retryAfterMs: 1e12 } as const;
    expect(health.failed(at('a.example'), failure, 0).changes).toMatchObject([{ until: 86_400_000 }]);
  });

  it('waits for 60 s when nobody says how long, and doubles up to maxCooldownMs', () => {
    const { health } = openHealth();
    const waits: number[] = [];
    let now = 0;
    for (let i = 0; i < 4; i++) {
      const [change] = fail(health, at('a.example'), 'blocked', now);
      waits.push(((change?.until ?? 0) - now) / SECOND);
      now = change?.until ?? 0;
      expect(told(health.advance(now, 10))).toEqual(['0 domain a.example recovered blocked']);
    }
    expect(waits).toEqual([60, 120, 240, 300]);
  });

  it('waits for blockedMs at least, though maxCooldownMs is less', () => {
    const { health } = openHealth({ blockedMs: 400 * SECOND });
    expect(fail(health, at('a.example'), 'blocked', 0)).toMatchObject([{ until: 400 * SECOND }]);
  });

  it('puts out the whole proxy if there is no domain, and gives it back as it was', () => {
    const { health } = openHealth();
    expect(told(fail(health, at(null), 'blocked', 0))).toEqual(['0 cooling blocked']);
    expect(health.allowance(0)).toBe(1);
    health.advance(60 * SECOND, 10);
    expect([health.isOut(0), health.allowance(0)]).toEqual([false, Number.POSITIVE_INFINITY]);
  });

  it.each(FAILURE_KINDS.filter((kind) => kind !== 'auth'))('obeys a time to wait with kind %s', (kind) => {
    const { health } = openHealth();
    const { changes } = health.failed(at('a.example'), { kind, retryAfterMs: 5000 }, 1);
    expect(changes).toMatchObject([{ until: 5001, kind }]);
  });

  it('waits longer if another request is told a longer time, without counting it again', () => {
    const { health } = openHealth();
    const blocked = (retryAfterMs: number, now: number) =>
      health.failed(at('a.example'), { kind: 'blocked', retryAfterMs }, now).changes;
    blocked(10_000, 0);
    expect(blocked(10_000, 500)).toEqual([]);
    expect(blocked(1000, 600)).toEqual([]);
    expect(blocked(20_000, 700)).toMatchObject([{ state: 'cooling', times: 1, until: 20_700 }]);
    expect(health.nextDue).toBe(20_700);
  });

  it.each([0, -1, Number.NaN])('takes %s for no time', (retryAfterMs) => {
    const { health } = openHealth();
    expect(health.failed(at('a.example'), { kind: 'status', retryAfterMs }, 0).changes).toEqual([]);
    expect(health.failed(at('a.example'), { kind: 'blocked', retryAfterMs }, 0).changes).toMatchObject([
      { until: 60 * SECOND },
    ]);
  });
});
