import { type Session, type Steps, step } from '../database/drivers/driver.ts';
import { HandOutsRepository } from '../database/repositories/hand-outs.repository.ts';
import { foldLatency, noLatency, OutcomesRepository } from '../database/repositories/outcomes.repository.ts';
import { RotationConfigRepository } from '../database/repositories/rotation-config.repository.ts';
import { RotationTurnsRepository } from '../database/repositories/rotation-turns.repository.ts';
import { dayOf } from '../database/timestamps.ts';
import { settingsOf } from '../model/strategy-settings.ts';
import { notFound } from '../model/validation.ts';
import type { Outcome, OutcomeReport } from './outcome.ts';

/** How the use of a proxy went that has no lease. */
export interface ProxyReport extends OutcomeReport {
  /** The host that was asked: a failure that may be the target's counts for it alone. */
  domain?: string | undefined;
  /** The session that the request belonged to. */
  session?: string | undefined;
}

/** Stores how the use of proxies went that have no lease, one by one. */
export class Reports {
  readonly #outcomes: OutcomesRepository;
  readonly #clock: () => number;
  readonly #handOuts: HandOutsRepository;
  readonly #config: RotationConfigRepository;
  readonly #turns: RotationTurnsRepository;

  constructor(session: Session<'sync'>) {
    this.#outcomes = new OutcomesRepository(session);
    this.#clock = session.clock;
    this.#handOuts = new HandOutsRepository(session);
    this.#config = new RotationConfigRepository(session);
    this.#turns = new RotationTurnsRepository(session);
  }

  /**
   * Stores a report, in one transaction; says whether something was changed that choosing looks at.
   *
   * @param isCharged whether a failure counts as one of the proxy's in a row.
   * @param isUnsaved whether hand-outs of the proxy wait to be stored: they must not find the report counted in their place.
   * @throws NOT_FOUND
   */
  *record(
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
          day: dayOf(this.#clock()),
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
