import { ProxyVaultError } from '../errors.ts';
import { type Decision, fitsWhenReady, type Inputs } from './decide.ts';
import { excludedBy, type FilterStep, stepsOf } from './steps.ts';

/** The end of every such message. */
export const ADVICE = 'Do not connect without a proxy.';

/** Why no candidate was left. */
interface Lack {
  total: number;
  steps: readonly FilterStep[];
  /** ISO 8601; null if no time is known, since only a report or a person can say. */
  readyAt: string | null;
}

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
    case 'limit':
      return `The proxy ${refusal.proxyId}, which ${refusal.keeper} keeps, is ${stateOf(refusal.slot, inputs)}: wait for it with acquire(), or raise the limit.`;
    default:
      return sentenceOf(lackOf(decision, inputs));
  }
}

/** NO_PROXY, with what excluded how many in `details`. */
export function noProxyError(decision: Decision, inputs: Inputs): ProxyVaultError {
  const { refusal } = decision;
  if (refusal === null || refusal.why === 'candidates') return errorOf(lackOf(decision, inputs));
  const message = `${refusalOf(decision, inputs)} ${ADVICE}`;
  switch (refusal.why) {
    case 'blocked':
      return new ProxyVaultError('NO_PROXY', message, { details: { ruleId: refusal.rule.id } });
    case 'rule': {
      const { rule, proxyId } = refusal;
      return new ProxyVaultError('NO_PROXY', message, { details: { ruleId: rule.id, proxyId } });
    }
    case 'mapping':
      return new ProxyVaultError('NO_PROXY', message, { details: { proxyId: refusal.mapping.proxyId } });
    case 'limit': {
      const { proxyId, slot } = refusal;
      const { absences } = inputs.availability;
      const until = absences.of(slot, inputs.wanted)?.until ?? null;
      return new ProxyVaultError('NO_PROXY', message, {
        details: { proxyId, readyAt: absences.timeOf(until) },
      });
    }
  }
}

/** Whether a proxy may come that is not ready now: then it makes sense to wait. */
export function mayCome(decision: Decision, { availability, wanted, pool }: Inputs): boolean {
  const { absences } = availability;
  const { refusal } = decision;
  switch (refusal?.why) {
    case 'blocked':
      return false;
    case 'limit':
      return true;
    case 'rule':
      return absences.comesBack(pool.index.slotOf(refusal.proxyId), wanted);
    case 'mapping':
      return absences.comesBack(pool.index.slotOf(refusal.mapping.proxyId), wanted);
    default:
      for (const slot of absences.slots(wanted))
        if (fitsWhenReady(decision, slot) && absences.comesBack(slot, wanted)) return true;
      return false;
  }
}

/** What excluded how many, if any, and when the first of those that fit could be ready. */
function lackOf(decision: Decision, inputs: Inputs): Lack {
  const { wanted, pool } = inputs;
  const { absences } = inputs.availability;
  const soonest = absences.soonest((slot) => fitsWhenReady(decision, slot), wanted);
  return {
    total: pool.index.size,
    steps: stepsOf(decision, inputs).filter(({ excluded }) => excluded > 0),
    readyAt: absences.timeOf(soonest),
  };
}

function stateOf(slot: number, { availability: { absences }, wanted }: Inputs): string {
  const { state, until } = absences.of(slot, wanted) ?? { state: 'not ready', until: null };
  const time = absences.timeOf(until);
  return time === null ? state : `${state} until ${time}`;
}

function sentenceOf({ total, steps, readyAt }: Lack): string {
  if (total === 0) return 'The pool has no proxies: import a list, or add one.';
  const counts = steps.map(leftOutText).join(', ');
  const of = total === 1 ? 'Of 1 proxy' : `Of ${total} proxies`;
  const ready = readyAt === null ? '' : ` The next one may be ready at ${readyAt}.`;
  return `No proxy fits. ${of} ${counts}.${ready} Ask for less, add proxies, or enable some.`;
}

function errorOf(lack: Lack): ProxyVaultError {
  const { total, steps, readyAt } = lack;
  const counts = excludedBy(steps);
  return new ProxyVaultError('NO_PROXY', `${sentenceOf(lack)} ${ADVICE}`, {
    details: { total, ...counts, ...(readyAt !== null && { readyAt }) },
  });
}

/** How many a filter left out, in words: "2 are disabled", "1 does not fit "country DE"". */
function leftOutText({ filter, excluded }: FilterStep): string {
  const isOne = excluded === 1;
  const [, state] =
    /^not (failed|checking|disabled|cooling|resting|busy|pausing|excluded)$/.exec(filter) ?? [];
  if (state === undefined) return `${excluded} ${isOne ? 'does' : 'do'} not fit "${filter}"`;
  return `${excluded} ${isOne ? 'is' : 'are'} ${state === 'checking' ? 'being checked' : state}`;
}
