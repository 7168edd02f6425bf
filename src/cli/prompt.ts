import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';

/** Whether there is somebody to ask: the question goes to standard error, so that standard output stays for data. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks for a secret, which is not shown. */
export async function ask(question: string): Promise<string> {
  // Loaded only when somebody is asked.
  const { default: password } = await import('@inquirer/password');
  return password({ message: question, mask: '*' }, { output: process.stderr });
}

/** Asks for a plain yes; anything else is no, and so is the end of the input (Ctrl-D). */
export async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const ended = once(terminal, 'close').then(() => '');
    const answer = await Promise.race([terminal.question(`${question} [y/N] `), ended]);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
