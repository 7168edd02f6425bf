import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SOURCE = fileURLToPath(new URL('../src', import.meta.url));
const PAGE = fileURLToPath(new URL('../docs/architecture.md', import.meta.url));
/** What the page on the architecture does not draw: the files of a room, small files at the top, and parts of a room. */
const UNDRAWN =
  /\/[^/]+\.ts$|^(?:\.|modules\.d\.ts|first-thrown\.ts|node-version\.ts|cli\/.+|lists\/readers\/.+)$/;
const TESTS = fileURLToPath(new URL('.', import.meta.url));

/**
 * The rooms, from the top down: a room imports from the rows below its own, and never from its neighbours. The files at the top
 * of src/ are rooms of one file.
 */
const FLOORS: readonly (readonly string[])[] = [
  ['cli', 'index.ts'],
  ['views'],
  ['open-vault.ts', 'restore-vault.ts'],
  ['vault.ts'],
  ['gateway'],
  ['transfer', 'rotation'],
  ['known-logins.ts'],
  ['database', 'revealed-proxy.ts', 'upstream'],
  ['keys', 'lists'],
  ['model', 'files'],
  ['errors.ts', 'first-thrown.ts', 'node-version.ts'],
];

/** Packages that only some rooms may load, so that whoever imports the library does not load the rest. */
const ONLY_IN: Record<string, string> = {
  'better-sqlite3': 'database/drivers/sqlite/',
  commander: 'cli/',
  'cli-table3': 'cli/',
  'cli-progress': 'cli/',
  'csv-parse': 'lists/readers/csv.ts',
  re2js: 'model/rules/re2.ts',
  undici: 'upstream/',
  yaml: 'lists/readers/clash/yaml.ts',
};

/** Imports that are forbidden inside a room, beside those that {@link FLOORS} forbids. */
const NEVER: readonly (readonly [law: string, from: RegExp, to: RegExp])[] = [
  ['repositories never import services', /^database\/repositories\//, /^database\/services\//],
  ['migrations never import the SQLite driver', /^database\/migrations\//, /^database\/drivers\/sqlite\//],
  [
    'repositories and services never import the SQLite driver',
    /^database\/(repositories|services)\//,
    /^database\/drivers\/sqlite\//,
  ],
  ['the manager knows no single repository', /^database\/manager\.ts$/, /^database\/repositories\//],
  ['rotation never imports the manager', /^rotation\//, /^database\/manager\.ts$/],
  ['keys know no database', /^keys\//, /^database\//],
  [
    'drivers know neither tables nor their schema',
    /^database\/drivers\//,
    /^database\/(?:migrations|repositories|services|manager)\b/,
  ],
];

/** What the code of a file may not say. The files that may are listed, each with its reason. */
const WORDS: readonly (readonly [law: string, where: RegExp, pattern: RegExp, allowed: readonly string[]])[] =
  [
    [
      'only drivers/sqlite knows SQLite',
      /^(?!database\/drivers\/sqlite\/)/,
      /\bPRAGMA\b|\bpragma_|\bsqlite_(?:schema|master|version)\b|\bSQLITE_/,
      [
        // They list the words that a name, a migration or a caller's statement may not have.
        'database/drivers/reserved-statements.ts',
        'database/migrations/ledger-name.ts',
      ],
    ],
    [
      'nothing waits in a repository or a service: a statement asked for after an await has left its transaction',
      /^database\/(repositories|services)\//,
      /\basync\b|\bawait\b/,
      [
        // They wait for a key source or for a turn of the event loop, always between two transactions.
        'database/services/encryption.service.ts',
        'database/services/key-moves.ts',
        'database/services/key-rotation.ts',
        'database/services/key-tools.ts',
        'database/services/key-verification.ts',
      ],
    ],
    [
      'the value of a yield is typed by step(), and never cast',
      /^/,
      /\(\s*yield\b[^;]*?\)\s+as\b/,
      [
        // step() itself.
        'database/drivers/driver.ts',
      ],
    ],
  ];

interface Import {
  from: string;
  to: string;
}

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.ts$/.test(file) && !file.endsWith('.d.ts'))
  .map((file) => file.split(sep).join('/'));

const imports: Import[] = files.flatMap((from) => {
  const text = readFileSync(join(SOURCE, from), 'utf8');
  const specifiers = [...text.matchAll(/\b(?:from|import)\s*\(?\s*(?:\/\*[^*]*\*\/\s*)*'([^']+)'/g)].map(
    (match) => match[1] ?? '',
  );
  return specifiers.map((to) => ({ from, to: to.startsWith('.') ? posix.join(dirname(from), to) : to }));
});
const inside = imports.filter(({ to }) => files.includes(to));

const room = (file: string): string => file.split('/')[0] ?? file;
const floorOf = (file: string): number => FLOORS.findIndex((floor) => floor.includes(room(file)));

/** The text of a file without its comments. */
function codeOf(file: string): string {
  return readFileSync(join(SOURCE, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/[^\n]*/g, '$1');
}

describe('the rooms', () => {
  it('finds the imports at all', () => {
    expect(inside.length).toBeGreaterThan(30);
    expect(imports).toContainEqual({
      from: 'database/drivers/sqlite/better-sqlite3.ts',
      to: 'better-sqlite3',
    });
  });

  it('all have their floor', () => {
    expect(files.filter((file) => floorOf(file) < 0 && file !== 'modules.d.ts')).toEqual([]);
  });

  it('are those that the page on the architecture draws', () => {
    const [, tree = ''] = /^src\/\n([\s\S]*?)^```/m.exec(readFileSync(PAGE, 'utf8')) ?? [];
    const path: string[] = [];
    const drawn = [...tree.matchAll(/^( +)([\w./-]+) {2,}\S/gm)].map(([, indent = '', name = '']) => {
      path.splice(indent.length / 2 - 1, path.length, name.replace(/\/$/, ''));
      return path.join('/');
    });
    const folders = files.flatMap((file) => {
      const parts = dirname(file).split('/');
      return parts.map((_, depth) => parts.slice(0, depth + 1).join('/'));
    });
    const rooms = new Set([...folders, ...files].filter((each) => !UNDRAWN.test(each)));
    expect(drawn.toSorted()).toEqual([...rooms].toSorted());
  });

  it('import only from the rooms below them', () => {
    const forbidden = inside.filter(
      ({ from, to }) => room(from) !== room(to) && !(floorOf(from) < floorOf(to)),
    );
    expect(forbidden).toEqual([]);
  });

  it.each(NEVER)('%s', (_, from, to) => {
    expect(inside.filter((each) => from.test(each.from) && to.test(each.to))).toEqual([]);
  });

  it.each(WORDS)('%s', (_, where, pattern, allowed) => {
    const found = files.filter((file) => where.test(file) && pattern.test(codeOf(file)));
    expect(found.toSorted()).toEqual(allowed.toSorted());
  });

  it('load a package only where it belongs', () => {
    const strays = imports.filter(({ from, to }) => {
      const only = ONLY_IN[to.split('/')[0] ?? to];
      return only !== undefined && !from.startsWith(only);
    });
    expect(strays).toEqual([]);
  });

  it('have no import cycle', () => {
    const next = new Map(
      files.map((file) => [file, inside.filter(({ from }) => from === file).map(({ to }) => to)]),
    );
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): string[] | null => {
      if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
      if (done.has(file)) return null;
      for (const to of next.get(file) ?? []) {
        const cycle = visit(to, [...path, file]);
        if (cycle) return cycle;
      }
      done.add(file);
      return null;
    };
    const cycles = files.map((file) => visit(file, [])).filter((cycle) => cycle !== null);
    expect(cycles).toEqual([]);
  });

  it('have an index that only re-exports', () => {
    const indexes = files.filter((file) => posix.basename(file) === 'index.ts');
    const working = indexes.filter((file) => {
      const text = readFileSync(join(SOURCE, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
      return text.replace(/export (?:type )?(?:\*|\{[^}]*\}) from '[^']+';/g, '').trim() !== '';
    });
    expect(working).toEqual([]);
  });

  it('have no file that is named for nothing', () => {
    const vague = files.filter((file) => /(^|\/)(utils?|helpers?|common|misc|shared)(\.|\/)/.test(file));
    expect(vague.map((file) => relative('.', file))).toEqual([]);
  });
});

describe('the tests', () => {
  const own = 'architecture.test.ts';
  const sources = readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(?:ts|mjs)$/.test(file) && file !== own)
    .map((file) => [file.split(sep).join('/'), readFileSync(join(TESTS, file), 'utf8')] as const);

  it.each([
    // The seed itself is drawn there.
    [
      'take chance from the seed of the run alone',
      /\bMath\.random\b|\brandomInt\b/,
      ['faults/summary.setup.ts'],
    ],
    [
      'wait for an event, not for some milliseconds',
      /\bsetTimeout\((?:resolve|done|next)\b|\bsetTimeout\b[^;]*'(?:node:)?timers\/promises'/,
      [],
    ],
    [
      'start the Node that runs them, not one from PATH',
      /\b(?:spawn|spawnSync|execFile|execFileSync)\(\s*'node'/,
      [],
    ],
  ])('%s', (_, pattern, allowed: string[]) => {
    const found = sources.filter(([, text]) => pattern.test(text)).map(([file]) => file);
    expect(found).toEqual(allowed);
  });
});
