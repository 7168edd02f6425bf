import type { Mode, Result } from './driver.ts';

/** What is to be done before an engine is closed, while it can still be used. See {@link Engine.beforeClose}. */
export class BeforeClose<M extends Mode> {
  readonly #works = new Set<() => Result<M, void>>();

  /**
   * Gives a function that takes it back.
   *
   * @example
   * const hooks = new BeforeClose<'sync'>();
   * const takeBack = hooks.add(() => console.log('closing'));
   * takeBack();
   */
  add(work: () => Result<M, void>): () => void {
    // The same function may be added twice, and then runs twice.
    const own = (): Result<M, void> => work();
    this.#works.add(own);
    return () => void this.#works.delete(own);
  }

  /**
   * Gives what was added, and forgets it.
   *
   * @example
   * const hooks = new BeforeClose<'sync'>();
   * for (const work of hooks.take()) work(); // the engine is closed after this
   */
  take(): (() => Result<M, void>)[] {
    const works = [...this.#works];
    this.#works.clear();
    return works;
  }
}
