import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { openVault } from 'proxyvault';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../../support/temporary.ts';
import { START } from '../open-pool.ts';
import { asks, IDS } from './asking.ts';
import { cares } from './caring.ts';
import { met } from './comparison.ts';
import { newProxy } from './pool-model.ts';
import { Real } from './real.ts';
import { asConfig, plainSettings, settings } from './settings.ts';
import { lossBound, type Model, type ModelSettings } from './state.ts';
import { tells } from './telling.ts';

/** Runs in the suite: 100. `PROXYVAULT_MODEL_RUNS=20000 npm test -- test/rotation/model` for a longer campaign. */
const RUNS = Number(process.env.PROXYVAULT_MODEL_RUNS ?? 100);
/** After a failure a smaller one is looked for, for so long. A campaign has more time. Milliseconds. */
const SHRINKING = 40 * Math.max(RUNS, 200);
const BEGINNERS = IDS.slice(0, 4);
/** They have had a success. */
const PROVEN = IDS.slice(0, 3);

/** What so many runs meet. */
const EXPECTED = [
  ...['out by engine', 'trying by engine', 'in by engine', 'out by person', 'out by person for a domain'],
  ...[
    'out by engine for a domain',
    'trying by engine for a domain',
    'out by engine for a session',
    '2 times',
  ],
  ...[
    'a wait',
    'a late report',
    'a failing domain',
    'a clock that was set back',
    'a lease of one that cools',
  ],
  ...['state cooling', 'state resting', 'state busy', 'state pausing', 'state ready'],
];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it(
  'the whole pool does what a simple model does',
  async () => {
    const folder = temporaryFolder();
    const template = await makeTemplate(folder);
    let run = 0;
    let failedAt = Number.POSITIVE_INFINITY;
    const property = fc.asyncProperty(
      fc.commands(
        [...asks, ...tells, ...cares].flatMap(({ weight, arbitrary }) =>
          Array.from({ length: weight }, () => arbitrary),
        ),
        { maxCommands: 80, size: 'max' },
      ),
      settings,
      async (commands, first) => {
        if (Date.now() - failedAt > SHRINKING) return;
        const own = join(folder, String(run++));
        mkdirSync(own);
        const real = await Real.open(template, own, START);
        try {
          real.vault.config.update(asConfig(first));
          await fc.asyncModelRun(() => ({ model: firstModel(first), real }), commands);
        } catch (error) {
          failedAt = Math.min(failedAt, Date.now());
          throw error;
        } finally {
          await real.close();
          rmSync(own, { recursive: true });
        }
      },
    );
    await fc.assert(property, { numRuns: RUNS });
    if (RUNS >= 100) expect([...met]).toEqual(expect.arrayContaining(EXPECTED));
  },
  60_000 + RUNS * 1000,
);

/** A pool of proxies in which nothing has happened yet. */
async function makeTemplate(folder: string): Promise<string> {
  const path = join(folder, 'template.db');
  const vault = await openVault({ path, keyFile: join(folder, 'key'), clock: () => START });
  vault.proxies.createMany(
    BEGINNERS.map((id) => ({ id, host: `${id}.example`, port: 8080, protocol: 'http' })),
  );
  const { options, ...config } = asConfig(plainSettings());
  const { health } = options as { health: object };
  // Outliers are statistics, and jitter is chance: both have tests of their own.
  const world = { ...options, health: { ...health, outliers: false, jitter: 0 }, stickyTtlMs: 10 ** 12 };
  vault.config.update({ ...config, options: world });
  for (const id of PROVEN) vault.pool.report(id, { success: true });
  await vault.close();
  return path;
}

function firstModel(settings: ModelSettings): Model {
  const proxies = BEGINNERS.map(newProxy);
  const proven = proxies.filter(({ id }) => PROVEN.includes(id));
  for (const proxy of proven) proxy.allowance = Number.POSITIVE_INFINITY;
  return {
    wall: START,
    now: START,
    settings: { ...settings },
    blockedDomains: new Set(),
    proxies,
    leases: [],
    stored: [],
    outs: [],
    watched: [],
    worksSince: new Map(),
    outages: { share: 0.5, count: 8 },
    lastSuccess: Number.NEGATIVE_INFINITY,
    mappings: new Map(),
    waiters: [],
    ended: { succeeded: 0, failed: 0, abandoned: 0, late: 0, bytes: 0 },
    events: { failure: 0, manual: 0 },
    log: proven.map((proxy) => ({
      proxy,
      what: 'success',
      isCharged: false,
      isBatched: false,
      latencyMs: 0,
    })),
    mostLost: lossBound(settings),
  };
}
