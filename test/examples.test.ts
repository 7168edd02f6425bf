import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { SCRATCH } from './faults/scratch.ts';
import {
  type Declaration,
  declarationsOf,
  docOf,
  ENTRY_POINTS,
  exportsOf,
  isNode,
  isPublic,
  type Node,
  nameOf,
} from './support/public-api.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A function or method that a program can call, and the examples in its doc comment. */
interface Callable {
  name: string;
  examples: string[];
  isInternal: boolean;
}

/** They have the tag `@internal`: each does a part of what a public method does, for the other rooms of this package. */
const INTERNAL = [
  'EncryptedCredentialsRepository.add',
  'EncryptedCredentialsRepository.loginIn',
  'EncryptedCredentialsRepository.rebind',
  'Gateway.open',
  'Pool.close',
  'Pool.excludedFrom',
  'Pool.kindOf',
  'RevealedProxy.filled',
];

/** Programs get them only as `db.driver` and `db.engine`, and use them by the contract in driver.ts. */
const CONTRACTS = ['SqliteDriver', 'SqliteEngine'];

const callables = [...ENTRY_POINTS.keys()]
  .flatMap((entry) => [...exportsOf(entry).values()])
  .filter(([first]) => first !== undefined && !CONTRACTS.includes(first.name))
  .flatMap(callablesOf);
/** A class is exported from the root and from where it belongs. */
const all = [...new Map(callables.map((callable) => [callable.name, callable])).values()];

function callablesOf(declarations: readonly Declaration[]): Callable[] {
  const [first] = declarations;
  if (first?.node.type === 'ClassDeclaration') return methodsOf(first);
  // An overloaded function has one example, at any of its forms.
  const forms = declarations.filter(({ node }) => node.type === 'TSDeclareFunction');
  if (first === undefined || forms.length === 0) return [];
  return [readDoc(first.name, forms.map((form) => docOf(form, form.node)).join('\n'))];
}

/** The public methods of a class, with those of its base. */
function methodsOf({ file, name, node }: Declaration, as = name): Callable[] {
  const { body } = node.body as Node & { body: Node[] };
  const own = body
    .filter((member) => member.kind === 'method' && member.computed === false && isPublic(member))
    .map((member) => readDoc(`${as}.${nameOf(member.key)}`, docOf({ file }, member)));
  const bases = isNode(node.superClass) ? (declarationsOf(file, nameOf(node.superClass)) ?? []) : [];
  return [...own, ...bases.flatMap((base) => methodsOf(base, as))];
}

function readDoc(name: string, doc: string): Callable {
  const examples = [...doc.matchAll(/^@example\s([\s\S]*?)(?=\n@|$(?![\s\S]))/gm)];
  return {
    name,
    examples: examples.map(([, code = '']) => code.trim()),
    isInternal: /^@internal\b/m.test(doc),
  };
}

/** What examples use that a program has made before. */
const PRELUDE = `
import type { DatabaseManager, Gateway, Lease, Vault } from 'proxyvault';
declare global {
  const vault: Vault;
  const lease: Lease;
  const gateway: Gateway;
  const db: DatabaseManager;
  /** Of a proxy. */
  const id: string;
}`;

/** The imports that an example leaves out: each public name that it uses, from the first entry point that has it. */
function importsFor(code: string): string {
  const words = new Set(code.match(/(?<![.\w])[A-Za-z_]\w*/g));
  return [...ENTRY_POINTS.keys()]
    .map((entry) => {
      const names = [...exportsOf(entry).keys()].filter((name) => words.delete(name));
      return names.length === 0 ? '' : `import { ${names.join(', ')} } from '${entry}';\n`;
    })
    .join('');
}

/** Compiles each example as a module of a strict program, and gives the errors of the compiler, by the name of the example. */
function compile(examples: readonly { name: string; code: string }[]): string[] {
  const folder = mkdtempSync(join(SCRATCH, 'proxyvault-examples-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'proxyvault'), 'junction');
  const settings = {
    compilerOptions: {
      target: 'es2024',
      lib: ['es2024', 'esnext.disposable'],
      module: 'nodenext',
      moduleDetection: 'force',
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      types: ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
      // What an example makes is exported, and so must have a type that a program can name in declarations of its own.
      declaration: true,
      emitDeclarationOnly: true,
      outDir: 'out',
    },
  };
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
  writeFileSync(join(folder, 'prelude.ts'), PRELUDE);
  examples.forEach(({ code }, index) => {
    const text = `${importsFor(code)}${code.replace(/^const /gm, 'export const ')}\n`;
    writeFileSync(join(folder, `${index}.ts`), text);
  });
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { stdout } = spawnSync(process.execPath, [compiler, '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  });
  rmSync(folder, { recursive: true, force: true });
  return stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) =>
      line.replace(/^(\S+)\.ts(?=\()/, (_, file) => examples[Number(basename(file))]?.name ?? file),
    );
}

const examples = all.flatMap(({ name, examples }) => examples.map((code) => ({ name, code })));
/** Examples as they must not be, and one that is good. */
const TRIALS = [
  { name: 'good', code: 'const found = vault.proxies.findById(id); // null if there is no such proxy' },
  { name: 'typo', code: 'vault.proxies.findByID(id);' },
  { name: 'null', code: 'const { host } = vault.proxies.findById(id);' },
  {
    name: 'unnamed',
    code: 'class Hidden { #a = 1; }\nconst make = () => class extends Hidden { protected b = 1; };',
  },
];
/** One run of the compiler for all tests: it takes a second or more to start. */
let errors: string[];

beforeAll(() => {
  errors = compile([...examples, ...TRIALS]);
});

const exampleOf = (error: string): string => /^[\w.]+(?=\()/.exec(error)?.[0] ?? '';

it('every exported function and method has an example', () => {
  expect(all.length).toBeGreaterThan(100);
  expect(
    all
      .filter(({ examples }) => examples.length === 0)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(INTERNAL);
  expect(
    all
      .filter(({ isInternal }) => isInternal)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(INTERNAL);
});

it('every example compiles', () => {
  expect(examples.length).toBeGreaterThanOrEqual(all.length - INTERNAL.length);
  expect(errors.filter((error) => !TRIALS.some(({ name }) => name === exampleOf(error)))).toEqual([]);
});

it('an example that does not compile, or gives what has no name, would be named', () => {
  const named = new Set(errors.map(exampleOf));
  expect([...named].filter((name) => TRIALS.some((trial) => trial.name === name))).toEqual([
    'typo',
    'null',
    'unnamed',
  ]);
});
