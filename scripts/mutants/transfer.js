/** Faults of one file: what is wrong, the text, its replacement, and why it survives, if it does. */
function of(file, faults) {
  return faults.map(([what, from, to, survives]) => ({
    file: `src/${file}.ts`,
    what,
    from,
    to,
    ...(survives && { survives }),
  }));
}

export default {
  tests: [
    'transfer/carried-fields',
    'files/spool',
    'test/transfer',
    'database/address-binding',
    'database/permissions',
    'cli/transfer',
  ],
  faults: [
    ...of('transfer/export', [
      [
        'proxies without the tag are exported',
        'if (tag !== undefined && !tags.has(streamed.id, tag)) continue;',
        '',
      ],
      [
        'a proxy that is left out is not told',
        'else onLeftOut?.({ id: streamed.id, reason: formatted.leftOut });',
        '',
      ],
      [
        'a part that is left out is not told',
        'onLeftOut?.({ id: streamed.id, part, reason: reasonOf(part, streamed) });',
        'reasonOf(part, streamed);',
      ],
      ['a part is told as the whole proxy', 'id: streamed.id, part, reason', 'id: streamed.id, reason'],
      ['the end of the list is not written', '  yield formatter.end();\n', ''],
      ['the list does not begin', '  yield formatter.begin();\n', ''],
      [
        'the wrong one resolves names',
        "remoteDns ? 'the proxy resolves' : 'its clients resolve'",
        "remoteDns ? 'its clients resolve' : 'the proxy resolves'",
      ],
      ['one unreadable login stops the export', 'if (!isUnreadable(error)) throw error;', 'throw error;'],
      [
        'a lost key leaves out all proxies',
        'if (!isUnreadable(error)) throw error;',
        'if (!(error instanceof ProxyVaultError)) throw error;',
      ],
      [
        'repeated proxies are exported',
        'return twin === null ? read :',
        'return twin !== null || twin === null ? read :',
      ],
      [
        'masked logins are compared',
        "'leftOut' in read || (read.login !== null && !reveal)",
        "'leftOut' in read",
      ],
      [
        'a stored login is not shown as masked',
        'return credentials.exists(id)\n',
        'return credentials.exists(id) && id === ""\n',
      ],
      [
        'a proxy that has moved meanwhile stops the export',
        "error instanceof ProxyVaultError && error.code === 'CONFLICT'",
        "error instanceof ProxyVaultError && error.code === 'NOT_FOUND'",
      ],
      [
        'a name is lost',
        '...(name === formatAddress(proxy) ? {} : { name })',
        '...(name !== formatAddress(proxy) ? {} : { name })',
      ],
      ['a region is lost', '    ...(region === null ? {} : { region }),\n', ''],
      ['a geolocation is lost', '    ...(geolocation === null ? {} : { geolocation }),\n', ''],
      [
        'a latency of 0 is lost',
        '...(latency === null ? {} : { latency })',
        '...(latency ? { latency } : {})',
      ],
      ['disabled proxies come back active', "    ...(status === 'disabled' ? { status } : {}),\n", ''],
      [
        'failed proxies come back failed',
        "status === 'disabled' ? { status }",
        "status !== 'active' ? { status }",
      ],
      [
        'who resolves names is lost for socks4',
        "protocol.startsWith('socks') ? { remoteDns }",
        "protocol === 'socks5' ? { remoteDns }",
      ],
    ]),
    ...of('transfer/import-options', [
      ['a forced sync has a limit', 'sync && !force ? maxRemove : null', 'sync ? maxRemove : null'],
      ['a sync has no limit', 'sync && !force ? maxRemove : null', 'sync && force ? maxRemove : null'],
      ['an invalid limit is ignored', '  assertMaxRemove(maxRemove);\n', ''],
      ['a sync without a tag does nothing', 'if (sync && tag === undefined)', 'if (sync && tag === null)'],
      [
        'a batch may be 0',
        '!Number.isSafeInteger(batch) || batch < 1',
        '!Number.isSafeInteger(batch) || batch < 0',
      ],
      ['a batch may be a fraction', '!Number.isSafeInteger(batch) || batch < 1', 'batch < 1'],
    ]),
    ...of('transfer/import-result', [
      ['all rejections are kept', 'const MOST_REFUSALS = 10_000;', 'const MOST_REFUSALS = 100_000;'],
      ['299 notes are kept', 'const MOST_NOTES = 300;', 'const MOST_NOTES = 299;'],
      ['11 lines of a note are kept', 'const MOST_NOTE_LINES = 10;', 'const MOST_NOTE_LINES = 11;'],
      [
        'a rejected line is no line',
        '    this.lines++;\n    if',
        "    if (verdict.kind !== 'refused') this.lines++;\n    if",
      ],
      [
        'blank lines are comments',
        "else if (verdict.kind === 'blank') this.blank++;",
        "else if (verdict.kind === 'blank') this.comments++;",
      ],
      ['a note is counted once', 'if (known) known.count++;', 'if (known) known.count = 1;'],
      ['notes above the most are not counted', 'else this.#notesMore++;', ''],
      [
        'an empty list among others is not named',
        'if (file !== undefined)\n        this.#addRefusal',
        'if (file === undefined)\n        this.#addRefusal',
      ],
      [
        'the lists after the first are never empty',
        'this.#listFrom = { lines: this.lines, found: this.proxies + this.#rejected };',
        'this.#listFrom = { lines: this.lines, found: -1 };',
      ],
      [
        'an import of comments succeeds',
        'if (this.proxies > 0 || this.#rejected > this.#emptyLists) return;',
        'if (this.lines > 0 || this.#rejected > this.#emptyLists) return;',
      ],
      ['lists that are all empty are imported', 'this.#rejected > this.#emptyLists', 'this.#rejected > 0'],
      ['a removal of nothing is told', 'removal && removal.leaving > 0 ?', 'removal ?'],
      [
        'how many more rejections there were is not told',
        '...(this.#more > 0 ? { refusedMore: this.#more } : {})',
        '...{}',
      ],
      ['only the last broken place is remembered', 'this.broken ??= refusal;', 'this.broken = refusal;'],
      [
        'a list that is cut off is complete',
        "code === 'not-a-list' || code === 'truncated'",
        "code === 'not-a-list'",
      ],
      [
        'what is no list is complete',
        "code === 'not-a-list' || code === 'truncated'",
        "code === 'truncated'",
      ],
      [
        'rejections above the most are not called',
        '    this.#onRefused?.(refusal);\n    if',
        '    if (this.refused.length < MOST_REFUSALS) this.#onRefused?.(refusal);\n    if',
      ],
      [
        'a line is named for each of its proxies',
        'if (last?.line === line && last.file === file) return;',
        '',
      ],
      [
        'the same line of another list is not named',
        'last?.line === line && last.file === file',
        'last?.line === line',
      ],
      [
        'a rejection does not name its list',
        '...(file === undefined ? {} : { file }), line, column',
        'line, column',
      ],
      ['a list of comments is called empty', "lines === 0 ? 'is empty'", "lines >= 0 ? 'is empty'"],
    ]),
    ...of('transfer/import', [
      [
        'a sync in batches is not tried first',
        'const isRehearsed = isBatched && limitOf(options) !== null;',
        'const isRehearsed = false;',
      ],
      [
        'a dry run stores batches',
        'const isBatched = batch > 0 && !dryRun &&',
        'const isBatched = batch > 0 &&',
      ],
      ['batches are stored in a pool that may hold no logins', ' && mayHoldCredentials(db);', ';'],
      [
        'the last batch is lost',
        'isBatched ? waiting : spool.read(), isBatched',
        'isBatched ? [] : spool.read(), isBatched',
      ],
      [
        'a batch is stored twice',
        '    await store.add(waiting);\n    waiting = [];',
        '    await store.add(waiting);\n    waiting = waiting.slice(-1);',
      ],
      [
        'a batch is one too large',
        'if (waiting.push(proxy) < batch) return;',
        'if (waiting.push(proxy) <= batch) return;',
      ],
      [
        'an empty list is imported',
        '  if (!(options.sync && options.force)) counter.assertNotEmpty();\n',
        '',
      ],
      [
        'force imports an empty list',
        'if (!(options.sync && options.force)) counter',
        'if (!options.force) counter',
      ],
      ['an incomplete list is synced', '  assertSyncable(counter, options);\n', ''],
      [
        'a list without a readable proxy is synced',
        '(proxies > 0 && broken === undefined)',
        'broken === undefined',
      ],
      ['a list with a broken part is synced', '(proxies > 0 && broken === undefined)', 'proxies > 0'],
      [
        'the trial shares its memory with the import',
        'new ListStore(db, { ...options, onProgress: undefined }, lines, trial)',
        'new ListStore(db, { ...options, onProgress: undefined }, lines, memory)',
      ],
      ['the trial reports progress', '{ ...options, onProgress: undefined }', 'options'],
      [
        'a URL that was left out has no note',
        'if (place) counter.addNote',
        'if (place === undefined) counter.addNote',
      ],
      ['a dry run does not say so', 'return dryRun ? { ...result, dryRun } : result;', 'return result;'],
      [
        'reading is not reported',
        'if (counter.lines % READ_STEP === 0) onProgress',
        'if (counter.lines % READ_STEP === -1) onProgress',
      ],
      [
        'the protocol of the options is not used',
        'parseProxyList(list.source, { protocol, strictProtocol, format })',
        'parseProxyList(list.source, { strictProtocol, format })',
      ],
      [
        'strict protocols are not',
        'parseProxyList(list.source, { protocol, strictProtocol, format })',
        'parseProxyList(list.source, { protocol, format })',
      ],
      ['a list is not ended', '    counter.endList(list.name);\n', ''],
      [
        'an option goes before what the list says',
        "listed.remoteDns ?? (listed.protocol.startsWith('socks') ? options.remoteDns : undefined)",
        "(listed.protocol.startsWith('socks') ? options.remoteDns : undefined) ?? listed.remoteDns",
      ],
      [
        'HTTP proxies of a list leave names to clients',
        "listed.protocol.startsWith('socks') ? options.remoteDns : undefined",
        'options.remoteDns',
      ],
      [
        'a login without a password is dropped',
        "const isEmpty = username === '' && password === '' && rotateUrl === undefined;",
        "const isEmpty = password === '' && rotateUrl === undefined;",
      ],
      ['a change-IP URL alone is dropped', "password === '' && rotateUrl === undefined;", "password === '';"],
      [
        'a change-IP URL is dropped',
        'credentials: { username, password, rotateUrl } }',
        'credentials: { username, password } }',
      ],
    ]),
    ...of('transfer/line-numbers', [
      [
        'a line of the second list is named in the first',
        'this.#lists.findLast(({ first }) => first <= index)',
        'this.#lists.find(({ first }) => first <= index)',
      ],
      ['the first line of a list is named in the one before', 'first <= index', 'first < index'],
      [
        'lines of later batches are counted from the start',
        'before.read + Number(error.details.index)',
        'Number(error.details.index)',
      ],
      ['an error says that nothing was stored', 'before.stored === 0\n', 'before.stored >= 0\n'],
      [
        'a list that follows one of no name has none',
        'this.#lists.at(-1)?.name !== name || this.#lists.length === 0',
        'this.#lists.length === 0',
      ],
    ]),
    ...of('transfer/list-store', [
      ['each batch is an import of its own', 'importId: this.#importId };', 'importId: newId() };'],
      [
        'a batch is the last',
        'count: proxies.length, isLast: false, undo',
        'count: proxies.length, isLast: true, undo',
      ],
      [
        'a dry run is stored',
        'isLast: true, undo: this.#options.dryRun === true',
        'isLast: true, undo: false',
      ],
      [
        'a rehearsal is stored',
        'return this.#store({ proxies, count, isLast: true, undo: true });',
        'return this.#store({ proxies, count, isLast: true, undo: false });',
      ],
      ['others have no turn between batches', '    await nextTurn();\n', ''],
      ['a failed transaction is a success', 'if (error !== UNDONE) throw', 'if (error === UNDONE) throw'],
      [
        'a sync removes others after each batch',
        'if (sync && tag && isLast) yield*',
        'if (sync && tag) yield*',
      ],
      [
        'a share is of what is tagged after the import',
        'if (sync && tag) this.#tagged ??=',
        'if (sync && tag && isLast) this.#tagged =',
      ],
      [
        'a stopped sync continues',
        'removal.stopped && !this.#options.dryRun',
        'removal.stopped && this.#options.dryRun',
      ],
      ['the one who asked is not told of a stop', '      this.#options.onStopped?.(removal);\n', ''],
      [
        'a stopped sync says that nothing was changed',
        'before === 0\n          ?',
        'before >= 0\n          ?',
        'A sync in batches is tried as a whole first: only another process can stop it later.',
      ],
      [
        'a dry run with another key passes',
        '!isMissing || new EncryptedCredentialsRepository(db).count() > 0',
        '!isMissing',
      ],
      ['a dry run of a new pool needs its key', 'if (!isMissing ||', 'if (isMissing ||'],
      [
        'a dry run stores a key',
        'options.dryRun ? keyForDryRun(db, options.encryption) : options.encryption',
        'options.encryption',
      ],
      [
        'only what was added is counted',
        "for (const each of ['added', 'updated', 'unchanged'] as const)",
        "for (const each of ['added', 'unchanged'] as const)",
      ],
      ['the progress of a batch begins at 0', 'this.#done = before + done;', 'this.#done = done;'],
      ['what a sync removed is not counted', 'this.summary.removed = yield*', 'yield*'],
    ]),
    ...of('transfer/named-lists', [
      ['a path is a list', '  assertNoPath(source);\n', ''],
      ['a URL is a list', '  assertNoDownload(source);\n', ''],
      ['an invalid source is read', '  assertListSource(source);\n', ''],
      [
        'a list among named ones may have no name',
        'throw invalidInput(`The list at index',
        'return requireList({ name: undefined, source: list });\n    throw invalidInput(`The list at index',
      ],
      [
        'the URL of a proxy without a port is a list',
        "verdict.code !== 'missing-port' && verdict.code !== 'trailing-text'",
        "verdict.code !== 'trailing-text'",
      ],
      ['the error of a URL repeats it', "'The list is a URL, and", "'The list is a URL, ' + text + ' and"],
    ]),
    ...of('transfer/removal', [
      ['2,000 proxies that leave are named', 'const MOST_NAMED = 1000;', 'const MOST_NAMED = 2000;'],
      ['ten may always go', 'const LEAST_STOPPED = 10;', 'const LEAST_STOPPED = 11;'],
      ['60 % may go', 'const DEFAULT_PERCENT = 50;', 'const DEFAULT_PERCENT = 60;'],
      [
        'just half of them may not go',
        'leaving * 100 > of * DEFAULT_PERCENT',
        'leaving * 100 >= of * DEFAULT_PERCENT',
      ],
      ['a number may not be reached', 'return leaving > limit;', 'return leaving >= limit;'],
      [
        'a share may not be reached',
        'leaving * 100 > of * percentOf(limit)',
        'leaving * 100 >= of * percentOf(limit)',
      ],
      [
        'all of them is a limit',
        'percentOf(limit) < 100 && ',
        '',
        'More than all can leave only if another process tags proxies meanwhile.',
      ],
      ['a share may be above 100', 'PERCENT.test(limit) && percentOf(limit) <= 100', 'PERCENT.test(limit)'],
      [
        'a number may be negative',
        'Number.isSafeInteger(limit) && limit >= 0',
        'Number.isSafeInteger(limit)',
      ],
      [
        '0 is no limit',
        'Number.isSafeInteger(limit) && limit >= 0',
        'Number.isSafeInteger(limit) && limit > 0',
      ],
      ['a share has no fraction', '/^(\\d{1,3}(?:\\.\\d{1,3})?)%$/', '/^(\\d{1,3})(?:\\.\\d{1,3})?%$/'],
      [
        'the details do not say what left',
        '{ tag, of, leaving, removed },\n  );',
        '{ tag, of, removed },\n  );',
      ],
      ['kept ones count as removed', 'const kept = leaving - removed;', 'const kept = 0 * leaving;'],
    ]),
    ...of('transfer/repeats', [
      [
        'another username is the same proxy',
        '[protocol, host, port, username, password]',
        '[protocol, host, port, password]',
      ],
      [
        'another port is the same proxy',
        '[protocol, host, port, username, password]',
        '[protocol, host, username, password]',
      ],
      ['all repeats are exported', 'if (earlier === undefined) this.#seen.set(hash, proxy.id);', ''],
    ]),
    ...of('files/spool', [
      [
        'one IV for all batches',
        'const iv = randomBytes(IV_BYTES);',
        'const iv = Buffer.alloc(IV_BYTES, 1);',
      ],
      ['the temporary file keeps its name', '  if (REMOVED_AT_ONCE) removeTemporary(folder);\n', ''],
      [
        'the temporary file is not encrypted under its own key',
        'readonly #key = randomBytes(32);',
        'readonly #key = Buffer.alloc(32);',
        'Only who tries that very key sees it.',
      ],
      ['others may read the temporary file', "'wx+', 0o600", "'wx+', 0o644"],
      ['the second batch is read from the start', 'position += length;', ''],
      ['the last batch is not read', '    yield* this.#batch;\n', ''],
      ['values are not counted', '    this.count++;\n', ''],
      [
        'a batch is stored twice',
        '    this.#lengths.push(sealed.length);\n    this.#batch = [];',
        '    this.#lengths.push(sealed.length);',
      ],
      ['batches wait in memory', 'if (this.#batch.length === BATCH) this.#writeBatch();', ''],
    ]),
  ],
};
