import type { RotationRule } from 'proxyvault/database';
import { compileRules } from '../../../src/rotation/rules/compile.ts';
import type { RuleFacts } from '../../../src/rotation/rules/facts.ts';

/** Friday, 1 May 2026, 12:00 UTC. */
export const NOON = Date.UTC(2026, 4, 1, 12);

/** A rule that blocks, and does not stop. */
export function someRule(parts: Partial<RotationRule>): RotationRule {
  return {
    id: 'r',
    name: 'n',
    priority: 0,
    conditions: [],
    conditionLogic: 'AND',
    actions: [{ type: 'block' }],
    stopOnMatch: false,
    enabled: true,
    createdAt: '2026-01-01T00:00:00.000Z',
    ...parts,
  };
}

/** Whether a condition holds for these facts, at noon unless they say another time. */
export function holds(condition: RotationRule['conditions'][number], facts: Partial<RuleFacts>): boolean {
  const rules = compileRules([someRule({ conditions: [condition] })]);
  return rules.match({ now: NOON, ...facts }).matched.length === 1;
}
