import type { Session } from '../database/drivers/driver.ts';
import type { ProxyVaultError } from '../errors.ts';
import type { Availability } from './availability.ts';
import { type Decision, decide, type Inputs } from './decide.ts';
import type { Elapsed } from './elapsed.ts';
import type { Follower } from './follow.ts';
import type { HandOuts } from './hand-out.ts';
import { noProxyError } from './no-proxy.ts';
import type { ChosenProxy } from './pool-index.ts';
import type { Wanted } from './request.ts';
import type { Mapping, Sticky, StickyKey } from './sticky.ts';
import type { Store } from './store.ts';
import type { Turn, Turns } from './turns.ts';

/** So many proxies are counted again, for as many processes that make their one choice at the same time. */
const RECOUNTS = 100;

/** A caller's look at the proxy before it is handed out. */
export type Check = (proxy: ChosenProxy) => void;

/** What choosing reads and changes. */
interface Parts {
  session: Session<'sync'>;
  follower: Follower;
  sticky: Sticky;
  turns: Turns;
  store: Store;
  handOuts: HandOuts;
  availability: () => Availability;
  elapsed: Elapsed;
  random: () => number;
}

/** What was decided. `slot` is -1 if there was no proxy, and nothing was handed out. */
export interface Choice {
  slot: number;
  decision: Decision;
  inputs: Inputs;
}

/** Chooses for a request, and hands out what it has chosen. */
export class Choosing {
  readonly #parts: Parts;
  readonly #mappingOf = (key: StickyKey): Mapping | null =>
    this.#parts.sticky.find(key, this.#parts.elapsed.wall, this.#parts.follower.epoch);
  readonly #turnOf = (view: string): Turn | null => {
    const { index, epoch } = this.#parts.follower;
    return index === null ? null : this.#parts.turns.get(view, index, epoch);
  };

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @throws what the caller's check throws, and what a commit throws; not NO_PROXY. */
  choose(inputs: Inputs, check?: Check, attempts = 10): Choice {
    const { session, follower, store } = this.#parts;
    const decision = decide(inputs);
    if (decision.slot === -1) return { slot: -1, decision, inputs };
    const { epoch } = follower;
    const hasCheckWritten = this.#checked(decision, inputs, check);
    // It may have asked the pool too, which has read changes: another proxy may have the slot by now.
    const isOutdated = follower.epoch !== epoch;
    // It may also have taken the proxy for itself.
    if (check !== undefined && attempts > 0 && decision.by !== 'override' && !isReady(decision, inputs))
      return this.choose(this.#inputsNow(inputs), check, attempts - 1);
    if (!store.isNew && !isCommitted(decision) && !isOutdated) return this.#give(decision, inputs);
    const isCallers = session.driver.scope !== null;
    return store.commit(() => {
      // To wait for the lock takes time, which is no part of a lease or a pause.
      this.#readClock();
      return this.#hasOthersWritten(isCallers) || hasCheckWritten || isOutdated
        ? this.#chooseAgain(decision, inputs, check)
        : this.#give(decision, inputs);
    });
  }

  /** What a decision is made from, at the time that `elapsed` has. */
  inputs(wanted: Wanted, rotate = false): Inputs {
    const { session, follower, handOuts, elapsed, random } = this.#parts;
    // What others have rotated to until now is to be left too.
    if (rotate) follower.expectChange();
    // A savepoint may have been rolled back, and what was stored in it with it.
    if (session.driver.scope !== null) follower.epoch++;
    const pool = follower.state(elapsed.wall);
    const availability = this.#parts.availability();
    return {
      pool,
      wanted,
      mappingOf: this.#mappingOf,
      turnOf: this.#turnOf,
      last: handOuts.last(pool.index),
      rotate,
      now: elapsed.wall,
      random,
      scopes: availability.absences.scopesFor(wanted),
      availability,
    };
  }

  /** The proxy that a session keeps; null if it keeps none, or no longer. */
  keeperOf(session: string): Mapping | null {
    return this.#mappingOf({ kind: 'session', name: session });
  }

  /** Why there is no proxy for a request now. */
  refusalOf(wanted: Wanted): ProxyVaultError {
    const inputs = this.inputs(wanted);
    return noProxyError(decide(inputs), inputs);
  }

  /** The same after some time. */
  #inputsNow({ wanted, rotate }: Inputs): Inputs {
    this.#readClock();
    return this.inputs(wanted, rotate);
  }

  #readClock(): void {
    this.#parts.elapsed.at(this.#parts.session.clock());
  }

  #give(decision: Decision, inputs: Inputs): Choice {
    this.#parts.handOuts.give(decision, inputs);
    return { slot: decision.slot, decision, inputs };
  }

  /** Says whether the caller's check has written something, which may have been a choice too. @throws what it throws. */
  #checked(decision: Decision, inputs: Inputs, check?: Check): boolean {
    if (check === undefined) return false;
    const { driver } = this.#parts.session;
    const { changes } = driver;
    check(inputs.pool.index.chosen(decision.slot));
    this.#readClock();
    return driver.changes !== changes;
  }

  /** Whether somebody may have written since the decision, which has waited for the lock. */
  #hasOthersWritten(isCallers: boolean): boolean {
    // In a caller's transaction the pool is not read, but mappings and intervals are.
    return isCallers || this.#parts.follower.refresh(this.#parts.elapsed.wall);
  }

  /** @throws NO_PROXY, so that the transaction in which it is called is rolled back. */
  #chooseAgain(before: Decision, inputsBefore: Inputs, check?: Check): Choice {
    const { store, turns, follower } = this.#parts;
    const { isNew } = store;
    // A process that makes one choice takes its turn after those that had the lock before it.
    if (isNew) turns.forget();
    const { rotate } = inputsBefore;
    const inputs = this.#inputsNow(inputsBefore);
    let decision = decide(inputs);
    // Who waited to rotate is content with what somebody else has rotated to.
    if (rotate && isRotated(before, decision)) inputs.rotate = false;
    if (rotate !== inputs.rotate) decision = decide(inputs);
    for (let n = 0; isNew && n < RECOUNTS && this.#isRecounted(decision, inputs); n++)
      decision = decide(inputs);
    if (decision.slot === -1) throw noProxyError(decision, inputs);
    // What it writes is no write of the engine, in whose transaction it is.
    if (this.#checked(decision, inputs, check)) follower.expectChange();
    return this.#give(decision, inputs);
  }

  /** Whether others have handed out the chosen proxy since the pool was read. */
  #isRecounted({ slot }: Decision, { pool }: Inputs): boolean {
    const { columns, measures } = pool.index;
    if (slot === -1) return false;
    const before = measures.handOuts(slot);
    measures.counted(slot, this.#parts.store.handOutsOf(columns.id(slot)));
    return measures.handOuts(slot) !== before;
  }
}

/** Whether a proxy that was decided on is still ready. */
function isReady({ slot }: Decision, { pool, availability, wanted }: Inputs): boolean {
  return !pool.index.isOut(slot) && !availability.absences.scopesFor(wanted).some((scope) => scope.has(slot));
}

/** Whether more than a count and a turn of this process is stored: what a caller relies on. */
function isCommitted({ until, key, sticks, by }: Decision): boolean {
  return until !== null || (key !== null && sticks && by !== 'mapping' && by !== 'rule');
}

/** Whether the session, domain or interval has another proxy than before. */
function isRotated(before: Decision, { mapping, turn, way }: Decision): boolean {
  if (mapping !== null) return mapping.proxyId !== before.mapping?.proxyId;
  if (!way.isTimed || turn === null) return false;
  return turn.proxyId !== before.turn?.proxyId || turn.since !== before.turn.since;
}
