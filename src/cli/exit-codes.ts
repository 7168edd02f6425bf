import { isCommand } from './read-arguments.ts';

/** What the process says to the one who called it. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

/** The exit codes of `exec`, as of env(1) and timeout(1): all others are the command's own. */
export const EXEC_EXIT = {
  failure: 125,
  usage: 125,
  notExecutable: 126,
  notFound: 127,
  signal: 128,
} as const;

/** The exit codes that tell of a failure of proxyvault itself. */
export function failureCodes(args: readonly string[]): { failure: number; usage: number } {
  return isCommand('exec', args) ? EXEC_EXIT : EXIT;
}
