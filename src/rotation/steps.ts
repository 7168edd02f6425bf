import { PROXY_STATUSES } from '../model/proxy.ts';
import type { Decision } from './decide.ts';
import type { PoolIndex } from './pool-index.ts';

/** So many filters are remembered. */
const MOST = 256;

/** How many proxies one part of a filter excluded, and how many it left. */
export interface FilterStep {
  /** What it asks for, such as `not failed`, `protocol socks5` or `not excluded`. */
  filter: string;
  excluded: number;
  left: number;
}

/** The steps of requests without exclusions, which are asked for again and again if no proxy fits. */
const KNOWN = new WeakMap<PoolIndex, { generation: number; steps: Map<string, readonly FilterStep[]> }>();

/**
 * How many proxies each part of a filter excluded, in order: status, what is asked for, excluded ids. A proxy counts where it is
 * excluded first. It looks at every proxy, once for each filter until the pool changes.
 */
export function stepsOf(decision: Decision, index: PoolIndex): readonly FilterStep[] {
  if (!decision.exclusion.isEmpty) return countSteps(decision, index);
  let known = KNOWN.get(index);
  if (known?.generation !== index.generation) {
    known = { generation: index.generation, steps: new Map() };
    KNOWN.set(index, known);
  }
  const steps = known.steps.get(decision.view) ?? countSteps(decision, index);
  if (known.steps.size < MOST) known.steps.set(decision.view, steps);
  return steps;
}

function countSteps({ way, exclusion }: Decision, index: PoolIndex): FilterStep[] {
  const { columns } = index;
  const questions = [
    ...PROXY_STATUSES.filter((status) => status !== 'active').map((status) => ({
      what: `not ${status}`,
      passes: (slot: number) => columns.status(slot) !== status,
    })),
    ...columns.questions(way.filter),
    { what: 'not excluded', passes: (slot: number) => !exclusion.has(slot) },
  ];
  const excluded = questions.map(() => 0);
  for (let slot = 0; slot < index.end; slot++) {
    if (columns.status(slot) === null) continue;
    const first = questions.findIndex(({ passes }) => !passes(slot));
    if (first !== -1) excluded[first] = (excluded[first] as number) + 1;
  }
  let left = index.size;
  return questions.map(({ what }, number) => {
    left -= excluded[number] ?? 0;
    return { filter: what, excluded: excluded[number] ?? 0, left };
  });
}
