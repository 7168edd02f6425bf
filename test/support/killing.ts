import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, expect } from 'vitest';
import { tally } from '../faults/campaign.ts';

/** What build.setup.ts makes of fixtures/writer.mjs. */
const WRITER = fileURLToPath(
  new URL('../../node_modules/.cache/proxyvault-tests/writer.mjs', import.meta.url),
);

let kills = 0;

/** Counts a kill for the summary; see {@link tallyKills}. */
export function countKill(): void {
  kills++;
}

/** Has the kills of this test file in the summary of the fault campaign. */
export function tallyKills(): void {
  let failed = 0;
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') failed++;
  });
  afterAll(() => tally({ part: 'kills', tried: kills, failed }));
}

/** Starts a writer, kills it at a random moment of its work, and gives the lines that it had finished. */
export async function killDuring(mode: string, folder: string, seed: number): Promise<string[]> {
  const args = [WRITER, mode, join(folder, 'pool.db'), join(folder, 'key'), String(seed)];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: dirname(WRITER) },
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const closed = once(child, 'close');
  // One in four dies while it starts, opens or migrates; the others some time after their first commit.
  if (seed % 4 !== 0) await Promise.race([once(child.stdout, 'data'), closed]);
  await new Promise((resolve) => setTimeout(resolve, Math.random() * (seed % 4 === 0 ? 100 : 60)));
  child.kill('SIGKILL');
  countKill();
  await closed;
  expect(errors).toBe('');
  return output.split('\n').slice(0, -1);
}

/** Does it so many times, with the seeds 1, 2, 3 and so on. */
export async function rounds(count: number, round: (seed: number) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= count; seed++) await round(seed);
}
