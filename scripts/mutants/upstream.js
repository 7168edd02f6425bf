/** Faults of one file: what is wrong, the text, and its replacement. */
function of(file, faults) {
  return faults.map(([what, from, to]) => ({ file: `src/${file}.ts`, what, from, to }));
}

export default {
  tests: ['test/upstream'],
  faults: [
    ...of('upstream/watched', [
      ['the timer of a step stays', '    clearTimeout(timer);\n', ''],
      [
        'the socket of a step that failed stays open',
        '    socket.destroy();\n    throw error;',
        '    throw error;',
      ],
      ['the signal keeps its listener', "    signal?.removeEventListener('abort', onAbort);\n", ''],
      ['nobody hears an error that comes with the end of a step', "  socket.on('error', ignore);\n", ''],
    ]),
    ...of('upstream/http-connect', [
      ['bytes that came early are lost', 'if (answer.length > 0) socket.unshift(answer);', ''],
      [
        'an answer may be of any length',
        'if (skipped + (end === -1 ? answer.length : end) > MAX_ANSWER)',
        'if (false)',
      ],
      ['an answer of 101 is an interim one', ' && status !== 101', ''],
    ]),
    ...of('upstream/reading', [
      [
        'what follows an answer of SOCKS is lost',
        'if (bytes.length > count) socket.unshift(bytes.subarray(count));',
        '',
      ],
    ]),
    ...of('upstream/basic-login', [
      ['a username may have a colon', "return !username.includes(':') && ", 'return '],
    ]),
    ...of('upstream/socks', [
      ['a method that was not offered is used', '!methods.includes(method)', 'method === 0xff'],
      ['SOCKS4 leaves a password out', "if (password !== '')", 'if (false)'],
    ]),
    ...of('upstream/connections', [
      ['sessions share connections', ', session ?? null]', ']'],
      ['what is not kept outlives the vault', ', ...this.#retiring]', ']'],
      ['any number of owners is kept', 'this.#owners.size > MOST_OWNERS', 'false'],
    ]),
    ...of('upstream/dial', [['each address of a proxy gets 250 ms', 'Math.ceil(connectMs / 3)', '250']]),
    ...of('upstream/lazy-dispatcher', [
      ['interceptors are left out', 'return base.compose(given);', 'return base;'],
    ]),
    ...of('rotation/login-values', [
      [
        'a session with other characters is written as it is',
        'user === undefined && /^',
        'user === undefined || /^',
      ],
      ['the ttl is in seconds', 'ttlMs / 60_000', 'ttlMs / 1_000'],
    ]),
    ...of('vault', [
      [
        'a gateway does not know the connections of its vault',
        'options.handshakeMs ?? handshakeMs',
        'options.handshakeMs',
      ],
    ]),
    ...of('rotation/lease-requests', [
      [
        'a caller who gives up is a failure of the proxy',
        "? { kind: 'timeout' } : null;",
        "? { kind: 'timeout' } : { kind: 'reset' };",
      ],
      [
        'a report that is not taken makes the request fail',
        '  } catch {\n',
        '  } catch (error) {\n    throw error;\n',
      ],
    ]),
  ],
};
