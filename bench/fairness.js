// How equal the turns of several processes are that all write as often as they can. `node bench/fairness.js [PROCESSES]
// [SECONDS]` runs it alone. Each child chooses a proxy and reports how it did, which is a write, and prints how often and its longest wait.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { initDatabase, openVault } from 'proxyvault';
import { fill, newFile } from './pools.js';

const SELF = fileURLToPath(import.meta.url);

/** @returns {Promise<{name: string, value: number, unit: string, goal: number | null, isLeast?: boolean}[]>} */
export async function measureFairness({ processes = 8, seconds = 5 } = {}) {
  const path = newFile();
  const db = initDatabase({ path });
  db.migrations.up();
  fill(db, 1000);
  db.close();
  // A common start, so that none of them is alone for a while.
  const start = Date.now() + 500 * processes;
  const children = Array.from({ length: processes }, () => runChild([path, start, seconds]));
  const results = await Promise.all(children);
  const turns = results.map((result) => result.turns);
  const name = `${processes} processes that choose and report: slowest of fastest`;
  return [
    { name, value: Math.min(...turns) / Math.max(...turns), unit: 'x', goal: 0.5, isLeast: true },
    { name: '  turns a second, all together', value: sum(turns) / seconds, unit: '', goal: null },
    {
      name: '  longest wait',
      value: Math.max(...results.map(({ longest }) => longest)),
      unit: 'ms',
      goal: null,
    },
  ];
}

function runChild(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [SELF, 'child', ...args.map(String)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.on('close', (code) =>
      code === 0 ? resolve(JSON.parse(output)) : reject(new Error(`a child ended with ${code}`)),
    );
  });
}

async function child([path, start, seconds]) {
  const vault = await openVault({ path, busyTimeoutMs: 60_000, keyFile: `${path}.key` });
  const { pool } = vault;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.max(0, Number(start) - Date.now()));
  const end = performance.now() + Number(seconds) * 1000;
  let turns = 0;
  let longest = 0;
  for (let now = performance.now(); now < end; turns++) {
    pool.report(pool.choose().id, { success: true });
    const then = performance.now();
    longest = Math.max(longest, then - now);
    now = then;
  }
  await vault.close();
  process.stdout.write(JSON.stringify({ turns, longest }));
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

if (process.argv[1] === SELF) {
  const [mode, ...args] = process.argv.slice(2);
  if (mode === 'child') await child(args);
  else {
    const [processes = 8, seconds = 5] = process.argv.slice(2).map(Number);
    console.log(await measureFairness({ processes, seconds }));
  }
}
