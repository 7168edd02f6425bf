import type { RotationEvent, RotationReason } from '../database/index.ts';
import type { EventFilter, HourlyEvents } from '../database/repositories/index.ts';
import { LARGEST_PAGE } from '../model/validation.ts';
import type { Vault } from '../vault.ts';

type Counts = Record<RotationReason, number>;

/** Rotation events, newest first, and of the same state of the pool how many of all that fit the filter have each reason. */
export interface EventsView {
  events: RotationEvent[];
  counts: Counts;
}

/** How many events each hour (UTC) had. */
export interface EventsByHourView {
  hours: HourlyEvents[];
  counts: Counts;
}

export function eventsView({ database, events }: Vault, filter: EventFilter, limit: number): EventsView {
  return database.driver.snapshot(() => ({
    events: newest(events, filter, limit),
    counts: events.countByReason(filter),
  }));
}

export function eventsByHourView({ database, events }: Vault, filter: EventFilter): EventsByHourView {
  return database.driver.snapshot(() => ({
    hours: events.countByHour(filter),
    counts: events.countByReason(filter),
  }));
}

function newest(events: Vault['events'], filter: EventFilter, limit: number): RotationEvent[] {
  const found: RotationEvent[] = [];
  for (let after: number | undefined; ; ) {
    const page = events.list({ ...filter, after, limit: Math.min(LARGEST_PAGE, limit - found.length) });
    found.push(...page.items);
    if (page.next === null || found.length >= limit) return found;
    after = page.next;
  }
}
