// Writes the figures of a run into docs/performance.md, between its markers.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { digits } from './gateway.js';

const PAGE = fileURLToPath(new URL('../docs/performance.md', import.meta.url));

/**
 * @param {object} results
 * @param {readonly {name: string, ratio: number, least: number, most: number, perSecond: number}[]} results.ratios
 * @param {Awaited<ReturnType<typeof import('./choosing.js').measureChoosing>>} results.choosing
 * @param {Awaited<ReturnType<typeof import('./leasing.js').measureLeasing>>} results.leasing
 * @param {ReturnType<typeof import('./storing.js').measureStoring>} results.storing
 * @param {Awaited<ReturnType<typeof import('./gateway.js').measureGateway>>} results.gateway
 * @param {readonly {name: string, value: number, unit: string}[]} results.figures
 */
export function writePage({ ratios, choosing, leasing, storing, gateway, figures }) {
  const page = readFileSync(PAGE, 'utf8');
  const parts = {
    machine: machine(),
    ratios: ratioTable(ratios),
    choosing: choosingTable(choosing),
    leasing: leasingTable(leasing),
    storing: ratioTable(storing),
    gateway: gatewayTable(gateway),
    figures: figureTable(figures),
  };
  writeFileSync(
    PAGE,
    Object.entries(parts).reduce(
      (text, [name, part]) =>
        text.replace(
          new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`),
          (_, start, end) => `${start}\n${part}\n\n${end}`,
        ),
      page,
    ),
  );
}

function machine() {
  const [{ sqlite }] = new Database(':memory:').prepare('SELECT sqlite_version() AS sqlite').all();
  const [{ model } = { model: 'unknown' }] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const date = new Date().toISOString().slice(0, 10);
  return `Run on ${date}: ${cpus().length} cores (${model}), ${memory} GiB, ${type()} ${release()}, Node ${process.version}, SQLite ${sqlite}, files in the temporary folder of the system.`;
}

function ratioTable(ratios) {
  return [
    '| operation | of bare | a second |',
    '| --- | --- | --- |',
    ...ratios.map(
      ({ name, ratio, least, most, perSecond }) =>
        `| ${name} | ${ratio.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)}) | ${Math.round(perSecond).toLocaleString('en')} |`,
    ),
  ].join('\n');
}

/** Thousands a second. */
function thousands(rate) {
  return Math.round(rate / 1000).toLocaleString('en');
}

function choosingTable(choosing) {
  return [
    '| strategy | of 1,000 | 10,000 | 100,000 | 1,000,000 | a filter, of 1,000,000 | 90 % excluded, of 1,000,000 | largest / smallest | filter / none | excluded / none |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...choosing.map(({ strategy, perSecond: { open, filtered, excluded }, ratios }) => {
      const rates = [...open, filtered.at(-1), excluded.at(-1)].map(thousands);
      const found = [ratios.larger, ratios.filtered, ratios.excluded].map((ratio) => ratio.toFixed(2));
      return `| ${[strategy, ...rates, ...found].join(' | ')} |`;
    }),
  ].join('\n');
}

function leasingTable(leasing) {
  return [
    '| strategy | of 1,000 | 10,000 | 100,000 | 1,000,000 | largest / smallest |',
    '| --- | --- | --- | --- | --- | --- |',
    ...leasing.map(
      ({ name, perSecond, larger }) =>
        `| ${[name, ...perSecond.map(thousands), larger.toFixed(2)].join(' | ')} |`,
    ),
  ].join('\n');
}

/** How many times better than proxy-chain. */
function gatewayTable(rows) {
  const of = (value) => (value === null ? '' : digits(value));
  return [
    '| | proxyvault | proxy-chain | the upstream alone | times better than proxy-chain |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map(({ name, unit, ours, chain, upstream, ratio, least, most }) => {
      const spread = ratio === null ? '' : `${ratio.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`;
      return `| ${name.trim()}, ${unit === '/s' ? 'a second' : unit} | ${[ours, chain, upstream].map(of).join(' | ')} | ${spread} |`;
    }),
  ].join('\n');
}

function figureTable(figures) {
  return [
    '| | |',
    '| --- | --- |',
    ...figures.map(({ name, value, unit }) => {
      const digits = value < 10 ? 2 : value < 1000 ? 1 : 0;
      const number = Number(value.toFixed(digits)).toLocaleString('en');
      return `| ${name.trim()} | ${number} ${unit}`.trimEnd().concat(' |');
    }),
  ].join('\n');
}
