import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';

import { errnoOf, fileError } from '../files/file-error.ts';
import { ENDING_SIGNALS } from './ending-signals.ts';
import { EXEC_EXIT } from './exit-codes.ts';

/** How a command ended: with its exit code, or why it could not be started. */
export type Ended = { code: number } | { code: number; error: unknown };

/** A terminal sends these to every process in the foreground, the command included, wherever their streams lead. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];
/** What says of the system, and not of the command, that it cannot be started now. */
const NO_ROOM = ['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM'];

/** Runs a command, without a shell, on our own standard streams, and passes signals on to it. */
export async function runCommand(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Ended> {
  let child: ChildProcess | null = null;
  const isOnTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  const handlers = ENDING_SIGNALS.map((signal) => {
    const forward = (): void => {
      if (!(isOnTerminal && FROM_TERMINAL.includes(signal))) child?.kill(signal);
    };
    return [signal, forward] as const;
  });
  for (const [signal, forward] of handlers) process.on(signal, forward);
  try {
    child = spawn(command, args, { stdio: 'inherit', env });
    return { code: await exitOf(child) };
  } catch (error) {
    const failed = fileError(error, `The command ${JSON.stringify(command)} cannot be started`, command);
    return { code: codeOf(error), error: failed };
  } finally {
    for (const [signal, forward] of handlers) process.off(signal, forward);
  }
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      resolve(code ?? EXEC_EXIT.signal + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}

function codeOf(error: unknown): number {
  const errno = errnoOf(error) ?? '';
  if (errno === 'ENOENT') return EXEC_EXIT.notFound;
  return NO_ROOM.includes(errno) ? EXEC_EXIT.failure : EXEC_EXIT.notExecutable;
}
