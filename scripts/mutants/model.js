/** Faults of one file: what is wrong, the text, and its replacement. */
function of(file, faults) {
  return faults.map(([what, from, to]) => ({ file: `src/model/${file}`, what, from, to }));
}

export default {
  tests: ['test/model', 'test/lists', 'test/cli/domains.test.ts'],
  faults: [
    ...of('host.ts', [
      ['port 65536 is a port', 'port <= MAX_PORT ? port : null', 'port <= MAX_PORT + 1 ? port : null'],
      ['port 065 is a port', '/^[1-9]\\d{0,4}$/', '/^\\d{1,5}$/'],
      ['port 65535 is no port', 'port <= MAX_PORT ? port : null', 'port < MAX_PORT ? port : null'],
      [
        'a label of 64 characters is a name',
        '(?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;',
        '(?:[a-z0-9_-]{0,62}[a-z0-9_])?$/;',
      ],
      [
        'a plain label of 64 characters is a name',
        '?:[a-z0-9-]{0,61}[a-z0-9])?\\.)*',
        '?:[a-z0-9-]{0,62}[a-z0-9])?\\.)*',
      ],
      ['a plain name of 254 characters is a name', '(?!.{254}|', '(?!.{255}|'],
      ['a name of 254 characters is a name', 'ascii.length > 253', 'ascii.length > 254'],
      ['capital letters stay', 'const ascii = domainToASCII(text)', 'const ascii = text'],
      ['a dot at the end stays', ".replace(/\\.$/, '')", ''],
      ['an IPv6 zone is dropped', "if (text.includes('%')) return", "if (text.includes('%%')) return"],
      ['IPv6 stays as it is written', 'new URL(`http://[${text}]`).hostname.slice(1, -1)', 'text'],
      ['IPv6 keeps its brackets', 'hostname.slice(1, -1)', 'hostname'],
      [
        'four numbers up to 999 are IPv4',
        'return isIPv4(text)\n',
        'return /^\\d+(\\.\\d+){3}$/.test(text)\n',
      ],
      ['a name that ends in a number is a name', '/^(?:\\d+|0x[\\da-f]*)$/', '/^(?:0x[\\da-f]*)$/'],
      ['percent escapes of a host are decoded', '[\\p{C}\\s%/', '[\\p{C}\\s/'],
      ['an underscore is no part of a name', 'const LABEL = /^[a-z0-9_](', 'const LABEL = /^[a-z0-9]('],
    ]),
    ...of('failure-of-error.ts', [
      ['a fault of this program is a failure of the proxy', ' || OWN_FAULTS.test(code)', ''],
      ['a timeout of undici is a reset', '/TIMEOUT|^ETIMEDOUT$/', '/^ETIMEDOUT$/'],
      ['an answer that is not HTTP is a reset', "return { kind: 'protocol' }", "return { kind: 'reset' }"],
      ['any error of ours has a failure', "error.code === 'PROXY_FAILED' ? ", "error.code !== 'CLOSED' ? "],
    ]),
    ...of('private-host.ts', [
      ['172.16.0.0 has 16 bits', "['172.16.0.0', 12]", "['172.16.0.0', 16]"],
      ['192.168.0.0 has 24 bits', "['192.168.0.0', 16]", "['192.168.0.0', 24]"],
      ['100.64.0.0 has 8 bits', "['100.64.0.0', 10]", "['100.64.0.0', 8]"],
      ['10.0.0.0 is public', "  ['10.0.0.0', 8],\n", ''],
      ['link-local is public', "  ['169.254.0.0', 16],\n", ''],
      ['0.0.0.0 is public', '/^(?:0|10|', '/^(?:10|'],
      ['::1 is public', "PRIVATE.addAddress('::1', 'ipv6');", ''],
      ['fc00::/7 has 8 bits', "'fc00::', 7", "'fc00::', 8"],
      ['fe80::/10 has 16 bits', "'fe80::', 10", "'fe80::', 16"],
      ['names below localhost are public', " || host.endsWith('.localhost')", ''],
      [
        'names that end in localhost are private',
        "host.endsWith('.localhost')",
        "host.endsWith('localhost')",
      ],
      ['carrier-grade NAT is public', '|10|100|127|', '|10|127|'],
    ]),
    ...of('domain.ts', [
      [
        'a wildcard is one domain',
        'if (isWildcard && !wildcards) return',
        'if (isWildcard && wildcards === undefined) return',
      ],
      [
        'a wildcard stands before an address',
        "isWildcard && parsed.kind !== 'name'",
        "isWildcard && parsed.kind === 'ipv6'",
      ],
      ['blanks around a domain are a part', 'hostIn(text.trim())', 'hostIn(text)'],
      ['a backslash is a part of a URL', "if (text.includes('\\\\')) return null;", ''],
      ['the first @ ends the login', "authority.lastIndexOf('@')", "authority.indexOf('@')"],
      [
        'a wrong port is dropped',
        "(port !== '' && parsePort(port) === null)",
        "(port === '' && parsePort(port) !== null)",
      ],
      ['a word before a slash is a domain', 'return isWord ? null : host;', 'return host;'],
      [
        'the widest wildcard comes first',
        'patterns.push(`*${host.slice(dot)}`)',
        'patterns.splice(1, 0, `*${host.slice(dot)}`)',
      ],
      ['a wildcard covers its own name', 'const patterns = [host];', 'const patterns = [host, `*.${host}`];'],
      [
        'addresses have wildcards',
        "if (/^[\\d.]+$/.test(host) || host.includes(':')) return patterns;",
        "if (host.includes(':')) return patterns;",
      ],
      ['only the first wildcard matches', "dot = host.indexOf('.', dot + 1))\n", 'dot = -1)\n'],
      ['the query is a part of the host', 'rest.split(/[/?#]/, 1)', 'rest.split(/[/#]/, 1)'],
    ]),
    ...of('web-url.ts', [
      ['a URL of 2049 characters is taken', 'text.length > MAX_LENGTH', 'text.length > MAX_LENGTH + 1'],
      ['any URL is a web URL', '/^https?:\\/\\/[^\\s\\p{Cc}]+$/iu', '/^\\w+:\\/\\/[^\\s\\p{Cc}]+$/iu'],
      ['control characters are taken', '[^\\s\\p{Cc}]+$', '[^\\s]+$'],
      ['a URL that does not parse is taken', ' && URL.canParse(text)', ''],
      ['unpaired surrogates are taken', ' && text.isWellFormed()', ''],
      ['a login with an @ is shown in part', '[^/?#\\\\]*@/i', '[^/?#\\\\@]*@/i'],
      ['the login of a path is removed', '\\/\\/)[^/?#\\\\]*@', '\\/\\/)[^?#\\\\]*@'],
    ]),
  ],
};
