import { type Session, type Steps, step } from '../database/drivers/driver.ts';
import { HandOutsRepository } from '../database/repositories/hand-outs.repository.ts';
import { ProxyRepository } from '../database/repositories/proxy.repository.ts';
import { RotationConfigRepository } from '../database/repositories/rotation-config.repository.ts';
import { RotationTurnsRepository } from '../database/repositories/rotation-turns.repository.ts';
import { settingsOf } from '../model/strategy-settings.ts';
import type { OutcomeReport } from './outcome.ts';

/** How the use of a proxy went that has no lease. */
export interface ProxyReport extends OutcomeReport {
  /** The host that was asked: a failure that may be the target's counts for it alone. */
  domain?: string | undefined;
  /** The session that the request belonged to. */
  session?: string | undefined;
}

/** Stores how the use of proxies went that have no lease, one by one. */
export class Reports {
  readonly #proxies: ProxyRepository;
  readonly #handOuts: HandOutsRepository;
  readonly #config: RotationConfigRepository;
  readonly #turns: RotationTurnsRepository;

  constructor(session: Session<'sync'>) {
    this.#proxies = new ProxyRepository(session);
    this.#handOuts = new HandOutsRepository(session);
    this.#config = new RotationConfigRepository(session);
    this.#turns = new RotationTurnsRepository(session);
  }

  /**
   * Stores a report, in one transaction; says whether something was changed that choosing looks at.
   *
   * @param isUnsaved whether hand-outs of the proxy wait to be stored: they must not find the report counted in their place.
   */
  *record(
    id: string,
    success: boolean,
    latencyMs: number | undefined,
    isUnsaved: boolean,
  ): Steps<'sync', boolean> {
    if (isUnsaved) yield this.#handOuts.begin(id);
    yield this.#proxies.updateStats(id, success, latencyMs);
    if (success) return false;
    const { rotateOnFailure } = settingsOf(yield* step(this.#config.get()));
    return rotateOnFailure && (yield* step(this.#turns.endIntervals(id)));
  }
}
