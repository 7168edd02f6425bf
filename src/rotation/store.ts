import { type Session, type Steps, step } from '../database/drivers/driver.ts';
import { ProxyRepository } from '../database/repositories/proxy.repository.ts';
import { RotationEventsRepository } from '../database/repositories/rotation-events.repository.ts';
import { RotationTurnsRepository } from '../database/repositories/rotation-turns.repository.ts';
import { SessionProxiesRepository } from '../database/repositories/session-proxies.repository.ts';
import { StickySessionRepository } from '../database/repositories/sticky-session.repository.ts';
import { ProxyVaultError } from '../errors.ts';
import type { RotationReason } from '../model/rotation.ts';
import type { Mapping, StickyKey } from './sticky.ts';
import type { Turn } from './turns.ts';

/** What waits is stored after this time, in milliseconds. */
const DELAY = 200;
/** So many proxies are stored at once, in a few milliseconds; the rest waits for the next time. */
const AT_ONCE = 1000;

/** How often a proxy was handed out since that was last stored. */
interface HandOuts {
  count: number;
  /** Milliseconds since the epoch. */
  lastUsed: number;
}

/** Uses of a mapping since they were last stored. */
interface Uses extends HandOuts {
  kind: StickyKey['kind'];
  name: string;
}

/**
 * The only writer of the engine. What a caller relies on is committed before the call returns: mappings, and turns with an
 * interval. How often proxies and mappings were used, and where round-robin is, waits up to 200 ms and is stored together.
 */
export class Store {
  readonly sessions: SessionProxiesRepository;
  readonly domains: StickySessionRepository;
  readonly turns: RotationTurnsRepository;
  readonly #session: Session<'sync'>;
  readonly #events: RotationEventsRepository;
  readonly #proxies: ProxyRepository;
  /** Runs a write of the engine. */
  readonly #unnoticed: <T>(write: () => T) => T;
  readonly #handOuts = new Map<string, HandOuts>();
  readonly #uses = new Map<string, Uses>();
  readonly #positions = new Map<string, Turn>();
  #timer: NodeJS.Timeout | null = null;
  #hasStored = false;

  constructor(session: Session<'sync'>, unnoticed: <T>(write: () => T) => T) {
    this.#session = session;
    this.#unnoticed = unnoticed;
    this.sessions = new SessionProxiesRepository(session);
    this.domains = new StickySessionRepository(session);
    this.turns = new RotationTurnsRepository(session);
    this.#events = new RotationEventsRepository(session);
    this.#proxies = new ProxyRepository(session);
  }
}
