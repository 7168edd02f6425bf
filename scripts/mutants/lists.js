/** Faults of one file: what is wrong, the text, its replacement, and why no test can notice it. */
function of(file, faults) {
  return faults.map(([what, from, to, survives]) => ({
    file: `src/lists/${file}`,
    what,
    from,
    to,
    ...(survives && { survives }),
  }));
}

export default {
  tests: ['test/lists', 'test/model', 'test/transfer/export.test.ts'],
  faults: [
    ...of('parts/credentials.ts', [
      [
        'a login of 1025 characters is taken',
        'text.length > MAX_LOGIN_PART',
        'text.length > MAX_LOGIN_PART + 1',
      ],
      [
        'SOCKS5 logins are counted in characters',
        'Buffer.byteLength(text) > MAX_SOCKS5_BYTES',
        'text.length > MAX_SOCKS5_BYTES',
      ],
      ['SOCKS5 logins may have 256 bytes', 'const MAX_SOCKS5_BYTES = 255', 'const MAX_SOCKS5_BYTES = 256'],
      ['control characters in a login are taken', '/\\p{Cc}/u.test(text)', '/\\p{Cs}/u.test(text)'],
      ['the password is not checked', "assertPart('password', password, protocol);", ''],
      [
        'a masked login is imported',
        'if (username === MASK && password === MASK)\n',
        'if (username === MASK && password !== MASK)\n',
      ],
      ['a masked change-IP URL gives another reason', 'if (url === MASK) throw', "if (url === '') throw"],
      ['a change-IP URL is not checked', 'if (problem !== null) throw', "if (problem === '') throw"],
    ]),
    ...of('readers/line-splitter.ts', [
      [
        'CR and LF cut apart by a piece are two lines',
        "this.#afterCarriageReturn && text.startsWith('\\n') ? 1 : 0",
        '0',
      ],
      [
        'a line as long as the limit is too long',
        'this.#open.length + piece.length > this.#most',
        'this.#open.length + piece.length >= this.#most',
      ],
      [
        'a last line that is too long is silent',
        "this.#open !== '' || this.#tooLong ?",
        "this.#open !== '' ?",
      ],
      [
        'all lines after one that is too long are too long',
        '    this.#tooLong = false;\n    return line;',
        '    return line;',
      ],
    ]),
    ...of('decode.ts', [
      ['UTF-16 big-endian is read as little-endian', "return 'utf-16be'", "return 'utf-16le'"],
      ['a character cut in two is lost', 'decoder.decode(piece, { stream: true })', 'decoder.decode(piece)'],
      [
        'bytes that are not UTF-8 pass as U+FFFD',
        'text.split(REPLACEMENT).length === genuine',
        'text.split(REPLACEMENT).length >= genuine',
      ],
      ['a character that is cut off at the end passes', 'rest.replaceAll(REPLACEMENT, UNREADABLE)', 'rest'],
      ['a list of one byte is lost', 'decoder ? undefined : begun', 'undefined'],
      [
        'a long piece loses its end',
        'text.slice(start, start + MAX_PIECE)',
        'text.slice(start, start + MAX_PIECE - 1)',
      ],
    ]),
    ...of('parse-list.ts', [
      [
        'the head is read twice',
        "    for (const verdict of reader.push(head)) yield verdict;\n    head = '';\n  }",
        '    for (const verdict of reader.push(head)) yield verdict;\n  }',
      ],
      ['the rest of a list is not finished', 'for (const verdict of reader.finish()) yield verdict;', ''],
      [
        'a format is detected from the first piece',
        'if (!reader && head.length < HEAD_LENGTH) continue;',
        '',
      ],
    ]),
    ...of('readers/open-reader.ts', [
      [
        'headings are ignored with a format',
        'lineReader(readHeadedLines(options))',
        "lineReader(readHeadedLines({ ...options, format: 'auto' }))",
      ],
      [
        'asked formats go before what it looks like',
        'if (reason !== null) return',
        "if (reason !== null && format === 'auto') return",
      ],
      ['csv is not forced by the option', "format === 'auto' ?", "format === 'auto' || format === 'csv' ?"],
      ['a JSON list on one line is JSON lines', "end === -1 || text.slice(end).trim() === ''", 'end === -1'],
      ['quotes make no CSV', '/^\\s*"[^"]*"\\s*[,;\\t|]\\s*\\S/.test(line) || ', ''],
      ['sep= makes no CSV', 'separatorOf(line) !== null || ', ''],
      ['a template in braces is JSON', '!isTemplate && ', ''],
      [
        'outbounds are read as JSON',
        'if (/^\\{/.test(text) && /"outbounds"',
        'if (/^\\[/.test(text) && /"outbounds"',
      ],
    ]),
    ...of('options.ts', [
      ['any protocol is an option', '!PROXY_PROTOCOLS.includes(protocol)', "typeof protocol !== 'string'"],
      [
        'any strictProtocol is an option',
        "typeof strictProtocol !== 'boolean'",
        "typeof strictProtocol === 'function'",
      ],
      ['any format is an option', '!LIST_FORMATS.includes(format)', "typeof format !== 'string'"],
    ]),
    ...of('readers/looks-like.ts', [
      [
        'a tenth of strange characters is no list',
        'strange.length * 10 > head.length',
        'strange.length * 100 > head.length',
      ],
      ['short Base64 is decoded', 'const LEAST_BASE64 = 40', 'const LEAST_BASE64 = 20'],
    ]),
    ...of('source.ts', [
      [
        'a promise is told to be no list without advice',
        "types.isPromise(source) ? ': await it first' : ''",
        "''",
      ],
      [
        'a text that is a path is read as a list',
        "typeof source !== 'string' || !isPath(source.trim())",
        "typeof source !== 'string' || !isPath(source)",
      ],
      [
        'a path with a colon is repeated',
        '/:(?![\\\\/])/.test(source)',
        '/:(?![\\\\/])/.test(source.slice(2))',
      ],
      [
        'a file URL in an array is a proxy',
        'if (element instanceof URL) assertProxyUrl(element, index);',
        'if (element instanceof URL) continue;',
      ],
      ['the index of a wrong element is missing', '{ index },\n      );\n  }', '{},\n      );\n  }'],
      ['the default port of https is that of http', "'https:': '443'", "'https:': '80'"],
      ['a path with a null character is opened', "file !== '' && !file.includes('\\0')", "file !== ''"],
      ['a URL loses its hash', '${path}${search}${hash}', '${path}${search}'],
      [
        'lines of a line reader run together',
        'for await (const line of lines) yield `${line}\\n`;',
        'for await (const line of lines) yield line;',
      ],
      ['lines of an array run together', "text.endsWith('\\n') ? text : `${text}\\n`", 'text'],
    ]),
    ...of('parts/url.ts', [
      [
        'a URL shows its login without reveal',
        'const login = reveal\n',
        'const login = reveal !== undefined\n',
      ],
      [
        'a username alone is left out',
        "if (username === '' && password === '') return `${scheme}://${address}`;",
        "if (username === '' || password === '') return `${scheme}://${address}`;",
      ],
      ['IPv6 has no brackets', "host.includes(':') ? `[${host}]` : host", 'host'],
      ['small hexadecimal digits are not decoded', '/(?:%[\\da-f]{2})+/gi', '/(?:%[\\dA-F]{2})+/g'],
      ['what is not UTF-8 is dropped', '      return escapes;', "      return '';"],
    ]),
    ...of('parts/template.ts', [
      ['an empty value fills a placeholder', "value !== undefined && value !== ''", 'value !== undefined'],
      [
        'placeholders of the password are not named',
        '`${username}\\n${password}`.matchAll',
        'username.matchAll',
      ],
      [
        'the password of a template is not filled',
        'password: fill(login.password)',
        'password: login.password',
      ],
      ['a placeholder is named twice', 'return [...new Set(found)]', 'return found'],
      ['ttl is no placeholder', '/\\{(session|country|ttl)\\}/g', '/\\{(session|country)\\}/g'],
    ]),
    ...of('parts/mask.ts', [
      [
        'an ambiguous line is not masked',
        "if (code === 'ambiguous') return",
        "if (code === 'truncated') return",
      ],
      ['the scheme of a masked line is lost', '${scheme}${MASK}@${maskAddress', '${MASK}@${maskAddress'],
      ['the first @ separates', "rest.lastIndexOf('@')", "rest.indexOf('@')"],
      [
        'an address before an @ is shown',
        'username === undefined || isBareAddress(username)',
        'username === undefined',
      ],
      [
        'what follows an address is shown',
        'ip.length === text.length ? ip : `${ip}${MASK}`',
        'ip.length === text.length ? ip : text',
      ],
      ['digits after a port are shown', '(?::\\d{1,5}(?!\\d))?(?![\\p{L}\\d.])/iu', '(?::\\d{1,5})?/iu'],
    ]),
    ...of('parts/harmless.ts', [
      ['two common words are harmless', 'const LEAST_WORDS = 3', 'const LEAST_WORDS = 2'],
      ['repeated words count', 'words.add(word.toLowerCase())', 'words.add(word + index)'],
      ['numbers of any length are harmless', '#?\\d{1,3}%?', '#?\\d{1,9}%?'],
      ['two unknown words after an address are harmless', 'others.length <= 1 &&', 'others.length <= 2 &&'],
      [
        'an unknown word after an address is harmless',
        'others.every((word) => COUNTRY.test(word))',
        'others.every((word) => /^[a-z]+$/i.test(word))',
      ],
      [
        'random case is a common word',
        '/^(?:[A-Z]?[a-z-]*|[A-Z-]+)$/.test(word)',
        '/^[A-Za-z-]*$/.test(word)',
      ],
      [
        'a label before a colon is harmless',
        'if (colon && index < tokens.length - 1 && !LABELS.test(word)) return null;',
        '',
      ],
      ['a password may end as a rare domain', 'isLong && OTHER_DOMAINS', 'OTHER_DOMAINS'],
    ]),
    ...of('parts/scheme.ts', [
      [
        'socks4a does not resolve names',
        "['socks4a', { protocol: 'socks4', remoteDns: true }]",
        "['socks4a', SOCKS4]",
      ],
      ['a URL says socks5h for a client that resolves', 'if (!remoteDns) return protocol;', ''],
      [
        'strictProtocol assumes http',
        'if (!strictProtocol) return { protocol };',
        "if (!strictProtocol || protocol !== 'http') return { protocol };",
      ],
      [
        'http and https beside each other are two proxies',
        'return isTunnel ? [TUNNELS]',
        'return isTunnel && byProtocol.size > 2 ? [TUNNELS]',
      ],
      ['protocols that disagree are taken', 'if (differ) throw', 'if (differ && others.length > 1) throw'],
      [
        'socks without a version is a foreign kind',
        'if (/^socks$/.test(plain))',
        'if (/^socksx$/.test(plain))',
      ],
      ['trojan is not named', 'vless trojan', 'vless'],
      ['SOCKS v5 is no protocol', ".replace(/[\\s_-]/g, '')", ".replace(/[_-]/g, '')"],
    ]),
    ...of('parts/address.ts', [
      [
        'an IPv6 address without brackets is cut',
        'if (isIPv6(text) || isIPv6(text.slice',
        'if (isIPv6(text) && isIPv6(text.slice',
      ],
      [
        'the column of a wrong port is that of the host',
        "from 1 to 65535', at + end + 1)",
        "from 1 to 65535', at)",
      ],
      ['a column of a missing port is that of the host', 'at + end);', 'at);'],
      [
        'bullets become a part of a host',
        'return isConverted && MARK.test(text)',
        'return isConverted && MARK.test(parsed.host)',
      ],
      ['localhost is not sure', " || parsed.host === 'localhost'", ''],
      [
        'text after the bracket of IPv6 is another host',
        "next !== undefined && next !== ':'",
        "next !== undefined && next === '.'",
      ],
    ]),
    ...of('line/parse-line.ts', [
      [
        'a login before an @ without a scheme is decoded',
        "isUrl && read.form === 'user:pass@host:port' ? decodePercent",
        "read.form === 'user:pass@host:port' ? decodePercent",
      ],
      ['the numbers of proxies are comments', '#(?!\\d{1,5}[.):]?\\s+\\S+[:.]\\d)', '#'],
      [
        'a URL in a login is taken',
        "if (`${username}:${password}`.includes('://')) throw",
        "if (username.includes('://')) throw",
      ],
      [
        'a line with several proxies gives the first',
        'if (verdict && others.length === 0) return verdict;',
        'if (verdict) return verdict;',
      ],
      [
        'an uncertain login is taken',
        'if (form === undefined) assertCertain(',
        'if (form !== undefined) assertCertain(',
      ],
      ['invisible characters vanish from a login', 'line.includes(text) || !hasLogin', 'true || !hasLogin'],
      ['columns of a refusal count in the trimmed line', "at: line.indexOf(text[0] ?? '')", 'at: 0'],
      [
        'half a login has no note',
        "username === '' && password !== ''",
        "username === '' && password === ''",
      ],
      [
        'a private address has no note',
        "isPrivateHost(proxy.host) ? 'the address",
        "isPrivateHost(proxy.host) && proxy.host === '' ? 'the address",
      ],
      ['colon is no form', "if (format === 'colon') return 'host:port:user:pass';", ''],
    ]),
    ...of('line/plain-line.ts', [
      ['port 65536 is plain', 'port <= MAX_PORT && isIPv4', 'port <= MAX_PORT + 1 && isIPv4'],
      [
        'a scheme of a plain line is ignored',
        'return scheme && { ...scheme, ...endpoint };',
        'return scheme && { protocol: scheme.protocol, ...endpoint };',
      ],
      [
        'strictProtocol does not hold for plain lines',
        'strictProtocol ? null :',
        'strictProtocol === null ? null :',
      ],
      [
        'a named form does not hold for plain lines',
        "NAMED_FORMS.has(options.format ?? 'auto') ? null :",
        '',
      ],
      ['a doubtful login is plain', 'return isWord || LAST_WORD.test(password);', 'return isWord;'],
      ['a country is a plain username', 'const isWord = isPlaceOrKind(username) ||', 'const isWord ='],
    ]),
    ...of('line/links.ts', [
      ['MTProto is SOCKS', " || values.has('secret')", ''],
      [
        'a plus sign of a link is a blank',
        "decodePercent(value.join('='))",
        "decodePercent(value.join('=').replaceAll('+', ' '))",
      ],
      [
        'the second value of a name counts',
        'if (values.has(name)) throw',
        "if (values.has(name) && name === '') throw",
      ],
      ['an equals sign ends a value', "value.join('=')", "(value[0] ?? '')"],
    ]),
    ...of('line/around.ts', [
      ['invisible characters of a name are removed', 'hash === -1\n', 'hash !== -2\n'],
      ['HTTPS_PROXY names the protocol', 'else if (/https/i.test(name))', 'else if (/httpsx/i.test(name))'],
      ['no_proxy is a proxy', '^(?!.*(?:^|[_.-])non?[_-]?prox)', '^'],
      [
        'curl --socks5 is http',
        'if (version !== undefined) schemes.push',
        "if (version === '') schemes.push",
      ],
    ]),
    ...of('line/annotation.ts', [
      ['seconds are milliseconds', "unit.toLowerCase() === 'ms' ? 1 : 1000", '1'],
      ['UK stays UK', 'new Intl.Locale(`und-${code}`).region', 'code'],
      ['NO is always the opposite of yes', "said.geolocation = { country: 'NO' }", 'said.isPartly = true'],
      [
        'an annotation of another proxy is changed',
        'if (said.geolocation) said.geolocation = { ...said.geolocation };',
        '',
      ],
      [
        'numbers alone are an annotation',
        'text.length > MAX_LENGTH || /^[\\s,;|/]*\\d[\\d\\s,;|/]*$/.test(text)',
        'text.length > MAX_LENGTH',
      ],
      [
        'the last country counts',
        'else said.geolocation = { country, ...said.geolocation };',
        'else said.geolocation = { ...said.geolocation, country };',
      ],
      ['an AS number of 0 is taken', 'asn >= 1 &&', 'asn >= 0 &&'],
    ]),
    ...of('line/headings.ts', [
      [
        'SOCKS as a heading is SOCKS5',
        '{ ...options, strictProtocol: true };',
        "{ ...options, protocol: 'socks5' };",
      ],
      ['a heading with several takes the first', 'strictProtocol: !isOne', 'strictProtocol: false'],
    ]),
    ...of('line/columns.ts', [
      ['three columns and more are a login', 'more.length > 0 || !isLogin', '!isLogin'],
      [
        'a separator in a password is taken',
        'if (/[,;|]/.test(password)) throw',
        "if (/[,;|]/.test(username ?? '')) throw",
      ],
      ['two cities are a login', 'return !isPlace &&', 'return'],
      [
        'cells after empty ones are lost',
        "given.findLastIndex((cell) => cell.trim() !== '') + 1",
        "(given.findIndex((cell) => cell.trim() === '') + 1 || given.length + 1) - 0",
      ],
      [
        'a protocol after the login is ignored',
        'schemes: schemes.flatMap((named) => named ?? [])',
        'schemes: []',
      ],
      [
        'the wrong port of columns is a wrong host',
        "if (address) throw new Refused('bad-port'",
        "if (!address) throw new Refused('bad-port'",
      ],
    ]),
    ...of('line/certain-login.ts', [
      ['a blank in a login is taken', 'if (/\\s/.test(both)) return', 'if (/\\t/.test(both)) return'],
      [
        'a quote at the end of a password is taken',
        '(QUOTE.test(username) || QUOTE.test(password))',
        '(QUOTE.test(username))',
      ],
      [
        'an address in a password is taken',
        'if (PORT_INSIDE.test(password)) return',
        'if (PORT_INSIDE.test(username)) return',
      ],
      ['a masked password is imported', '/^\\*{3,}$/.test(password)', '/^\\*{9,}$/.test(password)'],
      [
        'a protocol as password is taken',
        'if (namesProtocol(password)) return',
        'if (namesProtocol(username)) return',
      ],
      ['a word before the username is taken', 'WORD_BEFORE.test(username) ||\n', ''],
      ['a cut off password is taken', 'CUT_OFF.test(password) || ', ''],
      ['a password that ends in a country is taken', 'isAtEnd = isAnnotated || ', 'isAtEnd = '],
    ]),
    ...of('line/several.ts', [
      [
        'a protocol of some is that of all',
        'named.length === 0 || named.length === pieces.length ? all : null',
        'all',
      ],
      [
        'pieces that are no proxies are left out',
        'if (!verdicts.every(isSure)) return null;',
        'if (!verdicts.every(isSure)) continue;',
      ],
      ['a colon at the end of a password is taken', " && !password.endsWith(':')", ''],
    ]),
    ...of('line/forms.ts', [
      ['the first of several readings counts', 'if (others.length > 0) {', 'if (others.length > 1) {'],
      ['a host of one word goes before an address', 'sure.length > 0 ? sure : readings', 'readings'],
      [
        'the password ends at the fourth colon',
        "password: text.slice(colon + 1, end) };\n  return { form: 'host:port:user:pass'",
        "password: text.slice(colon + 1, end).split(':')[0] ?? '' };\n  return { form: 'host:port:user:pass'",
      ],
      ['a wrong port is a username', ' || hasWrongPort(text, userEnd)', ''],
      [
        'an @ in a password is the first',
        "const split = text.lastIndexOf('@');\n  if (split === -1) return null;",
        "const split = text.indexOf('@');\n  if (split === -1) return null;",
      ],
      ['in a URL the login may stand after the address', 'isUrl && held[0]?.form', '!isUrl && held[0]?.form'],
    ]),
    ...of('line/tail.ts', [
      ['a name is 257 characters long', 'name.length <= MAX_NAME', 'name.length <= MAX_NAME + 1'],
      ['a name is not decoded', 'const name = decodePercent(raw);', 'const name = raw;'],
      [
        'a path after the port is ignored',
        "if (/^[/?]\\S/.test(text)) throw new Refused('trailing-text', 'a path or query follows the port', at);",
        'if (/^[/?]\\S/.test(text)) return {};',
      ],
      [
        'a login in a comment is dropped',
        "if (after === 'address' && mayBeLogin(said))",
        "if (after === 'login' && mayBeLogin(said))",
      ],
      [
        'a comment cuts a password',
        "after === 'password' && !/^\\s+(?:#+|;|\\/\\/)\\s/.test(text)",
        "after === 'password' && !/^\\s*(?:#+|;|\\/\\/)/.test(text)",
      ],
      ['a protocol in a comment is ignored', 'if (hasProtocol(text))\n', "if (text === '')\n"],
      [
        'a name that is a login is taken',
        '(isPair(raw) || (/\\s/.test(raw) && mayBeLogin(raw)))',
        '(/\\s/.test(raw) && mayBeLogin(raw))',
      ],
    ]),
    ...of('line/tail.ts', [
      ['a bare address is a change-IP URL', "pathname !== '/' || search !== ''", 'true'],
    ]),
    ...of('record/details.ts', [
      [
        'a name with a login is stored',
        'NAME_WITH_LOGIN.test(text))',
        "what === 'region' && NAME_WITH_LOGIN.test(text))",
      ],
      [
        'a region with a login is stored',
        'NAME_WITH_LOGIN.test(text))',
        "what === 'name' && NAME_WITH_LOGIN.test(text))",
      ],
      ['a region that is left out has no note', 'MAX_REGION, leftOut', 'MAX_REGION, []'],
      [
        'a region of 129 characters is stored',
        "fields.get('region'), MAX_REGION",
        "fields.get('region'), MAX_REGION + 1",
      ],
      [
        'a name of 257 characters is stored',
        "fields.get('name'), MAX_NAME",
        "fields.get('name'), MAX_NAME + 1",
      ],
      [
        'disabled proxies come back active',
        "if (status?.value === 'disabled') proxy.status = 'disabled';",
        "if (status?.value === 'disabled') proxy.status = undefined;",
      ],
      [
        'proxyDNS false makes names be resolved locally',
        'return readFlag(proxyDns?.value) === true ? true : undefined;',
        'return readFlag(proxyDns?.value);',
      ],
      [
        'a change-IP URL that is no text is dropped',
        "throw new Refused('bad-record', `${nameOrMember(name)} is not a URL of http or https`);",
        'return undefined;',
      ],
    ]),
    ...of('record/field-names.ts', [
      [
        'a time in s is in milliseconds',
        "rank: short.rank - 0.5, unit: 's'",
        "rank: short.rank - 0.5, unit: 'ms'",
      ],
      ['a name with a unit comes after one without', 'rank: time.rank - 0.5', 'rank: time.rank + 0.5'],
      ['a long name holds no login', 'name.length > MAX_NAME || (LOGIN_LIKE', '(LOGIN_LIKE'],
    ]),
    ...of('record/fields.ts', [
      [
        'the worst name of a field counts',
        'meaning.rank < best.meaning.rank',
        'meaning.rank > best.meaning.rank',
      ],
      [
        'an empty password is no password',
        "this.hasEmptyPassword ||= meaning.field === 'password'",
        "this.hasEmptyPassword ||= meaning.field === 'username'",
      ],
      [
        'a null is a value',
        'if (value === null || value === undefined) continue;',
        'if (value === undefined) continue;',
      ],
    ]),
    ...of('record/geolocation.ts', [
      [
        'a city that is too long has no note',
        "if (typeof value === 'object') notes.push(value.note);",
        "if (typeof value === 'object') continue;",
      ],
      [
        'a city that is too long hides another',
        "values.find((value) => typeof value !== 'object') ?? values[0]",
        'values[0]',
      ],
      ['latitude is from -180', "level.get('latitude'), -90, 90", "level.get('latitude'), -180, 180"],
      ['longitude is up to 90', "level.get('longitude'), -180, 180", "level.get('longitude'), -90, 90"],
      ['countries stay in small letters', 'country.toUpperCase()', 'country'],
      [
        'a country that is no code has no note',
        'country !== undefined && code === undefined ? [NO_CODE]',
        "country === '' && code === undefined ? [NO_CODE]",
      ],
      ['an AS number of 33 bits is taken', '1, MAX_ASN', '1, 8_589_934_591'],
      [
        'the region of the record is that of the exit',
        "isRecord ? null : level.get('region')",
        "level.get('region')",
      ],
      [
        'a timezone of 65 characters is taken',
        "level.get('timezone'), MAX_TIME_ZONE",
        "level.get('timezone'), MAX_TIME_ZONE + 1",
      ],
      [
        'coordinates inside location are not looked for',
        "return [fields, inside, entriesOf(inside.get('nested'))];",
        'return [fields, inside];',
      ],
    ]),
    ...of('record/record.ts', [
      [
        'a member that may be a login is only a note',
        'assertNoOtherLogin(other, wholeLogin(endpoints, login, fields));',
        '',
      ],
      ['a login beside the proxy is taken', 'assertLoginInside(beside);', ''],
      ['two ports are one', "if (field === 'port' ||", "if (field === 'asn' ||"],
      [
        'socks5h and remoteDns false are taken',
        'if (isSocks && remoteDns !== undefined && proxy.remoteDns === !remoteDns)',
        'if (isSocks && remoteDns !== undefined && proxy.remoteDns === remoteDns)',
      ],
      [
        'remoteDns of an HTTP proxy is dropped',
        'if (!isSocks && remoteDns === false)',
        'if (isSocks && remoteDns === null)',
      ],
      [
        'a record that is refused shows its URL',
        'return maskLine(port === undefined ? host : `${host}:${plainText(port)}`, code);',
        'return port === undefined ? host : `${host}:${plainText(port)}`;',
      ],
      ['unread members have no note', ', ...other.map(({ name }) => names.noteOf(name))]', ']'],
      [
        'another protocol is not looked for',
        'if (schemes.length === 0) assertNoOtherProtocol',
        'if (schemes.length > 9) assertNoOtherProtocol',
      ],
    ]),
    ...of('record/endpoint.ts', [
      [
        'a URL and a port that disagree are taken',
        '(port !== undefined && port !== verdict.proxy.port)',
        '(port === 0 && port !== verdict.proxy.port)',
      ],
      [
        'a URL and a host that disagree are taken',
        '(address !== null && address.host !== verdict.proxy.host)',
        '(address === null && host !== undefined)',
      ],
      [
        'tls of a record is ignored',
        'isTls ? withTls(unnamedScheme(options)) : unnamedScheme(options)',
        'unnamedScheme(options)',
      ],
      [
        'a URL that is rejected is a link',
        'const isElsewhere = host !== undefined && port !== undefined && !mayHoldLogin;',
        'const isElsewhere = host !== undefined && port !== undefined;',
      ],
    ]),
    ...of('record/login.ts', [
      [
        'two different passwords are one',
        "one !== '' && other !== '' && one !== other",
        "one !== '' && other !== '' && one === null",
      ],
      ['the word none is a login', 'every((part) => NOTHING.test(part))', "every((part) => part === '')"],
      [
        'a colon in a password ends it',
        'password: text.slice(colon + 1) };\n}\n\n/** Whether a value may',
        "password: text.slice(colon + 1).split(':')[0] };\n}\n\n/** Whether a value may",
      ],
      [
        'a login that is no text is dropped',
        "throw new Refused('bad-credentials', `the ${part} is not a text`);",
        'return {};',
      ],
      [
        'a username with a colon is taken',
        "throw new Refused('ambiguous', 'the username has a colon and there is no password: it may hold both');",
        'return login;',
      ],
      ['a login deep inside a member is passed over', "if (typeof each === 'object') stack.push(each);", ''],
      ['a column without a name is passed over', 'if (isNameless && !/^', 'if (!isNameless && isHalf && !/^'],
      ['harmless names hold logins', ' && !HARMLESS.test(plainName(name))', ''],
    ]),
    ...of('record/protocol.ts', [
      [
        'two members with other protocols are taken',
        'else if (!isSame(found, schemes))',
        'else if (found.length === 0)',
      ],
      [
        'flags and names that disagree are taken',
        '!flagged.some((flag) => includes(named, flag))',
        'flagged.some((flag) => !includes(flagged, flag))',
      ],
      [
        'SOCKS inside TLS is SOCKS',
        "throw new Refused('unknown-scheme', `${scheme.protocol} inside TLS is not supported`);",
        'return scheme;',
      ],
      [
        'https without http is https',
        "else if (isHttps && fields.has('http'))",
        "else if (!isHttps && fields.has('http') && schemes.length > 9)",
      ],
      [
        'a number is a protocol',
        'throw notAWord();\n}\n\nfunction notAWord',
        'return [];\n}\n\nfunction notAWord',
      ],
      ['the ninth protocol is read', 'const MOST = 8', 'const MOST = 9'],
    ]),
    ...of('record/named-line.ts', [
      [
        'a protocol that disagrees with its column counts',
        "return refused('ambiguous', 'the protocol beside",
        "if (ofTargets) return verdict;\n    return refused('ambiguous', 'the protocol beside",
      ],
      [
        'remote DNS of a column is lost',
        'remoteDns ? { ...verdict.proxy, remoteDns } : verdict.proxy',
        'verdict.proxy',
      ],
    ]),
    ...of('record/response-time.ts', [
      ['100 may be seconds', 'const LEAST_MILLISECONDS = 100', 'const LEAST_MILLISECONDS = 101'],
      ['10.5 is seconds', 'const MOST_SECONDS = 10', 'const MOST_SECONDS = 11'],
      ['more than an hour is taken', 'milliseconds <= most ?', 'milliseconds <= MOST_LATENCY ?'],
      ['0 of any name is a time', 'if (number === 0 && !isLatency) return undefined;', ''],
      [
        'a comma of thousands is one of decimals',
        'if (/,\\d{3}$/.test(digits)) return',
        'if (/,\\d{4}$/.test(digits)) return',
      ],
      ['times are cut off', 'Math.round(milliseconds)', 'Math.floor(milliseconds)'],
    ]),
    ...of('record/unread-names.ts', [
      ['a name that may be a login is shown', 'NAME.test(text) ? `"${text}"` : \'\'', '`"${text}"`'],
      ['notes have no end', "quoted === '' || this.#notes.size >= MOST_NAMES", "quoted === ''"],
    ]),
    ...of('record/values.ts', [
      ['unpaired surrogates are printable', '|| !value.isWellFormed()', ''],
      ['off is no flag', 'no|n|off|nein', 'no|n|nein'],
      ['unknown is known', '|undefined|unknown)$/i', '|undefined)$/i'],
      [
        'a number in a text is no number',
        "(typeof value === 'string' && /^",
        "(typeof value === 'bigint' && /^",
      ],
    ]),
    ...of('record/formulas.ts', [
      ['a cell after a semicolon is a formula', '/(?:^|[;\\t|])[\\s"\']*[=+\\-@', '/(?:^)[\\s"\']*[=+\\-@'],
      [
        'an @ begins no formula',
        '/(?<=^|[;\\t|])(?=[\\s"\']*[=+\\-@＝',
        '/(?<=^|[;\\t|])(?=[\\s"\']*[=+\\-＝',
      ],
      ['escaped cells keep their apostrophe', "value.replace(APOSTROPHE, '')", 'value'],
    ]),
    ...of('writers/list-formatter.ts', [
      [
        'a proxy in an unknown place is left out',
        'const proxy = withKnownPlace(given);',
        'const proxy = given;',
      ],
      ['secrets are written without reveal', 'this.#reveal ? proxy : masked(proxy)', 'proxy'],
      [
        'a change-IP URL is written without reveal',
        '...(rotateUrl === undefined ? {} : { rotateUrl: MASK })',
        '',
      ],
      [
        'what comes back as another proxy is written',
        'back === null || !isDeepStrictEqual(known(carried(back)), known(carried(proxy)))',
        'back === null',
      ],
      [
        'the first proxy is separated too',
        "this.#isFirst ? '' : this.#writer.between",
        'this.#writer.between',
      ],
      [
        'an empty list has a line',
        "this.#isFirst && this.#writer.begin === '' ? ''",
        "this.#isFirst && this.#writer.begin !== '' ? ''",
      ],
      ['lost change-IP URLs are not told', "lost.push('rotateUrl')", 'void 0'],
      [
        'lost remote DNS is not told',
        'proxy.remoteDns !== undefined && proxy.remoteDns !== back.remoteDns',
        'proxy.remoteDns === false && proxy.remoteDns !== back.remoteDns',
      ],
    ]),
    ...of('writers/proxy-writer.ts', [
      ['quotes in a CSV are not doubled', "text.replaceAll('\"', '\"\"')", 'text'],
      ['blanks at the edge of a cell are lost', '/[",]|^\\s|\\s$/', '/[",]/'],
      [
        'the status is not exported',
        'latency, status, weight } = proxy;',
        'latency, weight } = proxy;\n  const status = undefined;',
      ],
      [
        'the scheme of colons is missing for https',
        "protocol === 'http' ? ''",
        "protocol.startsWith('http') ? ''",
      ],
      [
        'a layout is never a URL',
        'const isUrl = /^(?:\\{protocol\\}|[a-z\\d]+)',
        'const isUrl = /^(?:\\{protocols\\}|[a-z\\d]+)',
      ],
      ['placeholders stay escaped', '%7B(session|country|ttl)%7D/g', '%7B(session|country)%7D/g'],
      ['names of a URL are not exported', "name === undefined ? '' : `#${escaped(name)}`", "''"],
      ['formulas are not escaped', "typeof value === 'string' ? escapeFormula(value) : value", 'value'],
    ]),
    ...of('readers/list-reader.ts', [
      [
        'lines that are too long are not counted',
        'placedLine(line, ++count, read)',
        'placedLine(line, line === null ? count : ++count, read)',
      ],
      ['a line of 8193 characters is read', 'export const MAX_LINE = 8192', 'export const MAX_LINE = 8193'],
      ['the column of a line that is too long is 1', 'column: most + 1, line', 'column: 1, line'],
      ['the code does not mask', 'text: mask(verdict.code) };', "text: mask('bad-host') };"],
    ]),
    ...of('readers/csv.ts', [
      [
        'comments before a header are lost',
        'yield* this.#readBanner(lines.slice(0, found?.index ?? 0));',
        '',
      ],
      ['a second header is a row', 'line === this.#headerLine || ', ''],
      [
        'a row with more cells than the header is taken',
        "if (cells.slice(names.length).some((cell) => cell.trim() !== ''))",
        "if (cells.slice(names.length + 1).some((cell) => cell.trim() !== ''))",
      ],
      ['a semicolon begins a comment of any CSV', "return delimiter === ';' ?", "return delimiter === '' ?"],
      [
        'a long row is counted once more',
        'placedLine(line, ++this.#count, (text) => this.#verdicts(',
        'placedLine(line, line !== null ? ++this.#count : (this.#count += 2) - 1, (text) => this.#verdicts(',
      ],
      [
        'more cells than protocols are dropped',
        "return badRow('there are more cells than protocols');",
        'return [];',
      ],
      ['headings do not hold in CSV', 'this.#options = below ?? this.#options;', ''],
      [
        'one bad quote spoils the others',
        'lines.map((line) => this.#parse([line])[0] ?? null)',
        'lines.map(() => null)',
      ],
    ]),
    ...of('readers/header.ts', [
      ['a header comes after 20 lines', '++passed > MOST_BANNER', '++passed > 3'],
      [
        'one known name after a banner is a header',
        'fields.size > 1 || (hasHost && !isAfterOthers)',
        'fields.size > 1 || hasHost',
      ],
      [
        'a header in a comment is ignored',
        'return hidden?.hasHost && hidden',
        'return hidden?.hasHost === false && hidden',
      ],
      [
        'the last delimiter wins a tie',
        'each.count > best.count ? each : best',
        'each.count >= best.count ? each : best',
      ],
    ]),
    ...of('readers/proxychains.ts', [
      [
        'a username alone is taken',
        "throw new Refused('ambiguous', 'a username stands without a password');",
        "return acceptProxy({ ...endpoint, username, password: '' }, [note]);",
      ],
      [
        'text after the password is dropped',
        "if (more.length > 0 && !more[0]?.startsWith('#'))",
        "if (more.length > 1 && !more[0]?.startsWith('#'))",
      ],
      ['a configuration without proxies is empty', 'if (!hasRead) yield', 'if (false) yield'],
      [
        'prose is a wrong scheme',
        'schemeOf(type) === null && parsePort(port) === null',
        'schemeOf(type) === null && parsePort(port) === -1',
      ],
    ]),
    ...of('readers/proxifier.ts', [
      [
        'a login that is switched off is read',
        "attributes.enabled !== 'false'",
        "attributes.enabled !== 'no'",
      ],
      [
        'an encrypted password is imported',
        'const reason = this.#whyUnreadable(password);',
        'const reason = null as string | null;',
      ],
      ['HTTPS of Proxifier is https', "isTunnel ? 'http' : type", 'type'],
      ['a profile that is cut off is whole', 'if (!this.#tokens.isComplete)', 'if (this.#isOver)'],
      [
        'a profile without proxies is silent',
        'else if (!this.#hasRead) yield',
        'else if (this.#isOver) yield',
      ],
      ['a password in pieces loses its beginning', "(this.#entry.values.get(member) ?? '') + text", 'text'],
      ['the line of a proxy is 1', 'this.#entry = { line, type', 'this.#entry = { line: 1, type'],
    ]),
    ...of('readers/xml-tokens.ts', [
      [
        'entities of 16 KiB are read',
        'if (this.#open.length > MAX_TOKEN) throw',
        'if (this.#open.length > MAX_TOKEN * 9) throw',
      ],
      [
        'unknown entities vanish',
        "if (decoded === undefined) throw new UnreadXml('it has an entity that is not one of XML itself');\n    return decoded;",
        "return decoded ?? '';",
      ],
      [
        'tags need not be nested',
        'if (this.#path.pop() !== end) throw',
        'if (this.#path.pop() === undefined) throw',
      ],
      [
        'lines of tags and comments are not counted',
        "this.#line += token.split('\\n').length - 1;",
        "this.#line += token.startsWith('<') ? 0 : token.split('\\n').length - 1;",
      ],
    ]),
    ...of('readers/json/exports.ts', [
      ['FoxyProxy type 4 is socks5', "4: 'socks4'", "4: 'socks5'"],
      ['the login of a profile is that of its fallback', 'logins[role] ?? logins.all', 'logins.all'],
      [
        'a login of a proxy that is absent is dropped',
        "role !== 'all' && !isObject(members[role])",
        "role === 'all' && !isObject(members[role])",
      ],
    ]),
    ...of('readers/json/json-reader.ts', [
      ['the column of JSON lines is 1', 'column = each.length - each.trimStart().length + 1', 'column = 1'],
      [
        'a list that is cut off is whole',
        "if (problem) yield { kind: 'refused', code: 'truncated', ...problem, text: '' };\n      else",
        'if (problem) return;\n      else',
      ],
    ]),
    ...of('readers/json/elements.ts', [
      ['records of 64 KiB are too long', 'const MAX_RECORD = 65_536', 'const MAX_RECORD = 65_535'],
      ['the line of an element is that of its end', 'if (code === LF) this.#line--;', ''],
      ['an escaped quote ends a text', 'else if (code === BACKSLASH) this.#escaped = true;', ''],
      ['columns count from the piece', 'this.#lineStart -= text.length;', 'this.#lineStart = 0;'],
      [
        'an element as long as the limit is too long',
        'open.text.length + piece.length <= MAX_RECORD',
        'open.text.length + piece.length < MAX_RECORD',
      ],
      [
        'objects are opened without end',
        'this.#frames.length < MOST_FRAMES',
        'this.#frames.length < MOST_FRAMES + 40',
      ],
      [
        'a bracket that closes nothing is passed over',
        'frame === undefined || frame.name !== undefined) this.#break(at)',
        'frame === undefined || frame.name !== undefined) return',
      ],
    ]),
    ...of('readers/json/values.ts', [
      [
        'a name that stands twice counts the last',
        "return repeatsName(element.text ?? '', value)\n",
        "return repeatsName('', value)\n",
      ],
      [
        'a login beside a list is dropped',
        'if (hasList && hasLogin(value)) return',
        'if (hasList && hasLogin([])) return',
      ],
      [
        'errors are a list',
        'this.hasErrors = true;\n      return [];',
        'this.hasErrors = false;\n      return [];',
      ],
      [
        'the columns of rows are not remembered',
        'this.#columns = texts.map(String).slice(0, MOST_COLUMNS);',
        '',
      ],
      [
        'the names of lists are no protocols',
        'named.length > 0 && !entries.some',
        'named.length > 9 && !entries.some',
      ],
      ['an empty list is silent', "yield this.#refused(element, 'the list is empty');", ''],
      [
        'the protocol after its list is ignored',
        "yield this.#refused(element, 'the protocol comes after the list that it is meant for');",
        'yield* [];',
      ],
    ]),
    ...of('readers/json/protocols.ts', [
      [
        'the outer name of a list counts',
        'for (let length = path.length; length > 0; length--)',
        'for (let length = 1; length <= path.length; length++)',
      ],
      [
        'a list with two protocols has the first',
        'return found.length > 1 ? null : found;',
        'return found.slice(0, 1);',
      ],
      ['the protocol of another object holds', 'this.#beside.delete(placeOf(path));', ''],
    ]),
    ...of('readers/clash/clash-reader.ts', [
      [
        'an entry of 16385 characters is read',
        'entry.text = text.length <= MAX_ENTRY',
        'entry.text = text.length <= MAX_ENTRY + 1',
      ],
      ['proxy groups are proxies', "isWithoutProxies(key) ? 'nothing'", "isWithoutProxies(key) ? 'proxies'"],
      [
        'a list that is cut off is whole',
        'if (this.#flow)\n      this.#reject(',
        'if (this.#flow && this.#hasProviders)\n      this.#reject(',
      ],
      [
        'text after a list is dropped',
        "if (!text.startsWith('#')) this.#reject",
        "if (text === '') this.#reject",
      ],
      [
        'a stray line is dropped',
        "else this.#reject('bad-record', 'this line is not part",
        "else if (indent < 0) this.#reject('bad-record', 'this line is not part",
      ],
      [
        'blank lines of an entry move the next line',
        'if (!isComment) this.#entry.blanks++;',
        'if (!isComment) return;',
        'The lines of an entry are not counted: its verdict has the line of its beginning.',
      ],
      [
        'a type above the list is not heeded',
        'this.#how.options = { ...this.#how.options, strictProtocol: true };',
        'this.#options = { ...this.#options };',
      ],
      [
        'the line of a proxy is that of its end',
        'this.#entry = { line: this.#line, text: line, blanks: 0 };',
        'this.#entry = { line: this.#line + 1, text: line, blanks: 0 };',
      ],
    ]),
    ...of('readers/clash/keys.ts', [
      [
        'a server without a list is passed over',
        '/^(?:proxies|server)$/i.test(key)',
        '/^(?:proxies)$/i.test(key)',
      ],
      [
        'a URL with a login is passed over',
        'https?:\\/\\/[^\\s/]*@)/i.test(value)',
        'https?:\\/\\/[^\\s/]*@@)/i.test(value)',
      ],
      ['authentication holds proxies', "['authentication', 'skipauthprefixes'", "['skipauthprefixes'"],
    ]),
    ...of('readers/clash/flow-elements.ts', [
      ['brackets in quotes count', 'if (this.#quote !== 0) this.#readQuoted(code);\n      else if', 'if'],
      ['lines of a list in brackets are not counted', 'if (code === LF) this.#line++;', ''],
      [
        'a comment in a list in brackets never ends',
        'this.#inComment = code !== LF',
        'this.#inComment = true',
      ],
      [
        'an element of 16385 characters is kept',
        'piece.length <= this.#most',
        'piece.length <= this.#most + 1',
      ],
    ]),
    ...of('readers/clash/simple-entry.ts', [
      [
        'null in quotes is null',
        'quoted === undefined && NULLS.has(value) ? null : value',
        'NULLS.has(value) ? null : value',
      ],
      [
        'the second value of a name counts',
        'if (NULLS.has(name) || members.some(([other]) => other === name)) return false;',
        'if (NULLS.has(name)) return false;',
      ],
      [
        'escapes of JSON stay',
        'return code === undefined ? itself',
        'return code === undefined ? `\\\\${itself}`',
      ],
    ]),
    ...of('readers/clash/yaml-entry.ts', [
      [
        'a host with any member is a proxy',
        'MORE.some((field) => fields.has(field))',
        'fields.known.length > 1',
      ],
      [
        'an address of another list is dropped',
        "else if (first?.kind === 'proxy')\n      yield rejected",
        "else if (first?.kind === 'comment')\n      yield rejected",
      ],
      ['aliases are followed', 'maxAliasCount: 0', 'maxAliasCount: 100'],
    ]),
  ],
};
