import type { z } from 'zod';
import {
  ROTATION_STRATEGIES,
  type RotationConfig,
  type RotationConfigUpdate,
  type RotationStrategy,
  rotationConfigUpdateSchema,
  strategySchema,
} from '../../model/rotation.ts';
import { mergedOptions, storedOptionsSchema, wholeContradictionOf } from '../../model/strategy-options.ts';
import { invalidInput, parse } from '../../model/validation.ts';
import { type Mode, type Result, type Row, type Steps, step } from '../drivers/driver.ts';
import { fromStored } from '../timestamps.ts';
import { json, nullable, oneOf, Table, TIME, whole } from './columns.ts';
import { changesOf, Repository } from './repository.ts';

export const ROTATION_CONFIG = new Table('rotation_config', ['id'], {
  id: whole(1, 1),
  strategy: oneOf(ROTATION_STRATEGIES),
  interval_ms: nullable(whole(1)),
  max_requests_per_proxy: nullable(whole(1)),
  failure_threshold: nullable(whole(1)),
  config_json: nullable(json(storedOptionsSchema)),
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
  /**
   * The configuration; the defaults while none is stored.
   * @throws INVALID_ROW if it cannot be read.
   * @example
   * const { strategy, intervalMs } = vault.config.get(); // { strategy: 'round-robin', intervalMs: null, … }
   */
  get(): Result<M, RotationConfig> {
    return this.db.one(`SELECT * FROM rotation_config WHERE id = 1`, {}, toConfig);
  }

  /**
   * Changes the fields that are given, and of `options`, and of a group in them such as `limits`, the ones that are given there; gives
   * the result. An option that is given as undefined has its default again. A whole configuration
   * may be given back as it was read, with changes: its `updatedAt` is then ignored.
   *
   * @throws INVALID_INPUT for an unknown field or strategy, a number out of range, options that contradict each other, also
   *   with stored ones, or `updatedAt` without the other fields.
   * @example
   * vault.config.update({ strategy: 'sticky-session', failureThreshold: 3, options: { stickyTtlMs: 600_000 } });
   */
  update(config: RotationConfigUpdate): Result<M, RotationConfig> {
    const changes = parse(rotationConfigUpdateSchema, config, 'rotation configuration');
    return this.db.transaction(() => this.#merge(changes));
  }

  /** SQL cannot merge JSON portably. The lock holds other updates off between the read and the write. */
  *#merge(changes: z.infer<typeof rotationConfigUpdateSchema>): Steps<M, RotationConfig> {
    yield this.db.lock('rotation config');
    const stored = yield* step(this.db.first(`SELECT * FROM rotation_config WHERE id = 1`, {}, toOptions));
    const options = mergedOptions(stored ?? {}, changes.options ?? {});
    const problem = wholeContradictionOf(options);
    if (problem !== null) throw invalidInput(`${problem}.`);
    const { strategy, intervalMs, maxRequestsPerProxy, failureThreshold } = changes;
    return yield* step(
      this.db.one(
        `INSERT INTO rotation_config (id, strategy, interval_ms, max_requests_per_proxy, failure_threshold, config_json, updated_at)
         VALUES (1, coalesce(:strategy, 'round-robin'), :interval_ms, :max_requests_per_proxy, :failure_threshold, :config_json, :now)
         ON CONFLICT (id) DO UPDATE SET
           strategy = coalesce(:strategy, rotation_config.strategy),
           interval_ms = CASE WHEN :set_interval_ms = 1 THEN :interval_ms ELSE rotation_config.interval_ms END,
           max_requests_per_proxy = CASE WHEN :set_max_requests_per_proxy = 1
             THEN :max_requests_per_proxy ELSE rotation_config.max_requests_per_proxy END,
           failure_threshold = CASE WHEN :set_failure_threshold = 1
             THEN :failure_threshold ELSE rotation_config.failure_threshold END,
           config_json = excluded.config_json,
           updated_at = excluded.updated_at
         RETURNING *`,
        {
          ...changesOf(
            { strategy },
            {
              interval_ms: intervalMs,
              max_requests_per_proxy: maxRequestsPerProxy,
              failure_threshold: failureThreshold,
            },
          ),
          config_json: JSON.stringify(options),
          now: this.now(),
        },
        toConfig,
      ),
    );
  }

  /**
   * Removes what is stored, whatever it is, so that the defaults hold; says whether something was stored.
   *
   * @example
   * vault.config.reset(); // true if something was stored
   */
  reset(): Result<M, boolean> {
    return this.db.transaction(() => this.#reset());
  }

  *#reset(): Steps<M, boolean> {
    // So that no update that has read the options brings them back. SQLite has one writer, and needs no lock.
    yield this.db.lock('rotation config');
    return yield* step(this.db.run(`DELETE FROM rotation_config`, {}, (changed) => changed > 0));
  }

  /**
   * Changes the strategy alone.
   * @throws INVALID_INPUT for one that is not among the ten.
   * @example
   * vault.config.setStrategy('fastest');
   */
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
  const { read } = ROTATION_CONFIG;
  return {
    strategy: read.strategy(row.strategy, row),
    intervalMs: read.interval_ms(row.interval_ms, row),
    maxRequestsPerProxy: read.max_requests_per_proxy(row.max_requests_per_proxy, row),
    failureThreshold: read.failure_threshold(row.failure_threshold, row),
    options: toOptions(row),
    updatedAt: fromStored(read.updated_at(row.updated_at, row)),
  };
}

function toOptions(row: Row): RotationConfig['options'] {
  return row.config_json === null ? {} : ROTATION_CONFIG.json(row, 'config_json', storedOptionsSchema);
}
