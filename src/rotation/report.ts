import { type Session, type Steps, step } from '../database/drivers/driver.ts';
import { HandOutsRepository } from '../database/repositories/hand-outs.repository.ts';
import { foldLatency, noLatency } from '../database/repositories/latency-sums.ts';
import { OutcomesRepository } from '../database/repositories/outcomes.repository.ts';
import { RotationConfigRepository } from '../database/repositories/rotation-config.repository.ts';
import { RotationTurnsRepository } from '../database/repositories/rotation-turns.repository.ts';
import { dayOf } from '../database/timestamps.ts';
import { settingsOf } from '../model/strategy-settings.ts';
import { assertId, assertOptions, notFound } from '../model/validation.ts';
import type { Elapsed } from './elapsed.ts';
import type { Follower } from './follow.ts';
import { chargedScope } from './health/charged-scope.ts';
import type { Use } from './health/circuit.ts';
import type { Learning } from './learning.ts';
import { type Outcome, type OutcomeReport, outcomeFrom } from './outcome.ts';
import { type PoolRequest, wantedBy } from './request.ts';
import type { WriteBehind } from './write-behind.ts';

/** How the use of a proxy went that has no lease. */
export interface ProxyReport extends OutcomeReport {
  /** The host that was asked: a failure that may be the target's counts for it alone. */
  domain?: string | undefined;
  /** The session that the request belonged to. */
  session?: string | undefined;
}

const REPORT_FIELDS = [
  'success',
  'kind',
  'status',
  'retryAfterMs',
  'latencyMs',
  'bytes',
  'domain',
  'session',
] as const;

/** What reports read and change. */
interface Parts {
  session: Session<'sync'>;
  follower: Follower;
  behind: WriteBehind;
  learning: Learning;
  elapsed: Elapsed;
  /** Does what is due by now. */
  advance: () => void;
  /** Called when a proxy may have come back. */
  onChange: () => void;
}

/** Takes reports on proxies that have no lease: each is stored at once, and then learned from. */
export class Reports {
  readonly #parts: Parts;
  readonly #outcomes: OutcomesRepository;
  readonly #handOuts: HandOutsRepository;
  readonly #config: RotationConfigRepository;
  readonly #turns: RotationTurnsRepository;

  constructor(parts: Parts) {
    const { session } = parts;
    this.#parts = parts;
    this.#outcomes = new OutcomesRepository(session);
    this.#handOuts = new HandOutsRepository(session);
    this.#config = new RotationConfigRepository(session);
    this.#turns = new RotationTurnsRepository(session);
  }

  /** @throws NOT_FOUND; INVALID_INPUT. */
  take(id: string, report: ProxyReport): void {
    const { follower, behind, learning, elapsed } = this.#parts;
    const { domain, session, ...rest } = assertOptions(report, REPORT_FIELDS, 'fields of a report');
    assertId(id);
    const wanted = wantedBy({ domain, session });
    this.#parts.advance();
    const { settings } = follower.state(elapsed.wall);
    const outcome = outcomeFrom(rest, settings.health, 'reset');
    const { driver } = this.#parts.session;
    const { scope } = driver;
    // Outcomes of leases that came before are stored before.
    if (behind.hasOutcomes(id)) behind.flush();
    const isUnsaved = behind.hasHandOuts(id);
    const use = this.#useOf(id, wanted, outcome);
    const isCharged = outcome.kind === null || use === null || chargedScope(use, outcome.kind) === '';
    const counts = this.#record(id, outcome, isCharged, isUnsaved);
    const hasChanged = follower.unnoticed(() =>
      driver.transaction(function* () {
        const hasEnded = yield* counts;
        if (scope !== null || use === null) return hasEnded;
        return (yield* learning.learnInside(use, outcome)) || hasEnded;
      }),
    );
    if (hasChanged) follower.expectChange();
    // What a caller's transaction undoes has not happened.
    driver.afterTransaction(() => {
      if (scope !== null && use !== null && !scope.isUndone) learning.learnCounted(use, outcome);
      this.#parts.onChange();
    });
  }

  /** Null for a proxy that the pool does not know. */
  #useOf(
    id: string,
    { domain, session }: Pick<PoolRequest, 'domain' | 'session'>,
    { kind }: Outcome,
  ): Use | null {
    const { follower, elapsed } = this.#parts;
    const { index } = follower;
    const slot = index?.slotOf(id) ?? -1;
    if (index === null || slot === -1) return null;
    // Whoever says that a proxy works which is out has just used it.
    const handedOutAt = kind === null ? elapsed.now : undefined;
    const isGateway = index.isGateway(slot);
    return { slot, domain: domain ?? null, session: session ?? null, isGateway, handedOutAt };
  }

  /**
   * Stores a report, in one transaction; says whether something was changed that choosing looks at.
   *
   * @param isCharged whether a failure counts as one of the proxy's in a row.
   * @param isUnsaved whether hand-outs of the proxy wait to be stored: they must not find the report counted in their place.
   * @throws NOT_FOUND
   */
  *#record(
    id: string,
    { kind, latencyMs }: Outcome,
    isCharged: boolean,
    isUnsaved: boolean,
  ): Steps<'sync', boolean> {
    if (isUnsaved) yield this.#handOuts.begin(id);
    const hasSuccess = kind === null;
    const found = yield* step(
      this.#outcomes.recordMany([
        {
          proxyId: id,
          day: dayOf(this.#parts.session.clock()),
          handOuts: 0,
          lastUsed: null,
          successes: hasSuccess ? 1 : 0,
          failures: hasSuccess ? 0 : 1,
          failuresInRow: !hasSuccess && isCharged ? 1 : 0,
          hasSuccess,
          latency: latencyMs === undefined ? null : foldLatency(noLatency(), latencyMs),
        },
      ]),
    );
    if (found === 0) throw notFound('proxy', id);
    if (hasSuccess) return false;
    const { rotateOnFailure } = settingsOf(yield* step(this.#config.get()));
    return rotateOnFailure && (yield* step(this.#turns.endIntervals(id)));
  }
}
