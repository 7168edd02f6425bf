import { type ErrorDetails, ProxyVaultError } from '../errors.ts';
import type { Decision, Inputs } from './decide.ts';
import { type FilterStep, stepsOf } from './steps.ts';

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
  switch (refusal?.why) {
    case 'blocked':
      return new ProxyVaultError('NO_PROXY', message, { details: { ruleId: refusal.rule.id } });
    case 'rule': {
      const { rule, proxyId } = refusal;
      return new ProxyVaultError('NO_PROXY', message, { details: { ruleId: rule.id, proxyId } });
    }
    case 'mapping':
      return new ProxyVaultError('NO_PROXY', message, { details: { proxyId: refusal.mapping.proxyId } });
    default:
      return new ProxyVaultError('NO_PROXY', message, {
        details: { total: inputs.pool.index.size, ...countsOf(decision, inputs) },
      });
  }
}

function candidatesSentence(decision: Decision, { pool: { index } }: Inputs): string {
  if (index.size === 0) return 'The pool has no proxies: import a list, or add one.';
  const steps = stepsOf(decision, index).filter(({ excluded }) => excluded > 0);
  const counts = steps.map(leftOutText).join(', ');
  const of = index.size === 1 ? 'Of 1 proxy' : `Of ${index.size} proxies`;
  return `No proxy fits. ${of} ${counts}. Ask for less, add proxies, or enable some.`;
}

/** How many a filter left out, in words: "2 are disabled", "1 does not fit "country DE"". */
function leftOutText({ filter, excluded }: FilterStep): string {
  const isOne = excluded === 1;
  const [, state] = /^not (failed|checking|disabled|out|excluded)$/.exec(filter) ?? [];
  if (state === undefined) return `${excluded} ${isOne ? 'does' : 'do'} not fit "${filter}"`;
  return `${excluded} ${isOne ? 'is' : 'are'} ${state === 'checking' ? 'being checked' : state}`;
}

/** How many each part of the filter excluded, if any. */
function countsOf(decision: Decision, { pool: { index } }: Inputs): ErrorDetails {
  const steps = stepsOf(decision, index).filter(({ excluded }) => excluded > 0);
  return Object.fromEntries(steps.map(({ filter, excluded }) => [filter, excluded]));
}
