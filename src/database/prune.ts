import { assertOptions } from '../model/validation.ts';
import { type Mode, type Result, type Session, type Steps, step } from './drivers/driver.ts';
import { ProxyUsageStatsRepository } from './repositories/proxy-usage-stats.repository.ts';
import { RotationEventsRepository } from './repositories/rotation-events.repository.ts';

/** Which history is removed. */
export interface PruneOptions {
  eventsOlderThan?: Date | undefined;
  statsOlderThan?: Date | undefined;
  /** Remove at most this many rows of each. Default: all. */
  limit?: number | undefined;
}

/** Removes old history in one transaction; see `DatabaseManager.prune`. */
export function prune<M extends Mode>(
  session: Session<M>,
  options: PruneOptions,
): Result<M, { events: number; stats: number }> {
  return session.driver.sequence(function* () {
    const { eventsOlderThan, statsOlderThan, limit } = assertOptions(
      options,
      ['eventsOlderThan', 'statsOlderThan', 'limit'],
      'options of prune',
    );
    const remove = function* (): Steps<M, { events: number; stats: number }> {
      const events = eventsOlderThan
        ? yield* step(new RotationEventsRepository(session).deleteOlderThan(eventsOlderThan, limit))
        : 0;
      const stats = statsOlderThan
        ? yield* step(new ProxyUsageStatsRepository(session).deleteOlderThan(statsOlderThan, limit))
        : 0;
      return { events, stats };
    };
    return yield* step(session.driver.transaction(remove));
  });
}
