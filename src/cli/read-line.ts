import type { Key } from 'node:readline';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

import { ENDING_SIGNALS, type EndingSignal, endBySignal } from './ending-signals.ts';
import { text, writeError } from './terminal.ts';

/** What the key sends that ends a process with SIGQUIT. */
const CTRL_BACKSLASH = '\u001c';

/** Whole lines that came together with an answer, such as those of a paste. They answer the questions that follow. */
const typedAhead: string[] = [];

/** What is typed until Enter; null at the end of the input. */
export async function readLine(question: string, { isShown }: { isShown: boolean }): Promise<string | null> {
  const earlier = typedAhead.shift();
  if (earlier !== undefined) {
    writeError(text`${question}`);
    if (isShown) writeError(text`\n`);
    return earlier;
  }
  const output = isShown ? process.stderr : new Writable({ write: (_text, _encoding, done) => done() });
  const end = (signal: NodeJS.Signals): void => {
    close();
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  // First, since others that listen may end the process at once. Node restores the terminal only if nobody listens.
  for (const signal of ENDING_SIGNALS) process.prependListener(signal, end);
  const terminal = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  const askAgain = (): void => {
    // A shell may have changed the terminal, and Node sets only a mode that is not the one it set last.
    process.stdin.setRawMode(false).setRawMode(true);
    // Stopped, the input would be read no more.
    terminal.pause();
    if (isShown) terminal.prompt(true);
    else {
      // Nobody sees what was typed before.
      terminal.write(null, { ctrl: true, name: 'e' });
      terminal.write(null, { ctrl: true, name: 'u' });
      writeError(text`${question}`);
    }
  };
  process.on('SIGCONT', askAgain);
  const close = (): void => {
    for (const signal of ENDING_SIGNALS) process.off(signal, end);
    process.off('SIGCONT', askAgain);
    process.stdin.off('keypress', onKey);
    try {
      terminal.close();
    } catch {
      // The terminal is gone.
    }
  };
  // Only now: before, the terminal itself would show what is typed.
  if (!isShown) writeError(text`${question}`);
  const ended = new Promise<null>((resolve) => terminal.once('close', () => resolve(null)));
  terminal.on('line', (line) => typedAhead.push(line));
  // These come as characters, since the terminal gives every key to us.
  const press = (signal: EndingSignal): void => {
    close();
    endBySignal(signal);
  };
  terminal.once('SIGINT', () => {
    writeError(text`\n`);
    press('SIGINT');
  });
  const onKey = (_: string, { sequence }: Key): void => {
    if (sequence === CTRL_BACKSLASH) press('SIGQUIT');
  };
  process.stdin.on('keypress', onKey);
  terminal.on('SIGTSTP', () => {
    process.stdin.setRawMode(false);
    process.kill(0, 'SIGTSTP');
    // A process that nobody can continue is not stopped, such as one that `script -c` started: it must show nothing either.
    process.stdin.setRawMode(true);
  });
  try {
    return await Promise.race([terminal.question(isShown ? question : '').catch(() => ended), ended]);
  } finally {
    close();
  }
}
