import { PROXY_STATUSES, type ProxyStatus } from '../model/proxy.ts';
import type { Decision, Inputs } from './decide.ts';
import type { PoolIndex } from './pool-index.ts';
import type { Way } from './way.ts';

/** So many filters are remembered. */
const MOST = 256;

/** How many proxies one part of a filter excluded, and how many it left. */
export interface FilterStep {
  /** What it asks for, such as `not failed`, `protocol socks5`, `not out` or `not excluded`. */
  filter: string;
  excluded: number;
  left: number;
}

/** The steps of requests before exclusions, which are asked for again and again if no proxy fits. */
const KNOWN = new WeakMap<PoolIndex, { generation: number; steps: Map<string, readonly FilterStep[]> }>();

/**
 * How many proxies each part of a filter excluded, in order: status, what is asked for, what is out, excluded ids. A proxy counts where it is
 * excluded first. It looks at every proxy, once for each filter until the pool changes, and then at those that are left.
 */
export function stepsOf(
  decision: Decision,
  { pool: { index }, availability, wanted }: Inputs,
): readonly FilterStep[] {
  const { exclusion, fits, members, view: filter } = decision;
  const steps = [...knownSteps(decision, index)];
  let left = steps.at(-1)?.left ?? index.size;
  const absent = availability.absences.count({ filter, fits, members }, wanted);
  for (const [state, excluded] of Object.entries(absent)) {
    if (excluded === 0) continue;
    left -= excluded;
    steps.push({ filter: `not ${state}`, excluded, left });
  }
  const remaining = exclusion.isEmpty ? left : exclusion.candidates(members).size;
  return [...steps, { filter: 'not excluded', excluded: left - remaining, left: remaining }];
}

/** How many proxies each step excluded that excluded any. */
export function excludedBy(steps: readonly FilterStep[]): Record<string, number> {
  const excluding = steps.filter(({ excluded }) => excluded > 0);
  return Object.fromEntries(excluding.map(({ filter, excluded }) => [filter, excluded]));
}

function knownSteps({ way, view }: Decision, index: PoolIndex): readonly FilterStep[] {
  let known = KNOWN.get(index);
  if (known?.generation !== index.generation) {
    known = { generation: index.generation, steps: new Map() };
    KNOWN.set(index, known);
  }
  const steps = known.steps.get(view) ?? countSteps(way, index);
  if (known.steps.size < MOST) known.steps.set(view, steps);
  return steps;
}

function countSteps({ filter }: Way, index: PoolIndex): FilterStep[] {
  const { columns } = index;
  const states: readonly ProxyStatus[] = PROXY_STATUSES.filter((status) => status !== 'active');
  const questions = columns.questions(filter);
  const excluded = Array.from({ length: states.length + questions.length }, () => 0);
  for (let slot = 0; slot < index.end; slot++) {
    const status = columns.status(slot);
    if (status === null) continue;
    let first = index.isUsable(slot) ? -1 : states.indexOf(status);
    for (let n = 0; first === -1 && n < questions.length; n++)
      if (questions[n]?.passes(slot) === false) first = states.length + n;
    if (first !== -1) excluded[first] = (excluded[first] as number) + 1;
  }
  let left = index.size;
  const names = [...states.map((status) => `not ${status}`), ...questions.map(({ what }) => what)];
  return names.map((name, number) => {
    left -= excluded[number] ?? 0;
    return { filter: name, excluded: excluded[number] ?? 0, left };
  });
}
