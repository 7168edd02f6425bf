import type { Session } from '../database/drivers/driver.ts';
import { ProxyVaultError } from '../errors.ts';
import type { Check, Choice, Choosing } from './choosing.ts';
import type { Inputs } from './decide.ts';
import type { Elapsed } from './elapsed.ts';
import type { Follower } from './follow.ts';
import type { Lease } from './lease.ts';
import type { Leasing } from './leasing.ts';
import { ADVICE, mayCome, noProxyError } from './no-proxy.ts';
import type { Announcer } from './pool-events.ts';
import {
  type AcquireRequest,
  acquireRequestOf,
  type LeaseRequest,
  leaseRequestOf,
  type WantedLease,
} from './request.ts';
import { WaitingLine } from './waiting.ts';

/** So often what other processes have changed is looked at while somebody waits. Milliseconds. */
const LOOK_EVERY = 250;
/** No timer of Node lasts longer. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** What acquiring reads and changes. */
interface Parts {
  session: Session<'sync'>;
  follower: Follower;
  choosing: Choosing;
  leasing: Leasing;
  announcer: Announcer;
  elapsed: Elapsed;
  /** Whether cooldowns may be overridden now. */
  mayOverride: () => boolean;
  /** Does what is due by now. */
  advance: () => void;
  /** When the next thing is due, by the time of `Elapsed`. */
  nextDue: () => number;
}

/** Why there is no lease. */
interface Refused {
  error: () => ProxyVaultError;
  /** Whether to wait makes sense. */
  isTemporary: () => boolean;
}

/** Gives leases at once, or in the order of arrival. */
export class Acquiring {
  readonly #parts: Parts;
  readonly #line = new WaitingLine();
  #timer: NodeJS.Timeout | null = null;
  /** When the timer fires, by the time of `Elapsed`. */
  #timerDue = Number.POSITIVE_INFINITY;
  /** The epoch of the pool when those who wait were served last. */
  #served = -1;
  #isServing = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#line.size;
  }

  /** A lease now. @throws NO_PROXY. */
  now(request: LeaseRequest | undefined, check: Check | undefined): Lease {
    const wanted = leaseRequestOf(request);
    this.#parts.advance();
    const lease = this.#attempt(wanted, check);
    if ('error' in lease) throw this.exhausted(lease.error());
    return lease;
  }

  /** A lease now, or as soon as there is one. */
  async soon(request: AcquireRequest | undefined): Promise<Lease> {
    const { lease: asked, waitMs, signal } = acquireRequestOf(request);
    signal?.throwIfAborted();
    this.#parts.advance();
    this.#serveIfChanged();
    // Who came before, and wants the same, comes first.
    const lease = this.#line.hasBefore(asked.wanted) ? null : this.#attempt(asked, undefined);
    if (lease !== null && !('error' in lease)) return lease;
    const { limits } = this.#parts.follower.state(this.#parts.elapsed.wall).settings;
    const longest = waitMs ?? limits.waitMs;
    if (lease !== null && (longest === 0 || !lease.isTemporary())) throw this.exhausted(lease.error());
    if (this.#line.size >= limits.maxWaiting) throw this.exhausted(fullLine(this.#line.size));
    return this.#wait(asked, longest, signal);
  }

  /** Offers what is ready to those who wait. In a caller's transaction it does so after the end of that. */
  serve(): void {
    if (this.#line.size === 0 || this.#isServing) return;
    const { driver } = this.#parts.session;
    if (driver.scope === null) this.#serveNow();
    else
      driver.afterTransaction(() => {
        this.#parts.advance();
        this.serve();
      });
  }

  /** Sees to it that what is due is done, also if nobody asks. */
  watch(): void {
    const isWaitedFor = this.#line.size > 0;
    // Only who waits needs it to the millisecond.
    if (this.#timer !== null && !isWaitedFor) return;
    const due = this.#parts.nextDue();
    if (this.#timer !== null && this.#timerDue <= due) return;
    if (due === Number.POSITIVE_INFINITY && !isWaitedFor) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const left = Math.min(Math.max(1, Math.ceil(due - this.#parts.elapsed.now)), LONGEST_TIMER);
    const wait = isWaitedFor ? Math.min(left, LOOK_EVERY) : left;
    this.#timerDue = this.#parts.elapsed.now + wait;
    this.#timer = setTimeout(() => this.#look(), wait);
    // Only who waits for a proxy keeps the program alive.
    if (!isWaitedFor) this.#timer.unref();
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#line.rejectAll(
      new ProxyVaultError('CLOSED', 'The pool was closed while this call waited for a proxy.'),
    );
  }

  /** A proxy may have been added since: those who wait come first. */
  #serveIfChanged(): void {
    const { follower, elapsed } = this.#parts;
    if (this.#line.size === 0) return;
    follower.state(elapsed.wall);
    if (this.#served !== follower.epoch) this.serve();
  }

  #look(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    try {
      this.#parts.advance();
      this.serve();
      this.watch();
    } catch (error) {
      // Such as a malformed rule: who waits is told, and who asks next.
      this.#line.rejectAll(error);
    }
  }

  #serveNow(): void {
    const { follower, elapsed } = this.#parts;
    follower.state(elapsed.wall);
    // What may come is another thing only if the pool has changed.
    const hasChanged = this.#served !== follower.epoch;
    this.#served = follower.epoch;
    this.#isServing = true;
    try {
      this.#line.serve(
        ({ asked }) => {
          const lease = this.#attempt(asked, undefined);
          if (!('error' in lease)) return lease;
          if (!hasChanged || lease.isTemporary()) return null;
          throw this.exhausted(lease.error());
        },
        () => this.#isEmpty,
      );
    } finally {
      this.#isServing = false;
    }
  }

  /** Whether no proxy is ready for anybody. An override of cooldowns may still give one. */
  get #isEmpty(): boolean {
    const { follower, leasing } = this.#parts;
    if (leasing.isFull) return true;
    const { index } = follower.state(this.#parts.elapsed.wall);
    return index.find({}).view.size === 0 && index.activeCount > 0 && !this.#parts.mayOverride();
  }

  #wait(asked: WantedLease, longest: number, signal: AbortSignal | undefined): Promise<Lease> {
    return new Promise<Lease>((resolve, reject) => {
      let isDone = false;
      const end = (): void => {
        isDone = true;
        leave();
        clearTimeout(deadline);
        signal?.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        end();
        reject(signal?.reason);
      };
      const leave = this.#line.add({
        asked,
        resolve(lease) {
          end();
          resolve(lease);
        },
        reject(error) {
          end();
          reject(error);
        },
      });
      const deadline = setTimeout(
        () => {
          // A proxy may have come back just now.
          this.#look();
          if (isDone) return;
          end();
          reject(this.#tooLate(asked, longest));
        },
        Math.min(longest, LONGEST_TIMER),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#watchSoon();
    });
  }

  /** A timer for later may be set: who waits looks more often. */
  #watchSoon(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#parts.advance();
    this.watch();
  }

  #attempt(asked: WantedLease, check: Check | undefined): Lease | Refused {
    const { leasing, choosing } = this.#parts;
    // They have the configuration as it is now, which says how many leases there may be.
    const inputs = choosing.inputs(asked.wanted);
    if (leasing.isFull) return fullOfLeases(leasing.size);
    const choice = this.#choose(inputs, check);
    if ('error' in choice) return choice;
    // A check may have acquired one itself.
    if (leasing.isFull) return fullOfLeases(leasing.size);
    return leasing.begin(choice.inputs.pool.index, choice.slot, asked);
  }

  #choose(inputs: Inputs, check: Check | undefined): Choice | Refused {
    try {
      const choice = this.#parts.choosing.choose(inputs, check);
      return choice.slot === -1 ? refusedBy(choice) : choice;
    } catch (error) {
      // Somebody else had the last one while this waited for the lock.
      if (error instanceof ProxyVaultError && error.code === 'NO_PROXY')
        return { error: () => error, isTemporary: () => true };
      throw error;
    }
  }

  #tooLate({ wanted }: WantedLease, waitMs: number): unknown {
    try {
      const { leasing, choosing } = this.#parts;
      const refused = leasing.isFull ? fullOfLeases(leasing.size).error() : choosing.refusalOf(wanted);
      const { code, message, details } = this.exhausted(refused);
      return new ProxyVaultError(code, `No proxy was ready within ${waitMs} ms. ${message}`, { details });
    } catch (error) {
      return error;
    }
  }

  /** Tells listeners that there was no proxy; gives the error. */
  exhausted(error: ProxyVaultError): ProxyVaultError {
    const { announcer } = this.#parts;
    const { readyAt } = error.details;
    if (announcer.isHeard('exhausted'))
      announcer.tell('exhausted', {
        message: error.message,
        readyAt: typeof readyAt === 'string' ? readyAt : null,
      });
    return error;
  }
}

function refusedBy({ decision, inputs }: Choice): Refused {
  return { error: () => noProxyError(decision, inputs), isTemporary: () => mayCome(decision, inputs) };
}

function fullOfLeases(leases: number): Refused {
  const message = `There are ${leases} leases, and limits.maxLeases allows no more: report some, wait, or raise it. ${ADVICE}`;
  return {
    error: () => new ProxyVaultError('NO_PROXY', message, { details: { leases } }),
    isTemporary: () => true,
  };
}

function fullLine(waiting: number): ProxyVaultError {
  const message = `${waiting} calls wait for a proxy already, and limits.maxWaiting allows no more: ask later, or raise it. ${ADVICE}`;
  return new ProxyVaultError('NO_PROXY', message, { details: { waiting } });
}
