/** Prints, once all test files have ended, the seed of the run and how much the fault campaign has tried. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import type { Tally } from './campaign.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The file that the parts of the campaign append their figures to, a line of JSON each. */
    tally: string;
    /** What all random choices of this run come from. */
    seed: number;
  }
}

const SUITE_SEED = 1216541214;

export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'proxyvault-tally-'));
  const file = join(folder, 'tally.jsonl');
  project.provide('tally', file);
  const seed = seedOf(process.env.PROXYVAULT_SEED);
  project.provide('seed', seed);
  return () => {
    const lines = existsSync(file) ? summarize(readFileSync(file, 'utf8')) : [];
    console.log(['', `All chance came from PROXYVAULT_SEED=${seed}.`, ...lines, ''].join('\n'));
    rmSync(folder, { recursive: true, force: true });
  };
}

function seedOf(text: string | undefined): number {
  // The suite is the same each time; a campaign of its own is another one each time.
  const isLong = process.env.PROXYVAULT_FAULTS !== undefined;
  const seed = text !== undefined ? Number(text) : isLong ? Math.floor(Math.random() * 2 ** 31) : SUITE_SEED;
  if (Number.isSafeInteger(seed)) return seed;
  throw new Error(`PROXYVAULT_SEED must be a whole number, and is ${text}.`);
}

function summarize(text: string): string[] {
  const totals = new Map<string, { tried: number; failed: number }>();
  for (const line of text.trim().split('\n')) {
    const { part, tried, failed } = JSON.parse(line) as Tally;
    const total = totals.get(part) ?? { tried: 0, failed: 0 };
    totals.set(part, {
      tried: total.tried + tried,
      failed: total.failed + failed,
    });
  }
  const lines = [...totals].map(
    ([part, { tried, failed }]) =>
      `  ${part.padEnd(18)} ${String(tried).padStart(9)} tried ${String(failed).padStart(6)} failed`,
  );
  return ['Fault campaign:', ...lines];
}
