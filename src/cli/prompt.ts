import { createInterface, type Interface } from 'node:readline/promises';
import { Writable } from 'node:stream';

import { invalidInput } from '../model/validation.ts';
import { text, writeError } from './terminal.ts';

/** What readline gives for bytes that are not UTF-8. */
const UNDECODABLE = '\uFFFD';

/** Whole lines that came together with an answer, such as those of a paste. They answer the questions that follow. */
const typedAhead: string[] = [];

/** Whether there is somebody to ask: the question goes to standard error, so that standard output stays for data. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/**
 * Asks for a secret, of which nothing is shown. Ctrl-C ends the process.
 *
 * @throws INVALID_INPUT at the end of the input (Ctrl-D), or for what is not UTF-8: different secrets would become the same one.
 */
export async function ask(question: string): Promise<string> {
  const answer = await readLine(`${question} `, { isShown: false });
  writeError(text`\n`);
  if (answer?.includes(UNDECODABLE)) {
    throw invalidInput(
      'The answer is not UTF-8: set the terminal to UTF-8, and run the command again. Nothing was changed.',
    );
  }
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

/** What is typed until Enter; null at the end of the input. */
async function readLine(question: string, { isShown }: { isShown: boolean }): Promise<string | null> {
  const earlier = typedAhead.shift();
  if (earlier !== undefined) {
    writeError(text`${question}`);
    if (isShown) writeError(text`\n`);
    return earlier;
  }
  const output = isShown ? process.stderr : new Writable({ write: (_text, _encoding, done) => done() });
  // Node restores the terminal itself for SIGINT and SIGTERM only.
  const end = (signal: 'SIGHUP' | 'SIGQUIT'): void => endBySignal(terminal, signal);
  process.once('SIGHUP', end).once('SIGQUIT', end);
  const terminal = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  // Only now: before, the terminal itself would show what is typed.
  if (!isShown) writeError(text`${question}`);
  const ended = new Promise<null>((resolve) => terminal.once('close', () => resolve(null)));
  terminal.on('line', (line) => typedAhead.push(line));
  terminal.once('SIGINT', () => endBySignal(terminal, 'SIGINT'));
  // After Ctrl-Z and `fg` readline does not read by itself, and tells us before it stops the echo of the terminal.
  terminal.on('SIGCONT', () => {
    process.stdin.setRawMode(true);
    if (!isShown) writeError(text`${question}`);
    terminal.resume();
  });
  try {
    return await Promise.race([terminal.question(isShown ? question : '').catch(() => ended), ended]);
  } finally {
    process.off('SIGHUP', end).off('SIGQUIT', end);
    terminal.close();
  }
}

/** Restores the terminal and ends the process as the signal does where nobody is asked: Ctrl-C comes as a character. */
function endBySignal(terminal: Interface, signal: 'SIGINT' | 'SIGHUP' | 'SIGQUIT'): void {
  terminal.close();
  if (signal === 'SIGINT') writeError(text`\n`);
  if (signal === 'SIGINT' ? !process.emit(signal, signal) : process.listenerCount(signal) === 0)
    process.kill(process.pid, signal);
}
