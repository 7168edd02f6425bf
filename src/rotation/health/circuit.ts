import type { CooldownKind, CooldownSource, FailureKind } from '../../model/outcomes.ts';

/** The whole proxy, or its traffic to one domain or of one session. */
export type Scope = '' | `domain ${string}` | `session ${string}`;

/** How a request failed. */
export interface Failure {
  kind: FailureKind;
  status?: number | undefined;
  retryAfterMs?: number | undefined;
}

/** Which request an outcome is of. */
export interface Use {
  slot: number;
  domain: string | null;
  session: string | null;
  isGateway: boolean;
  /** When the proxy was handed out for it. Without it, only what comes during a cooldown is known to be late. */
  handedOutAt?: number | undefined;
  /** How many failures in a row others have counted: they count here too. */
  failuresBefore?: number | undefined;
}

/**
 * Something that must be stored, told, or both. `cooling`: out until `until`. `probing`: that time is over, and one request may try.
 * `recovered`: it works again, or the cooldown has ended otherwise.
 */
export interface HealthChange {
  slot: number;
  scope: Scope;
  state: 'cooling' | 'probing' | 'recovered';
  kind: CooldownKind;
  /** How many times in a row it has gone out. */
  times: number;
  since: number;
  /** Null: until a person or a new login ends it. */
  until: number | null;
  detail: string | null;
  source: CooldownSource;
}

/** A cooldown as it is stored. */
export type StoredCooldown = Omit<HealthChange, 'slot' | 'state'>;

/** A circuit breaker: what is known of a scope of a proxy that has failed, or has been put out by a person. */
export interface Circuit extends StoredCooldown {
  slot: number;
  state: 'closed' | 'cooling' | 'probing';
  /** Failures in a row since it was last out. */
  row: number;
  /** How long it was out last. */
  lastOut: number;
  /** When it last failed or came back. */
  wellSince: number;
  /** The domain of the last failure that was charged to it. */
  cause: string | null;
  /** Whether the target or the proxy has said how long to wait. */
  isAsked: boolean;
  /** The ramp that the proxy had before it went out. */
  rampBefore: number;
  /** Whether it went out by a probe that failed. */
  wasProbing: boolean;
  /** When its time out is over, or its past is forgotten; and its place in the queue, -1 if it waits for nothing. */
  due: number;
  place: number;
}

/** A circuit that has not failed yet. */
export function newCircuit(slot: number, scope: Scope, source: CooldownSource): Circuit {
  return {
    slot,
    scope,
    source,
    state: 'closed',
    kind: 'manual',
    times: 0,
    since: Number.NEGATIVE_INFINITY,
    until: null,
    detail: null,
    row: 0,
    lastOut: 0,
    wellSince: 0,
    cause: null,
    isAsked: false,
    rampBefore: 0,
    wasProbing: false,
    due: Number.POSITIVE_INFINITY,
    place: -1,
  };
}

/** What there is to tell of a circuit now. */
export function changeOf(circuit: Circuit): HealthChange {
  const { slot, scope, state, kind, times, since, until, detail, source } = circuit;
  return {
    slot,
    scope,
    state: state === 'closed' ? 'recovered' : state,
    kind,
    times,
    since,
    until,
    detail,
    source,
  };
}
