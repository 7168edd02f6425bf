import { type Session, type Steps, step } from '../database/drivers/driver.ts';
import { ProxyRepository } from '../database/repositories/proxy.repository.ts';
import { parseDomain } from '../model/domain.ts';
import { text } from '../model/field-schemas.ts';
import {
  assertId,
  assertIterable,
  assertOptions,
  assertWhole,
  notFound,
  parse,
} from '../model/validation.ts';
import type { Availability } from './availability.ts';
import type { Elapsed } from './elapsed.ts';
import type { Follower } from './follow.ts';
import type { HealthChange } from './health/circuit.ts';
import type { Learning } from './learning.ts';
import type { WriteBehind } from './write-behind.ts';

/** No cooldown is longer: ten years, in milliseconds. */
const LONGEST = 10 * 365 * 86_400_000;

/** How a person puts a proxy out for a time. */
export interface CoolOptions {
  /** For so many milliseconds. */
  forMs: number;
  /** For this domain only. */
  domain?: string | undefined;
  /** Why, in a few words. No secrets: lists and events show it. */
  reason?: string | undefined;
}

/** What caring for proxies reads and changes. */
interface Parts {
  session: Session<'sync'>;
  follower: Follower;
  learning: Learning;
  behind: WriteBehind;
  elapsed: Elapsed;
  availability: () => Availability;
}

const reasonSchema = text(256);

/** What a person does to proxies: puts them out for a time, and takes them back. */
export class PoolCare {
  readonly #parts: Parts;
  readonly #proxies: ProxyRepository;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#proxies = new ProxyRepository(parts.session);
  }

  /** @throws NOT_FOUND; INVALID_INPUT. */
  cool(id: string, cooling: CoolOptions): void {
    const { forMs, domain, reason } = assertOptions(
      cooling,
      ['forMs', 'domain', 'reason'],
      'options of cool',
    );
    assertWhole(forMs, 'forMs', 1, LONGEST);
    const pattern = domain === undefined ? null : parseDomain(domain, { wildcards: false }).pattern;
    const detail = reason === undefined ? null : parse(reasonSchema, reason, 'reason');
    const slot = this.#slotOf(id);
    const { now } = this.#parts.elapsed;
    const change: HealthChange = {
      slot,
      scope: pattern === null ? '' : `domain ${pattern}`,
      state: 'cooling',
      kind: 'manual',
      times: 1,
      since: now,
      until: now + forMs,
      detail,
      source: 'person',
    };
    this.#parts.availability().health.restore(slot, change, now);
    this.#parts.learning.follow([change]);
  }

  /** @throws NOT_FOUND for the first unknown id; then nothing has changed. */
  reset(ids: Iterable<string>): void {
    const slots = Array.from(assertIterable(ids, 'ids'), (id) => this.#slotOf(id));
    const { health } = this.#parts.availability();
    const { index } = this.#parts.follower;
    // Failures that wait to be stored would be counted later.
    this.#parts.behind.flush();
    const changes = slots.flatMap((slot) => [...health.reset(slot)]);
    for (const slot of slots) {
      this.#parts.availability().refresh(slot);
      index?.measures.forgive(slot);
      // In a caller's transaction they still wait.
      this.#parts.behind.forgive(slot);
    }
    this.#parts.learning.follow(changes);
    this.#parts.session.driver.transaction(() => this.#reactivate(slots));
  }

  *#reactivate(slots: readonly number[]): Steps<'sync', void> {
    const { index } = this.#parts.follower;
    for (const slot of slots) {
      const proxy = yield* step(this.#proxies.findById(index?.columns.id(slot) ?? ''));
      if (proxy === null || (proxy.status !== 'failed' && proxy.failureCount === 0)) continue;
      const status = proxy.status === 'failed' ? 'active' : proxy.status;
      yield this.#proxies.update(proxy.id, { status, failureCount: 0 });
    }
  }

  #slotOf(id: string): number {
    const slot = this.#parts.follower.index?.slotOf(assertId(id)) ?? -1;
    if (slot === -1) throw notFound('proxy', id);
    return slot;
  }
}
