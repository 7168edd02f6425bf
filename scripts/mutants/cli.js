/** Faults of one file: what is wrong, the text, its replacement, and why no test can notice it. */
function of(file, faults) {
  return faults.map(([what, from, to, survives]) => ({
    file: `src/cli/${file}`,
    what,
    from,
    to,
    ...(survives && { survives }),
  }));
}

export default {
  tests: ['test/errors.test.ts', 'test/cli/effects.test.ts', 'test/cli', 'test/e2e/no-leaks.test.ts'],
  faults: [
    ...[
      ['an error without a message has none', 'message: string = ERROR_CODES[code]', "message: string = ''"],
      ['an error loses its cause', 'options.cause === undefined ?', 'options.cause !== null ?'],
      ['an error loses its details', 'options.details ?? {}', '{}'],
      ['an error without a cause has one', 'options.cause === undefined ? undefined :', ''],
      ['an error has the name of its base', "override readonly name = 'ProxyVaultError';", ''],
    ].map(([what, from, to]) => ({ file: 'src/errors.ts', what, from, to })),
    {
      file: 'src/views/proxy.ts',
      what: 'the usage is that of all',
      from: 'totals({ proxyId: id })',
      to: 'totals({})',
    },
    ...of('commands/rules/flags.ts', [
      [
        'a malformed condition is a failure',
        "error.code === 'INVALID_INPUT')\n      command",
        "error.code === 'CLOSED')\n      command",
      ],
    ]),
    ...of('arguments.ts', [
      [
        'a weight of 0 is taken',
        'if (weight > 0 && weight <= MAX_WEIGHT) return weight;',
        'if (weight >= 0 && weight <= MAX_WEIGHT) return weight;',
      ],
      ['0 is a positive number', 'if (value === 0) throw', 'if (value < 0) throw'],
      ['a negative number is a whole one', 'if (!/^\\d{1,15}$/', 'if (!/^-?\\d{1,15}$/'],
      ['a blank is 0 milliseconds', "(text.trim() === '' ? Number.NaN : Number(text))", 'Number(text)'],
      ['a TTL may have parts of a millisecond', '!Number.isSafeInteger(value)', 'Number.isNaN(value)'],
      [
        'an age needs no unit',
        'if (value === null) throw',
        'if (value === null) return Number(text);\n  if (value < 0) throw',
      ],
      [
        'infinity is a number of milliseconds',
        'value < Number.POSITIVE_INFINITY',
        'value <= Number.POSITIVE_INFINITY',
      ],
    ]),
    ...of('exit-codes.ts', [
      ['a failure exits 2', 'failure: 1, usage: 2', 'failure: 2, usage: 2'],
      ['a wrong use exits 1', 'failure: 1, usage: 2', 'failure: 1, usage: 1'],
      ['exec fails with 1', '  failure: 125,\n', '  failure: 1,\n'],
      ['a command that is not found exits 126', 'notFound: 127', 'notFound: 126'],
      ['a command that cannot be started exits 127', 'notExecutable: 126', 'notExecutable: 127'],
      ['a signal is its number', 'signal: 128', 'signal: 0'],
      [
        'exec has the exit codes of others',
        "isCommand('exec', args) ? EXEC_EXIT : EXIT",
        "isCommand('execute', args) ? EXEC_EXIT : EXIT",
      ],
    ]),
    ...of('fail.ts', [
      [
        'an error goes to standard output',
        "lines, Text, text, toJson, writeError } from './terminal.ts'",
        "lines, Text, text, toJson, writeOut as writeError } from './terminal.ts'",
      ],
      ['an error has no code', '${message} (${code})', '${message}'],
      ['the stack is always shown', 'process.env.PROXYVAULT_DEBUG && error', 'error'],
      [
        'an error of the system has no code',
        'typed instanceof ProxyVaultError) return',
        'typed instanceof ProxyVaultError && typed === error) return',
      ],
      ['a wrong use is a fault of ours', "error.code === 'USAGE'", "error.code === 'USED'"],
    ]),
    ...of('hand-out.ts', [
      [
        'the session is ignored',
        "session ?? randomBytes(4).toString('hex')",
        "randomBytes(4).toString('hex')",
      ],
      ['every hand-out has one session', "randomBytes(4).toString('hex')", "'00000000'"],
      ['the country of an option is not in the login', '(country ?? geolocation', '(geolocation'],
      ['the country of a login is in capital letters', '?.toLowerCase()', ''],
      ['--exit-country is ignored', 'exitCountry ?? (country', '(country'],
      ['rotate is as next', 'vault.pool[ask](', 'vault.pool.choose('],
      [
        'a malformed proxy is handed out again',
        '...unreadable.keys(), ...malformed]',
        '...unreadable.keys()]',
      ],
      ['a malformed proxy is passed over in silence', 'reportInvalidRow(vault.database, error);', ''],
      ['the time to live is ignored', '    ttl,\n  };', '    ttl: undefined,\n  };'],

      ['options that change nothing are silent', 'warnOfUnused(vault, view, options);', ''],
      ['unreadable logins are silent', 'warnOfUnreadable(json, [...unreadable.values()]);', ''],
    ]),
    ...of('request-options.ts', [
      ['the URL is ignored', 'return { url, domain', 'return { domain'],
      [
        'the domain is ignored',
        'url, domain, session, country, region, protocol, tags, exclude',
        'url, session, country, region, protocol, tags, exclude',
      ],
      [
        'the session does not choose',
        'domain, session, country, region, protocol, tags, exclude',
        'domain, country, region, protocol, tags, exclude',
      ],
      [
        'the country does not choose',
        'session, country, region, protocol, tags, exclude',
        'session, region, protocol, tags, exclude',
      ],
      [
        'the region is ignored',
        'country, region, protocol, tags, exclude',
        'country, protocol, tags, exclude',
      ],
      ['the protocol is ignored', 'region, protocol, tags, exclude', 'region, tags, exclude'],
      ['tags are ignored', 'protocol, tags, exclude', 'protocol, exclude'],
      ['the strategy is ignored', 'exclude, strategy };', 'exclude };'],
      [
        'only the first excluded proxy counts',
        'options.exclude ?? []',
        '(options.exclude ?? []).slice(0, 1)',
      ],
    ]),
    ...of('commands/explain/explanation.ts', [
      ['a rule that was not tried is one that does not match', "matches && !applies ? 'no: stopped' : ", ''],
      [
        'conditions have no AND and OR',
        'isFirst ? conditionText(condition)',
        'conditionText(condition) !== String(isFirst) ? conditionText(condition)',
      ],
      ['days of the week are numbers', 'valueText(field, each)', 'String(each)'],
      ['the mapping is not shown', 'mapping === null ? []', 'mapping !== undefined ? []'],
      ['the interval is not shown', 'until === null ? []', 'until !== undefined ? []'],
    ]),
    ...of('import-report.ts', [
      ['21 rejections are shown', 'const MOST_SHOWN = 20', 'const MOST_SHOWN = 21'],
      ['a dry run does not say so', "dryRun ? ['This was a dry run: nothing was changed.'] : []", '[]'],
      [
        'the rest of the rejections is not counted',
        'const rest = count - shown.length;',
        'const rest = refused.length - shown.length - 1;',
      ],
      ['removed proxies are not counted', '...(removed === undefined ? [] : [`${removed} removed`]),', ''],
      [
        'the masked text is not shown',
        '...[line, column, reason, text],',
        '...[line, column, reason, null],',
      ],
      [
        'a file of a rejection is not named',
        '...(hasFiles ? [file] : []),\n    ...[line',
        "...(hasFiles ? [''] : []),\n    ...[line",
      ],
      ['all added are updated', '`${added} added`', '`${updated} added`'],
    ]),
    ...of('command.ts', [
      [
        'of an option that is given twice the earlier counts',
        'return { ...above, ...command.opts() };',
        'return { ...command.opts(), ...above };',
      ],
      [
        'options before the command are lost',
        'return { ...above, ...command.opts() };',
        'return command.opts();',
      ],
      [
        'options before a command without a pool are dropped',
        'if (before !== undefined && !ignoresPool)\n        command.error',
        'if (before === null)\n        command.error',
      ],
      ['--help does not say that the key is needed', '...(key === undefined ? [] : [needs[key]]),', ''],
    ]),
    ...of('note.ts', [
      ['--quiet hides nothing', 'if (!json && !quiet) writeError', 'if (!json) writeError'],
      ['notes are in the way of --json', 'if (!json && !quiet) writeError', 'if (!quiet) writeError'],
    ]),
    ...of('read-arguments.ts', [
      [
        '--json as a value is a wish',
        'name === arg && !flags.has(name)) n++;',
        'name === arg && !flags.has(name)) n += 0;',
      ],
      [
        '--json of the command of exec is ours',
        "if (reading.command === 'exec') break;",
        "if (reading.command === 'execute') break;",
      ],
      ['--json after -- is ours', "if (arg === '--') {", "if (arg === '---') {"],
      ['next after -- does not fail closed', 'reading.command ??= args[n + 1] ?? null;', ''],
      [
        '--reveal takes a value',
        "const FLAGS_OF_NEXT = ['--reveal'];",
        'const FLAGS_OF_NEXT: string[] = [];',
      ],
      ['an unknown option before next opens it', '|| alternatives.includes(name)', ''],
      ['--option=value takes one more', 'name === arg && !flags.has(name)) n++;', '!flags.has(name)) n++;'],
    ]),
    ...of('read-only-pool.ts', [
      ['a pool that may not be written is written', 'if (problem === null) return;', 'return;'],
      ['a read-only file system is one of permissions', "errno === 'EROFS' ?", "errno === 'EROF' ?"],
      ['no copy is read', 'return openCopy(options);', 'throw error;'],
      ['the copy stays', '} finally {\n      this.#remove();\n    }', '} finally {\n    }'],
      ['a copy without the log is read', 'if (log !== null) throw notApplied(error, path, log);', ''],
      ['a copy of what everybody may write is private', '0o600 | (Number(before.mode) & 0o002)', '0o600'],
    ]),
    ...of('completion/words.ts', [
      ['no path is completed', "const PATHS = ['file',", "const PATHS = ['files',"],
      ['choices are not completed', 'return argChoices ?? kindOfName(', 'return kindOfName('],
    ]),
    ...of('completion/posix.ts', [
      ['a command is not seen', 'at="\\${at:+$at }$word"; continue; fi', 'at="$word"; continue; fi'],
      ['options after the command of exec are ours', 'if [[ $at == exec ]]; then ended=1; fi', ''],
    ]),
    ...of('key-guard.ts', [
      ['the backup of the key may be overwritten', "['', '.bak', '.lock']", "['', '.lock']"],
      ['the lock of the key may be overwritten', "['', '.bak', '.lock']", "['', '.bak']"],
      ['the key may be overwritten', 'if (!isKey) return;', 'return;'],
    ]),
    ...of('list-files.ts', [
      ['hidden files of a folder are read', "!name.startsWith('.') && ", ''],
      ['a file of any kind in a folder is read', 'EXTENSIONS.includes(extname(name).toLowerCase())', 'true'],
      ['extensions in capital letters are passed over', 'extname(name).toLowerCase()', 'extname(name)'],
      ['.tsv is passed over', "  '.tsv',\n", ''],
      ['.ppx is passed over', "  '.ppx',\n", ''],
      ['folders in a folder are read', 'return stats?.isFile() ?', 'return stats ?'],
      [
        'a proxy in place of a path is repeated',
        "parseProxyLine(text).kind === 'proxy' &&",
        "parseProxyLine(text).kind === 'blank' &&",
      ],
      [
        'a login in place of a path is repeated',
        'if (!isUrl && /@|:\\d/.test(text))',
        'if (!isUrl && /@@/.test(text))',
      ],
      ['the files of a folder have no order', '    .sort()\n', '    .sort()\n    .reverse()\n'],
    ]),
    ...of('main.ts', [
      [
        'exit codes that commands set are lost',
        'return Number(process.exitCode ?? EXIT.ok);',
        'return EXIT.ok;',
      ],
      ['--help fails', 'return error.exitCode === 0 ? EXIT.ok : codes.usage;', 'return codes.usage;'],
      [
        'a wrong use with --json prints no object',
        'if (json && error.exitCode !== 0)\n',
        'if (json && error.exitCode === 9)\n',
      ],
      [
        'a closed reader is a failure',
        "if (error.code === 'EPIPE') process.exit(EXIT.ok);",
        "if (error.code === 'EPIPE') process.exit(EXIT.failure);",
      ],
      [
        'a wrong use with --json prints twice',
        'outputError: (error) => json || writeError',
        'outputError: (error) => writeError',
      ],
      [
        'a line end in an argument forges a message',
        "(error.trimEnd(), args).split('\\n(Did you mean')",
        "(error.trimEnd(), args).split('\\n')",
      ],
      ['the version is unknown', "'version' in manifest\n", "'versions' in manifest\n"],
    ]),
    ...of('without-logins.ts', [
      ['host:port:user:password is shown', '|:\\/\\/|:.*:/s', '|:\\/\\//s'],
      ['a login with an @ is shown', '/@|:\\/', '/:\\/'],
      ['what is before an = is shown', "parts.slice(0, i + 1).join('=')", 'arg'],
    ]),
    ...of('new-passphrase.ts', [
      ['passphrases of 11 characters are strong', 'const SHORT = 12', 'const SHORT = 11'],
      ['four different characters are enough', 'const FEW = 5', 'const FEW = 4'],
      [
        'a weak passphrase is taken',
        'if (!allowWeak && !canAsk()) return false;',
        'if (!allowWeak && !canAsk()) return true;',
      ],
      ['an empty passphrase is taken', "if (passphrase !== '') return passphrase;", 'return passphrase;'],
    ]),
    ...of('no-proxy-url.ts', [
      ['a failed next prints nothing', 'if (code === 0) return;', 'if (code !== 2) return;'],
      ['a successful next prints a second URL', 'if (code === 0) return;', 'if (code === 2) return;'],
      [
        'a next that is ended prints nothing',
        'process.exit(EXEC_EXIT.signal + constants.signals[signal]);\n    });',
        'process.kill(process.pid, 9);\n    });',
      ],
      ['--json prints a URL', '!printsUrl || wantsJson(args)', '!printsUrl'],
      ['a failed rotate prints nothing', " || isCommand('rotate', args)", ''],
    ]),
    ...of('output.ts', [
      ['an empty cell is nothing', "cell === null || cell === '' ? '-'", "cell === null || cell === '' ? ''"],
      ['zero is nothing', "cell === null || cell === ''", '!cell'],
      ['numbers have two decimals', 'decimals = 1', 'decimals = 2'],
      [
        'JSON is not printed',
        'json ? Text.ours(toJson(data, 2))',
        'json === null ? Text.ours(toJson(data, 2))',
      ],
      ['values with escape characters reach the terminal', 'visible(String(cell))', 'String(cell)'],
    ]),
    ...of('private-output.ts', [
      ['secrets in an open file are silent', '(stats.mode & 0o077) === 0', '(stats.mode & 0o007) === 0'],
    ]),
    ...of('proxy-environment.ts', [
      [
        'NO_PROXY is kept',
        'if (NO_PROXY.test(lower)) return keepNoProxy;',
        'if (NO_PROXY.test(lower)) return true;',
      ],
      ['NO_PROXY is never kept', 'return keepNoProxy;', 'return false;'],
      ['the command gets the key', "if (lower.startsWith('proxyvault_')) return KEPT.includes(lower);", ''],
      ['the pool is kept from the command', "['db', 'migrations_table'", "['migrations_table'"],
      ['all_proxy is not set', ", 'all_proxy']", ']'],
      ['capital letters are not set', '    [name.toUpperCase(), url],\n', ''],
      ['proxies of other programs are kept', 'return !OTHER_PROXY.test(lower);', 'return true;'],
      ['Node does not look at the variables', "['NODE_USE_ENV_PROXY', '1']", "['NODE_USE_ENV_PROXY', '0']"],
    ]),
    ...of('proxy-view.ts', [
      ['logins are shown without --reveal', 'if (!hasCredentials || !reveal) {', 'if (!hasCredentials) {'],
      [
        'the change-IP URL is lost',
        'return rotateUrl === undefined ? view : { ...view, rotateUrl };',
        'return view;',
      ],
      ['one unreadable login is plural', "items.length === 1 ? 'login' : 'logins'", "'logins'"],
    ]),
    ...of('proxy-table.ts', [
      ['a proxy without requests has 0 % success', 'totalRequests === 0 ? null', 'totalRequests < 0 ? null'],
      ['a name that is the address is shown', 'url.endsWith(`/${name}`) || ', ''],
      ['tags are not shown', "tags.join(', ')", "''"],
    ]),
    ...of('fitted-table.ts', [
      ['a pipe is as wide as a terminal', '(process.stdout.isTTY && process.stdout.columns) || null', '80'],
      ['the gaps are not counted', 'const GAP = 2;', 'const GAP = 0;'],
      ['ids stay long', 'column.short?.() ?? column.cells', 'column.cells'],
      ['the first columns are left out first', 'Math.max(...columns.map', 'Math.min(...columns.map'],
    ]),
    ...of('places.ts', [
      ['wide characters take one place', 'WIDE.test(character) ? 2 : 1', 'WIDE.test(character) ? 1 : 1'],
    ]),
    ...of('duration.ts', [
      ['a week has six days', 'w: 604_800_000', 'w: 518_400_000'],
      [
        'parts of a unit are lost',
        'Math.round(Number(digits) * factor)',
        'Math.trunc(Number(digits)) * factor',
      ],
      ['a time beyond every number is one', 'value <= Number.MAX_SAFE_INTEGER ? value : null', 'value'],
    ]),
    ...of('confirm-several.ts', [
      ['two go without a question', 'count < 2', 'count < 3'],
      ['one is asked for', 'count < 2', 'count < 1'],
      ['--yes is ignored', ' || yes) return true', ') return true'],
      ['no answer is a yes', 'return confirm(', 'return !await confirm('],
    ]),
    ...of('meant-proxies.ts', [
      [
        'a proxy that is named twice is two',
        'if (!found.has(proxy.id)) found.set(proxy.id',
        'found.set(text',
      ],
    ]),
    ...of('time-options.ts', [
      ['--since is ignored', 'since === undefined ? from :', 'since !== 0 ? from :'],
    ]),
    ...of('commands/edit.ts', [
      [
        'some is changed if a part is wrong',
        'vault.database.transaction(() => changeProxy(vault, typed, options, login))',
        'changeProxy(vault, typed, options, login)',
      ],
      ['--no-password is ignored', "if (!password) return '';", 'if (!password) return undefined;'],
    ]),
    ...of('commands/edit/change-proxy.ts', [
      ['an empty region stays', "region === '' ? null : region", "region === '' ? before.region : region"],
      [
        'a name that was the address stays',
        'name !== undefined || !isAddress',
        'name !== undefined || isAddress',
      ],
      ['--local-dns is ignored', 'if (remoteDns || localDns) given', 'if (remoteDns) given'],
      ['--remove-tag is ignored', 'tags.remove(before.id, tag);', ''],
    ]),
    ...of('commands/edit/change-login.ts', [
      [
        'a new password takes the username away',
        '{ ...known, ...Object.fromEntries(given) }',
        '{ ...Object.fromEntries(given) }',
      ],
      [
        'an empty login is stored',
        "password === '' && rotateUrl === '') credentials",
        "password === '' && rotateUrl === '-') credentials",
      ],
      ['passwords are shown', "value === '' ? null : MASK", "value === '' ? null : value"],
    ]),
    ...of('password-input.ts', [
      [
        'an empty password clears',
        "if (password !== '') return password;",
        'if (password !== null) return password;',
      ],
      ['a password of other bytes is changed', 'fatal: true', 'fatal: false'],
    ]),
    ...of('status-update.ts', [
      ['failures before it count on', '{ status, failureCount: 0 }', '{ status }'],
      ['an active one forgets its failures', ' && before.status !== status', ''],
    ]),
    ...of('private-folder.ts', [
      ['a signal leaves the folder', '      remove();\n      // Without', '      // Without'],
      ['the end leaves the folder', "process.on('exit', removeNow);", ''],
    ]),
    ...of('ending-signals.ts', [['Ctrl-\\ is no ending', ", 'SIGQUIT'", '']]),
    ...of('typed-lines.ts', [
      ['a stop that fails leaves the echo', 'if (isForeground()) process.stdin.setRawMode(true);', ''],
      ['the mode after a stop is not set', 'setRawMode(false).setRawMode(true)', 'setRawMode(true)'],
      ['what was typed before a stop stays', "this.#terminal.write(null, { ctrl: true, name: 'u' });", ''],
      ['the terminal is not given back', 'if (isForeground()) this.#terminal.close();', ''],
    ]),
    ...of('commands/enable.ts', [
      ['some are switched if one is unknown', 'database.transaction(() => {', '(() => {'],
    ]),
    ...of('commands/prune.ts', [
      [
        'nothing to remove is no wrong use',
        '&& !vacuum)\n      command.error',
        '&& vacuum === false)\n      command.error',
      ],
      [
        'only the first piece goes',
        'isMore = [events, stats, ...Object.values(others)].includes(PIECE)',
        'isMore = false',
      ],
      ['events that are younger go', 'db.clock() - milliseconds', 'db.clock() - milliseconds / 2'],
      ['--vacuum is ignored', '= vacuum\n    ?', '= vacuum === false\n    ?'],
      [
        'a later failure hides what is gone',
        "withRemoved(removed, 'and",
        "withRemoved({ removedEvents: 0, removedUsageRows: 0 }, 'and",
      ],
    ]),
    ...of('run-command.ts', [
      [
        'SIGTERM is not passed on',
        "'SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']",
        "'SIGINT', 'SIGHUP', 'SIGQUIT']",
      ],
      [
        'a command that is ended by a signal succeeds',
        '(signal === null ? 0 : constants.signals[signal])',
        '0',
      ],
      [
        'a command that is missing is not executable',
        "if (errno === 'ENOENT') return EXEC_EXIT.notFound;",
        '',
      ],
    ]),
    ...of('skipped-rows.ts', [
      ['skipped rows are silent', 'if (items.length === 0) return;', 'if (items.length < 9) return;'],
      [
        'a row is counted each time',
        'JSON.stringify([details.table, details.id, details.column])',
        'String(this.#rows.size)',
      ],
    ]),
    ...of('terminal.ts', [
      [
        'bidirectional controls reach the terminal',
        'const UNSAFE = /[\\p{Cc}\\p{Cf}',
        'const UNSAFE = /[\\p{Cc}',
      ],
      [
        'warnings go to standard output',
        'process.stderr.write(render(text, process.stderr));',
        'process.stdout.write(render(text, process.stderr));',
      ],
      [
        'data is changed for a file',
        'process.stdout.isTTY ? visibleLines(text) : text',
        'visibleLines(text)',
      ],
      [
        'JSON has raw controls',
        'JSON.stringify(value, null, indent).replace(UNSAFE_IN_LINES, (character) =>',
        'JSON.stringify(value, null, indent).replace(/\\0/g, (character) =>',
      ],
    ]),
    ...of('open-vault.ts', [
      [
        '--db goes after the environment',
        "db === undefined ? 'PROXYVAULT_DB' : '--db';\n  const path = db ?? (named || undefined);",
        "named ? 'PROXYVAULT_DB' : '--db';\n  const path = named || db;",
      ],
      ['a pool may be named by a URL', '    assertPath(path, from);\n', ''],
      [
        'a pool that is missing is made',
        'if (!create && !existsSync(path)) {',
        'if (!create && path === null) {',
      ],
      [
        'an older pool is used',
        '!anyVersion && database.migrations.plan().length > 0',
        'anyVersion && database.migrations.plan().length > 99',
      ],
      ['a missing schema is not made', 'migrate: create,', 'migrate: create && anyVersion,'],
      [
        '--passphrase-file goes after the environment',
        'return passphraseFile ?? (process.env.PROXYVAULT_PASSPHRASE_FILE || undefined);',
        'return process.env.PROXYVAULT_PASSPHRASE_FILE || passphraseFile;',
      ],
      ['--key-file is ignored', '    keyFile,\n    passphrase:', '    passphrase:'],
      ['--trust-key-file is ignored', '    trustKeyFile,\n    // One', '    // One'],
      [
        'a new key is silent',
        'const onKeyCreated = sayWhereKeyIs(options);',
        'const onKeyCreated = undefined;',
      ],
      [
        'PROXYVAULT_MIGRATIONS_TABLE is ignored',
        'migrationsTable: process.env.PROXYVAULT_MIGRATIONS_TABLE || undefined,\n    onInvalidRow',
        'onInvalidRow',
      ],
      [
        'PROXYVAULT_ALLOW_OTHERS_TO_WRITE is ignored',
        "allowOthersToWrite: process.env.PROXYVAULT_ALLOW_OTHERS_TO_WRITE === '1',",
        '',
      ],
      ['malformed rows are not reported', 'skipped.report(options.json ?? false);', ''],
    ]),
    ...of('warn.ts', [
      ['21 rows are shown', 'const MOST_SHOWN = 20', 'const MOST_SHOWN = 21'],
      ['the rest is not counted', 'count > shown.length ? [', 'count > shown.length + 1 ? ['],
      ['a warning has no code', '`Warning: ${message} (${code})`', '`Warning: ${message}`'],
    ]),
    ...of('commands/add.ts', [
      ['--name is ignored', 'name: name ?? proxy.name', 'name: proxy.name'],
      ['--region is ignored', 'region: region ?? proxy.region', 'region: proxy.region'],
      [
        '--local-dns is ignored',
        'remoteDns: localDns ? false : proxy.remoteDns',
        'remoteDns: proxy.remoteDns',
      ],
      [
        '--strict-protocol is ignored',
        'strictProtocol: strictProtocol && protocol === undefined',
        'strictProtocol: false',
      ],
      [
        '--strict-protocol goes before --protocol',
        'strictProtocol: strictProtocol && protocol === undefined',
        'strictProtocol',
      ],
      ['another login of an option is taken', "if (given === '' || given === option) return;", 'return;'],
      ['the line end is a part of the password', ".replace(/\\r?\\n$/, '')", ''],
      [
        'the password is printed',
        'proxyViewer(vault, {})(created)',
        'proxyViewer(vault, { reveal: true })(created)',
      ],
      ['--format is ignored', '    format,\n    strict', '    strict'],
      [
        'socks5h and --local-dns are taken',
        'if (!localDns || !verdict.proxy.remoteDns) return verdict;',
        'return verdict;',
      ],
    ]),
    ...of('commands/backup.ts', [
      ['a backup is replaced without --force', 'overwrite: options.force', 'overwrite: true'],
      ['a backup in the place of the key', 'assertNotKeyFile(file, vault.keys.source());', ''],
    ]),
    ...of('commands/check.ts', [
      ['check is never deep', 'deep: options.deep }', 'deep: false }'],
      ['check is always deep', 'deep: options.deep }', 'deep: true }'],
      [
        'check of a damaged pool exits 0',
        'if (!report.ok || isUnverified) process',
        'if (isUnverified) process',
      ],
      ['check without its key exits 0', 'if (!report.ok || isUnverified) process', 'if (!report.ok) process'],
      ['broken references are not named', '...foreignKeys.map(', '...foreignKeys.slice(9).map('],
      [
        'missing parts of the schema are not named',
        '...schema.missing.map',
        '...schema.missing.slice(9).map',
      ],
      ['an older pool is not checked', 'anyVersion: true', 'anyVersion: false'],
    ]),
    ...of('commands/config.ts', [
      ['reset changes nothing', 'config.reset();', ''],
      ['all options are one row', "name === 'options'", "name === 'option'"],
    ]),
    ...of('settings.ts', [
      ['a setting that is given twice is taken', 'if (twice !== undefined)', "if (twice === '')"],
      ['an unknown setting is taken', 'if (unknown !== undefined)', "if (unknown === '')"],
      ['a setting without a value is taken', 'if (malformed !== undefined)', "if (malformed === '')"],
      ['an option and what it is in are both taken', 'if (within !== undefined)', "if (within === '')"],
      ['null is kept as an option', 'value ?? undefined', 'value'],
      ['null is an item of a list', " && text !== 'null'", ''],
      ['a list is never JSON', " && !text.trimStart().startsWith('[')", ''],
      ['blanks are part of an item', 'item.trim()', 'item'],
      ['malformed JSON is a text', 'if (!/^\\s*[[{]/.test(text)) return text;', 'return text;'],
    ]),
    ...of('commands/events.ts', [
      ['--limit is ignored', 'eventsView(vault, filter, limit)', 'eventsView(vault, filter, 20)'],
      ['--reason is ignored', 'const filter = { proxyId, reason,', 'const filter = { proxyId,'],
      ['--proxy is ignored', 'const filter = { proxyId, reason,', 'const filter = { reason,'],
      ['50 events by default', 'limit = 20', 'limit = 50'],
      ['--by hour drops --limit', 'options.limit !== undefined)', 'options.limit === -1)'],
    ]),
    ...of('commands/exec.ts', [
      ['--no-report is ignored', 'else if (options.report) await', 'else await'],
      ['--ok-exit is ignored', 'code === EXIT.ok || options.okExit.includes(code)', 'code === EXIT.ok'],
      [
        'an interruption is a fault of the proxy',
        '!success && code >= EXEC_EXIT.notExecutable',
        '!success && code > EXEC_EXIT.signal + 99',
      ],
      ['a login in the arguments is silent', 'hasCredentials && args.some', '!hasCredentials && args.some'],
      ['only the first {proxy} is replaced', 'arg.replaceAll(PLACEHOLDER', 'arg.replace(PLACEHOLDER'],
      ['--keep-no-proxy is ignored', '{ keepNoProxy: options.keepNoProxy }', '{}'],
      ['the exit code of the command is lost', 'process.exitCode = ended.code;', ''],
      ['an exit code of 256 is one', 'code <= 255', 'code <= 256'],
    ]),
    ...of('commands/export.ts', [
      ['--tag is ignored', 'layout, tag, reveal, onLeftOut', 'layout, reveal, onLeftOut'],
      [
        '--layout is ignored',
        '{ format, layout, tag, reveal, onLeftOut }',
        '{ format, tag, reveal, onLeftOut }',
      ],
      ['secrets are exported without --reveal', 'tag, reveal, onLeftOut }', 'tag, reveal: true, onLeftOut }'],
      ['--reveal is ignored', 'tag, reveal, onLeftOut }', 'tag, onLeftOut }'],
      ['what is left out exits 0', 'process.exitCode = EXIT.failure;', ''],
      ['the file is never finished', 'file?.publish();', ''],
      ['the last piece is lost', '  await write(text);\n  file?', '  file?'],
      ['JSON is the default', ".default('urls')", ".default('json')"],
      ['21 are kept', 'const KEPT_LEFT_OUT = 20', 'const KEPT_LEFT_OUT = 21'],
    ]),
    ...of('commands/import.ts', [
      ['--dry-run changes the pool', 'maxRemove, force, dryRun, batch },', 'maxRemove, force, batch },'],
      ['--tag is ignored', 'protocol, tag, sync', 'protocol, sync'],
      ['--sync is ignored', 'tag, sync, maxRemove', 'tag, maxRemove'],
      ['--max-remove is ignored', 'sync, maxRemove, force', 'sync, force'],
      ['--force is ignored', 'sync, maxRemove, force, dryRun', 'sync, maxRemove, dryRun'],
      ['--format is ignored', '...{ format, protocol', '...{ protocol'],
      ['--protocol is ignored', 'format, protocol, tag', 'format, tag'],
      ['--batch is ignored', 'dryRun, batch },', 'dryRun },'],
      ['--local-dns is ignored', 'remoteDns: localDns ? false : undefined', 'remoteDns: undefined'],
      [
        '--strict-protocol is ignored',
        'strictProtocol: strictProtocol && protocol === undefined',
        'strictProtocol: false',
      ],
      [
        'a sync that was stopped exits 0',
        'if (result.removal?.stopped) process.exitCode = EXIT.failure;',
        '',
      ],
      ['a list without a proxy exits 0', 'assertFound(result);', ''],
      [
        '--max-remove without --sync is dropped',
        'if (!sync && maxRemove !== undefined)',
        'if (sync === null && maxRemove !== undefined)',
      ],
      ['a stopped sync does not say what would go', 'onStopped: (removal) => warnOfStop(json, removal),', ''],
    ]),
    ...of('commands/list.ts', [
      ['--limit is ignored', '...filter, limit, after', '...filter, after'],
      ['--after is ignored', '...filter, limit, after', '...filter, limit'],
      ['the count is that of the whole pool', 'countByStatus(filter)', 'countByStatus()'],
      ['--sort is ignored', 'limit, after, sort }', 'limit, after }'],
      [
        'unreadable logins exit 0',
        'if (unreadable.length > 0) process',
        'if (unreadable.length > 9) process',
      ],
      ['the next page is not told', "next === null ? ''", "next !== null ? ''"],
      ['100 proxies by default', 'pageSize, 50)', 'pageSize, 100)'],
      ['--after takes anything', 'if (!isPlace(vault, options))', 'if (vault === null)'],
    ]),
    ...of('commands/migrate.ts', [
      ['--steps is ignored', 'down(options.steps)', 'down(1)'],
      [
        'pending migrations are not shown',
        '[...schema.applied, ...schema.pending].map',
        '[...schema.applied].map',
      ],
      [
        'status migrates',
        'run: ({ database }, options) => show(',
        'run: ({ database }, options) => void database.migrations.up() ?? show(',
      ],
    ]),
    ...of('commands/next.ts', [
      [
        'a masked login is silent',
        'view.hasCredentials && !options.reveal',
        'view.hasCredentials && options.reveal',
      ],
      ['nobody learns which proxy it is', 'note(options, text`Proxy:', 'note({ quiet: true }, text`Proxy:'],
    ]),
    ...of('proxy-filter-options.ts', [
      [
        '--tag is ignored',
        '{ tag, status, protocol, region, country, search };\n  return',
        '{ status, protocol, region, country, search };\n  return',
      ],
      [
        '--status is ignored',
        '{ tag, status, protocol, region, country, search };\n  return',
        '{ tag, protocol, region, country, search };\n  return',
      ],
      [
        '--protocol is ignored',
        '{ tag, status, protocol, region, country, search };\n  return',
        '{ tag, status, region, country, search };\n  return',
      ],
      [
        '--region is ignored',
        '{ tag, status, protocol, region, country, search };\n  return',
        '{ tag, status, protocol, country, search };\n  return',
      ],
      [
        '--country is ignored',
        '{ tag, status, protocol, region, country, search };\n  return',
        '{ tag, status, protocol, region, search };\n  return',
      ],
      [
        '--search is ignored',
        '{ tag, status, protocol, region, country, search };\n  return',
        '{ tag, status, protocol, region, country };\n  return',
      ],
    ]),
    ...of('commands/remove.ts', [
      [
        'ids and a filter are both taken',
        'filter !== null && typed.length > 0',
        'filter !== null && typed.length > 99',
      ],
      ['a filter takes all', ': proxies.iterate(filter)', ': proxies.iterate({})'],
      [
        'what changed meanwhile is removed too',
        'Array.from(proxies.iterate(filter)',
        'Array.from(proxies.iterate({})',
      ],
      ['a no removes', 'isConfirmed ? database', 'true ? database'],
      ['a no is a success', 'if (!isConfirmed) process', 'if (isConfirmed === null) process'],
    ]),
    ...of('wait-for-proxy.ts', [
      ['nobody waits', 'const { wait = 0 } = options;', 'const wait = 0;'],
      ['what cannot come is waited for', 'if (!mayCome(error)) throw error;', ''],
    ]),
    ...of('commands/reset.ts', [
      ['all are reset without a question', '!options.all || (await', 'options.all || (await'],
      ['those that only may try are reset', "iterate({ state: 'cooling' })", 'iterate({})'],
    ]),
    ...of('cooldown-table.ts', [
      ['cooldowns of other states are shown', 'each.state === state', 'each.state !== null'],
    ]),
    ...of('commands/report.ts', [
      ['the status is ignored', '    status,\n    retryAfterMs', '    retryAfterMs'],
      ['--fail is a success', 'ok === true ? true', 'fail === true ? true'],
      ['--latency is ignored', 'latencyMs: latency', 'latencyMs: undefined'],
      [
        'neither --ok nor --fail is a failure',
        'if (!options.ok && options.fail === undefined && options.status',
        'if (options.ok && options.fail === undefined && options.status',
      ],
      ['--ok and --fail are taken', ".conflicts('fail')", ''],
    ]),
    ...of('commands/restore.ts', [
      ['a pool is replaced without --force', 'overwrite: options.force', 'overwrite: true'],
      [
        'a key that does not fit fits',
        "problem === 'KEY_MISMATCH' ? 'does not fit' : 'fits'",
        "'fits' as 'fits' | 'does not fit'",
      ],
      ['a pending migration is not told', '...(pending ? [', '...(report === null ? ['],
      [
        'a locked key is not found',
        "if (code === 'KEY_LOCKED' || details",
        'if (details',
        'The command line waits for its key sources: none of them is KEY_LOCKED.',
      ],
      ['the replaced pool is not named', 'replaced === null ? []', 'replaced !== null ? []'],
    ]),
    ...of('commands/rules.ts', [
      ['enable disables', "switchCommand('enable', true)", "switchCommand('enable', false)"],
      [
        'an unknown rule is removed',
        "if (!rules.delete(id)) throw notFound('rotation rule', id);",
        'rules.delete(id);',
      ],
      ['malformed rules are silent', 'json ? [] : view.invalid', 'json ? view.invalid : []'],
    ]),
    ...of('commands/serve.ts', [
      ['the ports of --listen are not opened', 'of options.listen ?? [])', 'of [])'],
      ['--drain is ignored', 'gateway.close({ drainMs })', 'gateway.close()'],
      ['users are not asked for a login', '...gatewayOptions, users, logger', '...gatewayOptions, logger'],
      [
        'nobody hears of an empty pool',
        'if (proxies.count() > 0) return;',
        'if (proxies.count() >= 0) return;',
      ],
    ]),
    ...of('commands/serve/signals.ts', [
      ['a second signal changes nothing', 'stop();\n        endBySignal(signal);\n', ''],
    ]),
    ...of('commands/serve/users.ts', [
      ['a hash is taken for a password', "secret.startsWith('scrypt$')", "secret.startsWith('argon$')"],
      ['a password ends at a colon', 'each.slice(colon + 1)', "(each.split(':')[1] ?? '')"],
      ['nobody hears of a file that is open', 'isOpen && users.some', '!isOpen && users.some'],
    ]),
    ...of('commands/serve/announcement.ts', [
      ['a state without proxies is named', "state === 'ready' || states[state] > 0", 'states[state] >= 0'],
    ]),
    ...of('commands/show.ts', [
      ['--reveal is ignored', 'proxyViewer(vault, options)(proxy)', 'proxyViewer(vault, {})(proxy)'],
      ['domains are not shown', "domains: domains.join(', ')", 'domains: undefined'],
    ]),
    ...of('commands/stats.ts', [
      [
        '--from is ignored',
        '?.slice(0, 10), to: times.to }',
        '?.slice(99, 100) || undefined, to: times.to }',
      ],
      ['--to is ignored', '?.slice(0, 10), to: times.to }', '?.slice(0, 10) }'],
      ['the totals are of all days', 'vault.usage.totals(range)', 'vault.usage.totals({})'],
      ['--limit is ignored', '...range, sort, limit }', '...range, sort }'],
      ['the fewest failures come first', "failures: '-failures'", "failures: 'failures'"],
    ]),
    ...of('commands/sticky.ts', [
      ['--ttl is ignored', 'proxyId, ttl }', 'proxyId }'],
      [
        'an unknown domain is removed',
        "if (!sticky.delete(domain)) throw notFound('sticky session for', domain);",
        'sticky.delete(domain);',
      ],
      [
        'a URL is a domain of its own',
        'const { pattern: domain } = parseDomain(given);\n      const {',
        'const domain = given;\n      const {',
      ],
    ]),
  ],
};
