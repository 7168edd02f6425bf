import { type Session, type Steps, step } from '../database/drivers/driver.ts';
import { HandOutsRepository } from '../database/repositories/hand-outs.repository.ts';
import { ProxyRepository } from '../database/repositories/proxy.repository.ts';
import { RotationConfigRepository } from '../database/repositories/rotation-config.repository.ts';
import { RotationEventsRepository } from '../database/repositories/rotation-events.repository.ts';
import { RotationTurnsRepository } from '../database/repositories/rotation-turns.repository.ts';
import { settingsOf } from '../model/strategy-settings.ts';

/** How the use of a proxy went. */
export interface ProxyReport {
  success: boolean;
  latencyMs?: number | undefined;
}

/** Stores how the use of proxies went, and what follows from it. */
export class Reports {
  readonly #proxies: ProxyRepository;
  readonly #handOuts: HandOutsRepository;
  readonly #config: RotationConfigRepository;
  readonly #events: RotationEventsRepository;
  readonly #turns: RotationTurnsRepository;

  constructor(session: Session<'sync'>) {
    this.#proxies = new ProxyRepository(session);
    this.#handOuts = new HandOutsRepository(session);
    this.#config = new RotationConfigRepository(session);
    this.#events = new RotationEventsRepository(session);
    this.#turns = new RotationTurnsRepository(session);
  }

  /**
   * Stores a report, in one transaction; says whether something was changed that choosing looks at.
   *
   * @param isUnsaved whether hand-outs of the proxy wait to be stored: they must not find the report counted in their place.
   */
  *record(id: string, { success, latencyMs }: ProxyReport, isUnsaved: boolean): Steps<'sync', boolean> {
    if (isUnsaved) yield this.#handOuts.begin(id);
    yield this.#proxies.updateStats(id, success, latencyMs);
    const proxy = yield* step(this.#proxies.findById(id));
    const { failureThreshold, rotateOnFailure } = settingsOf(yield* step(this.#config.get()));
    if (success) {
      if (proxy?.status === 'failed') yield this.#proxies.update(id, { status: 'active' });
      return proxy?.status === 'failed';
    }
    const hasEnded = rotateOnFailure && (yield* step(this.#turns.endIntervals(id)));
    const isFailing = failureThreshold !== null && (proxy?.failureCount ?? 0) >= failureThreshold;
    if (proxy?.status !== 'active' || !isFailing) return hasEnded;
    yield this.#proxies.update(id, { status: 'failed' });
    yield this.#events.append({ previousProxyId: id, newProxyId: null, reason: 'failure' });
    return true;
  }
}
