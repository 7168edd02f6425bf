// What it takes to have a pool in memory: the time of the first choice, memory for each proxy, whole processes of the command line,
// and how soon a change by another process is seen.
import { execFileSync, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openVault } from 'proxyvault';
import { idOf, newPool } from './choosing-pools.js';
import { folder } from './pools.js';
import { median } from './rounds.js';

const BIN = fileURLToPath(new URL('../dist/cli/bin.js', import.meta.url));
const LOADING_CHILD = fileURLToPath(new URL('loading-child.js', import.meta.url));
const FOLLOWING_CHILD = fileURLToPath(new URL('following-child.js', import.meta.url));
const CHANGES = 20;

/** @returns {Promise<{name: string, value: number, unit: string, goal: number | null}[]>} */
export async function measureLoading({ isOnce = false } = {}) {
  const sizes = isOnce ? [1000] : [100_000, 1_000_000];
  const rounds = isOnce ? 1 : 3;
  const pools = sizes.map((size) => ({ size, path: newPool(size) }));
  return [
    ...pools.flatMap((pool) => measureProcess(pool, rounds)),
    ...pools.map(({ size, path }) => ({
      name: `process: proxyvault next, of ${size.toLocaleString('en')}`,
      value: median(Array.from({ length: rounds }, () => secondsOfNext(path))),
      unit: 's',
      goal: null,
    })),
    ...(await measureFollowing(pools[0], isOnce ? 1 : CHANGES)),
  ];
}

function measureProcess({ size, path }, rounds) {
  const found = Array.from({ length: rounds }, () =>
    JSON.parse(
      execFileSync(process.execPath, ['--expose-gc', LOADING_CHILD, path, join(folder, 'loading.key')], {
        encoding: 'utf8',
      }),
    ),
  );
  const of = (name) => median(found.map((each) => each[name]));
  const isLarge = size === 1_000_000;
  return [
    { name: `first choice, of ${size.toLocaleString('en')}`, value: of('seconds'), unit: 's', goal: null },
    { name: '  resident memory above the base', value: of('rss'), unit: 'MB', goal: isLarge ? 300 : null },
    { name: '  heap and buffers', value: of('held'), unit: 'MB', goal: isLarge ? 300 : null },
    { name: '  heap and buffers, of each proxy', value: (of('held') * 1e6) / size, unit: 'B', goal: null },
  ];
}

function secondsOfNext(path) {
  const start = process.hrtime.bigint();
  const { status } = spawnSync(process.execPath, [BIN, 'next', '--db', path], { stdio: 'ignore' });
  if (status !== 0) throw new Error(`proxyvault next ended with ${status}`);
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/** The changes come at any time between the moments at which the other process looks. */
async function measureFollowing({ path, size }, changes) {
  const keyFile = join(folder, 'loading.key');
  await using vault = await openVault({ path, keyFile, durability: 'normal' });
  const child = fork(FOLLOWING_CHILD, [path, keyFile]);
  await once(child, 'message');
  const delays = [];
  for (let n = 0; n < changes; n++) {
    await sleep(50 + ((n * 83) % 250));
    const region = `seen-${n}`;
    child.send(region);
    await once(child, 'message');
    const answer = once(child, 'message');
    vault.proxies.update(idOf(0), { region });
    const changedAt = Date.now();
    const [seenAt] = await answer;
    delays.push(seenAt - changedAt);
  }
  child.disconnect();
  await once(child, 'exit');
  return [
    {
      name: `a change by another process is seen, of ${size.toLocaleString('en')}`,
      value: median(delays),
      unit: 'ms',
      goal: null,
    },
    { name: `  the slowest of ${changes}`, value: Math.max(...delays), unit: 'ms', goal: 1000 },
  ];
}
