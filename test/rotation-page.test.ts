import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { POOL_DEFAULTS } from '../src/model/pool-options.ts';
import { ROTATION_STRATEGIES } from '../src/model/strategies.ts';
import { GROUPED_OPTIONS, OPTION_GROUPS, type StrategyOptions } from '../src/model/strategy-options.ts';
import { STRATEGY_DEFAULTS } from '../src/model/strategy-settings.ts';

const PAGE = readFileSync(new URL('../docs/rotation.md', import.meta.url), 'utf8');

/** The cells of the table whose first heading is this one. */
function rowsOf(heading: string): string[][] {
  const [, table = ''] = PAGE.split(`| ${heading} | `);
  const lines = table.split('\n').slice(2);
  const rows = lines.slice(0, lines.indexOf(''));
  return rows.map((row) => row.slice(2, -2).split(' | '));
}

function shown(value: unknown): string {
  if (value === null || value === undefined || value === Number.POSITIVE_INFINITY) return 'none';
  return `\`${typeof value === 'object' ? JSON.stringify(value) : value}\``;
}

/** Every option of the strategies. The compiler sees to it that none is left out. */
const STRATEGY_OPTIONS: Record<Exclude<keyof StrategyOptions, (typeof OPTION_GROUPS)[number]>, true> = {
  weights: true,
  country: true,
  regions: true,
  excludedCountries: true,
  strict: true,
  stickyTtlMs: true,
  stickyByDefault: true,
  stickyChoice: true,
  stickyWhenOut: true,
  jitterMs: true,
  minIntervalMs: true,
  maxIntervalMs: true,
  rotateOnFailure: true,
  schedule: true,
  timeZone: true,
  custom: true,
};

it.each(OPTION_GROUPS)(
  'docs/rotation.md has each option of %s with its unit, default and reason',
  (group) => {
    const defaults: Readonly<Record<string, unknown>> = POOL_DEFAULTS[group];
    const rows = rowsOf(`\`${group}\``);
    expect(rows.map(([name, , value]) => [name, value])).toEqual(
      GROUPED_OPTIONS[group].map((name) => [`\`${name}\``, shown(defaults[name])]),
    );
    expect(rows.flat().filter((cell) => cell.trim() === '')).toEqual([]);
  },
);

it('docs/rotation.md has each option of the strategies with its unit, default and reason', () => {
  const defaults: Readonly<Record<string, unknown>> = STRATEGY_DEFAULTS;
  const rows = rowsOf('option');
  expect(rows.map(([name, , value]) => [name, value])).toEqual(
    Object.keys(STRATEGY_OPTIONS).map((name) => [`\`${name}\``, shown(defaults[name])]),
  );
  expect(rows.flat().filter((cell) => cell.trim() === '')).toEqual([]);
});

it('docs/rotation.md has each strategy', () => {
  expect(rowsOf('strategy').map(([name]) => name)).toEqual(ROTATION_STRATEGIES.map((name) => `\`${name}\``));
});
