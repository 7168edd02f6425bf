import type { StrategySettings } from '../../model/strategy-settings.ts';
import type { Candidates } from '../candidates.ts';
import type { Filter } from '../index/filter.ts';
import type { PoolIndex } from '../pool-index.ts';

/** All that a strategy may look at. */
export interface Situation {
  index: PoolIndex;
  candidates: Candidates;
  /** The slot that was handed out last for this filter; -1 before the first. */
  previous: number;
  /** The hash of the session or domain that is to keep the proxy; null if the request names neither. */
  key: number | null;
  /** The country that is wanted, by the request, a rule or the configuration; null for any. */
  country: string | null;
  settings: StrategySettings;
  /** Milliseconds since the epoch. */
  now: number;
  /** A number from 0, inclusive, to 1, exclusive. */
  random: () => number;
  /** Those of the candidates that fit a filter too. */
  narrowed: (filter: Filter) => Candidates;
}

/**
 * A way to choose one of the candidates. It changes nothing: what it chooses is taken note of when it is handed out. To add one,
 * write a file here and a line in registry.ts.
 */
export interface Strategy {
  /** How it has chosen a slot, in words that follow the name of the proxy: "is next in turn". */
  reason: string | ((slot: number, situation: Situation) => string);
  /** The slot that it chooses; -1 if there is no candidate. */
  pick(situation: Situation): number;
  /** By what it orders the candidates, the best with the lowest number. */
  rank(slot: number, situation: Situation): number;
  /**
   * What it knows of a candidate, in words: "3 hand-outs"; '' for nothing.
   *
   * @param place 1 for the best candidate, 2 for the next.
   */
  describe(slot: number, situation: Situation, place: number): string;
}

/** How a strategy has chosen a slot. */
export function reasonText({ reason }: Strategy, slot: number, situation: Situation): string {
  return typeof reason === 'string' ? reason : reason(slot, situation);
}

/** A number of things in words: "1 hand-out", "3 hand-outs". */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

/** Failures in a row in words, if there are any. */
export function failuresText(failures: number): string[] {
  return failures === 0 ? [] : [`${counted(failures, 'failure')} in a row`];
}
