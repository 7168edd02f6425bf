import { ROTATION_REASONS, type RotationEvent, type RotationReason } from '../../model/rotation.ts';
import {
  assertId,
  assertObject,
  assertOptions,
  assertPageSize,
  assertWhole,
  invalidInput,
} from '../../model/validation.ts';
import type { Mode, Params, Result, Row, Session, Stream } from '../drivers/driver.ts';
import { fromStored, storedFrom } from '../timestamps.ts';
import { nullable, oneOf, Table, TEXT, TIME, whole } from './columns.ts';
import { Conditions } from './conditions.ts';
import { Repository } from './repository.ts';
import { firstReadable, outOfOrder, skipMalformed } from './skipped-rows.ts';
import { addFrom, addTo, EXACT_TIME, type TimeRange } from './time-range.ts';

/** An event to append; `timestamp` is now unless given. */
export interface RotationEventInput {
  previousProxyId: string | null;
  newProxyId: string | null;
  reason: RotationReason;
  timestamp?: Date | string | undefined;
}

/** Which events are meant; an absent field leaves it open. */
export interface EventFilter extends TimeRange {
  /** The proxy before or after the change. */
  proxyId?: string | undefined;
  reason?: RotationReason | undefined;
}

export interface EventListing extends EventFilter {
  /** 1 to 10,000; 100 unless given. */
  limit?: number | undefined;
  /** The `next` of the page before: the id of its last event. */
  after?: number | undefined;
}

export interface EventPage {
  items: RotationEvent[];
  /** The `after` of the next page; null on the last. */
  next: number | null;
}

/** How many events of one hour had each reason. */
export interface HourlyEvents extends Record<RotationReason, number> {
  /** When the hour begins, ISO 8601 in UTC. */
  hour: string;
}

export const ROTATION_EVENTS = new Table('rotation_events', ['id'], {
  id: whole(0),
  timestamp: TIME,
  previous_proxy_id: nullable(TEXT),
  new_proxy_id: nullable(TEXT),
  reason: oneOf(ROTATION_REASONS),
});

const INSERT = `
  INSERT INTO rotation_events (timestamp, previous_proxy_id, new_proxy_id, reason)
  VALUES (:timestamp, :previous, :next, :reason)
  RETURNING *`;

/** The count of each reason; 0 of each if there are no rows. */
const REASONS = ROTATION_REASONS.map(
  (reason) => `coalesce(sum(CASE WHEN reason = '${reason}' THEN 1 ELSE 0 END), 0) AS ${reason}`,
).join(', ');

/** The history of rotation. Choosing does not look at it. */
export class RotationEventsRepository<M extends Mode = 'sync'> extends Repository<M> {
  /** Reads a row of a list, from which a malformed one is left out. */
  readonly #listed: (row: Row) => RotationEvent | undefined;

  constructor(session: Session<M>) {
    super(session);
    this.#listed = skipMalformed(session, toEvent);
  }

  /**
   * Appends an event and gives it with its id.
   * @throws INVALID_INPUT for an unknown reason.
   * @example
   * const event = vault.events.append({ previousProxyId: null, newProxyId: id, reason: 'manual' });
   * console.log(event.timestamp); // 2026-01-31T12:00:00.000Z
   */
  append(event: RotationEventInput): Result<M, RotationEvent> {
    return this.db.one(INSERT, this.#toParams(event), (row) => toEvent(row as Row));
  }

  /**
   * Appends many in one transaction, all or none; gives how many.
   *
   * @example
   * vault.events.recordMany([
   *   { previousProxyId: null, newProxyId: id, reason: 'startup', timestamp: '2026-01-31T12:00:00Z' },
   * ]); // 1
   */
  recordMany(events: Iterable<RotationEventInput>): Result<M, number> {
    return this.forEach(events, 'events', (event) => this.db.first(INSERT, this.#toParams(event), toEvent));
  }

  /**
   * The newest event, or null; a malformed one is left out.
   *
   * @example
   * const proxyId = vault.events.last()?.newProxyId ?? null;
   */
  last(): Result<M, RotationEvent | null> {
    return firstReadable(
      this.session,
      [`SELECT * FROM rotation_events ORDER BY id DESC LIMIT :limit OFFSET :skip`],
      {},
      toEvent,
    );
  }

  /**
   * The newest events, newest first.
   * @throws INVALID_INPUT unless `limit` is 1 to 100,000.
   * @example
   * for (const { timestamp, reason } of vault.events.recent(20)) console.log(timestamp, reason);
   */
  recent(limit = 50): Result<M, RotationEvent[]> {
    assertWhole(limit, 'limit', 1, 100_000);
    return this.db.all(
      `SELECT * FROM rotation_events ORDER BY id DESC LIMIT :limit`,
      { limit },
      this.#listed,
    );
  }

  /**
   * The events from a time, inclusive, to another, exclusive, oldest first.
   *
   * @example
   * const january = vault.events.between('2026-01-01', '2026-02-01');
   */
  between(from: Date | string, to: Date | string): Result<M, RotationEvent[]> {
    const conditions = new Conditions();
    addFrom(conditions, from);
    addTo(conditions, to);
    return this.db.all(
      `SELECT * FROM rotation_events ${conditions.where} ORDER BY ${EXACT_TIME}, id`,
      conditions.params,
      this.#listed,
    );
  }

  /**
   * One page, newest first. Give its `next` as `after` for the page after it; null at the end. A malformed event is left out.
   *
   * @throws INVALID_INPUT for an unknown filter, reason or time.
   * @example
   * const page = vault.events.list({ reason: 'failure', from: '2026-05-01', limit: 20 });
   * for (const { timestamp, previousProxyId } of page.items) console.log(timestamp, previousProxyId);
   * if (page.next !== null) console.log(vault.events.list({ reason: 'failure', after: page.next }).items.length);
   */
  list(listing: EventListing = {}): Result<M, EventPage> {
    const { limit = 100, after, ...filter } = assertObject(listing, 'listing');
    assertPageSize(limit);
    const conditions = conditionsOf(filter);
    if (after !== undefined) conditions.add('id < :after', { after: assertWhole(after, 'after', 0) });
    const { where, params } = conditions;
    return this.db.all(
      `SELECT * FROM rotation_events ${where} ORDER BY id DESC LIMIT :most`,
      { ...params, most: limit + 1 },
      (row) => ({ id: Number(row.id), event: this.#listed(row) }),
      (found) => {
        const page = found.slice(0, limit);
        // Malformed rows count, or a page of them would seem the last.
        const last = found.length > limit ? page.at(-1) : undefined;
        if (last && after !== undefined && last.id >= after) throw outOfOrder('rotation_events');
        return { items: page.flatMap(({ event }) => event ?? []), next: last?.id ?? null };
      },
    );
  }

  /**
   * How many events had each reason.
   *
   * @throws INVALID_INPUT for an unknown filter, reason or time.
   * @example
   * const { failure, manual } = vault.events.countByReason({ from: '2026-05-01' });
   * console.log(failure, manual);
   */
  countByReason(filter: EventFilter = {}): Result<M, Record<RotationReason, number>> {
    const { where, params } = conditionsOf(filter);
    return this.db.one(`SELECT ${REASONS} FROM rotation_events ${where}`, params, (row) =>
      toReasons(row ?? {}),
    );
  }

  /**
   * How many events had each reason in each hour (UTC), oldest first. Hours without events are left out.
   *
   * @throws INVALID_INPUT for an unknown filter, reason or time.
   * @example
   * const day = { from: '2026-05-01', to: '2026-05-02' };
   * for (const { hour, failure, scheduled } of vault.events.countByHour(day)) console.log(hour, failure, scheduled);
   */
  countByHour(filter: EventFilter = {}): Result<M, HourlyEvents[]> {
    const { where, params } = conditionsOf(filter);
    return this.db.all(
      // Other programs write a T between the day and the hour.
      `SELECT min(id) AS id, substr(timestamp, 1, 10) AS day, substr(timestamp, 12, 2) AS hour, ${REASONS}
       FROM rotation_events ${where}
       GROUP BY substr(timestamp, 1, 10), substr(timestamp, 12, 2) ORDER BY day, hour`,
      params,
      skipMalformed(this.session, (row) => {
        const timestamp = `${row.day} ${row.hour}:00:00`;
        const hour = fromStored(ROTATION_EVENTS.read.timestamp(timestamp, { ...row, timestamp }));
        return { hour, ...toReasons(row) };
      }),
    );
  }

  /**
   * How many events there are.
   *
   * @throws INVALID_INPUT for an unknown filter, reason or time.
   * @example
   * const { id } = vault.proxies.resolve('gate');
   * console.log(vault.events.count({ proxyId: id }));
   */
  count(filter: EventFilter = {}): Result<M, number> {
    const { where, params } = conditionsOf(filter);
    return this.db.one(`SELECT count(*) AS n FROM rotation_events ${where}`, params, (row) => Number(row?.n));
  }

  /**
   * Streams events, oldest first.
   *
   * @throws INVALID_INPUT for an unknown filter, reason or time.
   * @example
   * for (const event of vault.events.iterate({ reason: 'manual' })) console.log(JSON.stringify(event));
   */
  iterate(filter: EventFilter = {}): Stream<M, RotationEvent> {
    const { where, params } = conditionsOf(filter);
    return this.db.iterate(`SELECT * FROM rotation_events ${where} ORDER BY id`, params, this.#listed);
  }

  /**
   * Removes what is older, at most `limit` events, but never the newest event; gives how many.
   *
   * @example
   * const gone = vault.events.deleteOlderThan(new Date('2026-01-01'), 1000); // at most 1000
   */
  deleteOlderThan(time: Date | string, limit = Number.MAX_SAFE_INTEGER): Result<M, number> {
    const older = new Conditions();
    addTo(older, time, 'time');
    return this.db.run(
      `DELETE FROM rotation_events WHERE id IN (
         SELECT id FROM rotation_events
         ${older.where} AND id < (SELECT max(id) FROM rotation_events) LIMIT :limit)`,
      { ...older.params, limit: assertWhole(limit, 'limit', 1, Number.MAX_SAFE_INTEGER) },
    );
  }

  #toParams(event: RotationEventInput): Params {
    const { previousProxyId, newProxyId, reason, timestamp } = assertOptions(
      event,
      ['previousProxyId', 'newProxyId', 'reason', 'timestamp'],
      'fields of a rotation event',
    );
    return {
      timestamp: timestamp === undefined ? this.now() : storedFrom(timestamp, 'timestamp'),
      previous: previousProxyId === null ? null : assertId(previousProxyId, 'previousProxyId'),
      next: newProxyId === null ? null : assertId(newProxyId, 'newProxyId'),
      reason: assertReason(reason),
    };
  }
}

/** The conditions of a filter. @throws INVALID_INPUT. */
function conditionsOf(filter: EventFilter): Conditions {
  const { proxyId, reason, from, to } = assertOptions(
    filter,
    ['proxyId', 'reason', 'from', 'to'],
    'filters of events',
  );
  const conditions = new Conditions();
  if (reason !== undefined) conditions.add('reason = :reason', { reason: assertReason(reason) });
  if (from !== undefined) addFrom(conditions, from);
  if (to !== undefined) addTo(conditions, to);
  if (proxyId !== undefined) {
    conditions.add('(previous_proxy_id = :proxy OR new_proxy_id = :proxy)', {
      proxy: assertId(proxyId, 'proxyId'),
    });
  }
  return conditions;
}

function assertReason(reason: RotationReason): RotationReason {
  if (ROTATION_REASONS.includes(reason)) return reason;
  throw invalidInput(`The reason of a rotation event is one of ${ROTATION_REASONS.join(', ')}.`);
}

function toReasons(row: Row): Record<RotationReason, number> {
  const counts = ROTATION_REASONS.map((reason) => [reason, Number(row[reason])]);
  return Object.fromEntries(counts);
}

/** @throws INVALID_ROW for a row that holds no valid event. */
function toEvent(row: Row): RotationEvent {
  const { read } = ROTATION_EVENTS;
  return {
    id: read.id(row.id, row),
    timestamp: fromStored(read.timestamp(row.timestamp, row)),
    previousProxyId: read.previous_proxy_id(row.previous_proxy_id, row),
    newProxyId: read.new_proxy_id(row.new_proxy_id, row),
    reason: read.reason(row.reason, row),
  };
}
