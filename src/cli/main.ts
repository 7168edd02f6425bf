import { CommanderError } from 'commander';

import { endBySignal } from './ending-signals.ts';
import { EXIT, failureCodes } from './exit-codes.ts';
import { reportError } from './fail.ts';
import { createProgram, declaredFlags } from './program.ts';
import { wantsJson } from './read-arguments.ts';
import { warningListener } from './warn.ts';
import { withoutLogins } from './without-logins.ts';

const FLAGS = declaredFlags();

/** Runs the command line; gives the exit code: 0 done, 1 failed, 2 used wrongly, or as `exec` documents. */
export async function main(args: readonly string[]): Promise<number> {
  const json = wantsJson(args, FLAGS);
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
  const json = wantsJson(args, FLAGS);
  // A reader that has seen enough, such as `head`, is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
  // What cannot be told, since nobody reads it or the disk is full, is no failure of what was done: `exec` gives the exit code
  // of its command all the same, and `next` prints no second URL.
  process.stderr.on('error', () => undefined);
  // Node would print these as they are, whatever is in them.
  if (process.listenerCount('warning') > 0)
    process.removeAllListeners('warning').on('warning', warningListener(json));
  process.once('uncaughtException', (error) => {
    if (isTerminalGone(error)) return endBySignal('SIGHUP');
    reportError(error, json, args);
    process.exit(failureCodes(args).failure);
  });
}

/** A terminal that is closed fails before SIGHUP comes. */
function isTerminalGone({ code, syscall = '' }: NodeJS.ErrnoException): boolean {
  return code === 'EIO' && ['read', 'setRawMode'].includes(syscall) && process.stdin.isTTY;
}
