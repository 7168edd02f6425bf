import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

import { invalidInput } from '../model/validation.ts';
import { text, writeError } from './terminal.ts';

/** Whether there is somebody to ask: the question goes to standard error, so that standard output stays for data. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/**
 * Asks for a secret, of which nothing is shown. Ctrl-C ends the process.
 *
 * @throws INVALID_INPUT at the end of the input (Ctrl-D).
 */
export async function ask(question: string): Promise<string> {
  const answer = await readLine(`${question} `, { isShown: false });
  writeError(text`\n`);
  if (answer !== null) return answer;
  throw invalidInput(
    'The input ended before an answer: run the command again, and type the answer with Enter.',
  );
}

/** Asks for a plain yes; anything else is no, and so is the end of the input (Ctrl-D). Ctrl-C ends the process. */
export async function confirm(question: string): Promise<boolean> {
  const answer = await readLine(`${question} [y/N] `, { isShown: true });
  // What is printed next begins a line.
  if (answer === null) writeError(text`\n`);
  return /^y(?:es)?$/i.test(answer?.trim() ?? '');
}

/** What is typed until Enter; null at the end of the input. Nothing of it is kept. */
async function readLine(question: string, { isShown }: { isShown: boolean }): Promise<string | null> {
  const output = isShown ? process.stderr : new Writable({ write: (_text, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  // Only now: before, the terminal itself would show what is typed.
  if (!isShown) writeError(text`${question}`);
  const ended = new Promise<null>((resolve) => terminal.once('close', () => resolve(null)));
  terminal.once('SIGINT', () => {
    terminal.close();
    endBySignal();
  });
  try {
    return await Promise.race([terminal.question(isShown ? question : '').catch(() => ended), ended]);
  } finally {
    terminal.close();
  }
}

/** Ends the process as Ctrl-C does where nobody is asked: a terminal that is asked on gives it as a character. */
function endBySignal(): void {
  writeError(text`\n`);
  if (!process.emit('SIGINT', 'SIGINT')) process.kill(process.pid, 'SIGINT');
}
