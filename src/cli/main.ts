import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';

import { COMMANDS } from './commands/registry.ts';
import { EXIT, reportError } from './fail.ts';

/** Runs the command line; gives the exit code: 0 done, 1 failed, 2 used wrongly. */
export async function main(args: readonly string[]): Promise<number> {
  // A reader that has seen enough, such as `head`, is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
  const json = args.includes('--json');
  try {
    const program = createProgram(json);
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (json && error.exitCode !== 0)
        reportError({ code: 'USAGE', message: error.message.replace(/^error: /, '') }, true);
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    }
    reportError(error, json);
    return EXIT.failure;
  }
}

function createProgram(json: boolean): Command {
  const program = new Command('proxyvault')
    .description('The durable, encrypted proxy pool.')
    .version(readVersion())
    .showHelpAfterError(json ? false : '(add --help for what it takes)')
    .configureOutput({ outputError: (text, write) => json || write(text) })
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

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}
