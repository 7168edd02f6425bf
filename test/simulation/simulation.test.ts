import { readFileSync } from 'node:fs';
import type { RotationStrategy } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { curveOf } from './curve.ts';
import { BACKOFF, between, recoveries, sharesOf, unjust, warmUp } from './numbers.ts';
import { withNumbers } from './page.ts';
import { live, type Plan, planOf, SAMPLE, type Story } from './run.ts';
import { SECOND } from './world.ts';

const DOCS = new URL('../../docs/', import.meta.url);
const PAGE = new URL('rotation.md', DOCS);
const CURVE = new URL('how-well-it-works.svg', DOCS);
/** With PROXYVAULT_SIMULATED_PROXIES=10000 the worlds of the other strategies are as big as the main one; that takes minutes. */
const PROXIES = Number(process.env.PROXYVAULT_SIMULATED_PROXIES ?? 500);
/** Points of a percent that the pool may be below the oracle. */
const MARGIN = 2;
const DRAWING: ReadonlySet<RotationStrategy> = new Set(['random', 'fastest', 'weighted', 'failure-aware']);
const TURN = 60 * SECOND;
const SLOW = 600 * SECOND;

async function simulate(plan: Plan): Promise<Story> {
  return live(plan, temporaryFolder());
}

/** How long it takes after a time until the pool is within the margin of the oracle. */
function settledAfter(story: Story, from: number): number {
  const settled = between(story, from, Number.POSITIVE_INFINITY).find((sample) => {
    const { pool, oracle } = sharesOf([sample]);
    return oracle - pool < MARGIN;
  });
  return (settled?.from ?? Number.POSITIVE_INFINITY) + SAMPLE - from;
}

/** What must hold in every world. */
function expectGoals(story: Story, plan: Plan): void {
  const { outage, lasts } = plan;
  const warm = warmUp(plan);
  const { pool, oracle } = sharesOf(between(story, warm, lasts));
  expect(oracle - pool).toBeLessThan(MARGIN);

  // The domain was found to fail, once, and no other one.
  expect(story.domains.map(({ domain, isFailing }) => [domain, isFailing])).toEqual([
    [outage.domain, true],
    [outage.domain, false],
  ]);
  const [began, ended] = story.domains.map(({ at }) => at) as [number, number];
  expect([began > outage.from, ended > outage.until, ended < outage.until + 10 * SECOND]).toEqual([
    true,
    true,
    true,
  ]);
  // Nobody who works is out for it; who was before it was found came back then.
  expect(unjust(story, began - outage.from)).toEqual([]);
  const afterwards = between(story, outage.until, lasts);
  for (const { ofOutage } of afterwards.slice(1)) {
    expect(ofOutage.successes / ofOutage.requests).toBeGreaterThan(0.9);
  }
  // Within one backoff after it, and on the whole in the time after it, all is as before.
  expect(settledAfter(story, outage.until)).toBeLessThan(BACKOFF);
  const after = sharesOf(afterwards);
  expect(after.oracle - after.pool).toBeLessThan(MARGIN);

  // Who comes back is used again before the longest cooldown is over. Under strategies that draw, its turn may come a little later.
  const times = recoveries(story, warm, lasts - BACKOFF);
  expect(times.length).toBeGreaterThan(plan.proxies / 20);
  expect(times.at(-1)).toBeLessThan(BACKOFF + (DRAWING.has(plan.strategy) ? TURN : 0));
  expect(times.filter((time) => time < BACKOFF).length / times.length).toBeGreaterThan(0.95);
}

describe('a world with dead, slow and flapping proxies, an outage and a limit', () => {
  it('of 10,000 proxies: the pool does nearly as well as an oracle, as docs/rotation.md says', {
    timeout: SLOW,
  }, async () => {
    const plan = planOf(10_000, 'round-robin');
    const story = await simulate(plan);
    expectGoals(story, plan);
    await expect(curveOf(story, plan, warmUp(plan))).toMatchFileSnapshot(CURVE.pathname);
    await expect(withNumbers(readFileSync(PAGE, 'utf8'), story, plan)).toMatchFileSnapshot(PAGE.pathname);
  });

  it.each<RotationStrategy>(['random', 'fastest', 'weighted', 'failure-aware', 'least-used'])(
    `of ${PROXIES} proxies: the pool does nearly as well as an oracle under %s`,
    { timeout: SLOW },
    async (strategy) => {
      const plan = planOf(PROXIES, strategy);
      expectGoals(await simulate(plan), plan);
    },
  );
});
