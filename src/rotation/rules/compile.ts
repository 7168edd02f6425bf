import type { RotationRule } from '../../model/rules.ts';
import { localTime } from '../local-time.ts';
import { type Check, checkOf } from './checks.ts';
import { Facts, type RuleFacts } from './facts.ts';
import { NO_OUTCOME, outcomeOf, type RuleOutcome } from './outcome.ts';
import { Patterns } from './patterns.ts';
import { type RuleTrace, traceOf } from './trace.ts';

/** Rules that are ready to be asked, until they change. */
export interface CompiledRules {
  /** Whether no rule can match. */
  readonly isEmpty: boolean;
  /**
   * What the rules ask for, for one request.
   *
   * @param trace gets every rule in the order in which they are tried, with each condition and the fact that it was compared
   *   with; also the rules that are switched off, and those after one that stops.
   */
  match(facts: RuleFacts, trace?: RuleTrace[]): RuleOutcome;
}

interface CompiledRule {
  rule: RotationRule;
  /** In the order of the rule's conditions. */
  checks: readonly Check[];
  /** The same, those that take long last. */
  quickFirst: readonly Check[];
  needsAll: boolean;
  /** What the rule asks for if no other matches, as is most often so. */
  alone: RuleOutcome;
}

/**
 * Prepares rules for many requests. Higher priority is tried first, then older. Texts are compared without regard to case unless
 * a condition says so, and domains in one form, whatever way they are written.
 *
 * @param timeZone the IANA name of the time zone in which rules see the hour and weekday. The configuration has checked it.
 */
export function compileRules(
  rules: readonly RotationRule[],
  { timeZone = 'UTC' }: { timeZone?: string | undefined } = {},
): CompiledRules {
  const clock = localTime(timeZone);
  const patterns = new Patterns();
  const all = rules.toSorted(inOrder).map((rule) => compile(rule, patterns));
  const enabled = all.filter(({ rule }) => rule.enabled);
  return {
    isEmpty: enabled.length === 0,
    match(given, trace) {
      if (trace !== undefined) return traced(all, new Facts(given, clock), trace);
      return enabled.length === 0 ? NO_OUTCOME : matchAll(enabled, new Facts(given, clock));
    },
  };
}

function inOrder(left: RotationRule, right: RotationRule): number {
  const byAge = left.createdAt < right.createdAt ? -1 : Number(left.createdAt > right.createdAt);
  return right.priority - left.priority || byAge || (left.id < right.id ? -1 : Number(left.id > right.id));
}

function compile(rule: RotationRule, patterns: Patterns): CompiledRule {
  const checks = rule.conditions.map((condition) => checkOf(condition, patterns));
  const isSlow = (index: number): boolean => rule.conditions[index]?.operator === 'matches';
  return {
    rule,
    checks,
    quickFirst: [
      ...checks.filter((_, index) => !isSlow(index)),
      ...checks.filter((_, index) => isSlow(index)),
    ],
    needsAll: rule.conditionLogic === 'AND',
    alone: outcomeOf([rule]),
  };
}

function matchAll(enabled: readonly CompiledRule[], facts: Facts): RuleOutcome {
  let first: CompiledRule | undefined;
  let matched: RotationRule[] | undefined;
  for (const compiled of enabled) {
    if (!holds(compiled, facts)) continue;
    if (first === undefined) first = compiled;
    else {
      matched ??= [first.rule];
      matched.push(compiled.rule);
    }
    if (compiled.rule.stopOnMatch) break;
  }
  if (first === undefined) return NO_OUTCOME;
  return matched === undefined ? first.alone : outcomeOf(matched);
}

function holds({ quickFirst, needsAll }: CompiledRule, facts: Facts): boolean {
  for (const check of quickFirst) if (check(facts) !== needsAll) return !needsAll;
  return needsAll;
}

function traced(all: readonly CompiledRule[], facts: Facts, trace: RuleTrace[]): RuleOutcome {
  const matched: RotationRule[] = [];
  let isStopped = false;
  for (const { rule, checks } of all) {
    const entry = traceOf(rule, checks, facts);
    if (!rule.enabled) trace.push({ ...entry, reason: 'disabled' });
    else if (isStopped) trace.push({ ...entry, reason: 'stopped' });
    else {
      trace.push(entry);
      if (entry.holds) matched.push(rule);
      isStopped = entry.holds && rule.stopOnMatch;
    }
  }
  return matched.length === 0 ? NO_OUTCOME : outcomeOf(matched);
}
