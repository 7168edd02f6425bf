import type { ProxyProtocol } from '../../model/proxy.ts';
import type { RotationStrategy } from '../../model/rotation.ts';
import type { RotationRule, RuleAction } from '../../model/rules.ts';

/** What a rule asks for, and which rule it is. */
export interface Ruled<T> {
  value: T;
  rule: RotationRule;
}

/** What all rules that match ask for. Of each kind of action the higher rule wins; exclusions add up. */
export interface RuleOutcome {
  /** In the order in which they are tried. */
  matched: readonly RotationRule[];
  block: RotationRule | null;
  proxy: Ruled<string> | null;
  tag: Ruled<string> | null;
  country: Ruled<string> | null;
  region: Ruled<string> | null;
  protocol: Ruled<ProxyProtocol> | null;
  strategy: Ruled<RotationStrategy> | null;
  excludeProxies: readonly Ruled<string>[];
  excludeCountries: readonly Ruled<string>[];
  excludeTags: readonly Ruled<string>[];
  /** Never both: `rotate` and `keep` contradict each other. */
  rotate: RotationRule | null;
  keep: RotationRule | null;
}

type Draft = { -readonly [K in keyof RuleOutcome]: RuleOutcome[K] } & {
  matched: RotationRule[];
  excludeProxies: Ruled<string>[];
  excludeCountries: Ruled<string>[];
  excludeTags: Ruled<string>[];
};

/** The outcome of rules that all match, given in the order in which they are tried. */
export function outcomeOf(matched: readonly RotationRule[]): RuleOutcome {
  const draft: Draft = {
    matched: [...matched],
    block: null,
    proxy: null,
    tag: null,
    country: null,
    region: null,
    protocol: null,
    strategy: null,
    excludeProxies: [],
    excludeCountries: [],
    excludeTags: [],
    rotate: null,
    keep: null,
  };
  for (const rule of matched) for (const action of rule.actions) take(action, rule, draft);
  for (const list of [draft.matched, draft.excludeProxies, draft.excludeCountries, draft.excludeTags])
    Object.freeze(list);
  return Object.freeze(draft);
}

/** What happens if no rule matches. */
export const NO_OUTCOME = outcomeOf([]);

/** Adds an action, unless an earlier one has decided the same. */
function take(action: RuleAction, rule: RotationRule, draft: Draft): void {
  switch (action.type) {
    case 'use-proxy':
      draft.proxy ??= { value: action.proxyId, rule };
      return;
    case 'use-tag':
      draft.tag ??= { value: action.tag, rule };
      return;
    case 'use-country':
      draft.country ??= { value: action.country, rule };
      return;
    case 'use-region':
      draft.region ??= { value: action.region, rule };
      return;
    case 'use-protocol':
      draft.protocol ??= { value: action.protocol, rule };
      return;
    case 'use-strategy':
      draft.strategy ??= { value: action.strategy, rule };
      return;
    case 'exclude-proxy':
      draft.excludeProxies.push({ value: action.proxyId, rule });
      return;
    case 'exclude-country':
      draft.excludeCountries.push({ value: action.country, rule });
      return;
    case 'exclude-tag':
      draft.excludeTags.push({ value: action.tag, rule });
      return;
    case 'rotate':
      if (draft.keep === null) draft.rotate ??= rule;
      return;
    case 'keep':
      if (draft.rotate === null) draft.keep ??= rule;
      return;
    case 'block':
      draft.block ??= rule;
  }
}
