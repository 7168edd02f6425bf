import type { Key } from 'node:readline';
import { createInterface, type Interface } from 'node:readline/promises';
import { Writable } from 'node:stream';

import { invalidInput } from '../model/validation.ts';
import { ENDING_SIGNALS, type EndingSignal, endBySignal } from './ending-signals.ts';
import { isForeground } from './foreground.ts';
import { text, writeError } from './terminal.ts';

/** What the key sends that ends a process with SIGQUIT. */
const CTRL_BACKSLASH = '\u001c';

/**
 * What a person types at the terminal, line by line. Every key comes to this process, which shows nothing of a secret; the
 * terminal is as before when it ends, whatever ends it.
 */
export class TypedLines {
  readonly isShown: boolean;
  readonly #terminal: Interface;
  readonly #signals: readonly EndingSignal[];
  readonly #ended: Promise<null>;
  /** Whole lines that came together with an answer, such as those of a paste. They answer the questions that follow. */
  readonly #typedAhead: string[] = [];
  #question = '';

  /** @throws INVALID_INPUT in the background of a terminal, if nothing can bring the process to the foreground. */
  constructor({ isShown }: { isShown: boolean }) {
    this.isShown = isShown;
    // For SIGINT and SIGTERM Node itself restores the terminal, also while it is stopped, if nobody listens.
    this.#signals = ENDING_SIGNALS.filter(
      (signal) => !['SIGINT', 'SIGTERM'].includes(signal) || process.listenerCount(signal) > 0,
    );
    const output = isShown ? process.stderr : new Writable({ write: (_text, _encoding, done) => done() });
    // First, since others that listen may end the process at once.
    for (const signal of this.#signals) process.prependListener(signal, this.#end);
    process.on('SIGCONT', this.#askAgain);
    process.stdin.on('keypress', this.#onKey);
    try {
      this.#terminal = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
    } catch {
      this.#listenNoMore();
      process.stdin.pause();
      throw invalidInput(
        'Cannot ask on this terminal from the background: run the command in the foreground. Nothing was changed.',
      );
    }
    this.#ended = new Promise((resolve) => this.#terminal.once('close', () => resolve(null)));
    this.#terminal.on('line', (line) => this.#typedAhead.push(line));
    // It comes as a character.
    this.#terminal.once('SIGINT', () => {
      writeError(text`\n`);
      this.#press('SIGINT');
    });
    this.#terminal.on('SIGTSTP', () => {
      process.stdin.setRawMode(false);
      process.kill(0, 'SIGTSTP');
      // A process that nobody can continue is not stopped, such as one that `script -c` started: it must show nothing either.
      if (isForeground()) process.stdin.setRawMode(true);
    });
  }

  /** What is typed until Enter; null at the end of the input. */
  async ask(question: string): Promise<string | null> {
    const earlier = this.#typedAhead.shift();
    if (!this.isShown || earlier !== undefined) writeError(text`${question}`);
    if (earlier !== undefined) {
      if (this.isShown) writeError(text`\n`);
      return earlier;
    }
    this.#question = question;
    const answer = this.#terminal.question(this.isShown ? question : '');
    return Promise.race([answer.catch(() => this.#ended), this.#ended]);
  }

  /** Gives the terminal back. In the background others have it already, and changing its mode would stop this process. */
  close(): void {
    this.#listenNoMore();
    try {
      if (isForeground()) this.#terminal.close();
    } catch {
      // The terminal is gone.
    }
  }

  readonly #askAgain = (): void => {
    if (!isForeground()) {
      // As reading there does. A signal that ends the process is seen between two stops.
      process.kill(0, 'SIGTTIN');
      return;
    }
    // A shell may have changed the terminal, and Node sets only a mode that is not the one it set last.
    process.stdin.setRawMode(false).setRawMode(true);
    // Stopped, the input would be read no more.
    this.#terminal.pause();
    if (this.isShown) this.#terminal.prompt(true);
    else {
      // Nobody sees what was typed before.
      this.#terminal.write(null, { ctrl: true, name: 'e' });
      this.#terminal.write(null, { ctrl: true, name: 'u' });
      writeError(text`${this.#question}`);
    }
  };

  readonly #onKey = (_: string, { sequence }: Key): void => {
    if (sequence === CTRL_BACKSLASH) this.#press('SIGQUIT');
  };

  readonly #end = (signal: NodeJS.Signals): void => {
    this.close();
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };

  #press(signal: EndingSignal): void {
    this.close();
    endBySignal(signal);
  }

  #listenNoMore(): void {
    for (const signal of this.#signals) process.off(signal, this.#end);
    process.off('SIGCONT', this.#askAgain);
    process.stdin.off('keypress', this.#onKey);
  }
}
