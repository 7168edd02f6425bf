import { v7 as uuidv7 } from 'uuid';
import type { z } from 'zod';

import { ProxyVaultError } from '../../errors.ts';
import { storedConditionsSchema } from '../../model/rules/conditions.ts';
import {
  type RotationRule,
  type RotationRuleInput,
  type RotationRuleUpdate,
  ruleFields,
  ruleInputSchema,
  ruleUpdateSchema,
} from '../../model/rules.ts';
import {
  assertBoolean,
  assertFunction,
  assertId,
  assertOptions,
  invalidInput,
  notFound,
  parse,
} from '../../model/validation.ts';
import type { Mode, Params, Result, Row, Steps } from '../drivers/driver.ts';
import { fromStored } from '../timestamps.ts';
import { FLAG, ID, json, oneOf, Table, TEXT, TIME, whole } from './columns.ts';
import { changesOf, orNotFound, Repository } from './repository.ts';
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
  /**
   * Stores a rule and gives it.
   * @throws INVALID_INPUT; CONFLICT if the id is taken.
   * @example
   * const { id } = vault.rules.create({
   *   name: 'videos through Germany',
   *   conditions: [{ field: 'domain', operator: 'ends-with', value: '.video.example' }],
   *   actions: [{ type: 'use-region', region: 'DE' }],
   * });
   */
  create(rule: RotationRuleInput): Result<M, RotationRule> {
    const { id = uuidv7(), ...input } = parse(ruleInputSchema, rule, 'rotation rule');
    return this.db.one(
      `INSERT INTO rotation_rules (id, name, priority, conditions_json, condition_logic, actions_json, stop_on_match, enabled, created_at)
       VALUES (:id, :name, :priority, :conditions_json, :condition_logic, :actions_json, :stop_on_match, :enabled, :now)
       ON CONFLICT (id) DO NOTHING
       RETURNING *`,
      { ...toParams(input), id, now: this.now() },
      (row) => {
        if (row) return toRule(row);
        throw new ProxyVaultError('CONFLICT', `There is a rotation rule ${id} already.`, {
          details: { existingId: id },
        });
      },
    );
  }

  /**
   * The rule with this id, or null.
   * @throws INVALID_ROW, which names the row, if it cannot be read.
   * @example
   * const rule = vault.rules.findById('night'); // null if there is no such rule
   */
  findById(id: string): Result<M, RotationRule | null> {
    return this.db.first(`SELECT * FROM rotation_rules WHERE id = :id`, { id: assertId(id) }, toRule);
  }

  /**
   * All rules in the order they are tried: highest priority first, then oldest first. A malformed row is left out and told to
   * `onInvalid` (the database’s `onInvalidRow` unless given).
   *
   * @example
   * const rules = vault.rules.findAll({ onInvalid: ({ details }) => console.warn(details.id) });
   */
  findAll(options: ReadRulesOptions = {}): Result<M, RotationRule[]> {
    return this.#read(`SELECT * FROM rotation_rules ORDER BY priority DESC, created_at, id`, options);
  }

  /**
   * As `findAll`, without the rules that are switched off. A row that does not say whether it is counts as malformed.
   *
   * @example
   * const [first] = vault.rules.findEnabled(); // the rule that is tried first
   */
  findEnabled(options: ReadRulesOptions = {}): Result<M, RotationRule[]> {
    return this.#read(
      `SELECT * FROM rotation_rules WHERE coalesce(enabled <> FALSE, TRUE) ORDER BY priority DESC, created_at, id`,
      options,
    );
  }

  /**
   * Changes the fields that are given. A rule that was read may be given back whole, with changes: its `id` and `createdAt` are
   * then ignored. Otherwise such a field is INVALID_INPUT, by name.
   *
   * @throws NOT_FOUND; INVALID_INPUT; INVALID_ROW if what was not given cannot be read.
   * @example
   * for (const { id, priority } of vault.rules.findAll()) vault.rules.update(id, { priority: priority + 10 });
   */
  update(id: string, updates: RotationRuleUpdate): Result<M, RotationRule> {
    const changes = parse(ruleUpdateSchema, updates, 'rotation rule');
    if (changes.id !== undefined && changes.id !== id) {
      throw invalidInput('The id of a rotation rule cannot change: create another.');
    }
    return this.db.one(
      `UPDATE rotation_rules SET
         name = coalesce(:name, name),
         priority = coalesce(:priority, priority),
         conditions_json = coalesce(:conditions_json, conditions_json),
         condition_logic = coalesce(:condition_logic, condition_logic),
         actions_json = coalesce(:actions_json, actions_json),
         stop_on_match = coalesce(:stop_on_match, stop_on_match),
         enabled = coalesce(:enabled, enabled)
       WHERE id = :id RETURNING *`,
      { ...toParams(changes), id: assertId(id) },
      (row) => {
        if (row) return toRule(row);
        throw notFound('rotation rule', id);
      },
    );
  }

  /**
   * Switches a rule on or off, whatever it holds.
   * @throws NOT_FOUND.
   * @example
   * vault.rules.setEnabled('night', false);
   */
  setEnabled(id: string, enabled: boolean): Result<M, void> {
    return this.db.run(
      `UPDATE rotation_rules SET enabled = :enabled WHERE id = :id`,
      { id: assertId(id), enabled: assertBoolean(enabled, 'enabled') ? 1 : 0 },
      orNotFound('rotation rule', id),
    );
  }

  /**
   * Gives priorities, in steps of ten, so that these rules are tried in this order; the others keep theirs.
   * @throws NOT_FOUND for an unknown id and INVALID_INPUT for a repeated one; then nothing is changed.
   * @example
   * vault.rules.reorder(['night', 'video']); // priorities 20 and 10
   */
  reorder(ids: readonly string[]): Result<M, void> {
    if (!Array.isArray(ids)) throw invalidInput('The new order must be an array of ids.');
    if (new Set(ids).size !== ids.length) throw invalidInput('An id stands twice in the new order.');
    return this.db.transaction(() => this.#reorder(ids));
  }

  *#reorder(ids: readonly string[]): Steps<M, void> {
    const priorities = ids.map((id, index) => ({ id: assertId(id), priority: (ids.length - index) * 10 }));
    // Two engines' writers that lock the same rows must do so in one order, or each waits for the other.
    for (const each of priorities.sort((a, b) => (a.id < b.id ? -1 : 1))) {
      yield this.db.run(
        `UPDATE rotation_rules SET priority = :priority WHERE id = :id`,
        each,
        orNotFound('rotation rule', each.id),
      );
    }
  }

  /**
   * Removes a rule; says whether there was one.
   *
   * @example
   * vault.rules.delete('night'); // false if there was no such rule
   */
  delete(id: string): Result<M, boolean> {
    return this.db.run(
      `DELETE FROM rotation_rules WHERE id = :id`,
      { id: assertId(id) },
      (changed) => changed > 0,
    );
  }

  /**
   * How many rules there are, enabled or not.
   *
   * @example
   * const rules = vault.rules.count();
   */
  count(): Result<M, number> {
    return this.db.one(`SELECT count(*) AS n FROM rotation_rules`, {}, (row) => Number(row?.n));
  }

  #read(sql: string, options: ReadRulesOptions): Result<M, RotationRule[]> {
    const { onInvalid = this.session.onInvalidRow } = assertOptions(
      options,
      ['onInvalid'],
      'options of a list of rules',
    );
    if (onInvalid !== undefined) assertFunction(onInvalid, 'onInvalid');
    return this.db.all(sql, {}, skipMalformed({ onInvalidRow: onInvalid }, toRule));
  }
}

function toParams(rule: z.output<typeof ruleUpdateSchema>): Params {
  const { name, priority, conditions, conditionLogic, actions, stopOnMatch, enabled } = rule;
  return changesOf({
    name,
    priority,
    conditions_json: conditions,
    condition_logic: conditionLogic,
    actions_json: actions,
    stop_on_match: stopOnMatch,
    enabled,
  });
}

/** @throws INVALID_ROW for a row that holds no valid rule. */
function toRule(row: Row): RotationRule {
  const { read } = ROTATION_RULES;
  return {
    id: read.id(row.id, row),
    name: read.name(row.name, row),
    priority: read.priority(row.priority, row),
    conditions: ROTATION_RULES.json(row, 'conditions_json', storedConditionsSchema),
    conditionLogic: read.condition_logic(row.condition_logic, row),
    actions: ROTATION_RULES.json(row, 'actions_json', ruleFields.actions),
    stopOnMatch: read.stop_on_match(row.stop_on_match, row) === 1,
    enabled: read.enabled(row.enabled, row) === 1,
    createdAt: fromStored(read.created_at(row.created_at, row)),
  };
}
