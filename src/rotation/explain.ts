import type { RotationStrategy } from '../model/rotation.ts';
import type { ConditionLogic, RuleAction } from '../model/rules.ts';
import { type DecidedBy, type Decision, type Inputs, situationOf } from './decide.ts';
import { refusalOf } from './no-proxy.ts';
import type { ChosenProxy } from './pool-index.ts';
import type { RuleTrace, TracedCondition } from './rules/trace.ts';
import { type FilterStep, stepsOf } from './steps.ts';
import { reasonText } from './strategies/strategy.ts';

/** So many come after the chosen one. */
const RUNNERS_UP = 3;

/** How a rule was judged. */
export interface ExplainedRule {
  id: string;
  name: string;
  priority: number;
  /** Whether its conditions hold. */
  matches: boolean;
  /** Whether its actions were taken: a rule before it may have stopped. */
  applies: boolean;
  conditions: readonly TracedCondition[];
  /** Whether all conditions must hold, or one. */
  conditionLogic: ConditionLogic;
  actions: readonly RuleAction[];
}

/** A proxy that might have been chosen. */
export interface RunnerUp {
  proxy: ChosenProxy;
  /** What the strategy knows of it, such as "3 hand-outs". */
  detail: string;
}

/** What would be chosen, and why. */
export interface Explanation {
  /** Null if no proxy would be chosen. */
  proxy: ChosenProxy | null;
  /** A sentence. */
  reason: string;
  /** Null if no proxy would be chosen. */
  decidedBy: DecidedBy | null;
  strategy: RotationStrategy;
  /** In the order in which they are tried. */
  rules: readonly ExplainedRule[];
  /** What was asked for, part by part, and how many candidates each left. */
  steps: readonly FilterStep[];
  /** What the session or domain keeps; null if it has no proxy. */
  mapping: { kind: 'session' | 'domain'; name: string; proxyId: string } | null;
  /** The interval that keeps the proxy, or would begin; ISO 8601. Null if there is no interval. */
  until: string | null;
  runnersUp: readonly RunnerUp[];
}

/** The reasons of a decision, as data. */
export function explain(decision: Decision, inputs: Inputs, trace: readonly RuleTrace[]): Explanation {
  const { slot, by, key, mapping, turn, until, way } = decision;
  const { index } = inputs.pool;
  const end = by === 'interval' ? (turn?.until ?? null) : until;
  return {
    proxy: slot === -1 ? null : index.chosen(slot),
    reason: slot === -1 ? refusalOf(decision, inputs) : reasonOf(decision, inputs),
    decidedBy: slot === -1 ? null : by,
    strategy: way.strategy,
    rules: trace.map(({ rule, holds, conditions, reason }) => ({
      id: rule.id,
      name: rule.name,
      priority: rule.priority,
      matches: holds,
      applies: holds && reason === undefined,
      conditions,
      conditionLogic: rule.conditionLogic,
      actions: rule.actions,
    })),
    steps: stepsOf(decision, inputs),
    mapping:
      key !== null && mapping !== null
        ? { kind: key.kind, name: mapping.name, proxyId: mapping.proxyId }
        : null,
    until: end === null || end === Number.POSITIVE_INFINITY ? null : new Date(end).toISOString(),
    runnersUp: runnersUpOf(decision, inputs),
  };
}

function reasonOf(decision: Decision, inputs: Inputs): string {
  const { slot, by, rules, key, turn } = decision;
  const { columns } = inputs.pool.index;
  const proxy = `The proxy ${columns.id(slot)}`;
  switch (by) {
    case 'rule':
      return `${proxy} is the one that the rule ${JSON.stringify(rules.proxy?.rule.name)} names.`;
    case 'mapping':
      return `${proxy} is kept by the ${key?.kind} ${key?.name}.`;
    case 'keep':
      return `${proxy} is kept, as the rule ${JSON.stringify(rules.keep?.name)} says.`;
    case 'interval':
      return `${proxy} is kept until ${new Date(turn?.until ?? 0).toISOString()}, when its interval ends.`;
    case 'override':
      return `${proxy} cools, but so does most of the pool, and nothing else fits: of those that cool it comes back first.`;
    case 'strategy':
      return `${proxy} ${strategyText(decision, inputs)}.${moveText(decision)}`;
  }
}

/** How the strategy has chosen, and what it knows of its choice. */
function strategyText(decision: Decision, inputs: Inputs): string {
  const { slot, way } = decision;
  const { chooser } = way;
  const situation = situationOf(decision, inputs);
  const reason = reasonText(chooser, slot, situation);
  const detail = chooser.describe(slot, situation, 1);
  return `${reason} (${way.strategy})${detail === '' ? '' : `: ${detail}`}`;
}

/** What a session or domain has kept until now. */
function moveText({ key, mapping }: Decision): string {
  if (key === null || mapping === null) return '';
  return ` The ${key.kind} ${key.name} moves to it: it has kept ${mapping.proxyId}, which does not fit now.`;
}

/** Those that the strategy puts next, the best first. It looks at every candidate. */
function runnersUpOf(decision: Decision, inputs: Inputs): RunnerUp[] {
  const { slot, candidates, way, by } = decision;
  if (slot === -1 || by === 'rule') return [];
  const situation = situationOf(decision, inputs);
  const best: { slot: number; rank: number }[] = [];
  for (const other of candidates) {
    if (other === slot) continue;
    const rank = way.chooser.rank(other, situation);
    if (best.length === RUNNERS_UP && rank >= (best.at(-1)?.rank ?? 0)) continue;
    best.push({ slot: other, rank });
    best.sort((a, b) => a.rank - b.rank);
    best.length = Math.min(best.length, RUNNERS_UP);
  }
  const first = by === 'strategy' ? 2 : 1;
  return best.map(({ slot: other }, number) => ({
    proxy: inputs.pool.index.chosen(other),
    detail: way.chooser.describe(other, situation, first + number) || 'next in turn',
  }));
}
