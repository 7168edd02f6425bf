// What leases take in memory while they are held.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newPool } from './choosing-pools.js';
import { folder } from './pools.js';
import { median } from './rounds.js';

const CHILD = fileURLToPath(new URL('holding-child.js', import.meta.url));

/** @returns {{name: string, value: number, unit: string, goal: null}[]} */
export function measureHolding({ isOnce = false } = {}) {
  const count = isOnce ? 1000 : 100_000;
  const args = ['--expose-gc', CHILD, newPool(count), join(folder, 'holding.key'), String(count)];
  const found = Array.from({ length: isOnce ? 1 : 3 }, () =>
    JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })),
  );
  const bytesOf = (name) => (median(found.map((each) => each[name])) * 1e6) / count;
  return [
    {
      name: `${count.toLocaleString('en')} leases that are held: heap and buffers, of each`,
      value: bytesOf('held'),
      unit: 'B',
      goal: null,
    },
    { name: '  resident memory, of each', value: bytesOf('rss'), unit: 'B', goal: null },
  ];
}
