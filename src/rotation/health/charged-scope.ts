import { type FailureKind, PROXY_FAULTS } from '../../model/outcomes.ts';
import type { Scope, Use } from './circuit.ts';

/** Kinds that many proxies have in common when the target is down. `blocked` is an answer for one address. */
const OUTAGE_KINDS: ReadonlySet<string> = new Set<FailureKind>(['timeout', 'status', 'reset']);
const OF_PROXY: ReadonlySet<string> = new Set(PROXY_FAULTS);

export function isOutageKind(kind: string): boolean {
  return OUTAGE_KINDS.has(kind);
}

/** Whether the proxy is at fault, and not the target. */
export function isOfProxy(kind: FailureKind): boolean {
  return OF_PROXY.has(kind);
}

/**
 * What a failure is charged to; null for nobody. A gateway is one host with many exits: only its login is of all of them, and its
 * sessions break one by one.
 */
export function chargedScope(use: Use, kind: FailureKind): Scope | null {
  if (use.isGateway && kind !== 'auth') return use.session === null ? null : `session ${use.session}`;
  return isOfProxy(kind) || use.domain === null ? '' : `domain ${use.domain}`;
}

/** The part of a proxy that a success speaks for, beside the whole. */
export function provenScope({ domain, session, isGateway }: Use): Scope | null {
  if (isGateway) return session === null ? null : `session ${session}`;
  return domain === null ? null : `domain ${domain}`;
}
