import { ProxyVaultError } from 'proxyvault/database';

/** Statements of an operation: the one with this number, from 1, among those that match. */
export interface Place {
  nth: number;
  of: RegExp;
}

/** What every statement matches, and what changes something or begins to. */
export const ANY = /^/;
export const WRITES = /^(?:BEGIN IMMEDIATE|INSERT|UPDATE|DELETE|COMMIT)/;

/**
 * Lets another process act between two statements of a connection, at exactly the one that is wanted, without a sleep: give
 * `log` as the option `verbose` of the connection. The SQL logger hears of each statement right before it runs.
 *
 * "Another process" is a second connection, in this thread or in a worker, whose busy timeout is 0. If the first has the
 * write lock at the statement, the action is BUSY. It is then tried again at each later statement, until it gets in.
 */
export class Interleaving {
  readonly #place: Place;
  readonly #act: () => void;
  #isWatching = false;
  #isLocked = false;
  #isKeptOut = false;
  #matching = 0;
  /** The action ran before the statement with this number among those that match; null while it has not run. */
  ranAt: number | null = null;
  /** The text of that statement. */
  statement = 'the end';

  constructor(place: Place, act: () => void) {
    this.#place = place;
    this.#act = act;
  }

  readonly log = (sql: string): void => {
    if (!this.#isWatching) return;
    const text = sql.trim().replace(/\s+/g, ' ');
    if (this.#place.of.test(text)) this.#matching++;
    if (this.ranAt === null && (this.#isKeptOut || this.#matching === this.#place.nth)) this.#try(text);
    if (text === 'BEGIN IMMEDIATE') this.#isLocked = true;
    if (text === 'COMMIT' || text === 'ROLLBACK') this.#isLocked = false;
  };

  /** Runs the operation whose statements are meant. An action that has not run by its end runs after it. */
  async during<T>(operation: () => T | Promise<T>): Promise<T> {
    this.#isWatching = true;
    try {
      return await operation();
    } finally {
      this.#isWatching = false;
      this.#isLocked = false;
      this.#matching++;
      if (this.ranAt === null) this.#try('the end');
    }
  }

  /** Whether the action came after the last statement. */
  get isAtEnd(): boolean {
    return this.statement === 'the end';
  }

  #try(statement: string): void {
    try {
      this.#act();
      this.ranAt = this.#matching;
      this.statement = statement;
    } catch (error) {
      if (!(error instanceof ProxyVaultError && error.code === 'BUSY')) throw error;
      if (!this.#isLocked)
        throw new Error(`Another process is kept out by nobody before: ${statement}`, { cause: error });
      this.#isKeptOut = true;
    }
  }
}

/**
 * Tells a story once for each statement that matches of the operation in it, and once after its end; gives how often. The
 * statements at which the other is kept out are one place, since it comes at the same moment after them.
 */
export async function atEachStatement(
  tell: (place: Place) => Promise<Interleaving>,
  of = ANY,
): Promise<number> {
  for (let stories = 1, nth = 1; ; stories++) {
    const { ranAt, isAtEnd } = await tell({ nth, of });
    if (isAtEnd) return stories;
    nth = Number(ranAt) + 1;
  }
}
