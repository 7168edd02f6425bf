/**
 * Damaged files: the pool, its log or its key file with bits flipped, pages zeroed, swapped or missing (damages.trial.ts). All
 * reading, and a few writes, then throw typed errors only, nothing hangs, and a login that can be read is the right one.
 *
 * `PROXYVAULT_FAULTS=600 npm test -- test/faults/damages` tries it for ten minutes, and
 * `node test/faults/damages.trial.ts SEED NUMBER` repeats a failure.
 */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { SEED, TIMEOUT_MS, tally, untilBudget } from './campaign.ts';
import { runTrials } from './trials.ts';

const DAMAGES = 50;
const TRIAL = fileURLToPath(new URL('damages.trial.ts', import.meta.url));

it.skipIf(process.platform === 'win32')(
  `a damaged file is a typed error, never a wrong login (seed ${SEED})`,
  async () => {
    const { failures, faulty: _, ...figures } = await runTrials(TRIAL, {}, untilBudget(DAMAGES));
    tally({ part: 'damages', ...figures });
    expect(failures).toEqual([]);
  },
  TIMEOUT_MS,
);
