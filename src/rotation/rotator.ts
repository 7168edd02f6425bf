import { type Session, type Steps, step } from '../database/drivers/driver.ts';
import { ActiveProxyRepository } from '../database/repositories/active-proxy.repository.ts';
import { ProxyRepository } from '../database/repositories/proxy.repository.ts';
import { RotationConfigRepository } from '../database/repositories/rotation-config.repository.ts';
import { RotationEventsRepository } from '../database/repositories/rotation-events.repository.ts';
import { RotationRulesRepository } from '../database/repositories/rotation-rules.repository.ts';
import { reportInvalidRow } from '../database/repositories/skipped-rows.ts';
import { StickySessionRepository } from '../database/repositories/sticky-session.repository.ts';
import { ProxyVaultError } from '../errors.ts';
import { parseDomain } from '../model/domain.ts';
import type { ProxyConfig, ProxyProtocol } from '../model/proxy.ts';
import type { RotationConfig, RotationEvent, RotationReason, RotationStrategy } from '../model/rotation.ts';
import { assertId, assertIterable, assertOptions, invalidInput } from '../model/validation.ts';
import { listPool, type Pool } from './pool.ts';
import { compileRules } from './rules/compile.ts';
import type { RuleFacts } from './rules/facts.ts';
import { strategyNamed } from './strategies/registry.ts';

/** What a proxy is wanted for. */
export interface ProxyRequest {
  /** The host that will be asked, also as `host:port` or a URL; sticky sessions and rules look at it. Taken from `url` unless given. */
  domain?: string | undefined;
  url?: string | undefined;
  protocol?: ProxyProtocol | undefined;
  region?: string | undefined;
  /** Ids of proxies that are not to be handed out now, such as one that has just failed. Unknown ones change nothing. */
  exclude?: Iterable<string> | undefined;
}

/** How the use of a proxy went. */
export interface ProxyReport {
  success: boolean;
  latencyMs?: number | undefined;
}

/** What a request says of the proxy that is wanted. */
type Wanted = Omit<ProxyRequest, 'exclude'>;

/** What the rules and the request leave to choose from. */
interface Choice {
  exclude: ReadonlySet<string>;
  proxyId?: string | undefined;
  protocol?: ProxyProtocol | undefined;
  region?: string | undefined;
  strategy: RotationStrategy;
}

/**
 * Hands out proxies and learns from how they did. Its state is in the database: it survives the process, and
 * several processes that share the file share the turn.
 */
export class Rotator {
  readonly #session: Session<'sync'>;
  readonly #random: () => number;
  readonly #proxies: ProxyRepository;
  readonly #active: ActiveProxyRepository;
  readonly #config: RotationConfigRepository;
  readonly #events: RotationEventsRepository;
  readonly #rules: RotationRulesRepository;
  readonly #sticky: StickySessionRepository;

  constructor(
    session: Session<'sync'>,
    { random = Math.random }: { random?: (() => number) | undefined } = {},
  ) {
    this.#session = session;
    this.#random = random;
    this.#proxies = new ProxyRepository(session);
    this.#active = new ActiveProxyRepository(session);
    this.#config = new RotationConfigRepository(session);
    this.#events = new RotationEventsRepository(session);
    this.#rules = new RotationRulesRepository(session);
    this.#sticky = new StickySessionRepository(session);
  }

  /**
   * The proxy to use now: what a rule says, else what the domain sticks to, else what the configured strategy chooses among
   * the active ones. A domain that sticks to a proxy which is out or excluded then sticks to the new one.
   *
   * @throws NO_PROXY if none is eligible or a rule blocks the request: do not connect without one. UNSUPPORTED for a
   *   strategy that this version cannot choose by. INVALID_INPUT for an invalid domain, URL or id. INVALID_ROW for a
   *   malformed enabled rule, which might be the one that blocks, or a malformed configuration. Other malformed rows are
   *   left out and told to the database's `onInvalidRow`.
   * @example
   * const proxy = vault.rotator.next({ url: 'https://www.shop.example/' });
   * const another = vault.rotator.next({ url: 'https://www.shop.example/', exclude: [proxy.id] }); // after a failure
   */
  next(request: ProxyRequest = {}): ProxyConfig {
    const fields = ['domain', 'url', 'protocol', 'region', 'exclude'] as const;
    const { exclude, ...wanted } = assertOptions(request, fields, 'fields of a request');
    const excluded = idsOf(exclude);
    return this.#session.driver.transaction(() => this.#next(wanted, excluded));
  }

  /**
   * Records the outcome of a request. With `failureThreshold` set, that many failures in a row make a proxy `failed`, which
   * takes it out of rotation; a success makes it `active` again.
   *
   * @throws NOT_FOUND; INVALID_INPUT for a latency that is not a number of milliseconds.
   * @example
   * vault.rotator.report(id, { success: true, latencyMs: 230 });
   */
  report(id: string, report: ProxyReport): void {
    const { success, latencyMs } = assertOptions(report, ['success', 'latencyMs'], 'fields of a report');
    this.#session.driver.transaction(() => this.#report(id, success, latencyMs));
  }

  *#next(wanted: Wanted, excluded: ReadonlySet<string>): Steps<'sync', ProxyConfig> {
    return yield* step(this.#active.markUsed(this.#choose(wanted, excluded).id));
  }

  *#report(id: string, success: boolean, latencyMs: number | undefined): Steps<'sync', void> {
    yield this.#proxies.updateStats(id, success, latencyMs);
    const proxy = yield* step(this.#proxies.findById(id));
    const { failureThreshold } = yield* step(this.#config.get());
    if (success && proxy?.status === 'failed') yield this.#proxies.update(id, { status: 'active' });
    const isFailing = failureThreshold !== null && (proxy?.failureCount ?? 0) >= failureThreshold;
    if (success || proxy?.status !== 'active' || !isFailing) return;
    yield this.#proxies.update(id, { status: 'failed' });
    yield this.#events.append({ previousProxyId: id, newProxyId: null, reason: 'failure' });
  }

  #choose(request: Wanted, exclude: ReadonlySet<string>): ProxyConfig {
    const domain = domainOf(request);
    const config = this.#config.get();
    const last = this.#events.last();
    const choice = this.#applyRules({ ...request, domain }, { exclude, config, last });
    if (choice.proxyId !== undefined) return this.#byRule(choice.proxyId, exclude, last);

    const sticks = choice.strategy === 'sticky-session' || config.options.stickyByDefault === true;
    // Two that ask for a new domain get one proxy, since the second reads what the first has written. SQLite needs no lock.
    if (domain !== undefined && sticks) this.#session.driver.lock('sticky session');
    const mapping = domain === undefined ? null : this.#readable(() => this.#sticky.use(domain));
    const stuck = mapping && this.#readable(() => this.#proxies.findById(mapping.proxyId));
    if (stuck && isEligible(stuck, choice)) return stuck;

    const current = mapping ? null : this.#current(config, last, choice);
    if (current) return current;
    const chosen = this.#byStrategy(choice, last);
    this.#remember(chosen, last, mapping ? 'failure' : 'scheduled');
    if (mapping) this.#sticky.update(mapping.domain, { proxyId: chosen.id });
    else if (domain !== undefined && sticks)
      this.#sticky.create({ domain, proxyId: chosen.id, ttl: config.options.stickyTtlMs ?? null });
    return chosen;
  }

  #applyRules(
    request: Wanted,
    {
      exclude,
      config,
      last,
    }: { exclude: ReadonlySet<string>; config: RotationConfig; last: RotationEvent | null },
  ): Choice {
    const { protocol, region } = request;
    const choice: Choice = { exclude, protocol, region, strategy: config.strategy };
    const rules = this.#rules.findEnabled({ onInvalid: refuse });
    if (rules.length === 0) return choice;
    const outcome = compileRules(rules).match(this.#facts(request, last));
    const { block, proxy, tag, country, excludeCountries, excludeTags } = outcome;
    if (block)
      throw new ProxyVaultError('NO_PROXY', `The rule ${JSON.stringify(block.name)} blocks this request.`, {
        details: { ruleId: block.id },
      });
    const unknown = tag ?? country ?? excludeCountries[0] ?? excludeTags[0] ?? null;
    if (unknown)
      throw new ProxyVaultError(
        'UNSUPPORTED',
        `The rule ${JSON.stringify(unknown.rule.name)} chooses by a tag or a country, which is not supported yet.`,
      );
    return {
      exclude: new Set([...exclude, ...outcome.excludeProxies.map(({ value }) => value)]),
      proxyId: proxy?.value,
      protocol: protocol ?? outcome.protocol?.value,
      region: region ?? outcome.region?.value,
      strategy: outcome.strategy?.value ?? config.strategy,
    };
  }

  #facts({ domain, url, protocol, region }: Wanted, event: RotationEvent | null): RuleFacts {
    const previousId = event?.newProxyId;
    const last = previousId ? this.#readable(() => this.#proxies.findById(previousId)) : null;
    return { domain, url, protocol, region, now: this.#session.clock(), last };
  }

  #byRule(id: string, exclude: ReadonlySet<string>, last: RotationEvent | null): ProxyConfig {
    const proxy = this.#proxies.findById(id);
    if (proxy?.status !== 'active' || exclude.has(id)) {
      const state = exclude.has(id) ? 'excluded' : (proxy?.status ?? 'gone');
      throw new ProxyVaultError(
        'NO_PROXY',
        `A rule asks for the proxy ${id}, which is ${state}: change the rule or the proxy. Do not connect without.`,
      );
    }
    this.#remember(proxy, last, 'scheduled');
    return proxy;
  }

  /** With an interval, the proxy of the last rotation, until it is over. */
  #current({ intervalMs }: RotationConfig, last: RotationEvent | null, choice: Choice): ProxyConfig | null {
    const id = last?.newProxyId;
    if (intervalMs === null || !id) return null;
    if (this.#session.clock() - Date.parse(last.timestamp) >= intervalMs) return null;
    const proxy = this.#readable(() => this.#proxies.findById(id));
    return proxy && isEligible(proxy, choice) ? proxy : null;
  }

  /** What `read` gives. A malformed row is reported and left out (null), since one must not stop rotation. */
  #readable<T>(read: () => T | null): T | null {
    try {
      return read();
    } catch (error) {
      reportInvalidRow(this.#session, error);
      return null;
    }
  }

  #byStrategy(choice: Choice, last: RotationEvent | null): ProxyConfig {
    const previousId = last?.newProxyId ?? last?.previousProxyId ?? '';
    const chosen = strategyNamed(choice.strategy)(this.#poolOf(choice), { previousId, random: this.#random });
    if (chosen) return chosen;
    const wanted = [choice.protocol, choice.region].filter((part) => part !== undefined).join(' in ');
    throw new ProxyVaultError(
      'NO_PROXY',
      `There is no active ${wanted === '' ? '' : `${wanted} `}proxy${choice.exclude.size > 0 ? ' that is not excluded' : ''}: add one, or set the status of one to active. Do not connect without.`,
    );
  }

  #poolOf(choice: Choice): Pool {
    const { protocol, region, exclude } = choice;
    const listed = (some: readonly ProxyConfig[]): Pool =>
      listPool(some.filter((proxy) => isEligible(proxy, choice)));
    if (region !== undefined) return listed(this.#proxies.findByRegion(region));
    if (protocol !== undefined) return listed(this.#proxies.findByProtocol(protocol));
    return exclude.size === 0 ? this.#active : new ActiveProxyRepository(this.#session, { exclude });
  }

  #remember(proxy: ProxyConfig, last: RotationEvent | null, reason: RotationReason): void {
    if (last?.newProxyId === proxy.id) return;
    this.#events.append({
      previousProxyId: last?.newProxyId ?? last?.previousProxyId ?? null,
      newProxyId: proxy.id,
      reason: last === null ? 'startup' : reason,
    });
  }
}

function isEligible(proxy: ProxyConfig, { protocol, region, exclude }: Choice): boolean {
  const fits =
    (protocol === undefined || proxy.protocol === protocol) &&
    (region === undefined || proxy.region === region);
  return proxy.status === 'active' && fits && !exclude.has(proxy.id);
}

function idsOf(exclude: Iterable<string> = []): ReadonlySet<string> {
  return new Set([...assertIterable(exclude, 'excluded ids')].map((id) => assertId(id, 'an excluded id')));
}

/** A malformed rule might be the one that blocks: better no proxy than the wrong one. */
function refuse(error: ProxyVaultError): never {
  throw error;
}

/** The one domain that is asked for, normalised. */
function domainOf({ domain, url }: Wanted): string | undefined {
  const text = domain ?? hostOf(url);
  return text === undefined ? undefined : parseDomain(text, { wildcards: false }).pattern;
}

function hostOf(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  const parsed = URL.canParse(url) ? new URL(url).hostname : '';
  if (parsed !== '') return parsed;
  throw invalidInput('url must be an absolute URL with a host.');
}
