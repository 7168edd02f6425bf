import type { RuleAction } from '../../../model/rules.ts';
import type { Vault } from '../../../vault.ts';

/**
 * The same actions, with the ids of the proxies that they name in any form.
 *
 * @throws NOT_FOUND; CONFLICT if several proxies match.
 */
export function withProxyIds(proxies: Vault['proxies'], actions: readonly RuleAction[]): RuleAction[] {
  // The repository rejects what has another form.
  return actions.map((action) =>
    Object(action).type?.endsWith?.('-proxy') && typeof Object(action).proxyId === 'string'
      ? { ...action, proxyId: proxies.resolve(Object(action).proxyId).id }
      : action,
  ) as RuleAction[];
}
