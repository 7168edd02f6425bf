import { v7 as uuidv7 } from 'uuid';

import { ProxyVaultError } from '../../errors.ts';
import {
  type RotationRule,
  type RotationRuleInput,
  ruleFields,
  ruleInputSchema,
  ruleUpdateSchema,
  storedConditionsSchema,
} from '../../model/rules.ts';
import {
  assertBoolean,
  assertFunction,
  assertId,
  assertObject,
  notFound,
  parse,
} from '../../model/validation.ts';
import type { Mode, Params, Result, Row, Steps } from '../drivers/driver.ts';
import { fromStored } from '../timestamps.ts';
import { FLAG, ID, json, oneOf, Table, TEXT, TIME, whole } from './columns.ts';
import { Repository } from './repository.ts';
import { skipMalformed } from './skipped-rows.ts';

/** Hears of each row that holds no valid rule and is left out; its `details` name the row. */
export interface ReadRulesOptions {
  onInvalid?: ((error: ProxyVaultError) => void) | undefined;
}

export const ROTATION_RULES = new Table('rotation_rules', ['id'], {
  id: ID,
  name: TEXT,
  priority: whole(Number.MIN_SAFE_INTEGER),
  conditions_json: json(storedConditionsSchema),
  condition_logic: oneOf(ruleFields.conditionLogic.options),
  actions_json: json(ruleFields.actions),
  stop_on_match: FLAG,
  enabled: FLAG,
  created_at: TIME,
});

/** Rules that choose a proxy by what is asked for. */
export class RotationRulesRepository<M extends Mode = 'sync'> extends Repository<M> {
  /** Stores a rule and gives it. @throws INVALID_INPUT; CONFLICT if the id is taken. */
  create(rule: RotationRuleInput): Result<M, RotationRule> {
    const { id = uuidv7(), ...input } = parse(ruleInputSchema, rule, 'rotation rule');
    return this.db.one(
      `INSERT INTO rotation_rules (id, name, priority, conditions_json, condition_logic, actions_json, stop_on_match, enabled, created_at)
       VALUES (:id, :name, :priority, :conditions, :logic, :actions, :stop, :enabled, :now)
       ON CONFLICT (id) DO NOTHING
       RETURNING *`,
      {
        id,
        name: input.name,
        priority: input.priority,
        conditions: JSON.stringify(input.conditions),
        logic: input.conditionLogic,
        actions: JSON.stringify(input.actions),
        stop: input.stopOnMatch ? 1 : 0,
        enabled: input.enabled ? 1 : 0,
        now: this.now(),
      },
      (row) => {
        if (row) return toRule(row);
        throw new ProxyVaultError('CONFLICT', `There is a rotation rule ${id} already.`, {
          details: { existingId: id },
        });
      },
    );
  }

  /** The rule with this id, or null. @throws INVALID_ROW, which names the row, if it cannot be read. */
  findById(id: string): Result<M, RotationRule | null> {
    return this.db.first(`SELECT * FROM rotation_rules WHERE id = :id`, { id: assertId(id) }, toRule);
  }

  /**
   * All rules in the order they are tried: highest priority first, then oldest first. A row that holds no valid
   * rule is left out and told to `onInvalid` (the database’s `onInvalidRow` unless given).
   */
  findAll(options: ReadRulesOptions = {}): Result<M, RotationRule[]> {
    return this.#read(`SELECT * FROM rotation_rules ORDER BY priority DESC, created_at, id`, options);
  }

  /** As `findAll`, without the rules that are switched off. A row that does not say whether it is counts as malformed. */
  findEnabled(options: ReadRulesOptions = {}): Result<M, RotationRule[]> {
    return this.#read(
      `SELECT * FROM rotation_rules WHERE enabled IS DISTINCT FROM 0 ORDER BY priority DESC, created_at, id`,
      options,
    );
  }

  /**
   * Changes the fields that are given.
   *
   * @throws NOT_FOUND; INVALID_INPUT; INVALID_ROW if what was not given cannot be read.
   */
  update(id: string, updates: Partial<RotationRule>): Result<M, RotationRule> {
    const changes = parse(ruleUpdateSchema, updates, 'rotation rule');
    if (changes.id !== undefined && changes.id !== id) {
      throw new ProxyVaultError('INVALID_INPUT', 'The id of a rotation rule cannot change: create another.');
    }
    const flag = (value: boolean | undefined): number | null => (value === undefined ? null : value ? 1 : 0);
    return this.db.one(
      `UPDATE rotation_rules SET
         name = coalesce(:name, name),
         priority = coalesce(:priority, priority),
         conditions_json = coalesce(:conditions, conditions_json),
         condition_logic = coalesce(:logic, condition_logic),
         actions_json = coalesce(:actions, actions_json),
         stop_on_match = coalesce(:stop, stop_on_match),
         enabled = coalesce(:enabled, enabled)
       WHERE id = :id RETURNING *`,
      {
        id: assertId(id),
        name: changes.name ?? null,
        priority: changes.priority ?? null,
        conditions: changes.conditions === undefined ? null : JSON.stringify(changes.conditions),
        logic: changes.conditionLogic ?? null,
        actions: changes.actions === undefined ? null : JSON.stringify(changes.actions),
        stop: flag(changes.stopOnMatch),
        enabled: flag(changes.enabled),
      },
      (row) => toRule(found(row, id)),
    );
  }

  /** Switches a rule on or off, whatever it holds. @throws NOT_FOUND. */
  setEnabled(id: string, enabled: boolean): Result<M, void> {
    return this.db.run(
      `UPDATE rotation_rules SET enabled = :enabled WHERE id = :id`,
      { id: assertId(id), enabled: assertBoolean(enabled, 'enabled') ? 1 : 0 },
      (changed) => {
        if (changed === 0) throw notFound('rotation rule', id);
      },
    );
  }

  /**
   * Gives priorities, in steps of ten, so that these rules are tried in this order; the others keep theirs.
   *
   * @throws NOT_FOUND for an unknown id and INVALID_INPUT for a repeated one; then nothing is changed.
   */
  reorder(ids: readonly string[]): Result<M, void> {
    if (!Array.isArray(ids))
      throw new ProxyVaultError('INVALID_INPUT', 'The new order must be an array of ids.');
    if (new Set(ids).size !== ids.length)
      throw new ProxyVaultError('INVALID_INPUT', 'An id stands twice in the new order.');
    return this.db.transaction(() => this.#reorder(ids));
  }

  *#reorder(ids: readonly string[]): Steps<M, void> {
    for (const [index, id] of ids.entries()) {
      const params: Params = { id: assertId(id), priority: (ids.length - index) * 10 };
      const changed = yield this.db.run(
        `UPDATE rotation_rules SET priority = :priority WHERE id = :id`,
        params,
      );
      if (changed === 0) throw notFound('rotation rule', id);
    }
  }

  /** Removes a rule; says whether there was one. */
  delete(id: string): Result<M, boolean> {
    return this.db.run(
      `DELETE FROM rotation_rules WHERE id = :id`,
      { id: assertId(id) },
      (changed) => changed > 0,
    );
  }

  count(): Result<M, number> {
    return this.db.one(`SELECT count(*) AS n FROM rotation_rules`, {}, (row) => Number(row?.n));
  }

  #read(sql: string, options: ReadRulesOptions): Result<M, RotationRule[]> {
    const { onInvalid = this.session.onInvalidRow } = assertObject(options, 'options');
    if (onInvalid !== undefined) assertFunction(onInvalid, 'onInvalid');
    return this.db.all(sql, {}, skipMalformed({ onInvalidRow: onInvalid }, toRule));
  }
}

function found(row: Row | undefined, id: string): Row {
  if (row === undefined) throw notFound('rotation rule', id);
  return row;
}

/** @throws INVALID_ROW for a row that holds no valid rule. */
function toRule(row: Row): RotationRule {
  const table = ROTATION_RULES;
  const is = table.columns;
  const { condition_logic: logic, stop_on_match: stops, created_at: created } = row;
  return {
    id: is.id.is(row.id) ? row.id : table.refuse(row, 'id'),
    name: is.name.is(row.name) ? row.name : table.refuse(row, 'name'),
    priority: is.priority.is(row.priority) ? row.priority : table.refuse(row, 'priority'),
    conditions: table.json(row, 'conditions_json', storedConditionsSchema),
    conditionLogic: is.condition_logic.is(logic) ? logic : table.refuse(row, 'condition_logic'),
    actions: table.json(row, 'actions_json', ruleFields.actions),
    stopOnMatch: (FLAG.is(stops) ? stops : table.refuse(row, 'stop_on_match')) === 1,
    enabled: (FLAG.is(row.enabled) ? row.enabled : table.refuse(row, 'enabled')) === 1,
    createdAt: fromStored(TIME.is(created) ? created : table.refuse(row, 'created_at')),
  };
}
