// `npm run mutants [-- AREA…] [--only TEXT] [--sample N] [--whole] [--list]` puts one fault after another into a copy of the source and
// prints which test noticed it. The faults are in scripts/mutants/.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Checkout } from './mutation/checkout.js';
import { readAreas, withFault } from './mutation/table.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Which test file noticed a fault last time: it runs first this time. */
const MEMORY = join(ROOT, 'node_modules/.cache/proxyvault-mutants.json');
const MINUTE = 60_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    sample: { type: 'string' },
    whole: { type: 'boolean' },
    list: { type: 'boolean' },
    jobs: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

const HELP = `npm run mutants [-- AREA…] [options]

Tries each fault of scripts/mutants/AREA.js, or of all areas, and prints what noticed it.

  --only TEXT   only faults whose file or description contains TEXT
  --sample N    only N faults of each area, spread over its table
  --whole       runs the whole suite on what the tests of its area did not notice
  --list        lists the faults, and whether each still fits the source
  --jobs N      how many to try at once (default: the number of processors)

Exit code 1: a fault survived without a reason in the table, or no longer fits the source.
Exit code 2: nothing could be tried, for example because a test fails without any fault.`;

/** What became of a fault. */
const KILLED = 'killed';
const SURVIVED = 'survived';
const KNOWN = 'known';
const STALE = 'stale';

if (options.help) console.log(HELP);
else {
  process.exit(
    await run().catch((error) => {
      console.error(error.message);
      return 2;
    }),
  );
}

async function run() {
  const areas = (await readAreas(positionals)).map((area) => ({
    ...area,
    faults: spread(area.faults.filter(({ file, what }) => `${file} ${what}`.includes(options.only ?? ''))),
  }));
  if (options.list) return list(areas);
  const checkouts = Array.from(
    { length: Number(options.jobs ?? availableParallelism()) },
    () => new Checkout(ROOT),
  );
  const memory = readMemory();
  process.once('SIGINT', () => process.exit(130));
  process.once('exit', () => {
    for (const checkout of checkouts) checkout.remove();
    mkdirSync(dirname(MEMORY), { recursive: true });
    writeFileSync(MEMORY, JSON.stringify(memory, null, 1));
  });
  const figures = [];
  for (const area of areas) {
    if (area.faults.length > 0) figures.push(await tryArea(area, checkouts, memory));
  }
  console.log('');
  for (const { name, counts } of figures) console.log(summary(name, counts));
  return figures.some(({ counts }) => counts.survived + counts.stale > 0) ? 1 : 0;
}

/** As many as `--sample` says, at equal distances. */
function spread(faults) {
  const count = Math.min(Number(options.sample ?? faults.length), faults.length);
  return Array.from({ length: count }, (_, n) => faults[Math.floor(((n + 0.5) * faults.length) / count)]);
}

function list(areas) {
  let stale = 0;
  for (const { name, faults } of areas) {
    console.log(`${name}: ${faults.length}`);
    for (const fault of faults) {
      const fits = withFault(ROOT, fault) !== null;
      if (!fits) stale++;
      console.log(`  ${fits ? '     ' : 'STALE'} ${fault.file}: ${fault.what}`);
    }
  }
  return stale > 0 ? 1 : 0;
}

async function tryArea({ name, tests, faults }, checkouts, memory) {
  console.log(`${name}: ${faults.length} faults; first the tests without any`);
  const started = Date.now();
  const clean = await checkouts[0].run({ filters: tests, order: tests, limitMs: 30 * MINUTE });
  if (clean.failed)
    throw new Error(`A test fails without a fault: ${clean.failed.file} › ${clean.failed.test}`);
  // A fault that makes a loop endless counts as noticed when the tests take three times as long as they should.
  const limitMs = MINUTE + 3 * (Date.now() - started);
  const counts = { killed: 0, survived: 0, known: 0, stale: 0 };
  let done = 0;
  const waiting = [...faults];
  const work = async (checkout) => {
    for (let fault = waiting.shift(); fault !== undefined; fault = waiting.shift()) {
      const since = Date.now();
      const { state, by } = await tryFault(checkout, fault, tests, limitMs, memory);
      counts[state]++;
      const seconds = ((Date.now() - since) / 1000).toFixed(1);
      console.log(
        `${String(++done).padStart(4)}/${faults.length} ${state.padEnd(8)} ${fault.file}: ${fault.what} (${seconds} s)`,
      );
      if (by) console.log(`           ${by}`);
    }
  };
  await Promise.all(checkouts.map(work));
  return { name, counts };
}

async function tryFault(checkout, fault, tests, limitMs, memory) {
  const changed = withFault(ROOT, fault);
  if (changed === null)
    return { state: STALE, by: 'Its text is not in the source, or not once. Bring the table up to date.' };
  const key = `${fault.file}: ${fault.what}`;
  checkout.write(changed.file, changed.text);
  try {
    const order = [...nearest(changed.file, memory[key], memory), ...tests];
    let { failed, files } = await checkout.run({ filters: tests, order, limitMs });
    if (!failed && files === 0) return { state: STALE, by: 'The source does not build with it.' };
    if (!failed && options.whole)
      ({ failed } = await checkout.run({ filters: [], order, limitMs: 30 * MINUTE }));
    if (failed) {
      memory[key] = failed.file;
      const note = fault.survives ? ' — noticed after all: delete `survives` from the table' : '';
      return { state: KILLED, by: `by ${failed.file} › ${failed.test}${note}` };
    }
    return fault.survives ? { state: KNOWN, by: fault.survives } : { state: SURVIVED };
  } finally {
    checkout.restore(changed.file);
  }
}

/** The test files that are likely to notice a fault of this file, the likeliest first. */
function nearest(file, last, memory) {
  const ofFile = Object.entries(memory).filter(([key]) => key.startsWith(`${file}: `));
  const mirror = file.replace(/^src\//, 'test/').replace(/\.\w+$/, '.test');
  return [...(last ? [last] : []), mirror, ...ofFile.map(([, test]) => test)];
}

function summary(name, { killed, survived, known, stale }) {
  const tried = killed + survived + known;
  const share = tried === 0 ? '' : `${((100 * killed) / tried).toFixed(1)} % noticed`;
  const rest = [
    `${survived} survived`,
    `${known} survived for a known reason`,
    ...(stale ? [`${stale} stale`] : []),
  ];
  return `${name.padEnd(14)} ${String(tried).padStart(4)} tried, ${killed} killed, ${rest.join(', ')}: ${share}`;
}

function readMemory() {
  try {
    return JSON.parse(readFileSync(MEMORY, 'utf8'));
  } catch {
    return {};
  }
}
