import { type ErrorDetails, ProxyVaultError } from '../errors.ts';
import type { Decision, Inputs } from './decide.ts';
import { stepsOf } from './steps.ts';

/** The end of every such message. */
const ADVICE = 'Do not connect without a proxy.';

/** Why no proxy was chosen, in a sentence. */
export function refusalOf(decision: Decision, inputs: Inputs): string {
  const { refusal, key } = decision;
  switch (refusal?.why) {
    case 'blocked':
      return `The rule ${JSON.stringify(refusal.rule.name)} blocks this request.`;
    case 'rule':
      return `The rule ${JSON.stringify(refusal.rule.name)} asks for the proxy ${refusal.proxyId}, which is ${refusal.state}: change the rule or the proxy.`;
    case 'mapping':
      return `The ${key?.kind} keeps the proxy ${refusal.mapping.proxyId}, which is ${refusal.state}, and stickyWhenOut is refuse: wait for it, call rotate(), or set stickyWhenOut to move.`;
    default:
      return candidatesSentence(decision, inputs);
  }
}

/** NO_PROXY, with what excluded how many in `details`. */
export function noProxyError(decision: Decision, inputs: Inputs): ProxyVaultError {
  const { refusal } = decision;
  const message = `${refusalOf(decision, inputs)} ${ADVICE}`;
  if (refusal?.why === 'candidates')
    return new ProxyVaultError('NO_PROXY', message, { details: countsOf(decision, inputs) });
  const rule = refusal !== null && 'rule' in refusal ? { ruleId: refusal.rule.id } : {};
  const proxyId =
    refusal?.why === 'rule'
      ? { proxyId: refusal.proxyId }
      : refusal?.why === 'mapping'
        ? { proxyId: refusal.mapping.proxyId }
        : {};
  return new ProxyVaultError('NO_PROXY', message, { details: { ...rule, ...proxyId } });
}

function candidatesSentence(decision: Decision, { pool: { index } }: Inputs): string {
  if (index.size === 0) return 'The pool has no proxies: import a list, or add one.';
  const steps = stepsOf(decision, index).filter(({ excluded }) => excluded > 0);
  const counts = steps.map(({ filter, excluded }) => `${excluded} by "${filter}"`).join(', ');
  return `No proxy fits. Of ${index.size} proxies the filters left out ${counts}. Ask for less, add proxies, or enable some.`;
}

/** `total`, and for each part of the filter that excluded any, how many. */
function countsOf(decision: Decision, { pool: { index } }: Inputs): ErrorDetails {
  const steps = stepsOf(decision, index).filter(({ excluded }) => excluded > 0);
  return {
    total: index.size,
    ...Object.fromEntries(steps.map(({ filter, excluded }) => [filter, excluded])),
  };
}
