// Writes the figures of a run into docs/performance.md, between its markers.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';

const PAGE = fileURLToPath(new URL('../docs/performance.md', import.meta.url));

/**
 * @param {readonly {name: string, ratio: number, least: number, most: number, perSecond: number}[]} ratios
 * @param {readonly {name: string, value: number, unit: string}[]} figures
 */
export function writePage(ratios, figures) {
  const page = readFileSync(PAGE, 'utf8');
  const parts = { machine: machine(), ratios: ratioTable(ratios), figures: figureTable(figures) };
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
