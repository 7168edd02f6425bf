import type { z } from 'zod';
import {
  ROTATION_STRATEGIES,
  type RotationConfig,
  type RotationStrategy,
  rotationConfigUpdateSchema,
  strategyOptionsSchema,
  strategySchema,
} from '../../model/rotation.ts';
import { parse } from '../../model/validation.ts';
import type { Mode, Result, Row, Steps } from '../drivers/driver.ts';
import { fromStored } from '../timestamps.ts';
import { json, nullable, oneOf, Table, TIME, whole } from './columns.ts';
import { Repository } from './repository.ts';

export const ROTATION_CONFIG = new Table('rotation_config', ['id'], {
  id: whole(1, 1),
  strategy: oneOf(ROTATION_STRATEGIES),
  interval_ms: nullable(whole(1)),
  max_requests_per_proxy: nullable(whole(1)),
  failure_threshold: nullable(whole(1)),
  config_json: nullable(json(strategyOptionsSchema)),
  updated_at: nullable(TIME),
});

const DEFAULTS: RotationConfig = {
  strategy: 'round-robin',
  intervalMs: null,
  maxRequestsPerProxy: null,
  failureThreshold: null,
  options: {},
  updatedAt: null,
};

/** The one rotation configuration of a database. */
export class RotationConfigRepository<M extends Mode = 'sync'> extends Repository<M> {
  /** The configuration; the defaults while none is stored. @throws INVALID_ROW if it cannot be read. */
  get(): Result<M, RotationConfig> {
    return this.db.one(`SELECT * FROM rotation_config WHERE id = 1`, {}, toConfig);
  }

  /**
   * Changes the fields that are given, and of `options` the ones that are given there; gives the result.
   *
   * @throws INVALID_INPUT for an unknown field or strategy, or a number out of range.
   */
  update(config: Partial<RotationConfig>): Result<M, RotationConfig> {
    const changes = parse(rotationConfigUpdateSchema, config, 'rotation configuration');
    return this.db.transaction(() => this.#merge(changes));
  }

  /** The options are typed JSON, which SQL cannot merge portably: read and written under one lock. */
  *#merge(changes: z.infer<typeof rotationConfigUpdateSchema>): Steps<M, RotationConfig> {
    const current = (yield this.get()) as RotationConfig;
    const options = { ...current.options, ...changes.options };
    const kept = <T>(changed: T | undefined, before: T): T => (changed === undefined ? before : changed);
    return (yield this.db.one(
      `INSERT INTO rotation_config (id, strategy, interval_ms, max_requests_per_proxy, failure_threshold, config_json, updated_at)
       VALUES (1, :strategy, :interval_ms, :max_requests_per_proxy, :failure_threshold, :config_json, :now)
       ON CONFLICT (id) DO UPDATE SET
         strategy = excluded.strategy,
         interval_ms = excluded.interval_ms,
         max_requests_per_proxy = excluded.max_requests_per_proxy,
         failure_threshold = excluded.failure_threshold,
         config_json = excluded.config_json,
         updated_at = excluded.updated_at
       RETURNING *`,
      {
        strategy: kept(changes.strategy, current.strategy),
        interval_ms: kept(changes.intervalMs, current.intervalMs),
        max_requests_per_proxy: kept(changes.maxRequestsPerProxy, current.maxRequestsPerProxy),
        failure_threshold: kept(changes.failureThreshold, current.failureThreshold),
        config_json: JSON.stringify(options),
        now: this.now(),
      },
      toConfig,
    )) as RotationConfig;
  }

  /** Removes what is stored, whatever it is, so that the defaults hold; says whether there was anything. */
  reset(): Result<M, boolean> {
    return this.db.run(`DELETE FROM rotation_config`, {}, (changed) => changed > 0);
  }

  /** Changes the strategy alone. @throws INVALID_INPUT for one that is not among the ten. */
  setStrategy(strategy: RotationStrategy): Result<M, void> {
    const now = this.now();
    return this.db.run(
      `INSERT INTO rotation_config (id, strategy, updated_at) VALUES (1, :strategy, :now)
       ON CONFLICT (id) DO UPDATE SET strategy = excluded.strategy, updated_at = excluded.updated_at`,
      { strategy: parse(strategySchema, strategy, 'rotation strategy'), now },
      () => undefined,
    );
  }
}

/** @throws INVALID_ROW for a row that holds no valid configuration; a default in its place could be the wrong choice. */
function toConfig(row: Row | undefined): RotationConfig {
  if (row === undefined) return { ...DEFAULTS, options: {} };
  const table = ROTATION_CONFIG;
  const is = table.columns;
  const {
    interval_ms: interval,
    max_requests_per_proxy: most,
    failure_threshold: threshold,
    updated_at: updated,
  } = row;
  return {
    strategy: is.strategy.is(row.strategy) ? row.strategy : table.refuse(row, 'strategy'),
    intervalMs: is.interval_ms.is(interval) ? interval : table.refuse(row, 'interval_ms'),
    maxRequestsPerProxy: is.max_requests_per_proxy.is(most)
      ? most
      : table.refuse(row, 'max_requests_per_proxy'),
    failureThreshold: is.failure_threshold.is(threshold) ? threshold : table.refuse(row, 'failure_threshold'),
    options: row.config_json === null ? {} : table.json(row, 'config_json', strategyOptionsSchema),
    updatedAt:
      updated === null ? null : fromStored(TIME.is(updated) ? updated : table.refuse(row, 'updated_at')),
  };
}
