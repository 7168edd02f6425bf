const ROTATOR = 'src/rotation/rotator.ts';
const POOL = 'src/rotation/pool.ts';

/** Faults of one file: what is wrong, the text, and its replacement. */
function of(file, faults) {
  return faults.map(([what, from, to]) => ({ file, what, from, to }));
}

export default {
  tests: [
    'rotation/precedence',
    'repositories/answers',
    'test/rotation',
    'repositories/async-rules',
    'database/damaged-rows',
  ],
  faults: [
    ...of(ROTATOR, [
      [
        'unknown fields of a request are ignored',
        "assertOptions(request, fields, 'fields of a request')",
        'request',
      ],
      [
        'a proxy that is handed out is not marked',
        'this.#active.markUsed(this.#choose(wanted, excluded).id)',
        'this.#choose(wanted, excluded)',
      ],
      [
        'a report is not part of the statistics',
        'this.#proxies.updateStats(id, success, latencyMs);',
        'this.#proxies.updateStats(id, success);',
      ],
      [
        'a success leaves a proxy failed',
        "if (success && proxy?.status === 'failed')",
        "if (!success && proxy?.status === 'failed')",
      ],
      [
        'a success makes a disabled proxy active',
        "if (success && proxy?.status === 'failed')",
        'if (success)',
      ],
      [
        'a proxy fails one failure late',
        '(proxy?.failureCount ?? 0) >= failureThreshold',
        '(proxy?.failureCount ?? 0) > failureThreshold',
      ],
      [
        'a failure makes a disabled proxy failed',
        "if (success || proxy?.status !== 'active' || !isFailing) return;",
        'if (success || !isFailing) return;',
      ],
      [
        'a failure is no event',
        "    yield this.#events.append({ previousProxyId: id, newProxyId: null, reason: 'failure' });\n",
        '',
      ],
      [
        'the event of a failure has another reason',
        "newProxyId: null, reason: 'failure' }",
        "newProxyId: null, reason: 'manual' }",
      ],
      [
        'a rule does not go before the mapping of a domain',
        'if (choice.proxyId !== undefined) return',
        'if (choice.proxyId !== undefined && domain === undefined) return',
      ],
      [
        'a mapping to a proxy of another region holds',
        'if (stuck && isEligible(stuck, choice)) return stuck;',
        "if (stuck?.status === 'active' && !exclude.has(stuck.id)) return stuck;",
      ],
      [
        'the use of a mapping is not counted',
        'this.#sticky.use(domain)',
        'this.#sticky.findByDomain(domain)',
      ],
      [
        'an interval goes before a mapping that is out',
        'const current = mapping ? null : this.#current',
        'const current = this.#current',
      ],
      ['a mapping that is out is a scheduled change', "mapping ? 'failure' : 'scheduled'", "'scheduled'"],
      [
        'the region of a request is ignored',
        'const choice: Choice = { exclude, protocol, region, strategy',
        'const choice: Choice = { exclude, protocol, strategy',
      ],
      ['a blocked request names no rule', 'details: { ruleId: block.id },', ''],
      [
        'a rule goes before the region of the request',
        'region: region ?? outcome.region?.value',
        'region: outcome.region?.value ?? region',
      ],
      ['rules look at the time of the system', 'now: this.#session.clock()', 'now: Date.now()'],
      ['a malformed rule is passed over', 'findEnabled({ onInvalid: refuse })', 'findEnabled()'],
      [
        'rules do not know the domain of a URL',
        'this.#applyRules({ ...request, domain }, {',
        'this.#applyRules(request, {',
      ],
      [
        'a proxy of a rule may be disabled',
        "proxy?.status !== 'active' || exclude.has(id)",
        'proxy === null || exclude.has(id)',
      ],
      [
        'a proxy of a rule may be excluded',
        "proxy?.status !== 'active' || exclude.has(id)",
        "proxy?.status !== 'active'",
      ],
      [
        'a proxy of a rule is no event',
        "    this.#remember(proxy, last, 'scheduled');\n    return proxy;",
        '    return proxy;',
      ],
      [
        'an interval ends one millisecond late',
        'Date.parse(last.timestamp) >= intervalMs',
        'Date.parse(last.timestamp) > intervalMs',
      ],
      [
        'an interval ignores the region',
        'return proxy && isEligible(proxy, choice) ? proxy : null;',
        "return proxy?.status === 'active' && !choice.exclude.has(id) ? proxy : null;",
      ],
      [
        'an interval is of the system\u2019s clock',
        'this.#session.clock() - Date.parse(last.timestamp)',
        'Date.now() - Date.parse(last.timestamp)',
      ],
      [
        'a domain gets its first proxy without the lock',
        "if (domain !== undefined && sticks) this.#session.driver.lock('sticky session');",
        '',
      ],
      ['a malformed row is not reported', '      reportInvalidRow(this.#session, error);\n', ''],
      [
        'the turn begins at the start after a failure',
        "const previousId = last?.newProxyId ?? last?.previousProxyId ?? '';",
        "const previousId = last?.newProxyId ?? '';",
      ],
      [
        'the error does not say what was wanted',
        'const wanted = [choice.protocol, choice.region]',
        'const wanted = [choice.protocol]',
      ],
      [
        'the region goes alone',
        'listPool(some.filter((proxy) => isEligible(proxy, choice)))',
        'listPool(some.filter((proxy) => !choice.exclude.has(proxy.id)))',
      ],
      [
        'the protocol is ignored',
        'if (protocol !== undefined) return listed(this.#proxies.findByProtocol(protocol));',
        '',
      ],
      [
        'excluded proxies are handed out',
        'return exclude.size === 0 ? this.#active : new ActiveProxyRepository(this.#session, { exclude });',
        'return this.#active;',
      ],
      ['the same proxy again is an event', 'if (last?.newProxyId === proxy.id) return;', ''],
      ['the first event is a scheduled one', "reason: last === null ? 'startup' : reason", 'reason'],
      [
        'an event after a failure has no previous proxy',
        'previousProxyId: last?.newProxyId ?? last?.previousProxyId ?? null',
        'previousProxyId: last?.newProxyId ?? null',
      ],
      [
        'a domain stays with a proxy that is out',
        'if (mapping) this.#sticky.update(mapping.domain, { proxyId: chosen.id });',
        'if (mapping) void mapping;',
      ],
      [
        'domains do not stick by default',
        "strategy === 'sticky-session' || config.options.stickyByDefault",
        "strategy === 'sticky-session'",
      ],
      [
        'the strategy of a rule does not make domains stick',
        "choice.strategy === 'sticky-session' ||",
        "config.strategy === 'sticky-session' ||",
      ],
      ['mappings have no end', 'ttl: config.options.stickyTtlMs ?? null', 'ttl: null'],
      [
        'the region of a request is a wish',
        '(region === undefined || proxy.region === region)',
        '(region === undefined || proxy.region === region || proxy.region === null)',
      ],
      ['an excluded id may be anything', "assertId(id, 'an excluded id')", 'id'],
      [
        'the URL goes before the domain',
        'const text = domain ?? hostOf(url);',
        'const text = hostOf(url) ?? domain;',
      ],
      ['a wildcard may be asked for', 'parseDomain(text, { wildcards: false })', 'parseDomain(text)'],
      [
        'an invalid URL has no domain',
        "  throw invalidInput('url must be an absolute URL with a host.');",
        '  return undefined;',
      ],
    ]),
    ...of(POOL, [
      [
        'proxies that are not active are in the pool',
        "proxies.filter(({ status }) => status === 'active')",
        'proxies',
      ],
      ['the turn of a region stays', 'proxy.id > id', 'proxy.id >= id'],
      [
        'the turn of a region ends',
        'active.find((proxy) => proxy.id > id) ?? active[0] ?? null',
        'active.find((proxy) => proxy.id > id) ?? null',
      ],
      [
        'the last of a region is never drawn',
        'Math.floor(random() * active.length)',
        'Math.floor(random() * (active.length - 1))',
      ],
      [
        'of equally used ones of a region the first counts',
        "        ({ lastUsedAt }) => lastUsedAt ?? '',\n",
        '',
      ],
      [
        'of equally used ones of a region one that was never used is last',
        "lastUsedAt ?? ''",
        "lastUsedAt ?? '9999'",
      ],
      ['unknown latency is the lowest of a region', 'latency ?? Number.POSITIVE_INFINITY', 'latency ?? 0'],
      [
        'the slowest of a region is taken',
        'if (left !== right) return left < right;',
        'if (left !== right) return left > right;',
      ],
      ['of equal ones the last counts', '  return false;\n', '  return true;\n'],
    ]),
    ...of('src/rotation/strategies/registry.ts', [
      ['least-used is fastest', "'least-used': leastUsed", "'least-used': fastest"],
      [
        'sticky-session draws new proxies by chance',
        "'sticky-session': roundRobin",
        "'sticky-session': random",
      ],
      [
        'a strategy that cannot choose takes turns',
        'const strategy = STRATEGIES[name];',
        'const strategy = STRATEGIES[name] ?? roundRobin;',
      ],
    ]),
    ...of('src/rotation/strategies/round-robin.ts', [
      [
        'the turn begins again each time',
        'pool.after(previousId)',
        "pool.after(previousId === '' ? previousId : '')",
      ],
    ]),
    ...of('src/rotation/strategies/random.ts', [
      [
        'the given chance is not used',
        'pool.sample(draw)',
        'pool.sample(() => Math.min(draw(), Math.random()))',
      ],
    ]),
  ],
};
