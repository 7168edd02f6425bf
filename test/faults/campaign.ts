/**
 * What the parts of the fault campaign share: its size, its seed, and the tally that is printed at the end of the tests.
 *
 * - `PROXYVAULT_FAULTS=600` gives each part 600 seconds in place of its few; `PROXYVAULT_FAULTS=long` an hour.
 * - `PROXYVAULT_SEED=123` repeats a run: the seed of each run is in the summary and in every failure.
 */
import { appendFileSync } from 'node:fs';
import { inject } from 'vitest';

const { PROXYVAULT_FAULTS } = process.env;

/** How long each part may take in milliseconds; null in the suite, where each part has a number of tries instead. */
export const BUDGET_MS =
  PROXYVAULT_FAULTS === undefined
    ? null
    : 1000 * (PROXYVAULT_FAULTS === 'long' ? 3600 : positive('PROXYVAULT_FAULTS', PROXYVAULT_FAULTS));

export const SEED = inject('seed');

/** For the test's own timeout. */
export const TIMEOUT_MS = (BUDGET_MS ?? 0) * 2 + 180_000;

type Part = 'power-loss images' | 'kills' | 'I/O faults' | 'damages' | 'limits';

export interface Tally {
  part: Part;
  tried: number;
  failed: number;
}

/** Adds to the summary, which summary.setup.ts prints when all test files have ended. */
export function tally(result: Tally): void {
  appendFileSync(inject('tally'), `${JSON.stringify(result)}\n`);
}

/** Whether to go on after so many tries: `most` of them in the suite, else as long as one of `shares` of the budget lasts. */
export function untilBudget(most: number, shares = 1): (tries: number) => boolean {
  const begun = Date.now();
  return (tries) => (BUDGET_MS === null ? tries < most : Date.now() - begun < BUDGET_MS / shares);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new Error(`${name} must be a number above 0, and is ${text}.`);
  return value;
}
