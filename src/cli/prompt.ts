import { invalidInput } from '../model/validation.ts';
import { untilForeground } from './foreground.ts';
import { text, writeError } from './terminal.ts';
import { TypedLines } from './typed-lines.ts';

/** What readline gives for bytes that are not UTF-8. */
const UNDECODABLE = '\uFFFD';

/** Open from one question to the next inside `withoutEcho`. */
let typed: TypedLines | null = null;
let isKept = false;

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

/** Asks several questions in `work`. Between two secrets the terminal shows nothing of what is typed too early. */
export async function withoutEcho<T>(work: () => Promise<T>): Promise<T> {
  isKept = true;
  try {
    return await work();
  } finally {
    isKept = false;
    close();
  }
}

/** What is typed until Enter; null at the end of the input. */
async function readLine(question: string, { isShown }: { isShown: boolean }): Promise<string | null> {
  if (typed?.isShown !== isShown) close();
  await untilForeground();
  typed ??= new TypedLines({ isShown });
  try {
    return await typed.ask(question);
  } finally {
    if (!isKept) close();
  }
}

function close(): void {
  typed?.close();
  typed = null;
}
