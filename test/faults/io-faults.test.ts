/**
 * I/O faults: one call of the public operations (operations.ts) gets an error of the operating system, once or from then on.
 * The operation may only succeed or throw a typed error that fits (fitting.ts); afterwards everything that was acknowledged
 * is there, and nothing of what failed.
 *
 * The suite tries some hundred. `PROXYVAULT_FAULTS=600 npm test -- test/faults/io-faults` tries them for ten minutes, and
 * `LD_PRELOAD=… node test/faults/io-faults.trial.ts SEED NUMBER` repeats a failure.
 */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { SEED, TIMEOUT_MS, tally, untilBudget } from './campaign.ts';
import { compileShim } from './shim/compile.ts';
import { runTrials } from './trials.ts';

const FAULTS = 100;
const TRIAL = fileURLToPath(new URL('io-faults.trial.ts', import.meta.url));
const shim = compileShim();

it(
  `an I/O fault is a typed error that fits, and loses nothing (seed ${SEED})`,
  async (context) => {
    if (shim.problem) return context.skip(shim.problem);
    const { failures, faulty, ...figures } = await runTrials(
      TRIAL,
      { LD_PRELOAD: shim.path },
      untilBudget(FAULTS),
    );
    tally({ part: 'I/O faults', ...figures });
    expect(failures).toEqual([]);
    // A call may be left out once in a while, as when a thread is faster.
    expect(faulty).toBeGreaterThan(figures.tried * 0.8);
  },
  TIMEOUT_MS,
);
