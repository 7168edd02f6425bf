import type { RotationRule } from '../model/rules.ts';
import type { StrategySettings } from '../model/strategy-settings.ts';
import type { Availability } from './availability.ts';
import type { Candidates } from './candidates.ts';
import { Exclusion } from './exclusion.ts';
import { hashOf } from './index/hash.ts';
import type { SlotSet } from './index/slot-set.ts';
import type { View } from './index/view.ts';
import { intervalEnd } from './interval.ts';
import type { PoolIndex } from './pool-index.ts';
import { ANY, type Wanted } from './request.ts';
import type { CompiledRules } from './rules/compile.ts';
import type { RuleFacts } from './rules/facts.ts';
import { NO_OUTCOME, type Ruled, type RuleOutcome } from './rules/outcome.ts';
import type { RuleTrace } from './rules/trace.ts';
import type { Holding } from './schedule.ts';
import type { Mapping, StickyKey } from './sticky.ts';
import type { Situation } from './strategies/strategy.ts';
import type { Turn } from './turns.ts';
import { type Way, wayOf } from './way.ts';

/** The pool in memory. */
export interface PoolState {
  index: PoolIndex;
  rules: CompiledRules;
  settings: StrategySettings;
  /** Which window of the schedule holds at a time. */
  schedule: (now: number) => Holding;
  /** How a proxy is chosen for a request that asks for nothing, without rules; null if it depends on the time. */
  plainWay: Way | null;
}

/** All that a decision is made from. */
export interface Inputs {
  pool: PoolState;
  wanted: Wanted;
  /** The live mapping of a session or domain. */
  mappingOf: (key: StickyKey) => Mapping | null;
  /** The turn of a filter. */
  turnOf: (view: string) => Turn | null;
  /** The slot that was handed out last, for whatever request; -1 before the first. */
  last: number;
  /** Whether another proxy is wanted than the one that a mapping or an interval keeps. */
  rotate: boolean;
  /** What is out for the domain and the session. */
  scopes: readonly SlotSet[];
  /** Who is out, and why. */
  availability: Availability;
  /** Milliseconds since the epoch. */
  now: number;
  /** A number from 0, inclusive, to 1, exclusive. */
  random: () => number;
}

/** Why no proxy was chosen. */
type Refusal =
  | { why: 'blocked'; rule: RotationRule }
  | { why: 'rule'; rule: RotationRule; proxyId: string; state: string }
  | { why: 'mapping'; mapping: Mapping; state: string }
  | { why: 'limit'; keeper: string; proxyId: string; slot: number }
  | { why: 'candidates' };

/**
 * What decided: a rule that names the proxy, the mapping of the session or domain, a rule that keeps the proxy, an interval,
 * the strategy, or, if nothing else is left, the override of a cooldown.
 */
export type DecidedBy = 'rule' | 'mapping' | 'keep' | 'interval' | 'strategy' | 'override';

/** What was decided, and by what. */
export interface Decision {
  /** The slot of the chosen proxy; -1 if no proxy was chosen. */
  slot: number;
  by: DecidedBy;
  /** Null if a proxy was chosen. */
  refusal: Refusal | null;
  rules: RuleOutcome;
  way: Way;
  /** The filter as a text. An interval has another turn, which a request of another strategy does not end. */
  view: string;
  /** Those that fit the filter and are not out, excluded or not. */
  members: View;
  /** Whether a slot is usable and fits the filter, out or not, until the pool changes. */
  fits: (slot: number) => boolean;
  exclusion: Exclusion;
  candidates: Candidates;
  /** What may keep its proxy: the session, else the domain. */
  key: StickyKey | null;
  mapping: Mapping | null;
  /** Whether `key` keeps the proxy that is chosen now. */
  sticks: boolean;
  turn: Turn | null;
  /** When the interval ends that begins now; null if no interval begins. */
  until: number | null;
}

const NONE: readonly string[] = [];
/** For the longest interval that the jitter allows. */
const ALMOST_ONE = (): number => 1;
/** The clocks of two processes may differ so much, in milliseconds; one that was set back ends the interval. */
const CLOCK_SKEW = 1000;

/**
 * Chooses a proxy for a request, in this order: a rule that blocks; a rule that names the proxy; what the session or domain keeps;
 * what a rule or an interval keeps; the strategy; if most of the pool cools, the proxy that comes back first. What a session, a rule or
 * an interval keeps is not replaced while it is only at a limit. It changes nothing, and reads no clock.
 *
 * @param trace gets how each rule was judged.
 */
export function decide(inputs: Inputs, trace?: RuleTrace[]): Decision {
  const { pool, wanted } = inputs;
  const { index, settings } = pool;
  const isUnruled = pool.rules.isEmpty && trace === undefined;
  const rules = isUnruled ? NO_OUTCOME : pool.rules.match(factsOf(inputs), trace);
  const isPlain = isUnruled && wanted === ANY;
  const way = (isPlain ? pool.plainWay : null) ?? wayOf(wanted, rules, pool, inputs.now);
  const { key: untimed, intervalKey, view: members, fits } = index.find(way.filter);
  const exclusion = new Exclusion(
    index,
    wanted.exclude,
    rules.excludeProxies.length === 0 ? NONE : rules.excludeProxies.map(({ value }) => value),
    inputs.scopes,
  );
  const key = keyIn(wanted);
  const mapping = key === null ? null : inputs.mappingOf(key);
  const view = way.isTimed && mapping === null ? intervalKey : untimed;
  const turn = inputs.turnOf(view);
  const decision: Decision = {
    slot: -1,
    by: 'strategy',
    refusal: null,
    rules,
    way,
    view,
    exclusion,
    members,
    fits,
    candidates: exclusion.candidates(members),
    key,
    mapping,
    sticks: mapping !== null || isSticking(key, way, settings),
    turn,
    until: null,
  };
  settle(decision, inputs);
  // A caller may have changed the excluded ids since they were last looked at.
  if (
    decision.by === 'strategy' &&
    decision.refusal?.why !== 'blocked' &&
    exclusion.isOutdated(decision.slot)
  ) {
    decision.candidates = exclusion.candidates(members);
    decision.refusal = null;
    settle(decision, inputs);
  }
  return decision;
}

/** What a strategy may look at. */
export function situationOf(
  { way, candidates, exclusion, turn, key }: Decision,
  { pool, now, random }: Inputs,
): Situation {
  const { index, settings } = pool;
  return {
    index,
    candidates,
    previous: turn?.slot ?? -1,
    key: key === null ? null : hashOf(key.name),
    country: way.country,
    settings,
    now,
    random,
    narrowed: (part) => exclusion.candidates(index.find({ ...way.filter, ...part }).view, candidates.other),
  };
}

function settle(decision: Decision, inputs: Inputs): Decision {
  const { rules, mapping, turn, way } = decision;
  const { now, pool } = inputs;
  const { index, settings } = pool;
  if (rules.block !== null) return refuse(decision, { why: 'blocked', rule: rules.block });
  if (rules.proxy !== null) return settleByRule(decision, inputs, rules.proxy);
  const isRotating = inputs.rotate || rules.rotate !== null;
  const mapped = mapping === null ? -1 : index.slotOf(mapping.proxyId);
  if (mapping !== null && !isRotating) {
    if (isCandidate(decision, mapped)) return take(decision, mapped, 'mapping');
    if (isAtLimit(decision, inputs, mapped))
      return refuse(decision, limitOf(`the ${decision.key?.kind}`, mapping.proxyId, mapped));
    if (settings.stickyWhenOut === 'refuse')
      return refuse(decision, { why: 'mapping', mapping, state: stateOf(decision, inputs, mapped) });
  }
  const current = turn?.slot ?? -1;
  const mayKeep = mapping === null && !isRotating && (rules.keep !== null || way.isTimed);
  // Another proxy may have the slot by now.
  if (
    mayKeep &&
    turn !== null &&
    index.columns.id(current) === turn.proxyId &&
    (rules.keep !== null || isHeld(turn, settings, now))
  ) {
    const keeper = rules.keep !== null ? 'keep' : 'interval';
    if (isCandidate(decision, current)) return take(decision, current, keeper);
    if (isAtLimit(decision, inputs, current))
      return refuse(decision, limitOf(keeper === 'keep' ? 'a rule' : 'the interval', turn.proxyId, current));
  }
  const isAnother = isRotating || (way.isTimed && turn !== null);
  const slot = pickAnother(decision, inputs, isAnother ? (mapped === -1 ? current : mapped) : -1);
  if (slot === -1) return override(decision, inputs);
  if (way.isTimed && mapping === null)
    decision.until = Math.min(intervalEnd(now, settings, inputs.random), pool.schedule(now).until);
  return take(decision, slot, 'strategy');
}

/** If most of the pool cools, the first to come back of those that fit is used before its time. */
function override(decision: Decision, { availability, scopes }: Inputs): Decision {
  const slot = availability.override(
    (each) => fitsWhenReady(decision, each) && !scopes.some((scope) => scope.has(each)),
  );
  return slot === -1 ? refuse(decision, { why: 'candidates' }) : take(decision, slot, 'override');
}

/** Whether a proxy that is kept is not ready only since it is at a limit. */
function isAtLimit(decision: Decision, { availability, wanted }: Inputs, slot: number): boolean {
  return slot !== -1 && fitsWhenReady(decision, slot) && availability.absences.isAtLimit(slot, wanted);
}

function limitOf(keeper: string, proxyId: string, slot: number): Refusal {
  return { why: 'limit', keeper, proxyId, slot };
}

/** Of one slot it can be said for certain; `candidates` may have left it out when the caller's Set had other ids. */
export function isCandidate({ members, exclusion }: Decision, slot: number): boolean {
  return members.has(slot) && !exclusion.has(slot);
}

/** Whether a slot is a candidate as soon as it is not out, neither altogether nor for the domain or session. */
export function fitsWhenReady({ fits, exclusion }: Decision, slot: number): boolean {
  return fits(slot) && !exclusion.hasId(slot);
}

/** What the strategy chooses, if possible another slot than `other`. */
function pickAnother(decision: Decision, inputs: Inputs, other: number): number {
  const { way, exclusion } = decision;
  if (other === -1) return way.chooser.pick(situationOf(decision, inputs));
  const { candidates } = decision;
  decision.candidates = exclusion.candidates(decision.members, other);
  const slot = way.chooser.pick(situationOf(decision, inputs));
  decision.candidates = candidates;
  return slot === -1 ? way.chooser.pick(situationOf(decision, inputs)) : slot;
}

/** A rule's proxy is used whatever the request says of country and the like: whoever wrote the rule meant it. */
function settleByRule(decision: Decision, inputs: Inputs, { value: proxyId, rule }: Ruled<string>): Decision {
  const { index } = inputs.pool;
  const slot = index.slotOf(proxyId);
  if (slot !== -1 && index.columns.isReady(slot) && !decision.exclusion.has(slot))
    return take(decision, slot, 'rule');
  return refuse(decision, { why: 'rule', rule, proxyId, state: stateOf(decision, inputs, slot) });
}

/** Why a slot is no candidate, in words that follow "which is". */
function stateOf({ exclusion }: Decision, { pool, availability }: Inputs, slot: number): string {
  const { index } = pool;
  if (slot === -1) return 'gone';
  if (exclusion.hasId(slot)) return 'excluded';
  if (exclusion.has(slot)) return 'out for this domain or session';
  if (!index.isUsable(slot)) return index.columns.status(slot) ?? 'gone';
  return index.isOut(slot) ? (availability.absences.stateOf(slot) ?? 'out') : 'not what is asked for';
}

/** Whether a turn's interval lasts. It is never longer than the configuration says now, nor than the clock has it. */
function isHeld({ since, until }: Turn, settings: StrategySettings, now: number): boolean {
  const longest = intervalEnd(since, settings, ALMOST_ONE);
  return until !== null && now < until && now < longest && now >= since - CLOCK_SKEW;
}

function take(decision: Decision, slot: number, by: DecidedBy): Decision {
  decision.slot = slot;
  decision.by = by;
  return decision;
}

function refuse(decision: Decision, refusal: Refusal): Decision {
  decision.slot = -1;
  decision.refusal = refusal;
  return decision;
}

function factsOf({ wanted, pool, last, now }: Inputs): RuleFacts {
  const { measures } = pool.index;
  const { domain, url, protocol, country, region, tags, session } = wanted;
  const known =
    last === -1
      ? null
      : {
          latency: measures.latency(last),
          successRate: measures.successRate(last, now),
          failureCount: measures.failures(last),
        };
  return { domain, url, protocol, country, region, tags, session, now, last: known };
}

/** The session, else the domain. */
function keyIn({ session, domain }: Wanted): StickyKey | null {
  if (session !== undefined) return { kind: 'session', name: session };
  return domain === undefined ? null : { kind: 'domain', name: domain };
}

/** A session sticks under every strategy. */
function isSticking(
  key: StickyKey | null,
  { strategy }: Way,
  { stickyByDefault }: StrategySettings,
): boolean {
  if (key === null) return false;
  return key.kind === 'session' || strategy === 'sticky-session' || stickyByDefault;
}
