import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SEED } from './campaign.ts';
import { SCRATCH } from './scratch.ts';
import type { Message, Verdict } from './trial.ts';

/** A trial that is silent for so long hangs. */
const SILENCE_MS = 60_000;

export interface Outcome {
  tried: number;
  failed: number;
  /** In how many the fault came. */
  faulty: number;
  /** The first failures, with how to repeat each. */
  failures: string[];
}

/** Has a child make trials as long as `goOn` says; begins a new one after a crash or a hang, which are failures. */
export async function runTrials(
  script: string,
  env: Record<string, string | undefined>,
  goOn: (tried: number) => boolean,
): Promise<Outcome> {
  const outcome: Outcome = { tried: 0, failed: 0, faulty: 0, failures: [] };
  const take = (number: number, { name, problem, isIdle = false }: Verdict): void => {
    outcome.tried++;
    if (!isIdle) outcome.faulty++;
    if (problem === null) return;
    outcome.failed++;
    if (outcome.failures.length < 30) outcome.failures.push(`${SEED} ${number}: ${name}: ${problem}`);
  };
  // A child that is killed cannot remove its files.
  const disk = mkdtempSync(join(SCRATCH, 'proxyvault-trials-'));
  const childEnv = { ...process.env, PROXYVAULT_TEST_DISK: disk, ...env };
  try {
    for (let from = 0; goOn(outcome.tried); )
      from = await serve(script, childEnv, from, take, () => goOn(outcome.tried));
    return outcome;
  } finally {
    rmSync(disk, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Until the child ends; gives the number of the trial to go on from. */
async function serve(
  script: string,
  env: NodeJS.ProcessEnv,
  from: number,
  take: (number: number, verdict: Verdict) => void,
  goOn: () => boolean,
): Promise<number> {
  const child = spawn(process.execPath, [script, String(SEED), '-', String(from)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors = `${errors}${chunk}`.slice(-2000);
  });
  let current = from;
  let name = 'the beginning';
  let isEnough = false;
  const hang = setTimeout(() => child.kill('SIGKILL'), SILENCE_MS);
  for await (const line of createInterface(child.stdout)) {
    if (isEnough) continue;
    const message = JSON.parse(line) as Message;
    hang.refresh();
    if ('begins' in message) current = message.begins;
    else if ('tries' in message) name = message.tries;
    else {
      take(message.ended, message.verdict);
      isEnough = !goOn();
      if (isEnough) child.kill('SIGKILL');
    }
  }
  clearTimeout(hang);
  if (!isEnough) take(current, { name, problem: `crashed or hung: ${errors}` });
  return current + 1;
}
