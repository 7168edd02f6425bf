import type { Session } from '../database/drivers/driver.ts';
import { prune } from '../database/prune.ts';
import { ProxyVaultError } from '../errors.ts';
import { type HistorySettings, POOL_DEFAULTS } from '../model/pool-options.ts';

const DAY = 86_400_000;
/** History is looked at so often, in milliseconds; the first time so long after a process has begun. */
const EVERY = DAY / 4;
const FIRST = 60_000;
/** So many rows go at once, in a few milliseconds; the rest a second later. */
const AT_ONCE = 500;
const NEXT = 1000;

/** Removes history that is older than the configuration wants it, a little at a time. */
export class Housekeeping {
  readonly #session: Session<'sync'>;
  readonly #unnoticed: <T>(write: () => T) => T;
  #history: HistorySettings = POOL_DEFAULTS.history;
  #due: number;

  constructor(session: Session<'sync'>, unnoticed: <T>(write: () => T) => T) {
    this.#session = session;
    this.#unnoticed = unnoticed;
    this.#due = session.clock() + FIRST;
  }

  configure(history: HistorySettings): void {
    this.#history = history;
  }

  /** Removes some history, if it is time. What cannot be removed now is removed later. */
  tidy(now: number): void {
    if (now < this.#due || this.#session.driver.scope !== null) return;
    this.#due = now + EVERY;
    try {
      const { eventDays, usageDays } = this.#history;
      const { events, stats, sessions } = this.#unnoticed(() =>
        prune(this.#session, {
          eventsOlderThan: new Date(now - eventDays * DAY),
          statsOlderThan: new Date(now - usageDays * DAY),
          limit: AT_ONCE,
        }),
      );
      if (Math.max(events, stats, sessions) === AT_ONCE) this.#due = now + NEXT;
    } catch (error) {
      if (!(error instanceof ProxyVaultError)) throw error;
    }
  }
}
