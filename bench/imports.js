// Import in this checkout against another one of this repository, such as a worktree of an earlier commit with its own
// `npm ci`: `node bench/imports.js OTHER [LINES] [ROUNDS]`. They take turns, each in a process of its own, and the order changes
// each round, because the machine may be noisy. Prints new / old, by time on the clock and by processor time.
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeList } from './lists.js';
import { newFile } from './pools.js';

const OWN = fileURLToPath(new URL('..', import.meta.url));
/** Makes the child print its processor time, also one of a checkout that does not do so itself. */
const REPORT = `data:text/javascript,${encodeURIComponent(
  `process.on('exit', () => { const { user, system } = process.cpuUsage(); process.stderr.write(String((user + system) / 1e6)); });`,
)}`;

const [other, lines = '200000', rounds = '6'] = process.argv.slice(2);
if (other === undefined) throw new Error('Usage: node bench/imports.js OTHER [LINES] [ROUNDS]');
for (const root of [OWN, resolve(other)])
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
const list = writeList(Number(lines));
const ratios = { clock: [], processor: [] };
for (let round = 0; round < Number(rounds); round++) {
  const roots = [resolve(other), OWN];
  const times = new Map(
    (round % 2 === 0 ? roots : roots.toReversed()).map((root) => [root, importOnce(root)]),
  );
  const [old, own] = roots.map((root) => times.get(root));
  for (const kind of ['clock', 'processor']) ratios[kind].push(own[kind] / old[kind]);
  console.log(`clock ${ratios.clock[round].toFixed(3)}, processor ${ratios.processor[round].toFixed(3)}`);
}
rmSync(list);
for (const [kind, all] of Object.entries(ratios)) {
  const sorted = all.toSorted((a, b) => a - b);
  console.log(`${kind}: median ${sorted[sorted.length >> 1].toFixed(3)} of ${lines} lines, new / old`);
}

function importOnce(root) {
  const path = newFile();
  const child = join(root, 'bench', 'import-child.js');
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import', REPORT, child, 'ours', list, path],
    { cwd: root, encoding: 'utf8' },
  );
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
  if (status !== 0) throw new Error(stderr);
  return { clock: JSON.parse(stdout).seconds, processor: Number(stderr) };
}
