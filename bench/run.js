// `npm run bench`: ratios from one run on this machine. `--only TEXT`, or TEXT alone, runs what has the text in its name, `--json` prints for a
// program, `--page` writes the figures into docs/performance.md. With PROXYVAULT_BENCH_ONCE=1 each operation runs once, untimed.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { initDatabase } from 'proxyvault';
import { describeChoosing, measureChoosing } from './choosing.js';
import { measureCrawlee } from './crawlee.js';
import { measureFairness } from './fairness.js';
import { FRONT_DOOR, measureFrontDoor } from './front-door.js';
import { describeGateway, measureGateway } from './gateway.js';
import { measureHolding } from './holding.js';
import { KEYS, measureKeys } from './keys.js';
import { describeLeasing, measureLeasing } from './leasing.js';
import { measureLists } from './lists.js';
import { measureLoading } from './loading.js';
import { OPENING } from './opening.js';
import { OPERATIONS } from './operations.js';
import { writePage } from './page.js';
import { fill, isOnce, newFile } from './pools.js';
import { measureRules } from './rules.js';
import { measureStoring } from './storing.js';
import { measureWritePath } from './write-path.js';

const GOAL = 0.85;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
  },
});
if (values.page && (values.only !== '' || positionals.length > 0 || isOnce)) {
  console.error('--page takes a whole run: leave out --only and PROXYVAULT_BENCH_ONCE.');
  process.exit(2);
}
const [only = values.only] = positionals;
const wanted = ([name]) => name.includes(only);

const ratios = [];
for (const [name, measure] of Object.entries({ ...OPERATIONS, ...OPENING, ...FRONT_DOOR, ...KEYS }).filter(
  wanted,
)) {
  const result = { goal: GOAL, ...measure() };
  ratios.push(result);
  if (!values.json) console.log(describeRatio(result, name));
}
for (const result of await measureWritePath(wanted)) {
  ratios.push(result);
  if (!values.json) console.log(describeRatio(result, result.name));
}

const choosing = wanted(['choosing']) ? await measureChoosing({ isOnce }) : [];
const leasing = wanted(['leasing']) ? await measureLeasing({ isOnce }) : [];
const storing = wanted(['leasing: storing']) ? measureStoring({ isOnce }) : [];
for (const result of storing) if (!values.json) console.log(describeRatio(result, result.name));
const gateway = wanted(['gateway']) ? await measureGateway({ isOnce }) : [];
const figures = isOnce ? await measureFiguresOnce() : await measureFigures();
if (values.page) writePage({ ratios, choosing, leasing, storing, gateway, figures });
if (values.json)
  console.log(JSON.stringify({ ratios, choosing, leasing, storing, gateway, figures }, null, 2));
else {
  for (const row of choosing) console.log(describeChoosing(row));
  for (const row of leasing) console.log(describeLeasing(row));
  for (const row of gateway) console.log(describeGateway(row));
  for (const figure of figures) console.log(describeFigure(figure));
}

async function measureFiguresOnce() {
  return [
    ...(wanted(['loading']) ? await measureLoading({ isOnce: true }) : []),
    ...(wanted(['leasing: holding']) ? measureHolding({ isOnce: true }) : []),
  ];
}

async function measureFigures() {
  return [
    ...(wanted(['streaming']) ? measureStreaming() : []),
    ...(wanted(['loading']) ? await measureLoading() : []),
    ...(wanted(['leasing: holding']) ? measureHolding() : []),
    ...(wanted(['crawlee']) ? measureCrawlee() : []),
    ...(wanted(['rules']) ? measureRules() : []),
    ...(wanted(['fairness']) ? await measureFairness() : []),
    ...(wanted(['front door']) ? await measureFrontDoor() : []),
    ...(wanted(['keys']) ? await measureKeys() : []),
    ...(wanted(['lists']) ? await measureLists() : []),
  ];
}

function measureStreaming() {
  const path = newFile();
  const db = initDatabase({ path, durability: 'normal' });
  db.migrations.up();
  fill(db, 1_000_000);
  db.close();
  const script = fileURLToPath(new URL('streaming.js', import.meta.url));
  return JSON.parse(execFileSync(process.execPath, ['--expose-gc', script, path], { encoding: 'utf8' }));
}

function describeRatio({ ratio, least, most, perSecond, goal }, name) {
  const range = `(${least.toFixed(2)} to ${most.toFixed(2)})`;
  const speed = `${Math.round(perSecond).toLocaleString('en')}/s`;
  return `${name.padEnd(34)}${ratio.toFixed(2).padStart(6)} of bare ${range.padEnd(16)}${speed.padStart(14)}  ${ratio >= goal ? 'ok' : `under ${goal}`}`;
}

function describeFigure({ name, value, unit, goal, isLeast = false }) {
  const verdict =
    goal === null ? '' : `${value < goal === isLeast ? 'NOT ' : ''}${isLeast ? 'at least' : 'under'} ${goal}`;
  return `${name.padEnd(56)}${value.toFixed(unit === 'x' ? 2 : 1).padStart(8)} ${unit}  ${verdict}`;
}
