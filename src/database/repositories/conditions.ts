import type { Params, SqlValue } from '../drivers/driver.ts';

/** A WHERE clause, put together from fixed pieces, so that each keeps its index, and its parameters. */
export class Conditions {
  readonly #pieces: string[] = [];
  readonly #params: Record<string, SqlValue> = {};

  add(piece: string, params: Params): void {
    this.#pieces.push(piece);
    Object.assign(this.#params, params);
  }

  /** The clause; empty if there is no condition. */
  get where(): string {
    return this.#pieces.length === 0 ? '' : `WHERE ${this.#pieces.join(' AND ')}`;
  }

  get params(): Params {
    return this.#params;
  }
}
