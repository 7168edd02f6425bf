import type { PoolEvents } from '../../../rotation/index.ts';
import type { Vault } from '../../../vault.ts';
import { outOf, partOf } from '../../cooldown-text.ts';

/** Listens to what follows from a report. */
export class Consequences {
  readonly #cooled: PoolEvents['cooled'][] = [];
  readonly #recovered: PoolEvents['recovered'][] = [];
  readonly #now: () => number;

  constructor({ pool, database }: Vault) {
    this.#now = database.clock;
    pool.on('cooled', (event) => this.#cooled.push(event));
    pool.on('recovered', (event) => this.#recovered.push(event));
  }

  /** A sentence for each; none if nothing follows. */
  inWords(): string[] {
    return [
      ...this.#cooled.map((event) => `It is ${outOf(event, this.#now())}.`),
      ...this.#recovered.map((event) => `It is back for ${partOf(event)}.`),
    ];
  }
}
