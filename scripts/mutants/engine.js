/** Faults of one file: what is wrong, the text, and its replacement. */
function of(file, faults) {
  return faults.map(([what, from, to]) => ({ file: `src/rotation/${file}.ts`, what, from, to }));
}

/** Faults of the whole engine, which its model must notice: none of them needs a test of its own. */
export default {
  tests: ['test/rotation/model/'],
  faults: [
    ...of('leasing', [
      [
        'a lease that expires frees nothing',
        'if (slot !== -1) this.#parts.availability().release(slot);\n    this.counts.abandoned++;',
        'this.counts.abandoned++;',
      ],
      [
        'a late report ends a lease a second time',
        "if (isLate) held.state = 'reported';\n    else this.#release(held, slot);",
        "if (isLate) {\n      held.state = 'reported';\n      if (slot !== -1) this.#parts.availability().release(slot);\n    } else this.#release(held, slot);",
      ],
      [
        'a lease that has expired keeps its place though its proxy has another one',
        "    if (state === 'expired' && slot !== -1) return index.slotOf(proxy.id);\n",
        '',
      ],
      [
        'a renewed lease lasts from its beginning',
        'now + this.#lengthOf(forMs',
        'held.since + this.#lengthOf(forMs',
      ],
    ]),
    ...of('learning', [
      ['a late report counts for the health', 'isLate ? UNCHARGED : this.#judge', 'this.#judge'],
    ]),
    ...of('store', [
      ['a cooldown is not stored', '    yield this.#cooldowns.set(cooldown);\n', ''],
      [
        'a session that moves is not stored',
        '      yield this.#sessions.move(to.name, from.proxyId, to.proxyId);\n',
        '',
      ],
    ]),
    ...of('pool-care', [
      [
        'a reset leaves what a person has put out',
        '[...health.reset(slot)]',
        "[...health.reset(slot, { source: 'engine' })]",
      ],
      [
        'a reset is not stored',
        '    this.#parts.learning.follow(changes);\n    this.#parts.session',
        '    this.#parts.session',
      ],
    ]),
    ...of('elapsed', [
      [
        'a clock that is set back lengthens everything',
        'if (wall > this.wall) this',
        'if (!Number.isNaN(this.wall)) this',
      ],
    ]),
    ...of('limits', [
      [
        'a rest does not begin the count again',
        'if (wait.for === RESTING && this.#requests !== null) this.#requests[wait.slot] = 0;',
        '',
      ],
      [
        'pauses are forgotten when the pool is read again',
        'if (slot !== -1) moved.#wait({ ...wait, slot });',
        '',
      ],
    ]),
    ...of('absences', [
      ['who cools for the domain is waited for', ' || this.#cooldownFor(slot, wanted) !== null', ''],
      [
        'a rejected login is waited for',
        'absence !== null && (absence.cooldown === null || absence.until !== null)',
        'absence !== null',
      ],
    ]),
    ...of('availability', [
      [
        'a pause begins at the end of a lease',
        '    this.#limits.release(slot);',
        '    this.#limits.release(slot);\n    this.handedOut(slot, undefined);',
      ],
      [
        'a clock that was set back while nothing ran lengthens a cooldown',
        'Math.min(length, Date.parse(until as string) - wall)',
        'Date.parse(until as string) - wall',
      ],
    ]),
    ...of('health/backoff', [
      ['Retry-After is not obeyed', 'Math.min(retryAfterMs, settings', 'Math.max(retryAfterMs, settings'],
    ]),
    ...of('health/breaker', [['a probe that fails is one of three failures', "state === 'probing' || ", '']]),
    ...of('health/cooling', [
      ['what a person has put out is overridden', 'isSooner && !item.isByPerson', 'isSooner'],
    ]),
    ...of('out-counts', [
      ['who is out for another reason counts twice', 'counts[before] = (counts[before] as number) - 1;', ''],
    ]),
    ...of('waiting', [
      [
        'who came last is served first',
        'headOf(one).number - headOf(other).number',
        'headOf(other).number - headOf(one).number',
      ],
    ]),
  ],
};
