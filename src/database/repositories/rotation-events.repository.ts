import { ROTATION_REASONS, type RotationEvent, type RotationReason } from '../../model/rotation.ts';
import { assertId, assertObject, assertWhole, invalidInput } from '../../model/validation.ts';
import type { Mode, Params, Result, Row, Session, Stream } from '../drivers/driver.ts';
import { fromStored, storedFrom } from '../timestamps.ts';
import { nullable, oneOf, Table, TEXT, TIME, whole } from './columns.ts';
import { Repository } from './repository.ts';
import { firstReadable, skipMalformed } from './skipped-rows.ts';

/** An event to append; `timestamp` is now unless given. */
export interface RotationEventInput {
  previousProxyId: string | null;
  newProxyId: string | null;
  reason: RotationReason;
  timestamp?: Date | string | undefined;
}

/** From a time, inclusive, to another, exclusive; an end that is absent is open. */
export interface TimeRange {
  from?: Date | string | undefined;
  to?: Date | string | undefined;
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

/** The history of rotation. Round-robin continues from its newest event. */
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
    return this.db.all(
      `SELECT * FROM rotation_events WHERE timestamp >= :from AND timestamp < :to ORDER BY timestamp, id`,
      rangeParams({ from, to }),
      this.#listed,
    );
  }

  /**
   * How many events had each reason.
   *
   * @example
   * const { failure } = vault.events.countByReason({ from: new Date(Date.now() - 86_400_000) }); // of the last day
   */
  countByReason(range: TimeRange = {}): Result<M, Record<RotationReason, number>> {
    return this.db.one(
      `SELECT
         coalesce(sum(CASE WHEN reason = 'scheduled' THEN 1 ELSE 0 END), 0) AS scheduled,
         coalesce(sum(CASE WHEN reason = 'failure' THEN 1 ELSE 0 END), 0) AS failure,
         coalesce(sum(CASE WHEN reason = 'manual' THEN 1 ELSE 0 END), 0) AS manual,
         coalesce(sum(CASE WHEN reason = 'startup' THEN 1 ELSE 0 END), 0) AS startup
       FROM rotation_events WHERE timestamp >= :from AND timestamp < :to`,
      rangeParams(range),
      (row) => ({
        scheduled: Number(row?.scheduled),
        failure: Number(row?.failure),
        manual: Number(row?.manual),
        startup: Number(row?.startup),
      }),
    );
  }

  /**
   * How many events there are.
   *
   * @example
   * const events = vault.events.count();
   */
  count(): Result<M, number> {
    return this.db.one(`SELECT count(*) AS n FROM rotation_events`, {}, (row) => Number(row?.n));
  }

  /**
   * Streams all events, oldest first.
   *
   * @example
   * for (const event of vault.events.iterate()) console.log(JSON.stringify(event));
   */
  iterate(): Stream<M, RotationEvent> {
    return this.db.iterate(`SELECT * FROM rotation_events ORDER BY id`, {}, this.#listed);
  }

  /**
   * Removes what is older, at most `limit` events, but never the newest event; gives how many.
   *
   * @example
   * const gone = vault.events.deleteOlderThan(new Date('2026-01-01'), 1000); // at most 1000
   */
  deleteOlderThan(time: Date | string, limit = Number.MAX_SAFE_INTEGER): Result<M, number> {
    return this.db.run(
      `DELETE FROM rotation_events WHERE id IN (
         SELECT id FROM rotation_events
         WHERE timestamp < :time AND id < (SELECT max(id) FROM rotation_events) LIMIT :limit)`,
      { time: storedFrom(time, 'time'), limit: assertWhole(limit, 'limit', 1, Number.MAX_SAFE_INTEGER) },
    );
  }

  #toParams(event: RotationEventInput): Params {
    const { previousProxyId, newProxyId, reason, timestamp } = assertObject(event, 'rotation event');
    if (!ROTATION_REASONS.includes(reason)) {
      throw invalidInput(`The reason of a rotation event is one of ${ROTATION_REASONS.join(', ')}.`);
    }
    return {
      timestamp: timestamp === undefined ? this.now() : storedFrom(timestamp, 'timestamp'),
      previous: previousProxyId === null ? null : assertId(previousProxyId, 'previousProxyId'),
      next: newProxyId === null ? null : assertId(newProxyId, 'newProxyId'),
      reason,
    };
  }
}

function rangeParams(range: TimeRange): Params {
  const { from, to } = assertObject(range, 'range');
  return {
    from: from === undefined ? '0000' : storedFrom(from, 'from'),
    to: to === undefined ? '9999-12-31 24' : storedFrom(to, 'to'),
  };
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
