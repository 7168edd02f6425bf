import type { Session } from '../database/drivers/driver.ts';
import {
  type NewLease,
  ProxyLeasesRepository,
  type StoredLease,
} from '../database/repositories/proxy-leases.repository.ts';

/** Leases that other processes may report: they are in the database until somebody does. */
export class StoredLeases {
  readonly #unnoticed: <T>(write: () => T) => T;
  readonly #leases: ProxyLeasesRepository;

  constructor(session: Session<'sync'>, unnoticed: <T>(write: () => T) => T) {
    this.#unnoticed = unnoticed;
    this.#leases = new ProxyLeasesRepository(session);
  }

  keep(lease: NewLease): void {
    this.#unnoticed(() => this.#leases.create(lease));
  }

  renew(id: string, expiresAt: Date): void {
    this.#unnoticed(() => this.#leases.renew(id, expiresAt));
  }

  /** Takes a lease out, and gives it; null if somebody has reported it, or it was never stored. */
  take(id: string): StoredLease | null {
    return this.#unnoticed(() => this.#leases.take(id));
  }
}
