import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';

import { COMMANDS } from './commands/registry.ts';
import { EXIT, failureCodes } from './exit-codes.ts';
import { reportError } from './fail.ts';
import { wantsJson } from './json-flag.ts';
import { lines, Text, text, writeError, writeOut } from './terminal.ts';
import { warningListener } from './warn.ts';
import { withoutLogins } from './without-logins.ts';

/** Runs the command line; gives the exit code: 0 done, 1 failed, 2 used wrongly, or as `exec` documents. */
export async function main(args: readonly string[]): Promise<number> {
  const json = wantsJson(args);
  const codes = failureCodes(args);
  try {
    const program = createProgram(json, args);
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (json && error.exitCode !== 0)
        reportError({ code: 'USAGE', message: usageMessage(error, args) }, true);
      return error.exitCode === 0 ? EXIT.ok : codes.usage;
    }
    reportError(error, json, args);
    return codes.failure;
  }
}

function usageMessage({ code, message }: CommanderError, args: readonly string[]): string {
  if (code === 'commander.help') return 'A command is missing: --help lists them.';
  return withoutLogins(message.replace(/^error: /, ''), args);
}

/** Has warnings and errors that nothing else catches printed as our own, safe for a terminal. For the process, once. */
export function watchProcess(args: readonly string[]): void {
  const json = wantsJson(args);
  // A reader that has seen enough, such as `head`, is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
  // Node would print these as they are, whatever is in them.
  if (process.listenerCount('warning') > 0)
    process.removeAllListeners('warning').on('warning', warningListener(json));
  process.once('uncaughtException', (error) => {
    reportError(error, json, args);
    process.exit(failureCodes(args).failure);
  });
}

function createProgram(json: boolean, args: readonly string[]): Command {
  const program = new Command('proxyvault')
    .description('The durable, encrypted proxy pool.')
    .version(readVersion())
    .showHelpAfterError(json ? false : '(add --help for what it takes)')
    .enablePositionalOptions()
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
The pool is --db FILE, else PROXYVAULT_DB, else a file in your data folder.
The key is --key-file FILE, else PROXYVAULT_KEY or PROXYVAULT_KEY_FILE, else a file in your configuration folder.

Example:
  $ proxyvault import proxies.txt && proxyvault next`,
    );
  for (const command of COMMANDS) program.addCommand(command());
  for (const command of allCommands(program)) command.exitOverride().copyInheritedSettings(program);
  return program;
}

/** A usage error holds what was typed, in which a line end could forge another message; only its suggestion has a line. */
function oneLine(error: string, args: readonly string[]): Text {
  return lines(withoutLogins(error.trimEnd(), args).split('\n(Did you mean'), '\n(Did you mean');
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}
