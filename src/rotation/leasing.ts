import type { Session } from '../database/drivers/driver.ts';
import type { TemplateValues } from '../lists/index.ts';
import { assertWhole, invalidInput } from '../model/validation.ts';
import type { RevealedProxy } from '../revealed-proxy.ts';
import type { Availability } from './availability.ts';
import type { Elapsed } from './elapsed.ts';
import type { Follower } from './follow.ts';
import type { Learning } from './learning.ts';
import { Lease, type LeaseDesk } from './lease.ts';
import { type Held, Leases } from './leases.ts';
import {
  type Failure,
  failureFrom,
  type Outcome,
  type OutcomeReport,
  outcomeFrom,
  type Success,
  successFrom,
} from './outcome.ts';
import type { Announcer, PoolEvents } from './pool-events.ts';
import type { PoolIndex } from './pool-index.ts';
import type { Wanted } from './request.ts';

/** No lease is longer: ten years, in milliseconds. */
const LONGEST = 10 * 365 * 86_400_000;

export type Reveal = (proxyId: string, template?: TemplateValues) => RevealedProxy;

/** What leasing reads and changes. */
interface Parts {
  session: Session<'sync'>;
  follower: Follower;
  learning: Learning;
  announcer: Announcer;
  elapsed: Elapsed;
  availability: () => Availability;
  reveal: Reveal | undefined;
  /** Called when a lease has ended, so that somebody else may have its proxy. */
  onRelease: () => void;
}

/** How many leases ended in which way. */
export interface LeaseCounts {
  succeeded: number;
  failed: number;
  /** Nobody reported them in time, or at the end of their block. */
  abandoned: number;
  /** Reports of leases that had expired. */
  late: number;
  /** What went through them, as far as it was reported. */
  bytes: number;
}

/** Gives leases, and takes their reports. */
export class Leasing implements LeaseDesk {
  readonly #parts: Parts;
  readonly #leases = new Leases();
  readonly counts: LeaseCounts = { succeeded: 0, failed: 0, abandoned: 0, late: 0, bytes: 0 };

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** How many leases there are. */
  get size(): number {
    return this.#leases.count;
  }

  /** No lease expires before this time. */
  get nextDue(): number {
    return this.#leases.nextDue;
  }

  /** Whether no more leases may be given now. */
  get isFull(): boolean {
    const { maxLeases = null } = this.#parts.follower.settings?.limits ?? {};
    return maxLeases !== null && this.size >= maxLeases;
  }

  /** Gives a lease of a proxy that was handed out. */
  begin(index: PoolIndex, slot: number, { domain, session }: Wanted, leaseMs: number | undefined): Lease {
    const { elapsed, announcer } = this.#parts;
    const { now } = elapsed;
    const proxy = index.chosen(slot);
    const expires = now + this.#lengthOf(leaseMs);
    const held = this.#leases.begin({ slot, proxy, domain, session }, now, expires);
    this.#parts.availability().hold(slot);
    const lease = new Lease(held, this);
    if (announcer.isHeard('acquired'))
      announcer.tell('acquired', {
        leaseId: lease.id,
        proxyId: proxy.id,
        domain: domain ?? null,
        session: session ?? null,
      });
    return lease;
  }

  /** The lease with this id while it is held; null for any other text. */
  find(id: string): Held | null {
    return this.#leases.find(id);
  }

  /** Ends those that have expired. */
  expire(now: number): void {
    this.#leases.expire(now, (held) => this.#abandoned(held));
  }

  /** Every proxy may have another slot; -1 for one that is gone. */
  moveTo(index: PoolIndex): void {
    for (const held of this.#leases) held.slot = index.slotOf(held.proxy.id);
  }

  idOf(held: Held): string {
    return this.#leases.idOf(held);
  }

  expiresAt({ expires }: Held): string {
    return new Date(this.#parts.elapsed.wallAt(expires)).toISOString();
  }

  renew(held: Held, forMs: number | undefined): void {
    const now = this.#now();
    this.expire(now);
    if (held.state !== 'held') throw invalidInput('This lease has ended: acquire another one.');
    this.#leases.renew(held, now + this.#lengthOf(forMs ?? held.length));
  }

  succeed(held: Held, success: Success | undefined): void {
    this.#end(held, successFrom(success));
  }

  fail(held: Held, failure: Failure): void {
    this.#end(held, failureFrom(failure, this.#health));
  }

  report(held: Held, report: OutcomeReport): void {
    this.#end(held, outcomeFrom(report, this.#health, 'status'));
  }

  abandon(held: Held): void {
    this.#leases.end(held, 'reported');
    this.#abandoned(held);
  }

  reveal(proxyId: string, template: TemplateValues | undefined): RevealedProxy {
    const { reveal } = this.#parts;
    if (reveal === undefined)
      throw invalidInput(
        'This pool has no key, since it was made without a vault: use openVault, and its pool.',
      );
    return reveal(proxyId, template);
  }

  get #health() {
    const { settings } = this.#parts.follower;
    if (settings === null) throw invalidInput('The pool is closed.');
    return settings.health;
  }

  #end(held: Held, outcome: Outcome): void {
    if (held.state === 'reported') throw invalidInput('This lease was reported already.');
    this.expire(this.#now());
    const isLate = held.state === 'expired';
    const slot = this.#slotOf(held);
    if (isLate) {
      held.state = 'reported';
      this.counts.late++;
    } else this.#release(held, slot);
    const { learning, follower } = this.#parts;
    this.counts[outcome.kind === null ? 'succeeded' : 'failed']++;
    this.counts.bytes += outcome.bytes;
    try {
      if (slot !== -1 && follower.index !== null) {
        const { domain = null, session = null } = held;
        const isGateway = follower.index.isGateway(slot);
        const use = { slot, domain, session, isGateway, handedOutAt: held.since };
        learning.learn(use, outcome, isLate);
      }
    } finally {
      if (!isLate) this.#tell(held, outcome.kind === null ? 'succeeded' : 'failed');
      this.#parts.onRelease();
    }
  }

  #release(held: Held, slot: number): void {
    this.#leases.end(held, 'reported');
    if (slot !== -1) this.#parts.availability().release(slot);
  }

  #abandoned(held: Held): void {
    const slot = this.#slotOf(held);
    if (slot !== -1) this.#parts.availability().release(slot);
    this.counts.abandoned++;
    this.#tell(held, 'abandoned');
    this.#parts.onRelease();
  }

  /** Another proxy may have its slot by now; -1 if the proxy is gone. */
  #slotOf({ slot, proxy }: Held): number {
    const { index } = this.#parts.follower;
    if (index === null) return -1;
    return slot !== -1 && index.columns.id(slot) === proxy.id ? slot : -1;
  }

  #tell(held: Held, outcome: PoolEvents['released']['outcome']): void {
    const { announcer } = this.#parts;
    if (!announcer.isHeard('released')) return;
    announcer.tell('released', { leaseId: this.idOf(held), proxyId: held.proxy.id, outcome });
  }

  #now(): number {
    return this.#parts.elapsed.at(this.#parts.session.clock());
  }

  #lengthOf(leaseMs: number | undefined): number {
    if (leaseMs !== undefined) return assertWhole(leaseMs, 'leaseMs', 1, LONGEST);
    return this.#parts.follower.settings?.limits.leaseMs ?? LONGEST;
  }
}
