/** Faults of one file: what is wrong, the text, its replacement, and why it survives, if it does. */
function of(file, faults) {
  return faults.map(([what, from, to, survives]) => ({
    file: `src/gateway/${file}.ts`,
    what,
    from,
    to,
    ...(survives && { survives }),
  }));
}

export default {
  tests: ['test/gateway'],
  faults: [
    ...of('end-to-end-headers', [
      ['Transfer-Encoding leaves as it came', "  'transfer-encoding',\n  'upgrade',", "  'upgrade',"],
      ['Connection takes Host away', "new Set(['host', 'content-length'])", "new Set(['content-length'])"],
    ]),
    ...of('framing', [
      ['chunked may be one of several codings', '/^chunked$/i.test(codings', '/chunked$/i.test(codings'],
      ['two lengths are taken', 'if (lengths.length > 1)', 'if (lengths.length > 2)'],
      [
        'an Upgrade may have a body',
        "namedByConnection(rawHeaders).has('upgrade')",
        "namedByConnection(rawHeaders).has('')",
      ],
      ['a length may begin with 0', '/^(?:0|[1-9]\\d{0,14})$/', '/^\\d{1,15}$/'],
    ]),
    ...of('attempts', [
      [
        'the little time that was left of the deadline is a failure of the proxy',
        'ms >= this.#trying.settings.connectMs;',
        'ms >= 0;',
      ],
      [
        'SOCKS4 gets targets of IPv6',
        "protocol !== 'socks4' || !isIPv6(",
        "protocol === 'socks4' || !isIPv6(",
      ],
    ]),
    ...of('upgrade-request', [
      [
        'a 407 of a target reaches the client',
        'if (status === 407) return statusFailure',
        'if (status === 417) return statusFailure',
      ],
    ]),
    ...of('replies', [
      [
        'a client that still sends loses its answer',
        'socket.destroySoon = () => closeAfter(withoutParser(socket));',
        '{}',
      ],
      [
        'what comes after the last answer is a request',
        "socket.on('data', ignore).removeAllListeners('data')",
        'socket',
      ],
    ]),
    ...of('one-by-one', [
      [
        'requests do not wait for each other',
        'if (this.#turns.length === 1) this.#begin();',
        'this.#begin();',
      ],
      [
        'those that wait are not told that the client has left',
        'for (const { begin } of this.#turns.splice(1)) begin();',
        'this.#turns.splice(1);',
      ],
    ]),
    ...of('plain-sender', [
      ['an answer of 502 is lost', 'this.#spare = answered;', ''],
      ['a failover is counted that was none', 'tried.filter(({ proxy }) => proxy !== id)', 'tried'],
    ]),
    ...of('plain-answer', [
      [
        'an answer that a client breaks off is a failure',
        'error === null || error === CLIENT_GONE',
        'error === null',
      ],
    ]),
    ...of('relay', [
      ['an idle answer is a reset', 'exchange.destroy(NO_ANSWER)', 'exchange.destroy()'],
      ['the end of an answer is waited for', 'response.writableLength > 0', 'response.writableNeedDrain'],
    ]),
    ...of('request-body', [
      [
        'a client of HTTP/1.0 is told to go on',
        "headers.expect !== undefined && httpVersion === '1.1'",
        'headers.expect !== undefined',
      ],
    ]),
    ...of('exchange/answer-framing', [
      ['an answer may have two lengths', 'lengths.length + codings.length > 1', 'lengths.length > 2'],
      ['HTTP/1.0 keeps its connection', "(isOld && !named.has('keep-alive'))", 'false'],
      ['an answer to HEAD has a body', "method === 'HEAD' || ", ''],
    ]),
    ...of('exchange/answer-head', [
      ['a header may have control characters', '!VALUE.test(value)) return null', 'false) return null'],
      ['chunked with a tab after it is chunked', "header.endsWith('\\t') &&", 'false &&'],
    ]),
    ...of('exchange/chunks', [
      ['the end of a chunk may be anything', "      return line === '';", '      return true;'],
      ['a trailer has no limit of its fields', 'FIELD.test(line))', 'true)'],
    ]),
    ...of('exchange/answer-reader', [
      [
        'an answer that ends with its connection is not whole before it is read',
        'this.#end = this.#rest.length;',
        '',
      ],
      ['answers of 1xx have no limit', 'this.#skipped += size;', ''],
      ['what comes after an answer stays', 'this.#isWhole && this.#rest.length === 0;', 'this.#isWhole;'],
      ['a header is looked for from its beginning only', 'Math.max(0, known - 3)', 'known'],
    ]),
    ...of('exchange/exchange', [
      [
        'an answer that is whole is lost with its connection',
        "if (this.#phase === 'answered' && this.#answer.lookForAll()) return;",
        '',
      ],
      [
        'bytes are counted from the beginning of the connection',
        '{ in: socket.bytesRead, out: socket.bytesWritten }',
        '{ in: 0, out: 0 }',
      ],
      [
        'what is over can still end the connection',
        '    if (this.isOver) return;\n    const reader',
        '    const reader',
      ],
      [
        'a body whose connection breaks is whole',
        'if (isInOrder) this.#answer.end();',
        'this.#answer.end();',
      ],
      [
        'an answer without its reader takes whatever comes',
        'this.#answer.keep(bytes);\n      this.#connection.socket.pause();',
        'this.#answer.keep(bytes);',
      ],
      ['what waits to be read stays on the connection', ' && socket.readableLength === 0;', ';'],
      [
        'an answer without its reader is read to its end',
        'if (head.status === 101 || !this.#answer.hasAll)',
        'if (head.status === 101)',
      ],
    ]),
    ...of('exchange/connection', [
      [
        'what nobody has asked for is kept',
        'if (this.#exchange === null) this.destroy();\n    else this.#exchange.onData',
        'this.#exchange?.onData',
      ],
    ]),
    ...of('exchange/kept-connections', [
      ['connections are kept for ever', 'if (until > now) return', 'if (until > 0) return'],
      [
        'closed connections are used',
        '!last.connection.isClosed && last.until',
        'last.until',
        'nothing is sent on one: the request leaves on a new one',
      ],
    ]),
    ...of('leaving-client', [['a client that has left is waited for', 'Math.min(mostMs, GRACE_MS)', '1e9']]),
    ...of('loops', [
      ['any client with the port of a connection is a loop', 'remotePort === client.localPort &&', 'true &&'],
    ]),
    ...of('tunnel', [
      ['a half that has ended stays open', '      other.end();\n', ''],
      [
        'a tunnel with one half lasts as long as any',
        'Math.min(this.#owner.settings.idleMs, HALF_CLOSED_MS)',
        'this.#owner.settings.idleMs',
      ],
      ['the end of a client before its tunnel is lost', 'if (socket.readableEnded) onEnd();', ''],
    ]),
    ...of('waiting-client', [
      ['a client that has sent early is waited for', 'setTimeout(this.#onGone, GRACE_MS)', 'undefined'],
      [
        'what a client sends early is kept without a limit',
        'if (this.#size >= MOST_EARLY) this.#socket.pause();',
        '',
        'the tests see what reaches the target, and not the memory',
      ],
    ]),
    ...of('raw-headers', [['the comment of a hop is its name', 'split(/\\s+/)[1]', 'split(/\\s+/).at(-1)']]),
    ...of('plain-request', [
      [
        'a request with a malformed body is passed on',
        'const tried = this.#sender?.tried;',
        'const tried = undefined;',
      ],
    ]),
    ...of('few-at-once', [
      ['one address may have the whole line', ').length < this.#mostOfOne', ').length >= 0'],
    ]),
    ...of('header-without-upgrade', [
      ['an upgrade is read again', "name.toLowerCase() !== 'upgrade'", 'true'],
    ]),
    {
      file: 'src/upstream/reused-reads.ts',
      what: 'a buffer is used again before the system has what is in it',
      from: '    if (receiver.writableLength > 0) isOurs = false;\n',
      to: '',
    },
    ...of('authority', [['bytes that are not ASCII are taken', '/^[!-~]{1,300}$/', '/^[!-\\xff]{1,300}$/']]),
    ...of('targets', [
      ['embedded addresses are not looked at', '[host, ...embeddedIPv4s(host)]', '[host]'],
      [
        'a port to allow is for all ports',
        'host === parsed.host && port === allowedPort',
        'host === parsed.host && port > 0',
      ],
    ]),
    ...of('embedded-ipv4', [
      ['the Teredo client is read as it is written', 'dotted(g6 ^ 0xffff, g7 ^ 0xffff)', 'dotted(g6, g7)'],
      ['IPv4-compatible addresses are not known', '(g5 === 0 || g5 === 0xffff)', 'g5 === 0xffff'],
    ]),
    ...of('identity', [
      [
        'a word may come twice',
        "if (word !== 'tag' && word in values)",
        "if (word === 'tag' && word in values)",
      ],
      [
        'a ttl needs no session',
        'identity.ttlMs === undefined || identity.session !== undefined',
        'identity.ttlMs !== 0 || identity.session !== undefined',
      ],
    ]),
    ...of('merged-identity', [
      ['another session may be asked for', "['country', 'region', 'session',", "['country', 'region',"],
    ]),
    ...of('asking', [
      [
        'nobody looks for the session of a ttl',
        'assertComplete(this.#fixedBy(user, identity))',
        'this.#fixedBy(user, identity)',
      ],
    ]),
    ...of('users', [
      [
        'a known name is enough',
        'if (!isRight || entry === this.#nobody) return null;',
        'if (entry === this.#nobody) return null;',
      ],
      ['the shortest name wins', '(a, b) => b - a', '(a, b) => a - b'],
      ['the name of a user is the beginning of any longer one', "username[length] !== '-'", 'false'],
      ['one name and password are the key of another', '`${name.length}:${name}${', '`${name}${'],
    ]),
    ...of('password-hash', [['a hash may ask for any work', 'scrypt\\$16384\\$8', 'scrypt\\$\\d+\\$8']]),
    ...of('socks-inbound', [
      ['a userid may be longer', 'const MOST_TEXT = 255;', 'const MOST_TEXT = 256;'],
      ['a client needs no login', 'methods.includes(0) && !this.#needsLogin', 'methods.includes(0)'],
      [
        'a login that was offered is not taken',
        'methods.includes(2) ? 2 :',
        'methods.includes(2) && this.#needsLogin ? 2 :',
      ],
      [
        'the client may change what is kept',
        '        // A copy: a piece of a large buffer would keep all of it.\n        this.#held = Buffer.from(this.#held);',
        '',
      ],
    ]),
  ],
};
