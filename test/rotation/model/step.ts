import type { AsyncCommand } from 'fast-check';
import { expect } from 'vitest';
import { compare } from './comparison.ts';
import { settle } from './following.ts';
import { passTime } from './pool-model.ts';
import { answersCome, type Real } from './real.ts';
import type { Model } from './state.ts';

/** One thing that is done to the model and to the pool. After it both must be equal. */
export class Step implements AsyncCommand<Model, Real> {
  readonly #text: string;
  readonly #act: (model: Model, real: Real) => void | Promise<void>;
  readonly #makesSense: (model: Model) => boolean;

  constructor(
    what: string,
    details: unknown,
    act: (model: Model, real: Real) => void | Promise<void>,
    makesSense: (model: Model) => boolean = () => true,
  ) {
    this.#text = `${what} ${JSON.stringify(details)}`;
    this.#act = act;
    this.#makesSense = makesSense;
  }

  check(model: Model): boolean {
    return this.#makesSense(model);
  }

  async run(model: Model, real: Real): Promise<void> {
    await this.#act(model, real);
    // Whoever asks next sees what is due, and what was changed.
    passTime(model, real.time.now);
    real.pool.stats();
    await answersCome();
    await settle(model, real);
    compare(model, real);
  }

  toString(): string {
    return this.#text;
  }
}

/** What `work` throws. */
export function codeOf(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === undefined) throw error;
    return code;
  }
}

/** What NO_PROXY says in its details; null if there was a proxy. */
export function refusalOf(error: unknown): unknown {
  expect(error).toMatchObject({ code: 'NO_PROXY' });
  return (error as { details: unknown }).details;
}
