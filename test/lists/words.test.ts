import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LineVerdict, type ListedProxy, parseProxyLine } from '../../src/lists/index.ts';
import { readProxyLine } from '../../src/lists/line.ts';

/** What a line reads as, in short: a proxy, `rejected`, or several proxies. */
function read(line: string): unknown {
  const found = readProxyLine(line).map((verdict) =>
    verdict.kind === 'proxy' ? verdict.proxy : verdict.kind,
  );
  return found.length === 1 ? found[0] : found;
}

const HTTP = { protocol: 'http', host: '192.0.2.1', port: 8080 };
const LOGIN = { username: 'user', password: 'pass' };
const rotateUrl = 'https://change.example.com/?key=abc';

describe('what stands around a proxy is no part of it', () => {
  const cases: [line: string, proxy: unknown][] = [
    ['HTTP_PROXY=http://user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN }],
    ['export https_proxy="http://user:pass@192.0.2.1:8080"', { ...HTTP, ...LOGIN }],
    ['$env:HTTP_PROXY = "http://user:pass@192.0.2.1:8080"', { ...HTTP, ...LOGIN }],
    ['SOCKS5_PROXY=192.0.2.1:8080', { ...HTTP, protocol: 'socks5' }],
    ['HTTPS_PROXY=192.0.2.1:8080', 'refused'],
    ['--proxy-server=socks5://192.0.2.1:8080', { ...HTTP, protocol: 'socks5' }],
    ['"proxy": "user:pass@192.0.2.1:8080",', { ...HTTP, ...LOGIN }],
    ['proxy = user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN }],
    ['Proxy 1: 192.0.2.1:8080:user:pass', { ...HTTP, ...LOGIN }],
    ['Proxy #2 - 192.0.2.1:8080:user:pass', { ...HTTP, ...LOGIN }],
    ['- http://user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN }],
    ['* user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN }],
    ['12. 192.0.2.1:8080:user:pass', { ...HTTP, ...LOGIN }],
    ['| 192.0.2.1 | 8080 | SOCKS5 |', { ...HTTP, protocol: 'socks5' }],
    ['curl -x socks5://user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN, protocol: 'socks5' }],
    ['curl -s -x user:pass@192.0.2.1:8080 "https://example.com/a"', { ...HTTP, ...LOGIN }],
    ['curl --socks5-hostname 192.0.2.1:8080 https://example.com/', { ...HTTP, protocol: 'socks5' }],
    ['curl --proxy http://192.0.2.1:8080 -U user:pass https://example.com', 'refused'],
    ["'http://user:pass@192.0.2.1:8080',", { ...HTTP, ...LOGIN }],
    ['<http://user:pass@192.0.2.1:8080>', { ...HTTP, ...LOGIN }],
    ['socks5 user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN, protocol: 'socks5' }],
    ['SOCKS v5: 192.0.2.1:8080', { ...HTTP, protocol: 'socks5' }],
    ['socks 192.0.2.1:8080', 'refused'],
    ['http//user:pass@192.0.2.1:8080', 'refused'],
    ['http:/user:pass@192.0.2.1:8080', 'refused'],
    ['http:user:pass@192.0.2.1:8080', 'refused'],
    ['socks5:user:192.0.2.1:8080', 'refused'],
    ['name=user:pass@192.0.2.1:8080', 'refused'],
    ['US,user:pass@192.0.2.1:8080', 'refused'],
    ['\u200b192.0.2.1:8080:user:pass\u200b', { ...HTTP, ...LOGIN }],
    ['192.0.2.1\u00ad:8080', HTTP],
    ['\u00a0192.0.2.1:8080\u00a0', HTTP],
    ['192.0.2.1:8080:us\u200ber:pass', 'refused'],
    ['192.0.2.1:8080:us\u00a0er:pass', 'refused'],
  ];
  it.each(cases)('%s', (line, expected) => {
    expect(read(line)).toEqual(expected);
  });

  it('but a username may have what a provider puts in it', () => {
    for (const username of [
      'acct;country=US;session=1',
      'brd-customer-x-ip-192.0.2.9',
      'me@mail.example',
      'a.b+c',
      'proxy',
    ])
      expect(read(`${username}:pass@192.0.2.1:8080`)).toEqual({ ...HTTP, username, password: 'pass' });
    for (const password of [
      'pass_country-us_session-x',
      'p:w',
      'p#w',
      'p@w',
      '{session}',
      '8888',
      'p/w',
      'p%40w',
    ])
      expect(read(`192.0.2.1:8080:user:${password}`)).toEqual({ ...HTTP, username: 'user', password });
  });
});

describe('what follows a proxy is no part of it', () => {
  const cases: [line: string, proxy: unknown][] = [
    ['192.0.2.1:8080:user:pass # office', { ...HTTP, ...LOGIN }],
    ['192.0.2.1:8080:user:pass // office', { ...HTTP, ...LOGIN }],
    ['192.0.2.1:8080:user:pass => success', { ...HTTP, ...LOGIN }],
    ['192.0.2.1:8080:user:pass,', 'refused'],
    ['"192.0.2.1:8080:user:pass",', { ...HTTP, ...LOGIN }],
    ['user:pass@192.0.2.1:8080,', { ...HTTP, ...LOGIN }],
    ['user:pass@192.0.2.1:8080/', { ...HTTP, ...LOGIN }],
    ['192.0.2.1:8080:user:pass/', 'refused'],
    ['192.0.2.1:8080:user:pass #office', 'refused'],
    ['192.0.2.1:8080:user:pass office', 'refused'],
    ['192.0.2.1:8080:user:pass,office', 'refused'],
    ['192.0.2.1:8080:user:pass[office]', 'refused'],
    ['192.0.2.1:8080:user:pass:US', 'refused'],
    ['socks5://192.0.2.1:8080:user:p#w', { ...HTTP, protocol: 'socks5', username: 'user', password: 'p#w' }],
    ['192.0.2.1:8080:US:elite', 'refused'],
    ['US:Berlin:192.0.2.1:8080', 'refused'],
    [`192.0.2.1:8080:user:pass[${rotateUrl}]`, { ...HTTP, ...LOGIN, rotateUrl }],
    [`192.0.2.1:8080:user:pass|${rotateUrl}`, { ...HTTP, ...LOGIN, rotateUrl }],
    [`192.0.2.1:8080:user:pass:${rotateUrl}`, { ...HTTP, ...LOGIN, rotateUrl }],
    [`192.0.2.1:8080:user:pass ${rotateUrl}`, { ...HTTP, ...LOGIN, rotateUrl }],
    [`socks5://user:pass@192.0.2.1:8080[${rotateUrl}]`, { ...HTTP, ...LOGIN, protocol: 'socks5', rotateUrl }],
    [`192.0.2.1:8080 socks5 ${rotateUrl}`, { ...HTTP, protocol: 'socks5', rotateUrl }],
    [`192.0.2.1:8080:user:pass${rotateUrl}`, 'refused'],
    ['192.0.2.1:8080:user:pass https://change.example.com', 'refused'],
    [
      'socks5://user:pass@192.0.2.1:8080:Office 1',
      { ...HTTP, ...LOGIN, protocol: 'socks5', name: 'Office 1' },
    ],
    ['socks5://user:pass@192.0.2.1:8080:1234', 'refused'],
    ['192.0.2.1:8080#office', { ...HTTP, name: 'office' }],
    ['192.0.2.1:8080#alice:S3cretPw9', 'refused'],
    ['http://192.0.2.1:8080#alice@S3cretPw9', 'refused'],
    ['http://192.0.2.1:8080#192.0.2.1:8080', { ...HTTP, name: '192.0.2.1:8080' }],
    ['192.0.2.1:8080 # alice:S3cretPw9', 'refused'],
    ['192.0.2.1:8080 ; alice;S3cretPw9', 'refused'],
    ['192.0.2.1:8080;alice;S3cretPw9', 'refused'],
    ['192.0.2.1:8080;alice:S3cretPw9', 'refused'],
    ['192.0.2.1:8080@alice@S3cretPw9', 'refused'],
    ['192.0.2.1:8080@alice', 'refused'],
    ['192.0.2.1:8080 United States 120 ms', { ...HTTP, geolocation: { country: 'US' }, latency: 120 }],
    ['192.0.2.1:8080 \u{1F1E9}\u{1F1EA} 1.5s', { ...HTTP, geolocation: { country: 'DE' }, latency: 1500 }],
    ['192.0.2.1:8080 UK AS13335', { ...HTTP, geolocation: { country: 'GB', asn: 13_335 } }],
  ];
  it.each(cases)('%s', (line, expected) => {
    expect(read(line)).toEqual(expected);
  });
});

describe('a protocol that is named anywhere', () => {
  const socks5 = { ...HTTP, protocol: 'socks5' };
  it.each([
    ' socks5',
    ' (SOCKS5)',
    ' | SOCKS5 |',
    ',socks5',
    ';Socks5',
    ':socks5',
    '@socks5',
    '#socks5',
    '|SOCKS v5',
    ' socks-5 proxy',
    '\tSOCKS5\tUS',
  ])('is used: 192.0.2.1:8080%s', (tail) => {
    expect(read(`192.0.2.1:8080${tail}`)).toMatchObject(socks5);
  });

  it('is used after a login', () => {
    for (const tail of [':socks5', '|SOCKS5', ',socks5', '@socks5', '(SOCKS5)', ' socks5', ' [socks5]'])
      expect(read(`192.0.2.1:8080:user:pass${tail}`)).toEqual({ ...socks5, ...LOGIN });
    expect(read('192.0.2.1:8080:user:socks5')).toBe('refused');
  });

  it('is several if it names several', () => {
    const both = [{ ...HTTP, protocol: 'socks4' }, socks5];
    expect(read('192.0.2.1:8080 SOCKS4, SOCKS5')).toEqual(both);
    expect(read('192.0.2.1:8080 socks4/5')).toEqual(both);
    expect(read('192.0.2.1:8080 HTTP/HTTPS')).toEqual(HTTP);
    expect(read('192.0.2.1:8080 | HTTP | HTTPS')).toEqual(HTTP);
    expect(parseProxyLine('192.0.2.1:8080 socks4/5')).toMatchObject({ kind: 'refused', code: 'ambiguous' });
  });

  it('is rejected if it disagrees with another, or is none that we speak', () => {
    for (const line of [
      'http://192.0.2.1:8080 socks5',
      'socks5 http://192.0.2.1:8080',
      'http://192.0.2.1:8080:user:pass:socks5',
      '192.0.2.1:8080 SOCKS',
      '192.0.2.1:8080 vmess',
      'SOCKS4_PROXY=socks5://192.0.2.1:8080 socks4',
    ])
      expect(read(line)).toBe('refused');
  });

  it('is required with strictProtocol', () => {
    const strict = (line: string): string => parseProxyLine(line, { strictProtocol: true }).kind;
    expect(
      ['192.0.2.1:8080', '192.0.2.1:8080:user:pass', '192.0.2.1,8080', '192.0.2.1:8080 US'].map(strict),
    ).toEqual(Array(4).fill('refused'));
    expect(['http://192.0.2.1:8080', '192.0.2.1:8080 socks5', 'socks4,192.0.2.1,8080'].map(strict)).toEqual(
      Array(3).fill('proxy'),
    );
  });
});

describe('several proxies on one line', () => {
  const [first, second] = [HTTP, { protocol: 'http', host: 'h.example', port: 81 }];
  it.each([',', ', ', ';', ' ', '|', ' | ', '\t', ' ; '])('are each read between "%s"', (separator) => {
    expect(read(`192.0.2.1:8080${separator}h.example:81`)).toEqual([first, second]);
    expect(read(`192.0.2.1:8080:user:pass${separator}user:pass@h.example:81`)).toEqual([
      { ...first, ...LOGIN },
      { ...second, ...LOGIN },
    ]);
    expect(read(`http://user:pass@192.0.2.1:8080${separator}socks5://h.example:81`)).toEqual([
      { ...first, ...LOGIN },
      { ...second, protocol: 'socks5' },
    ]);
  });

  it.each([
    'socks5://192.0.2.1:8080,h.example:81',
    '192.0.2.1:8080,word,h.example:81',
    '192.0.2.1:8080:user:pass and user:pass@h.example:81',
    'one:8080:user:pass,two:8080:user:pass',
    'http://user:pass@192.0.2.1:8080 and http://user:pass@h.example:81',
  ])('are rejected if they are not certain: %s', (line) => {
    expect(read(line)).toBe('refused');
  });
});

const word = fc.stringMatching(/^[A-Za-z]{1,9}\d{0,3}$/);
const proxyText = fc.constantFrom(
  '192.0.2.1:8080',
  'http://192.0.2.1:8080',
  '192.0.2.1:8080:user:pass',
  'user:pass@192.0.2.1:8080',
  'socks5://user:pass@192.0.2.1:8080',
  'socks5://192.0.2.1:8080:user:pass',
  'user:pass:192.0.2.1:8080',
);
const gap = fc.constantFrom(
  ' ',
  ', ',
  ',',
  ';',
  '|',
  ' | ',
  '\t',
  ' - ',
  ': ',
  ' => ',
  ' # ',
  ' // ',
  '\u00a0',
  ' and ',
  '" ',
  " '",
  ' (',
  '; ',
);
const loginsOf = (verdicts: readonly LineVerdict[]): string[] =>
  verdicts.flatMap((verdict) => {
    if (verdict.kind !== 'proxy') return [];
    const { username = '', password = '' }: ListedProxy = verdict.proxy;
    return username === '' && password === '' ? [] : [`${username}:${password}`];
  });

describe('random words', () => {
  it('before, after and between proxies are never part of a login', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(word, proxyText), gap), { minLength: 1, maxLength: 4 }),
        fc.oneof(word, proxyText),
        (parts, last) => {
          const line = parts.map(([text, between]) => text + between).join('') + last;
          for (const login of loginsOf(readProxyLine(line)))
            expect([line, login]).toEqual([line, 'user:pass']);
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('never lose a login: a proxy that is read without one has none on its line', () => {
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 2 }),
        gap,
        gap,
        fc.array(word, { maxLength: 2 }),
        (before, x, y, after) => {
          for (const proxy of ['192.0.2.1:8080:user:pass', 'user:pass@192.0.2.1:8080']) {
            const line = [...before, proxy].join(x) + after.map((text) => y + text).join('');
            const verdicts = readProxyLine(line);
            if (verdicts.some(({ kind }) => kind === 'proxy'))
              expect([line, loginsOf(verdicts)]).toEqual([line, verdicts.map(() => 'user:pass')]);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

it('a line that is read by one expression reads the same by all rules', () => {
  const part = fc.oneof(
    fc.stringMatching(/^[\w-]{1,12}$/),
    fc.constantFrom('http', 'socks5', 'US', 'elite', 'a_DE', 'localhost', '80', 'x_elite', 'Germany'),
  );
  const host = fc.oneof(
    fc.ipV4(),
    fc.domain(),
    fc.constantFrom('10.0.0.1', '256.1.1.1', 'a.b', 'xn--bcher-kva.example', '1.2.3.04'),
  );
  const shapes: ((h: string, n: number, u: string, p: string) => string)[] = [
    (h, n) => `${h}:${n}`,
    (h, n, u, p) => `${h}:${n}:${u}:${p}`,
    (h, n, u, p) => `${u}:${p}@${h}:${n}`,
  ];
  fc.assert(
    fc.property(
      fc.constantFrom('', 'http://', 'socks5h://', 'https://'),
      fc.constantFrom(...shapes),
      host,
      fc.integer({ min: 0, max: 70_000 }),
      part,
      part,
      (scheme, shape, h, n, u, p) => {
        const line = scheme + shape(h, n, u, p);
        // A blank before it keeps a line from the expression.
        const [slow] = readProxyLine(` ${line}`);
        const [fast] = readProxyLine(line);
        expect([line, fast]).toEqual([
          line,
          slow?.kind === 'refused' ? { ...slow, column: slow.column - 1 } : slow,
        ]);
      },
    ),
    { numRuns: 5000 },
  );
});
