import { EventEmitter } from 'node:events';
import type { CooldownKind } from '../model/outcomes.ts';
import type { RotationReason } from '../model/rotation.ts';
import { assertFunction, invalidInput } from '../model/validation.ts';

/** What a pool tells its listeners. Times are ISO 8601 UTC. */
export interface PoolEvents {
  /** A lease was given. */
  acquired: { leaseId: string; proxyId: string; domain: string | null; session: string | null };
  /** A lease has ended: by a report, or because nobody reported in time. */
  released: { leaseId: string; proxyId: string; outcome: 'succeeded' | 'failed' | 'abandoned' };
  /** A session, domain or interval has another proxy. */
  rotated: { from: string | null; to: string; reason: RotationReason };
  /** A proxy is out, for everything or for one domain or session. `until` is null if a person or a new login must end it. */
  cooled: {
    proxyId: string;
    domain: string | null;
    session: string | null;
    kind: CooldownKind;
    until: string | null;
    times: number;
    detail: string | null;
  };
  /** A proxy that was out works again. */
  recovered: { proxyId: string; domain: string | null; session: string | null };
  /** No proxy was ready for a request. `readyAt` says when the next one could be, if that is known. */
  exhausted: { message: string; readyAt: string | null };
  /** A domain fails with many proxies, so no proxy is blamed; or it works again. */
  'domain-failing': { domain: string; isFailing: boolean; proxies: number; failures: number };
  /** So many outcomes, and events of hand-outs (`events: 'all'`), could not be stored, and are gone. */
  lost: { outcomes: number; events: number; message: string };
}

export type PoolEventName = keyof PoolEvents;
export type PoolListener<Name extends PoolEventName> = (event: PoolEvents[Name]) => unknown;

const NAMES: ReadonlySet<string> = new Set<PoolEventName>([
  'acquired',
  'released',
  'rotated',
  'cooled',
  'recovered',
  'exhausted',
  'domain-failing',
  'lost',
]);

/** Tells listeners what happens. One that throws is a warning of the process, and harms nothing else. */
export class Announcer {
  readonly #emitter = new EventEmitter();
  /** Whether somebody has ever listened: to ask the emitter takes longer. */
  #isUsed = false;

  on<Name extends PoolEventName>(name: Name, listener: PoolListener<Name>): void {
    assertFunction(listener, 'listener');
    this.#emitter.on(known(name), listener);
    this.#isUsed = true;
  }

  once<Name extends PoolEventName>(name: Name, listener: PoolListener<Name>): void {
    assertFunction(listener, 'listener');
    this.#emitter.once(known(name), listener);
    this.#isUsed = true;
  }

  off<Name extends PoolEventName>(name: Name, listener: PoolListener<Name>): void {
    assertFunction(listener, 'listener');
    this.#emitter.off(known(name), listener);
  }

  /** Whether somebody listens: an event that nobody hears need not be made. */
  isHeard(name: PoolEventName): boolean {
    return this.#isUsed && this.#emitter.listenerCount(name) > 0;
  }

  tell<Name extends PoolEventName>(name: Name, event: PoolEvents[Name]): void {
    // Those of `once` take themselves away when they are called.
    for (const listener of this.#emitter.rawListeners(name)) {
      try {
        // One that is asynchronous may fail later.
        Promise.resolve(listener(event)).catch((error: unknown) => warnOf(name, error));
      } catch (error) {
        warnOf(name, error);
      }
    }
  }
}

function known<Name extends PoolEventName>(name: Name): Name {
  if (NAMES.has(name)) return name;
  throw invalidInput(`There is no event ${JSON.stringify(name)}; there are ${[...NAMES].join(', ')}.`);
}

/** The message is a listener's own, and may hold anything; its kind says enough to find it. */
function warnOf(name: string, error: unknown): void {
  const what = error instanceof Error ? error.name : typeof error;
  process.emitWarning(`A listener of the pool's event "${name}" has thrown: ${what}.`, 'ProxyVaultWarning');
}
