import { join } from 'node:path';
import { type Lease, openVault, type PoolEvents, ProxyVaultError } from 'proxyvault';
import type { RotationStrategy } from 'proxyvault/database';
import { seededRandom } from '../support/seeded-random.ts';
import { Oracle } from './oracle.ts';
import { type Answer, MINUTE, SECOND, World, type WorldOptions } from './world.ts';

/** The world begins on 2026-05-01, a Friday, at noon. */
const START = Date.UTC(2026, 4, 1, 12);
/** The clock moves on by so much; what ends or begins in between does so at the end of it. */
const TICK = 10;
/** No answer takes longer than this many ticks. */
const MOST_TICKS = 1024;
/** What happens is counted for so long at a time. */
export const SAMPLE = 30_000;

export interface Plan extends WorldOptions {
  strategy: RotationStrategy;
  /** So many requests a second. */
  rate: number;
  lasts: number;
}

/** What happened in a time of {@link SAMPLE}. Requests are counted when they begin. */
export interface Sample {
  from: number;
  requests: number;
  successes: number;
  /** So many would have succeeded with what the oracle had chosen. */
  possible: number;
  /** For the domain that goes down. */
  ofOutage: { requests: number; successes: number };
  /** So many proxies were out at its end. */
  cooling: number;
}

/** What the pool told, with the time since the world began. */
type Told<Name extends 'cooled' | 'domain-failing'> = PoolEvents[Name] & { at: number };

export interface Story {
  world: World;
  samples: Sample[];
  cooled: (Told<'cooled'> & { proxy: number })[];
  recovered: { proxy: number; domain: string | null; at: number }[];
  domains: Told<'domain-failing'>[];
  /** When requests were sent by each proxy that is not always up, while it was, in the order of time. */
  uses: Map<number, number[]>;
}

interface Flight {
  lease: Lease;
  answer: Answer;
  domain: string;
  sample: Sample;
}

/** Lives through a world with a new pool. It is in memory, since nothing here is about the disk; `folder` is for its key. */
export async function live(plan: Plan, folder: string): Promise<Story> {
  const world = new World(plan);
  const oracle = new Oracle(world);
  let now = 0;
  await using vault = await openVault({
    path: ':memory:',
    keyFile: join(folder, 'pool.key'),
    clock: () => START + now,
    random: seededRandom(plan.seed + 1),
  });
  const { pool } = vault;
  vault.config.update({
    strategy: plan.strategy,
    // To store more often would show nothing here, and takes real time.
    options: { durability: { lossMs: 60_000, lossOutcomes: 1_000_000 } },
  });
  vault.proxies.createMany(
    Array.from({ length: world.size }, (_, n) => ({
      id: idOf(n),
      host: `h${n}.example`,
      port: 8080,
      protocol: 'http' as const,
      // As a user would say who knows of the limit.
      weight: world.isLimited(n) ? 1 : 3,
    })),
  );
  const story: Story = {
    world,
    samples: [],
    cooled: [],
    recovered: [],
    domains: [],
    uses: new Map(),
  };
  pool.on('cooled', (event) => story.cooled.push({ ...event, proxy: numberOf(event.proxyId), at: now }));
  pool.on('recovered', ({ proxyId, domain }) =>
    story.recovered.push({ proxy: numberOf(proxyId), domain, at: now }),
  );
  pool.on('domain-failing', (event) => story.domains.push({ ...event, at: now }));

  /** What lands at each tick; the last of them are after the end. */
  const flights: Flight[][] = Array.from({ length: MOST_TICKS + 1 }, () => []);
  const last = plan.lasts / TICK;
  let sample = newSample(0);
  for (let tick = 0, begun = 0; tick <= last + MOST_TICKS; tick++) {
    now = tick * TICK;
    if (now % SAMPLE === 0 && now > 0 && tick <= last) {
      sample.cooling = pool.stats().states.cooling;
      story.samples.push(sample);
      sample = newSample(now);
    }
    const due = flights[tick % flights.length] as Flight[];
    for (const flight of due) land(flight);
    due.length = 0;
    for (; tick < last && begun <= (plan.rate * now) / SECOND; begun++) {
      const flight = begin(sample);
      if (flight === null) continue;
      const ticks = Math.min(MOST_TICKS, Math.ceil(flight.answer.latencyMs / TICK));
      flights[(tick + ticks) % flights.length]?.push(flight);
    }
  }
  return story;

  function begin(counted: Sample): Flight | null {
    const domain = world.nextDomain();
    counted.requests++;
    if (oracle.succeeds(domain, now)) counted.possible++;
    if (domain === plan.outage.domain) counted.ofOutage.requests++;
    let lease: Lease;
    try {
      lease = pool.tryAcquire({ domain });
    } catch (error) {
      if (!(error instanceof ProxyVaultError) || error.code !== 'NO_PROXY') throw error;
      return null;
    }
    const proxy = numberOf(lease.proxy.id);
    if (!world.isSteady(proxy) && world.isUp(proxy, now)) {
      const times = story.uses.get(proxy);
      if (times === undefined) story.uses.set(proxy, [now]);
      else times.push(now);
    }
    return { lease, domain, answer: world.send(proxy, domain, now), sample: counted };
  }

  function land({ lease, answer, domain, sample: counted }: Flight): void {
    const { failure, latencyMs } = answer;
    if (failure !== null) {
      lease.fail(failure);
      return;
    }
    counted.successes++;
    if (domain === plan.outage.domain) counted.ofOutage.successes++;
    lease.succeed({ latencyMs });
  }
}

/** The world of docs/rotation.md, with so many proxies. */
export function planOf(proxies: number, strategy: RotationStrategy): Plan {
  return {
    seed: 14,
    proxies,
    strategy,
    rate: proxies / 10,
    lasts: 26 * MINUTE,
    domains: { 'shop.example': 0.4, 'news.example': 0.3, 'maps.example': 0.2, 'rare.example': 0.1 },
    outage: { domain: 'news.example', from: 10 * MINUTE, until: 20 * MINUTE },
    revival: 12 * MINUTE,
  };
}

function newSample(from: number): Sample {
  return {
    from,
    requests: 0,
    successes: 0,
    possible: 0,
    ofOutage: { requests: 0, successes: 0 },
    cooling: 0,
  };
}

function idOf(proxy: number): string {
  return `p${String(proxy).padStart(6, '0')}`;
}

function numberOf(id: string): number {
  return Number(id.slice(1));
}
