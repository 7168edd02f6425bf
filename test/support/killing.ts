/**
 * Kills processes (SIGKILL) at a chosen change that they make in a folder: test/faults/shim counts them, so that a kill falls
 * where it is meant to, on every machine.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, expect } from 'vitest';
import { SEED, tally } from '../faults/campaign.ts';
import { type Recorded, readRecording } from '../faults/power-loss/recording.ts';
import { Random } from '../faults/random.ts';
import { compileShim } from '../faults/shim/compile.ts';

/** What build.setup.ts makes of fixtures/writer.mjs. */
export const WRITER = fileURLToPath(
  new URL('../../node_modules/.cache/proxyvault-tests/writer.mjs', import.meta.url),
);

export const shim = compileShim();

/** A place to be killed at: right after change number `nth` (from 1), or after the `nth` that is not a write. */
export interface Place {
  nth: number;
  among: 'changes' | 'others';
}

/** The letters of the shim's log for them. */
const LETTERS = { changes: 'WOSTRLUM', others: 'OSTRLUM' };

let kills = 0;

/** Has the kills of this test file in the summary of the fault campaign. */
export function tallyKills(): void {
  let failed = 0;
  kills = 0;
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') failed++;
  });
  afterAll(() => tally({ part: 'kills', tried: kills, failed }));
}

/** How a process ended. */
export interface Ended {
  code: number | null;
  errors: string;
  /** What it had said on standard output, a line each. */
  lines: string[];
  /**
   * Each change that it made in the folder, in order: `write pool.db-wal`, `rename key`; of a temporary file the end of its
   * name, `sync .partial`. Empty without the shim.
   */
  changes: string[];
}

/**
 * Runs Node with `args` and kills it at a place of what it changes in `folder`, if it gets so far. Without the shim it is
 * killed when it has said something.
 */
export async function runKilled(
  args: readonly string[],
  { folder, place, env = {} }: { folder: string; place?: Place; env?: NodeJS.ProcessEnv },
): Promise<Ended> {
  const log = `${folder}.calls`;
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...env,
      ...(shim.path && { LD_PRELOAD: shim.path, FILE_CALLS_LOG: log, FILE_CALLS_ROOT: folder }),
      ...(place && { FILE_CALLS_KILL: `${LETTERS[place.among]}:${place.nth}` }),
    },
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
    if (shim.problem && place) child.kill('SIGKILL');
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (signal === 'SIGKILL') kills++;
  const changes = shim.path ? changesIn(readRecording(log)) : [];
  rmSync(log, { force: true });
  return { code, errors, lines: output.split('\n').slice(0, -1), changes };
}

function changesIn(calls: readonly Recorded[]): string[] {
  const paths = new Map<number, string>();
  return calls.flatMap((call) => {
    if ('path' in call && 'descriptor' in call) paths.set(call.descriptor, call.path);
    if (call.call === 'acknowledge' || call.call === 'close') return [];
    if (call.call === 'open' && call.how === 'existing') return [];
    const path = 'to' in call ? call.to : 'path' in call ? call.path : paths.get(call.descriptor);
    const name = basename(path ?? '');
    return [`${call.call} ${name.startsWith('.') ? extname(name) : name}`];
  });
}

/**
 * Starts writers (fixtures/writer.mjs) one after another on the same pool, and kills each at another place. The places are
 * spread over the first changes of what a writer does, half of them over those that are no writes, which are few and
 * where most is decided; the suite's seed says which. `check` gets what each had said.
 *
 * @returns the last change that each had made; none without the shim
 */
export async function killWriters(
  mode: string,
  folder: string,
  { count, ...most }: { count: number; changes: number; others: number },
  check: (lines: string[], number: number) => unknown,
): Promise<string[]> {
  const random = new Random(SEED);
  const last: string[] = [];
  for (let number = 1; number <= count; number++) {
    const among = number % 2 === 0 ? 'others' : 'changes';
    const nth = 1 + Math.floor(((number - 1 + random.next()) * most[among]) / count);
    const args = [WRITER, mode, join(folder, 'pool.db'), join(folder, 'key'), String(number)];
    const env = { NODE_COMPILE_CACHE: dirname(WRITER) };
    const { code, errors, changes, lines } = await runKilled(args, { folder, place: { nth, among }, env });
    expect({ code, errors }).toEqual({ code: null, errors: '' });
    last.push(...changes.slice(-1));
    await check(lines, number);
  }
  return last;
}

/** That some died right after a change that matches each of these; see {@link killWriters}. */
export function expectDeathsAt(patterns: readonly RegExp[], last: readonly string[]): void {
  if (shim.problem) return;
  for (const pattern of patterns) expect(last).toContainEqual(expect.stringMatching(pattern));
}
