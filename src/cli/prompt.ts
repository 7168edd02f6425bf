import { createInterface } from 'node:readline/promises';

import { invalidInput } from '../model/validation.ts';
import { text, writeError } from './terminal.ts';

/** Whether there is somebody to ask: the question goes to standard error, so that standard output stays for data. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/**
 * Asks for a secret, which is not shown. Ctrl-C ends the process.
 *
 * @throws INVALID_INPUT at the end of the input (Ctrl-D).
 */
export async function ask(question: string): Promise<string> {
  // Loaded only when somebody is asked.
  const { default: password } = await import('@inquirer/password');
  const ending = new AbortController();
  const end = (): void => ending.abort();
  // The prompt waits for ever if its input ends: then it only pauses the stream.
  process.stdin.once('pause', end);
  try {
    return await password(
      { message: question, mask: '*' },
      { output: process.stderr, signal: ending.signal },
    );
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    if (name === 'ExitPromptError') endBySignal();
    if (name !== 'AbortPromptError') throw error;
    throw invalidInput(
      'The input ended before an answer: run the command again, and type the answer with Enter.',
    );
  } finally {
    process.stdin.off('pause', end);
  }
}

/** Asks for a plain yes; anything else is no, and so is the end of the input (Ctrl-D). Ctrl-C ends the process. */
export async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<string>((resolve) => terminal.once('close', () => resolve('\n')));
  terminal.once('SIGINT', () => {
    terminal.close();
    endBySignal();
  });
  try {
    const asked = terminal.question(`${question} [y/N] `).catch(() => ended);
    const answer = await Promise.race([asked, ended]);
    // What is printed next begins a line.
    if (answer === '\n') writeError(text`\n`);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

/** Ends the process as Ctrl-C does where nobody is asked: a terminal that is asked on gives it as a character. */
function endBySignal(): void {
  writeError(text`\n`);
  if (!process.emit('SIGINT', 'SIGINT')) process.kill(process.pid, 'SIGINT');
}
