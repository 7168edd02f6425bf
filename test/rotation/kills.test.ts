import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { openVault } from 'proxyvault';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SEED } from '../faults/campaign.ts';
import { Random } from '../faults/random.ts';
import { SCRATCH } from '../faults/scratch.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { Acknowledged, sumsOf } from './acknowledged.ts';
import { inputOf } from './open-pool.ts';

/** Kills in the suite: 80. `PROXYVAULT_KILLS=5000 npm test -- test/rotation/kills` for a longer run. */
const KILLS = Number(process.env.PROXYVAULT_KILLS ?? 80);
const TIMEOUT = 60_000 + KILLS * 1000;
const LEASER = fileURLToPath(
  new URL('../../node_modules/.cache/proxyvault-tests/leaser.mjs', import.meta.url),
);
/** A timer of Node may be so late, and so much the clock may have moved on between two lines. Milliseconds. */
const TIMER = 3;
const HEALTH = {
  // So that a few dozen proxies are enough for many failures.
  cooldownMs: 20,
  maxCooldownMs: 60,
  blockedMs: 20,
  domainProxies: 10_000,
  outliers: false,
};

interface Bound {
  name: string;
  mode: 'busy' | 'idle';
  durability: { outcomes?: 'every'; lossMs?: number; lossOutcomes?: number };
  failureThreshold: number | null;
  share: number;
}

const BOUNDS: Bound[] = [
  {
    name: 'as it is unless told otherwise',
    mode: 'busy',
    durability: {},
    failureThreshold: null,
    share: 0.2,
  },
  {
    name: 'at most 50 outcomes',
    mode: 'busy',
    durability: { lossOutcomes: 50, lossMs: 60_000 },
    failureThreshold: 2,
    share: 0.25,
  },
  {
    name: 'at most 15 ms without a turn for the event loop',
    mode: 'busy',
    durability: { lossMs: 15, lossOutcomes: 1_000_000 },
    failureThreshold: null,
    share: 0.2,
  },
  {
    name: 'at most 30 ms with nothing to do',
    mode: 'idle',
    durability: { lossMs: 30, lossOutcomes: 1_000_000 },
    failureThreshold: 2,
    share: 0.2,
  },
  {
    name: 'no outcome',
    mode: 'busy',
    durability: { outcomes: 'every' },
    failureThreshold: 2,
    share: 0.15,
  },
];

describe(`a pool whose process is killed (SIGKILL), ${KILLS} times in all, has lost`, () => {
  it.each(BOUNDS)(
    '$name, and nothing that was committed',
    async ({ mode, durability, failureThreshold, share }) => {
      const folder = temporaryFolder(SCRATCH);
      const template = join(folder, 'template.db');
      const keyFile = join(folder, 'key');
      const vault = await openVault({ path: template, keyFile, durability: 'normal' });
      vault.proxies.createMany(Array.from({ length: 40 }, (_, n) => inputOf(n)));
      vault.config.update({ failureThreshold, options: { health: HEALTH, durability } });
      await vault.close();

      const lossOutcomes = durability.outcomes === 'every' ? 1 : (durability.lossOutcomes ?? 1000);
      const lossMs = durability.lossMs ?? 200;
      const random = new Random(SEED + share * 100);
      const lives = Array.from({ length: Math.ceil(KILLS * share) }, (_, n) => ({
        path: join(folder, `${n}.db`),
        seed: random.below(2 ** 31),
        after: random.below(mode === 'idle' ? 150 : 120),
        lines: random.below(60),
      }));
      let outcomes = 0;
      let lost = 0;
      const live = async (): Promise<void> => {
        for (let next = lives.pop(); next !== undefined; next = lives.pop()) {
          const { path, seed, ...moment } = next;
          copyFileSync(template, path);
          const said = new Acknowledged(await killed([path, keyFile, String(seed), mode], moment));
          const stored = compare(path, said, { lossOutcomes, lossMs, failureThreshold });
          outcomes += said.outcomes.length;
          lost += Math.max(0, said.outcomes.length - stored);
          for (const file of [path, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
        }
      };
      await Promise.all([live(), live(), live()]);
      expect(outcomes).toBeGreaterThan(KILLS * share);
      // The kills came at moments when something could be lost.
      if (lossOutcomes > 1 && KILLS >= 80) expect(lost).toBeGreaterThan(0);
    },
    TIMEOUT,
  );
});

/**
 * Runs the leaser and kills it when it has leased for so many milliseconds and said so many lines, however slow the machine is. Gives
 * what it had said.
 */
async function killed(
  args: readonly string[],
  { after, lines }: { after: number; lines: number },
): Promise<string[]> {
  const child = spawn(process.execPath, [LEASER, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: dirname(LEASER) },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const parts: Buffer[] = [];
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  let isTime = false;
  let said = 0;
  const killIfDone = (): void => {
    if (isTime && said >= lines) child.kill('SIGKILL');
  };
  child.stdout.once('data', () =>
    setTimeout(() => {
      isTime = true;
      killIfDone();
    }, after),
  );
  child.stdout.on('data', (chunk: Buffer) => {
    parts.push(chunk);
    said += chunk.toString().split('\n').length - 1;
    killIfDone();
  });
  const [code, signal] = await once(child, 'close');
  expect({ code, signal, errors }).toEqual({ code: null, signal: 'SIGKILL', errors: '' });
  // The last line may be cut off.
  return Buffer.concat(parts).toString().split('\n').slice(0, -1);
}

/** Compares what was acknowledged with what the file has; gives how many outcomes of leases it has. */
function compare(
  path: string,
  said: Acknowledged,
  bounds: { lossOutcomes: number; lossMs: number; failureThreshold: number | null },
): number {
  const db = new Database(path);
  try {
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    compareHealth(db, said, bounds.failureThreshold);
    compareSessions(db, said);
    return compareOutcomes(db, said, bounds);
  } finally {
    db.close();
  }
}

function compareOutcomes(
  db: Database.Database,
  said: Acknowledged,
  { lossOutcomes, lossMs }: { lossOutcomes: number; lossMs: number },
): number {
  const rows = db
    .prepare(
      `SELECT p.id, p.total_requests AS total, sum(u.request_count) AS requests, sum(u.success_count) AS successes,
         sum(u.failure_count) AS failures, sum(u.total_latency_ms) AS latency
       FROM proxies p JOIN proxy_usage_stats u ON u.proxy_id = p.id GROUP BY p.id`,
    )
    .all() as ({ id: string } & Record<
    'total' | 'requests' | 'successes' | 'failures' | 'latency',
    number
  >)[];
  const stored = new Map(
    rows.map(({ id, requests, successes, failures, latency }) => [
      id,
      [requests, successes, failures, latency],
    ]),
  );
  for (const { total, requests } of rows) expect(requests).toBe(total);
  const count = rows.reduce((sum, { total }) => sum + total, 0);
  const outcomes = [...said.outcomes, ...said.outcomeInProgress];
  // Outcomes of leases are stored in order, so that what is stored is all of them up to one of them.
  const prefixes = [said.reports, [...said.reports, ...said.reportInProgress]].map((reports) => ({
    leased: count - reports.length,
    sums: sumsOf([...reports, ...outcomes.slice(0, Math.max(0, count - reports.length))]),
  }));
  const sorted = (sums: ReadonlyMap<string, number[]>) => [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
  const isStored = ({ sums }: { sums: Map<string, number[]> }): boolean =>
    JSON.stringify(sorted(sums)) === JSON.stringify(sorted(stored));
  const prefix = prefixes.find(isStored) ?? prefixes[0];
  expect(sorted(stored)).toEqual(sorted(prefix?.sums ?? new Map()));
  const leased = prefix?.leased ?? -1;
  expect(leased).toBeLessThanOrEqual(outcomes.length);
  // The last of so many is stored with them before it is acknowledged.
  expect(leased).toBeGreaterThanOrEqual(said.outcomes.length - (lossOutcomes - 1));
  const old = said.outcomes.filter(({ done }) => done <= said.lastChance - lossMs - TIMER).length;
  expect(leased).toBeGreaterThanOrEqual(old);
  return Math.min(leased, said.outcomes.length);
}

function compareSessions(db: Database.Database, { sessions, leases, inProgress }: Acknowledged): void {
  const keeps = db.prepare('SELECT proxy_id FROM session_proxies WHERE session = ?').pluck();
  for (const [session, proxy] of sessions)
    if (inProgress?.session !== session)
      expect({ session, proxy: keeps.get(session) }).toEqual({ session, proxy });
  const stored = new Set(db.prepare('SELECT id FROM proxy_leases').pluck().all());
  for (const lease of leases) if (inProgress?.lease !== lease) expect(stored).toContain(lease);
  expect(stored.size - leases.size).toBeLessThanOrEqual(inProgress?.stored ? 1 : 0);
}

function compareHealth(db: Database.Database, said: Acknowledged, failureThreshold: number | null): void {
  const { cooldowns, inProgress, wentOut } = said;
  const rows = db.prepare('SELECT * FROM proxy_cooldowns').all() as Record<string, string | number | null>[];
  const stored = new Map(rows.map((row) => [`${row.proxy_id} ${row.scope} ${row.source}`, row]));
  const statusOf = db.prepare('SELECT status FROM proxies WHERE id = ?').pluck();
  for (const key of new Set([...cooldowns.keys(), ...stored.keys()])) {
    const [id, scope, source] = [
      key.split(' ')[0] ?? '',
      key.split(' ').slice(1, -1).join(' '),
      key.split(' ').at(-1),
    ];
    if (inProgress?.proxy === id) continue;
    const row = stored.get(key);
    const acknowledged = cooldowns.get(key) ?? null;
    // A cooldown of a person ends by itself, and so does a short one of the engine: between two calls, which then tell nothing of it.
    const until = row === undefined ? acknowledged?.until : null;
    const hasEnded = until != null && (source === 'person' || Date.parse(until) <= Date.now());
    // The failure in progress may have shown that the domain fails, which takes back what that has done to other proxies.
    const kind = acknowledged?.kind ?? '';
    const isPardoned =
      row === undefined && inProgress?.op === 'outcome' && ['timeout', 'status', 'reset'].includes(kind);
    if (!hasEnded && !isPardoned)
      expect({ key, ...shown(row) }).toEqual({ key, ...shown(acknowledged ?? undefined) });
    if (source === 'engine' && scope === '')
      // They are one transaction.
      expect(statusOf.get(id)).toBe(row !== undefined && failureThreshold !== null ? 'failed' : 'active');
  }
  const events = db
    .prepare(
      'SELECT count(*) FROM rotation_events WHERE previous_proxy_id IS NOT NULL AND new_proxy_id IS NULL',
    )
    .pluck()
    .get();
  expect([wentOut, wentOut + Number(inProgress !== null)]).toContain(events);
}

function shown(cooldown: Record<string, unknown> | object | undefined): object {
  if (cooldown === undefined) return { isOut: false };
  const { kind, times, until, detail } = cooldown as Record<string, unknown>;
  return {
    isOut: true,
    kind,
    times,
    until: until && new Date(String(until).replace(' ', 'T').replace(/Z?$/, 'Z')).toISOString(),
    detail,
  };
}
