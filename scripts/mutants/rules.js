const ROOM = 'src/rotation/rules';

/** Faults of one file: what is wrong, the text, and its replacement. */
function of(file, faults) {
  return faults.map(([what, from, to]) => ({ file, what, from, to }));
}

export default {
  tests: ['rotation/rules', 'cli/rules', 'invalid-input'],
  faults: [
    ...of(`${ROOM}/compile.ts`, [
      ['rules go lowest priority first', 'right.priority - left.priority', 'left.priority - right.priority'],
      [
        'of equal rules the newer goes first',
        'left.createdAt < right.createdAt ? -1',
        'left.createdAt > right.createdAt ? -1',
      ],
      ['rules that are off hold', 'all.filter(({ rule }) => rule.enabled)', 'all'],
      ['a rule that stops does not', 'if (compiled.rule.stopOnMatch) break;', ''],
      ['one condition is enough', "rule.conditionLogic === 'AND'", "rule.conditionLogic !== 'AND'"],
      ['a trace has no end', 'isStopped = entry.holds && rule.stopOnMatch;', ''],
      [
        'a rule that is off stops in a trace',
        "if (!rule.enabled) trace.push({ ...entry, reason: 'disabled' });",
        "if (!rule.enabled) { trace.push({ ...entry, reason: 'disabled' }); isStopped = true; }",
      ],
      ['the other rules that match are forgotten', 'matched.push(compiled.rule);', ''],
    ]),
    ...of(`${ROOM}/path-form.ts`, [
      [
        'an encoded letter passes by',
        'UNRESERVED.test(character) ? character',
        'character === code ? character',
      ],
      ['an encoded slash is a slash', 'const UNRESERVED = /[\\w.~-]/;', 'const UNRESERVED = /[\\w.~/-]/;'],
      ['small hexadecimal digits are others', 'code.toUpperCase()', 'code'],
      ['a space is never encoded', '/[\\0-\\x20"', '/[\\0-\\x1f"'],
    ]),
    ...of(`${ROOM}/checks.ts`, [
      ['greater-than includes the value', '(fact) => fact > first', '(fact) => fact >= first'],
      ['less-than includes the value', '(fact) => fact < first', '(fact) => fact <= first'],
      ['between does not include its end', 'fact <= second;\n', 'fact < second;\n'],
      ['a night is never', 'fact >= first || fact <= second', 'fact >= first && fact <= second'],
      ['latencies go round', "(field === 'hour' || field === 'weekday') && first > second", 'first > second'],
      ['not-in is in', '(text) => !set.has(text)', '(text) => set.has(text)'],
      ['ends-with looks for a part', 'text.endsWith(first)', 'text.includes(first)'],
      ['starts-with looks for a part', 'text.startsWith(first)', 'text.includes(first)'],
      ['not-contains is contains', '!text.includes(first)', 'text.includes(first)'],
      ['a URL is compared with its login', 'url: withoutLogin', 'url: String'],
      ['a denial is about one tag', 'isDenial ? tags.every(test)', 'isDenial ? tags.some(test)'],
      ['a request without tags is not denied', 'if (tags.length === 0) return false;', ''],
      ['tags have no case', 'caseSensitive ? facts.tags : facts.foldedTags', 'facts.foldedTags'],
      [
        'a beginning of a domain is compared as a whole',
        "['equals', 'not-equals', 'in', 'not-in']",
        "['equals', 'not-equals', 'in', 'not-in', 'starts-with']",
      ],
      [
        'an end of a domain with a dot does not hold',
        "operator === 'ends-with' ? (value) => withoutRoot(domainPart(value)) : domainPart",
        'domainPart',
      ],
    ]),
    ...of(`${ROOM}/domain-forms.ts`, [
      [
        'an xn-- name is in its stored form only',
        '/[^\\0-\\x7f]|xn--/.test(text)',
        '/[^\\0-\\x7f]/.test(text)',
      ],
      ['a dot of another script separates no labels', '/[^\\0-\\x7f]|xn--/.test(text)', '/xn--/.test(text)'],
      ['a login is a part of a domain', "value.slice(value.lastIndexOf('@') + 1)", 'value'],
    ]),
    ...of(`${ROOM}/facts.ts`, [
      ['a URL has its login', 'withoutLogin(this.#given.url)', 'this.#given.url'],
      ['a path has the query', 'URL.parse(url)?.pathname', 'URL.parse(url)?.href'],
      ['a path that is given does not count', 'isAbsent(path) && !isAbsent(url) ?', '!isAbsent(url) ?'],
    ]),
    ...of(`${ROOM}/outcome.ts`, [
      ['the last strategy counts', 'draft.strategy ??=', 'draft.strategy ='],
      ['the last country counts', 'draft.country ??=', 'draft.country ='],
      ['the last rule that blocks is named', 'draft.block ??= rule', 'draft.block = rule'],
      ['both rotate and keep', 'if (draft.keep === null) draft.rotate ??= rule;', 'draft.rotate ??= rule;'],
    ]),
    ...of(`${ROOM}/patterns.ts`, [
      [
        'a pattern of the next group counts',
        'this.#patterns.length === GROUP',
        'this.#patterns.length > GROUP',
      ],
      ['patterns with and without case are one group', '`${fact} ${caseSensitive}`', 'fact'],
      ['the bits of the last text stay', 'this.#lastBits = bits;', 'this.#lastBits ||= bits;'],
    ]),
    ...of('src/model/rules/pattern.ts', [
      ['a pattern that repeats too much is stored', 'size > MAX_SIZE ?', 'size < 0 ?'],
      ['a login in a pattern is repeated', '/[@/]/.test(reason)', 'reason === description'],
    ]),
    ...of('src/cli/commands/rules/values.ts', [
      ['a comma in a list is not quoted', "inList && value.includes(',')", "inList && value === ','"],
      ['a quote inside of quotes ends them', 'if (text[at + 1] !== quote) return at;', 'return at;'],
      [
        'a value that looks like the word for case is not quoted',
        '/^case-sensitive\\s/.test(value)',
        'value === null',
      ],
    ]),
    ...of('src/cli/commands/rules/condition-text.ts', [
      [
        'a condition is printed without its case',
        'caseSensitive === true ? [CASE] : []',
        'caseSensitive === null ? [CASE] : []',
      ],
      [
        'the start of a day is Monday',
        "const DAYS = ['sunday', 'monday',",
        "const DAYS = ['monday', 'sunday',",
      ],
      ['a value in the wrong place is repeated', '/^[a-z-]{1,32}$/i.test(typed)', 'typed !== null'],
    ]),
    ...of('src/cli/commands/rules/edit.ts', [
      [
        'a name of one’s own follows the conditions',
        'if (before.name !== defaultRuleName(before)) return undefined;',
        '',
      ],
      ['an edit names no proxies', 'withProxyIds(proxies, actions)', 'actions'],
    ]),
  ],
};
