import { Command } from 'commander';

import type { Vault } from '../vault.ts';
import { type CommonOptions, type OpeningOptions, withVault } from './open-vault.ts';

/** What every command declares. */
interface Declaration {
  name: string;
  purpose: string;
  /** A whole command line. */
  example: string;
  /** What --help says after the example. */
  notes?: string;
  /** Adds its arguments and its own options. */
  takes?: (command: Command) => Command;
}

/** A command that works on an open pool. */
interface PoolCommand<Options extends CommonOptions, Arguments extends unknown[]>
  extends Declaration,
    Pick<OpeningOptions, 'create' | 'anyVersion'> {
  /** Whether it needs the key: always, or only with --reveal. Otherwise nobody is asked for a passphrase. */
  key?: 'always' | 'reveal';
  run: (vault: Vault, options: Options, ...args: Arguments) => void | Promise<void>;
}

/** A command that opens the pool itself, such as after it has read a list. */
interface BareCommand<Options extends CommonOptions, Arguments extends unknown[]> extends Declaration {
  /** @param command for errors of use: `command.error(…)` ends with exit code 2. */
  act: (options: Options, command: Command, ...args: Arguments) => void | Promise<void>;
}

/** Each call makes the command again, since commander keeps the options of a call in it. */
type MakeCommand = () => Command;

/** A command whose function gets the open pool, which is closed afterwards, whatever happens. */
export function poolCommand<Options extends CommonOptions, Arguments extends unknown[]>({
  key,
  create = false,
  anyVersion = false,
  run,
  ...declaration
}: PoolCommand<Options, Arguments>): MakeCommand {
  return bareCommand<Options, Arguments>({
    ...declaration,
    act: (options, _, ...args) => {
      const isRevealing = 'reveal' in options && options.reveal === true;
      const unlock = key === 'always' || (key === 'reveal' && isRevealing);
      return withVault(options, (vault) => run(vault, options, ...args), { create, anyVersion, unlock });
    },
  });
}

/** A command whose function opens the pool itself. */
export function bareCommand<Options extends CommonOptions, Arguments extends unknown[]>({
  name,
  purpose,
  example,
  notes,
  takes = (command) => command,
  act,
}: BareCommand<Options, Arguments>): MakeCommand {
  return () =>
    takes(new Command(name).description(purpose))
      .option('--db <file>', 'the pool (else PROXYVAULT_DB, else your data folder)')
      .option(
        '--key-file <file>',
        'the key (else PROXYVAULT_KEY or PROXYVAULT_KEY_FILE, else your configuration folder)',
      )
      .option(
        '--passphrase-file <file>',
        'the passphrase of a protected key (else PROXYVAULT_PASSPHRASE_FILE, else it is asked for)',
      )
      .option(
        '--trust-key-file',
        'accept a key file that is a link or open to others, such as a mounted secret (else PROXYVAULT_TRUST_KEY_FILE=1)',
      )
      .option('--json', 'print JSON for a program')
      .addHelpText('after', `\nExample:\n  $ ${example}${notes === undefined ? '' : `\n\n${notes}`}`)
      .action((...given: unknown[]) => {
        const [options, command] = given.splice(-2) as [Options, Command];
        return act(options, command, ...(given as Arguments));
      });
}

/** A command that only has others below it. */
export function commandGroup(name: string, purpose: string, commands: readonly MakeCommand[]): MakeCommand {
  return () => {
    const group = new Command(name).description(purpose);
    for (const command of commands) group.addCommand(command());
    return group;
  };
}
