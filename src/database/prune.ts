import { assertOptions } from '../model/validation.ts';
import { type Mode, type Result, type Session, type Steps, step } from './drivers/driver.ts';
import { ProxyUsageStatsRepository } from './repositories/proxy-usage-stats.repository.ts';
import { RotationEventsRepository } from './repositories/rotation-events.repository.ts';
import { SessionProxiesRepository } from './repositories/session-proxies.repository.ts';

/** Which history is removed. */
export interface PruneOptions {
  eventsOlderThan?: Date | undefined;
  statsOlderThan?: Date | undefined;
  /** Remove at most this many rows of each. Default: all. */
  limit?: number | undefined;
}

/** How many rows were removed. */
export interface Pruned {
  events: number;
  stats: number;
  /** Expired sessions, which are removed each time. */
  sessions: number;
}

/** Removes old history in one transaction; see `DatabaseManager.prune`. */
export function prune<M extends Mode>(session: Session<M>, options: PruneOptions): Result<M, Pruned> {
  return session.driver.sequence(function* () {
    const { eventsOlderThan, statsOlderThan, limit } = assertOptions(
      options,
      ['eventsOlderThan', 'statsOlderThan', 'limit'],
      'options of prune',
    );
    const remove = function* (): Steps<M, Pruned> {
      const events = eventsOlderThan
        ? yield* step(new RotationEventsRepository(session).deleteOlderThan(eventsOlderThan, limit))
        : 0;
      const stats = statsOlderThan
        ? yield* step(new ProxyUsageStatsRepository(session).deleteOlderThan(statsOlderThan, limit))
        : 0;
      const sessions = yield* step(new SessionProxiesRepository(session).deleteExpired(limit));
      return { events, stats, sessions };
    };
    return yield* step(session.driver.transaction(remove));
  });
}
