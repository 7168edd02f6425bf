import { ProxyCooldownsRepository } from '../database/repositories/proxy-cooldowns.repository.ts';
import type { Cooldown, CooldownScope } from '../model/cooldown.ts';
import type { Vault } from '../vault.ts';

/** Until when, and why, a proxy or a part of its traffic is out. */
export interface CooldownView extends Omit<Cooldown, 'proxyId' | 'scope'> {
  /** Only requests to this domain; null for all of them. */
  domain: string | null;
  /** Only requests of this session; null for all of them. */
  session: string | null;
  /** `probing`: its time is over, and one request may try. */
  state: 'cooling' | 'probing';
}

/** Gives the cooldowns of one proxy of a pool, that of the whole proxy first. */
export function cooldownViewer({ database }: Vault): (proxyId: string) => CooldownView[] {
  const cooldowns = new ProxyCooldownsRepository(database);
  const now = database.clock();
  return (proxyId) => cooldowns.find(proxyId).map((cooldown) => cooldownView(cooldown, now));
}

function cooldownView({ proxyId: _, scope, ...cooldown }: Cooldown, now: number): CooldownView {
  const { until } = cooldown;
  const state = until !== null && Date.parse(until) <= now ? 'probing' : 'cooling';
  return { state, ...partOf(scope), ...cooldown };
}

/** The domain or session that a scope is about. */
function partOf(scope: CooldownScope): Pick<CooldownView, 'domain' | 'session'> {
  const name = scope.slice(scope.indexOf(' ') + 1);
  return {
    domain: scope.startsWith('domain ') ? name : null,
    session: scope.startsWith('session ') ? name : null,
  };
}
