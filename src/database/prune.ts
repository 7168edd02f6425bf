import { assertOptions } from '../model/validation.ts';
import { type Mode, type Result, type Session, type Steps, step } from './drivers/driver.ts';
import { ProxyCooldownsRepository } from './repositories/proxy-cooldowns.repository.ts';
import { ProxyLeasesRepository } from './repositories/proxy-leases.repository.ts';
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
  /** Cooldowns that ended, and leases that expired, more than a day ago; removed each time too. */
  cooldowns: number;
  leases: number;
}

/** So long a proxy that has come back counts as one that was out, and a lease that has expired may be reported: a day. */
const ENDED_FOR = 86_400_000;

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
      const ended = new Date(Math.max(0, session.clock() - ENDED_FOR));
      const cooldowns = yield* step(new ProxyCooldownsRepository(session).deleteExpiredBefore(ended, limit));
      const leases = yield* step(new ProxyLeasesRepository(session).deleteExpiredBefore(ended, limit));
      return { events, stats, sessions, cooldowns, leases };
    };
    return yield* step(session.driver.transaction(remove));
  });
}
