/** Faults of one file: what is wrong, the text, and its replacement. */
function of(file, faults) {
  return faults.map(([what, from, to]) => ({ file: `src/rotation/${file}.ts`, what, from, to }));
}

export default {
  tests: ['test/rotation', 'database/damaged-rows'],
  faults: [
    ...of('follow', [
      ['a malformed cooldown takes its proxy out', 'skipMalformed(session, toCooldown)', 'toCooldown'],
      ['what another process has written since is not asked', ' && !this.#isDue(clock()) ?', ' ?'],
      ['a reload is not told', '    this.#watcher.reloaded(index, settings, ailing);\n', ''],
      ['a proxy that is gone is not told', '    this.#watcher.gone(slot);\n', ''],
    ]),
    ...of('background-flush', [
      [
        'the database is closed before what waits is stored',
        'this.#work.beforeClose(() => this.#work.close())',
        'this.#work.beforeClose(() => undefined)',
      ],
      ['what waits holds up the program', 'flush(SHORT_WAIT);', 'flush(1000 * SHORT_WAIT);'],
      [
        'what cannot be stored is tried as often as before',
        'Math.min(Math.max(this.#work.delay(), 2 * delay), LONGEST_DELAY)',
        'this.#work.delay()',
      ],
    ]),
    ...of('write-behind', [
      [
        'a long loop of choices stores nothing',
        'if (unsaved % MANY === 0 && this.#session.driver.scope === null) this.#background.attempt();',
        '',
      ],
      [
        'the bound of outcomes is one too high',
        'this.#outcomes.count >= lossOutcomes',
        'this.#outcomes.count > lossOutcomes',
      ],
      [
        'outcomes wait for longer than lossMs',
        'now - this.#oldest >= lossMs',
        'now - this.#oldest >= 2 * lossMs',
      ],
      ['a cooldown is not tried again', '    this.#owed?.(waitMs);\n', ''],
      ['nobody is told what is lost', '    this.#onLost({ outcomes, events, message });\n', ''],
    ]),
    ...of('learning', [
      [
        'a cooldown that is not stored is forgotten',
        "if ('cooldown' in write) cooldowns = [...cooldowns, asStored(write.cooldown)];",
        '',
      ],
    ]),
    ...of('indexed-row', [['a failure proves a proxy', ' && successRate > 0', '']]),
    ...of('in-order', [
      ['the next page begins at the same row', 'page.length - 1 - last', 'page.length - last'],
    ]),
    ...of('decide', [
      ['a slot that another proxy has is kept', '    index.columns.id(current) === turn.proxyId &&\n', ''],
      [
        'a rule that blocks comes after one that names a proxy',
        "  if (rules.block !== null) return refuse(decision, { why: 'blocked', rule: rules.block });\n  if (rules.proxy !== null) return settleByRule(decision, inputs, rules.proxy);",
        "  if (rules.proxy !== null) return settleByRule(decision, inputs, rules.proxy);\n  if (rules.block !== null) return refuse(decision, { why: 'blocked', rule: rules.block });",
      ],
      [
        'a proxy of a rule may be disabled',
        'slot !== -1 && index.columns.isReady(slot) && !',
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
        'this.#few.length + (this.#rest === null ? 1 : DRAWS)',
        '1 + (this.#rest === null ? 1 : DRAWS)',
      ],
      ['a key whose bucket is excluded gets nothing', '?? this.after(-1);', '?? -1;'],
    ]),
    ...of('index/filtered-views', [
      [
        'views are not told of a proxy that is gone before another one has its slot',
        'if (log.isNear(view.seen, end)) view.update(slot, false);',
        '',
      ],
      [
        'a view lets in what is out',
        'view.update(slot, !columns.isOut(slot) && fits(slot));',
        'view.update(slot, fits(slot));',
      ],
      [
        'a view that is made again lets in what is out',
        'return (slot) => !columns.isOut(slot) && fits(slot);',
        'return fits;',
      ],
    ]),
    ...of('pool-index', [
      [
        'views do not follow a failed proxy that returns',
        'Number(isUsable);\n    this.#changed(slot);',
        'Number(isUsable);',
      ],
    ]),
    ...of('index/change-log', [
      [
        'changes that were forgotten are followed',
        'return this.has(seen) && this.count',
        'return this.count',
      ],
    ]),
    ...of('index/left-out', [
      ['a Set that has grown is not read again', 'this.#size === ids.size || ', 'this.#size > 0 || '],
      [
        'what has gone from a Set that has grown stays out',
        'if (ids.size - this.#size !== added.length) return false;',
        '',
      ],
      ['a Set is followed only once', '    this.#rest = atEndOf(ids);\n    return true;', '    return true;'],
      ['views without a Set are not told what it has got', 'if (slot !== -1) this.log.add(slot);', ''],
      [
        'a Set does not exclude proxies that come later',
        'if (this.#added !== added) {',
        'if (this.#added > added) {',
      ],
      [
        'a Set has no room for slots that come later',
        'if (this.#capacity !== this.#slots.capacity) return false;',
        '',
      ],
    ]),
    ...of('index/views-without', [
      [
        'a view without some proxies does not follow the pool',
        'update(view, fits, log, view.seen, from.seen);',
        '',
      ],
      [
        'a view without some proxies does not follow what is left out',
        'update(view, fits, each.log, seen[place] as number, each.log.count);',
        'update(view, fits, each.log, each.log.count, seen[place] as number);',
      ],
      [
        'slots have the buckets that other proxies had',
        'if (rest.removed !== removed) view.forgetBuckets();',
        '',
      ],
      [
        'only the pool may have changed too much to be followed',
        '      log.isNear(view.seen, end) &&\n      leftOut.every((each, place) => each.log.isNear(seen[place] as number, end));',
        '      log.isNear(view.seen, end);',
      ],
    ]),
    ...of('exclusion', [
      ['a choice from an old Set stands', '(slot !== -1 && !this.has(slot))', 'slot !== -1'],
    ]),
    ...of('index/columns', [
      ['a very small weight counts as 0', 'Math.max(proxy.weight, LEAST_WEIGHT)', 'proxy.weight'],
      [
        'a change of the proxy lets it in again',
        'whole[slot * RECORD + SMALL] = proxy.port | protocol | status | flags | kept;',
        'whole[slot * RECORD + SMALL] = proxy.port | protocol | status | flags;',
      ],
      ['a free slot may be out', ' || (word & STATUS_BITS) === 0) return false;', ') return false;'],
    ]),
    ...of('index/view', [
      ['a walk ends at the last slot', 'return found === -1 ? this.#firstFrom(0) : found;', 'return found;'],
      ['weights do not follow', '      tree.set(block, this.#weightOf(block, of));\n', ''],
      ['weights follow once', '      isChanged[block] = 0;\n', ''],
      [
        'a proxy that is heavier than all before gets no more than they',
        'if (fits && (of[slot] as number) > most) weights.most = of[slot] as number;',
        '',
      ],
      [
        'one that comes back is not the one that was used least',
        'this.#least.tree.lower(slot >>> PART_BITS, this.#least.of(slot));',
        'this.#least.tree.bound;',
      ],
      [
        'a view that is made again has the weights of before',
        '    this.#weights = null;\n    this.#least = null;\n    this.#rend',
        '    this.#least = null;\n    this.#rend',
      ],
      ['weights are drawn at the heaviest whatever they are', '(place - slot) * most < ', '0 < '],
    ]),
    ...of('index/addresses', [
      ['a slot has the id that another one had', "if (slot === this.#lastSlot) this.#lastId = '';", ''],
      ['a slot keeps its id', 'if (slot === this.#lastSlot) this.#lastId = id;', ''],
      [
        'an IPv6 host begins with its bracket',
        '(lengths >>> ID_SHIFT) + (lengths & 1)',
        'lengths >>> ID_SHIFT',
      ],
      [
        'texts that are written again begin in the middle of the old ones',
        "    this.#texts = [''];\n    this.#length = 0;\n",
        "    this.#texts = [''];\n",
      ],
      ['what was not joined yet is lost', '    this.#join();\n    const texts', '    const texts'],
    ]),
    ...of('index/ids', [
      ['an id that is gone is still known', '    this.#known.delete(this.#addresses.id(slot));\n', ''],
      ['ids with the same hash are one', ' && this.#addresses.id(slot) === id', ''],
      ['a longer table forgets the rest of a list', '        slot = next;\n', '        slot = NONE;\n'],
      [
        'who was first in a list takes the others along',
        '      this.#first[list] = after;\n',
        '      this.#first[list] = NONE;\n',
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
      [
        'a choice in a transaction keeps what was rolled back',
        'if (scope.isUndone) this.#isForgotten = true;',
        '',
      ],
      [
        'a pool that could not be read is not asked again at once',
        'this.#askedAt = Number.NEGATIVE_INFINITY;',
        'this.#askedAt = now;',
      ],
      ['a write of the engine hides a change that is expected', ' && this.#ownChanges !== EXPECTED', ''],
      ['an older copy is not read', ' || revisions.proxies < this.#seen.proxies', ''],
    ]),
    ...of('write-behind', [
      [
        'hand-outs that wait are not counted by an index that is read again',
        'index.measures.carry(to, measures.unsaved(slot), measures.lastUsed(slot));',
        '',
      ],
      [
        'a hand-out is not known to wait after the pool was read as a whole',
        'slot !== -1 && this.#index?.measures.unsaved(slot) !== 0',
        'slot !== -1 && false',
      ],
      ['what waits is not stored when a pool is closed', '    try {\n      this.flush();\n', '    try {\n'],
      [
        'hand-outs are undone with a transaction of the caller',
        'if (driver.scope === null)\n      inTurn(',
        'if (waitMs === undefined)\n      inTurn(',
      ],
      [
        'more outcomes wait than may be lost',
        'this.#outcomes.count >= lossOutcomes',
        'this.#outcomes.count > lossOutcomes',
      ],
      ['outcomes wait for too long', ' || now - this.#oldest >= lossMs', ''],
      [
        'each outcome waits though each is to be committed',
        "if (outcomes === 'every') this.#storeAtOnce();\n    else ",
        '',
      ],
    ]),
    ...of('store', [
      ['a proxy that moves to itself writes an event', 'if (from?.proxyId === proxyId) return;', ''],
      [
        'the first hand-out is undone with a transaction of the caller',
        'if (isAlone) this.#behind.storeNow();\n    else this.#behind.flush();',
        'this.#behind.storeNow();',
      ],
      [
        'a failed proxy that recovers stays failed',
        "status: isFailed ? 'active' : proxy.status",
        'status: proxy.status',
      ],
      [
        'the status of a proxy that is out does not show it',
        "yield this.#proxies.update(cooldown.proxyId, { status: 'failed' });",
        '',
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
    ...of('choosing', [
      [
        'a choice that waited for the lock is not made again',
        'return isCallers || this.#parts.follower.refresh(this.#parts.elapsed.wall);',
        'return isCallers;',
      ],
      [
        'in a transaction, a session that another process has placed is placed again',
        'return isCallers || this.#parts.follower.refresh(this.#parts.elapsed.wall);',
        'return !isCallers && this.#parts.follower.refresh(this.#parts.elapsed.wall);',
      ],
      [
        'a session that a rolled-back savepoint has begun is taken for stored',
        'if (session.driver.scope !== null) follower.epoch++;',
        '',
      ],
      ['what a check writes is not looked at', '|| hasCheckWritten || isOutdated', '|| isOutdated'],
      [
        'another proxy has the place of the one that was checked',
        'isCommitted(decision) && !isOutdated)',
        'isCommitted(decision))',
      ],
      [
        'what a check writes in the transaction of the engine is not read',
        ') follower.expectChange();\n    return this.#give',
        ') void 0;\n    return this.#give',
      ],
      ['who rotates is content with what was rotated to before', 'if (rotate) follower.expectChange();', ''],
      ['the first turn of a process is the one before it waited', 'if (isNew) turns.forget();', ''],
      ['two that rotate at once rotate twice', 'if (rotate && isRotated(', 'if (!rotate && isRotated('],
      ['hand-outs of others are not counted again', 'n < RECOUNTS &&', 'n < 0 &&'],
    ]),
    ...of('health/cooling', [
      [
        'who is disabled counts as one that cools',
        'isUsable ? longer(engine, person) : null',
        'longer(engine, person)',
      ],
      ['of those that come back at once the last is used', 'item.slot < first', 'item.slot > first'],
    ]),
    ...of('heap-search', [
      ['what is due at the same time is passed over', 'thing.due > until', 'thing.due >= until'],
      ['everything is looked at', '    if (thing.due > until) continue;\n', ''],
    ]),
    ...of('out-counts', [
      [
        'what was forgotten is followed',
        'this.#count - known.seen <= REMEMBERED',
        'this.#count >= known.seen',
      ],
    ]),
    ...of('index/view', [
      [
        'what is excluded once is never the least used again',
        'for (const { block, least } of passed) tree.set(block, least);',
        '',
      ],
    ]),
    ...of('pool', [['a random number may be 1', 'number < 1)', 'number <= 1)']]),
    ...of('pool-parts', [
      [
        'what waits to be stored does not count when a proxy is read again',
        'if (!isNew) this.behind.corrected(slot);',
        '',
      ],
    ]),
    ...of('report', [
      ['a report that is rolled back is learned', ' && !scope.isUndone) learning', ') learning'],
      [
        'a success does not let back in whom it speaks of',
        'kind === null ? elapsed.now : undefined',
        'undefined',
      ],
    ]),
    ...of('outcome', [
      [
        'a latency of null is 0',
        'if (value === undefined || value === null) return undefined;',
        'if (value === undefined) return undefined;',
      ],
      [
        'a class of statuses wins over a status',
        'statuses[String(status)] ?? statuses[`${Math.floor(status / 100)}xx`]',
        'statuses[`${Math.floor(status / 100)}xx`] ?? statuses[String(status)]',
      ],
    ]),
    ...of('leases', [
      [
        'a lease expires one millisecond late',
        'if (held.expires <= now) expired',
        'if (held.expires < now) expired',
      ],
      ['a reused place has the same id', 'held.round + 1', 'held.round'],
    ]),
    ...of('leasing', [
      ['a late report changes limits', 'if (isLate) held.state', 'if (!held) held.state'],
      [
        'a lease that expires holds its proxy',
        'if (slot !== -1) this.#parts.availability().release(slot);\n    this.counts.abandoned++',
        'this.counts.abandoned++',
      ],
    ]),
    ...of('limits', [
      [
        'a proxy may have one lease more',
        'held >= this.#most(slot)) this.#outs',
        'held > this.#most(slot)) this.#outs',
      ],
      ['a rest counts on', 'this.#requests[wait.slot] = 0;', ''],
      ['a longer pause ends with a shorter one', 'if (waits?.get(wait.slot) !== wait) return;', ''],
    ]),
    ...of('waiting', [
      [
        'the last one is served first',
        'headOf(one).number - headOf(other).number',
        'headOf(other).number - headOf(one).number',
      ],
    ]),
    ...of('elapsed', [
      [
        'a clock that is set back takes time away',
        'if (wall > this.wall) this.now',
        'if (wall !== this.wall) this.now',
      ],
    ]),
    ...of('availability', [
      [
        'a cooldown that somebody has ended lasts',
        'this.health.reset(slot, { scope: known.scope, source: known.source });',
        '',
      ],
      [
        'a clock that was set back makes a cooldown longer',
        'Math.min(length, Date.parse(until as string) - wall)',
        'Date.parse(until as string) - wall',
      ],
    ]),
    ...of('exclusion', [
      [
        'beside a rule the Set of the caller is another one each time',
        'this.#many = setOf(ids);',
        'this.#many = new Set(ids);',
      ],
      [
        'however many are out for a domain, they are compared one by one',
        'if (compared.length + scope.size > FEW) return true;',
        '',
      ],
    ]),
    ...of('hand-out', [
      [
        'a rollback of the caller takes the turn back',
        'if (this.#store.isNew) this.#turns.forget();',
        'if (this.#turns) this.#turns.forget();',
      ],
    ]),
    ...of('report', [
      [
        'a report is counted in the place of a hand-out',
        'if (isUnsaved) yield this.#handOuts.begin(id);',
        '',
      ],
      [
        'a failure ends no interval',
        'rotateOnFailure && (yield* step(this.#turns.endIntervals(id)))',
        'rotateOnFailure',
      ],
    ]),
    ...of('request', [['a list is a request', ' || Array.isArray(request)', '']]),
    ...of('explain', [
      ['the first runner-up of the strategy is next in turn', "by === 'strategy' ? 2 : 1", '1'],
      [
        'a session that moves says nothing of it',
        'if (key === null || mapping === null)',
        'if (key === null || mapping !== null)',
      ],
    ]),
    ...of('turns', [
      [
        'turns are remembered without bound',
        'if (this.#turns.size === MOST && ',
        'if (this.#turns.size > MOST && ',
      ],
      [
        'a turn that moves counts as another one',
        ' && !this.#turns.has(view)) this.#turns.clear',
        ') this.#turns.clear',
      ],
    ]),
    ...of('index/views-without', [
      [
        'views without a Set are kept without bound',
        'if (this.#young.count === MOST_VIEWS) {',
        'if (this.#young.count < 0) {',
      ],
    ]),
    ...of('steps', [
      ['excluded proxies are not counted', 'exclusion.isEmpty ? left', 'exclusion.isEmpty || true ? left'],
      ['what is out counts as excluded', '    left -= excluded;\n    steps', '    steps'],
      ['a proxy counts where it is excluded last', 'first === -1 && n < questions', 'n < questions'],
    ]),
    ...of('no-proxy', [['one proxy are disabled', "isOne ? 'is' : 'are'", "'are'"]]),
    ...of('strategies/geographic', [
      [
        'every place is the wanted country',
        'if (country !== null && index.columns.country(slot) === country)',
        'if (country !== null)',
      ],
    ]),
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
    ...of('health/breaker', [
      ['a proxy that is probed may fail as often as a proven one', "state === 'probing' || ", ''],
      ['a late failure counts', '    if (handedOutAt < circuit.since) return;\n', ''],
      [
        'what was asked for is taken back too',
        'circuit.isAsked || circuit.since < from',
        'circuit.since < from',
      ],
    ]),
    ...of('health/outliers', [
      ['what chance gives is an outlier', 'Math.max(LEAST_DISTANCE, chance)', 'LEAST_DISTANCE'],
    ]),
    ...of('health/domain-watch', [
      ['a domain works again though half of it fails', 'failures * 2 < total || failures === 0', 'true'],
      [
        'what was sent while a domain failed is charged after it',
        'ended !== undefined && handedOutAt < ended',
        'ended !== undefined && handedOutAt < 0',
      ],
    ]),
    ...of('health/blame', [
      [
        'proxies that never worked show that a domain fails',
        'this.#ramp.step(slot) !== FIRST_STEP || this.#lastSuccess <= from',
        'this.#ramp.step(slot) < 99',
      ],
      [
        'a time that a target asks for counts against the proxy',
        'isOutageKind(kind) && !isAsked',
        'isOutageKind(kind)',
      ],
    ]),
    ...of('health/breaker', [
      [
        'what was sent before a proxy went out is its probe',
        "circuit.kind !== 'outlier' && handedOutAt >= circuit.since",
        "circuit.kind !== 'outlier'",
      ],
    ]),
    ...of('health/fruitless', [
      ['three domains are enough, whatever failures says', ' || failures.count < least', ''],
      ['domains that work for nobody count', 'if (isWorking(each)) working++;', 'working++;'],
    ]),
    ...of('learning', [
      [
        'strategies hold failures against a proxy whose cooldown is over',
        "source !== 'engine' || state === 'cooling') return;",
        "source !== 'engine' || state !== 'cooling') return;",
      ],
    ]),
    ...of('pending-outcomes', [
      [
        'outcomes that were added up are added up again',
        '    this.#addedUp += this.#noted;\n    this.#noted = 0;\n',
        '    this.#addedUp += this.#noted;\n',
      ],
      [
        'a day begins without what was noted of the one before',
        '  #turnTo(now: number): void {\n    this.#addUp();\n',
        '  #turnTo(now: number): void {\n',
      ],
    ]),
    ...of('store', [
      [
        'failures in a row of what is in again are stored as they were',
        '{ failureCount: 0, status: isFailed',
        '{ status: isFailed',
      ],
    ]),
  ],
};
