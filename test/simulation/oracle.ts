import type { World } from './world.ts';

/**
 * Knows the true state of every proxy and domain at each moment, and takes any proxy by which the request succeeds. No provider limits
 * it, so that nothing can do better. It fails only where no proxy could succeed: while the domain of the request is down.
 */
export class Oracle {
  readonly #world: World;
  #last = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Whether a request that begins now can succeed. */
  succeeds(domain: string, now: number): boolean {
    if (this.#world.isDown(domain, now)) return false;
    for (let tried = 0; tried < this.#world.size; tried++) {
      this.#last = (this.#last + 1) % this.#world.size;
      if (this.#world.isUp(this.#last, now)) return true;
    }
    return false;
  }
}
