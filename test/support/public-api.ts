import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync, visitorKeys } from 'oxc-parser';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A node of a syntax tree, with the fields that the tests look at. */
export interface Node {
  type: string;
  start: number;
  end: number;
  [field: string]: unknown;
}

/** One statement that declares something, in the declarations that the build has written. */
export interface Declaration {
  file: string;
  name: string;
  node: Node;
}

interface Module {
  text: string;
  comments: readonly { start: number; end: number }[];
  /** Several for an overloaded function. */
  declarations: Map<string, Node[]>;
  /** Where a name comes from: a file, or a package that is not ours. */
  imports: Map<string, { from: string; name: string }>;
  /** The name in the file, by the name that others import. */
  exports: Map<string, string>;
}

const modules = new Map<string, Module>();

/** The declarations of each entry point of the package, by what a user writes after `from`. */
export const ENTRY_POINTS: ReadonlyMap<string, string> = new Map(
  Object.entries<string>(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).exports)
    .filter(([, file]) => file.endsWith('.js'))
    .map(([path, file]) => [posix.join('proxyvault', path), join(ROOT, file.replace(/\.js$/, '.d.ts'))]),
);

/** The names that an entry point has, types included, each with its declarations. */
export function exportsOf(entry: string): Map<string, Declaration[]> {
  const file = ENTRY_POINTS.get(entry);
  if (file === undefined) throw new Error(`${entry} is no entry point`);
  const { exports } = readModule(file);
  return new Map([...exports].map(([name, local]) => [name, declarationsOf(file, local) ?? []]));
}

/** What a name in a file means; null for a name that is global, a type parameter, or of another package. */
export function declarationsOf(file: string, name: string): Declaration[] | null {
  const { declarations, imports } = readModule(file);
  const here = declarations.get(name);
  if (here) return here.map((node) => ({ file, name, node }));
  const there = imports.get(name);
  if (there === undefined || !isAbsolute(there.from)) return null;
  const { exports } = readModule(there.from);
  return declarationsOf(there.from, exports.get(there.name) ?? there.name);
}

/** The doc comment directly before a node, without its stars; empty if it has no comment. */
export function docOf({ file }: Pick<Declaration, 'file'>, node: Node): string {
  const { text, comments } = readModule(file);
  const comment = comments.findLast(
    ({ start, end }) =>
      end <= node.start && text.startsWith('/**', start) && /^\s*$/.test(text.slice(end, node.start)),
  );
  return comment === undefined
    ? ''
    : text
        .slice(comment.start, comment.end)
        .replace(/^\/\*\*[ \t]*|\s*\*\/$/g, '')
        .replace(/^[ \t]*\*[ ]?/gm, '')
        .trim();
}

/** The nodes directly below a node. */
export function childrenOf(node: Node): Node[] {
  return (visitorKeys[node.type] ?? []).flatMap((field) => {
    const value = node[field];
    return (Array.isArray(value) ? value : [value]).filter(isNode);
  });
}

/** What others may use of a class or an interface: no `#private` name and nothing that is protected. */
export function isPublic(member: Node): boolean {
  const key = member.key;
  const isHidden = isNode(key) && key.type === 'PrivateIdentifier';
  return (
    !isHidden && (member.accessibility ?? 'public') !== 'private' && member.accessibility !== 'protected'
  );
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value;
}

/** The name of an identifier, a text or a member; empty if it has another form, such as `[Symbol.dispose]`. */
export function nameOf(node: unknown): string {
  if (!isNode(node)) return '';
  return String(node.name ?? node.value ?? '');
}

function readModule(file: string): Module {
  const known = modules.get(file);
  if (known) return known;
  const text = readFileSync(file, 'utf8');
  const { program, comments, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const module: Module = { text, comments, declarations: new Map(), imports: new Map(), exports: new Map() };
  for (const statement of program.body as unknown as Node[]) addStatement(module, file, statement);
  modules.set(file, module);
  return module;
}

function addStatement(module: Module, file: string, statement: Node): void {
  const specifiers = (statement.specifiers ?? []) as Node[];
  if (statement.type === 'ImportDeclaration') {
    const source = nameOf(statement.source);
    const from = source.startsWith('.') ? join(dirname(file), source.replace(/\.js$/, '.d.ts')) : source;
    for (const { local, imported } of specifiers)
      module.imports.set(nameOf(local), { from, name: nameOf(imported) });
    return;
  }
  if (statement.type === 'ExportNamedDeclaration' && statement.declaration === null) {
    for (const { local, exported } of specifiers) module.exports.set(nameOf(exported), nameOf(local));
    return;
  }
  const declarators = (statement.declarations ?? []) as Node[];
  for (const { id } of declarators.length > 0 ? declarators : [statement]) {
    if (isNode(id))
      module.declarations.set(nameOf(id), [...(module.declarations.get(nameOf(id)) ?? []), statement]);
  }
}
