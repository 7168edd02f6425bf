import type { Session, Steps } from '../database/drivers/driver.ts';
import { OutcomesRepository, type ProxyOutcomes } from '../database/repositories/outcomes.repository.ts';
import { RotationEventsRepository } from '../database/repositories/rotation-events.repository.ts';
import { RotationTurnsRepository } from '../database/repositories/rotation-turns.repository.ts';
import { SessionProxiesRepository } from '../database/repositories/session-proxies.repository.ts';
import { StickySessionRepository } from '../database/repositories/sticky-session.repository.ts';
import type { HandOutEvent } from './pending-events.ts';
import type { PendingOutcomes } from './pending-outcomes.ts';
import type { PendingUses } from './pending-uses.ts';
import type { PoolIndex } from './pool-index.ts';
import { storedTurn, type Turn } from './turns.ts';

/** What is stored together. */
export interface Batch {
  /** Has the hand-outs; null as long as nothing was handed out. */
  index: PoolIndex | null;
  /** Whose hand-outs. */
  slots: ReadonlySet<number>;
  outcomes: PendingOutcomes;
  /** By view. */
  turns: ReadonlyMap<string, Turn>;
  uses: PendingUses;
  events: Iterable<HandOutEvent>;
}

/** Writes what has waited into its tables. */
export class BatchWriter {
  readonly #sessions: SessionProxiesRepository;
  readonly #domains: StickySessionRepository;
  readonly #turns: RotationTurnsRepository;
  readonly #events: RotationEventsRepository;
  readonly #outcomes: OutcomesRepository;

  constructor(session: Session<'sync'>) {
    this.#sessions = new SessionProxiesRepository(session);
    this.#domains = new StickySessionRepository(session);
    this.#turns = new RotationTurnsRepository(session);
    this.#events = new RotationEventsRepository(session);
    this.#outcomes = new OutcomesRepository(session);
  }

  /** The steps of a transaction. */
  *write(batch: Batch): Steps<'sync', void> {
    const outcomes = outcomesOf(batch);
    if (outcomes.length > 0) yield this.#outcomes.recordMany(outcomes);
    for (const [view, turn] of batch.turns) yield this.#turns.set({ view, ...storedTurn(turn) });
    for (const [session, { count, lastUsed }] of batch.uses.session)
      yield this.#sessions.touch(session, count, new Date(lastUsed));
    for (const [domain, { count, lastUsed }] of batch.uses.domain)
      yield this.#domains.touch(domain, count, new Date(lastUsed));
    for (const { from, to, reason } of batch.events)
      yield this.#events.append({ previousProxyId: from, newProxyId: to, reason });
  }
}

/** The hand-outs of some proxies, and all outcomes. */
function outcomesOf({ index, slots, outcomes: pending }: Batch): ProxyOutcomes[] {
  if (index === null) return [];
  const { columns, measures } = index;
  const outcomes: ProxyOutcomes[] = [];
  for (const slot of slots) {
    const handOuts = measures.unsaved(slot);
    if (handOuts === 0) continue;
    const lastUsed = new Date(measures.lastUsed(slot));
    const { id: proxyId, day } = { id: columns.id(slot), day: lastUsed.toISOString().slice(0, 10) };
    outcomes.push({ ...NO_OUTCOMES, proxyId, day, handOuts, lastUsed });
  }
  for (const { slot, day, successes, failures, failuresInRow, latency } of pending)
    outcomes.push({
      proxyId: columns.id(slot),
      day,
      handOuts: 0,
      lastUsed: null,
      successes,
      failures,
      failuresInRow,
      hasSuccess: successes > 0,
      latency: latency.count === 0 ? null : latency,
    });
  return outcomes;
}

const NO_OUTCOMES = {
  handOuts: 0,
  lastUsed: null,
  successes: 0,
  failures: 0,
  failuresInRow: 0,
  hasSuccess: false,
  latency: null,
} as const;
