import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatProxyUrl,
  type LineVerdict,
  type ListedProxy,
  parseProxyLine,
} from '../../../src/lists/index.ts';

const at80: ListedProxy = { protocol: 'http', host: '192.0.2.1', port: 80 };
const login = (username: string, password: string): Partial<ListedProxy> => ({ username, password });

describe('parseProxyLine reads', () => {
  const cases: [line: string, proxy: ListedProxy][] = [
    ['192.0.2.1:8080', { protocol: 'http', host: '192.0.2.1', port: 8080 }],
    ['  h.example:80\t', { protocol: 'http', host: 'h.example', port: 80 }],
    ['\uFEFFh.example:1', { protocol: 'http', host: 'h.example', port: 1 }],
    ['h.example:1:u:p', { protocol: 'http', host: 'h.example', port: 1, ...login('u', 'p') }],
    ['h.example:1:u:p:q:', { protocol: 'http', host: 'h.example', port: 1, ...login('u', 'p:q:') }],
    ['h.example:1:u:p%40#x', { protocol: 'http', host: 'h.example', port: 1, ...login('u', 'p%40#x') }],
    [
      '192.0.2.1:8080:user:8888',
      { protocol: 'http', host: '192.0.2.1', port: 8080, ...login('user', '8888') },
    ],
    ['u:p@h.example:1', { protocol: 'http', host: 'h.example', port: 1, ...login('u', 'p') }],
    ['u:p@q:r@h.example:1', { protocol: 'http', host: 'h.example', port: 1, ...login('u', 'p@q:r') }],
    ['u%20:p%@h.example:1', { protocol: 'http', host: 'h.example', port: 1, ...login('u%20', 'p%') }],
    ['u@h.example:1', { protocol: 'http', host: 'h.example', port: 1, ...login('u', '') }],
    ['[2001:DB8::1]:8080', { protocol: 'http', host: '2001:db8::1', port: 8080 }],
    ['[2001:db8::1]:8080:u:p', { protocol: 'http', host: '2001:db8::1', port: 8080, ...login('u', 'p') }],
    ['u:p@[2001:db8::1]:8080', { protocol: 'http', host: '2001:db8::1', port: 8080, ...login('u', 'p') }],
    ['http://h.example:80', { protocol: 'http', host: 'h.example', port: 80 }],
    ['HTTPS://H.example:443/', { protocol: 'https', host: 'h.example', port: 443 }],
    ['socks4a://h.example:1080', { protocol: 'socks4', host: 'h.example', port: 1080 }],
    [
      'socks5h://u:p@h.example:1080',
      { protocol: 'socks5', host: 'h.example', port: 1080, ...login('u', 'p') },
    ],
    [
      'http://u%40x:p%3A%2F%25@h.example:1',
      { protocol: 'http', host: 'h.example', port: 1, ...login('u@x', 'p:/%') },
    ],
    [
      'http://u:100%&%zz%ff@h.example:1',
      { protocol: 'http', host: 'h.example', port: 1, ...login('u', '100%&%zz%ff') },
    ],
    [
      'http://u:a#b?c/d@e@h.example:1',
      { protocol: 'http', host: 'h.example', port: 1, ...login('u', 'a#b?c/d@e') },
    ],
    ['socks5://[2001:db8::1]:1', { protocol: 'socks5', host: '2001:db8::1', port: 1 }],
    ['user:pass:h.example:80', { protocol: 'http', host: 'h.example', port: 80, ...login('user', 'pass') }],
    ['u:p:q:192.0.2.1:80', { protocol: 'http', host: '192.0.2.1', port: 80, ...login('u', 'p:q') }],
    ['u:p:[2001:db8::1]:80', { protocol: 'http', host: '2001:db8::1', port: 80, ...login('u', 'p') }],
    ['192.0.2.1:80@u:p', { protocol: 'http', host: '192.0.2.1', port: 80, ...login('u', 'p') }],
    ['[2001:db8::1]:80@u:p@q', { protocol: 'http', host: '2001:db8::1', port: 80, ...login('u', 'p@q') }],
    ['h.example:1:u:p@q', { protocol: 'http', host: 'h.example', port: 1, ...login('u', 'p@q') }],
    ['proxy:8080:u:p', { protocol: 'http', host: 'proxy', port: 8080, ...login('u', 'p') }],
    ['u:p@proxy:8080', { protocol: 'http', host: 'proxy', port: 8080, ...login('u', 'p') }],
    ['192.0.2.1,80', { protocol: 'http', host: '192.0.2.1', port: 80 }],
    ['192.0.2.1,80,u,p', { protocol: 'http', host: '192.0.2.1', port: 80, ...login('u', 'p') }],
    ['192.0.2.1, 80, u, p', { protocol: 'http', host: '192.0.2.1', port: 80, ...login('u', 'p') }],
    ['192.0.2.1;80;u;p', { protocol: 'http', host: '192.0.2.1', port: 80, ...login('u', 'p') }],
    ['2001:db8::1,80', { protocol: 'http', host: '2001:db8::1', port: 80 }],
    ['socks5,192.0.2.1,80', { protocol: 'socks5', host: '192.0.2.1', port: 80 }],
    ['192.0.2.1 80', { protocol: 'http', host: '192.0.2.1', port: 80 }],
    ['192.0.2.1\t80', { protocol: 'http', host: '192.0.2.1', port: 80 }],
    ['(socks5)192.0.2.1:80', { protocol: 'socks5', host: '192.0.2.1', port: 80 }],
    ['(http) h.example:80', { protocol: 'http', host: 'h.example', port: 80 }],
    [
      'socks5://192.0.2.1:80:u:p%40',
      { protocol: 'socks5', host: '192.0.2.1', port: 80, ...login('u', 'p%40') },
    ],
    ['http://192.0.2.1:80@u:p', { protocol: 'http', host: '192.0.2.1', port: 80, ...login('u', 'p') }],
    ['http://u:p:192.0.2.1:80', { protocol: 'http', host: '192.0.2.1', port: 80, ...login('u', 'p') }],
    ['socks4://192.0.2.1,80', { protocol: 'socks4', host: '192.0.2.1', port: 80 }],
    [
      'http://h.example:80@g.example:81',
      { protocol: 'http', host: 'g.example', port: 81, ...login('h.example', '80') },
    ],
    ['http://h.example:1#My%20name', { protocol: 'http', host: 'h.example', port: 1, name: 'My name' }],
    [
      'http://u:p#x@h.example:1/#n',
      { protocol: 'http', host: 'h.example', port: 1, ...login('u', 'p#x'), name: 'n' },
    ],
    ['192.0.2.1:80 => success', { protocol: 'http', host: '192.0.2.1', port: 80 }],
    [
      '192.0.2.1:80 CO-N-S! + ',
      { protocol: 'http', host: '192.0.2.1', port: 80, geolocation: { country: 'CO' } },
    ],
    [
      '192.0.2.1:80 | US | elite | 120ms',
      { protocol: 'http', host: '192.0.2.1', port: 80, geolocation: { country: 'US' } },
    ],
    ['192.0.2.1:80 # mine, from 12:30', { protocol: 'http', host: '192.0.2.1', port: 80 }],
    ['192.0.2.1,80,US,elite', { ...at80, geolocation: { country: 'US' } }],
    ['192.0.2.1,80,http,US', { ...at80, geolocation: { country: 'US' } }],
    ['192.0.2.1,80,US,socks5', { ...at80, protocol: 'socks5', geolocation: { country: 'US' } }],
    ['bücher.example:80', { protocol: 'http', host: 'xn--bcher-kva.example', port: 80 }],
  ];
  it.each(cases)('%s', (line, proxy) => {
    expect(parseProxyLine(line)).toMatchObject({ kind: 'proxy', proxy });
  });

  it('takes the protocol that is given where the line names none', () => {
    expect(parseProxyLine('h.example:1', { protocol: 'socks5' })).toMatchObject({
      proxy: { protocol: 'socks5' },
    });
    expect(parseProxyLine('http://h.example:1', { protocol: 'socks5' })).toMatchObject({
      proxy: { protocol: 'http' },
    });
  });

  it('says what it kept as something else', () => {
    expect(parseProxyLine('socks5h://h.example:1')).toMatchObject({
      proxy: { protocol: 'socks5', remoteDns: true },
    });
  });

  it('takes the form that is given for what reads two ways', () => {
    expect(parseProxyLine('a:1:b:2', { format: 'host:port:user:pass' })).toMatchObject({
      proxy: { host: 'a', port: 1, username: 'b', password: '2' },
    });
    expect(parseProxyLine('a:1:b:2', { format: 'user:pass:host:port' })).toMatchObject({
      proxy: { host: 'b', port: 2, username: 'a', password: '1' },
    });
    const [reason] = [parseProxyLine('a:1:b:2')].map((verdict) => 'reason' in verdict && verdict.reason);
    expect(reason).toContain('host:port:user:pass and as user:pass:host:port');
  });

  it('takes private addresses and templates, with a note', () => {
    for (const line of [
      '127.0.0.1:80',
      '10.1.2.3:80',
      '192.168.0.1:80',
      '[::1]:80',
      '[fd00::1]:80',
      'localhost:80',
    ])
      expect(parseProxyLine(line)).toMatchObject({ notes: ['the address is private or of this machine'] });
    expect(parseProxyLine('172.32.0.1:80')).toMatchObject({ notes: [] });
    expect(
      parseProxyLine('http://u-country-{country}-session-{session}:p-{other}@h.example:1'),
    ).toMatchObject({
      proxy: { username: 'u-country-{country}-session-{session}', password: 'p-{other}' },
      notes: ['the login is a template: {country}, {session}'],
    });
  });

  it('knows comments and blank lines', () => {
    for (const line of ['', ' ', '\t\r', '\uFEFF']) expect(parseProxyLine(line)).toEqual({ kind: 'blank' });
    for (const line of ['# x', ';x', ' // h.example:80', '#'])
      expect(parseProxyLine(line)).toEqual({ kind: 'comment' });
  });
});

describe('parseProxyLine refuses', () => {
  const cases: [line: string, code: string, column: number][] = [
    ['192.0.2.1', 'missing-port', 10],
    ['http://h.example', 'missing-port', 17],
    ['http://u:p@h.example', 'missing-port', 21],
    ['h.example:0', 'bad-port', 11],
    ['h.example:65536', 'bad-port', 11],
    ['h.example:', 'bad-port', 11],
    ['h.example:80a', 'bad-port', 11],
    ['h.example:+80', 'bad-port', 11],
    ['010.0.0.1:80', 'bad-host', 1],
    ['192.0.2.300:80', 'bad-host', 1],
    ['exa mple.com:80', 'bad-host', 1],
    ['ftp://h.example:21', 'unknown-scheme', 1],
    ['2001:db8::1:8080', 'ambiguous', 1],
    ['1:2:3:4:5:6:7:8:80', 'ambiguous', 1],
    ['192.0.2.1:80:192.0.2.2:81', 'ambiguous', 1],
    ['h.example:80:g.example:81', 'ambiguous', 1],
    ['h.example:80:user', 'bad-credentials', 14],
    ['a:1:b:2', 'ambiguous', 1],
    ['a:1@b:2', 'ambiguous', 1],
    ['192.0.2.1:80@192.0.2.2:81', 'ambiguous', 1],
    ['h.example:1:u:p@g.example:2', 'ambiguous', 1],
    ['user:pass:gateway:80', 'not-a-proxy', 1],
    ['h.example:99999:u:8080', 'bad-port', 11],
    ['h.example:99999:g.example:8080', 'bad-port', 11],
    ['192.0.2.1:80 user pass', 'trailing-text', 13],
    ['192.0.2.1:80|user|pass', 'trailing-text', 13],
    ['192.0.2.1:80 # mine: u:p', 'ambiguous', 13],
    ['192.0.2.1,80,Berlin,Mitte', 'ambiguous', 1],
    ['192.0.2.1,80,u,p,x', 'ambiguous', 1],
    ['192.0.2.1,80,user', 'ambiguous', 1],
    ['192.0.2.1,99999', 'bad-port', 1],
    // The port is right, but one word and a number are prose.
    ['word,80', 'not-a-proxy', 1],
    ['word | 80', 'not-a-proxy', 1],
    ['word\t80', 'not-a-proxy', 1],
    ['page 80', 'not-a-proxy', 1],
    ['Hello, world', 'not-a-proxy', 1],
    ['(ftp)192.0.2.1:80', 'unknown-scheme', 1],
    ['http://***:***@h.example:1', 'bad-credentials', 1],
    ['h.example:1:u:p\uDFFF', 'bad-encoding', 1],
    ['[2001:db8::1:80', 'bad-host', 1],
    ['[2001:db8::1]80', 'bad-host', 14],
    ['http://@h.example:1', 'bad-credentials', 8],
    ['http://:@h.example:1', 'bad-credentials', 8],
    ['http://h.example:1/path', 'trailing-text', 19],
    ['http://h.example:1?x', 'trailing-text', 19],
    ['just some words', 'not-a-proxy', 1],
    [`u:${'p'.repeat(1025)}@h.example:1`, 'bad-credentials', 1],
    [`socks5://u:${'p'.repeat(256)}@h.example:1`, 'bad-credentials', 1],
    ['http://u:%00@h.example:1', 'bad-credentials', 1],
    ['@h.example:1', 'bad-credentials', 1],
    [':80', 'bad-host', 1],
  ];
  it.each(cases)('%s as %s', (line, code, column) => {
    expect(parseProxyLine(line)).toMatchObject({ kind: 'refused', code, column });
  });
});

const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
const port = fc.integer({ min: 1, max: 65_535 });
const printable = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
  .filter((text) => text.isWellFormed() && !/\p{Cc}/u.test(text));
const protocol = fc.constantFrom('http', 'https', 'socks4', 'socks5');

describe('any proxy', () => {
  it('comes back from its URL as it was', () => {
    fc.assert(
      fc.property(
        protocol,
        host,
        port,
        printable,
        printable,
        (proto, address, number, username, password) => {
          const url = formatProxyUrl(
            { protocol: proto, host: address, port: number, username, password },
            { reveal: true },
          );
          const verdict = parseProxyLine(url);
          // A name of digits, or an address in the form of IPv4 in IPv6, is another text after normalising.
          if (verdict.kind === 'refused') return expect(verdict.code).toBe('bad-host');
          expect(verdict).toMatchObject({
            kind: 'proxy',
            proxy: { protocol: proto, port: number, username, password },
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('comes back from the colon and the @ form, or is rejected, whatever the password', () => {
    let read = 0;
    fc.assert(
      fc.property(port, printable, printable, (number, username, password) => {
        // What stands at the end of a line cannot end in space, and a colon ends a username.
        fc.pre(
          !username.includes(':') && password === password.trim() && !/\s$/.test(`${username}:${password}`),
        );
        const expected = { host: 'h.example', port: number, username, password };
        fc.pre(!/^[\s#;]|^\/\/|^[a-z][a-z\d+.-]*:\/\//i.test(`${username}:`) && username === username.trim());
        fc.pre(!/^(?:https?|socks[45][ah]?):\/\//i.test(`${username}:${password}`));
        // A comment after a blank is no part of the password.
        fc.pre(!/\s(?:#+|;|\/\/)\s/.test(password));
        for (const line of [
          `h.example:${number}:${username}:${password}`,
          `${username}:${password}@h.example:${number}`,
        ]) {
          const verdict = parseProxyLine(line);
          if (verdict.kind === 'proxy') read++;
          if (verdict.kind !== 'comment' && verdict.kind !== 'refused')
            expect(verdict).toMatchObject({ kind: 'proxy', proxy: expected });
        }
      }),
      { numRuns: 500 },
    );
    expect(read).toBeGreaterThan(50);
  });
});

describe('random mutations of a real list', () => {
  it('give verdicts and nothing else', () => {
    const lines = readFileSync(new URL('../../../examples/proxies.txt', import.meta.url), 'utf8').split('\n');
    const kinds = new Set<LineVerdict['kind']>();
    fc.assert(
      fc.property(
        fc.constantFrom(...lines),
        fc.array(fc.tuple(fc.nat({ max: 80 }), fc.string({ maxLength: 3 })), { maxLength: 4 }),
        (line, edits) => {
          let text = line;
          for (const [at, insert] of edits) text = text.slice(0, at) + insert + text.slice(at + 1);
          kinds.add(parseProxyLine(text).kind);
        },
      ),
      { numRuns: 5000 },
    );
    expect(kinds.size).toBe(4);
  });
});
