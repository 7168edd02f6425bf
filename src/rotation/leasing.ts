import type { StoredLease } from '../database/repositories/proxy-leases.repository.ts';
import type { TemplateValues } from '../lists/index.ts';
import { assertWhole, invalidInput, notFound } from '../model/validation.ts';
import type { RevealedProxy } from '../revealed-proxy.ts';
import type { Availability } from './availability.ts';
import type { Elapsed } from './elapsed.ts';
import type { Follower } from './follow.ts';
import type { Learning } from './learning.ts';
import { Lease, type LeaseDesk } from './lease.ts';
import type { LeaseRequests } from './lease-requests.ts';
import { type Held, Leases } from './leases.ts';
import {
  type FailureReport,
  failureFrom,
  type Outcome,
  type OutcomeReport,
  outcomeFrom,
  type SuccessReport,
  successFrom,
} from './outcome.ts';
import type { Announcer, PoolEvents } from './pool-events.ts';
import type { PoolIndex } from './pool-index.ts';
import type { PoolStats } from './pool-stats.ts';
import { LONGEST_LEASE, type WantedLease } from './request.ts';
import type { StoredLeases } from './stored-leases.ts';
import { leaseIdOf, readTicket, type Ticket, ticketFor } from './ticket.ts';

/**
 * Gives a proxy with its login. `stamp` is another number once anything in the database has changed; null if that is not known, as in a
 * transaction: then nothing that was read before may be given.
 */
export type Reveal = (proxyId: string, template?: TemplateValues, stamp?: number | null) => RevealedProxy;

/** What leasing reads and changes. */
interface Parts {
  follower: Follower;
  learning: Learning;
  announcer: Announcer;
  elapsed: Elapsed;
  availability: () => Availability;
  stored: StoredLeases;
  reveal: Reveal | undefined;
  requests: LeaseRequests | undefined;
  /** Does what is due, and reads the clock for it. */
  advance: () => void;
  /** Called when a lease has ended, so that somebody else may have its proxy. */
  onRelease: () => void;
}

/** Gives leases, and takes their reports. */
export class Leasing implements LeaseDesk {
  readonly #parts: Parts;
  readonly #leases = new Leases();
  readonly counts: PoolStats['ended'] = { succeeded: 0, failed: 0, abandoned: 0, late: 0, bytes: 0 };

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
  begin(index: PoolIndex, slot: number, { wanted, leaseMs, isStored }: WantedLease): Lease {
    const { elapsed, announcer } = this.#parts;
    const { now } = elapsed;
    const { domain, session, sessionTtlMs } = wanted;
    const proxy = index.chosen(slot);
    const expires = now + this.#lengthOf(leaseMs);
    const held = this.#leases.begin({ slot, proxy, domain, session, sessionTtlMs, isStored }, now, expires);
    this.#parts.availability().hold(slot);
    if (isStored) this.#store(held);
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

  /** Reports a lease of this process, one that is stored, or one of which a ticket tells. @throws NOT_FOUND; INVALID_INPUT. */
  reportById(text: string, report: OutcomeReport): void {
    const id = leaseIdOf(text);
    const held = this.#leases.find(id);
    if (held !== null) {
      this.report(held, report);
      return;
    }
    const { elapsed, follower } = this.#parts;
    const outcome = outcomeFrom(report, this.#health, 'reset');
    const stored = this.#parts.stored.take(id);
    const ended: (Ticket & { expiresAt?: number }) | null =
      stored === null ? readTicket(text, elapsed.wall) : fromStored(stored);
    if (ended === null) throw notFound('lease', id);
    const { proxyId, domain, session, acquiredAt, expiresAt = Number.POSITIVE_INFINITY } = ended;
    const isLate = expiresAt <= elapsed.wall;
    const slot = follower.index?.slotOf(proxyId) ?? -1;
    // A ticket may be of another pool, or its proxy may be gone.
    if (stored === null && slot === -1) throw notFound('lease', id);
    // The clock that never goes back may be ahead of the one of the system.
    const handedOutAt = elapsed.now - Math.max(0, elapsed.wall - acquiredAt);
    this.#count(outcome, isLate);
    try {
      this.#learn(slot, domain, session, handedOutAt, outcome, isLate);
    } finally {
      this.#parts.onRelease();
    }
  }

  /** Ends those that have expired. */
  expire(now: number): void {
    this.#leases.expire(now, (held) => this.#abandoned(held));
  }

  /** The proxy of a slot is gone: its leases hold nothing. */
  gone(slot: number): void {
    for (const held of this.#leases) if (held.slot === slot) held.slot = -1;
  }

  /** Every proxy may have another slot; -1 for one that is gone. */
  moveTo(index: PoolIndex): void {
    for (const held of this.#leases) if (held.slot !== -1) held.slot = index.slotOf(held.proxy.id);
  }

  idOf(held: Held): string {
    return this.#leases.idOf(held);
  }

  ticketOf(held: Held): string {
    const { proxy, domain = null, session = null, since } = held;
    const acquiredAt = this.#parts.elapsed.wallAt(since);
    return ticketFor(this.idOf(held), { proxyId: proxy.id, acquiredAt, domain, session });
  }

  expiresAt({ expires }: Held): string {
    return new Date(this.#parts.elapsed.wallAt(expires)).toISOString();
  }

  renew(held: Held, forMs: number | undefined): void {
    const { advance, elapsed, stored } = this.#parts;
    advance();
    if (held.state !== 'held') throw invalidInput('This lease has ended: acquire another one.');
    this.#leases.renew(held, elapsed.now + this.#lengthOf(forMs ?? held.length));
    if (held.isStored) stored.renew(this.idOf(held), new Date(this.expiresAt(held)));
  }

  confirm(held: Held): void {
    this.#parts.advance();
    const slot = this.#slotOf(held);
    const { index } = this.#parts.follower;
    if (held.state !== 'held' || slot === -1 || index === null) return;
    const { domain = null, session = null, since } = held;
    this.#parts.learning.confirm({
      slot,
      domain,
      session,
      isGateway: index.isGateway(slot),
      handedOutAt: since,
    });
    this.#parts.onRelease();
  }

  succeed(held: Held, success: SuccessReport | undefined): void {
    this.#end(held, successFrom(success));
  }

  fail(held: Held, failure: FailureReport): void {
    this.#end(held, failureFrom(failure, this.#health));
  }

  report(held: Held, report: OutcomeReport): void {
    this.#end(held, outcomeFrom(report, this.#health, 'status'));
  }

  abandon(held: Held): void {
    this.#parts.advance();
    // It may have expired by now, or a listener has reported it.
    if (held.state !== 'held') return;
    this.#leases.end(held, 'reported');
    if (held.isStored) this.#parts.stored.take(this.idOf(held));
    this.#abandoned(held);
  }

  reveal(proxyId: string, template: TemplateValues | undefined): RevealedProxy {
    const { reveal } = this.#parts;
    if (reveal === undefined) throw withoutVault();
    return reveal(proxyId, template, this.#parts.follower.stamp);
  }

  requests(): LeaseRequests {
    const { requests } = this.#parts;
    if (requests === undefined) throw withoutVault();
    return requests;
  }

  get #health() {
    const { settings } = this.#parts.follower;
    if (settings === null) throw invalidInput('The pool is closed.');
    return settings.health;
  }

  #end(held: Held, outcome: Outcome): void {
    this.#parts.advance();
    // A listener may have reported it just now.
    if (held.state === 'reported') throw invalidInput('This lease was reported already.');
    const isLate = held.state === 'expired';
    const slot = this.#slotOf(held);
    if (isLate) held.state = 'reported';
    else this.#release(held, slot);
    // Another process may have reported it.
    const isOthers = held.isStored && this.#parts.stored.take(this.idOf(held)) === null;
    if (isOthers) {
      this.#parts.onRelease();
      return;
    }
    this.#count(outcome, isLate);
    try {
      this.#learn(slot, held.domain ?? null, held.session ?? null, held.since, outcome, isLate);
    } finally {
      if (!isLate) this.#tell(held, outcome.kind === null ? 'succeeded' : 'failed');
      this.#parts.onRelease();
    }
  }

  #count({ kind, bytes }: Outcome, isLate: boolean): void {
    this.counts[kind === null ? 'succeeded' : 'failed']++;
    this.counts.bytes += bytes;
    if (isLate) this.counts.late++;
  }

  /** A proxy that is gone learns nothing. */
  #learn(
    slot: number,
    domain: string | null,
    session: string | null,
    handedOutAt: number,
    outcome: Outcome,
    isLate: boolean,
  ): void {
    const { learning, follower } = this.#parts;
    const { index } = follower;
    if (slot === -1 || index === null) return;
    const isGateway = index.isGateway(slot);
    learning.learn({ slot, domain, session, isGateway, handedOutAt }, outcome, isLate);
  }

  /** A lease that cannot be stored is not given. */
  #store(held: Held): void {
    const { elapsed, stored } = this.#parts;
    try {
      stored.keep({
        id: this.idOf(held),
        proxyId: held.proxy.id,
        domain: held.domain ?? null,
        session: held.session ?? null,
        acquiredAt: new Date(elapsed.wall),
        expiresAt: new Date(elapsed.wallAt(held.expires)),
      });
    } catch (error) {
      this.#release(held, held.slot);
      throw error;
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
  #slotOf({ slot, proxy, state }: Held): number {
    const { index } = this.#parts.follower;
    if (index === null) return -1;
    // Nobody tells a lease that has expired of another slot.
    if (state === 'expired' && slot !== -1) return index.slotOf(proxy.id);
    return slot !== -1 && index.columns.id(slot) === proxy.id ? slot : -1;
  }

  #tell(held: Held, outcome: PoolEvents['released']['outcome']): void {
    const { announcer } = this.#parts;
    if (!announcer.isHeard('released')) return;
    announcer.tell('released', { leaseId: this.idOf(held), proxyId: held.proxy.id, outcome });
  }

  #lengthOf(leaseMs: number | undefined): number {
    if (leaseMs !== undefined) return assertWhole(leaseMs, 'leaseMs', 1, LONGEST_LEASE);
    return this.#parts.follower.settings?.limits.leaseMs ?? LONGEST_LEASE;
  }
}

function fromStored({ acquiredAt, expiresAt, ...lease }: StoredLease): Ticket & { expiresAt?: number } {
  return { ...lease, acquiredAt: Date.parse(acquiredAt), expiresAt: Date.parse(expiresAt) };
}

function withoutVault(): Error {
  return invalidInput(
    'This pool has no key, since it was made without a vault: use openVault, and its pool.',
  );
}
