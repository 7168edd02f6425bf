// The gateway beside proxy-chain, and beside the upstream proxy that both lead to. Each is a process of its own, and so are the clients
// and the upstream, which is its own target. They take turns in short batches. `node bench/gateway.js [TEXT]` runs this part alone.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folder, newFile, isOnce as once } from './pools.js';
import { ask, median } from './rounds.js';

const { resolve: find } = createRequire(new URL('peers/package.json', import.meta.url));
const ROUNDS = 11;
const BATCH_MS = 600;
/** So long each side works before it is measured, so that its code is compiled. */
const WARM_MS = 2500;
const BULK = 64 * 1024 * 1024;
const MEMORY_ROUNDS = 3;
/** Before memory is measured: what is made once is made, and the code is compiled. So many tunnels at once, so many times. */
const WARM_TUNNELS = 200;
const WARM_TIMES = 5;

/** Each gives what a batch has done, and in how many milliseconds; `per` is what processor time is given for. */
const WORKS = [
  {
    name: 'GET, 32 clients that keep their connections',
    unit: '/s',
    run: (load, port, ms) => load({ work: 'ready', port, count: 32 }, { work: 'get', ms }),
    per: 10_000,
  },
  {
    name: 'CONNECT, one exchange, and the end: 16 at a time',
    unit: '/s',
    run: (load, port, ms) => load(null, { work: 'connects', port, count: 16, ms }),
    per: 10_000,
  },
  {
    name: 'a stream through a tunnel',
    unit: 'MB/s',
    run: (load, port, ms) => load(null, { work: 'bulk', port, bytes: ms < BATCH_MS ? 1e6 : BULK }),
    per: 10_000,
  },
  // How long a request takes depends on how many there are: here each side gets as many.
  ...[500, 2000].map((rate) => ({
    name: `GET, ${rate.toLocaleString('en')} a second by 16 clients`,
    unit: '/s',
    run: (load, port, ms) => load({ work: 'ready', port, count: 16 }, { work: 'paced', ms: 2 * ms, rate }),
    per: 10_000,
    isTimed: true,
  })),
];
const HELD = [1000, 10_000];

/**
 * @typedef {object} Row `ratio` above 1 says that ours is ahead of proxy-chain. Without proxy-chain it is null, as all that is its.
 * @property {string} name
 * @property {string} unit
 * @property {number} ours
 * @property {number | null} chain
 * @property {number | null} upstream
 * @property {number | null} ratio
 * @property {number | null} least
 * @property {number | null} most
 */

/**
 * @param {{isOnce?: boolean, only?: string}} options `isOnce` does each once and small, to see that it works
 * @returns {Promise<Row[]>}
 */
export async function measureGateway({ isOnce = once, only = '' } = {}) {
  const kinds = ['ours', ...(hasPeer(isOnce) ? ['chain'] : [])];
  const works = WORKS.filter(({ name }) => name.includes(only));
  const sizes = HELD.filter((size) => `open tunnels ${size}`.includes(only));
  return [
    ...(works.length > 0 ? await measureWorks(works, kinds, isOnce) : []),
    ...(await measureMemory(isOnce ? sizes.slice(0, 1) : sizes, kinds, isOnce)),
  ];
}

async function measureWorks(works, kinds, isOnce) {
  const { upstream, load, end } = await startEnds();
  const sides = { upstream, ...(await startAll(kinds, upstream.port)) };
  const rows = [];
  for (const work of works) {
    const rounds = [];
    if (!isOnce) for (const side of Object.values(sides)) await batch(load, side, work, WARM_MS);
    for (let round = 0; round < (isOnce ? 1 : ROUNDS); round++) {
      const found = {};
      const names = Object.keys(sides);
      for (const name of names.map((_, n) => names[(n + round) % names.length]))
        found[name] = await batch(load, sides[name], work, isOnce ? 10 : BATCH_MS);
      rounds.push(found);
    }
    rows.push(...rowsOf(work, rounds));
  }
  for (const { child } of Object.values(sides)) child.disconnect();
  end();
  return rows;
}

/** One batch of a work through one side: what it did, and the processor time of the side's process. */
async function batch(load, { child, port }, work, ms) {
  let used = 0;
  const ordered = async (first, then) => {
    if (first !== null) await ask(load, first);
    const before = await ask(child, 'time');
    const result = await ask(load, then);
    used = (await ask(child, 'time')) - before;
    return result;
  };
  const result = await work.run(ordered, port, ms);
  return { ...result, rate: (1000 * result.count) / result.ms, seconds: used / 1e6 / result.count };
}

function rowsOf({ name, unit, per, isTimed }, rounds) {
  const seconds = row(rounds, {
    name: `  seconds of the processor for ${unit === 'MB/s' ? '10 GB' : '10,000'}`,
    unit: 's',
    of: ({ seconds: each }) => each * per,
    isCost: true,
  });
  if (!isTimed) return [row(rounds, { name, unit, of: ({ rate }) => rate }), seconds];
  return ['p50', 'p99'].map((percentile) => addedRow(rounds, `${name}: added ${percentile}`, percentile));
}

function row(rounds, { name, unit, of, isCost = false }) {
  const middle = (side) =>
    rounds[0][side] === undefined ? null : median(rounds.map((each) => of(each[side])));
  const ratios =
    rounds[0].chain === undefined
      ? null
      : rounds.map(({ ours, chain }) => (isCost ? of(chain) / of(ours) : of(ours) / of(chain)));
  return {
    name,
    unit,
    ours: middle('ours'),
    chain: middle('chain'),
    upstream: middle('upstream'),
    ...spread(ratios),
  };
}

/** What a gateway adds to the time of the upstream alone, in microseconds. */
function addedRow(rounds, name, percentile) {
  const us = (side) => (each) =>
    1000 * (each[side][percentile] - (side === 'upstream' ? 0 : each.upstream[percentile]));
  const middle = (side) => (rounds[0][side] === undefined ? null : median(rounds.map(us(side))));
  const ratios =
    rounds[0].chain === undefined ? null : rounds.map((each) => us('chain')(each) / us('ours')(each));
  return {
    name,
    unit: 'us',
    ours: middle('ours'),
    chain: middle('chain'),
    upstream: middle('upstream'),
    ...spread(ratios),
  };
}

/** Bytes of the gateway's process for each open tunnel, in new processes each time. */
async function measureMemory(sizes, sides, isOnce) {
  const rows = [];
  for (const wanted of sizes) {
    const size = isOnce ? 50 : Math.min(wanted, mostTunnels());
    const rounds = [];
    for (let round = 0; round < (isOnce ? 1 : MEMORY_ROUNDS); round++) {
      const found = {};
      for (const side of sides) found[side] = await held(side, size, isOnce);
      rounds.push(found);
    }
    const few =
      size < wanted && !isOnce ? ` (${size.toLocaleString('en')} here: more files may not be open)` : '';
    const tunnels = `${wanted.toLocaleString('en')} open tunnels${few}`;
    const kinds = { rss: `${tunnels}: memory of each`, held: '  heap and buffers of each' };
    for (const [kind, name] of Object.entries(kinds))
      rows.push(row(rounds, { name, unit: 'KiB', of: (memory) => memory[kind] / 1024, isCost: true }));
  }
  return rows;
}

async function held(kind, count, isOnce) {
  const { upstream, load, end } = await startEnds();
  const { [kind]: side } = await startAll([kind], upstream.port);
  const { port, child } = side;
  for (let time = 0; time < (isOnce ? 1 : WARM_TIMES); time++) {
    await ask(load, { work: 'hold', port, count: isOnce ? 10 : WARM_TUNNELS });
    await ask(load, { work: 'drop' });
  }
  const before = await ask(child, 'memory');
  await ask(load, { work: 'hold', port, count });
  const after = await ask(child, 'memory');
  for (const each of [child, upstream.child]) each.disconnect();
  end();
  const each = (name) => ((after[name] - before[name]) * 1e6) / count;
  return { rss: each('rss'), held: each('held') };
}

/** A gateway has two sockets for each tunnel. Node raises the limit as far as the system lets it. */
function mostTunnels() {
  const [, limit] = /^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return limit === undefined ? Number.POSITIVE_INFINITY : Math.floor((Number(limit) - 200) / 200) * 100;
}

/** The two ends that every side has: the clients, and the upstream proxy. */
async function startEnds() {
  const upstream = await start('gateway-upstream.js', []);
  const load = fork(scriptOf('gateway-load.js'));
  return { upstream, load, end: () => load.disconnect() };
}

async function startAll(kinds, upstreamPort) {
  const sides = {};
  for (const kind of kinds)
    sides[kind] = await start('gateway-child.js', [
      kind,
      upstreamPort,
      newFile(),
      join(folder, 'gateway.key'),
    ]);
  return sides;
}

async function start(script, args) {
  const child = fork(scriptOf(script), args.map(String), { execArgv: ['--expose-gc'] });
  const { port } = await ask(child);
  return { child, port };
}

function scriptOf(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}

function hasPeer(isOnce) {
  try {
    find('proxy-chain');
    return true;
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    if (!isOnce) console.error('The comparison with proxy-chain is skipped: run npm ci in bench/peers.');
    return false;
  }
}

function spread(ratios) {
  if (ratios === null) return { ratio: null, least: null, most: null };
  return { ratio: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}

/** One line for each row. */
export function describeGateway({ name, unit, ours, chain, upstream, ratio, least, most }) {
  const show = (value) => (value === null ? '-' : digits(value)).padStart(9);
  const verdict =
    ratio === null
      ? ''
      : `${ratio.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)}) ${ratio < 1 ? 'NOT ahead' : 'ahead'}`;
  return `${name.padEnd(58)}${show(ours)}${show(chain)}${show(upstream)} ${unit.padEnd(5)} ${verdict}`;
}

/** Three digits that count, or all before the point. */
export function digits(value) {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const each of await measureGateway({ only: process.argv[2] })) console.log(describeGateway(each));
