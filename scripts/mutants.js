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

const HELP = `npm run mutants [-- AREA…] [options]

Tries each fault of scripts/mutants/AREA.js, or of all areas, and prints what noticed it.

  --only TEXT   only faults whose file or description contains TEXT
  --sample N    only N faults of each area, spread over its table
  --whole       runs the whole suite on what the tests of its area did not notice
  --list        lists the faults, and whether each still fits the source
  --jobs N      how many to try at once (default: the number of processors)

Exit code 1: a fault survived without a reason in the table, or no longer fits the source.
Exit code 2: nothing could be tried, for example because a test fails without any fault.`;

/** What happened to a fault. */
const KILLED = 'killed';
const SURVIVED = 'survived';
const KNOWN = 'known';
const STALE = 'stale';

process.exit(
  await run().catch((error) => {
    console.error(error.message);
    return 2;
  }),
);

async function run() {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string', default: '' },
      sample: { type: 'string' },
      whole: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      jobs: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const sample = positive(options, 'sample', Number.POSITIVE_INFINITY);
  const jobs = positive(options, 'jobs', availableParallelism());
  const areas = (await readAreas(positionals))
    .map(({ faults, ...area }) => {
      const wanted = faults.filter(({ file, what }) => `${file} ${what}`.includes(options.only));
      return { ...area, faults: spread(wanted, sample) };
    })
    .filter(({ faults }) => faults.length > 0);
  if (areas.length === 0) throw new Error(`No fault matches --only ${options.only}.`);
  if (options.list) return list(areas);
  const checkouts = [];
  const memory = readMemory();
  for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }))
    process.once(signal, () => process.exit(128 + number));
  process.once('exit', () => {
    for (const checkout of checkouts) checkout.remove();
    mkdirSync(dirname(MEMORY), { recursive: true });
    writeFileSync(MEMORY, JSON.stringify(memory, null, 1));
  });
  while (checkouts.length < jobs) {
    const checkout = new Checkout(ROOT);
    checkouts.push(checkout);
    checkout.fill();
  }
  const figures = [];
  for (const area of areas) figures.push(await tryArea(area, checkouts, memory, options.whole));
  console.log('');
  for (const { name, counts } of figures) console.log(summary(name, counts));
  return figures.some(({ counts }) => counts.survived + counts.stale > 0) ? 1 : 0;
}

/** The number that an option has. */
function positive(options, name, otherwise) {
  const text = options[name];
  if (text === undefined) return otherwise;
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new Error(`--${name} ${text}: give a whole number from 1.`);
}

/** At most so many of them, at equal distances. */
function spread(faults, most) {
  const count = Math.min(most, faults.length);
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

async function tryArea({ name, tests, faults }, checkouts, memory, isWhole) {
  console.log(`${name}: ${faults.length} faults; first the tests without any`);
  const started = Date.now();
  const clean = await checkouts[0].run({ filters: tests, order: tests, limitMs: 30 * MINUTE });
  if (clean.failed)
    throw new Error(`A test fails without a fault: ${clean.failed.file} › ${clean.failed.test}`);
  if (clean.files === 0)
    throw new Error(`No test of the area ${name} can be run: is there one that matches?`);
  // A fault that makes a loop endless counts as noticed when the tests take three times as long as they should.
  const limitMs = MINUTE + 3 * (Date.now() - started);
  const counts = { killed: 0, survived: 0, known: 0, stale: 0 };
  let done = 0;
  const waiting = [...faults];
  const work = async (checkout) => {
    for (let fault = waiting.shift(); fault !== undefined; fault = waiting.shift()) {
      const since = Date.now();
      const { state, by } = await tryFault(checkout, fault, { tests, limitMs, memory, isWhole });
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

async function tryFault(checkout, fault, { tests, limitMs, memory, isWhole }) {
  const changed = withFault(ROOT, fault);
  if (changed === null)
    return { state: STALE, by: 'Its text is not in the source, or not once. Bring the table up to date.' };
  const key = `${fault.file}: ${fault.what}`;
  checkout.write(changed.file, changed.text);
  try {
    const order = [...nearest(changed.file, memory[key], memory), ...tests];
    let { failed, files } = await checkout.run({ filters: tests, order, limitMs });
    if (!failed && files === 0) return { state: STALE, by: 'The source does not build with it.' };
    if (!failed && isWhole) ({ failed } = await checkout.run({ filters: [], order, limitMs: 30 * MINUTE }));
    if (failed && !(await failsAgain(failed, memory[key], checkout, limitMs)))
      return { state: SURVIVED, by: `only once noticed by ${failed.file} › ${failed.test}, which is flaky` };
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

/** Whether it was not by chance that a test failed: the file that noticed the fault last time too is believed. */
async function failsAgain({ file }, last, checkout, limitMs) {
  if (file === last || file === '.') return true;
  const again = await checkout.run({ filters: [file], order: [], limitMs });
  return again.failed !== null;
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
