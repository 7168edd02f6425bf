import { readFileSync } from 'node:fs';
import { Command } from 'commander';

import { withCommonOptions } from './command.ts';
import { COMMANDS } from './commands/registry.ts';
import { PACKAGE_FOLDER } from './package-folder.ts';
import { lines, Text, text, writeError, writeOut } from './terminal.ts';
import { withoutLogins } from './without-logins.ts';

/** The whole command line. It prints what `args` say, which a usage error may repeat without the logins in them. */
export function createProgram(json: boolean, args: readonly string[]): Command {
  const program = withCommonOptions(new Command('proxyvault'))
    .description('The durable, encrypted proxy pool.')
    .version(readVersion())
    .showHelpAfterError(json ? false : '(add --help for what it takes)')
    .enablePositionalOptions()
    .helpCommand(false)
    .configureOutput({
      writeOut: (help) => writeOut(Text.ours(help)),
      // The help in place of a command that is missing; with --json the error says it.
      writeErr: (help) => json || writeError(Text.ours(help)),
      outputError: (error) => json || writeError(text`${oneLine(error, args)}\n`),
    })
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 failed, 2 used wrongly.
Options may be before the command or after it; of an option that is given twice, the later one counts.

Example:
  $ proxyvault import proxies.txt && proxyvault next`,
    );
  for (const command of COMMANDS) program.addCommand(command());
  for (const command of allCommands(program)) command.exitOverride().copyInheritedSettings(program);
  return program;
}

/** Every option of any command that takes no value, or may be given without one: what begins with a dash is not its value. */
export function declaredFlags(): ReadonlySet<string> {
  const commands = COMMANDS.flatMap((create) => allCommands(create()));
  const flags = commands.flatMap(({ options }) => options.filter(({ required }) => !required));
  return new Set(flags.flatMap(({ short, long }) => [short, long]).filter((name) => name !== undefined));
}

/** A command with all those below it. */
export function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

/** A usage error holds what was typed, in which a line end could forge another message; only its suggestion has a line. */
function oneLine(error: string, args: readonly string[]): Text {
  return lines(withoutLogins(error.trimEnd(), args).split('\n(Did you mean'), '\n(Did you mean');
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('package.json', PACKAGE_FOLDER), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}
