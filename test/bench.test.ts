import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { ROTATION_STRATEGIES } from '../src/model/rotation.ts';
import { SCRATCH } from './faults/scratch.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

it('every benchmark still runs, and the page on performance has a row for each', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['bench/run.js', '--json'], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, PROXYVAULT_BENCH_ONCE: '1', TMPDIR: SCRATCH },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const { ratios, choosing, leasing, storing, gateway, figures } = JSON.parse(stdout) as Record<
    'ratios' | 'choosing' | 'leasing' | 'storing' | 'gateway' | 'figures',
    { name: string; strategy: string }[]
  >;
  const names = ratios.map(({ name }) => name);
  const page = readFileSync(`${ROOT}/docs/performance.md`, 'utf8');
  const rowsOf = (table: string): (string | undefined)[] => {
    const [, rows = ''] = new RegExp(`<!-- ${table} -->([\\s\\S]*?)<!-- /${table} -->`).exec(page) ?? [];
    return [...rows.matchAll(/^\| ([^|]+) \| [\d.]/gm)].map(([, name]) => name);
  };
  expect(choosing.map(({ strategy }) => strategy).sort()).toEqual([...ROTATION_STRATEGIES].sort());
  expect(figures.map(({ name }) => name)).toContain('first choice, of 1,000');
  expect(figures.map(({ name }) => name)).toContain('1,000 leases that are held: heap and buffers, of each');
  expect(names.length).toBeGreaterThan(15);
  expect(rowsOf('ratios').filter((name) => !name?.endsWith(', Drizzle'))).toEqual(names);
  expect(leasing.map(({ name }) => name)).toEqual(expect.arrayContaining([...ROTATION_STRATEGIES]));
  expect(rowsOf('leasing')).toEqual(leasing.map(({ name }) => name));
  const first = ({ name }: { name: string }): string => name.trim().split(/[,:(]/, 1)[0]?.trim() ?? '';
  expect(gateway.map(first)).toEqual(expect.arrayContaining(['GET', 'CONNECT', 'a stream through a tunnel']));
  const pageRows = rowsOf('gateway').map((name) => first({ name: name ?? '' }));
  expect(pageRows).toEqual(expect.arrayContaining(gateway.map(first)));
  expect(rowsOf('storing')).toEqual(expect.arrayContaining(storing.map(({ name }) => name)));
}, 60_000);
