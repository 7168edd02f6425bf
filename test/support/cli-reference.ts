import type { Argument, Command, Option } from 'commander';

import { type Declaration, declarationOf } from '../../src/cli/command.ts';
import { COMMON_OPTIONS } from '../../src/cli/common-options.ts';
import { allCommands, createProgram } from '../../src/cli/program.ts';

const BEGIN = '<!-- begin: written by `npm test -- test/cli/declarations.test.ts -u` -->';
const END = '<!-- end -->';
const COMMON = new Set(COMMON_OPTIONS.map(([flags]) => flags));

type Row = readonly [name: string, text: string];

/** The page with a table for every command, as it is declared, between its marks. */
export function withReference(page: string): string {
  const begin = page.indexOf(BEGIN) + BEGIN.length;
  const end = page.indexOf(END);
  if (begin < BEGIN.length || end < begin) throw new Error(`The page must have ${BEGIN} and ${END}.`);
  return `${page.slice(0, begin)}\n\n${reference()}\n\n${page.slice(end)}`;
}

/** The names of a command, such as `key status`. */
export function pathOf(command: Command): string {
  return command.parent?.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

function reference(): string {
  const sections = allCommands(createProgram(false, [])).flatMap((command) => {
    const declaration = declarationOf(command);
    return declaration === undefined ? [] : [section(command, declaration)];
  });
  const common = `Every command that works on a pool takes these, before its name and after it:\n\n${table(COMMON_OPTIONS)}`;
  return [common, ...sections].join('\n\n');
}

function section(command: Command, { purpose, key, reads }: Declaration): string {
  const operands = command.registeredArguments;
  const facts = [
    `${purpose.charAt(0).toUpperCase()}${purpose.slice(1)}.`,
    ...keyFact(key),
    ...(reads ? ['Works on a pool that may not be written.'] : []),
  ];
  const rows = [
    ...operands.map(operandRow),
    ...command.options.filter(({ flags }) => !COMMON.has(flags)).map(optionRow),
  ];
  const usage = [pathOf(command), ...operands.map(operandName)].join(' ');
  return `### \`${usage}\`\n\n${facts.join(' ')}${rows.length > 0 ? `\n\n${table(rows)}` : ''}`;
}

function keyFact(key: Declaration['key']): string[] {
  if (key === undefined) return [];
  if (key === 'always') return ['Needs the key.'];
  return [key === 'logins' ? 'Needs the key if there are logins.' : `Needs the key with \`${key}\` only.`];
}

function operandName(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function operandRow(argument: Argument): Row {
  return [operandName(argument), joined([argument.description, choices(argument.argChoices)])];
}

function optionRow({ flags, description, defaultValue, defaultValueDescription, argChoices }: Option): Row {
  const value = typeof defaultValue === 'boolean' ? undefined : defaultValue;
  const standard = defaultValueDescription ?? value;
  return [
    flags,
    joined([description, choices(argChoices), standard === undefined ? '' : `default: ${String(standard)}`]),
  ];
}

function choices(names: readonly string[] | undefined): string {
  return names === undefined ? '' : `one of ${names.join(', ')}`;
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('; ');
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ([name, text]) => `| \`${name}\` | ${text.replaceAll('|', '\\|').replaceAll('<', '\\<')} |`,
  );
  return ['| | |', '| --- | --- |', ...lines].join('\n');
}
