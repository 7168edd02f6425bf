import { Command } from 'commander';

import type { Vault } from '../vault.ts';
import { COMMON_OPTIONS, type CommonOptions } from './common-options.ts';
import { type OpeningOptions, withVault } from './open-vault.ts';

/** What every command declares. */
export interface Declaration {
  name: string;
  purpose: string;
  /** A whole command line. */
  example: string;
  /** What --help says after the example. */
  notes?: string;
  /** Adds its arguments and its own options. */
  takes?: (command: Command) => Command;
  /**
   * When it needs the key: always, for a login that is stored, or only with an option. A pool command opens the key, and
   * has a passphrase asked for, `always` and with `--reveal`.
   */
  key?: 'always' | 'logins' | '--reveal' | '--deep';
  /** Whether it only reads, and so works on a pool that may not be written. */
  reads?: boolean;
}

/** A command that works on an open pool. */
interface PoolCommand<Options extends CommonOptions, Arguments extends unknown[]>
  extends Declaration,
    Pick<OpeningOptions, 'create' | 'anyVersion'> {
  run: (vault: Vault, options: Options, ...args: Arguments) => void | Promise<void>;
}

/** A command that opens the pool itself, such as after it has read a list. */
interface BareCommand<Options extends CommonOptions, Arguments extends unknown[]> extends Declaration {
  /** @param command for errors of use: `command.error(…)` ends with exit code 2. */
  act: (options: Options, command: Command, ...args: Arguments) => void | Promise<void>;
}

/** Each call makes the command again, since commander keeps the options of a call in it. */
export type MakeCommand = () => Command;

const declarations = new WeakMap<Command, Declaration>();

/** What was declared for a command; undefined for a group. */
export function declarationOf(command: Command): Declaration | undefined {
  return declarations.get(command);
}

/** A command whose function gets the open pool, which is closed afterwards, whatever happens. */
export function poolCommand<Options extends CommonOptions, Arguments extends unknown[]>({
  create = false,
  anyVersion = false,
  run,
  ...declaration
}: PoolCommand<Options, Arguments>): MakeCommand {
  const { key, reads = false } = declaration;
  return bareCommand<Options, Arguments>({
    ...declaration,
    act: (options, _, ...args) => {
      const isRevealing = 'reveal' in options && options.reveal === true;
      const unlock = key === 'always' || (key === '--reveal' && isRevealing);
      return withVault(options, (vault) => run(vault, options, ...args), {
        create,
        anyVersion,
        unlock,
        reads,
      });
    },
  });
}

/** A command whose function opens the pool itself. */
export function bareCommand<Options extends CommonOptions, Arguments extends unknown[]>({
  act,
  ...declaration
}: BareCommand<Options, Arguments>): MakeCommand {
  return () => {
    const command = withCommonOptions(declare(declaration));
    return command.action((...given: unknown[]) => {
      const args = given.slice(0, -2) as Arguments;
      return act(givenOptions(command) as Options, command, ...args);
    });
  };
}

interface StandaloneCommand<Arguments extends unknown[]> extends Declaration {
  /** Whether the options about a pool may be before it, and change nothing. */
  ignoresPool?: boolean;
  act: (command: Command, ...args: Arguments) => void | Promise<void>;
}

/** A command that works on no pool, and takes none of the options about one. */
export function standaloneCommand<Arguments extends unknown[]>({
  ignoresPool = false,
  act,
  ...declaration
}: StandaloneCommand<Arguments>): MakeCommand {
  return () => {
    const command = declare(declaration);
    return command.action((...given: unknown[]) => {
      const [before] = Object.keys(command.parent?.opts() ?? {});
      if (before !== undefined && !ignoresPool)
        command.error(
          `error: ${declaration.name} works on no pool of yours: leave out the options before it`,
        );
      return act(command, ...(given.slice(0, -2) as Arguments));
    });
  };
}

/** A command that only has others below it. */
export function commandGroup(name: string, purpose: string, commands: readonly MakeCommand[]): MakeCommand {
  return () => {
    // `help key rotate` is the one help: the one that commander adds takes any name, and says nothing of it.
    const group = withCommonOptions(new Command(name).description(purpose))
      .enablePositionalOptions()
      .helpCommand(false);
    for (const command of commands) group.addCommand(command());
    return group;
  };
}

/** Adds the options that are accepted before a command and after it. */
export function withCommonOptions(command: Command): Command {
  for (const [flags, description] of COMMON_OPTIONS) command.option(flags, description);
  return command;
}

function declare(declaration: Declaration): Command {
  const { name, purpose, example, notes, takes = (command: Command) => command } = declaration;
  const command = takes(new Command(name).description(purpose));
  const paragraphs = [factsOf(declaration), `Example:\n  $ ${example}`, notes ?? ''];
  command.addHelpText('after', `\n${paragraphs.filter((text) => text !== '').join('\n\n')}`);
  declarations.set(command, declaration);
  return command;
}

/** What --help says of the key and of the pool. */
function factsOf({ key, reads }: Declaration): string {
  const needs = {
    always: 'Needs the key.',
    logins: 'Needs the key if there are logins.',
    '--reveal': 'Needs the key with --reveal only.',
    '--deep': 'Needs the key with --deep only.',
  };
  const facts = [
    ...(key === undefined ? [] : [needs[key]]),
    ...(reads ? ['Works on a pool that may not be written.'] : []),
  ];
  return facts.join(' ');
}

/** The options before the command and after it; of one that is given twice, the one nearest to the command's own. */
function givenOptions(command: Command): object {
  const above = command.parent === null ? {} : givenOptions(command.parent);
  return { ...above, ...command.opts() };
}
