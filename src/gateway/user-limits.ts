import type { KnownUser } from './users.ts';

/** How many requests and tunnels of each user there are. */
export class UserLimits {
  readonly #counts = new Map<string, number>();

  /** Counts one more; false if the user has as many as are allowed. */
  begin(user: KnownUser | null): boolean {
    if (user === null) return true;
    const { name, maxConnections = Number.POSITIVE_INFINITY } = user;
    const count = this.#counts.get(name) ?? 0;
    if (count >= maxConnections) return false;
    this.#counts.set(name, count + 1);
    return true;
  }

  end(user: KnownUser | null): void {
    if (user === null) return;
    const count = this.#counts.get(user.name) ?? 0;
    if (count > 1) this.#counts.set(user.name, count - 1);
    else this.#counts.delete(user.name);
  }
}
