import type { Session } from '../database/drivers/driver.ts';
import { SessionProxiesRepository } from '../database/repositories/session-proxies.repository.ts';
import { StickySessionRepository } from '../database/repositories/sticky-session.repository.ts';

/** What keeps its proxy. */
export interface StickyKey {
  kind: 'session' | 'domain';
  name: string;
}

/** Which proxy a session or domain keeps. */
export interface Mapping {
  /** The session, or the domain or wildcard that is mapped. */
  name: string;
  proxyId: string;
  /** Milliseconds from the last use; null for no end. */
  ttlMs: number | null;
  /** Milliseconds since the epoch. */
  lastUsed: number;
}

interface Known {
  /** Null if the database has none. */
  mapping: Mapping | null;
  epoch: number;
}

/** So many sessions and domains are remembered; the database has them all. */
const MOST = 100_000;

/**
 * The mappings that this process has met. The database has the truth, which other processes change: in a new epoch, that is after
 * somebody else has written, each is read again before it is used.
 */
export class Sticky {
  readonly #sessions: SessionProxiesRepository;
  readonly #domains: StickySessionRepository;
  readonly #known = { session: new Map<string, Known>(), domain: new Map<string, Known>() };

  constructor(session: Session<'sync'>) {
    this.#sessions = new SessionProxiesRepository(session);
    this.#domains = new StickySessionRepository(session);
  }

  /** The live mapping of a key; null if it has none. */
  find(key: StickyKey, now: number, epoch: number): Mapping | null {
    const known = this.#known[key.kind].get(key.name);
    const mapping =
      known?.epoch === epoch ? known.mapping : this.#readAgain(key, now, epoch, known?.mapping ?? null);
    return mapping !== null && isLive(mapping, now) ? mapping : null;
  }

  /** As the database has it now. */
  read({ kind, name }: StickyKey): Mapping | null {
    if (kind === 'session') {
      const stored = this.#sessions.find(name);
      return (
        stored && { name, proxyId: stored.proxyId, ttlMs: stored.ttl, lastUsed: Date.parse(stored.lastUsed) }
      );
    }
    const stored = this.#domains.findByDomain(name);
    if (stored === null) return null;
    const { domain, proxyId, ttl = null, lastUsed = '' } = stored;
    return { name: domain, proxyId, ttlMs: ttl, lastUsed: Date.parse(lastUsed) };
  }

  /** Takes note of a mapping that was stored. */
  set({ kind, name }: StickyKey, mapping: Mapping | null, epoch: number): void {
    const known = this.#known[kind];
    if (known.size === MOST && !known.has(name)) known.clear();
    known.set(name, { mapping, epoch });
  }

  forget({ kind, name }: StickyKey): void {
    this.#known[kind].delete(name);
  }

  /** Uses of this process are stored later, so that what is remembered of the last use may be newer. */
  #readAgain(key: StickyKey, now: number, epoch: number, before: Mapping | null): Mapping | null {
    let mapping = this.read(key);
    if (mapping === null && before !== null && isLive(before, now) && this.#isStored(key.kind, before))
      mapping = before;
    if (mapping !== null && mapping.proxyId === before?.proxyId)
      mapping.lastUsed = Math.max(mapping.lastUsed, before.lastUsed);
    this.set(key, mapping, epoch);
    return mapping;
  }

  /** Whether the database has a mapping, though it may have expired by the last use that is stored. */
  #isStored(kind: StickyKey['kind'], { name, proxyId }: Mapping): boolean {
    return kind === 'session'
      ? this.#sessions.isMappedTo(name, proxyId)
      : this.#domains.isMappedTo(name, proxyId);
  }
}

function isLive({ ttlMs, lastUsed }: Mapping, now: number): boolean {
  return ttlMs === null || now - lastUsed < ttlMs;
}
