/** Faults of one file: what is wrong, the text, and its replacement. */
function of(file, faults) {
  return faults.map(([what, from, to]) => ({ file: `src/rotation/${file}.ts`, what, from, to }));
}

export default {
  tests: ['test/rotation', 'database/damaged-rows'],
  faults: [
    ...of('decide', [
      ['a slot that another proxy has is kept', 'index.slotOf(turn.proxyId) === current && ', ''],
      [
        'a rule that blocks comes after one that names a proxy',
        "  if (rules.block !== null) return refuse(decision, { why: 'blocked', rule: rules.block });\n  if (rules.proxy !== null) return settleByRule(decision, index, rules.proxy);",
        "  if (rules.proxy !== null) return settleByRule(decision, index, rules.proxy);\n  if (rules.block !== null) return refuse(decision, { why: 'blocked', rule: rules.block });",
      ],
      [
        'a proxy of a rule may be disabled',
        'slot !== -1 && index.columns.isActive(slot) && !',
        'slot !== -1 && !',
      ],
      ['a proxy of a rule may be excluded', ' && !decision.exclusion.has(slot))', ')'],
      [
        'a mapping holds though its proxy is excluded',
        'members.has(slot) && !exclusion.has(slot)',
        'members.has(slot)',
      ],
      [
        'a mapping moves though it must be refused',
        "if (settings.stickyWhenOut === 'refuse')",
        'if (settings.stickyByDefault)',
      ],
      ['rotate takes the same proxy', 'isAnother ? (mapped === -1 ? current : mapped) : -1', '-1'],
      [
        'an interval ends one millisecond late',
        'until !== null && now < until',
        'until !== null && now <= until',
      ],
      ['an interval lasts though the clock went back', ' && now >= since - CLOCK_SKEW', ''],
      [
        'an interval goes beyond its window',
        'Math.min(intervalEnd(now, settings, inputs.random), pool.schedule(now).until)',
        'intervalEnd(now, settings, inputs.random)',
      ],
      [
        'a domain comes before a session',
        "  if (session !== undefined) return { kind: 'session', name: session };\n",
        "  if (session !== undefined && domain === undefined) return { kind: 'session', name: session };\n",
      ],
      [
        'a strict country holds for new choices only',
        'country: isGeographic && !settings.strict ? undefined : country',
        'country: isGeographic ? undefined : country',
      ],
      [
        'excluded countries are used by a fallback',
        'notCountries: isGeographic ? settings.excludedCountries : undefined',
        'notCountries: undefined',
      ],
      [
        'a rule comes before the protocol of the request',
        'wanted.protocol ?? rules.protocol?.value',
        'rules.protocol?.value ?? wanted.protocol',
      ],
      [
        'the tag of a rule replaces those of the request',
        '[...(wanted.tags ?? []), rules.tag.value]',
        '[rules.tag.value]',
      ],
    ]),
    ...of('candidates', [
      [
        'the turn passes no more than one excluded proxy',
        'for (let n = 0; n <= this.#excluded.length; n++) {',
        'for (let n = 0; n <= 1; n++) {',
      ],
      ['a key whose bucket is excluded gets nothing', 'return this.after(-1);', 'return -1;'],
    ]),
    ...of('pool-index', [
      [
        'views are not told of a proxy that is gone',
        '    // Views look at its bucket.\n    this.#changed(slot);\n',
        '',
      ],
      ['a Set that has grown is not read again', ' || kept.size !== ids.size || ', ' || '],
      ['a view without some proxies does not follow the pool', ' || kept.generation !== this.generation', ''],
    ]),
    ...of('exclusion', [
      ['a choice from an old Set stands', '(slot !== -1 && !this.has(slot))', 'slot !== -1'],
    ]),
    ...of('index/columns', [
      ['a very small weight counts as 0', 'Math.max(proxy.weight, LEAST_WEIGHT)', 'proxy.weight'],
    ]),
    ...of('index/view', [
      ['a walk ends at the last slot', 'return found === -1 ? this.#firstFrom(0) : found;', 'return found;'],
      [
        'weights do not follow',
        '    if (this.#weights) this.#weights.tree.set(part, this.#weightOf(part, this.#weights.of));\n',
        '',
      ],
    ]),
    ...of('follow', [
      [
        'the pages of a load stop at ids that are not valid UTF-8',
        'last === -1 ? skip + rows.length : rows.length - 1 - last',
        '0',
      ],
      ['tags are read in the order of UTF-16', 'isSame ? one > other', 'one.length > 0 ? one > other'],
      [
        'a pool that fell behind the tombstones is not read again',
        'index === undefined || isBehind || !isSameWeights',
        'index === undefined || !isSameWeights',
      ],
      ['weights of a new configuration are not mixed in', 'isBehind || !isSameWeights', 'isBehind'],
      ['a choice in a transaction keeps what was rolled back', 'if (scope.isUndone) this.#state = null;', ''],
      [
        'a pool that could not be read is not asked again at once',
        'this.#askedAt = Number.NEGATIVE_INFINITY;',
        'this.#askedAt = now;',
      ],
      ['a write of the engine hides a change that is expected', ' && this.#ownChanges !== EXPECTED', ''],
      ['an older copy is not read', ' || revisions.proxies < this.#seen.proxies', ''],
    ]),
    ...of('store', [
      [
        'a long loop of choices stores nothing',
        'if (unsaved % MANY === 0 && this.#session.driver.scope === null) this.#tryToFlush();',
        '',
      ],
      [
        'hand-outs that wait are not counted by an index that is read again',
        'index.measures.carry(to, measures.unsaved(slot), measures.lastUsed(slot));',
        '',
      ],
      ['a proxy that moves to itself writes an event', 'if (from?.proxyId === proxyId) return;', ''],
      [
        'what waits is not stored when a pool is closed',
        '    this.#timer = null;\n    this.flush();\n',
        '    this.#timer = null;\n',
      ],
    ]),
    ...of('decide', [
      [
        'a request of another strategy ends the interval',
        'way.isTimed && mapping === null ? intervalKey : untimed',
        'untimed',
      ],
    ]),
    ...of('remembered', [['long texts fill the memory', 'if (text.length > LONGEST) return answer;', '']]),
    ...of('pool', [
      [
        'a choice that waited for the lock is not made again',
        'return isCallers || this.#follower.refresh(this.#now);',
        'return isCallers;',
      ],
      [
        'a session that a rolled-back savepoint has begun is taken for stored',
        'if (this.#session.driver.scope !== null) this.#follower.epoch++;',
        '',
      ],
      ['what a check writes is not looked at', '|| hasCheckWritten || isOutdated', '|| isOutdated'],
      ['another proxy has the place of the one that was checked', '&& !isOutdated) return', ') return'],
      [
        'what a check writes in the transaction of the engine is not read',
        ') this.#follower.expectChange();\n    return this.#handOut',
        ') void 0;\n    return this.#handOut',
      ],
      [
        'who rotates is content with what was rotated to before',
        'if (rotate) this.#follower.expectChange();',
        '',
      ],
      ['a random number may be 1', 'number < 1)', 'number <= 1)'],
      ['a latency of null is 0', 'latencyMs ?? undefined', 'latencyMs'],
      ['the first turn of a process is the one before it waited', 'if (isNew) this.#turns.forget();', ''],
      ['two that rotate at once rotate twice', 'if (rotate && isRotated(', 'if (!rotate && isRotated('],
      ['hand-outs of others are not counted again', 'n < RECOUNTS &&', 'n < 0 &&'],
      ['a closed pool hands out', '    this.#follower.forget();\n', ''],
    ]),
    ...of('report', [
      [
        'a report is counted in the place of a hand-out',
        'if (isUnsaved) yield this.#handOuts.begin(id);',
        '',
      ],
      [
        'a proxy fails one failure late',
        '(proxy?.failureCount ?? 0) >= failureThreshold',
        '(proxy?.failureCount ?? 0) > failureThreshold',
      ],
      [
        'a success leaves a proxy failed',
        "if (proxy?.status === 'failed') yield this.#proxies.update(id, { status: 'active' });",
        '',
      ],
      [
        'a failure ends no interval',
        'rotateOnFailure && (yield* step(this.#turns.endIntervals(id)))',
        'rotateOnFailure',
      ],
    ]),
    ...of('request', [['a list is a request', ' || Array.isArray(request)', '']]),
    ...of('strategies/fastest', [
      [
        'the slower of two is taken',
        'measures.cost(second, now) < measures.cost(first, now)',
        'measures.cost(second, now) > measures.cost(first, now)',
      ],
    ]),
    ...of('strategies/failure-aware', [
      ['the trust is not asked for', 'if (random() < trust) return slot;', 'return slot;'],
    ]),
    ...of('strategies/geographic', [
      ['preferred regions are passed over', '[{ country }, ...preferred]', '[{ country }]'],
    ]),
  ],
};
