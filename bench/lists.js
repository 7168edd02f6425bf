// Lists: reading one against a loop that splits its lines at the colons, and importing one against the same rows by hand.
import { execFileSync } from 'node:child_process';
import { closeSync, createReadStream, openSync, rmSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseProxyList } from 'proxyvault/lists';
import { newFile } from './pools.js';

const CHILD = fileURLToPath(new URL('import-child.js', import.meta.url));
const MIB = 1024 * 1024;
const PAIRS = 5;

/** @returns {Promise<{name: string, value: number, unit: string, goal: number | null, isLeast?: boolean}[]>} */
export async function measureLists({ lines = 1_000_000 } = {}) {
  const list = writeList(lines);
  const figures = [...(await measureParsing(list, lines)), ...measureImport(list, lines)];
  rmSync(list);
  return figures;
}

async function measureParsing(list, lines) {
  const times = { ours: [], bare: [] };
  for (let pair = 0; pair < PAIRS; pair++) {
    times.ours.push(await secondsOf(() => parse(list)));
    times.bare.push(await secondsOf(() => split(list)));
  }
  const [ours, bare] = [median(times.ours), median(times.bare)];
  return [
    {
      name: 'parseProxyList, of a split(":") loop over the lines',
      value: bare / ours,
      unit: 'x',
      goal: null,
    },
    { name: '  lines a second', value: lines / ours, unit: '', goal: null },
  ];
}

function measureImport(list, lines) {
  const run = (side) => {
    const path = newFile();
    const result = JSON.parse(
      execFileSync(process.execPath, [CHILD, side, list, path], { encoding: 'utf8' }),
    );
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
    if (result.count !== lines) throw new Error(`${result.count} proxies were imported`);
    return result;
  };
  const [bare, ours] = [run('bare'), run('ours')];
  const name = `import of ${lines.toLocaleString('en')} lines with credentials`;
  return [
    { name: `${name}, of bare`, value: bare.seconds / ours.seconds, unit: 'x', goal: 0.5, isLeast: true },
    { name: '  lines a second', value: lines / ours.seconds, unit: '', goal: null },
    { name: '  peak of resident memory', value: ours.peakBytes / MIB, unit: 'MiB', goal: 200 },
    { name: '  the same on bare better-sqlite3', value: bare.peakBytes / MIB, unit: 'MiB', goal: null },
  ];
}

async function parse(list) {
  let proxies = 0;
  for await (const verdict of parseProxyList(createReadStream(list))) if (verdict.kind === 'proxy') proxies++;
  return proxies;
}

async function split(list) {
  let proxies = 0;
  for await (const line of createInterface({ input: createReadStream(list) }))
    if (line.split(':').length === 4) proxies++;
  return proxies;
}

export function writeList(lines) {
  const path = `${newFile()}.txt`;
  const file = openSync(path, 'w', 0o600);
  for (let from = 0; from < lines; from += 10_000) {
    const count = Math.min(10_000, lines - from);
    writeSync(file, Array.from({ length: count }, (_, n) => lineOf(from + n)).join(''));
  }
  closeSync(file);
  return path;
}

function lineOf(n) {
  return `${11 + (n >> 16)}.1.${(n >> 8) & 255}.${n & 255}:8080:user${n}:secret-${n}\n`;
}

async function secondsOf(work) {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}
