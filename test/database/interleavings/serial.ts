import type { ErrorCode } from 'proxyvault';

/** One step of an action on a model of what is stored; it throws a {@link Refusal}. What it gives is compared. */
export type Step<M> = (model: M) => unknown;

/** Why a model does not take an action: the code of the error that the library throws. */
export class Refusal extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode) {
    super(code);
    this.code = code;
  }
}

/** How an action ended: what its last step gave, or the code of a typed error. */
export type Outcome = { value: unknown } | { code: string };

export interface Told<M> {
  ours: Outcome;
  theirs: Outcome;
  model: M;
}

interface Effect<M> {
  steps: readonly Step<M>[];
  /** What it may be rejected with, and changes nothing, because the other has come in the middle of it. */
  mayThrow?: ErrorCode;
}

/**
 * What two actions may give and leave if they came one after the other: the second before, after, or between two steps of the
 * first. Whatever really happened must be one of these.
 */
export function inSomeOrder<M>(initial: M, first: Effect<M>, second: Effect<M>): Told<M>[] {
  const told = [...first.steps, null].map((_, at): Told<M> => {
    const model = structuredClone(initial);
    const begun = take(model, first.steps.slice(0, at));
    const theirs = take(model, second.steps);
    const ours = 'code' in begun || at === first.steps.length ? begun : take(model, first.steps.slice(at));
    return { ours, theirs, model };
  });
  if (first.mayThrow !== undefined) {
    const model = structuredClone(initial);
    told.push({ theirs: take(model, second.steps), ours: { code: first.mayThrow }, model });
  }
  if (second.mayThrow !== undefined) {
    const model = structuredClone(initial);
    told.push({ ours: take(model, first.steps), theirs: { code: second.mayThrow }, model });
  }
  return told;
}

function take<M>(model: M, steps: readonly Step<M>[]): Outcome {
  try {
    let value: unknown;
    for (const step of steps) value = step(model);
    return { value };
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code };
    throw error;
  }
}
