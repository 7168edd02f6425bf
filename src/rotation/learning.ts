import type { Session, Steps } from '../database/drivers/driver.ts';
import { ProxyVaultError } from '../errors.ts';
import type { Cooldown, CooldownInput } from '../model/cooldown.ts';
import type { Availability } from './availability.ts';
import type { Elapsed } from './elapsed.ts';
import type { Follower } from './follow.ts';
import type { HealthChange, Use } from './health/circuit.ts';
import type { Charge } from './health/health.ts';
import type { Latencies } from './latencies.ts';
import { type Outcome, SUCCESS } from './outcome.ts';
import type { Announcer } from './pool-events.ts';
import type { HealthWrite, Store } from './store.ts';
import type { WriteBehind } from './write-behind.ts';

/** What learning reads and changes. */
interface Parts {
  session: Session<'sync'>;
  follower: Follower;
  store: Store;
  behind: WriteBehind;
  announcer: Announcer;
  elapsed: Elapsed;
  availability: () => Availability;
  latencies: Latencies;
}

/** Learns from outcomes: what they say of a proxy is known at once, and what follows from it is committed. */
export class Learning {
  readonly #parts: Parts;
  /** Changes that could not be stored. They are stored with the next ones, or with what waits. */
  #unstored: HealthWrite[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Takes note of an outcome.
   *
   * @param isLate whether its lease had expired: it then counts, and changes nothing else.
   * @throws what the database throws if a cooldown cannot be committed; it holds in memory nevertheless.
   */
  learn(use: Use, outcome: Outcome, isLate = false): void {
    const { follower, behind, elapsed } = this.#parts;
    const { index } = follower;
    if (index === null) return;
    const { changes, isCharged } = isLate ? UNCHARGED : this.#judge(use, outcome);
    this.#measure(use.slot, outcome, isCharged);
    try {
      behind.reported(index, use.slot, outcome, isCharged, elapsed.wall);
    } finally {
      // Also if the outcome cannot be stored: nobody must be given a proxy that is out.
      this.follow(changes);
    }
  }

  /** Takes note of an outcome whose counts are stored already, and stores what follows from it. */
  learnCounted(use: Use, outcome: Outcome): void {
    const { changes, isCharged } = this.#judge(use, outcome);
    this.#measure(use.slot, outcome, isCharged);
    this.follow(changes);
  }

  /** Takes note that a proxy works, before the outcome of the request is known. What follows from it is stored later. */
  confirm(use: Use): void {
    this.followLater(this.#judge(use, SUCCESS).changes);
  }

  /** As `learnCounted`, in the transaction that has counted the outcome; says whether a status has changed. */
  *learnInside(use: Use, outcome: Outcome): Steps<'sync', boolean> {
    const { changes, isCharged } = this.#judge(use, outcome);
    this.#measure(use.slot, outcome, isCharged);
    if (changes.length === 0) return false;
    this.#show(changes);
    const tell = this.#tellerOf(changes);
    this.#parts.session.driver.afterTransaction(tell);
    return yield* this.#parts.store.healthSteps(changes.flatMap((change) => this.#writeOf(change)));
  }

  /** Shows what the health has decided to everybody: to choices, to the database, to listeners. */
  follow(changes: readonly HealthChange[]): void {
    if (changes.length === 0) return;
    this.#show(changes);
    const tell = this.#tellerOf(changes);
    try {
      this.#write(changes);
    } finally {
      tell();
    }
  }

  /** As `follow`, where nobody waits for it to be stored: what cannot be stored now is stored with the next change. */
  followLater(changes: readonly HealthChange[]): void {
    try {
      this.follow(changes);
    } catch (error) {
      // Such as a full disk or a lock. What is no error of the database is a fault of ours.
      if (!(error instanceof ProxyVaultError)) throw error;
    }
  }

  /** The cooldowns of a proxy as they will be stored: the database may not have the last changes yet. */
  withUnstored(proxyId: string, stored: readonly Cooldown[]): readonly Cooldown[] {
    let cooldowns = stored;
    for (const write of this.#unstored) {
      const change = 'cooldown' in write ? write.cooldown : write.ended;
      if (change.proxyId !== proxyId) continue;
      const { scope, source } = change;
      cooldowns = cooldowns.filter((each) => each.scope !== scope || each.source !== source);
      if ('cooldown' in write) cooldowns = [...cooldowns, asStored(write.cooldown)];
    }
    return cooldowns;
  }

  /** What strategies look at. A failure that is not the proxy's says nothing about it. */
  #measure(slot: number, { kind, latencyMs }: Outcome, isCharged: boolean): void {
    const { follower, elapsed, latencies } = this.#parts;
    if (latencyMs !== undefined) latencies.add(latencyMs);
    if (kind === null || isCharged)
      follower.index?.measures.reported(slot, kind === null, latencyMs, elapsed.wall);
  }

  #judge(use: Use, outcome: Outcome): Charge {
    const { elapsed } = this.#parts;
    const { health } = this.#parts.availability();
    const { kind, status, retryAfterMs } = outcome;
    if (kind === null) {
      const changes = health.succeeded(use, elapsed.now);
      // More leases may be allowed, though nothing has changed for others.
      this.#parts.availability().refresh(use.slot);
      return changes.length === 0 ? CHARGED : { changes, isCharged: true };
    }
    // Of other processes too: the database counts them.
    const failuresBefore = this.#parts.follower.index?.measures.failures(use.slot);
    return health.failed({ ...use, failuresBefore }, { kind, status, retryAfterMs }, elapsed.now);
  }

  #show(changes: readonly HealthChange[]): void {
    this.#parts.availability().show(changes);
    for (const change of changes) this.#forgiveBy(change);
  }

  /**
   * Failures in a row do not hold what was out any more: its cooldown is over, or was taken back. Else strategies would leave it out for
   * longer than that.
   */
  #forgiveBy({ slot, scope, source, state }: HealthChange): void {
    if (scope !== '' || source !== 'engine' || state === 'cooling') return;
    const { follower, behind } = this.#parts;
    follower.index?.measures.forgive(slot);
    // The database counts on until the probe has succeeded.
    if (state === 'recovered') behind.forgive(slot);
  }

  /** In a caller's transaction a rollback would undo it: then it is stored after the end of that. */
  #write(changes: readonly HealthChange[]): void {
    this.#unstored.push(...changes.flatMap((change) => this.#writeOf(change)));
    const { driver } = this.#parts.session;
    if (driver.scope === null) this.#storeOrOwe();
    else driver.afterTransaction(() => this.#storeOrOwe());
  }

  /** @throws what the database throws; then it is tried again in the background. */
  #storeOrOwe(): void {
    try {
      this.#storeAll();
    } catch (error) {
      this.#parts.behind.owe((waitMs) => this.#storeAll(waitMs));
      throw error;
    }
  }

  #storeAll(waitMs?: number): void {
    if (this.#unstored.length === 0) return;
    const { store, follower } = this.#parts;
    if (store.health(this.#unstored, waitMs)) follower.expectChange();
    this.#unstored = [];
  }

  #writeOf({ slot, scope, state, kind, times, since, until, detail, source }: HealthChange): HealthWrite[] {
    const { follower, elapsed } = this.#parts;
    const proxyId = follower.index?.columns.id(slot) ?? '';
    const isShown = source === 'engine' && follower.settings?.failureThreshold != null;
    if (state === 'recovered') this.#parts.availability().noteStored(slot, { scope, source }, undefined);
    if (state === 'recovered') return [{ ended: { proxyId, scope, source } }];
    if (state === 'probing') return [];
    const cooldown = {
      proxyId,
      scope,
      source,
      kind,
      times,
      since: new Date(elapsed.wallAt(since)),
      until: until === null ? null : new Date(elapsed.wallAt(until)),
      detail,
    };
    this.#parts.availability().noteStored(slot, { scope, source }, cooldown.until?.toISOString() ?? null);
    return [{ cooldown, isShown }];
  }

  /** Tells listeners of changes later: by then a listener may have deleted a proxy, and another one may have its slot. */
  #tellerOf(changes: readonly HealthChange[]): () => void {
    const ids = changes.map(({ slot }) => this.#parts.follower.index?.columns.id(slot) ?? '');
    return () => {
      for (const [n, change] of changes.entries()) this.#tell(change, ids[n] as string);
    };
  }

  #tell({ scope, state, kind, times, until, detail }: HealthChange, proxyId: string): void {
    const { announcer, elapsed } = this.#parts;
    const name = state === 'cooling' ? 'cooled' : 'recovered';
    if (state === 'probing' || !announcer.isHeard(name)) return;
    const domain = scope.startsWith('domain ') ? scope.slice(7) : null;
    const session = scope.startsWith('session ') ? scope.slice(8) : null;
    if (name === 'recovered') announcer.tell(name, { proxyId, domain, session });
    else {
      const ends = until === null ? null : new Date(elapsed.wallAt(until)).toISOString();
      announcer.tell(name, { proxyId, domain, session, kind, times, until: ends, detail });
    }
  }
}

const CHARGED: Charge = { changes: [], isCharged: true };
const UNCHARGED: Charge = { changes: [], isCharged: false };

function asStored({ since, until, ...rest }: CooldownInput): Cooldown {
  return {
    ...rest,
    since: new Date(since).toISOString(),
    until: until === null ? null : new Date(until).toISOString(),
  };
}
