import { ProxyVaultError } from '../errors.ts';

/** What a full batch has left is stored after this time, in which the event loop has its turn. Milliseconds. */
const REST_DELAY = 20;
/** After each failure the time doubles, up to this. */
const LONGEST_DELAY = 3200;
/** So long what waits may hold up the program while another process writes; then it waits for the next time. Milliseconds. */
export const SHORT_WAIT = 5;

/** What is stored in the background. */
interface Work {
  /** Stores some of what waits. @throws what the database throws. */
  flush: (waitMs: number) => void;
  isWaiting: () => boolean;
  /** How long something may wait, in milliseconds. */
  delay: () => number;
  /** Has the database do something before it is closed; gives the function that takes it back. */
  beforeClose: (close: () => void) => () => void;
  close: () => void;
  /** Called when all is stored. */
  onStored: () => void;
}

/** Sees to it that what waits is stored soon: by a timer, which comes again after a failure, and before the database is closed. */
export class BackgroundFlush {
  /** The code of the error with which the last attempt has failed; null if it has not. */
  failure: string | null = null;
  readonly #work: Work;
  #timer: NodeJS.Timeout | null = null;
  /** While something waits, the engine stores it before it is closed. */
  #takeBack: (() => void) | null = null;

  constructor(work: Work) {
    this.#work = work;
  }

  /** The timer keeps the process alive, so that a program that ends by itself loses nothing. */
  schedule(after?: number): NodeJS.Timeout {
    this.#takeBack ??= this.#work.beforeClose(() => this.#work.close());
    if (this.#timer !== null) return this.#timer;
    const delay = after ?? this.#work.delay();
    this.#timer = setTimeout(() => this.#run(delay), delay);
    return this.#timer;
  }

  /** Stores what waits, or leaves it for the next time; then gives the code of the error. */
  attempt(flush: (waitMs: number) => void = this.#work.flush): string | null {
    try {
      flush(SHORT_WAIT);
      return null;
    } catch (error) {
      this.failure = codeOf(error);
      return this.failure;
    }
  }

  /** Nothing is stored in the background from now on, until something is scheduled. */
  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#takeBack?.();
    this.#takeBack = null;
  }

  #run(delay: number): void {
    this.end();
    const failure = this.attempt();
    if (failure === 'CLOSED') return;
    if (!this.#work.isWaiting()) {
      if (failure === null) this.#work.onStored();
      return;
    }
    const later = Math.min(Math.max(this.#work.delay(), 2 * delay), LONGEST_DELAY);
    const timer = this.schedule(failure === null ? REST_DELAY : later);
    // Another process soon lets the lock go. A full disk may last, and no program should wait for that at its end.
    if (failure !== null && failure !== 'BUSY') timer.unref();
  }
}

/** The code of an error of ours. */
export function codeOf(error: unknown): string {
  return error instanceof ProxyVaultError ? error.code : 'unknown';
}
