/** How often a property is tried: so often in the suite, and `PROXYVAULT_RUNS=50` times as often in a longer run. */
export function numberOfRuns(inSuite: number): number {
  return Math.ceil(inSuite * Number(process.env.PROXYVAULT_RUNS ?? 1));
}
