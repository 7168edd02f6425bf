import { readdirSync, readFileSync } from 'node:fs';
import { type Node, parseSync } from 'oxc-parser';
import { expect, it } from 'vitest';
import { EXEC_EXIT, EXIT } from '../src/cli/exit-codes.ts';
import { ERROR_CODES } from '../src/errors.ts';

const ROOT = new URL('../', import.meta.url);
const PAGE = readFileSync(new URL('docs/errors.md', ROOT), 'utf8');
/** Of errors of the command line, which carry no details. */
const COMMAND_LINE = ['USAGE', 'INTERNAL'];

/** The text of each code's section. */
const SECTIONS = new Map(
  PAGE.split(/^### /m)
    .slice(1)
    .map((section): [string, string] => [
      section.slice(0, section.indexOf('\n')),
      section.slice(section.indexOf('\n')).split(/^## /m)[0] ?? '',
    ]),
);

const detailsIn = (code: string): string =>
  /^- Details: ([\s\S]*)/m.exec(SECTIONS.get(code) ?? '')?.[1] ?? '';
const namesIn = (text: string): string[] =>
  [...text.matchAll(/`([a-zA-Z]+)`/g)].map(([, name]) => name ?? '');

/** The keys of the details that the source gives with a code that stands beside them. */
function thrown(): { code: string | null; key: string; file: string }[] {
  const found: { code: string | null; key: string; file: string }[] = [];
  const files = readdirSync(new URL('src', ROOT), { recursive: true, encoding: 'utf8' });
  for (const file of files.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))) {
    const { program } = parseSync(file, readFileSync(new URL(`src/${file}`, ROOT), 'utf8'));
    eachNode(program, (node) => {
      if (node.type !== 'NewExpression' && node.type !== 'CallExpression') return;
      if (node.callee.type !== 'Identifier') return;
      const [code, , options] = node.arguments;
      let details = options && memberOf(options, 'details');
      if (node.callee.name === 'invalidInput') details = node.arguments[1];
      else if (node.callee.name !== 'ProxyVaultError') return;
      if (details?.type !== 'ObjectExpression') return;
      const name =
        node.callee.name === 'invalidInput'
          ? 'INVALID_INPUT'
          : code?.type === 'Literal'
            ? String(code.value)
            : null;
      // Also what is spread into them if it is known.
      eachNode(details, (inside) => {
        if (inside.type !== 'ObjectExpression') return;
        for (const property of inside.properties)
          if (property.type === 'Property' && property.key.type === 'Identifier')
            found.push({ code: name, key: property.key.name, file });
      });
    });
  }
  return found;
}

function memberOf(node: Node, name: string): Node | undefined {
  if (node.type !== 'ObjectExpression') return undefined;
  for (const property of node.properties)
    if (property.type === 'Property' && property.key.type === 'Identifier' && property.key.name === name)
      return property.value;
  return undefined;
}

function eachNode(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) for (const item of value) eachNode(item, visit);
  else if (typeof value === 'object' && value !== null) {
    if ('type' in value && typeof value.type === 'string') visit(value as Node);
    for (const item of Object.values(value)) eachNode(item, visit);
  }
}

it('docs/errors.md has each code once, and no other', () => {
  const codes = [...Object.keys(ERROR_CODES), ...COMMAND_LINE];
  expect([...PAGE.matchAll(/^### (.*)/gm)].map(([, code]) => code).sort()).toEqual(codes.sort());
  for (const [code, section] of SECTIONS) {
    if (COMMAND_LINE.includes(code)) continue;
    expect(section.match(/^- (?:Causes|Do|Details): /gm), code).toEqual([
      '- Causes: ',
      '- Do: ',
      '- Details: ',
    ]);
  }
});

it('docs/errors.md has the exit codes of the command line', () => {
  const [table = ''] = /\| exit code \|[\s\S]*?\n\n/.exec(PAGE) ?? [];
  const exits = [...table.matchAll(/^\| (\d+)/gm)].map(([, code]) => Number(code));
  const known = new Set([...Object.values(EXIT), ...Object.values(EXEC_EXIT)]);
  expect(exits).toEqual([...known].sort((one, other) => one - other));
});

it('docs/errors.md names under each code what the source puts into its details', () => {
  const keys = thrown();
  expect(keys.length).toBeGreaterThan(80);
  const missing = keys
    .filter(({ code, key }) => !namesIn(code === null ? PAGE : detailsIn(code)).includes(key))
    .map(({ code, key, file }) => `${key} of ${code}, in src/${file}`);
  expect(missing).toEqual([]);
});

it('docs/errors.md names no detail that the source does not have', () => {
  const keys = new Set(thrown().map(({ key }) => key));
  // What a detail may be, and a method.
  const others = ['passphrase', 'resolve'];
  const named = [...SECTIONS.keys()].flatMap((code) => namesIn(detailsIn(code)));
  expect(named.filter((name) => !keys.has(name) && !others.includes(name))).toEqual([]);
});
