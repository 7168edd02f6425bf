import type { Session } from '../database/drivers/driver.ts';
import type { StrategySettings } from '../model/strategy-settings.ts';
import { Acquiring } from './acquiring.ts';
import { Availability } from './availability.ts';
import { Choosing } from './choosing.ts';
import type { PoolState } from './decide.ts';
import { Elapsed } from './elapsed.ts';
import { Follower } from './follow.ts';
import { HandOuts } from './hand-out.ts';
import type { DomainChange } from './health/domain-watch.ts';
import { Housekeeping } from './housekeeping.ts';
import { Latencies } from './latencies.ts';
import { Learning } from './learning.ts';
import type { LeaseRequests } from './lease-requests.ts';
import { Leasing, type Reveal } from './leasing.ts';
import { PoolCare } from './pool-care.ts';
import { Announcer } from './pool-events.ts';
import type { IndexedProxy, PoolIndex } from './pool-index.ts';
import { Reports } from './report.ts';
import { Sticky } from './sticky.ts';
import { Store } from './store.ts';
import { StoredLeases } from './stored-leases.ts';
import { Turns } from './turns.ts';
import { WriteBehind } from './write-behind.ts';

/** What a pool is made with. */
export interface PoolOptions {
  /** Gives numbers from 0, inclusive, to 1, exclusive; for tests. Default `Math.random`. */
  random?: (() => number) | undefined;
  /** How a lease gets its login. A vault gives its own; without it `lease.reveal()` throws INVALID_INPUT. */
  reveal?: Reveal | undefined;
  /** How a lease makes requests. A vault gives its own; without it `lease.fetch()` and `lease.dispatcher()` throw INVALID_INPUT. */
  requests?: LeaseRequests | undefined;
}

/** Makes the parts of a pool, and tells each what happens to the others. */
export class PoolParts {
  readonly elapsed = new Elapsed();
  readonly announcer = new Announcer();
  readonly latencies = new Latencies();
  readonly follower: Follower;
  readonly behind: WriteBehind;
  readonly choosing: Choosing;
  readonly leasing: Leasing;
  readonly acquiring: Acquiring;
  readonly care: PoolCare;
  readonly reports: Reports;
  readonly #session: Session<'sync'>;
  readonly #random: () => number;
  readonly #housekeeping: Housekeeping;
  readonly #handOuts: HandOuts;
  readonly #learning: Learning;
  #availability: Availability | null = null;
  /** Whoever waits is served when all is done that is due, so that who came first has the first choice. */
  #isAdvancing = false;

  constructor(
    session: Session<'sync'>,
    { random, reveal, requests }: PoolOptions & { random: () => number },
  ) {
    this.#session = session;
    this.#random = random;
    const { elapsed, announcer, latencies } = this;
    const sticky = new Sticky(session);
    const turns = new Turns(session);
    const follower = new Follower(session, {
      put: (slot, proxy, isNew) => {
        if (!isNew) this.behind.corrected(slot);
        const cooldowns = this.#learning.withUnstored(proxy.id, proxy.cooldowns);
        this.#availability?.put(slot, { ...proxy, cooldowns }, isNew);
      },
      gone: (slot) => this.#gone(slot),
      reloaded: (index, settings, ailing) => this.#reloaded(index, settings, ailing),
      configured: (settings) => this.#configured(settings),
    });
    const unnoticed = <T>(write: () => T): T => follower.unnoticed(write);
    this.#housekeeping = new Housekeeping(session, unnoticed);
    const behind = new WriteBehind(
      session,
      unnoticed,
      (now) => this.#housekeeping.tidy(now),
      (lost) => announcer.tell('lost', lost),
    );
    const store = new Store(session, unnoticed, behind);
    const availability = (): Availability => this.availability;
    const advance = (): void => this.advance();
    const onChange = (): void => this.afterChange();
    const handOuts = new HandOuts({
      driver: session.driver,
      follower,
      sticky,
      turns,
      store,
      behind,
      onRotated: (event) => announcer.tell('rotated', event),
    });
    const shared = { session, follower, store, behind, announcer, elapsed, availability };
    const choosing = new Choosing({ ...shared, sticky, turns, handOuts, random });
    const learning = new Learning({ ...shared, latencies });
    const leasing = new Leasing({
      ...shared,
      learning,
      stored: new StoredLeases(session, unnoticed),
      reveal,
      requests,
      advance,
      onRelease: onChange,
    });
    this.acquiring = new Acquiring({
      ...shared,
      choosing,
      leasing,
      mayOverride: () => this.availability.mayOverride(),
      advance,
      nextDue: () => this.#nextDue,
    });
    this.care = new PoolCare({ ...shared, learning });
    this.reports = new Reports({ ...shared, learning, advance, onChange });
    this.follower = follower;
    this.behind = behind;
    this.choosing = choosing;
    this.leasing = leasing;
    this.#learning = learning;
    this.#handOuts = handOuts;
  }

  /** Who is out. It is there once the pool was read. */
  get availability(): Availability {
    return this.#availability as Availability;
  }

  /** The pool as it is now, with all done that is due. */
  ready(): PoolState {
    this.advance();
    return this.follower.state(this.elapsed.wall);
  }

  /** Does what is due. */
  advance(): void {
    const now = this.elapsed.at(this.#session.clock());
    const availability = this.#availability;
    if (availability === null) return;
    if (now >= this.#nextDue) {
      const isAdvancing = this.#isAdvancing;
      this.#isAdvancing = true;
      try {
        this.leasing.expire(now);
        this.#learning.followLater(availability.advance(now));
      } finally {
        this.#isAdvancing = isAdvancing;
      }
      this.afterChange();
    }
  }

  /** When the next thing is due, by the time of `Elapsed`. */
  get #nextDue(): number {
    return Math.min(this.leasing.nextDue, this.#availability?.nextDue ?? Number.POSITIVE_INFINITY);
  }

  /** Somebody who waits may have a proxy now. */
  afterChange(): void {
    const availability = this.#availability;
    if (availability === null || this.#isAdvancing) return;
    if (availability.takeReady() || this.acquiring.waiting > 0) this.acquiring.serve();
    this.acquiring.watch();
  }

  /** What is known of a slot is not of the proxy that gets it next. */
  #gone(slot: number): void {
    if ((this.#availability?.held(slot) ?? 0) > 0) this.leasing.gone(slot);
    this.behind.gone(slot);
    this.#availability?.gone(slot);
  }

  #reloaded(index: PoolIndex, settings: StrategySettings, ailing: ReadonlyMap<number, IndexedProxy>): void {
    if (this.#availability === null) {
      this.#availability = new Availability(index, settings, this.elapsed, this.#random, {
        onDomain: (event) => this.#tellDomain(event),
        onLogin: (slot) => this.behind.forgive(slot),
      });
    } else this.#availability.moveTo(index);
    this.#handOuts.moveTo(index);
    this.#availability.reconcileAll(ailing);
    this.leasing.moveTo(index);
    this.#configured(settings);
  }

  #configured(settings: StrategySettings): void {
    this.#availability?.configure(settings);
    this.behind.configure(settings.durability);
    this.#housekeeping.configure(settings.history);
  }

  #tellDomain({ domain, state, proxies, failures }: DomainChange): void {
    this.announcer.tell('domain-failing', { domain, isFailing: state === 'failing', proxies, failures });
  }
}
